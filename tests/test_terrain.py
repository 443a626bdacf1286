"""Slope on both axes, and height above drainage as a factor on the prior (physics.md 9)."""

from __future__ import annotations

import numpy as np
import pytest

from harmonization.evidence import Belief, state_probabilities
from harmonization.land_cover import LandCover
from harmonization.terrain import believed_factor, drainage_prior_factor, prior_log_odds, slope_degrees


def plane(east: float, south: float, pixel: tuple[float, float] = (10.0, 10.0)) -> np.ndarray:
    rows, columns = np.mgrid[0:12, 0:15]
    return (100.0 + south * rows * pixel[0] + east * columns * pixel[1]).astype(np.float32)


@pytest.mark.parametrize(
    ("east", "south", "degrees"),
    [
        # A known defect of another tool: a plane that falls only to the east came out as flat.
        (0.1, 0.0, 5.7106),
        (0.0, 0.1, 5.7106),
        # hypot(0.3, 0.4) = 0.5; arctan 0.5 = 26.565 degrees.
        (0.3, -0.4, 26.5651),
        (0.0, 0.0, 0.0),
    ],
)
def test_slope_of_a_plane(east: float, south: float, degrees: float) -> None:
    assert slope_degrees(plane(east, south), (10.0, 10.0)) == pytest.approx(degrees, abs=1e-3)


def test_slope_takes_pixels_that_are_not_square() -> None:
    pixel = (30.0, 10.0)
    assert slope_degrees(plane(0.1, 0.0, pixel), pixel) == pytest.approx(5.7106, abs=1e-3)
    assert slope_degrees(plane(0.0, 0.1, pixel), pixel) == pytest.approx(5.7106, abs=1e-3)


def test_unknown_elevation_spreads_to_its_neighbours_only() -> None:
    elevation = plane(0.1, 0.0)
    elevation[5, 5] = np.nan
    unknown = np.isnan(slope_degrees(elevation, (10.0, 10.0)))
    assert unknown[4:7, 4:7].sum() == unknown.sum()
    assert unknown[5, 4]
    assert unknown[4, 5]


def test_drainage_factor() -> None:
    # HAND 0, 5, 15 m: sigmoid(5/1.5), sigmoid(0), sigmoid(-10/1.5) (physics.md 9: .966, .5, .0013).
    assert drainage_prior_factor([0.0, 5.0, 15.0]) == pytest.approx([0.966, 0.5, 0.0013], abs=5e-4)


def test_steep_ground_holds_no_water() -> None:
    # At HAND 5 m and 9 degrees: sigmoid(0 - (9 - 5)/2) = 0.1192; up to 5 degrees nothing is taken off.
    assert drainage_prior_factor(5.0, [0.0, 5.0, 9.0]) == pytest.approx([0.5, 0.5, 0.1192], abs=1e-4)


def test_drainage_factor_falls_with_height_and_slope() -> None:
    assert (np.diff(drainage_prior_factor(np.linspace(-2, 60, 50))) < 0).all()
    assert (np.diff(drainage_prior_factor(0.0, np.linspace(5, 40, 50))) < 0).all()


def test_believed_factor_is_a_channel_with_a_floor() -> None:
    """(1 - e)·factor + e: 15 m takes away ln(1/0.0213) = 3.85 nats, and no height more than ln 50."""
    heights = np.array([0.0, 5.0, 15.0, 500.0, np.nan])
    found = believed_factor(drainage_prior_factor(heights), 0.02)
    np.testing.assert_allclose(found, [0.966, 0.51, 0.02125, 0.02, 1.0], atol=1e-3)
    assert np.log(found[3]) == pytest.approx(-np.log(50.0))
    np.testing.assert_allclose(
        believed_factor(drainage_prior_factor(heights), 0.0)[:3], [0.9655, 0.5, 0.00127], atol=1e-4
    )


def test_height_of_crowns_and_roofs_says_nothing() -> None:
    cover = np.array([LandCover.UNKNOWN, LandCover.FOREST, LandCover.URBAN, LandCover.GRASS_CROPS], dtype=np.uint8)
    found = believed_factor(np.full(4, 0.1), 0.0, cover)
    np.testing.assert_allclose(found, [0.1, 1.0, 1.0, 0.1])


def test_prior_is_the_events_times_the_factor() -> None:
    factor = np.array([[1.0, 0.5, 0.02]])
    states = state_probabilities(prior_log_odds(0.03, 0.02, factor))
    np.testing.assert_allclose(states[1], 0.03 * factor, rtol=1e-5)
    np.testing.assert_allclose(states[2], 0.02 * factor, rtol=1e-5)
    np.testing.assert_allclose(prior_log_odds(0.03, 0.02, np.ones(1))[:, 0], Belief().log_odds, rtol=1e-6)
