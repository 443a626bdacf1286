"""Maps held against each other and a reference: counts, calibration, polygons as reference, parts of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize
from scenes import grid, write_tiff
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from sklearn.metrics import cohen_kappa_score

from harmonization.land_cover import LandCover
from pipeline.compare import compare_run
from pipeline.comparison.outlines import Outlines
from pipeline.comparison.packed import pack, packed_confusion, pixels
from pipeline.comparison.reference import open_reference
from pipeline.comparison.reliability import PercentCount
from pipeline.comparison.strata import ANGLE_EDGES, bin_name, binned
from pipeline.errors import ReferenceFileError, RunError
from pipeline.run_folder import open_run
from pipeline.scores import Confusion, confusion

SIDE = 160


# ---- counts


@settings(max_examples=25)
@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_packed_masks_count_as_masks_do(size: int, seed: int) -> None:
    mapped, true, where = np.random.default_rng(seed).random((3, size)) < 0.5
    assert packed_confusion(pack(mapped), pack(true), pack(where)) == confusion(mapped, true, where)
    assert pixels(pack(mapped)) == mapped.sum()


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.floats(0.0, 1.0))
def test_kappa_is_that_of_scikit_learn(seed: int, share: float, errs: float) -> None:
    generator = np.random.default_rng(seed)
    true = np.append(generator.random(300) < share, [True, False])  # both classes are there
    mapped = true ^ (generator.random(302) < errs)
    found = confusion(mapped, true, np.ones(302, dtype=bool))
    assert found.kappa == pytest.approx(cohen_kappa_score(true, mapped), abs=1e-12)


def test_scores_that_flood_analysts_know_by_other_names() -> None:
    found = Confusion(6, 2, 4, 8)
    assert found.critical_success_index == found.flood_iou == 0.5
    assert found.overall_accuracy == 0.7
    assert found.kappa == pytest.approx((0.7 - (0.4 * 0.5 + 0.6 * 0.5)) / 0.5)
    assert Confusion(correct_dry=5).kappa is None
    assert Confusion().kappa is None


def test_calibration_error_against_pixel_by_pixel() -> None:
    generator = np.random.default_rng(4)
    percent = generator.integers(0, 101, (40, 50)).astype(np.uint8)
    flooded = generator.random((40, 50)) < (percent / 100.0) ** 2
    known = generator.random((40, 50)) < 0.9
    percent[0] = 255
    count = PercentCount()
    for rows in (slice(0, 7), slice(7, 40)):
        count.add(percent[rows], flooded[rows], known[rows])
    said, found = (values[known & (percent <= 100)] for values in (percent / 100.0, flooded))
    slow, number = 0.0, len(said)
    for low in range(0, 100, 5):
        inside = (said >= low / 100) & ((said < (low + 5) / 100) | ((low == 95) & (said == 1.0)))
        slow += abs(said[inside].mean() - found[inside].mean()) * inside.sum() / number
    told = count.summary()
    assert told is not None
    assert told["ece"] == pytest.approx(slow)
    assert sum(one["pixels"] for one in told["bins"]) == number
    assert len(told["bins"]) == 20
    assert PercentCount().summary() is None


# ---- a reference of polygons

FLOODED = [Polygon([(30, 30), (95, 42), (80, 120), (28, 90)]), box(150, 150, 210, 190), box(300, 20, 310, 30)]
"""In metres east and south of the corner of the grid of 32 × 32 pixels of 10 m; the last lies outside."""


def drawn(shapes: list[Any], crs: str = "EPSG:32632") -> geopandas.GeoDataFrame:
    place = grid().affine
    moved = geopandas.GeoSeries(shapes, crs="EPSG:32632").affine_transform([1, 0, 0, -1, place.c, place.f])
    return geopandas.GeoDataFrame({"name": ["x"] * len(shapes)}, geometry=moved).to_crs(crs)


def burnt(shapes: list[Any]) -> NDArray[np.bool_]:
    frame = drawn(shapes)
    return np.asarray(rasterize(frame.geometry, (32, 32), transform=grid().affine) == 1)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".parquet"])
def test_polygons_of_every_kind_and_crs_are_the_pixels_whose_middle_they_hold(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"flood{suffix}"
    frame = drawn(FLOODED, "EPSG:4326" if suffix in (".geojson", ".parquet") else "EPSG:3035")
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path)
    true, known = open_reference(path).on(grid(), "flood")
    assert np.array_equal(true, burnt(FLOODED))
    hull = MultiPolygon(FLOODED).convex_hull
    assert (known != burnt([hull])).mean() < 0.01  # a straight side on one map is a curve on another
    assert not known[0].any()


def test_polygons_are_known_where_it_was_looked(tmp_path: Path) -> None:
    drawn(FLOODED).to_file(tmp_path / "flood.gpkg")
    drawn([box(0, 0, 320, 160)], "EPSG:4326").to_file(tmp_path / "extent.geojson")
    reference = open_reference(tmp_path / "flood.gpkg", tmp_path / "extent.geojson")
    _, known = reference.on(grid(), "flood")
    assert known[:16].all()
    assert not known[16:].any()
    assert reference.extent == "within extent.geojson"
    assert "convex hull" in open_reference(tmp_path / "flood.gpkg").extent


def test_an_extent_bounds_a_raster_too(tmp_path: Path) -> None:
    write_tiff(tmp_path / "truth.tif", np.ones((32, 32), np.uint8), grid())
    drawn([box(0, 0, 320, 100)]).to_file(tmp_path / "extent.gpkg")
    _, known = open_reference(tmp_path / "truth.tif", tmp_path / "extent.gpkg").on(grid(), "flood")
    assert known[:10].all()
    assert not known[10:].any()


def test_polygons_on_both_sides_of_the_antimeridian_lie_in_one_zone(tmp_path: Path) -> None:
    """A flood over 180° as RFC 7946 wants it, in two parts, and a far one that no UTM zone here can hold."""
    parts = MultiPolygon([box(179.99, -17.02, 180, -17.0), box(-180, -17.02, -179.99, -17.0)])
    geopandas.GeoDataFrame(geometry=[parts, box(10, 50, 10.1, 50.1)], crs=4326).to_file(tmp_path / "flood.geojson")
    to_zone = Transformer.from_crs(4326, 32701, always_xy=True)
    x, y = to_zone.transform(180.0, -17.01)
    place = rasterio.Affine(10, 0, x - 200, 0, -10, y + 100)
    box_ = type(grid())((20, 40), place, "EPSG:32701")
    outlines = Outlines.read(tmp_path / "flood.geojson")
    assert outlines.burnt(box_).mean() > 0.97  # all but the meridian itself, where a pixel's middle may lie on it
    assert outlines.hull_burnt(box_).all()
    assert not outlines.hull_burnt(grid(row=3000)).any()


@pytest.mark.parametrize(
    ("name", "make", "told"),
    [
        ("points.gpkg", lambda: drawn([Point(1, 1)]), "holds points, which are samples"),
        ("lines.gpkg", lambda: drawn([LineString([(0, 0), (9, 9)])]), "holds no polygon but LineString"),
        ("nowhere.shp", lambda: drawn(FLOODED), "has no coordinate system"),
    ],
)
def test_what_is_no_polygon_of_a_known_place_is_refused(name: str, make: Any, told: str, tmp_path: Path) -> None:
    make().to_file(tmp_path / name)
    (tmp_path / "nowhere.prj").unlink(missing_ok=True)
    with pytest.raises(ReferenceFileError, match=told):
        open_reference(tmp_path / name)


def test_files_that_are_no_reference_are_refused(tmp_path: Path) -> None:
    (tmp_path / "words.gpkg").write_text("no geopackage")
    (tmp_path / "words.parquet").write_text("no parquet")
    for name in ("words.gpkg", "words.parquet"):
        with pytest.raises(ReferenceFileError, match=f"{name}: cannot be read as polygons"):
            open_reference(tmp_path / name)
    frame = drawn(FLOODED)
    frame.to_file(tmp_path / "two.gpkg", layer="observed_event")
    frame.to_file(tmp_path / "two.gpkg", layer="area_of_interest")
    with pytest.raises(ReferenceFileError, match="holds 2 layers \\(observed_event, area_of_interest\\)"):
        open_reference(tmp_path / "two.gpkg")
    frame.to_file(tmp_path / "flood.gpkg")
    with pytest.raises(ReferenceFileError, match=r"extent\.tif: is not there"):
        open_reference(tmp_path / "flood.gpkg", tmp_path / "extent.tif")
    frame.iloc[:0].to_file(tmp_path / "none.gpkg")
    with pytest.raises(ReferenceFileError, match="give --reference-extent"):
        open_reference(tmp_path / "none.gpkg").check()


def test_polygons_of_the_truth_score_as_its_raster_does(finished: Path, tmp_path: Path) -> None:
    from rasterio.features import shapes
    from shapely.geometry import shape

    with rasterio.open(finished / "truth.tif") as source:
        truth, transform, crs, extent = source.read(1), source.transform, source.crs, source.bounds
    wet = np.isin(truth, (1, 2)).astype(np.uint8)
    outlines = [shape(one) for one, _ in shapes(wet, mask=wet == 1, transform=transform)]
    geopandas.GeoDataFrame(geometry=outlines, crs=crs).to_file(tmp_path / "truth.gpkg")
    geopandas.GeoDataFrame(geometry=[box(*extent)], crs=crs).to_parquet(tmp_path / "seen.parquet")
    by_raster = compare_run(finished / "run", finished / "truth.tif")
    by_polygons = compare_run(finished / "run", tmp_path / "truth.gpkg", extent=tmp_path / "seen.parquet")
    for name, scores in by_raster["methods"].items():
        assert by_polygons["methods"][name]["confusion"] == scores["confusion"], name
    assert by_raster["methods"]["physics"]["confusion"]["hit"] > 100


def test_a_reference_of_other_numbers_is_told_once_all_of_it_was_read(finished: Path, tmp_path: Path) -> None:
    """0 and 255 may mean flood by another number; a window without flood in a file that has some is fine."""
    with rasterio.open(finished / "truth.tif") as source:
        profile = source.profile | {"nodata": None, "width": SIDE}
    values = np.zeros((SIDE, SIDE), np.uint8)
    values[:20] = 255
    for name, flood in (("strange.tif", 255), ("fine.tif", 1)):
        values[-30:, -30:] = flood
        with rasterio.open(tmp_path / name, "w", **profile) as target:
            target.write(values, 1)
    with pytest.raises(ReferenceFileError, match=r"holds 0 and \[255.0\]; write flood as 1"):
        compare_run(finished / "run", tmp_path / "strange.tif")
    assert compare_run(finished / "run", tmp_path / "fine.tif")["methods"]["physics"]["confusion"]["hit"] >= 0


# ---- a whole run


def whole(finished: Path, layer: str) -> NDArray[Any]:
    """A layer of the whole run, put together."""
    found: dict[tuple[int, int], NDArray[Any]] = {}
    for unit in open_run(finished / "run").units:
        _, row, column = unit.id.split("_")
        found[int(row), int(column)] = unit.read(layer)
    rows = sorted({row for row, _ in found})
    columns = sorted({column for _, column in found})
    return np.concatenate([np.concatenate([found[r, c] for c in columns], axis=2) for r in rows], axis=1)


def test_scores_votes_and_calibration_against_the_whole_run_at_once(finished: Path) -> None:
    record = compare_run(finished / "run", finished / "truth.tif")
    with rasterio.open(finished / "truth.tif") as source:
        truth = np.full((SIDE, SIDE), 255, np.uint8)
        truth[:, : source.width] = source.read(1)
    known, true = truth < 4, np.isin(truth, (1, 2))
    said = np.zeros((SIDE, SIDE), int)
    for name, scores in record["methods"].items():
        flood = np.isin(whole(finished, f"methods/{name}")[0], (1, 2))
        said += flood
        told = confusion(flood, true, known)
        assert scores["kappa"] == pytest.approx(told.kappa)
        assert scores["area_km2"] == pytest.approx(flood.sum() * 1e-4)
        if "calibration" in scores:
            percent = whole(finished, f"probability/{name}")[0]
            assert sum(one["pixels"] for one in scores["calibration"]["bins"]) == (known & (percent < 101)).sum()
    assert {name for name in record["methods"] if "calibration" in record["methods"][name]} == {
        "physics", "early", "intermediate", "late",
    }  # fmt: skip
    votes = {one["maps"]: one["area_km2"] for one in record["votes"]}
    assert votes[6] == pytest.approx((said == 6).sum() * 1e-4)
    assert sum(votes.values()) == pytest.approx((said > 0).sum() * 1e-4)
    assert "area_interval_km2" not in record["methods"]["physics"]


def write_job(run: Path, folder: Path, **fields: Any) -> None:
    """`run.json` of a run whose job names these."""
    job = {"name": "x", "area": [12.2, 49.5, 12.3, 49.6], "catalog": str(folder / "catalog.json")}
    job |= {"during": ["2024-02-10", "2024-02-13"], **fields}
    (run / "run.json").write_text(json.dumps({"job": job}))


@pytest.fixture
def with_ground(finished: Path, tmp_path: Path) -> Path:
    """The run, said to have been mapped with elevation and land cover that part it from west to east."""
    run = open_run(finished / "run")
    first = run.units[0].box.affine
    wide = type(grid())((SIDE + 20, SIDE + 20), first * rasterio.Affine.translation(-10, -10), "EPSG:32633")
    across = np.tile(np.arange(SIDE + 20), (SIDE + 20, 1))
    height = np.where(across < 90, 0.0, (across - 89) * 10 * np.tan(np.deg2rad(7.0)))
    write_tiff(tmp_path / "elevation.tif", height.astype(np.float32), wide)
    write_tiff(tmp_path / "cover.tif", np.where(across < 90, 2, 3).astype(np.uint8), wide)
    write_tiff(tmp_path / "world.tif", np.where(across < 90, 40, 10).astype(np.uint8), wide)
    around = [12.15, 49.55, 12.25, 49.7]
    ground = {
        name: str(tmp_path / f"{path}.tif") for name, path in (("elevation", "elevation"), ("land_cover", "cover"))
    }
    write_job(finished / "run", tmp_path, area=around, **ground)
    yield tmp_path
    (finished / "run" / "run.json").unlink()


def test_parts_of_a_run_are_all_of_it(finished: Path, with_ground: Path) -> None:
    record = compare_run(finished / "run", finished / "truth.tif", by=("landcover", "slope", "cloud", "sensor"))
    total = record["methods"]["physics"]
    for stratum, parts in record["by"].items():
        found = [one["physics"] for one in parts.values()]
        assert sum(one["area_km2"] for one in found) == pytest.approx(total["area_km2"], abs=1e-3), stratum
        for count, value in total["confusion"].items():
            assert sum(one["confusion"][count] for one in found) == value, (stratum, count)
        assert {one["agreement_with_delivered"] for one in found} <= {1.0, None}
    assert list(record["by"]["landcover"]) == ["grass_crops", "forest"]
    assert list(record["by"]["slope"]) == ["<1", "2-5", "5-10"]  # the pixel at the foot has half the slope
    west = record["by"]["landcover"]["grass_crops"]["ndwi"]
    assert west["inside_km2"] == pytest.approx(80 * SIDE * 1e-4)
    flood = np.isin(whole(finished, "methods/ndwi")[0], (1, 2))[:, :80]
    assert west["area_km2"] == pytest.approx(flood.sum() * 1e-4)
    world = compare_run(finished / "run", None, by=("landcover",), land_cover=with_ground / "world.tif")["by"][
        "landcover"
    ]
    assert list(world) == ["forest_10", "grass_crops_40"]
    assert world["grass_crops_40"]["ndwi"]["area_km2"] == west["area_km2"]


def test_cloud_and_sensor_are_what_the_layers_say(finished: Path) -> None:
    by = compare_run(finished / "run", None, by=("cloud", "sensor"))["by"]
    clouded = whole(finished, "exclusion")[2] & 1 != 0
    assert 0 < clouded.sum() < clouded.size
    assert by["cloud"]["cloud"]["physics"]["inside_km2"] == pytest.approx(clouded.sum() * 1e-4)
    assert by["cloud"]["cloud"]["ndwi"]["observed_share"] == 0.0
    assert by["cloud"]["clear"]["ndwi"]["observed_share"] == 1.0
    seen = whole(finished, "observed_by")[0] & 7
    assert by["sensor"]["c_band+l_band+optical"]["ndwi"]["inside_km2"] == pytest.approx((seen == 7).sum() * 1e-4)


def test_bins_have_names_that_say_their_bounds() -> None:
    values = np.array([[3.0, 25.0, 29.9, 45.0, 60.0, np.nan]], dtype=np.float32)
    told = [bin_name(int(code), ANGLE_EDGES) for code in binned(values, ANGLE_EDGES)[0]]
    assert told == ["<25", "25-30", "25-30", ">=45", ">=45", "unknown"]


def test_parts_that_a_run_cannot_tell_are_refused_by_name(finished: Path, tmp_path: Path) -> None:
    run = finished / "run"
    with pytest.raises(RunError, match="--by: colour is not a stratum; known are landcover, slope"):
        compare_run(run, None, by=("colour",))
    with pytest.raises(RunError, match=r"run\.json: is not there"):
        compare_run(run, None, by=("slope",))
    write_job(run, tmp_path)
    try:
        with pytest.raises(RunError, match="mapped without elevation"):
            compare_run(run, None, by=("slope",))
        with pytest.raises(RunError, match="mapped without land cover; give one with --landcover FILE"):
            compare_run(run, None, by=("landcover",))
        with pytest.raises(RunError, match="its scenes are no longer to be found"):
            compare_run(run, None, by=("angle",))
        write_job(run, tmp_path, elevation=str(tmp_path / "gone.tif"))
        with pytest.raises(RunError, match=r"no longer to be found: elevation: .*gone\.tif is not there"):
            compare_run(run, None, by=("slope",))
        (run / "run.json").write_text("{}")
        with pytest.raises(RunError, match="tells no job of this version"):
            compare_run(run, None, by=("slope",))
    finally:
        (run / "run.json").unlink()
    noise = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)
    write_tiff(tmp_path / "noise.tif", noise, type(grid())((32, 32), open_run(run).units[0].box.affine, "EPSG:32633"))
    with pytest.raises(RunError, match="holds more than 64 values"):
        compare_run(run, None, by=("landcover",), land_cover=tmp_path / "noise.tif")
    assert LandCover.FOREST == 3
