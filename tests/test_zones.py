"""Zones over a run known by hand: areas, people, buildings; what lies outside or was not seen is never zero."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from area_runs import write_area_run
from odc.geo.geobox import GeoBox
from rasterio.warp import transform_bounds
from scenes import grid
from typer.testing import CliRunner

from pipeline.errors import RunError, ZoneError
from pipeline.zones.exposure import Exposure, exposure_of, exposures_of, on_box
from pipeline.zones.shapes import read_zones
from workflows.cli import app
from workflows.zones import zones

SIDE = 64
BOX = grid(SIDE, SIDE)
LEFT, BOTTOM, RIGHT, TOP = BOX.boundingbox


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Columns: 16 flooded, 32 dry, 16 not observable."""
    classes = np.zeros((SIDE, SIDE), dtype=np.uint8)
    classes[:, :16], classes[:, 48:] = 1, 4
    return write_area_run(tmp_path_factory.mktemp("zones"), BOX, classes)


def part(west: float, east: float) -> shapely.Polygon:
    """Full height of the run between two columns."""
    return shapely.box(LEFT + 10 * west, BOTTOM, LEFT + 10 * east, TOP)


def write(path: Path, shapes: dict[str, Any], crs: str = "EPSG:32632", to: str = "EPSG:4326") -> Path:
    frame = geopandas.GeoDataFrame({"name": list(shapes)}, geometry=list(shapes.values()), crs=crs)
    frame.to_crs(to).to_file(path)
    return path


def raster(path: Path, values: np.ndarray, affine: Affine, crs: str, nodata: float | None = None) -> Path:
    shape = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype}
    with rasterio.open(path, "w", driver="GTiff", transform=affine, crs=crs, nodata=nodata, **shape) as target:
        target.write(values, 1)
    return path


def test_areas_by_hand_in_any_crs(run: Path, tmp_path: Path) -> None:
    shapes = {"all": part(0, 64), "half in": part(-32, 32), "dry": part(20, 40), "far": part(1000, 1010)}
    found = zones(run, write(tmp_path / "z.gpkg", shapes, to="EPSG:3857"), out=tmp_path / "out")
    table = found.table.set_index("zone")
    pixel = 1e-4
    assert table.loc["all", "flooded_km2"] == pytest.approx(16 * 64 * pixel)
    assert table.loc["all", "not_observed_share"] == pytest.approx(0.25, abs=1e-3)
    assert table.loc["half in", "inside_share"] == pytest.approx(0.5, abs=0.01)
    assert table.loc["half in", "flooded_km2"] == pytest.approx(16 * 64 * pixel)
    assert table.loc["dry", "flooded_km2"] == 0.0
    assert table.loc["far", "inside_share"] == 0.0
    assert np.isnan(table.loc["far", "flooded_km2"])
    assert "far" in found.notes[0]
    # What nobody saw is in the upper end, and all of it.
    assert table.loc["all", "flooded_high_km2"] >= table.loc["all", "flooded_mean_km2"] + 16 * 64 * pixel
    assert table.loc["all", "flooded_low_km2"] <= table.loc["all", "flooded_mean_km2"]
    again = geopandas.read_file(found.gpkg)
    assert again.drop(columns="geometry").equals(
        geopandas.pd.read_csv(found.csv, dtype={"zone": str}).astype(again.drop(columns="geometry").dtypes)
    )
    assert not list((tmp_path / "out").glob(".zones-*"))


def test_people_are_kept_in_sum_whatever_the_raster(run: Path, tmp_path: Path) -> None:
    west, south, east, north = transform_bounds("EPSG:32632", "EPSG:4326", LEFT, BOTTOM, RIGHT, TOP)
    coarse = np.full((30, 30), 3.0, dtype=np.float32)
    step = Affine((east - west + 0.01) / 30, 0, west - 0.005, 0, -(north - south + 0.01) / 30, north + 0.005)
    people = raster(tmp_path / "population.tif", coarse, step, "EPSG:4326", -1.0)
    fine = np.ones((SIDE * 4, SIDE * 4), dtype=np.float32)
    dense = raster(tmp_path / "dense.tif", fine, Affine(2.5, 0, LEFT, 0, -2.5, TOP), "EPSG:32632")
    found = zones(
        run,
        write(tmp_path / "z.gpkg", {"all": part(0, 64)}),
        [str(people), f"fine={dense}:count"],
        out=tmp_path,
    ).table.iloc[0]
    assert found["fine_inside"] == pytest.approx(SIDE**2 * 16)
    assert found["fine"] == pytest.approx(SIDE * 16 * 16)
    corners = geopandas.GeoSeries([part(0, 64)], crs="EPSG:32632").to_crs("EPSG:4326").iloc[0]
    assert found["population_inside"] == pytest.approx(3.0 * corners.area / (step.a * -step.e), rel=0.01)
    assert found["population_high"] > found["population"] >= 0.0


