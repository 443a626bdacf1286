"""Reference water and elevation: rasters and collections, what is missing, and what a map makes of it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import yaml
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scenes import grid, write_tiff
from test_catalogs_publish import north_up

from catalogs.products import ingest
from catalogs.records import Ancillary, RasterLayer
from harmonization.land_cover import LandCover
from pipeline import observe as observe_module
from pipeline.errors import JobError
from pipeline.grid import outline_lonlat
from pipeline.ground import Ground, elevation_on, land_cover_on, water_on
from pipeline.ground_sources import resolve_ground
from pipeline.job import Job
from pipeline.weigh import weigh
from workflows.account import account_of, caveats
from workflows.map import map_flood
from workflows.plan import plan_job, plan_record
from workflows.simulate import simulate

BOX = grid(64, 64)
AREA = outline_lonlat(BOX).geom
WEST, SOUTH, EAST, NORTH = AREA.bounds
STEP = 0.00025
"""Degrees of a pixel of JRC surface water."""


def degrees(west: float, north: float, rows: int, columns: int) -> GeoBox:
    return GeoBox((rows, columns), north_up(west, north, STEP, STEP), "EPSG:4326")


def whole_box() -> GeoBox:
    """A grid of degrees that covers the test's box with a margin."""
    rows, columns = int((NORTH - SOUTH) / STEP) + 10, int((EAST - WEST) / STEP) + 10
    return degrees(WEST - 4 * STEP, NORTH + 4 * STEP, rows, columns)


def halves(box: GeoBox) -> tuple[GeoBox, GeoBox]:
    """A western and an eastern half that meet at a pixel's edge."""
    middle = box.shape.x // 2
    return box[:, :middle], box[:, middle:]


def tile(path: Path, values: NDArray[Any], box: GeoBox, at_least: float | None = None, **raster: Any) -> Ancillary:
    return Ancillary(
        id=path.stem,
        collection="jrc-gsw",
        theme="surface-water",
        raster=RasterLayer(href=write_tiff(path, values, box), **raster),
        at_least=at_least,
        footprint=shapely.geometry.mapping(outline_lonlat(box).geom),
    )


def job(folder: Path, **changes: Any) -> Job:
    told: dict[str, Any] = {
        "name": "a",
        "area": (WEST, SOUTH, EAST, NORTH),
        "catalog": str(folder / "catalog"),
        "during": (date(2023, 5, 17), date(2023, 5, 24)),
    }
    return Job(**told | changes)


# ---- water


def test_water_is_a_level_of_the_collection_and_nodata_is_not_known(tmp_path: Path) -> None:
    values = np.zeros(BOX.shape.yx, np.uint8)
    values[:, 16:32], values[:, 32:48], values[:, 48:] = 9, 10, 255
    found = water_on([tile(tmp_path / "a.tif", values, BOX, at_least=10, nodata=(255.0,))], BOX)
    np.testing.assert_array_equal(found[0], np.repeat([0, 0, 1, np.nan], 16))


def test_tiles_are_one_and_the_first_that_knows_counts(tmp_path: Path) -> None:
    west, east = np.full((64, 64), 255, np.uint8), np.full((64, 64), 12, np.uint8)
    west[:, :32] = 0
    told = {"at_least": 10.0, "nodata": (255.0,)}
    tiles = [tile(tmp_path / "w.tif", west, BOX, **told), tile(tmp_path / "e.tif", east, BOX, **told)]
    found = water_on(tiles, BOX)
    assert (found[:, :32] == 0).all()
    assert (found[:, 32:] == 1).all()


def test_outside_every_tile_nothing_is_known(tmp_path: Path) -> None:
    half = BOX[:, :32]
    found = water_on([tile(tmp_path / "a.tif", np.full((64, 32), 12, np.uint8), half, at_least=10)], BOX)
    assert (found[:, :32] == 1).all()
    assert np.isnan(found[:, 32:]).all()


def test_own_raster_holds_zero_one_or_not_known(tmp_path: Path) -> None:
    values = np.full((64, 64), 2, np.uint8)
    with pytest.raises(JobError, match=r"holds \[2\.0\]; write 1 for water"):
        water_on([tile(tmp_path / "a.tif", values, BOX)], BOX)


