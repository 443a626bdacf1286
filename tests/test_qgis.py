"""Real QGIS, without a screen: layers open with the right classes, the project opens, polygons meet the pixels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from gis_runs import boxes_across_the_antimeridian, four_boxes, write_run
from matplotlib.image import imread
from numpy.typing import NDArray
from rasterio.features import rasterize

from pipeline.gis.hand_over import GEOPACKAGE, PROJECT, hand_over
from pipeline.gis.mosaic import mosaic_of, present_in
from pipeline.layers import kind_of
from pipeline.run_folder import open_run
from pipeline.styles.symbology import Symbology, symbology

pytestmark = pytest.mark.integration
PYTHON = os.environ.get("QGIS_PYTHON", "/usr/bin/python3")
"""The Python that QGIS is built for: python3-qgis of the system."""
PROBE = Path(__file__).with_name("qgis_probe.py")
FINE = 8
"""Of the probe."""


def qgis(project: Path, out: Path, *more: str) -> dict[str, Any]:
    """What QGIS tells of a project; skipped by name where it is not installed."""
    found = subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"QGIS is not there for {PYTHON} (apt: python3-qgis)")
    runtime = out / "runtime"
    runtime.mkdir(parents=True, mode=0o700)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GDAL", "PROJ"))}
    environment = clean | {"QT_QPA_PLATFORM": "offscreen", "XDG_RUNTIME_DIR": str(runtime), "HOME": str(runtime)}
    command = [PYTHON, str(PROBE), str(project), str(out), *more]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout.partition("RECORD ")[2])
    return told


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four units, handed over, then moved."""
    made = tmp_path_factory.mktemp("made") / "run"
    write_run(made, four_boxes())
    hand_over(made)
    return Path(shutil.move(made, tmp_path_factory.mktemp("moved here") / "the run"))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("painted")


@pytest.fixture(scope="module")
def told(run: Path, out: Path) -> dict[str, Any]:
    return qgis(run / "gis" / PROJECT, out, str(run))


def looks(run: Path) -> dict[str, tuple[Symbology, str, int]]:
    """By id of the project's layer: how it should look, and the layer and band that it is."""
    found = {}
    for zone in open_run(run).zones:
        for name in open_run(run).layers:
            mosaic = mosaic_of(open_run(run), name, zone)
            assert mosaic is not None
            for band in range(1, len(mosaic.bands) + 1):
                key = f"{name}_{zone}_{band}".replace("/", "_").replace(":", "_")
                found[key] = (symbology(mosaic.kind, band, present_in(mosaic)), name, band)
    return found


def same_look(told: dict[str, Any], look: Symbology) -> bool:
    """Values, colours with opacity, and labels."""
    expected = [[pytest.approx(one.value), f"#{one.alpha:02x}{one.colour[1:]}", one.label] for one in look.swatches]
    return bool(told["classes"] == expected)


def test_the_project_opens_whole(told: dict[str, Any], run: Path) -> None:
    assert told["read"]
    assert told["invalid"] == []
    assert told["crs"] == "EPSG:32632"
    assert set(told["layers"]) == {*looks(run), "flood_polygons"}
    assert told["groups"] == [
        "Delivered map",
        "Methods",
        "Probabilities",
        "Evidence by sensor",
        "What was seen, and why not",
    ]
    assert told["shown"] == ["flood_polygons", "flood_class_EPSG_32632_1"]
    assert "A & B" in told["title"]
    west, south, east, north = told["extent"]
    left, bottom, right, top = four_boxes()[0].extent.boundingbox
    assert west < left < right < east
    assert south < bottom < top < north


def test_every_layer_of_the_project_has_its_classes(told: dict[str, Any], run: Path) -> None:
    for key, (look, _, band) in looks(run).items():
        layer = told["layers"][key]
        assert layer["renderer"] == ("singlebandpseudocolor" if look.continuous else "paletted")
        assert layer["band"] == band
        assert same_look(layer, look), (key, layer["classes"])


