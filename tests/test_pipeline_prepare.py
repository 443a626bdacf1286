"""What all units share, found once: samples, looks, noise, thresholds, the prior; and the clock of the stages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scenes import NOON, grid, hours_ago, optical_scene, plain, radar_scene, science, write_tiff
from shapely.geometry import box as rectangle

from catalogs.records import RasterLayer
from harmonization.classes import BACKSCATTER
from pipeline.clock import StageClock
from pipeline.errors import JobError
from pipeline.grid import outline_lonlat
from pipeline.job import Job
from pipeline.observe import Prepared, observe
from pipeline.plan import Plan, Unit, area_km2, make_plan
from pipeline.prepare import SAMPLE_BOXES, SAMPLE_SIDE, prepare, sample_boxes
from pipeline.radar_noise import DEFAULT_NOISE_DB
from pipeline.science import Prior

SIDE = 256
PRIOR = Prior(water=0.04, vegetation=0.01, estimate=False, highest=0.30)
PLAIN = science(multilook={"C": 1, "L": 1}, least_looks={"C": 1, "L": 1}, prior=PRIOR)
JOB = Job(name="a", area=(0, 0, 1, 1), catalog="c", during=(date(2023, 5, 1), date(2023, 5, 2)))


def plan_of(during: list[Any], before: list[Any] | None = None, *boxes: GeoBox) -> Plan:
    past = tuple(before or [])
    units = tuple(
        Unit(f"u{index}", box, NOON, tuple(during), past) for index, box in enumerate(boxes or (grid(SIDE, SIDE),))
    )
    return Plan(JOB, rectangle(0, 0, 1, 1), units, NOON, tuple(during), past, ())


def speckle(looks: float, mean: NDArray[np.float64] | float, seed: int = 0) -> NDArray[np.float32]:
    """Gamma speckle of unit mean times a mean."""
    rng = np.random.default_rng(seed)
    return (rng.gamma(looks, 1.0 / looks, (SIDE, SIDE)) * mean).astype(np.float32)


def silent(_: str) -> None:
    pass


# ---- samples


def test_samples_avoid_the_fill_of_a_mosaic(tmp_path: Path) -> None:
    """Four windows of 256 pixels; only the south-eastern holds data."""
    power = np.zeros((2 * SIDE, 2 * SIDE), dtype=np.float32)
    power[SIDE:, SIDE:] = 0.1
    box = grid(2 * SIDE, 2 * SIDE)
    scene = radar_scene(tmp_path, "s", {"HH": power}, box, band="L")
    assert sample_boxes(plan_of([scene], None, box)) == [grid(SIDE, SIDE, row=SIDE, column=SIDE)]


def test_where_all_is_fill_the_samples_are_taken_all_the_same(tmp_path: Path) -> None:
    """So that the run goes on and says that nothing was seen."""
    scene = radar_scene(tmp_path, "s", {"HH": plain((SIDE, SIDE), 0.0)}, grid(SIDE, SIDE), band="L")
    plan = plan_of([scene])
    assert sample_boxes(plan) == [grid(SIDE, SIDE)]
    found = prepare(plan, PLAIN, silent)
    assert found.thresholds == {"s": None}
    assert found.looks == {"s": 1.0}


def test_samples_are_few_small_and_spread_over_the_units(tmp_path: Path) -> None:
    big = grid(64, 20 * SIDE)
    scene = radar_scene(tmp_path, "s", {"VV": plain((64, 20 * SIDE), 0.1)}, big)
    halves = [grid(64, 10 * SIDE), grid(64, 10 * SIDE, column=10 * SIDE)]
    found = sample_boxes(plan_of([scene], None, *halves))
    assert len(found) == SAMPLE_BOXES
    assert all(max(one.shape.yx) <= SAMPLE_SIDE for one in found)
    lefts = [one.affine.c for one in found]
    assert lefts[0] == halves[0].affine.c
    assert lefts[-1] == halves[1].affine.c + 9 * SIDE * 10.0
    assert len(set(lefts)) == SAMPLE_BOXES


def test_every_pass_of_a_large_area_is_sampled_where_it_lies(tmp_path: Path) -> None:
    """Two passes side by side, of 4 and of 9 looks: the windows that show the first show nothing of the second."""
    wide = 10 * SIDE
    boxes = [grid(64, wide), grid(64, wide, column=wide)]
    rng = np.random.default_rng(1)
    power = [(rng.gamma(looks, 0.1 / looks, (64, wide))).astype(np.float32) for looks in (4.0, 9.0)]
    passes = [radar_scene(tmp_path, f"s{n}", {"VV": power[n]}, boxes[n]) for n in (0, 1)]
    found = prepare(plan_of(passes, None, *boxes), PLAIN, silent)
    assert found.looks["s0"] == pytest.approx(4.0, rel=0.15)
    assert found.looks["s1"] == pytest.approx(9.0, rel=0.15)


def test_samples_of_several_zones_are_spread_over_them(tmp_path: Path) -> None:
    """Windows lie on the lattice of the zone that their unit is of."""
    first = grid(SIDE, 4 * SIDE)
    second = GeoBox(first.shape, first.affine, "EPSG:32633")
    scene = radar_scene(tmp_path, "s", {"VV": plain((SIDE, 4 * SIDE), 0.0)}, first)
    found = sample_boxes(plan_of([scene], None, first, second))
    assert [box.crs.to_epsg() for box in found if box.crs] == [32632] * 4 + [32633] * 4
    assert len(set(found)) == 8


def test_samples_of_a_job_without_radar_follow_the_optics(tmp_path: Path) -> None:
    numbers = {name: np.full((SIDE, SIDE), 1000, dtype=np.uint16) for name in ("blue", "green", "red", "nir", "swir1")}
    plan = plan_of([optical_scene(tmp_path, "o", numbers, grid(SIDE, SIDE))])
    assert sample_boxes(plan) == [grid(SIDE, SIDE)]
    found = prepare(plan, PLAIN, silent)
    assert (found.looks, found.noise_db, found.thresholds) == ({}, {}, {})


# ---- noise


def noise_of(folder: Path, power: NDArray[np.float32], **told: Any) -> float:
    scene = radar_scene(folder, "s", {"VV": power}, grid(SIDE, SIDE), **told)
    return prepare(plan_of([scene]), PLAIN, silent).noise_db["s"]["VV"]


def dark_lake() -> NDArray[np.float32]:
    """Land of -10 dB, and a lake of -33 dB on a sixteenth of it: the first percentile lies in the lake."""
    power = plain((SIDE, SIDE), 0.1)
    power[:64, :64] = 10**-3.3
    return power


def test_default_noise_is_lowered_where_water_is_darker(tmp_path: Path) -> None:
    assert noise_of(tmp_path, dark_lake(), noise_db={"VV": -28.0}) == pytest.approx(-33.0, abs=0.01)


def test_default_noise_is_not_raised_by_bright_land(tmp_path: Path) -> None:
    assert noise_of(tmp_path, plain((SIDE, SIDE), 0.1), noise_db={"VV": -28.0}) == -28.0


@pytest.mark.parametrize("told", [{"noise_source": "product"}, {"denoised": True}])
def test_noise_that_is_known_or_gone_is_kept(tmp_path: Path, told: dict[str, Any]) -> None:
    assert noise_of(tmp_path, dark_lake(), noise_db={"VV": -28.0}, **told) == -28.0


def test_noise_without_any_figure_starts_from_the_default(tmp_path: Path) -> None:
    assert noise_of(tmp_path, plain((SIDE, SIDE), 0.1), noise_db={}) == DEFAULT_NOISE_DB


def test_denoised_samples_below_zero_do_not_disturb(tmp_path: Path) -> None:
    power = dark_lake()
    power[:64, :64] *= -1
    assert noise_of(tmp_path, power, noise_db={"VV": -28.0}) == -28.0


# ---- looks


def looks_of(folder: Path, looks: float, least: float) -> float:
    scene = radar_scene(folder, "s", {"VV": speckle(looks, 0.1), "VH": speckle(2.0, 0.01)}, grid(SIDE, SIDE))
    parameters = PLAIN.model_copy(update={"least_looks": {"C": least, "L": least}})
    return prepare(plan_of([scene]), parameters, silent).looks["s"]


def test_looks_are_measured_on_the_copolar_band_to_two_figures(tmp_path: Path) -> None:
    found = looks_of(tmp_path, 40.0, 12.0)
    assert found == pytest.approx(40.0, rel=0.15)
    assert found == float(f"{found:.2g}")


def test_nominal_looks_are_the_floor(tmp_path: Path) -> None:
    """Texture passes for speckle and only ever lowers the estimate."""
    assert looks_of(tmp_path, 4.0, 12.0) == 12.0


# ---- thresholds


def shore() -> NDArray[np.float64]:
    """Water of -20 dB in the west, land of -8 dB; the shore runs through the middle of tiles of 64 pixels."""
    return np.where(np.arange(SIDE)[None] % 64 < 32, 0.01, 0.158).repeat(SIDE, axis=0)


def test_threshold_lies_between_water_and_land(tmp_path: Path) -> None:
    scene = radar_scene(tmp_path, "s", {"VV": speckle(20.0, shore())}, grid(SIDE, SIDE))
    found = prepare(plan_of([scene]), PLAIN, silent)
    # Speckle of 20 looks is 1 dB wide: the gap between the modes is empty from -17 to -11 dB.
    assert found.thresholds["s"] is not None
    assert -17.5 < found.thresholds["s"] < -10.5
    assert found.threshold_notes["s"] == "median of 1 bimodal tile; 16 of the smallest looked at"


def test_scene_without_water_has_no_threshold_and_says_why(tmp_path: Path) -> None:
    scene = radar_scene(tmp_path, "s", {"VV": speckle(20.0, 0.158)}, grid(SIDE, SIDE))
    found = prepare(plan_of([scene]), PLAIN, silent)
    assert found.thresholds == {"s": None}
    assert found.threshold_notes["s"].startswith("no water here")


def test_field_against_town_is_no_water(tmp_path: Path) -> None:
    """Two modes, -10 and +2 dB: the lower is not dark enough."""
    scene = radar_scene(tmp_path, "s", {"VV": speckle(20.0, shore() * 10)}, grid(SIDE, SIDE))
    assert prepare(plan_of([scene]), PLAIN, silent).thresholds == {"s": None}


def test_every_radar_scene_has_looks_and_noise_and_those_of_the_flood_a_threshold(tmp_path: Path) -> None:
    now = radar_scene(tmp_path, "now", {"VV": speckle(20.0, shore())}, grid(SIDE, SIDE))
    then = radar_scene(
        tmp_path, "then", {"VV": speckle(20.0, 0.158)}, grid(SIDE, SIDE), start=hours_ago(500), end=hours_ago(500)
    )
    said: list[str] = []
    found = prepare(plan_of([now], [then]), PLAIN, said.append)
    assert set(found.looks) == set(found.noise_db) == {"now", "then"}
    assert set(found.thresholds) == {"now"}
    assert set(found.prior_notes) == {"now", "then"}
    assert said == [
        "looks and noise of now",
        f"now: {found.prior_notes['now']}",
        "looks and noise of then",
        "then: open water as in the class table",
    ]


# ---- class priors


def lakes(level_db: float) -> NDArray[np.float64]:
    """Land of -8 dB with a lake in every quarter of the scene: a quarter of the pixels, of gamma0 as told."""
    mean = np.full((SIDE, SIDE), 0.158)
    for top in (16, 144):
        for left in (16, 144):
            mean[top : top + 64, left : left + 64] = 10.0 ** (level_db / 10.0)
    return mean


def rough(mean: NDArray[np.float64], std: float = 1.5) -> NDArray[np.float32]:
    """Twenty looks over a mean that varies by pixel, so that modes have a spread of their own."""
    texture = 10.0 ** (std / 10.0 * np.random.default_rng(9).standard_normal(mean.shape))
    return speckle(20.0, mean * texture)


def test_water_of_the_scene_moves_its_class_and_says_so(tmp_path: Path) -> None:
    """Lakes of -17 dB at 38.5 degrees: sigma0 -18.1 dB, above the table's -19.3; some 4 of 16 thousand samples."""
    box = grid(SIDE, SIDE)
    angle = RasterLayer(href=write_tiff(tmp_path / "angle.tif", plain((SIDE, SIDE), 38.5), box))
    scene = radar_scene(tmp_path, "s", {"VV": rough(lakes(-17.0))}, box, layers={"angle": angle})
    found = prepare(plan_of([scene]), PLAIN, silent)
    water = found.priors["s"]["VV"]["open_water"]
    table = BACKSCATTER["open_water"]["C-VV"]
    assert table.mean + 0.3 < water.mean < -17.9
    assert water.std < table.std
    assert water.slope == table.slope
    assert set(found.priors["s"]["VV"]) == {"open_water"}
    assert found.prior_notes["s"].startswith(f"open water by 1 bimodal tile: VV {water.mean:.1f} ± {water.std:.1f} dB")