def test_cropland_by_share_percent_and_class_is_one_area(run: Path, tmp_path: Path) -> None:
    half = np.zeros((SIDE, SIDE), dtype=np.uint8)
    half[: SIDE // 2] = 1
    step = BOX.affine
    share = raster(tmp_path / "cropland.tif", half, step, "EPSG:32632")
    percent = raster(tmp_path / "percent.tif", half * 100, step, "EPSG:32632")
    cover = raster(tmp_path / "cover.tif", half * 40 + 10, step, "EPSG:32632")
    asked = [str(share), f"p={percent}:percent", f"c={cover}:class=50"]
    found = zones(run, write(tmp_path / "z.gpkg", {"all": part(0, 64)}), asked, out=tmp_path).table.iloc[0]
    for name in ("cropland", "p", "c"):
        assert found[f"{name}_km2"] == pytest.approx(16 * 32 * 1e-4)


def test_what_the_raster_does_not_cover_is_said(run: Path, tmp_path: Path) -> None:
    values = np.ones((SIDE, SIDE // 2), dtype=np.float32)
    half = raster(tmp_path / "people.tif", values, BOX.affine, "EPSG:32632")
    found = zones(run, write(tmp_path / "z.gpkg", {"all": part(0, 64)}), [str(half)], out=tmp_path).table.iloc[0]
    assert found["people_known_share"] == pytest.approx(0.5, abs=0.01)
    assert found["people_inside"] == pytest.approx(SIDE * SIDE / 2, rel=0.01)


def test_buildings_are_hit_where_the_flood_touches_them(run: Path, tmp_path: Path) -> None:
    def house(column: float) -> shapely.Polygon:
        return shapely.box(LEFT + 10 * column, TOP - 105, LEFT + 10 * column + 12, TOP - 95)

    shapes = {"in": house(5), "touched": house(15.5), "dry": house(30), "unseen": house(55), "out": house(200)}
    built = write(tmp_path / "buildings.gpkg", shapes)
    found = zones(run, write(tmp_path / "z.gpkg", {"all": part(0, 64)}), [str(built)], out=tmp_path).table.iloc[0]
    assert (found["buildings"], found["buildings_inside"], found["buildings_not_observed"]) == (2.0, 4.0, 1.0)


def test_invalid_and_empty_shapes(run: Path, tmp_path: Path) -> None:
    bow = shapely.Polygon([(LEFT, BOTTOM), (RIGHT, TOP), (RIGHT, BOTTOM), (LEFT, TOP)])
    path = write(tmp_path / "z.gpkg", {"bow": bow, "line": shapely.LineString([(LEFT, TOP), (RIGHT, TOP)])})
    found = read_zones(path)
    assert found.notes == ("zone bow was no valid polygon and was mended", "zone line has no area and was left out")
    assert found.frame["zone"].tolist() == ["bow"]
    assert found.frame["km2"].iloc[0] == pytest.approx(0.5 * 0.64**2, rel=0.01)


def test_several_grids_count_one_zone_together(tmp_path: Path) -> None:
    """A zone over two units of two UTM zones has the flood of both."""
    run = tmp_path / "run"
    flooded = np.ones((16, 16), dtype=np.uint8)
    write_area_run(run, GeoBox((16, 16), Affine(10, 0, 700_000, 0, -10, 5_000_000), "EPSG:32632"), flooded, "a")
    write_area_run(run, GeoBox((16, 16), Affine(10, 0, 300_000, 0, -10, 5_000_000), "EPSG:32633"), flooded, "b")
    path = write(tmp_path / "z.gpkg", {"both": shapely.box(11.0, 44.0, 13.0, 46.0)}, crs="EPSG:4326")
    found = zones(run, path, method="ndwi").table.iloc[0]
    assert found["flooded_km2"] == pytest.approx(2 * 256e-4)
    assert "flooded_low_km2" not in found  # a rule tells no probability


def test_mistakes_say_what_to_write(run: Path, tmp_path: Path) -> None:
    ten = raster(tmp_path / "height.tif", np.full((4, 4), 10.0, np.float32), BOX.affine, "EPSG:32632")
    with pytest.raises(ZoneError, match=r"Write height=.*:count"):
        exposure_of(str(ten))
    with pytest.raises(ZoneError, match="kind 'sum' is not known"):
        exposure_of(f"{ten}:sum")
    with pytest.raises(ZoneError, match="is not there"):
        exposure_of("nothing.tif")
    with pytest.raises(ZoneError, match=":class=40"):
        exposure_of(f"{ten}:class")
    with pytest.raises(ZoneError, match="two are called 'height'"):
        exposures_of([f"{ten}:count", f"{ten}:share"])
    with pytest.raises(ZoneError, match="cannot be read as a vector layer"):
        read_zones(ten)
    with pytest.raises(ZoneError, match="has no column 'code'; it has name"):
        read_zones(write(tmp_path / "z.gpkg", {"all": part(0, 64)}), "code")
    with pytest.raises(RunError, match="holds no map by 'late'"):
        zones(run, tmp_path / "z.gpkg", method="late")


def test_a_raster_beyond_the_box_says_nothing(tmp_path: Path) -> None:
    away = raster(
        tmp_path / "people.tif", np.ones((4, 4), np.float32), Affine(10, 0, LEFT - 1e5, 0, -10, TOP), "EPSG:32632"
    )
    assert np.isnan(on_box(Exposure("people", away, "count"), BOX)).all()


def test_the_verb_writes_into_the_run(run: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "z.gpkg", {"[b]all": part(0, 64)})
    told = CliRunner().invoke(app, ["zones", str(run), "--zones", str(path)])
    assert told.exit_code == 0, told.output
    assert "[b]all" in told.output
    assert (run / "zones.csv").is_file()
    assert (run / "zones.gpkg").is_file()
