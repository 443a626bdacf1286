"""Sentinel-2 SAFE and Landsat Collection 2 folders → items: offsets, bands and times as the products say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stac_validation import validate_item
from test_catalogs_publish import everything, write_raster

from catalogs.errors import ProductError
from catalogs.formats import landsat, sentinel2_safe
from catalogs.products import ingest

NEW, OLD = "S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157.SAFE", "S2B_MSIL2A_20191228T210519_N0212"
SCENE = "LC08_L2SP_001062_20201031_20201106_02_T2"

# product, baseline, satellite, sensing time, relative orbit, tile, offset of the green band in DN
PRODUCTS = [
    ("S2A_MSIL2A_20150826T185436_N0212_R070", "02.12", "sentinel-2a", "2015-08-26T18:54:36.027", 70, "11SLT", 0),
    ("S2A_MSIL2A_20190212T192651_N0212_R013", "02.12", "sentinel-2a", "2019-02-12T19:26:51.024", 13, "07HFE", 0),
    ("S2A_MSIL2A_20230625*_T01WCP", "05.09", "sentinel-2a", "2023-06-25T23:46:21.024", 73, "01WCP", -1e3),
    ("S2A_MSIL2A_20230625*_T01WCS", "05.09", "sentinel-2a", "2023-06-25T23:46:21.024", 73, "01WCS", -1e3),
    ("S2A_MSIL2A_20230821T221941_N0509_R029", "05.09", "sentinel-2a", "2023-08-21T22:19:41.024", 29, "01KAB", -1e3),
    ("S2B_MSIL2A_20191228T210519_N0212_R071", "02.12", "sentinel-2b", "2019-12-28T21:05:19.024", 71, "01CCV", 0),
    ("S2B_MSIL2A_20220413T150759_N0400_R025", "04.00", "sentinel-2b", "2022-04-13T15:07:59.024", 25, "33XWJ", -1e3),
    ("esa_S2B_MSIL2A_20210122T133229_N0214_R081", "02.14", "sentinel-2b", "2021-01-22T13:32:29.024", 81, "22HBD", 0),
]  # fmt: skip


def real_metadata(shared: Path, start: str) -> Path:
    return next((shared / "data/sentinel2/metadata").glob(f"{start}*")) / "MTD_MSIL2A.xml"


@pytest.mark.parametrize(("product", "baseline", "platform", "time", "orbit", "tile", "offset"), PRODUCTS)
def test_real_metadata_of_every_baseline(
    shared: Path, product: str, baseline: str, platform: str, time: str, orbit: int, tile: str, offset: float
) -> None:
    found = sentinel2_safe.read_metadata(real_metadata(shared, product))
    assert (found.baseline, found.platform, found.relative_orbit, found.tile) == (baseline, platform, orbit, tile)
    assert found.start == datetime.fromisoformat(time).replace(tzinfo=UTC)
    assert found.quantification == 10000
    assert [found.offsets.get(band, 0) for band in ("B02", "B03", "B8A", "B12")] == [offset] * 4
    assert found.orbit_direction in ("ascending", "descending")
    assert found.cloud_cover is not None


def test_all_the_real_metadata_is_in_the_table(shared: Path) -> None:
    assert len(list((shared / "data/sentinel2/metadata").glob("*/MTD_MSIL2A.xml"))) == len(PRODUCTS) + 1  # one twice


def make_safe(folder: Path, metadata: Path, change: Callable[[str], str] = lambda text: text) -> Path:
    """A SAFE with real metadata and small JPEG 2000 bands."""
    text = change(metadata.read_text(encoding="utf-8"))
    place = folder / "product.SAFE"
    images = place / "GRANULE/L2A_T01WCP_A041824_20230625T234624/IMG_DATA"
    jpeg = {"driver": "JP2OpenJPEG", "dtype": "uint16", "QUALITY": "100", "REVERSIBLE": "YES"}
    for resolution, bands in {"R10m": "B02 B03 B04 B08", "R20m": "B02 B03 B11 B12 SCL", "R60m": "B01 B03"}.items():
        for band in bands.split():
            write_raster(images / resolution / f"T01WCP_20230625T234621_{band}_{resolution[1:]}.jp2", **jpeg)
    (place / "MTD_MSIL2A.xml").write_text(text, encoding="utf-8")
    return place


def reprocessed(text: str) -> str:
    """As if Collection 1 had been made of an old scene: the baseline is new, the date is old."""
    for old, new in (
        ("20230625T", "20180625T"),
        ("2023-06-25T", "2018-06-25T"),
        ("N0509", "N0500"),
        ("05.09", "05.00"),
    ):
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("start", "change", "offset", "year"),
    [(NEW, str, -0.1, 2023), (OLD, str, 0.0, 2019), (NEW, reprocessed, -0.1, 2018)],
    ids=["baseline 05.09", "baseline 02.12", "reprocessed"],
)
def test_safe_becomes_a_right_acquisition(
    tmp_path: Path, shared: Path, start: str, change: Callable[[str], str], offset: float, year: int
) -> None:
    make_safe(tmp_path / "in", real_metadata(shared, start), change)
    done = ingest(tmp_path / "in", tmp_path / "out")
    assert done.skipped == ()
    (scene,) = everything(tmp_path / "out").acquisitions
    assert set(scene.layers) == {"blue", "green", "red", "nir", "swir1", "swir2", "mask"}
    assert scene.layers["green"][0].href.endswith("_B03_10m.jp2")
    assert scene.layers["swir1"][0].href.endswith("_B11_20m.jp2")
    for band in ("green", "nir", "swir2"):
        raster = scene.layers[band][0]
        assert (raster.scale, raster.offset, raster.nodata) == (1e-4, offset, (0.0,))
    assert (scene.mask_scheme, scene.quantity, scene.start.year) == ("sentinel-2-scl", "surface_reflectance", year)
    item = json.loads((tmp_path / "out/sentinel-2-l2a" / scene.id / f"{scene.id}.json").read_text())
    assert validate_item(item, shared / "data/stac/schemas") == []
    assert item["properties"]["eo:cloud_cover"] > 0
    assert item["id"] == item["properties"]["s2:product_uri"].removesuffix(".SAFE")


def test_the_safe_itself_may_be_given(tmp_path: Path, shared: Path) -> None:
    place = make_safe(tmp_path, real_metadata(shared, NEW))
    done = ingest(place, tmp_path / "out")
    assert (done.items, done.skipped) == ((NEW.removesuffix(".SAFE"),), ())


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda place: (place / "MTD_MSIL2A.xml").rename(place / "MTD_MSIL1C.xml"), "Level-1C"),
        (lambda place: shutil.rmtree(place / "GRANULE"), "0 granules"),
        (lambda place: next(place.rglob("*B08_10m.jp2")).unlink(), "B03 and B08 at least"),
        (lambda place: next(place.rglob("*B03_10m.jp2")).write_bytes(b"cut"), "a GeoTIFF or JPEG 2000"),
        (lambda place: (place / "MTD_MSIL2A.xml").write_text("<a>"), "well-formed XML"),
        (lambda place: (place / "MTD_MSIL2A.xml").write_text("<a/>"), "no PRODUCT_URI"),
    ],
)
def test_broken_safe_is_named_and_the_rest_goes_on(
    tmp_path: Path, shared: Path, damage: Callable[[Path], object], told: str
) -> None:
    damage(make_safe(tmp_path / "in", real_metadata(shared, NEW)))
    shutil.copytree(shared / "data/landsat", tmp_path / "in/landsat")
    done = ingest(tmp_path / "in", tmp_path / "out")
    assert done.items == (SCENE,)
    (sentence,) = done.skipped
    assert told in sentence
    assert str(tmp_path / "in/product.SAFE") in sentence


# ---- Landsat


def test_real_landsat(tmp_path: Path, shared: Path) -> None:
    done = ingest(shared / "data/landsat", tmp_path)
    assert (done.items, done.skipped) == ((SCENE,), ())
    (scene,) = everything(tmp_path).acquisitions
    assert (scene.sensor, scene.platform, scene.mask_scheme) == ("landsat", "landsat-8", "landsat-qa")
    assert scene.start == datetime(2020, 10, 31, 14, 31, 47, 808399, UTC)
    files = {name: Path(rasters[0].href).name.removeprefix(f"{SCENE}_") for name, rasters in scene.layers.items()}
    assert files == {
        "blue": "SR_B2.TIF", "green": "SR_B3.TIF", "red": "SR_B4.TIF", "nir": "SR_B5.TIF", "swir1": "SR_B6.TIF",
        "swir2": "SR_B7.TIF", "mask": "QA_PIXEL.TIF",
    }  # fmt: skip
    assert (scene.layers["nir"][0].scale, scene.layers["nir"][0].offset) == (2.75e-5, -0.2)
    assert (scene.layers["nir"][0].nodata, scene.layers["mask"][0].nodata) == ((0.0,), (1.0,))
    item = json.loads(next(tmp_path.rglob(f"{SCENE}.json")).read_text())
    assert validate_item(item, shared / "data/stac/schemas") == []
    assert item["properties"]["eo:cloud_cover"] == 99.94
    assert item["properties"]["landsat:wrs_row"] == "062"


def test_json_xml_and_text_say_the_same(shared: Path) -> None:
    first, *others = (
        landsat.read_metadata(shared / f"data/landsat/{SCENE}_MTL.{end}") for end in ("json", "xml", "txt")
    )
    assert others == [first, first]
    assert landsat.read_groups(shared / f"data/landsat/{SCENE}_MTL.txt").keys() == landsat.read_groups(
        shared / f"data/landsat/{SCENE}_MTL.json"
    ).keys() | {"LANDSAT_METADATA_FILE"}


def edited(folder: Path, shared: Path, *changes: tuple[str, str]) -> Path:
    """The real scene with changes to its metadata, which is left in JSON alone."""
    shutil.copytree(shared / "data/landsat", folder)
    for path in folder.glob("*_MTL.[xt]*"):
        path.unlink()
    path = folder / f"{SCENE}_MTL.json"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("spacecraft", "sensor", "platform", "green", "nir"),
    [
        ("LANDSAT_9", "OLI_TIRS", "landsat-9", 3, 5),
        ("LANDSAT_7", "ETM", "landsat-7", 2, 4),
        ("LANDSAT_5", "TM", "landsat-5", 2, 4),
    ],
)
def test_bands_are_numbered_by_sensor(
    tmp_path: Path, shared: Path, spacecraft: str, sensor: str, platform: str, green: int, nir: int
) -> None:
    edited(tmp_path / "in", shared, ('"LANDSAT_8"', f'"{spacecraft}"'), ('"OLI_TIRS"', f'"{sensor}"'),
           ('"REFLECTANCE_ADD_BAND_4": "-0.2"', '"REFLECTANCE_ADD_BAND_4": "-0.3"'))  # fmt: skip
    ingest(tmp_path / "in", tmp_path / "out")
    (scene,) = everything(tmp_path / "out").acquisitions
    assert scene.platform == platform
    assert scene.layers["green"][0].href.endswith(f"SR_B{green}.TIF")
    assert scene.layers["nir"][0].href.endswith(f"SR_B{nir}.TIF")
    assert scene.layers["nir"][0].offset == (-0.3 if nir == 4 else -0.2), "scale and offset are the band's own"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([('"PROCESSING_LEVEL": "L2SP"', '"PROCESSING_LEVEL": "L1TP"')], "Collection 02 L1TP"),
        ([('"COLLECTION_NUMBER": "02"', '"COLLECTION_NUMBER": "01"')], "Collection 01 L2SP"),
        ([('"OLI_TIRS"', '"MSS"')], "the sensor MSS"),
        ([('"SCENE_CENTER_TIME"', '"X"')], "no SCENE_CENTER_TIME"),
        ([('"2020-10-31"', '"31.10.2020"')], "times and numbers"),
        ([("{", "")], "LANDSAT_METADATA_FILE"),
    ],
)
def test_broken_landsat_is_named(tmp_path: Path, shared: Path, changes: list[tuple[str, str]], told: str) -> None:
    edited(tmp_path / "in", shared, *changes)
    with pytest.raises(ProductError, match=told):
        ingest(tmp_path / "in", tmp_path / "out")


def test_landsat_without_metadata_or_nir_says_what_to_fetch(tmp_path: Path, shared: Path) -> None:
    path = edited(tmp_path / "in", shared)
    (tmp_path / "in" / f"{SCENE}_SR_B5.TIF").unlink()
    with pytest.raises(ProductError, match=r"_SR_B5\.TIF\. Fetch the missing files"):
        ingest(tmp_path / "in", tmp_path / "out")
    path.unlink()
    with pytest.raises(ProductError, match=r"expected \*_MTL\.json, \.xml or \.txt"):
        ingest(tmp_path / "in", tmp_path / "out")
