"""Sentinel-1 GRD: annotation, calibration and noise read completely; items become acquisitions; products items."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pystac
import pytest
from shapely.geometry import shape
from stac_validation import validate_item

from catalogs.acquisition import to_acquisition
from catalogs.doctor.record import record_findings
from catalogs.errors import HrefError, ItemError, ProductError, ReadError
from catalogs.fetch import fetch_bytes
from catalogs.formats.sentinel1 import SwathMetadata, stray_assets, swath_metadata, swath_of
from catalogs.formats.sentinel1_annotation import parse_annotation, parse_calibration, parse_noise
from catalogs.formats.sentinel1_safe import safe_item
from catalogs.products import ingest
from catalogs.records import OPEN, Acquisition, RasterLayer

PRODUCT = "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.SAFE"


@pytest.fixture(scope="session")
def safe(shared: Path) -> Path:
    """The real product; its rasters are empty files."""
    return shared / "data" / "sentinel1" / PRODUCT


def metadata(safe: Path, polarization: str) -> SwathMetadata:
    measurement = str(next(safe.glob(f"measurement/*-{polarization.lower()}-*.tiff")))
    swath = swath_of(measurement, {}, polarization)
    return swath_metadata(RasterLayer(href=measurement, encoding="calibrated", swath=swath))


def xml(safe: Path, pattern: str) -> str:
    return next(safe.glob(pattern)).read_text()


def renewed(text: str, **changes: str) -> bytes:
    """XML with the text of the first element of a name changed."""
    for name, value in changes.items():
        text = re.sub(rf"(<{name}[^>]*>)[^<]*", rf"\g<1>{value}", text, count=1)
    return text.encode()


@pytest.mark.parametrize("polarization", ["VV", "VH"])
def test_real_annotation_is_complete(safe: Path, polarization: str) -> None:
    annotation = metadata(safe, polarization).annotation
    assert (annotation.mission, annotation.mode, annotation.product_type) == ("S1A", "IW", "GRD")
    assert (annotation.polarization, annotation.direction) == (polarization, "ascending")
    assert annotation.start == datetime(2021, 8, 9, 17, 39, 53, 153776, tzinfo=UTC)
    assert annotation.shape == (16676, 26144)
    assert (annotation.range_spacing, annotation.azimuth_spacing) == (10.0, 10.0)
    assert annotation.heading == pytest.approx(345.836, abs=1e-3)
    assert annotation.absolute_orbit == 39156


def test_real_geolocation_grid_is_complete(safe: Path) -> None:
    """210 points; the first and the last as the file lists them."""
    grid = metadata(safe, "VV").annotation.grid
    assert grid.latitude.shape == (10, 21)
    assert (grid.lines[-1], grid.pixels[-1]) == (16675, 26143)
    assert grid.latitude[0, 0] == 44.53525246605311
    assert grid.longitude[0, 0] == 1.929931301635841
    assert grid.height[0, 0] == pytest.approx(330.98286, abs=1e-5)
    assert grid.incidence[0, 0] == pytest.approx(30.474819, abs=1e-6)
    assert grid.elevation[0, 0] == pytest.approx(27.182842, abs=1e-6)
    assert grid.slant_range_time[0, 0] == 5.340119231434359e-03
    assert grid.azimuth_time[0, 0] == np.datetime64("2021-08-09T17:39:53.153509")
    assert (np.diff(grid.incidence, axis=1) > 0).all()
    assert (np.diff(grid.slant_range_time, axis=1) > 0).all()


def test_real_calibration_and_noise_are_complete(safe: Path) -> None:
    found = metadata(safe, "VV")
    table = found.calibration
    assert table.gamma.shape == table.sigma_nought.shape == table.beta_nought.shape == table.dn.shape == (27, 655)
    assert (table.gamma[0, 0], table.sigma_nought[0, 0], table.beta_nought[0, 0]) == (614.4983, 662.8682, 474.0)
    assert found.noise is not None
    assert found.noise.power.shape == (26, 657)
    assert found.noise.power[0, 0] == 2392.147
    blocks = found.noise.blocks
    assert [(block.swath, block.first_pixel, block.last_pixel) for block in blocks] == [
        ("IW1", 0, 8759),
        ("IW2", 8760, 17560),
        ("IW3", 17561, 26143),
    ]
    assert all(block.lines.size == block.factor.size == 1687 for block in blocks)


def test_gamma_table_is_beta_times_the_tangent(safe: Path) -> None:
    """The file's own tables agree with the geometry: sigma0 = beta0·sin, gamma0 = beta0·tan of the incidence."""
    table = metadata(safe, "VV").calibration
    sine = (table.beta_nought / table.sigma_nought) ** 2
    tangent = (table.beta_nought / table.gamma) ** 2
    np.testing.assert_allclose(tangent, sine / np.sqrt(1 - sine**2), rtol=1e-5)


