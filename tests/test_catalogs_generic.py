"""GeoTIFFs described by an `overbank.yaml`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rasterio
from stac_validation import validate_item
from test_catalogs_publish import everything, write_raster

from catalogs.errors import DescriptionError, ProductError
from catalogs.products import ingest

TERRAMIND = """products:
  - files: "S1RTC/*.tif"
    sensor: sentinel-1
    quantity: gamma0
    scale: decibel
    bands: {VV: 1, VH: 2}
    date: {tag: datetime}
  - files: "S2L2A/*.tif"
    sensor: sentinel-2
    quantity: surface_reflectance
    scale: 0.0001
    bands: {blue: 2, green: 3, red: 4, nir: 8, swir1: 11, swir2: 12}
    date: {"282D*": 2021-07-20, "*": 2020-06-01}
"""
SPAIN = """products:
  - files: "*_S1Hand.tif"
    sensor: sentinel-1
    quantity: sigma0
    scale: decibel
    bands: {VV: 1, VH: 2}
    date: 2019-09-17
  - files: "*_S2Hand.tif"
    sensor: sentinel-2
    quantity: toa_reflectance
    scale: 0.0001
    bands: {blue: 2, green: 3, red: 4, nir: 8, cirrus: 11, swir1: 12, swir2: 13}
    date: 2019-09-18
