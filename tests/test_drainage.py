"""Height above drainage: against pyflwdir itself, against another tool's, over units, and what it does to a map."""

from __future__ import annotations

import json
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyflwdir
import pytest
import rasterio
import shapely
import yaml
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scenes import grid, science, write_tiff

from catalogs.records import Ancillary, RasterLayer
from harmonization.evidence import Belief
from harmonization.land_cover import LandCover
from harmonization.terrain import drainage_prior_factor
from pipeline.drainage import drainage_boxes, height_above_drainage, with_drainage
from pipeline.errors import JobError
from pipeline.grid import outline_lonlat, project
from pipeline.ground import COMPUTED_HERE, Ground, elevation_on, factor_over, prior_over, terrain_on
from pipeline.job import Job
from workflows.account import account_of, caveats
from workflows.compare import compare
from workflows.map import map_flood
from workflows.simulate import simulate

METRES = Affine(30.0, 0.0, 0.0, 0.0, -30.0, 0.0)
NOTHING = Ground()


def valley(shape: tuple[int, int], pixel: float = 30.0, fall: float = 0.002, side: float = 0.05) -> NDArray[np.float32]:
    """A V-shaped valley that falls to the south, its stream in the middle column."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (200.0 - fall * pixel * rows + side * pixel * np.abs(columns - shape[1] // 2)).astype(np.float32)


def test_valley_is_the_height_of_its_sides_over_the_stream() -> None:
    """Water goes to the lowest of eight neighbours, aslant: it reaches the stream where that lies lower, here 4 %."""
    z = valley((200, 101))
    found = height_above_drainage(z, METRES, 0.5)
    middle = found[100:145]
    columns = np.abs(np.arange(101) - 50)
    expected = 0.05 * 30.0 * columns
    assert np.isfinite(middle).all()
    np.testing.assert_allclose(middle, np.broadcast_to(expected, middle.shape), rtol=0.06, atol=1e-3)


def test_it_is_what_pyflwdir_gives_and_unknown_without_a_stream(shared: Path) -> None:
    with rasterio.open(shared / "data/dem/Copernicus_DSM_COG_10_N00_00_E006_00_DEM.tif") as source:
        z = source.read(1)[2700:3100, 2000:2400]
    found = height_above_drainage(z, METRES, 1.0)
    flow = pyflwdir.from_dem(z, nodata=-9999.0, transform=METRES, latlon=False)
    stream = flow.upstream_area("km2") >= 1.0
    own = flow.hand(stream, z)
    known = np.isfinite(found)
    np.testing.assert_array_equal(found[known], own.astype(np.float32)[known])
    assert (found[stream] == 0.0).all()
    assert 0.5 < known.mean() < 1.0
    downstream = flow.idxs_ds
    for start in np.flatnonzero(~known)[:: max(int((~known).sum()) // 200, 1)]:
        place = start
        while downstream[place] != place:
            assert not stream.flat[place], "what reaches a stream is known"
            place = downstream[place]


def test_unknown_elevation_stays_unknown_and_lends_nothing() -> None:
    z = valley((120, 101))
    z[:, 80:] = np.nan
    found = height_above_drainage(z, METRES, 0.5)
    assert np.isnan(found[:, 80:]).all()
    np.testing.assert_array_equal(found[60:, 20:40], height_above_drainage(valley((120, 101)), METRES, 0.5)[60:, 20:40])
    assert np.isnan(height_above_drainage(np.full((8, 8), np.nan, np.float32), METRES, 1.0)).all()


def test_hollow_lies_below_its_stream() -> None:
    z = valley((200, 101))
    z[120:125, 60:65] -= 40.0
    assert height_above_drainage(z, METRES, 0.5)[122, 62] < 0.0


def test_heights_of_another_tool_have_the_same_meaning(shared: Path) -> None:
    """Another tool's window holds negative heights too: the elevation as it is, over the stream its water reaches."""
    folder = shared / "data/hydrosar"
    hand, flood = (
        np.load(folder / "hand_window.npz")["hand_window"],
        np.load(folder / "flood_window.npz")["flood_window"],
    )
    assert hand.min() < 0.0
    factor = drainage_prior_factor(hand)
    assert factor.max() < 1.0
    assert factor[flood == 1].mean() > factor[flood == 0].mean()