def test_noise_before_ipf_2_9_has_one_vector_and_no_blocks() -> None:
    """Vectors of unlike pixels are brought onto all of them; a vector of one value holds everywhere."""
    text = (
        '<noise><noiseVectorList count="2"><noiseVector><line>0</line><pixel count="2">0 40</pixel>'
        '<noiseLut count="2">10 30</noiseLut></noiseVector><noiseVector><line>100</line><pixel count="1">0</pixel>'
        '<noiseLut count="1">50</noiseLut></noiseVector></noiseVectorList></noise>'
    )
    noise = parse_noise(text.encode(), "n.xml")
    assert noise.blocks == ()
    np.testing.assert_array_equal(noise.lines, [0, 100])
    np.testing.assert_array_equal(noise.pixels, [0, 40])
    np.testing.assert_array_equal(noise.power, [[10, 30], [50, 50]])
    assert noise.before_ipf_2_9


def test_border_noise_is_told_by_the_form_of_the_noise_and_else_by_the_day(safe: Path) -> None:
    """A pass of 2016 that was processed anew has none; the real product is of 2021."""
    now = metadata(safe, "VV")
    assert not now.before_ipf_2_9
    assert now.noise is not None
    early = replace(now, annotation=replace(now.annotation, start=datetime(2016, 5, 1, tzinfo=UTC)))
    assert not early.before_ipf_2_9
    assert replace(early, noise=None).before_ipf_2_9
    assert not replace(now, noise=None).before_ipf_2_9
    assert replace(now, noise=replace(now.noise, before_ipf_2_9=True)).before_ipf_2_9


def test_vectors_of_unlike_pixels_lose_nothing() -> None:
    vector = '<calibrationVector><line>{0}</line><pixel count="{1}">{2}</pixel>{3}</calibrationVector>'
    names = ("sigmaNought", "betaNought", "gamma", "dn")
    rows = [("0", "0 20 40", "100 140 150"), ("10", "0 30 40", "200 230 300")]
    vectors = "".join(
        vector.format(line, 3, pixels, "".join(f'<{name} count="3">{values}</{name}>' for name in names))
        for line, pixels, values in rows
    )
    text = f'<calibration><calibrationVectorList count="2">{vectors}</calibrationVectorList></calibration>'
    table = parse_calibration(text.encode(), "c.xml")
    np.testing.assert_array_equal(table.pixels, [0, 20, 30, 40])
    np.testing.assert_allclose(table.gamma, [[100, 140, 145, 150], [200, 220, 230, 300]])


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("</product>", "", "no element found|unclosed|mismatched"),
        ('<?xml version="1.0" encoding="UTF-8"?>', '<!DOCTYPE product [<!ENTITY a "b">]>', "a document type"),
        ('geolocationGridPointList count="210"', 'geolocationGridPointList count="211"', "210 of 211"),
        ("<pixel>1308</pixel>", "<pixel>1309</pixel>", "210 geolocation points on 10 lines"),
        ("<numberOfLines>16676</numberOfLines>", "", "no numberOfLines"),
        ("<pass>Ascending</pass>", "<pass>Sideways</pass>", "pass 'sideways'"),
        ("<platformHeading>-1.416386873562462e+01", "<platformHeading>north", "could not convert"),
    ],
)
def test_broken_annotation_is_named(safe: Path, old: str, new: str, found: str) -> None:
    text = xml(safe, "annotation/*-vv-*.xml")
    assert old in text
    with pytest.raises(ReadError, match=rf"metadata a\.xml: found .*({found})"):
        parse_annotation(text.replace(old, new, 1).encode(), "a.xml")


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("gamma", "1.0 2.0", "2 of 655 numbers in gamma"),
        ("gamma", "", "0 of 655"),
        ("gamma", " ".join(["nan"] * 655), "not finite"),
        ("gamma", " ".join(["0"] * 655), "not positive"),
        ("pixel", " ".join(["7"] * 655), "values sigmaNought at 655 pixels"),
    ],
)
def test_broken_calibration_is_named(safe: Path, name: str, value: str, found: str) -> None:
    text = xml(safe, "annotation/calibration/calibration-*-vv-*.xml")
    with pytest.raises(ReadError, match=rf"c\.xml.*{found}"):
        parse_calibration(renewed(text, **{name: value}), "c.xml")


