"""Areas as people draw them: across the antimeridian, over several zones, larger than a pass. No seam, no gap."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import yaml
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scenes import write_tiff
from shapely.geometry.base import BaseGeometry
from stac_validation import validate_item

from catalogs.lonlat import joined
from catalogs.publish import SceneFile, scene_item, write_catalog
from harmonization.reasons import Reason
from pipeline.area import job_area
from pipeline.compare import compare_run
from pipeline.errors import JobError
from pipeline.grid import inside, lattice_origin, project, unit_boxes, zone_outlines
from pipeline.job import Job
from pipeline.ledger import read_item
from pipeline.plan import area_km2, make_plan
from pipeline.run_folder import finished_units
from workflows.account import account_of
from workflows.compare import compare
from workflows.map import map_flood
from workflows.report.mosaic import canvas_of, paint
from workflows.report.page import write_report

DAYS: dict[str, Any] = {"catalog": "c", "during": (date(2023, 5, 1), date(2023, 5, 2))}
FIJI = shapely.union_all([shapely.box(179.5, -17.0, 180.0, -16.0), shapely.box(-180.0, -17.0, -179.5, -16.0)])
RING = [(179.5, -17.0), (180.5, -17.0), (180.5, -16.0), (179.5, -16.0)]


def area_of(area: Path | tuple[float, ...]) -> BaseGeometry:
    return job_area(Job(name="a", area=area, **DAYS))  # type: ignore[arg-type]


def geojson(folder: Path, *geometries: shapely.Geometry) -> Path:
    path = folder / "area.geojson"
    told = [json.loads(shapely.to_geojson(one)) for one in geometries]
    features = [{"type": "Feature", "properties": {}, "geometry": one} for one in told]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def jumping(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same ring as most tools write it: longitudes within ±180."""
    return [(x - 360.0 if x > 180.0 else x, y) for x, y in points]


# ---- one area, drawn in many ways


@pytest.mark.parametrize("west", [179.5, -180.5])
@pytest.mark.parametrize("across", [True, False])
def test_box_across_the_antimeridian_is_told_in_three_ways(west: float, across: bool) -> None:
    corners = (179.5, -17.0, -179.5, -16.0) if across else (west, -17.0, west + 1.0, -16.0)
    assert area_of(corners).equals(FIJI)


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param(shapely.Polygon(RING), id="longitudes beyond 180"),
        pytest.param(shapely.Polygon(jumping(RING)), id="longitudes that jump"),
        pytest.param(shapely.Polygon(jumping(RING)[::-1]), id="clockwise"),
        pytest.param(FIJI, id="cut at 180, as RFC 7946 asks"),
        pytest.param(shapely.MultiPolygon([shapely.Polygon(jumping(RING))]), id="a MultiPolygon that jumps"),
        pytest.param(shapely.GeometryCollection([shapely.Polygon(RING), shapely.Point(0, 0)]), id="a collection"),
        pytest.param(shapely.Polygon([(*point, 12.0) for point in jumping(RING)]), id="with heights"),
    ],
)
def test_drawn_ring_across_the_antimeridian_is_cut_there(tmp_path: Path, drawn: BaseGeometry) -> None:
    found = area_of(geojson(tmp_path, drawn))
    assert found.symmetric_difference(FIJI).area < 1e-6
    assert found.is_valid
    assert found.bounds == (-180.0, -17.0, 180.0, -16.0)


def test_hole_across_the_antimeridian_stays_a_hole(tmp_path: Path) -> None:
    hole = jumping([(179.8, -16.6), (180.2, -16.6), (180.2, -16.4), (179.8, -16.4)])
    found = area_of(geojson(tmp_path, shapely.Polygon(jumping(RING), [hole])))
    assert joined(found).area == pytest.approx(1.0 - 0.4 * 0.2, abs=1e-6)
    assert not found.intersects(shapely.Point(-179.9, -16.5))


@pytest.mark.parametrize("crs", [32760, 32701, 3832])
def test_geopackage_in_metres_across_the_antimeridian(tmp_path: Path, crs: int) -> None:
    """UTM on either side of the line, and the Pacific's Mercator."""
    metres = project(FIJI, f"EPSG:{crs}")  # type: ignore[arg-type]
    assert metres.geom_type == "Polygon", "one piece, without a line where it was cut"
    path = tmp_path / "a.gpkg"
    geopandas.GeoDataFrame(geometry=[metres], crs=crs).to_file(path)
    found = area_of(path)
    assert found.symmetric_difference(FIJI).area < 1e-5
    assert found.bounds == pytest.approx((-180.0, -17.0, 180.0, -16.0), abs=1e-6)