def test_every_raster_of_a_unit_opens_styled_by_itself(told: dict[str, Any], run: Path) -> None:
    units = open_run(run).units
    assert len(told["units"]) == sum(len(unit.layers) for unit in units)
    for unit in units:
        for name in unit.layers:
            layer, kind = told["units"][f"units/{unit.id}/{name}.tif"], kind_of(name)
            present = set(np.unique(unit.read(name)).tolist()) if kind.bits else set()
            assert layer["valid"]
            assert same_look(layer, symbology(kind, 1, present)), (unit.id, name, layer["classes"])


def colours_of(look: Symbology, values: NDArray[Any], nodata: int | None, scale: float) -> NDArray[np.float64]:
    """(y, x, 4) colours from 0 to 255 that the pixels of a band should have."""
    rgba = np.array([(*bytes.fromhex(one.colour[1:]), one.alpha) for one in look.swatches], dtype=np.float64)
    stops = np.array([one.value for one in look.swatches])
    painted = np.zeros((*values.shape, 4))
    if look.continuous:
        painted = np.stack([np.interp(values * scale, stops, rgba[:, channel]) for channel in range(4)], axis=-1)
    else:
        for stop, colour in zip(stops, rgba, strict=True):
            painted[values == stop] = colour
    if nodata is not None:
        painted[values == nodata] = 0
    painted[painted[..., 3] == 0] = 0
    return painted


def test_every_pixel_is_painted_in_its_colour(told: dict[str, Any], run: Path, out: Path) -> None:
    assert told["read"]
    units = open_run(run).units
    for key, (look, name, band) in looks(run).items():
        kind = kind_of(name)
        picture = imread(out / "layers" / f"{key}.png") * 255
        for number, unit in enumerate(units):
            row, column = 48 * (number // 2), 48 * (number % 2)
            here = picture[row : row + 48, column : column + 48]
            if not unit.has(name) or len(unit.read(name)) < band:
                continue
            expected = colours_of(look, unit.read(name)[band - 1], kind.nodata, kind.scale)
            assert np.abs(here - expected).max() <= 1.5, (key, unit.id)


def test_polygons_lie_over_the_raster_to_the_pixel(told: dict[str, Any], run: Path, out: Path) -> None:
    picture = imread(out / "polygons-flood_class_EPSG_32632_1.png")[FINE // 2 :: FINE, FINE // 2 :: FINE] * 255
    units = open_run(run).units
    rows = [np.concatenate([units[first + step].read("flood_class")[0] for step in (0, 1)], axis=1) for first in (0, 2)]
    codes = np.concatenate(rows)
    frame = geopandas.read_file(run / "gis" / GEOPACKAGE, layer="flood")
    kept = rasterize(frame.geometry, codes.shape, transform=units[0].box.affine) == 1
    assert kept.sum() > 500
    assert np.array_equal(picture[..., 3] > 0, kept)
    assert set(codes[kept].tolist()) == {1, 2}
    for code, colour in ((1, "2166ac"), (2, "1b9e77")):
        assert np.abs(picture[kept & (codes == code)][:, :3] - np.array(list(bytes.fromhex(colour)))).max() <= 2
    assert len(told["polygons"]) == len(frame)


def test_the_geopackage_opens_styled_by_itself(told: dict[str, Any]) -> None:
    alone = told["alone"]
    assert (alone["valid"], alone["renderer"]) == (True, "categorizedSymbol")
    assert alone["classes"] == told["layers"]["flood_polygons"]["classes"]
    assert [one[2] for one in alone["classes"]] == ["Open-water flood", "Flooded vegetation"]


def test_opening_leaves_the_run_as_it_was(told: dict[str, Any], run: Path) -> None:
    assert told["read"]
    assert not list(run.rglob("*.aux.xml"))
    assert not hand_over(run).made


def test_a_run_across_zones_and_the_antimeridian_opens(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_run(run, boxes_across_the_antimeridian(), legend="water")
    hand_over(run)
    told = qgis(run / "gis" / PROJECT, tmp_path / "painted")
    assert (told["read"], told["invalid"], told["crs"]) == (True, [], "EPSG:32660")
    west, _, east, _ = told["extent"]
    assert east - west < 1_000, "around the two units, not around the globe"
    labels = [one[2] for one in told["layers"]["flood_class_EPSG_32601_1"]["classes"]]
    assert labels[1].startswith("Open water (flood or permanent")
