"""Where a radar looks from, and flattening by facets: against vectors, closed forms and an independent library."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harmonization.flattening import (
    STEEPEST,
    active_layover,
    active_shadow,
    flatten_factor,
    flatten_valid,
    gamma0_terrain,
    sigma0_terrain,
    terrain_rise,
)
from harmonization.geometry import (
    LookSide,
    direction_to_sensor,
    gamma0_from_sigma0,
    local_incidence,
    look_azimuth,
    projection_cosine,
    range_rise,
    sigma0_from_beta0,
    slant_plane_normal,
    surface_normal,
    track_direction,
)

ANGLES, SLOPES, HEADINGS = st.floats(15.0, 60.0), st.floats(-1.5, 1.5), st.floats(0.0, 360.0)
SIDES = st.sampled_from(["right", "left"])


def degrees(slope: float) -> float:
    return float(np.degrees(np.arctan(slope)))


@given(ANGLES, SLOPES, SLOPES, HEADINGS, SIDES)
def test_angles_are_those_between_the_vectors(
    theta: float, east: float, north: float, heading: float, side: LookSide
) -> None:
    azimuth = look_azimuth(heading, side)
    sensor, track, ground = direction_to_sensor(theta, azimuth), track_direction(heading), surface_normal(east, north)
    plane = slant_plane_normal(sensor, track)
    for vector in (sensor, track, ground, plane):
        assert np.linalg.norm(vector) == pytest.approx(1.0)
    assert sensor @ track == pytest.approx(0.0, abs=1e-12)
    assert plane @ track == pytest.approx(0.0, abs=1e-12)
    assert plane[2] > 0
    place = theta, east, north, azimuth
    assert np.cos(np.radians(local_incidence(*place))) == pytest.approx(ground @ sensor, abs=1e-12)
    assert projection_cosine(*place) == pytest.approx(ground @ plane, abs=1e-12)
    beta = gamma0_terrain(1.0, *place)
    if ground @ plane > 1e-6 and ground @ sensor > 1e-6:
        assert beta == pytest.approx((ground @ plane) / (ground @ sensor), rel=1e-6)
        assert sigma0_terrain(1.0, *place) == pytest.approx(ground @ plane, abs=1e-12)


@pytest.mark.parametrize(
    ("heading", "side", "azimuth", "angle"),
    [
        (347.0, "right", 77.0, 28.830919),
        (193.0, "right", 283.0, 48.287700),
        (347.0, "left", 257.0, 48.287700),
        (350.0, "left", 260.0, 48.374),
        (193.0, "left", 103.0, 28.830919),
    ],
    ids=["ascending", "descending", "ascending left", "350 left", "descending left"],
)
def test_a_slope_that_rises_to_the_east_by_pass_and_side(
    heading: float, side: LookSide, azimuth: float, angle: float
) -> None:
    """10° of slope at 38.5°: a radar that looks east sees it from the front, one that looks west from behind."""
    assert look_azimuth(heading, side) == pytest.approx(azimuth)
    assert local_incidence(38.5, 0.176327, 0.0, azimuth) == pytest.approx(angle, abs=5e-4)


@given(ANGLES, st.floats(-80.0, 80.0), SLOPES, HEADINGS)
def test_flattening_of_a_plane_is_the_closed_form(theta: float, slope: float, along: float, azimuth: float) -> None:
    """tan(theta - u) / tan(theta) whatever the slope along the track, NaN exactly where the own slope hides it."""
    phi, away = np.radians(azimuth), np.tan(np.radians(slope))
    east, north = away * np.sin(phi) - along * np.cos(phi), away * np.cos(phi) + along * np.sin(phi)
    assert degrees(float(range_rise(east, north, azimuth))) == pytest.approx(slope, abs=1e-9)
    if min(abs(slope - theta), abs(slope - theta + 90.0)) < 1e-6:
        return
    found = flatten_factor(theta, east, north, azimuth)
    hidden = slope > theta or slope < theta - 90.0
    assert bool(np.isnan(found)) == hidden
    assert bool(active_layover(theta, east, north, azimuth)) == (slope > theta)
    assert bool(active_shadow(theta, east, north, azimuth)) == (slope < theta - 90.0)
    if not hidden:
        expected = np.tan(np.radians(theta - slope)) / np.tan(np.radians(theta))
        assert found == pytest.approx(expected, rel=1e-6)


@given(ANGLES, HEADINGS, st.floats(-1.0, 1.0))
def test_level_ground_and_slopes_along_the_track_stay_as_they_are(theta: float, heading: float, slope: float) -> None:
    azimuth = look_azimuth(heading, "right")
    assert flatten_factor(theta, 0.0, 0.0, azimuth) == 1.0
    assert local_incidence(theta, 0.0, 0.0, azimuth) == pytest.approx(theta, abs=1e-6)
    level = gamma0_from_sigma0(sigma0_from_beta0(0.2, theta), theta)
    assert gamma0_terrain(0.2, theta, 0.0, 0.0, azimuth) == pytest.approx(level)
    east, north = slope * track_direction(heading)[:2]
    assert 10 * np.log10(flatten_factor(theta, east, north, azimuth)) == pytest.approx(0.0, abs=1e-10)


def test_facets_hold_up_to_fifteen_degrees_in_any_direction() -> None:
    gentle, steep = np.tan(np.radians([STEEPEST - 0.1, STEEPEST + 0.1]))
    for azimuth in (0.0, 77.0, 283.0):
        assert flatten_valid(38.5, gentle, 0.0, azimuth)
        assert not flatten_valid(38.5, steep, 0.0, azimuth)
        assert not flatten_valid(38.5, gentle, gentle, azimuth)
        assert np.isfinite(flatten_factor(38.5, steep, 0.0, azimuth)), "flagged, and still given"
    assert not flatten_valid(38.5, np.nan, 0.0, 77.0)
    assert not flatten_valid(10.0, gentle, 0.0, 90.0), "layover at a steep look"


@pytest.mark.parametrize("pixel", [(10.0, 10.0), (12.0, 7.0)])
def test_rise_of_a_plane_is_its_own(pixel: tuple[float, float]) -> None:
    rows, columns = np.mgrid[0:6, 0:9]
    plane = (100.0 + 0.1 * columns * pixel[1] + 0.2 * rows * pixel[0]).astype(np.float32)
    east, north = terrain_rise(plane, pixel)
    assert east.dtype == north.dtype == np.float32
    assert east.shape == (4, 7)
    np.testing.assert_allclose(east, 0.1, atol=2e-6)
    np.testing.assert_allclose(north, -0.2, atol=2e-6)


def test_rise_is_that_of_the_weighted_window_and_unknown_next_to_unknown_only() -> None:
    elevation = np.random.default_rng(0).normal(0, 5, (12, 14)).astype(np.float32)
    elevation[5, 6] = np.nan
    east, north = terrain_rise(elevation, (10.0, 20.0))
    weights = np.outer([1, 2, 1], [-1, 0, 1])
    for row in range(10):
        for column in range(12):
            window = elevation[row : row + 3, column : column + 3].astype(float)
            expected = (weights * window).sum() / (8 * 20.0), (-weights.T * window).sum() / (8 * 10.0)
            np.testing.assert_allclose([east[row, column], north[row, column]], expected, atol=1e-5)
    unknown = np.zeros((10, 12), bool)
    unknown[3:6, 4:7] = True
    assert np.array_equal(np.isnan(east), unknown)
    assert np.array_equal(np.isnan(north), unknown)


def test_unknown_in_unknown_there_only_and_single_precision_stays() -> None:
    theta = np.full((2, 3), 38.5, np.float32)
    east, north = np.full((2, 3), 0.1, np.float32), np.full((2, 3), -0.05, np.float32)
    theta[0, 0], east[0, 1], north[1, 2] = np.nan, np.nan, np.nan
    unknown = np.isnan(theta) | np.isnan(east) | np.isnan(north)
    for function in (flatten_factor, local_incidence, projection_cosine):
        found = function(theta, east, north, 77.0)
        assert found.dtype == np.float32
        assert np.array_equal(np.isnan(found), unknown)
    for test in (active_layover, active_shadow, flatten_valid):
        assert not test(theta, east, north, 77.0)[unknown].any()


def sarsen_scene() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("sarsen.scene")


@pytest.mark.parametrize("slopes", [(0.0, 0.0), (0.17, 0.0), (-0.2, 0.1), (0.05, -0.25)])
@pytest.mark.parametrize("heading", [347.0, 193.0])
def test_areas_of_sarsen_on_planes_are_our_cosines(slopes: tuple[float, float], heading: float) -> None:
    """A_gamma / A_beta of the range–Doppler library's facets is cos(theta_loc) / cos(psi)."""
    scene = sarsen_scene()
    import xarray

    side, step, centre = 6, 10.0, 6_371_000.0
    axis = step * np.arange(side)
    x, y = np.meshgrid(axis, axis)
    places = np.stack([x, y, centre + slopes[0] * x + slopes[1] * y])
    dem = xarray.DataArray(places, dims=("axis", "y", "x"), coords={"axis": range(3), "y": axis, "x": axis})
    area: NDArray[np.float64] = scene.compute_dem_oriented_area(dem).transpose("y", "x", "axis").values
    azimuth = look_azimuth(heading, "right")
    sensor = direction_to_sensor(38.5, azimuth)
    ratio = (area @ sensor) / (area @ slant_plane_normal(sensor, track_direction(heading)))
    place = 38.5, *slopes, azimuth
    ours = np.cos(np.radians(local_incidence(*place))) / projection_cosine(*place)
    np.testing.assert_allclose(ratio, ours, rtol=1e-9)
    np.testing.assert_allclose(1.0 / ratio, gamma0_terrain(1.0, *place), rtol=1e-9)