def test_interference_file_is_no_annotation() -> None:
    with pytest.raises(ReadError, match=r"rfi-iw-vv\.xml.*no adsHeader"):
        parse_annotation(b"<rfi></rfi>", "rfi-iw-vv.xml")


def test_missing_metadata_names_the_file(safe: Path, tmp_path: Path) -> None:
    measurement = str(tmp_path / "measurement" / "iw-vv.tiff")
    layer = RasterLayer(href=measurement, encoding="calibrated", swath=swath_of(measurement, {}, "VV"))
    with pytest.raises(ReadError, match=r"annotation/iw-vv\.xml"):
        swath_metadata(layer)


def test_changed_metadata_are_read_again(safe: Path, tmp_path: Path) -> None:
    shutil.copytree(safe / "annotation", tmp_path / "annotation", copy_function=shutil.copyfile)
    stem = next(safe.glob("measurement/*-vv-*")).name
    layer = RasterLayer(href="x", swath=swath_of(f"{tmp_path}/measurement/{stem}", {}, "VV"))
    assert swath_metadata(layer).annotation.heading == pytest.approx(345.836, abs=1e-3)
    assert swath_metadata(layer) is swath_metadata(layer)
    assert layer.swath is not None
    path = Path(layer.swath.annotation)
    path.write_bytes(renewed(path.read_text(), platformHeading="10.0"))
    os.utime(path, (1, 1))
    assert swath_metadata(layer).annotation.heading == 10.0