@pytest.mark.parametrize(
    ("drawn", "told"),
    [
        (shapely.box(-100, 0, 100, 10), "can be read either way round the globe; draw it in parts of at most 180°"),
        (shapely.box(-180, 0, 180, 10), "can be read either way round the globe"),
        (shapely.segmentize(shapely.box(-100, 0, 100, 10), 10), "200° wide; draw it in parts"),
        (shapely.Polygon([(-150, -70), (-30, -70), (90, -70), (150, -70)]), "winds round a pole"),
        (shapely.box(10, 80, 11, 85), "reaches from 80.00° to 85.00° of latitude, beyond -80° or 84°, where UTM ends"),
        (shapely.box(10, -81, 11, -79), "where UTM ends; keep it within"),
    ],
)
def test_area_that_cannot_be_meant_is_refused(tmp_path: Path, drawn: BaseGeometry, told: str) -> None:
    with pytest.raises(JobError, match=r"^area: ") as caught:
        area_of(geojson(tmp_path, drawn))
    assert told in str(caught.value)


# ---- zones


MANY = shapely.MultiPolygon(
    [shapely.box(11.6, 45.0, 11.9, 45.1), shapely.box(12.1, 45.0, 12.2, 45.1), shapely.box(20, -30, 20.1, -29.9)]
)


@pytest.mark.parametrize(
    ("area", "codes"),
    [
        pytest.param(shapely.box(9.0, 45.0, 15.0, 46.0), {32633}, id="six degrees: the zone of its middle"),
        pytest.param(shapely.box(8.9, 45.0, 14.9, 46.0), {32632}, id="six degrees, middle in the other zone"),
        pytest.param(shapely.box(5.0, 45.0, 13.0, 46.0), {32631, 32632, 32633}, id="wider: cut at 6° and 12°"),
        pytest.param(shapely.box(9.0, 45.0, 15.0 + 1e-9, 46.0), {32633}, id="six degrees, as a file rounds them"),
        pytest.param(
            shapely.box(6.0 - 1e-9, 45.0, 18.0 + 1e-9, 46.0), {32632, 32633}, id="two whole zones, no sliver of a third"
        ),
        pytest.param(FIJI, {32701}, id="across the antimeridian: one zone"),
        pytest.param(MANY, {32632, 32734}, id="near parts together, the far one in its own zone and hemisphere"),
        pytest.param(shapely.box(9.0, -1.0, 10.0, 3.0), {32632}, id="across the equator: the side of the middle"),
        pytest.param(shapely.box(9.0, -3.0, 10.0, 1.0), {32732}, id="across the equator, mostly south"),
    ],
)
def test_zones_of_an_area(area: BaseGeometry, codes: set[int]) -> None:
    assert {crs.to_epsg() for crs in zone_outlines(area, 10.0)} == codes


def test_zones_across_the_antimeridian_in_a_wide_area() -> None:
    area = area_of((173.0, -18.0, -173.0, -17.0))
    assert {crs.to_epsg() for crs in zone_outlines(area, 100.0)} == {32759, 32760, 32701, 32702}


def covered(area: BaseGeometry, resolution: float, tile: int, points: NDArray[np.float64]) -> NDArray[np.int_]:
    """How many pixels of the area each point (longitude, latitude) lies in."""
    count = np.zeros(len(points), dtype=int)
    names = set()
    for name, box in unit_boxes(area, resolution, tile):
        assert name not in names
        names.add(name)
        x, y = Transformer.from_crs(4326, str(box.crs), always_xy=True).transform(*points.T)
        columns, rows = np.floor(np.array(~box.affine * (np.asarray(x), np.asarray(y)))).astype(int)
        here = (columns >= 0) & (columns < box.shape.x) & (rows >= 0) & (rows < box.shape.y)
        count[here] += inside(area, box)[rows[here], columns[here]]
    return count


