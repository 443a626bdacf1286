"""Slopes from data: regression, robust slope, shrinkage, guards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harmonization.slope import PRIOR_ERROR, estimate_slope, robust_slope, shrunk_slope, slope_regression

ANGLES = np.array([30.0, 33.0, 36.0, 39.0, 42.0, 45.0])


def test_regression_against_the_formulas() -> None:
    """Slow and obvious: the normal equations, s² with n - 2, and the exponent on 10·log10 cos."""
    levels = -15.0 - 0.4 * (ANGLES - 38.5) + np.array([0.2, -0.3, 0.1, 0.25, -0.2, -0.05])
    found = slope_regression(ANGLES, levels)
    x = ANGLES - 38.5
    slope = ((x - x.mean()) * (levels - levels.mean())).sum() / ((x - x.mean()) ** 2).sum()
    level = levels.mean() - slope * x.mean()
    residual = levels - level - slope * x
    error = np.sqrt(residual @ residual / 4 / ((x - x.mean()) ** 2).sum())
    assert (found.slope, found.level, found.error, found.count) == pytest.approx((slope, level, error, 6))
    powers = 10 * np.log10(np.cos(np.radians(ANGLES)))
    assert found.exponent == pytest.approx(np.polyfit(powers, levels, 1)[0])


@given(slope=st.floats(-1, 0.5), level=st.floats(-40, 5))
def test_a_straight_line_is_found_as_it_is(slope: float, level: float) -> None:
    for fit in (slope_regression, robust_slope):
        found = fit(ANGLES, level + slope * (ANGLES - 38.5))
        assert (found.slope, found.level) == pytest.approx((slope, level), abs=1e-9)
        assert found.error == pytest.approx(0.0, abs=1e-9)


def test_one_wild_date_does_not_move_the_robust_slope() -> None:
    rng = np.random.default_rng(1)
    angles = np.tile(ANGLES, 4)
    levels = -12.0 - 0.13 * (angles - 38.5) + rng.normal(0, 0.2, angles.size)
    levels[[0, 6]] += 8.0  # a flooded marsh at 30 degrees, twice
    robust, least_squares = robust_slope(angles, levels), slope_regression(angles, levels)
    assert abs(robust.slope + 0.13) < 0.03
    assert abs(least_squares.slope + 0.13) > 0.06


@pytest.mark.parametrize("fit", [slope_regression, robust_slope])
def test_standard_errors_are_those_of_repeated_draws(fit: object) -> None:
    assert callable(fit)
    rng = np.random.default_rng(2)
    angles = np.tile(ANGLES, 5)
    found = [fit(angles, -0.4 * angles + rng.normal(0, 0.5, angles.size)) for _ in range(300)]
    spread = np.std([one.slope for one in found])
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.2)


def test_unknown_samples_are_left_out_and_too_few_are_refused() -> None:
    whole = slope_regression(ANGLES, -ANGLES)
    assert slope_regression([*ANGLES, 50.0, np.nan], [*-ANGLES, np.nan, 3.0]) == whole
    for angles in ([30.0, 40.0], [38.0, 38.0, 38.0], [30.0, 40.0, np.nan]):
        with pytest.raises(ValueError, match="expected 3, apart"):
            slope_regression(angles, np.zeros(3) if len(angles) == 3 else np.zeros(2))


def test_shrinkage_weighs_by_the_errors() -> None:
    """(b/se² + b0/sp²)/(1/se² + 1/sp²): with se = sp half way; exact data win; useless data leave the prior."""
    assert shrunk_slope(-0.30, 0.05, -0.13) == pytest.approx((-0.215, 0.05 / np.sqrt(2)))
    assert shrunk_slope(-0.30, 0.0, -0.13)[0] == pytest.approx(-0.30)
    assert shrunk_slope(-0.30, 50.0, -0.13) == pytest.approx((-0.13, PRIOR_ERROR), rel=1e-4)


def stack(rng: np.random.Generator, slope: float, angles: list[float], pieces: int = 5) -> dict[str, np.ndarray]:
    """Levels of several pieces of ground, 3 dB apart, each seen once from every orbit."""
    piece, orbit = (axis.ravel() for axis in np.indices((pieces, len(angles))))
    angle = np.asarray(angles)[orbit] + 0.3 * piece
    level = -12.0 + rng.normal(0, 3, pieces)[piece] + slope * (angle - 38.5) + rng.normal(0, 0.2, piece.size)
    return {"incidence": angle, "level": level, "ground": piece, "orbit": orbit}


def test_four_orbits_move_the_slope_to_what_they_show() -> None:
    found = estimate_slope(**stack(np.random.default_rng(3), -0.30, [31.0, 35.0, 40.0, 44.0]), prior=-0.13)
    assert found.reason == ""
    assert found.count == 20
    assert found.slope == pytest.approx(-0.30, abs=0.03)
    assert 0.005 < found.error < 0.03


def test_differences_of_the_ground_are_no_slope() -> None:
    """A bright piece seen steeply and a dark one seen flatly, nothing changing with the angle in either."""
    angle = np.array([30.0, 33.0, 38.5, 36.0, 41.0, 45.0])
    level = np.array([-8.0, -8.0, -8.0, -15.0, -15.0, -15.0])
    found = estimate_slope(angle, level, [0, 0, 0, 1, 1, 1], [1, 2, 3, 1, 2, 3], prior=0.0)
    assert found.slope == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("angles", "reason"),
    [([31.0, 44.0], "2 orbits: at least 3 are needed"), ([36.0, 38.0, 40.0, 42.0], "angles span 6.0 degrees")],
)
def test_too_little_leaves_the_prior_and_says_why(angles: list[float], reason: str) -> None:
    found = estimate_slope(**stack(np.random.default_rng(4), -0.30, angles), prior=-0.13)
    assert (found.slope, found.error, found.count) == (-0.13, PRIOR_ERROR, 0)
    assert reason in found.reason


def test_orbits_that_share_no_ground_leave_the_prior() -> None:
    """A wide range of angles over the area is none over any piece of ground."""
    found = estimate_slope([30.0, 38.0, 45.0], [-10.0, -12.0, -14.0], [0, 1, 2], [1, 2, 3], prior=-0.13)
    assert (found.slope, found.reason) == (-0.13, "angles span 0.0 degrees: at least 8 are needed")