def test_fetched_files_have_a_limit_and_no_odd_addresses(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(b"12345")
    assert fetch_bytes(str(tmp_path / "a.xml"), OPEN, 5) == b"12345"
    with pytest.raises(ReadError, match="at most 4 bytes"):
        fetch_bytes(str(tmp_path / "a.xml"), OPEN, 4)
    with pytest.raises(HrefError):
        fetch_bytes("/vsicurl/http://a.example/a.xml", OPEN, 5)


def items(shared: Path) -> list[dict[str, object]]:
    """The real GRD items; s3 addresses as those of a web server, for it is the items that matter here."""
    paths = sorted((shared / "data" / "stac" / "items").glob("*/sentinel-1-grd/*.json"))
    return [json.loads(path.read_text().replace("s3://", "https://store.example/")) for path in paths]


def acquisition(data: dict[str, object]) -> Acquisition:
    return to_acquisition(item_of(data), catalog_root="https://catalog.example/")


def item_of(data: dict[str, object]) -> pystac.Item:
    return pystac.Item.from_dict(data, migrate=False)


def test_every_real_grd_item_becomes_an_acquisition(shared: Path) -> None:
    found = {scene.id[:45]: scene for scene in map(acquisition, items(shared))}
    assert len(found) == 5
    for scene in found.values():
        assert (scene.sensor, scene.platform, scene.quantity) == ("sentinel-1", "sentinel-1a", "gamma0")
        assert (scene.angle_source, scene.denoised, scene.look_side) == ("annotation", False, "right")
        assert all(raster.encoding == "calibrated" and raster.nodata == (0.0,) for raster in scene.rasters)
        assert not shape(scene.footprint).is_empty
    both = found["S1A_IW_GRDH_1SDV_20250312T052236_20250312T052"]
    assert (both.polarizations, both.orbit_direction, both.relative_orbit) == (("VV", "VH"), "descending", 95)
    wide = found["S1A_EW_GRDM_1SSH_20150129T081916_20150129T081"]
    assert (wide.polarizations, wide.angle_range) == (("HH",), (18.9, 47.0))
    assert both.angle_range == (29.1, 46.5)


def test_item_whose_asset_leads_to_interference_reads_the_annotation(shared: Path) -> None:
    """Four of the five real items name annotation/rfi/…; all are read from annotation/, and it is said."""
    told = 0
    for data in items(shared):
        scene = acquisition(data)
        assets = {key: asset["href"] for key, asset in data["assets"].items()}  # type: ignore[attr-defined]
        for name in scene.polarizations:
            (raster,) = scene.layers[name]
            assert raster.swath is not None
            assert re.search(rf"/annotation/[ie]w-{name.lower()}\.xml$", raster.swath.annotation)
            assert raster.swath.calibration == assets[f"schema-calibration-{name.lower()}"]
            assert raster.swath.noise == assets[f"schema-noise-{name.lower()}"]
            stray = stray_assets(assets, name)
            told += len(stray)
            assert all("rfi" in assets[key] for key in stray)
        said = [finding for finding in record_findings(item_of(data), scene) if finding.code == "stray-metadata"]
        assert len(said) == any(
            "rfi-" in str(assets.get(f"schema-product-{name}")) for name in ("vv", "vh", "hh", "hv")
        )
        assert all("leads to" in finding.found and "rfi" in finding.found for finding in said)
    assert told == 5


LONG = "s1c-iw-grd-vh-20250421t053447-20250421t053516-001987-003fe6-002"


@pytest.mark.parametrize(
    ("measurement", "annotation", "noise"),
    [
        (
            f"https://h.example/A.SAFE/measurement/{LONG}.tiff?sig=1",
            f"https://h.example/A.SAFE/annotation/{LONG}.xml?sig=1",
            f"https://h.example/A.SAFE/annotation/calibration/noise-{LONG}.xml?sig=1",
        ),
        (
            f"s3://eodata/A_COG.SAFE/measurement/{LONG}-cog.tiff",
            f"s3://eodata/A_COG.SAFE/annotation/{LONG}-cog.xml",
            f"s3://eodata/A_COG.SAFE/annotation/calibration/noise-{LONG}-cog.xml",
        ),
        ("/d/measurement/ew-vh.tiff", "/d/annotation/ew-vh.xml", "/d/annotation/calibration/noise-ew-vh.xml"),
    ],
)
def test_metadata_lie_beside_the_measurement(measurement: str, annotation: str, noise: str) -> None:
    swath = swath_of(measurement, {}, "VH")
    assert (swath.annotation, swath.noise) == (annotation, noise)


def test_assets_that_fit_are_taken_where_the_layout_is_another() -> None:
    assets = {
        "schema-product-vv": "/d/annotation/iw-vv.xml",
        "schema-calibration-vv": "/e/calibration-iw-vv.xml",
        "schema-noise-vv": f"/e/noise-{LONG.replace('vh', 'vv')}.xml",
    }
    assert swath_of("/d/vv.tif", assets, "VV").files == tuple(assets.values())
    with pytest.raises(ItemError, match=r"another layout.*schema-noise-vv"):
        swath_of("/d/vv.tif", assets | {"schema-noise-vv": "/e/noise-iw-vh.xml"}, "VV")


def test_item_may_not_lead_into_this_machine(shared: Path) -> None:
    data = items(shared)[0]
    data["assets"]["schema-calibration-hh"]["href"] = "/etc/calibration-iw-hh.xml"  # type: ignore[index]
    with pytest.raises(HrefError):
        acquisition(data)


def test_real_product_without_pixels_is_told_and_does_not_crash(safe: Path, tmp_path: Path) -> None:
    with pytest.raises(ProductError, match=r"measurement/s1a-iw-grd-vv.*an empty file.*Download the product again"):
        ingest(safe.parent, tmp_path / "catalog")


def with_pixels(safe: Path, folder: Path) -> Path:
    """The real product with something in its rasters."""
    target = folder / PRODUCT
    shutil.copytree(safe, target, copy_function=shutil.copyfile)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755)
    for path in target.glob("measurement/*.tiff"):
        path.write_bytes(b"II*\0")
    return target


