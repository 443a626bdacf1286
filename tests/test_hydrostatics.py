"""Water lies level: the hydrostatic loss against slow obvious versions, and its torch twin (physics.md 9)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harmonization.hydrostatics import hydrostatic_loss, pair_losses, shorelines
from models.learning.plausibility import hydrostatic_loss as torch_loss


def scene(seed: int, shape: tuple[int, int] = (9, 11)) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rough ground and probabilities with a hole in each."""
    draw = np.random.default_rng(seed)
    z, p = draw.normal(100.0, 2.0, shape), draw.uniform(0.0, 1.0, shape)
    z[2, 3], p[4, 5] = np.nan, np.nan
    return z, p


def every_pair(z: NDArray[np.float64], p: NDArray[np.float64], reach: int, step: float, sill: float) -> list[float]:
    """The loss of each pair, one by one."""
    found = []
    for (row, column), high in np.ndenumerate(z):
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                path = [(row + k * down, column + k * across) for k in range(1, reach + 1)] if down or across else []
                for k, (r, c) in enumerate(path):
                    if not (0 <= r < z.shape[0] and 0 <= c < z.shape[1]):
                        break
                    open_way = all(z[place] <= high + sill for place in path[:k])
                    power_of_two = k & (k + 1) == 0
                    if power_of_two and open_way and high > z[r, c] + step and np.isfinite(p[row, column] - p[r, c]):
                        found.append(max(p[row, column] - p[r, c], 0.0) ** 2)
    return found


@pytest.mark.parametrize(("reach", "step", "sill"), [(1, 0.0, 0.0), (3, 1.0, 0.3), (20, 0.5, 2.0)])
def test_pairs_of_a_grid_are_those_found_one_by_one(reach: int, step: float, sill: float) -> None:
    z, p = scene(1)
    total, count = pair_losses(z, p, reach=reach, step=step, sill=sill)
    expected = every_pair(z, p, reach, step, sill)
    assert count.sum() == len(expected) > 50
    assert total.sum() == pytest.approx(sum(expected), rel=1e-12)


def test_several_maps_at_once_are_each_alone() -> None:
    z, p = scene(2)
    both = pair_losses(z, np.stack([p, 1.0 - p]))
    for number, one in enumerate((p, 1.0 - p)):
        for stacked, alone in zip(both, pair_losses(z, one), strict=True):
            np.testing.assert_array_equal(stacked[number], alone)


def test_explicit_pairs_and_the_grid_agree() -> None:
    z, p = np.array([[10.0, 9.0, 9.5]]), np.array([[0.9, 0.4, 0.2]])
    total, count = pair_losses(z, p, reach=2, step=0.0)
    assert total.sum() / count.sum() == pytest.approx(hydrostatic_loss(z[0], p[0], [(0, 1), (0, 2), (2, 1)]), rel=1e-12)
    assert np.isnan(hydrostatic_loss(z[0], p[0], [(1, 0)])), "a pair that does not fall is none"


def test_levee_breaks_a_pair_and_a_low_sill_does_not() -> None:
    p = np.array([[0.9, 0.9, 0.1]])
    low_sill, levee = np.array([[10.0, 10.2, 5.0]]), np.array([[10.0, 12.0, 5.0]])
    assert pair_losses(low_sill, p)[1][0].tolist() == [1, 1, 0]
    assert pair_losses(levee, p)[1][0].tolist() == [0, 2, 0], "only what stands on the levee lies above its two sides"


def test_level_water_loses_nothing_and_water_on_the_hill_does() -> None:
    z = 100.0 + np.mgrid[:40, :40][1] * 0.5
    lake = (z < 108.0).astype(float)
    assert pair_losses(z, lake, step=0.2)[0].sum() == 0.0
    hill = (z > 108.0).astype(float)
    assert pair_losses(z, hill, step=0.2)[0].sum() > 0.0


def test_sums_of_overlapping_windows_are_those_of_the_whole() -> None:
    z, p = scene(4, (20, 20))
    total, count = pair_losses(z, p, reach=2)
    left, left_count = pair_losses(z[:, :12], p[:, :12], reach=2)
    np.testing.assert_array_equal(left[:, :10], total[:, :10])
    np.testing.assert_array_equal(left_count[:, :10], count[:, :10])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(-50.0, 50.0))