# ---- the grid of a basin


def job(**changes: Any) -> Job:
    told: dict[str, Any] = {
        "name": "a",
        "area": (9.0, 44.0, 9.1, 44.1),
        "catalog": "catalog",
        "during": (date(2023, 5, 17), date(2023, 5, 24)),
        "elevation": "cop-dem-glo-30",
    }
    return Job(**told | changes)


def box_of(west: float, south: float, east: float, north: float, **changes: Any) -> dict[str, GeoBox] | None:
    return drainage_boxes(job(area=(west, south, east, north), **changes), shapely.box(west, south, east, north))


def test_grid_covers_the_area_and_its_margin_and_grows_coarser_with_it() -> None:
    (small,) = (box_of(9.0, 44.0, 9.1, 44.1) or {}).values()
    assert small.resolution.x == 30.0
    assert small.affine.c % 30.0 == small.affine.f % 30.0 == 0.0, "a fixed lattice"
    inner = project(shapely.box(9.0, 44.0, 9.1, 44.1), small.crs).bounds
    outer = small.boundingbox
    assert all(5000 <= abs(a - b) <= 5030 for a, b in zip(inner, outer.bbox, strict=True))
    (large,) = (box_of(7.0, 44.0, 9.5, 45.5) or {}).values()
    assert large.resolution.x == 60.0
    (coarse,) = (box_of(9.0, 44.0, 9.1, 44.1, resolution=100.0) or {}).values()
    assert coarse.resolution.x == 100.0
    assert len(box_of(2.0, 44.0, 9.0, 44.2) or {}) == 2, "by zone"
    assert box_of(6.0, 40.0, 12.0, 48.0) is None


def test_too_large_a_basin_is_told_and_refused_where_it_was_asked_for(tmp_path: Path) -> None:
    area, said = shapely.box(6.0, 40.0, 12.0, 48.0), []
    assert with_drainage(job(), area, NOTHING, science(), tmp_path, said.append) == NOTHING
    assert "too large" in said[0]
    with pytest.raises(JobError, match=r"^drainage: .*too large.*glo-30-hand"):
        with_drainage(job(drainage="computed"), area, NOTHING, science(), tmp_path, said.append)


@pytest.mark.parametrize("changes", [{"drainage": "none"}, {"elevation": None}, {"drainage": "glo-30-hand"}])
def test_what_is_not_wanted_is_not_computed(tmp_path: Path, changes: dict[str, Any]) -> None:
    area = shapely.box(9.0, 44.0, 9.1, 44.1)
    assert with_drainage(job(**changes), area, NOTHING, science(), tmp_path, print) == NOTHING
    assert not list(tmp_path.iterdir())


# ---- the prior


def tile(path: Path, values: NDArray[Any], box: GeoBox) -> Ancillary:
    return Ancillary(
        id=path.stem,
        collection=COMPUTED_HERE,
        theme="height-above-drainage",
        raster=RasterLayer(href=write_tiff(path, values, box, nodata=np.nan)),
        footprint=shapely.geometry.mapping(outline_lonlat(box).geom),
    )


def test_prior_falls_with_height_and_is_the_events_where_nothing_is_known(tmp_path: Path) -> None:
    box, belief, rules = grid(32, 32), Belief(), science().drainage
    heights = np.repeat(np.array([0.0, 5.0, 30.0, np.nan], np.float32), 8)
    ground = Ground(drainage=(tile(tmp_path / "h.tif", np.tile(heights, (32, 1)), box),))
    prior = prior_over(terrain_on(ground, box), belief, rules)[:, 16, 4::8]
    flat = belief.log_odds
    np.testing.assert_allclose(prior[:, 3], flat, rtol=1e-6)
    lost = flat[0] - prior[0]
    assert lost[0] < 0.05
    assert lost[1] == pytest.approx(np.log(2.0), abs=0.1)
    assert lost[2] == pytest.approx(np.log(50.0), abs=0.1), "30 m: 3.9 nats more evidence are needed, and no more"
    np.testing.assert_allclose(prior[0] - prior[1], flat[0] - flat[1], rtol=1e-5)
    np.testing.assert_allclose(prior_over(terrain_on(NOTHING, box), belief, rules)[:, 3, 3], flat, rtol=1e-6)
    cover = np.full((32, 32), LandCover.GRASS_CROPS, np.uint8)
    cover[:, 16:24] = LandCover.FOREST
    terrain = terrain_on(ground, box)
    covered, bare = factor_over(terrain, rules, cover), factor_over(terrain, rules)
    assert (covered[:, 17:23] == 1.0).all(), "a height of crowns says nothing"
    np.testing.assert_array_equal(covered[:, :15], bare[:, :15])


