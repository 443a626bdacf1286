"""Areas with what pixels share: the kernel by a slow version, the mapped probability kept, width that stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from area_runs import write_area_run
from hypothesis import given
from hypothesis import strategies as st
from scenes import grid

from harmonization.area_draws import drawn_sums
from harmonization.scene_errors import RadarLook, optical_cloud, radar_cloud, shore_shift
from pipeline.area_interval import area_interval, as_mapped, shore_length
from pipeline.errors import RunError
from pipeline.run_folder import open_run


def test_sums_are_those_of_the_softmax_by_draw() -> None:
    stream = np.random.default_rng(2)
    log_odds = stream.normal(0, 3, (2, 40)).astype(np.float32)
    sample = stream.integers(-1, 5, (2, 40)).astype(np.int32)
    moves = stream.normal(0, 1, (2, 6, 2, 5)).astype(np.float32)
    prior = stream.normal(0, 1, (6, 2)).astype(np.float32)
    weights = stream.random((3, 40)).astype(np.float32)
    found = drawn_sums(log_odds, sample, moves, prior, weights)
    for draw in range(6):
        total = log_odds + prior[draw][:, None]
        for look in range(2):
            seen = sample[look] >= 0
            total[:, seen] += moves[look, draw][:, sample[look, seen]]
        wet = np.exp(total).sum(axis=0)
        assert found[draw] == pytest.approx(weights @ (wet / (1.0 + wet)), rel=1e-5)


@given(st.integers(0, 100), st.floats(-20, 20), st.floats(-20, 20))
def test_log_odds_keep_to_the_step_in_which_the_probability_is_written(
    percent: int, water: float, plants: float
) -> None:
    physics = np.array([[water], [plants]], dtype=np.float32)
    found = as_mapped(physics, np.array([percent / 100.0])).astype(np.float64)
    wet = 1.0 / (1.0 + np.exp(-np.logaddexp(*found)[0]))
    assert abs(wet - percent / 100.0) <= 0.00501
    assert found[0, 0] - found[1, 0] == pytest.approx(water - plants, abs=1e-4)


def test_a_shore_is_as_long_as_its_line() -> None:
    y, x = np.mgrid[-60:61, -60:61]
    disk = x**2 + y**2 < 50**2
    assert shore_length(disk, ~disk).sum() == pytest.approx(2 * np.pi * 50, rel=0.02)


def test_draws_move_what_the_class_table_leaves_open() -> None:
    """Nobody's evidence moves by as much as the doubtful one's; and water by wind is what C band is unsure of."""
    look = RadarLook("C", 12.0, {"VV": -24.0, "VH": -25.0}, False, {})
    cloud = radar_cloud(look, 12, np.random.default_rng(4))
    moved = (cloud.drawn - cloud.table)[:, 0]
    doubtful = np.abs(cloud.table[0]) < 2.0
    assert 0.5 < moved[:, doubtful].std() < 3.0
    assert abs(moved[:, doubtful].mean()) < 1.0
    assert optical_cloud(0.01, 8, np.random.default_rng(4)).drawn.shape == (8, *cloud.table.shape)


def test_shores_lie_inside_the_water_by_a_fifth_of_a_cell() -> None:
    shift = shore_shift("C", 4000, np.random.default_rng(1))
    water, grass = 10**-1.93, 10**-1.1
    share = (np.sqrt(water * grass) - water) / (grass - water)
    assert shift.mean() == pytest.approx(0.5 - share, abs=0.03)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The same flood, a quarter of the area, with few pixels and with sixteen times as many of them."""
    found = {}
    for side in (64, 256):
        classes = np.zeros((side, side), dtype=np.uint8)
        classes[: side // 4] = 1
        box = grid(side, side, resolution=2560.0 / side)
        found[side] = write_area_run(tmp_path_factory.mktemp(f"run{side}"), box, classes)
    return found


def test_an_interval_does_not_shrink_with_the_pixels(runs: dict[int, Path]) -> None:
    found = {side: area_interval(open_run(run), "physics") for side, run in runs.items()}
    few, many = found[64], found[256]
    assert few is not None
    assert many is not None
    assert few.low < few.mean < few.high
    assert (many.high - many.low) == pytest.approx(few.high - few.low, rel=0.15)
    assert (many.high - many.low) > 0.1 * many.mean


def test_a_rule_has_no_interval(runs: dict[int, Path]) -> None:
    assert area_interval(open_run(runs[64]), "ndwi") is None


def test_a_run_without_evidence_is_refused_by_name(tmp_path: Path) -> None:
    run = write_area_run(tmp_path, grid(8, 8), np.zeros((8, 8), dtype=np.uint8))
    (run / "units/unit/evidence.tif").unlink()
    with pytest.raises(RunError, match="holds no layer 'evidence'"):
        area_interval(open_run(run), "physics")