@pytest.mark.parametrize(
    ("area", "resolution", "most_twice"),
    [
        pytest.param((5.0, 45.0, 13.0, 46.0), 300.0, 2e-3, id="three zones"),
        pytest.param((5.0, -0.6, 13.0, 0.4), 1000.0, 6e-3, id="three zones across the equator"),
        pytest.param((176.0, -17.0, -176.0, -16.0), 300.0, 2e-3, id="two zones that meet at the antimeridian"),
        pytest.param((179.5, 70.0, -178.5, 71.0), 100.0, 0.0, id="one zone across the antimeridian"),
        pytest.param((23.0, -1.0, 24.0, 0.5), 300.0, 0.0, id="one zone across the equator"),
        pytest.param((-10.0, 60.0, 30.0, 70.0), 1000.0, 8e-3, id="seven zones in the north"),
    ],
)
def test_every_point_of_the_ground_lies_in_a_pixel(
    area: tuple[float, float, float, float], resolution: float, most_twice: float
) -> None:
    """Points at least a pixel within the area, half of them beside the meridians between zones."""
    west, south, east, north = area
    east = east if east > west else east + 360.0
    rng = np.random.default_rng(5)
    edge = 1.5 * resolution / 111_000.0
    wide = edge / np.cos(np.radians(max(abs(south), abs(north))))
    free = np.stack([rng.uniform(west + wide, east - wide, 4000), rng.uniform(south + edge, north - edge, 4000)], 1)
    border = free.copy()
    border[:, 0] = np.clip(6.0 * np.round(free[:, 0] / 6.0) + rng.normal(0, wide, 4000), west + wide, east - wide)
    geometry = area_of(area)
    count = covered(geometry, resolution, 256, np.concatenate([free, border]))
    assert count.min() == 1, "no gap"
    assert count.max() == (2 if most_twice else 1)
    twice = float((count[:4000] > 1).mean())
    print(f"{area} at {resolution:g} m: in two zones {twice:.3%}")
    assert twice <= most_twice


def test_units_of_a_multipolygon_lie_on_its_parts() -> None:
    """Three parts of some 10 km, in two groups: a few units each, and none between."""
    boxes = [box for _, box in unit_boxes(MANY, 30.0, 128)]
    outlines = {crs: [project(part, crs) for part in shapely.get_parts(MANY)] for crs in zone_outlines(MANY, 30.0)}
    for box in boxes:
        square = shapely.box(*box.boundingbox.bbox)
        assert any(part.intersects(square) for part in outlines[box.crs])
    rng = np.random.default_rng(7)
    corners = [part.buffer(-0.001).bounds for part in shapely.get_parts(MANY)]
    points = np.concatenate([rng.uniform(bounds[:2], bounds[2:], (200, 2)) for bounds in corners])
    assert (covered(MANY, 30.0, 128, points) == 1).all()
    assert len(boxes) < 60


def test_rows_run_through_the_equator() -> None:
    """Zone 34 north, from 1° south: rows 0 and -1 meet at the equator, and what lies south counts on."""
    boxes = [box for _, box in unit_boxes(shapely.box(21.0, -0.5, 21.2, 1.0), 300.0, 64)]
    tops = sorted({lattice_origin(box)[0] for box in boxes})
    assert tops[0] < 0 < tops[-1]
    heights = {lattice_origin(box)[0]: box.shape.y for box in boxes}
    assert all(top + heights[top] == after for top, after in pairwise(tops))


def test_area_in_km2_counts_the_ground_between_zones_once() -> None:
    """A box of 8° × 1° at 45° to 46°: R² Δλ (sin 46° - sin 45°) on a sphere, within half a per cent."""
    area = area_of((5.0, 45.0, 13.0, 46.0))
    sphere = 6371.0**2 * np.radians(8.0) * (np.sin(np.radians(46.0)) - np.sin(np.radians(45.0)))
    assert sum(one.area for one in zone_outlines(area, 0.0).values()) / 1e6 == pytest.approx(sphere, rel=5e-3)


# ---- from the job to the report


START = datetime(2023, 5, 1, 6, tzinfo=UTC)
RADAR = {
    "platform": "sentinel-1a", "sar:instrument_mode": "IW", "sar:frequency_band": "C",
    "sar:polarizations": ["VV", "VH"], "sar:product_type": "RTC", "sar:observation_direction": "right",
    "sat:orbit_state": "ascending", "overbank:noise_db": {"VV": -30.0, "VH": -32.0},
}  # fmt: skip