def test_own_zone_counts_before_the_neighbours(tmp_path: Path) -> None:
    box = grid(32, 32)
    other, own = (
        tile(tmp_path / f"{zone}-a.tif", np.full((32, 32), height, np.float32), box)
        for zone, height in (("32631", 30.0), ("32632", 0.0))
    )
    assert (factor_over(terrain_on(Ground(drainage=(other, own)), box), science().drainage) > 0.9).all()


def test_units_read_the_same_prior(tmp_path: Path) -> None:
    """Height of 30 m and slope of 30 m elevation on 10 m pixels: two halves are the whole, to the byte."""
    coarse = GeoBox((40, 40), grid(8, 8).affine * Affine.translation(-24, -24) * Affine.scale(3.0), grid(8, 8).crs)
    draw = np.random.default_rng(3)
    height = draw.uniform(0.0, 20.0, (40, 40)).astype(np.float32)
    dem = tile(tmp_path / "z.tif", draw.normal(100.0, 9.0, (40, 40)).astype(np.float32), coarse)
    ground = Ground(drainage=(tile(tmp_path / "h.tif", height, coarse),), elevation=(dem,))
    box, rules = grid(48, 48), science().drainage
    whole = prior_over(terrain_on(ground, box), Belief(), rules)
    for rows in (slice(0, 16), slice(16, 48)):
        np.testing.assert_array_equal(prior_over(terrain_on(ground, box[rows, :]), Belief(), rules), whole[:, rows])
    alone = prior_over(terrain_on(replace_elevation(ground), box), Belief(), rules)
    assert (whole <= alone + 1e-6).all(), "slope only ever lowers it"
    assert (whole < alone - 0.1).any()


def replace_elevation(ground: Ground) -> Ground:
    return ground.model_copy(update={"elevation": ()})


# ---- through the flow


