"""ALOS-2 on disk: ScanSAR with its real summary, mosaic tiles as they lie extracted; and what is told of the rest."""

from __future__ import annotations

import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import rasterio
from stac_validation import validate_item
from test_catalogs_publish import everything, north_up, write_raster

from catalogs.errors import ProductError
from catalogs.formats.scansar import MASK_VALUES, read_summary
from catalogs.products import KINDS, describe, ingest
from harmonization.reasons import Reason
from pipeline.radar_mask import MASKS

MEANT = {
    "NoData": Reason.OUTSIDE_SWATH,
    "Layover": Reason.LAYOVER,
    "Shadow": Reason.RADAR_SHADOW,
    "InvalidData": Reason.OUTSIDE_SWATH,
}
SCENE = "ALOS2437590500-220630_WWDR2.2GUA"


def scansar(folder: Path, shared: Path, *changes: tuple[str, str]) -> Path:
    """A ScanSAR scene: the real summary, changed as asked, and small rasters with the names of the real ones."""
    text = (shared / f"data/palsar2/scansar/{SCENE}_summary.xml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    grid = {"crs": "EPSG:32651", "transform": north_up(374612.5, 3087012.5, 25, 25)}
    for name, dtype in (("HH_SLP", "uint16"), ("HV_SLP", "uint16"), ("LIN", "uint16"), ("MSK", "uint8")):
        write_raster(folder / f"{SCENE}_{name}.tif", dtype=dtype, **grid)
    (folder / f"{SCENE}_summary.xml").write_text(text, encoding="utf-8")
    return folder


def test_scansar_with_its_real_summary(tmp_path: Path, shared: Path) -> None:
    done = ingest(scansar(tmp_path / "in/scene", shared).parent, tmp_path / "out")
    assert (done.items, done.skipped) == ((SCENE,), ())
    (scene,) = everything(tmp_path / "out").acquisitions
    assert (scene.collection, scene.sensor, scene.platform, scene.band) == ("palsar2-scansar", "alos-2", "alos-2", "L")
    assert scene.start == datetime(2022, 6, 30, 15, 58, 0, 78000, UTC)
    assert (scene.end - scene.start).total_seconds() == pytest.approx(56.364)
    assert scene.angle_range == (45.153, 60.590)
    assert (scene.orbit_direction, scene.look_side) == ("ascending", "right")
    assert (scene.relative_orbit, scene.absolute_orbit) == (137, 43759)
    to_gamma0 = -10 * np.log10(np.cos(np.radians((45.153 + 60.590) / 2)))
    assert scene.noise_db == pytest.approx({"HH": -30 + to_gamma0, "HV": -32.5 + to_gamma0}, abs=0.01)
    assert (scene.noise_source, scene.denoised, scene.reference_only) == ("product", False, False)
    assert set(scene.layers) == {"HH", "HV", "angle", "mask"}
    assert (scene.layers["HH"][0].encoding, scene.layers["HH"][0].calibration_db) == ("amplitude", -83.0)
    assert (scene.layers["angle"][0].scale, scene.layers["angle"][0].nodata) == (0.01, (0.0,))
    item = json.loads(next(tmp_path.rglob(f"{SCENE}.json")).read_text())
    assert validate_item(item, shared / "data/stac/schemas") == []
    assert (item["properties"]["sar:instrument_mode"], item["properties"]["sar:beam_ids"]) == ("WWD", ["W3"])


def test_the_real_mask_holds_the_classes_of_the_summary(shared: Path) -> None:
    with rasterio.open(shared / f"data/palsar2/scansar/{SCENE}_MSK.tif") as source:
        seen = set(np.unique(source.read(1, out_shape=(1000, 1000))).tolist())
    assert seen == {0, 1, 3, 4, 5} <= set(MASK_VALUES.values())
    names = {MASK_VALUES[name]: reason for name, reason in MEANT.items()}
    assert MASKS["palsar-scansar"] == names, "the flow reads them as the summary means them"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([("10*log10(DN^2)-83.0", "10*log10(DN^2)-80.0")], r"expected Gamma-0 as 10\*log10\(DN\^2\)-83"),
        ([("Gamma-0", "Sigma-0")], r"found Sigma-0 as 10\*log10"),
        ([("<Shadow>3<", "<Shadow>6<")], "mask values"),
        ([("2022-06-30T15:58:00.078Z</First", "yesterday</First")], "times and numbers"),
        ([("<FirstAcq", "<NoAcq"), ("</FirstAcq", "</NoAcq")], "no FirstAcquisitionDate"),
        ([("</Product>", "")], "well-formed XML"),
    ],
)
def test_summary_that_contradicts_is_refused(
    tmp_path: Path, shared: Path, changes: list[tuple[str, str]], told: str
) -> None:
    scansar(tmp_path / "in", shared, *changes)
    with pytest.raises(ProductError, match=told):
        ingest(tmp_path / "in", tmp_path / "out")


def test_left_looking_and_denoised_is_read_from_the_summary(tmp_path: Path, shared: Path) -> None:
    changes = [
        (">Right<", ">Left<"),
        ("NoiseRemovalApplied>FALSE", "NoiseRemovalApplied>TRUE"),
        ("BeamID>W3", "BeamID>W2"),
        (">45.153<", ">25.9<"),
        (">60.590<", ">49.1<"),
    ]
    folder = scansar(tmp_path, shared, *changes)
    found = read_summary(folder / f"{SCENE}_summary.xml")
    assert (found.look_side, found.denoised, found.beams, found.angle_range) == ("left", True, ("W2",), (25.9, 49.1))