def power(box: GeoBox, seed: int) -> dict[str, NDArray[np.float32]]:
    """Land of -10 and -17 dB under speckle of 12 looks, a lake of -22 and -29 dB in every fourth band of columns."""
    rng = np.random.default_rng(seed)
    lake = (np.arange(box.shape.x) // 24 % 4 == 1)[None, :]
    speckle = rng.gamma(12.0, 1.0 / 12.0, (2, *box.shape.yx))
    means = [np.where(lake, 10**-2.2, 10**-1.0), np.where(lake, 10**-2.9, 10**-1.7)]
    return {name: (mean * one).astype(np.float32) for name, mean, one in zip(("vv", "vh"), means, speckle, strict=True)}


def write_scenes(folder: Path, *scenes: tuple[str, GeoBox, datetime]) -> Path:
    items = []
    for seed, (name, box, start) in enumerate(scenes):
        files = {}
        for key, values in power(box, seed).items():
            files[key] = SceneFile(path=Path(write_tiff(folder / f"{name}_{key}.tif", values, box, np.nan)))
        items.append(scene_item(name, "sentinel-1-rtc", files, start=start, properties=RADAR))
    return write_catalog(folder, items, "synthetic passes")


def write_job(folder: Path, area: Any, **changes: Any) -> Path:
    told = {
        "name": "a test", "area": area, "catalog": str(folder / "catalog.json"), "sensors": ["sentinel-1"],
        "during": ["2023-05-01", "2023-05-04"], "methods": ["radar_threshold", "physics"],
    }  # fmt: skip
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(told | changes))
    return path


def grid_of(area: BaseGeometry, crs: str, resolution: float) -> GeoBox:
    """A scene's own grid of a zone around an area, beside the lattice by a third of a pixel."""
    west, south, east, north = project(area, crs).bounds  # type: ignore[arg-type]
    shape = int((north - south) / resolution) + 20, int((east - west) / resolution) + 20
    left, top = west - 10.3 * resolution, north + 10.3 * resolution
    return GeoBox(shape, Affine(resolution, 0, left, 0, -resolution, top), crs)


def layers_of(run: Path, name: str) -> list[tuple[NDArray[Any], Affine]]:
    found = []
    for folder in finished_units(run):
        with rasterio.open(folder / f"{name}.tif") as source:
            found.append((source.read(), source.transform))
    return found


SMALL = (179.99, -17.01, -179.99, -16.99)