def test_real_product_becomes_a_valid_item(safe: Path, shared: Path, tmp_path: Path) -> None:
    product = with_pixels(safe, tmp_path / "products")
    found = ingest(tmp_path / "products", tmp_path / "catalog")
    assert found.items == (PRODUCT.removesuffix(".SAFE"),)
    path = next((tmp_path / "catalog").glob("sentinel-1-grd/*/*.json"))
    data = json.loads(path.read_text())
    assert validate_item(data, shared / "data" / "stac" / "schemas") == []
    assert not [key for key in data["properties"] if key.startswith("proj:")]
    assert data["properties"]["processing:software"] == {"Sentinel-1 IPF": "003.31"}
    assert sorted(data["assets"])[:3] == ["safe-manifest", "schema-calibration-vh", "schema-calibration-vv"]
    item = pystac.Item.from_file(str(path))
    scene = to_acquisition(item)
    assert (scene.platform, scene.orbit_direction, scene.relative_orbit) == ("sentinel-1a", "ascending", 59)
    assert (scene.start, scene.polarizations) == (datetime(2021, 8, 9, 17, 39, 53, 153776, tzinfo=UTC), ("VV", "VH"))
    assert shape(scene.footprint).bounds == pytest.approx((1.512143, 44.536255, 5.188996, 46.436539))
    swath = scene.layers["VV"][0].swath
    assert swath is not None
    assert all(Path(file).is_file() and str(product) in file for file in swath.files)
    assert ingest(product, tmp_path / "other").items == found.items, "the product's own folder may be given"


@pytest.mark.parametrize(
    ("pattern", "old", "new", "found"),
    [
        ("manifest.safe", "</xfdu:XFDU>", "", "manifest.safe"),
        ("manifest.safe", "<s1sarl1:productType>GRD", "<s1sarl1:productType>SLC", "type SLC"),
        ("manifest.safe", "./measurement/s1a-iw-grd-vv", "../../s1a-iw-grd-vv", "the measurement"),
        ("manifest.safe", "46.033890,1.512143 46.436539,4.851360 ", "", "a footprint of 2 corners"),
        ("annotation/*-vh-*.xml", "<numberOfSamples>", "<number>", "not well-formed|mismatched|no numberOfSamples"),
    ],
)
def test_broken_product_is_named(safe: Path, tmp_path: Path, pattern: str, old: str, new: str, found: str) -> None:
    product = with_pixels(safe, tmp_path)
    path = next(product.glob(pattern))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ProductError, match=found):
        safe_item(product)


def test_product_without_manifest_and_zipped_product_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / PRODUCT).mkdir()
    with pytest.raises(ProductError, match=r"no manifest\.safe"):
        safe_item(tmp_path / PRODUCT)
    shutil.rmtree(tmp_path / PRODUCT)
    (tmp_path / PRODUCT.replace(".SAFE", ".zip")).write_bytes(b"PK")
    with pytest.raises(ProductError, match="Unpack it"):
        ingest(tmp_path, tmp_path / "catalog")
