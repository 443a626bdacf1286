"""Thresholds with a way out where there is no water (physics.md 8)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from harmonization.thresholds import TwoModes, fit_two_modes, water_threshold

Vector = NDArray[np.float64]
WATER, LAND, TOWN = (-19.3, 2.75), (-11.0, 2.5), (-2.0, 1.5)
DARKEST_LAND = -14.0
"""dB: the lower mode of field against town lies above."""


def tile(water_share: float, size: int = 20_000, seed: int = 0) -> Vector:
    """C-VV in dB: Gaussians of water and land (class table), shuffled."""
    rng = np.random.default_rng(seed)
    water = int(size * water_share)
    sample = np.concatenate([rng.normal(*WATER, water), rng.normal(*LAND, size - water)])
    rng.shuffle(sample)
    return sample


def test_two_modes_of_a_scene_with_water() -> None:
    modes = fit_two_modes(tile(0.2))
    assert modes.low == pytest.approx(WATER, abs=0.3)
    assert modes.high == pytest.approx(LAND, abs=0.2)
    assert modes.low_share == pytest.approx(0.2, abs=0.02)
    # sqrt(2) x 8.3/hypot(2.75, 2.5) = 3.16.
    assert modes.ashman == pytest.approx(3.16, abs=0.15)


def test_ashman_by_hand() -> None:
    # sqrt(2) x 3/hypot(1, 1) = 3; modes that stand apart by two deviations have 2.
    assert TwoModes((0.0, 1.0), (3.0, 1.0), 0.5).ashman == pytest.approx(3.0)
    assert TwoModes((2.0, 1.0), (0.0, 1.0), 0.5).ashman == pytest.approx(2.0)


def test_threshold_of_a_scene_with_water() -> None:
    got = water_threshold([tile(0.2)], DARKEST_LAND)
    # physics.md 8: Otsu puts 20 % water at -14.77 dB.
    assert got.value == pytest.approx(-14.77, abs=0.25)
    assert got.tiles == 1
    assert got.note == "median of 1 bimodal tiles of 1"


def test_threshold_is_the_median_of_the_tiles_that_have_water() -> None:
    tiles = [tile(share, seed=seed) for seed, share in enumerate([0.2, 0.0, 0.5, 0.0, 0.3])]
    values = [water_threshold([tiles[index]], DARKEST_LAND).value for index in (0, 2, 4)]
    got = water_threshold(tiles, DARKEST_LAND)
    assert got.tiles == 3
    assert None not in values
    assert got.value == sorted(value for value in values if value is not None)[1]


@pytest.mark.parametrize("seed", range(4))
def test_no_water_in_a_scene_of_land(seed: int) -> None:
    got = water_threshold([tile(0.0, 4000, seed)], DARKEST_LAND)
    assert got.value is None
    assert got.tiles == 0
    assert got.note.startswith("no water here")


def test_a_scene_of_nothing_but_water_is_all_water() -> None:
    """No second mode because there is no land: what is darker than any land is water."""
    got = water_threshold([tile(1.0)], DARKEST_LAND)
    assert got.value == DARKEST_LAND
    assert "all of 1 tiles dark" in got.note


def test_too_little_water_for_a_histogram_is_no_water() -> None:
    # At 3 % Otsu falls into the land, at -11.6 dB (physics.md 8); the share of the mode says so first.
    assert water_threshold([tile(0.03)], DARKEST_LAND).value is None


def test_field_against_town_is_not_water() -> None:
    rng = np.random.default_rng(1)
    sample = np.concatenate([rng.normal(*LAND, 12_000), rng.normal(*TOWN, 8_000)])
    assert fit_two_modes(sample).ashman > 2.0
    assert water_threshold([sample], DARKEST_LAND).value is None
    assert water_threshold([sample], -5.0).value is not None  # the gate alone decides


def test_too_few_samples_say_nothing() -> None:
    got = water_threshold([tile(0.4, 150)], DARKEST_LAND)
    assert got.value is None
    assert got.note == "no water here: none of 0 tiles has a dark second mode"
    assert water_threshold([], DARKEST_LAND).value is None


def test_a_tile_of_one_value_has_no_modes() -> None:
    assert water_threshold([np.full(500, -8.0)], DARKEST_LAND).value is None