"""


def describe(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "overbank.yaml"
    path.write_text(text)
    return path


def test_real_terramind(tmp_path: Path, shared: Path) -> None:
    done = ingest(shared / "data/terramind", tmp_path / "out", describe(tmp_path, TERRAMIND))
    assert len(done.items) == 8
    scenes = {scene.id: scene for scene in everything(tmp_path / "out").acquisitions}
    radar = scenes["terramind-S1RTC-282D_485L_3_3"]
    assert (radar.start, radar.quantity) == (datetime(2021, 7, 21, 8, 40, 10, tzinfo=UTC), "gamma0")
    assert (radar.layers["VH"][0].band, radar.layers["VH"][0].encoding) == (2, "decibel")
    assert (radar.angle_range, radar.noise_source, radar.band) == ((29.1, 46.0), "default", "C")
    optical = scenes["terramind-S2L2A-282D_485L_3_3"]
    assert optical.time.date() == datetime(2021, 7, 20).date()
    swir2 = optical.layers["swir2"][0]
    assert (swir2.band, swir2.scale, swir2.offset) == (12, 0.0001, 0.0)
    assert optical.mask_scheme is None
    for path in (tmp_path / "out").rglob("*.json"):
        assert validate_item(json.loads(path.read_text()), shared / "data/stac/schemas") == []


def test_real_flood_in_spain(tmp_path: Path, shared: Path) -> None:
    ingest(shared / "data/sen1floods11", tmp_path / "out", describe(tmp_path, SPAIN))
    radar, optical = everything(tmp_path / "out").acquisitions
    assert (radar.quantity, optical.quantity) == ("sigma0", "toa_reflectance")
    assert optical.layers["cirrus"][0].band == 11
    assert optical.layers["green"][0].nodata == (0.0,)  # the file's header says so


def radar_entry(**changes: str) -> str:
    fields = {
        "files": '"*.tif"',
        "sensor": "sentinel-1",
        "quantity": "gamma0",
        "scale": "power",
        "bands": "{VV: 1}",
        "date": "2024-05-01",
    }
    lines = [f"{name}: {value}" for name, value in (fields | changes).items() if value]
    return "products:\n  - " + "\n    ".join(lines) + "\n"


def test_everything_that_a_description_can_say(tmp_path: Path) -> None:
    write_raster(tmp_path / "in/a.tif", count=3)
    entry = radar_entry(
        sensor="alos-2", scale="amplitude", calibration_db="-83", nodata="[0, 1]", bands="{HH: 1, mask: 2}",
        mask="palsar-mosaic", angle="{band: 3}", denoised="true", noise_db="{HH: -30}", platform="alos-2",
        date="{'a*': 2024-05-01T10:30:00+02:00}",
    )  # fmt: skip
    describe(tmp_path / "in", entry)
    ingest(tmp_path / "in", tmp_path / "out")
    (scene,) = everything(tmp_path / "out").acquisitions
    assert (scene.layers["HH"][0].calibration_db, scene.layers["HH"][0].nodata) == (-83.0, (0.0, 1.0))
    assert (scene.layers["angle"][0].band, scene.layers["angle"][0].nodata, scene.mask_scheme) == (
        3,
        (),
        "palsar-mosaic",
    )
    assert (scene.noise_db, scene.noise_source, scene.denoised) == ({"HH": -30.0}, "product", True)
    assert scene.start == scene.end == datetime(2024, 5, 1, 8, 30, tzinfo=UTC)


def test_a_constant_angle_and_a_file_tag(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "in/a.tif")
    with rasterio.open(path, "r+") as target:
        target.update_tags(TIFFTAG_DATETIME="2024:05:01 10:00:00")
    describe(tmp_path / "in", radar_entry(angle="38", date="{tag: TIFFTAG_DATETIME}"))
    ingest(tmp_path / "in", tmp_path / "out")
    (scene,) = everything(tmp_path / "out").acquisitions
    assert scene.angle_range == (38.0, 38.0)
    assert scene.start == datetime(2024, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "line", "message"),
    [
        ({"sensor": "sentinel1"}, 3, "'sentinel-1', 'alos-2'"),
        ({"scale": "db"}, 5, "decibel, power, amplitude"),
        ({"scale": "0.0001"}, 2, "scale of sentinel-1 must be one of"),
        ({"scale": "amplitude"}, 2, "calibration_db"),
        ({"quantity": "toa_reflectance"}, 2, "must be gamma0 or sigma0"),
        ({"bands": "{VV: 2}"}, 6, "VV as band 2"),
        ({"bands": "{VV: 0}"}, 6, "greater than or equal to 1"),
        ({"bands": "{green: 1}"}, 2, "cannot hold green"),
        ({"bands": "{angle: 1}"}, 2, "at least one of VV"),
        ({"bands": "{VV: 1, mask: 1}"}, 2, "scheme of its values"),
        ({"bands": "{XX: 1}"}, 6, "a band number for each of"),
        ({"date": "yesterday"}, 7, "an ISO date"),
        ({"date": ""}, 2, "'date' is missing"),
        ({"date": "{tag: NONE}"}, 7, "no tag 'NONE'"),
        ({"date": "{tag: kind}"}, 7, "'summer' in tag 'kind'"),
        ({"date": "{'b*': 2024-05-01}"}, 7, "no date for a.tif"),
        ({"files": '"*.jp2"'}, 2, "no file for"),
        ({"files": '"/etc/*"'}, 2, "a glob below"),
        ({"colour": "red"}, 8, "unknown field 'colour'"),
        ({"angle": "steep"}, 8, "unknown, degrees as a number"),
    ],
)
def test_mistakes_name_their_line(tmp_path: Path, changes: dict[str, Any], line: int, message: str) -> None:
    path = write_raster(tmp_path / "in/a.tif")
    with rasterio.open(path, "r+") as target:
        target.update_tags(kind="summer")
    describe(tmp_path / "in", radar_entry(**changes))
    with pytest.raises(DescriptionError, match=rf"overbank\.yaml, line {line}: .*({message})"):
        ingest(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("products: [", "line 1"),
        ("", "line 1"),
        ("products: []\n", "line 1"),
        ("product: 1\n", "unknown field 'product'|'products' is missing"),
        (radar_entry() + "    scale: power\n", r"line 8: found 'scale' a second time"),
        (radar_entry() + radar_entry()[len("products:\n"):], "twice"),
    ],
)  # fmt: skip
def test_descriptions_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    write_raster(tmp_path / "in/a.tif")
    describe(tmp_path / "in", text)
    with pytest.raises(DescriptionError, match=message):
        ingest(tmp_path / "in", tmp_path / "out")


def test_an_id_is_not_taken_over_by_other_files(tmp_path: Path) -> None:
    for place in ("x", "y"):
        write_raster(tmp_path / place / "in/a.tif")
        describe(tmp_path / place / "in", radar_entry())
    ingest(tmp_path / "x/in", tmp_path / "out")
    ingest(tmp_path / "x/in", tmp_path / "out")
    with pytest.raises(ProductError, match="Rename the folder"):
        ingest(tmp_path / "y/in", tmp_path / "out")