@pytest.mark.parametrize("gone", ["_summary.xml", "_SLP.tif"])
def test_scansar_without_summary_or_backscatter_says_what_to_fetch(tmp_path: Path, shared: Path, gone: str) -> None:
    scansar(tmp_path / "in", shared)
    for path in (tmp_path / "in").glob(f"*{gone}"):
        path.unlink()
    with pytest.raises(ProductError, match="Fetch the missing files of the scene"):
        ingest(tmp_path / "in", tmp_path / "out")


def test_extracted_mosaic_is_what_its_archive_is(tmp_path: Path, shared: Path) -> None:
    with tarfile.open(shared / "data/palsar2/mosaic/N23W161_20_MOS_F02DAR.tar.gz") as archive:
        archive.extractall(tmp_path / "in/tile", filter="data")
    folders = {path.parent for path in (tmp_path / "in").rglob("*sl_HH*")}
    (folder,) = folders
    done = ingest(folder, tmp_path / "out")
    ingest(shared / "data/palsar2/mosaic", tmp_path / "archive")
    assert done.items == ("N23W161_20_F02DAR_MOS",)
    (extracted,), (packed,) = (everything(tmp_path / name).acquisitions for name in ("out", "archive"))
    same = {"id", "start", "end", "angle_range", "noise_db", "orbit_direction", "look_side", "polarizations"}
    assert {name: getattr(extracted, name) for name in same} == {name: getattr(packed, name) for name in same}
    assert set(extracted.layers) == set(packed.layers)


def test_archive_beside_its_extracted_folder_is_one_product(tmp_path: Path, shared: Path) -> None:
    source = shared / "data/palsar2/mosaic/N23W161_20_MOS_F02DAR.tar.gz"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / source.name).symlink_to(source)
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isfile():
                member.name = Path(member.name).name
                archive.extract(member, tmp_path / "in/tile", filter="data")
    done = ingest(tmp_path / "in", tmp_path / "out")
    assert done.items == ("N23W161_20_F02DAR_MOS",)
    assert any("found twice" in sentence for sentence in done.skipped)


def test_two_tiles_in_one_folder_are_two_items(tmp_path: Path) -> None:
    for tile in ("N23W161", "N24W161"):
        for layer in ("sl_HH", "sl_HV", "mask"):
            write_raster(tmp_path / f"in/{tile}_20_{layer}_F02DAR.tif", dtype="uint16", crs="EPSG:4326",
                         transform=north_up(-161, 23, 0.1, 0.1))  # fmt: skip
    done = ingest(tmp_path / "in", tmp_path / "out")
    assert done.items == ("N23W161_20_F02DAR_MOS", "N24W161_20_F02DAR_MOS")
    assert all(set(scene.layers) == {"HH", "HV", "mask"} for scene in everything(tmp_path / "out").acquisitions)


# ---- what is told of the rest


def good(folder: Path) -> Path:
    """A product that can be ingested."""
    return write_raster(folder / "Copernicus_DSM_COG_10_N44_00_E011_00_DEM.tif", crs="EPSG:4326",
                        transform=north_up(11, 45, 0.1, 0.1))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157.SAFE.zip", "Unpack it and ingest the folder"),
        ("S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.zip", "Unpack it and ingest the folder"),
        ("LC08_L2SP_001062_20201031_20201106_02_T2.tar", "Unpack it and ingest the folder"),
        ("0000022708_001001_ALOS2015976960-140909.zip", "Unpack it and ingest the folder"),
        ("IMG-HH-ALOS2015976960-140909-FBDR2.1GUA.tif", "Fetch the product again"),
        ("IMG-HH-ALOS2015976960-140909-FBDR1.5GUA", "order the scene in GeoTIFF"),
        ("strange.tif", "strange.tif: of no kind that is known here"),
        ("deep/deeper/strange.nc", "deeper/strange.nc: of no kind that is known here"),
    ],
)
def test_nothing_is_passed_over_in_silence(tmp_path: Path, name: str, told: str) -> None:
    good(tmp_path / "in")
    (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "in" / name).write_bytes(b"x")
    (tmp_path / "in/README.txt").write_text("no product, and nothing is said of it")
    done = ingest(tmp_path / "in", tmp_path / "out")
    assert done.items == ("Copernicus_DSM_COG_10_N44_00_E011_00_DEM",)
    (sentence,) = done.skipped
    assert told in sentence


def test_catalog_within_the_folder_is_not_taken_for_products(tmp_path: Path) -> None:
    good(tmp_path)
    for _ in range(2):
        assert ingest(tmp_path, tmp_path / "catalog").skipped == ()


def test_describe_writes_nothing_and_names_archives(tmp_path: Path, shared: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"")
    path = good(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = describe(tmp_path)
    assert [item.id for item in found.items] == [path.stem]
    assert found.problems == [f"{tmp_path}/a.tar.gz: an archive, which must be unpacked; ingest it first: "
                              f"`overbank catalog ingest {tmp_path} --out CATALOG`"]  # fmt: skip
    assert path in found.places
    assert sorted(tmp_path.rglob("*")) == before


def test_the_error_lists_every_kind(tmp_path: Path) -> None:
    with pytest.raises(ProductError) as caught:
        ingest(tmp_path, tmp_path / "out")
    assert all(kind.name in str(caught.value) for kind in KINDS)