@pytest.fixture(scope="module")
def flood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes of a flood of 128² pixels, and an elevation of its own around them: a valley along its western edge."""
    folder = tmp_path_factory.mktemp("flood")
    simulate(folder, 128, 3)
    with rasterio.open(folder / "truth.tif") as source:
        box = GeoBox(source.shape, source.transform, source.crs)
    side = 300
    west = Affine.translation(-90.0, -90.0)
    wide = GeoBox((side, side), box.affine * west * Affine.scale(1.0), box.crs)
    columns = np.arange(side)
    z = 100.0 + 0.25 * np.abs(columns - 90)[None, :] - 0.02 * np.arange(side)[:, None]
    write_tiff(folder / "valley.tif", z.astype(np.float32), wide)
    return folder


def mapped(flood: Path, out: Path, **changes: Any) -> Path:
    told = yaml.safe_load((flood / "job.yaml").read_text()) | {"methods": ["physics"], "sensors": ["sentinel-1"]}
    told |= {"area": str(flood / "area.geojson"), "catalog": str(flood / "catalog.json"), **changes}
    out.mkdir(parents=True)
    told = {name: value for name, value in told.items() if value is not None}
    (out / "job.yaml").write_text(yaml.safe_dump(told))
    map_flood(out / "job.yaml", out / "run")
    return out / "run"


def pixels(run: Path, name: str) -> NDArray[np.uint8]:
    """A layer over all units, put together."""
    tiles = []
    for path in sorted(run.glob(f"units/*/{name}.tif")):
        with rasterio.open(path) as source:
            tiles.append((source.transform.c, -source.transform.f, source.read(1)))
    lefts, tops = sorted({x for x, _, _ in tiles}), sorted({y for _, y, _ in tiles})
    return np.block([[next(v for x, y, v in tiles if (x, y) == (left, top)) for left in lefts] for top in tops])


def test_high_ground_needs_more_evidence_and_units_agree(flood: Path, tmp_path: Path) -> None:
    rules = yaml.safe_load(Path("workflows/methods/2026-11.yaml").read_text())
    rules["prior"]["estimate"] = False
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    told = {"elevation": str(flood / "valley.tif"), "science": str(tmp_path / "rules.yaml")}
    whole = mapped(flood, tmp_path / "whole", **told)
    parts = mapped(flood, tmp_path / "parts", **told, tile=64)
    flat = mapped(flood, tmp_path / "flat", **told, drainage="none")
    assert len(list((parts / "units").iterdir())) >= 4
    (kept,) = (whole / "drainage").iterdir()
    (again,) = (parts / "drainage").iterdir()
    assert sha256(kept.read_bytes()).digest() == sha256(again.read_bytes()).digest()
    for name in ("methods/physics", "flood_probability", "uncertainty"):
        np.testing.assert_array_equal(pixels(parts, name), pixels(whole, name), err_msg=name)
    by_height, by_event = pixels(whole, "probability/physics"), pixels(flat, "probability/physics")
    seen = (by_height != 255) & (by_event != 255)
    assert (by_height[seen] <= by_event[seen]).all()
    high = seen & (np.arange(128) > 80)[None, :]
    assert by_height[high].mean() < 0.8 * by_event[high].mean()
    assert not (flat / "drainage").exists()
    (item,) = (json.loads(path.read_text()) for path in whole.glob("units/*/*.json"))
    assert item["properties"]["overbank:drainage"][0].startswith("computed from the elevation: ")
    (told,) = (sentence for sentence in caveats(account_of(whole)) if "height above drainage" in sentence)
    assert "computed from the elevation" in told
    assert "crowns and roofs count as high ground" in told
    found, unlike = compare(whole)["plausibility"]["physics"], compare(parts)["plausibility"]["physics"]
    assert found["hydrostatic"] == pytest.approx(unlike["hydrostatic"], rel=1e-9)
    assert map_flood(tmp_path / "whole/job.yaml", whole).skipped == 1


def test_height_above_drainage_of_the_area_is_computed_once_and_read_back(flood: Path, tmp_path: Path) -> None:
    run = mapped(flood, tmp_path / "a", elevation=str(flood / "valley.tif"))
    (path,) = (run / "drainage").iterdir()
    with rasterio.open(path) as source:
        box = GeoBox(source.shape, source.transform, source.crs)
        values = source.read(1)
        assert source.nodata is not None
        assert np.isnan(source.nodata)
    np.testing.assert_array_equal(elevation_on([RasterLayer(href=str(path))], box), values)
    known = np.isfinite(values)
    assert 0.0 < known.mean() < 0.5, "the margin has no elevation here"
    assert values[known].min() >= -0.5


def test_quiet_window_stays_dry_on_low_ground(tmp_path: Path) -> None:
    """Without a flood less than one pixel in 200 that lies 0 to 5 m above a stream is mapped as flood."""
    simulate(tmp_path, 128, 5, flood=False)
    with rasterio.open(tmp_path / "truth.tif") as source:
        grounds = GeoBox(source.shape, source.transform, source.crs)
        river = write_tiff(tmp_path / "river.tif", (source.read(1) == 3).astype(np.uint8), grounds)
    rules = yaml.safe_load(Path("workflows/methods/2026-11.yaml").read_text())
    rules["drainage"]["upstream_km2"] = 0.2
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    told = {"elevation": str(tmp_path / "elevation.tif"), "science": str(tmp_path / "rules.yaml")}
    told |= {"reference_water": river, "before": None}
    run = mapped(tmp_path, tmp_path / "out", sensors=["sentinel-1", "alos-2", "sentinel-2"], **told)
    (path,) = (run / "drainage").iterdir()
    (unit,) = run.glob("units/*/flood_class.tif")
    with rasterio.open(unit) as source:
        classes = source.read(1)
        box = GeoBox(source.shape, source.transform, source.crs)
    height = elevation_on([RasterLayer(href=str(path))], box)
    low = (height >= 0.0) & (height <= 5.0)
    assert low.mean() > 0.3
    assert np.isin(classes[low], (1, 2)).mean() < 0.005