def test_ground_near_a_box_leaves_far_tiles_out(tmp_path: Path) -> None:
    near = tile(tmp_path / "near.tif", np.zeros((64, 64), np.uint8), BOX)
    far = tile(tmp_path / "far.tif", np.zeros((64, 64), np.uint8), grid(64, 64, row=5000))
    ground = Ground(water=(near, far), elevation=(far,))
    assert ground.near(BOX) == Ground(water=(near,))


# ---- elevation


def plane(box: GeoBox) -> NDArray[np.float32]:
    """Elevation that rises to the east and the south, exact on every grid: 1 m a pixel of JRC, both ways."""
    rows, columns = np.mgrid[: box.shape.y, : box.shape.x]
    east = box.affine.c + (columns + 0.5) * box.affine.a
    south = box.affine.f + (rows + 0.5) * box.affine.e
    return ((east - WEST) / STEP - (south - NORTH) / STEP).astype(np.float32)


def expected_plane() -> NDArray[np.float64]:
    """The same at the middles of the test's pixels."""
    rows, columns = np.mgrid[:64, :64]
    x, y = BOX.affine * (columns + 0.5, rows + 0.5)
    points = geopandas.points_from_xy(x.ravel(), y.ravel(), crs=32632).to_crs(4326)
    return ((points.x - WEST) / STEP - (points.y - NORTH) / STEP).reshape(64, 64)


def test_elevation_is_interpolated_and_tiles_meet_without_an_edge(tmp_path: Path) -> None:
    whole = whole_box()
    parts = [
        RasterLayer(href=write_tiff(tmp_path / f"{part.affine.c}.tif", plane(part), part)) for part in halves(whole)
    ]
    one = RasterLayer(href=write_tiff(tmp_path / "one.tif", plane(whole), whole))
    found = elevation_on(parts, BOX)
    np.testing.assert_allclose(found, expected_plane(), atol=0.02)
    np.testing.assert_allclose(found, elevation_on([one], BOX), atol=1e-3)
    np.testing.assert_allclose(elevation_on(parts[::-1], BOX), found, atol=1e-3)
    assert found.dtype == np.float32


def test_elevation_is_unknown_where_no_tile_is_and_where_the_file_says_so(tmp_path: Path) -> None:
    values = np.full((64, 64), 100, np.int16)
    values[:, :16] = -9999
    half = RasterLayer(
        href=write_tiff(tmp_path / "a.tif", values[:, :32], BOX[:, :32], nodata=-9999), scale=0.1, offset=5
    )
    found = elevation_on([half], BOX)
    assert np.isnan(found[:, :16]).all()
    np.testing.assert_allclose(found[:, 16:32], 15.0)
    assert np.isnan(found[:, 32:]).all()
    assert np.isnan(elevation_on([], BOX)).all()


def test_finer_raster_of_another_grid_fills_what_the_first_leaves(tmp_path: Path) -> None:
    coarse = RasterLayer(href=write_tiff(tmp_path / "a.tif", np.full((64, 32), 1, np.float32), BOX[:, :32]))
    other = grid(128, 128, resolution=5.0)
    fine = RasterLayer(href=write_tiff(tmp_path / "b.tif", np.full((128, 128), 2, np.float32), other))
    found = elevation_on([coarse, fine], BOX)
    assert (found[:, :32] == 1).all()
    assert (found[:, 32:] == 2).all()