def test_scene_without_water_moves_nothing(tmp_path: Path) -> None:
    scene = radar_scene(tmp_path, "s", {"VV": rough(np.full((SIDE, SIDE), 0.158))}, grid(SIDE, SIDE))
    found = prepare(plan_of([scene]), PLAIN, silent)
    assert found.priors == {}
    assert found.prior_notes == {"s": "open water as in the class table"}


def test_every_unit_is_weighed_by_the_priors_of_its_scene(tmp_path: Path) -> None:
    """Found once, kept in the record, read back from it, and in every bundle of the scene."""
    scene = radar_scene(tmp_path, "s", {"VV": rough(lakes(-17.0))}, grid(SIDE, SIDE))
    found = Prepared.model_validate_json(prepare(plan_of([scene]), PLAIN, silent).model_dump_json())
    halves = [grid(SIDE // 2, SIDE), grid(SIDE // 2, SIDE, row=SIDE // 2)]
    seen = []
    for box in halves:
        unit = Unit("u", box, NOON, (scene,), ())
        looks = observe(unit, PLAIN, found, StageClock()).compute(scheduler="synchronous")
        seen.append(looks["sentinel-1"].bundle.priors)
    assert seen == [found.priors["s"]] * 2
    assert seen[0]["VV"]["open_water"] != BACKSCATTER["open_water"]["C-VV"]


# ---- the prior


def with_estimate() -> Any:
    return PLAIN.model_copy(update={"prior": PRIOR.model_copy(update={"estimate": True})})


def test_prior_is_that_of_the_science_unless_it_is_estimated(tmp_path: Path) -> None:
    scene = radar_scene(tmp_path, "s", {"VV": speckle(20.0, shore())}, grid(SIDE, SIDE))
    found = prepare(plan_of([scene]), PLAIN, silent)
    assert (found.water, found.vegetation) == (0.04, 0.01)
    belief = found.belief(PLAIN)
    assert (belief.water, belief.memory_hours, belief.doubt) == (0.04, PLAIN.memory_hours, PLAIN.doubt)


def test_estimated_prior_is_raised_to_what_the_area_shows_and_never_lowered(tmp_path: Path) -> None:
    """Half water: held to the highest, 0.30; vegetation keeps its ratio of a quarter. All land: as it was."""
    wet = radar_scene(tmp_path, "wet", {"VV": speckle(20.0, shore())}, grid(SIDE, SIDE))
    found = prepare(plan_of([wet]), with_estimate(), silent)
    assert (found.water, found.vegetation) == (pytest.approx(0.30), pytest.approx(0.075))
    dry = radar_scene(tmp_path, "dry", {"VV": speckle(20.0, 0.158)}, grid(SIDE, SIDE))
    found = prepare(plan_of([dry]), with_estimate(), silent)
    assert (found.water, found.vegetation) == (pytest.approx(0.04), pytest.approx(0.01))


def test_prior_is_kept_where_nothing_was_seen(tmp_path: Path) -> None:
    scene = radar_scene(tmp_path, "s", {"HH": plain((SIDE, SIDE), 0.0)}, grid(SIDE, SIDE), band="L")
    found = prepare(plan_of([scene]), with_estimate(), silent)
    assert (found.water, found.vegetation) == (0.04, 0.01)


# ---- plan


def test_plan_says_what_is_missing_and_how_much_it_will_read(tmp_path: Path) -> None:
    scene = radar_scene(tmp_path, "s", {"VV": plain((SIDE, SIDE), 0.1)}, grid(SIDE, SIDE), bytes=1000)
    plan = plan_of([scene], [scene.model_copy(update={"id": "then", "bytes": 500})])
    assert plan.missing == {"during": ["alos-2", "sentinel-2"]}
    assert plan.bytes == 1500
    unknown = plan_of([scene], [scene.model_copy(update={"id": "then", "bytes": None})])
    assert unknown.bytes is None
    assert [one.id for one in plan.units[0].scenes] == ["s", "then"]


def test_area_of_a_plan_is_measured_in_metres() -> None:
    """One square kilometre."""
    box = grid(100, 100)
    plan = Plan(JOB, outline_lonlat(box).geom, (Unit("u", box, NOON, (), ()),), NOON, (), (), ())
    assert area_km2(plan) == pytest.approx(1.0, rel=1e-4)


def test_job_without_a_catalog_is_refused_before_any_pixel_is_read(tmp_path: Path) -> None:
    job = JOB.model_copy(update={"catalog": str(tmp_path / "catalog.json")})
    with pytest.raises(Exception, match=r"catalog\.json"):
        make_plan(job)


def test_catalog_without_a_scene_is_a_mistake_of_the_job(tmp_path: Path) -> None:
    path = tmp_path / "catalog.json"
    path.write_text('{"type": "Catalog", "id": "a", "stac_version": "1.0.0", "description": "empty", "links": []}')
    with pytest.raises(JobError, match=r"no scene found: .*catalog\.json has none of sentinel-1.*widen `during`"):
        make_plan(JOB.model_copy(update={"catalog": str(path)}))


# ---- clock


def test_clock_adds_up_a_stage_and_gives_the_result_back() -> None:
    clock = StageClock()

    def work(value: int, *, double: bool = False) -> int:
        """What it does."""
        sleep(0.01)
        return 2 * value if double else value

    timed = clock.timed("work", work)
    assert (timed(3), timed(3, double=True)) == (3, 6)
    assert 0.02 <= clock.seconds["work"] < 1.0
    assert timed.__doc__ == work.__doc__
    assert set(clock.seconds) == {"work"}


def test_clock_counts_the_time_of_what_fails_too() -> None:
    clock = StageClock()

    def fail() -> None:
        sleep(0.01)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        clock.timed("work", fail)()
    assert clock.seconds["work"] >= 0.01


def test_clock_sums_over_threads() -> None:
    clock = StageClock()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(clock.timed("work", sleep), [0.02] * 8))
    assert clock.seconds["work"] >= 0.16
