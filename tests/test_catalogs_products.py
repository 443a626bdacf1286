"""Folders of products on disk → a catalog: mosaic archives, band folders, GeoTIFFs described in YAML."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from stac_validation import validate_item
from test_catalogs_publish import everything, north_up, write_raster

from catalogs.errors import ProductError
from catalogs.formats import alos2
from catalogs.products import ingest

TILE = "N23W161_20"
XML = """<Metadata><SourceAttributes>
<UTCStartTime>{start}</UTCStartTime><UTCEndTime>{end}</UTCEndTime>
<AntennaPointing>Left</AntennaPointing><BeamID>F2-6</BeamID><PassDirection>Descending</PassDirection>
<IncAngleNearRange Units="deg">30.0</IncAngleNearRange><IncAngleFarRange Units="deg">40.0</IncAngleFarRange>
<NoiseEquivalentSigma0 pol="HH">-40</NoiseEquivalentSigma0></SourceAttributes></Metadata>"""


def make_archive(folder: Path, files: dict[str, bytes | tarfile.TarInfo], name: str = f"{TILE}_MOS.tar.gz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / name, "w:gz") as archive:
        for path, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(path)
            member.size, member.mtime = len(content), 1_600_000_000
            archive.addfile(member, io.BytesIO(content))
    return folder / name


def layer(tmp_path: Path) -> bytes:
    path = write_raster(tmp_path / "layer.tif", dtype="uint16", nodata=1, crs="EPSG:4326",
                        transform=north_up(-161, 23, 0.1, 0.1))  # fmt: skip
    return path.read_bytes()


def read_small(href: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    with rasterio.open(href) as source:
        return source.read(1, out_shape=(1500, 1500)).astype(float)


def test_real_mosaic_archive(tmp_path: Path, shared: Path) -> None:
    done = ingest(shared / "data/palsar2/mosaic", tmp_path)
    assert (done.items, done.skipped) == (("N23W161_20_F02DAR_MOS",), ())
    (tile,) = everything(tmp_path).acquisitions
    assert set(tile.layers) == {"HH", "HV", "angle", "mask", "date"}
    assert tile.start == datetime(2020, 9, 9, 10, 44, 12, 406000, UTC)
    assert not tile.reference_only
    assert (tile.orbit_direction, tile.look_side, tile.angle_range) == (
        "ascending",
        "right",
        (33.687, 38.623),
    )
    to_gamma0 = -10 * np.log10(np.cos(np.radians(36.155)))
    assert tile.noise_db == pytest.approx({"HH": -41.1 + to_gamma0, "HV": -49.2 + to_gamma0}, abs=0.01)
    assert (tile.noise_source, tile.denoised) == ("product", False)
    bands = {name: read_small(tile.layers[name][0].href) for name in ("HH", "HV", "mask")}
    for name, code, expected in [
        ("HH", 50, -18.07),
        ("HV", 50, -31.59),
        ("HH", 255, -11.62),
        ("HV", 255, -19.44),
    ]:
        numbers = bands[name][(bands["mask"] == code) & ~np.isin(bands[name], tile.layers[name][0].nodata)]
        decibels = 20 * np.log10(numbers) + tile.layers[name][0].calibration_db
        assert np.median(decibels) == pytest.approx(expected, abs=0.3)
    item = json.loads(next(tmp_path.rglob("N23W161_20_F02DAR_MOS.json")).read_text())
    assert validate_item(item, shared / "data/stac/schemas") == []
    version = tile.version
    ingest(shared / "data/palsar2/mosaic", tmp_path)
    assert everything(tmp_path).acquisitions[0].version == version


@pytest.mark.parametrize(("days", "reference_only"), [(0, False), (2, False), (40, True)])
def test_mosaic_of_several_passes(tmp_path: Path, days: int, reference_only: bool) -> None:
    start = datetime(2020, 9, 9, 10)
    xml = XML.format(start=f"{start.isoformat()}Z", end=f"{(start + timedelta(days=days)).isoformat()}Z").encode()
    folder = tmp_path / "in"
    make_archive(folder, {f"{TILE}_sl_HH_F02DAR.tif": layer(tmp_path), f"{TILE}_F02DAR.xml": xml})
    ingest(folder, tmp_path / "out")
    (tile,) = everything(tmp_path / "out").acquisitions
    assert tile.reference_only is reference_only
    assert (tile.end - tile.start).days == days
    assert (tile.orbit_direction, tile.look_side, tile.angle_range) == ("descending", "left", (30.0, 40.0))


def test_mosaic_without_xml_mask_and_date(tmp_path: Path) -> None:
    files = {
        f"tile/{TILE}_sl_HH_F02DAR.tif": layer(tmp_path),
        f"tile/{TILE}_sl_HV_F02DAR.tif": layer(tmp_path),
    }
    make_archive(tmp_path / "in", files | {"tile/README.txt": b"hello"})
    ingest(tmp_path / "in", tmp_path / "out")
    (tile,) = everything(tmp_path / "out").acquisitions
    assert set(tile.layers) == {"HH", "HV"}
    assert (tile.mask_scheme, tile.angle_range, tile.noise_source) == (None, (26.0, 44.0), "default")
    assert (tile.start.year, tile.end.year, tile.reference_only) == (2020, 2020, True)
    assert (tile.orbit_direction, tile.look_side) == ("ascending", "right")  # from F02DAR
    assert not list((tmp_path / "out").rglob("README.txt"))


def link(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


def bad_archive(name: str, content: bytes | tarfile.TarInfo = b"x") -> Callable[[Path], Path]:
    return lambda folder: make_archive(folder, {name: content})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (bad_archive(f"/tmp/{TILE}_sl_HH.tif"), "leads out of the archive"),
        (bad_archive(f"../{TILE}_sl_HH.tif"), "leads out of the archive"),
        (bad_archive(f"{TILE}_sl_HH.tif", link(f"{TILE}_sl_HH.tif")), "link or device"),
        (bad_archive(f"{TILE}_sl_HH_F02DAR"), "early edition"),
        (bad_archive("other.tif"), "0 mosaic tiles"),
        (bad_archive(f"{TILE}_sl_HH.tif", b"no raster"), "not recognized"),
        (lambda folder: make_archive(folder, {f"{n}/{TILE}_sl_HH.tif": b"x" for n in "ab"}), "two members"),
        (lambda folder: make_archive(folder, {f"{n}.txt": b"" for n in range(99)}), "more than 64 members"),
    ],
)
def test_bad_archives_are_refused(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    make(tmp_path / "in")
    with pytest.raises(ProductError, match=message):
        ingest(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out/catalog.json").exists()
    assert not list(tmp_path.rglob(".extracting*"))


def test_large_members_and_cut_archives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = make_archive(tmp_path, {f"{TILE}_sl_HH.tif": layer(tmp_path)})
    monkeypatch.setattr(alos2, "MAXIMUM_MEMBER_BYTES", 10)
    with pytest.raises(ProductError, match="bytes"):
        alos2.extract(archive, tmp_path / "files")
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises(ProductError, match="Fetch the archive again"):
        alos2.extract(archive, tmp_path / "files")


def test_xml_with_a_document_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text('<!DOCTYPE m [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><m>&b;</m>')
    with pytest.raises(ProductError, match="document type"):
        alos2.read_metadata(path)


def test_real_band_folder(tmp_path: Path, shared: Path) -> None:
    done = ingest(shared / "data/sentinel2", tmp_path)  # the bands are one level below
    assert done.items == ("S2A_29RKH_20200219_0_L2A",)
    (scene,) = everything(tmp_path).acquisitions
    assert set(scene.layers) == {"green", "red", "nir", "swir1", "mask"}
    source = shared / "data/sentinel2/S2A_29RKH_20200219_0_L2A"
    assert scene.layers["green"][0].href == str(source / "B03.tif")
    assert (scene.layers["green"][0].scale, scene.layers["green"][0].offset) == (0.0001, 0.0)
    assert (scene.platform, scene.mask_scheme) == ("sentinel-2a", "sentinel-2-scl")
    item = json.loads(next(tmp_path.rglob("S2A*.json")).read_text())
    assert validate_item(item, shared / "data/stac/schemas") == []


def test_band_folder_settles_the_offset_and_needs_an_item(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in ("T31TEK_20240501T105621_B03_10m.tif", "T31TEK_20240501T105621_B03_20m.tif"):
        write_raster(folder / name, dtype="uint16")
    with pytest.raises(ProductError, match=r"0 Sentinel-2 items"):
        ingest(folder, tmp_path / "out")
    properties = {
        "datetime": "2024-05-01T10:56:21Z",
        "platform": "Sentinel-2B",
        "s2:processing_baseline": "05.10",
    }
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "S2B", "properties": properties}
    item |= {"geometry": None, "links": [], "assets": {}}
    (folder / "item.json").write_text(json.dumps(item))
    ingest(folder, tmp_path / "out")
    (scene,) = everything(tmp_path / "out").acquisitions
    assert scene.layers["green"][0].href.endswith("B03_10m.tif")
    assert scene.layers["green"][0].offset == -0.1


def test_a_folder_without_products_says_what_was_looked_for(tmp_path: Path) -> None:
    write_raster(tmp_path / "in/a.tif")
    with pytest.raises(ProductError, match=r"found a\.tif; expected an overbank\.yaml.*JAXA"):
        ingest(tmp_path / "in", tmp_path / "out")
    with pytest.raises(ProductError, match="no such folder"):
        ingest(tmp_path / "nowhere", tmp_path / "out")