def test_loss_is_never_negative_and_knows_no_datum(seed: int, lift: float) -> None:
    z, p = np.round(scene(seed)[0], 3), scene(seed)[1]
    no_tie = {"step": 0.5004, "sill": 0.2004}  # heights are whole millimetres: no comparison turns on rounding
    total, count = pair_losses(z, p, **no_tie)
    moved, moved_count = pair_losses(z + np.round(lift, 3), p, **no_tie)
    assert (total >= 0.0).all()
    assert (total <= count).all()
    np.testing.assert_array_equal(moved_count, count)
    np.testing.assert_allclose(moved, total)


# ---- the level of shorelines


def lake_on(z: NDArray[np.float64], level: NDArray[np.float64] | float) -> NDArray[np.bool_]:
    return np.asarray(z < level)


def test_lake_is_level_river_lies_on_a_plane_and_a_dark_hillside_does_neither() -> None:
    rows, columns = np.mgrid[:80, :80].astype(float)
    bowl = 100.0 + 0.01 * ((rows - 40) ** 2 + (columns - 40) ** 2)
    everywhere = np.ones(bowl.shape, np.bool_)
    lake = shorelines(lake_on(bowl, 105.0), everywhere, bowl)
    assert lake.spread.size == 1
    assert lake.spread[0] < 0.5
    valley = 100.0 + np.abs(columns - 40) + 0.3 * rows
    river = shorelines(np.abs(columns - 40) < 6, everywhere, valley)
    assert river.spread[0] > 3.0
    assert river.off_plane[0] < 0.1
    assert not river.uneven[0]
    rough = 100.0 + np.random.default_rng(0).normal(0.0, 8.0, (80, 80))
    assert shorelines(np.hypot(rows - 40, columns - 40) < 20, everywhere, rough).uneven.all()


def test_spread_about_the_plane_is_that_of_least_squares() -> None:
    draw = np.random.default_rng(2)
    z = draw.normal(50.0, 3.0, (60, 60))
    flooded = np.zeros(z.shape, np.bool_)
    flooded[5:40, 10:33], flooded[50, 2:50] = True, True
    known = np.ones(z.shape, np.bool_)
    found = shorelines(flooded, known, z)
    block = np.zeros_like(flooded)
    block[5:40, 10:33] = True
    block[6:39, 11:32] = False
    for number, shore in enumerate((block, flooded & (np.arange(60)[:, None] == 50))):
        rows, columns = np.nonzero(shore)
        design = np.stack([rows, columns, np.ones(rows.size)], axis=1).astype(float)
        fitted = design @ np.linalg.lstsq(design, z[shore], rcond=None)[0]
        assert found.shore[number] == rows.size
        assert found.spread[number] == pytest.approx(z[shore].std(), rel=1e-9)
        assert found.off_plane[number] == pytest.approx(np.sqrt(np.mean((z[shore] - fitted) ** 2)), rel=1e-6)


def test_unknown_ground_is_no_shore() -> None:
    z = np.full((40, 40), 10.0)
    flooded, known = np.zeros(z.shape, np.bool_), np.ones(z.shape, np.bool_)
    flooded[:, :20] = True
    known[:, 20:22] = False
    assert shorelines(flooded, known, z).shore.size == 0


# ---- the torch twin


@pytest.mark.parametrize("reach", [1, 3])
def test_torch_twin_is_the_mean_over_the_same_pairs(reach: int) -> None:
    scenes = [scene(seed) for seed in (5, 6)]
    sums = [pair_losses(z, p, reach=reach) for z, p in scenes]
    expected = sum(total.sum() for total, _ in sums) / sum(count.sum() for _, count in sums)
    z, p = (torch.from_numpy(np.stack(arrays)) for arrays in zip(*scenes, strict=True))
    assert torch_loss(p, z, reach=reach).item() == pytest.approx(expected, abs=1e-12)
    assert torch_loss(p.float(), z.float(), reach=reach).item() == pytest.approx(expected, abs=1e-6)


def test_gradients_are_right_and_never_nan() -> None:
    z, p = scene(7, (5, 6))
    wet = torch.from_numpy(p[None]).requires_grad_()
    torch_loss(wet, torch.from_numpy(z[None])).backward()
    assert wet.grad is not None
    assert torch.isfinite(wet.grad).all()
    assert (wet.grad != 0).any()
    whole = torch.from_numpy(np.nan_to_num(p[None], nan=0.5)).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: torch_loss(p, torch.from_numpy(z[None]), reach=2, step=0.5), (whole,))


def test_no_pair_no_loss() -> None:
    flat = torch.full((1, 4, 4), 10.0)
    loss = torch_loss(torch.rand(1, 4, 4, requires_grad=True), flat)
    assert loss.item() == 0.0