@pytest.fixture(scope="module")
def pacific(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene in zone 60 and one in zone 1, each straddling the antimeridian, at different hours."""
    folder = tmp_path_factory.mktemp("pacific")
    area = area_of(SMALL)
    write_scenes(
        folder,
        ("S1A_east", grid_of(area, "EPSG:32701", 10.0), START),
        ("S1A_west", grid_of(area, "EPSG:32760", 10.0), START.replace(hour=18)),
    )
    return folder


@pytest.fixture(scope="module")
def pacific_run(pacific: Path) -> Path:
    job = write_job(pacific, list(SMALL), tile=96)
    map_flood(job, pacific / "run")
    return pacific / "run"


def test_units_across_the_antimeridian_meet_without_a_seam(pacific: Path, pacific_run: Path) -> None:
    """The same bytes as in one unit, which lies on both sides of the line; every pixel of the area is observed."""
    map_flood(write_job(pacific, list(SMALL), tile=1024), pacific / "whole")
    assert len(finished_units(pacific_run)) > 4
    for name in ("flood_class", "evidence", "probability/physics", "methods/radar_threshold", "observed_by"):
        ((whole, origin),) = layers_of(pacific / "whole", name)
        met = np.zeros(whole.shape[1:], dtype=int)
        for values, place in layers_of(pacific_run, name):
            column, row = (round(v) for v in ~origin * (place.c, place.f))
            spot = np.s_[row : row + values.shape[1], column : column + values.shape[2]]
            np.testing.assert_array_equal(whole[:, *spot], values, err_msg=name)
            met[spot] += 1
        assert (met == 1).all(), "no gap, nothing twice"
    ((classes, _),) = layers_of(pacific / "whole", "flood_class")
    assert {1, 0, 255} == set(np.unique(classes))


def test_items_across_the_antimeridian_follow_the_standard(pacific_run: Path, shared: Path) -> None:
    schemas = shared / "data" / "stac" / "schemas"
    crossing = 0
    for folder in finished_units(pacific_run):
        item = read_item(folder)
        assert item is not None
        assert validate_item(item, schemas) == []
        west, _, east, _ = item["bbox"]
        kind = "MultiPolygon" if west > east else "Polygon"
        assert item["geometry"]["type"] == kind
        assert shapely.geometry.shape(item["geometry"]).is_valid
        assert joined(shapely.geometry.shape(item["geometry"])).area < 1e-3, "it does not go round the globe"
        crossing += west > east
    assert crossing
    collection = json.loads((pacific_run / "collection.json").read_text())
    assert validate_item(collection, schemas) == []
    ((west, south, east, north),) = collection["extent"]["spatial"]["bbox"]
    assert 179.9 < west < 179.99
    assert -179.99 < east < -179.9
    assert (south, north) == pytest.approx((-17.01, -16.99), abs=2e-3)


def test_report_across_the_antimeridian_tells_the_place(pacific_run: Path, tmp_path: Path) -> None:
    account = account_of(pacific_run)
    assert account.bounds[0] > 179.9 > -179.9 > account.bounds[2]
    page = write_report(tmp_path / "report.html", compare(pacific_run), pacific_run).read_text()
    assert "across the antimeridian" in page


def test_plan_asks_for_footprints_on_both_sides(pacific: Path) -> None:
    plan = make_plan(Job(name="a", area=SMALL, catalog=str(pacific), during=DAYS["during"], tile=96))
    assert plan.problems == ()
    assert all(len(unit.during) == 2 for unit in plan.units)
    # 0.02° of latitude by 0.02° of longitude at 17° south, and UTM's scale at the edge of a zone (1.0008 a side).
    assert area_km2(plan) == pytest.approx(2.2132 * 2.1297 * 1.0008**2, rel=5e-4)


# ---- several zones in one run


WIDE = (5.0, 45.0, 13.0, 45.25)


@pytest.fixture(scope="module")
def wide_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wide")
    write_scenes(folder, ("S1A_wide", grid_of(area_of(WIDE), "EPSG:32632", 300.0), START))
    map_flood(write_job(folder, list(WIDE), resolution=300, tile=512), folder / "run")
    return folder / "run"


def test_job_over_three_zones_is_one_map(wide_run: Path, shared: Path) -> None:
    account = account_of(wide_run)
    assert account.zones == ("EPSG:32631", "EPSG:32632", "EPSG:32633")
    west, _, east, _ = account.bounds
    assert west == pytest.approx(WIDE[0], abs=0.1)
    assert east == pytest.approx(WIDE[2], abs=0.1)
    for folder in finished_units(wide_run):
        assert validate_item(read_item(folder) or {}, shared / "data" / "stac" / "schemas") == []
    found = compare_run(wide_run, None)["methods"]["physics"]
    assert found["observed_share"] == 1.0
    # A quarter of the columns are lake; all of the ground is counted once but for a pixel and a half at two meridians.
    whole = sum(one.area for one in zone_outlines(area_of(WIDE), 0.0).values()) / 1e6
    assert found["area_km2"] / whole == pytest.approx(0.25, abs=0.02)
    items = [item for folder in finished_units(wide_run) if (item := read_item(folder))]
    inside_km2 = sum(int(item["properties"]["overbank:inside_pixels"]) for item in items) * 0.3**2
    print(f"counted twice: {inside_km2 / whole - 1:.3%}")
    assert 0 <= inside_km2 / whole - 1 < 4e-3


def test_zones_say_the_same_where_they_meet(wide_run: Path) -> None:
    """Lake and land on both sides of 6° and 12° as the one scene has them: pixels within 2 km of the meridians."""
    box = grid_of(area_of(WIDE), "EPSG:32632", 300.0)
    right = total = 0
    for folder in finished_units(wide_run):
        with rasterio.open(folder / "methods/physics.tif") as source:
            codes, place = source.read(1), source.transform
            rows, columns = np.nonzero(codes != 255)
            x, y = place * (columns + 0.5, rows + 0.5)
            longitude, _ = Transformer.from_crs(source.crs, 4326, always_xy=True).transform(x, y)
            near = np.abs(longitude - 6.0 * np.round(longitude / 6.0)) < 0.025
            x, y = Transformer.from_crs(source.crs, 32632, always_xy=True).transform(x[near], y[near])
        column = (~box.affine * (np.asarray(x), np.asarray(y)))[0]
        clear = np.abs((column + 12) % 24 - 12) > 2.0  # away from the shores
        lake = np.floor(column[clear]).astype(int) // 24 % 4 == 1
        right += int((np.isin(codes[rows, columns][near][clear], (1, 2)) == lake).sum())
        total += len(lake)
    assert total > 200
    assert right / total > 0.98


def test_pictures_show_all_zones_together(wide_run: Path, tmp_path: Path) -> None:
    """Within the area's outline no pixel of the picture is empty, and the lakes stand where they stand."""
    canvas = canvas_of(wide_run)
    painted = paint(canvas, "flood_class")
    assert painted is not None
    rows, columns = canvas.shape
    west, east = columns // 20, columns - columns // 20
    middle = painted[0, rows // 3 : rows - rows // 3, west:east]
    assert (middle != 255).all()
    assert (middle == 1).mean() == pytest.approx(0.25, abs=0.03)
    observed = paint(canvas, "observed_by")
    assert observed is not None
    assert (observed[0, rows // 3 : rows - rows // 3, west:east] == 1).all()
    page = write_report(tmp_path / "report.html", compare(wide_run), wide_run).read_text()
    assert "Mapped on 3 UTM grids" in page


# ---- larger than one pass


BROAD = (11.0, 44.9, 11.32, 45.0)


@pytest.fixture(scope="module")
def two_passes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An older pass over the west, a later one over the east; both saw the middle, none the farthest east."""
    folder = tmp_path_factory.mktemp("passes")
    west, south, _, north = BROAD
    write_scenes(
        folder,
        ("S1A_old", grid_of(shapely.box(west, south, 11.14, north), "EPSG:32632", 60.0), START),
        ("S1A_new", grid_of(shapely.box(11.12, south, 11.25, north), "EPSG:32632", 60.0), START.replace(day=3)),
    )
    map_flood(write_job(folder, list(BROAD), resolution=60, tile=64), folder / "run")
    return folder / "run"


def test_area_larger_than_a_pass_is_mapped_from_both(two_passes: Path) -> None:
    """t* is the later pass; what only the older saw says so by its age; between them no gap."""
    scenes, ages = set(), set()
    for folder in finished_units(two_passes):
        item = read_item(folder)
        assert item is not None
        assert item["properties"]["datetime"].startswith("2023-05-03T06")
        told = tuple(scene["id"] for scene in item["properties"]["overbank:scenes"]["during"])
        scenes.add(told)
        with rasterio.open(folder / "age.tif") as age, rasterio.open(folder / "flood_class.tif") as classes:
            hours, codes, place = age.read(1), classes.read(1), age.transform
        with rasterio.open(folder / "observed_by.tif") as source:
            seen = source.read(1)
        within = codes != 255
        assert ((codes == 4) == (seen == 0))[within].all()
        ages |= set(np.unique(hours[within]))
        if "S1A_old" in told and "S1A_new" in told:
            assert (seen[within] == 1).all(), "where the passes overlap nothing is missing"
        if told == ("S1A_old",):
            assert set(np.unique(hours[within])) <= {48}, place
    assert scenes == {("S1A_old",), ("S1A_old", "S1A_new"), ("S1A_new",), ()}
    assert ages == {0, 48, 255}


def test_unit_without_a_scene_is_written_as_not_observable(two_passes: Path) -> None:
    told = {folder: read_item(folder) for folder in finished_units(two_passes)}
    empty = [folder for folder, item in told.items() if item and not item["properties"]["overbank:scenes"]["during"]]
    assert empty
    with rasterio.open(empty[0] / "flood_class.tif") as source:
        assert set(np.unique(source.read(1))) <= {4, 255}
    with rasterio.open(empty[0] / "exclusion.tif") as source:
        assert (source.read(1) & Reason.NO_SCENE != 0).any()


def test_each_pass_finds_its_own_threshold(two_passes: Path) -> None:
    """Windows that show the first pass show little of the second, which is sampled where it lies."""
    found = json.loads((two_passes / "prepared.json").read_text())["prepared"]
    assert set(found["thresholds"]) == {"S1A_old", "S1A_new"}
    for scene in found["thresholds"]:
        assert -22.0 < found["thresholds"][scene] < -12.0, "between the lake and the land"