def test_real_elevation(shared: Path) -> None:
    dem = shared / "data/dem/Copernicus_DSM_COG_10_N00_00_E006_00_DEM.tif"
    box = GeoBox.from_bbox((6.55, 0.2, 6.6, 0.25), crs="EPSG:4326", resolution=0.001).to_crs(
        "EPSG:32632", resolution=30.0
    )
    found = elevation_on([RasterLayer(href=str(dem))], box)
    with rasterio.open(dem) as source:
        middle = box.extent.centroid.to_crs("EPSG:4326").coords[0]
        (nearest,) = next(source.sample([middle]))
    assert np.isfinite(found).all()
    assert found.max() > 500, "São Tomé is a mountain"
    assert found[found.shape[0] // 2, found.shape[1] // 2] == pytest.approx(nearest, abs=30)


# ---- land cover


def cover_tile(path: Path, values: NDArray[Any], box: GeoBox, legend: dict[int, str]) -> Ancillary:
    return Ancillary(
        id=path.stem,
        collection="esa-worldcover",
        theme="land-cover",
        raster=RasterLayer(href=write_tiff(path, values.astype(np.uint8), box), nodata=(0.0,)),
        legend=legend,
        footprint=shapely.geometry.mapping(outline_lonlat(box).geom),
    )


WORLDCOVER = {10: "forest", 20: "grass_crops", 30: "grass_crops", 80: "open_water"}


def test_land_cover_is_by_the_legend_and_what_it_has_no_word_for_is_unknown(tmp_path: Path) -> None:
    values = np.repeat(np.array([10, 30, 80, 77, 0, 20, 10, 10]), 8)
    found = land_cover_on([cover_tile(tmp_path / "a.tif", np.tile(values, (64, 1)), BOX, WORLDCOVER)], BOX)
    forest, grass, water = LandCover.FOREST, LandCover.GRASS_CROPS, LandCover.OPEN_WATER
    np.testing.assert_array_equal(found[5], np.repeat([forest, grass, water, 0, 0, grass, forest, forest], 8))
    assert found.dtype == np.uint8
    assert not land_cover_on([], BOX).any()


def test_coarser_pixels_take_the_commonest_cover_and_not_the_commonest_file_value(tmp_path: Path) -> None:
    """Of nine pixels four are forest, three are shrubs and two grass, which are one cover here: five."""
    nine = np.array([[10, 20, 30], [10, 20, 30], [10, 10, 20]])
    own = cover_tile(tmp_path / "a.tif", np.tile(nine, (20, 20)), grid(60, 60), WORLDCOVER)
    assert (land_cover_on([own], grid(20, 20, resolution=30.0)) == LandCover.GRASS_CROPS).all()


def test_units_read_the_same_land_cover(tmp_path: Path) -> None:
    """Tiles in degrees, in two parts, with random covers: halves of a box are the whole."""
    whole = whole_box()
    draw = np.random.default_rng(8).choice([10, 20, 30, 80], whole.shape.yx)
    middle = whole.shape.x // 2
    west, east = halves(whole)
    tiles = [
        cover_tile(tmp_path / "w.tif", draw[:, :middle], west, WORLDCOVER),
        cover_tile(tmp_path / "e.tif", draw[:, middle:], east, WORLDCOVER),
    ]
    for box in (BOX, grid(4, 4, resolution=160.0)):
        found = land_cover_on(tiles, box)
        rows = box.shape.y // 4
        np.testing.assert_array_equal(land_cover_on(tiles, box[:rows, :]), found[:rows])
        np.testing.assert_array_equal(land_cover_on(tiles, box[rows:, :]), found[rows:])


def test_own_land_cover_holds_the_codes_of_this_project(tmp_path: Path) -> None:
    values = np.tile(np.repeat(np.arange(8), 8), (64, 1))
    found = land_cover_on([cover_tile(tmp_path / "a.tif", values, BOX, {})], BOX)
    np.testing.assert_array_equal(found, values)
    with pytest.raises(JobError, match=r"land_cover: .*holds \[10\.0, 30\.0\]; write 0 unknown, 1 bare, .*worldcover"):
        land_cover_on([cover_tile(tmp_path / "b.tif", np.tile([[10, 30]], (64, 32)), BOX, {})], BOX)


# ---- at plan


def catalog_of_water(folder: Path, boxes: list[GeoBox], months: int = 12) -> Path:
    """A catalog of JRC tiles with the same number of months everywhere."""
    (folder / "tiles").mkdir(parents=True, exist_ok=True)
    for number, box in enumerate(boxes):
        name = f"seasonality_{number}E_50Nv1_4_2021.tif"
        write_tiff(folder / "tiles" / name, np.full(box.shape.yx, months, np.uint8), box)
    return ingest(folder / "tiles", folder / "catalog").catalog


def test_collection_is_searched_in_the_catalog_of_the_job(tmp_path: Path) -> None:
    far = degrees(WEST + 5, NORTH, 16, 16)
    catalog_of_water(tmp_path, [*halves(whole_box()), far])
    ground, notes, problems = resolve_ground(job(tmp_path, reference_water="jrc-gsw"), AREA)
    assert [one.id for one in ground.water] == ["jrc-gsw-0E_50Nv1_4_2021", "jrc-gsw-1E_50Nv1_4_2021"]
    assert notes == ("reference_water: jrc-gsw (water from 10 on), 2 rasters",)
    assert problems == ()
    assert (water_on(ground.water, BOX) == 1).all()


def test_missing_tiles_are_told(tmp_path: Path) -> None:
    catalog_of_water(tmp_path, [halves(whole_box())[0]])
    _, (note,), _ = resolve_ground(job(tmp_path, reference_water="jrc-gsw"), AREA)
    share = float(note.split("nothing over ")[1].split("%")[0])
    assert share == pytest.approx(50, abs=8)
    assert "only `before` scenes tell flood from permanent water" in note


def mistakes(folder: Path) -> dict[str, tuple[dict[str, Any], str]]:
    far = grid(8, 8, row=50_000)
    bare = folder / "bare.tif"
    write_tiff(bare, np.zeros((8, 8), np.uint8), GeoBox((8, 8), BOX.affine, None))
    vector = folder / "water.gpkg"
    geopandas.GeoDataFrame(geometry=[AREA], crs=4326).to_file(vector)
    (folder / "text.tif").write_text("no raster")
    elsewhere = Path(write_tiff(folder / "far.tif", np.zeros((8, 8), np.uint8), far))
    return {
        "elsewhere": ({"reference_water": elsewhere}, r"^reference_water: .*far\.tif does not meet the area"),
        "a vector": ({"reference_water": vector}, r"^reference_water: .*is a vector file; make a GeoTIFF"),
        "no raster": ({"reference_water": folder / "text.tif"}, r"^reference_water: .*expected a GeoTIFF or JPEG 2000"),
        "no system": ({"reference_water": bare}, r"^reference_water: .*no coordinate reference system"),
        "gone": ({"elevation": folder / "gone.tif"}, r"^elevation: .*gone\.tif is not there"),
        "no tile": ({"elevation": "cop-dem-glo-30"}, r"^elevation: cop-dem-glo-30 has no tile over the area in "),
        "unknown": ({"elevation": "cop-dem-glo-3O"}, r"^elevation: .*did you mean 'cop-dem-glo-30'\?"),
        "another theme": (
            {"reference_water": "cop-dem-glo-30"},
            r"is not a collection of surface water \(known: jrc-gsw",
        ),
    }


@pytest.mark.parametrize(
    "name", ["elsewhere", "a vector", "no raster", "no system", "gone", "no tile", "unknown", "another theme"]
)
def test_ground_that_cannot_be_used_is_refused(tmp_path: Path, name: str) -> None:
    catalog_of_water(tmp_path, [whole_box()])
    fields, told = mistakes(tmp_path)[name]
    with pytest.raises(JobError, match=told):
        resolve_ground(job(tmp_path, **fields), AREA)


def test_a_job_without_ground_has_none(tmp_path: Path) -> None:
    assert resolve_ground(job(tmp_path), AREA) == (Ground(), (), ())


# ---- through the flow


@pytest.fixture(scope="module")
def flood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of a flood of 64² pixels; half of the area is in a tile of JRC, all of it in two of the Copernicus DEM."""
    folder = tmp_path_factory.mktemp("flood")
    simulate(folder, 64, 3)
    area = shapely.from_geojson((folder / "area.geojson").read_text())
    west, south, east, north = area.bounds
    rows, columns = int((north - south) / STEP) + 9, int((east - west) / STEP) + 9
    box = degrees(west - 4 * STEP, north + 4 * STEP, rows, columns)
    tiles = folder / "tiles"
    tiles.mkdir()
    first, second = halves(box)
    months = np.zeros(first.shape.yx, np.uint8)
    months[:, 3 * first.shape.x // 4 :] = 12
    write_tiff(tiles / "seasonality_10E_50Nv1_4_2021.tif", months, first)
    for number, part in enumerate((first, second)):
        name = f"Copernicus_DSM_COG_10_N47_00_E01{number}_00_DEM.tif"
        write_tiff(tiles / name, np.full(part.shape.yx, 200, np.float32), part)
    ingest(tiles, folder)
    return folder


def write_job(flood: Path, out: Path, **changes: Any) -> Path:
    told = (
        yaml.safe_load((flood / "job.yaml").read_text()) | {"methods": ["physics"], "sensors": ["sentinel-1"]} | changes
    )
    told |= {"area": str(flood / "area.geojson"), "catalog": str(flood / "catalog.json")}
    told = {name: value for name, value in told.items() if value is not None}
    path = out / "job.yaml"
    path.write_text(yaml.safe_dump(told))
    return path


def test_plan_shows_the_ground(flood: Path, tmp_path: Path) -> None:
    plan = plan_job(write_job(flood, tmp_path, reference_water="jrc-gsw", elevation="cop-dem-glo-30"))
    told = plan_record(plan)
    assert told["reference_water"] == ["jrc-gsw-10E_50Nv1_4_2021"]
    assert len(told["elevation"]) == len(plan.elevation) == 2
    water, elevation, drainage = told["notes"]
    assert "`drainage: none` leaves it out" in drainage
    assert water.startswith("reference_water: jrc-gsw (water from 10 on), 1 raster; nothing over ")
    assert elevation == "elevation: cop-dem-glo-30, 2 rasters"
    assert told["problems"] == []


def test_map_with_surface_water_of_a_collection(flood: Path, tmp_path: Path) -> None:
    """Without a before date, known water is reference water, and the half without a tile is not known, never dry."""
    path = write_job(flood, tmp_path, before=None, reference_water="jrc-gsw")
    map_flood(path, tmp_path / "run")
    (item_path,) = (tmp_path / "run/units").glob("*/*.json")
    properties = json.loads(item_path.read_text())["properties"]
    assert properties["overbank:legend"] == "flood"
    assert properties["overbank:reference_water"] == ["jrc-gsw: jrc-gsw-10E_50Nv1_4_2021"]
    assert properties["overbank:reference_known_share"] == pytest.approx(0.5, abs=0.15)
    with rasterio.open(item_path.parent / "reference_water.tif") as source:
        water = source.read(1)
    assert set(np.unique(water)) == {0, 1, 255}
    assert (water[:, -8:] == 255).all()
    assert (water[:, :8] == 0).all()
    with rasterio.open(item_path.parent / "flood_class.tif") as source:
        classes = source.read(1)
    assert (classes[water == 1] == 3).mean() > 0.5
    assert not (classes[water != 1] == 3).any()
    told = caveats(account_of(tmp_path / "run"))
    assert any("prior mixture of land covers (no land cover given)" in sentence for sentence in told)
    assert any("nothing tells permanent water from flood" in sentence for sentence in told)


def test_new_tiles_make_new_maps_and_the_same_tiles_do_not(flood: Path, tmp_path: Path) -> None:
    path = write_job(flood, tmp_path, reference_water="jrc-gsw")
    assert map_flood(path, tmp_path / "run").skipped == 0
    assert map_flood(path, tmp_path / "run").skipped == 1
    assert map_flood(write_job(flood, tmp_path), tmp_path / "run").skipped == 0
    both = write_job(flood, tmp_path, reference_water="jrc-gsw", elevation="cop-dem-glo-30")
    assert map_flood(both, tmp_path / "run").skipped == 0
    assert map_flood(both, tmp_path / "run").skipped == 1


def test_land_cover_arrives_at_every_sensor_the_same_in_every_unit(
    flood: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is weighed is the cover of the pixel, whatever unit it is in; the item says what dry ground is."""
    with rasterio.open(flood / "truth.tif") as source:
        box = GeoBox(source.shape, source.transform, source.crs)
    codes = np.random.default_rng(5).integers(0, 8, box.shape.yx).astype(np.uint8)
    write_tiff(flood / "cover.tif", codes, box)
    seen: list[NDArray[np.uint8]] = []

    def spy(*told: Any) -> Any:
        seen.append(told[-1])
        return weigh(*told)

    monkeypatch.setattr(observe_module, "weigh", spy)
    path = write_job(flood, tmp_path, land_cover=str(flood / "cover.tif"))
    map_flood(path, tmp_path / "run")
    (item,) = (json.loads(path.read_text()) for path in (tmp_path / "run/units").glob("*/*.json"))
    assert {cover.shape for cover in seen} <= {(96, 96), (64, 64)}, (
        "the unit with its halo; windows of the prepare stage"
    )
    for cover in seen:
        inner = cover[16:-16, 16:-16] if cover.shape == (96, 96) else cover
        np.testing.assert_array_equal(inner, codes)
    properties = item["properties"]
    assert properties["overbank:land_cover"] == ["of the job: cover.tif"]
    assert properties["overbank:dry_state"] == "land cover (of the job)"
    assert properties["overbank:land_cover_known_share"] == pytest.approx((codes > 0).mean(), abs=0.01)
    told = caveats(account_of(tmp_path / "run"))
    assert not any("prior mixture" in sentence for sentence in told)
    assert any(f"land cover is not known in {(codes == 0).mean():.1%}" in sentence for sentence in told)
    assert map_flood(path, tmp_path / "run").skipped == 1
    write_tiff(flood / "cover.tif", 7 - codes, box)
    assert map_flood(path, tmp_path / "run").skipped == 0, "another cover makes another map"
