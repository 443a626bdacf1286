"""Flattening by range and Doppler: sarsen over orbit and timing of a real product, with pixels of one brightness."""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from pyproj import Transformer
from rasterio.transform import from_origin
from rasterio.windows import Window
from scenes import radar_scene, science, write_tiff
from test_pipeline_prepare import plan_of

from catalogs.acquisition import to_acquisition
from catalogs.formats.sentinel1 import swath_metadata
from catalogs.formats.sentinel1_safe import safe_item
from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import RadarBundle
from pipeline.decode import decode
from pipeline.errors import JobError
from pipeline.flatten import look_azimuth_on
from pipeline.job import Job
from pipeline.mountains import flatten_plan, scene_boxes
from pipeline.plan import Plan

needs_sarsen = pytest.mark.skipif(importlib.util.find_spec("sarsen") is None, reason="sarsen is not installed")
EAST, NORTH = 0.1, 0.05
"""Rise of the ground in the test: 6.4° of slope."""
CRS, SIDE = "EPSG:32631", 32


@pytest.fixture(scope="module")
def product(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real SAFE, whose rasters are empty here, with samples of DN 200 in its middle."""
    real = next((shared / "data" / "sentinel1").glob("*.SAFE"))
    root = tmp_path_factory.mktemp("safe") / real.name
    for path in (path for path in real.rglob("*") if path.is_file()):
        copy = root / path.relative_to(real)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint16", "height": 16676, "width": 26144, "SPARSE_OK": True}
    for path in root.glob("measurement/*.tiff"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(path, "w", **profile, tiled=True, compress="deflate") as target:
                target.write(np.full((1024, 1024), 200, np.uint16), 1, window=Window(12_544, 9_472, 1024, 1024))
    return root


@pytest.fixture(scope="module")
def scene(product: Path) -> Acquisition:
    whole = to_acquisition(safe_item(product), catalog_root=str(product.parent))
    return whole.model_copy(update={"layers": {"VV": whole.layers["VV"]}})


def ground(scene: Acquisition, folder: Path) -> tuple[GeoBox, tuple[RasterLayer, ...]]:
    """A box around the middle tie point, and its ground: a tilted plane there, and tie-point heights far around."""
    (layer,) = scene.layers["VV"]
    grid = swath_metadata(layer).annotation.grid
    x, y = Transformer.from_crs(4326, CRS, always_xy=True).transform(grid.longitude, grid.latitude)
    row, column = len(grid.lines) // 2, len(grid.pixels) // 2
    west, north = (float(np.round(axis[row, column] / 160.0) * 160.0) for axis in (x, y))
    box = GeoBox((SIDE, SIDE), from_origin(west, north, 10.0, 10.0), CRS)
    near = box.pad(500)
    rows, columns = np.mgrid[0:1032, 0:1032] - 500.0
    plane = grid.height[row, column] + 10.0 * (EAST * columns - NORTH * rows)
    around = np.s_[row - 2 : row + 3, column - 2 : column + 3]
    coarse = GeoBox.from_bbox((x[around].min(), y[around].min(), x[around].max(), y[around].max()), CRS, resolution=500)
    heights = np.full(coarse.shape.yx, np.nan, np.float32)
    for place in np.ndindex(5, 5):
        east, north_ = x[around][place], y[around][place]
        column_, row_ = ~coarse.affine * (east, north_)
        inside = np.clip([row_, column_], 0, np.array(heights.shape) - 1).astype(int)
        heights[tuple(inside)] = grid.height[around][place]
    files = (("near", plane.astype(np.float32), near), ("far", heights, coarse))
    return box, tuple(RasterLayer(href=write_tiff(folder / f"{n}.tif", v, b, nodata=np.nan)) for n, v, b in files)


def planned(scene: Acquisition, box: GeoBox) -> Plan:
    return plan_of([scene], None, box)


@needs_sarsen
@pytest.mark.integration
def test_sarsen_and_facets_agree_on_a_slope(
    scene: Acquisition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 0.1 dB on ground where both hold; run once, and read as a product that is flattened already."""
    monkeypatch.setattr("pipeline.mountains.MARGIN", 320.0)
    box, elevation = ground(scene, tmp_path)
    monkeypatch.setattr(Plan, "elevation", elevation)
    told: list[str] = []
    plan = flatten_plan(planned(scene, box), tmp_path / "flattened", told.append)
    (found,) = plan.during
    assert plan.units[0].during == (found,)
    assert (found.quantity, found.mask_scheme, found.angle_source) == ("gamma0", "opera-rtc", "layer")
    assert look_azimuth_on(found, box, elevation) is None, "not to be flattened twice"
    one, other = (look(which, box, elevation) for which in (found, scene))
    assert one.angle is not None
    assert other.angle is not None
    off = 10.0 * np.log10(one.power["VV"].mean(dtype=float) / other.power["VV"].mean(dtype=float))
    level = look(scene, box, ())
    change = 10.0 * np.log10(other.power["VV"] / level.power["VV"]).mean()
    print(f"sarsen - facets {off:+.3f} dB; facets change {change:+.2f} dB")
    assert abs(off) < 0.1
    assert np.std(one.power["VV"]) < 0.03 * np.mean(one.power["VV"])
    np.testing.assert_allclose(one.angle, other.angle, atol=0.05)
    assert not one.reasons.any()
    assert found.noise_db["VV"] == pytest.approx(10 * np.log10(np.nanmedian(level.noise["VV"])), abs=3.0)
    monkeypatch.setattr("pipeline.mountains.range_doppler", None)
    assert flatten_plan(planned(scene, box), tmp_path / "flattened", told.append).during == (found,)


def look(scene: Acquisition, box: GeoBox, elevation: tuple[RasterLayer, ...]) -> RadarBundle:
    bundle = decode(scene, box, science(multilook={"C": 1, "L": 1}), 4.4, {"VV": -24.0}, elevation)
    assert isinstance(bundle, RadarBundle)
    return bundle


def test_without_sarsen_the_next_step_is_said(
    scene: Acquisition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    box = GeoBox((SIDE, SIDE), from_origin(500_000.0, 5_000_000.0, 10.0, 10.0), CRS)
    with pytest.raises(JobError, match=r"pip install 'overbank\[mountains\]'"):
        flatten_plan(planned(scene, box), tmp_path, print)


def test_a_plan_without_grd_is_left_as_it_is_and_that_is_said(tmp_path: Path) -> None:
    box = GeoBox((SIDE, SIDE), from_origin(500_000.0, 5_000_000.0, 10.0, 10.0), CRS)
    plan = plan_of([radar_scene(tmp_path, "rtc", {"VV": np.full((SIDE, SIDE), 0.1, np.float32)}, box)], None, box)
    told: list[str] = []
    assert flatten_plan(plan, tmp_path, told.append).during == plan.during
    assert told == ["nothing to do: no scene is Sentinel-1 GRD in radar geometry"]


def test_an_elevation_that_does_not_fit_is_refused(scene: Acquisition, tmp_path: Path) -> None:
    box = GeoBox((SIDE, SIDE), from_origin(500_000.0, 5_000_000.0, 10.0, 10.0), CRS)
    with pytest.raises(JobError, match="the elevation does not fit the tie points of S1A"):
        flatten_plan(planned(scene, box), tmp_path, print)


def test_boxes_cover_the_units_of_a_scene_in_each_zone(scene: Acquisition) -> None:
    one = GeoBox((64, 64), from_origin(500_000.0, 5_000_000.0, 20.0, 20.0), CRS)
    far = GeoBox((64, 64), from_origin(300_000.0, 5_000_000.0, 20.0, 20.0), "EPSG:32632")
    boxes = scene_boxes(plan_of([scene], None, one, far), scene)
    assert [str(box.crs) for box in boxes] == [CRS, "EPSG:32632"]
    assert boxes[0].extent.boundingbox.bbox == (498_720.0, 4_997_440.0, 502_560.0, 5_001_280.0)
    assert boxes[0].resolution.x == 10.0
    assert scene_boxes(plan_of([], None, one), scene) == []


def test_a_job_that_asks_for_sarsen_names_an_elevation() -> None:
    told: dict[str, Any] = {"name": "a", "area": (0, 0, 1, 1), "catalog": "c", "during": (date(2023, 5, 1),) * 2}
    with pytest.raises(ValidationError, match="flattening: sarsen needs an elevation"):
        Job(**told, flattening="sarsen")
    assert Job(**told, flattening="sarsen", elevation=Path("dem.tif")).flattening == "sarsen"
    assert Job(**told).flattening == "facet"
