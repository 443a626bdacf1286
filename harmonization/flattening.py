"""Radiometric terrain flattening by facets: backscatter per area seen from the radar, on the ground as it lies.

    gamma0_T = beta0·cos psi / cos theta_loc      (Ulander 1996, TGRS 34(5); Small 2011, TGRS 49(8):3081, one facet)

With u the range slope that is gamma0_T = beta0·tan(theta - u): a slope along the track changes nothing. One sample is
taken to show one facet. Where many fold into one (layover) or none is lit (shadow) there is no gamma0, and beyond
`STEEPEST` neighbouring facets share samples: there only the sum over all facets of a sample is right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harmonization.geometry import Real, projection_cosine, range_rise

Float = NDArray[np.float32]

STEEPEST = 15.0
"""Degrees of slope up to which a facet stands for its sample [M] (reference note, section 3)."""


def terrain_rise(elevation: Float, pixel: tuple[float, float]) -> tuple[Float, Float]:
    """Rise to the east and to the north (metres a metre) of (y, x) elevation in metres (Horn 1981, Proc. IEEE 69:14).

    Two rows or columns apart, the middle one of three counting twice: on a plane exact, and on a noisy elevation 0.61
    of the noise of plain central differences. `pixel`: height and width in metres; rows go south. One pixel narrower on
    every side, (y - 2, x - 2), so that nothing is guessed at the rim. NaN where any of the nine pixels is NaN.
    """
    rows = elevation[:-2] + 2.0 * elevation[1:-1] + elevation[2:]
    columns = elevation[:, :-2] + 2.0 * elevation[:, 1:-1] + elevation[:, 2:]
    middle = elevation[1:-1, 1:-1] * 0.0
    east = (rows[:, 2:] - rows[:, :-2]) / np.float32(8.0 * pixel[1]) + middle
    north = (columns[:-2] - columns[2:]) / np.float32(8.0 * pixel[0]) + middle
    unknown = np.isnan(east) | np.isnan(north)
    return np.where(unknown, np.float32(np.nan), east), np.where(unknown, np.float32(np.nan), north)


def gamma0_terrain(beta0: ArrayLike, incidence: ArrayLike, east: ArrayLike, north: ArrayLike, azimuth: float) -> Real:
    """Flattened gamma0 from radar brightness; NaN in layover and shadow. Range of validity: `flatten_valid`."""
    return np.asarray(beta0) * np.tan(np.deg2rad(incidence)) * flatten_factor(incidence, east, north, azimuth)


def sigma0_terrain(beta0: ArrayLike, incidence: ArrayLike, east: ArrayLike, north: ArrayLike, azimuth: float) -> Real:
    """Backscatter per area of the slope, beta0·cos psi; NaN in layover and shadow. Validity: `flatten_valid`."""
    cosine = projection_cosine(incidence, east, north, azimuth)
    return np.asarray(beta0) * np.where(_lit(incidence, east, north, azimuth), cosine, np.nan)


def flatten_factor(incidence: ArrayLike, east: ArrayLike, north: ArrayLike, azimuth: float) -> Real:
    """gamma0_T / gamma0_E: what gamma0 of the ellipsoid, and its noise, are multiplied by.

    `incidence`: degrees on the ellipsoid; `east`, `north`: rises (metres a metre); `azimuth`: of the look, degrees.
    tan(theta - u) / tan theta; 1 on level ground; NaN in layover, shadow, and where the slope is not known. Range of
    validity: `flatten_valid`.
    """
    tangent, rise = np.tan(np.deg2rad(incidence)), range_rise(east, north, azimuth)
    facing, away = 1.0 - rise / tangent, 1.0 + rise * tangent
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where((facing > 0) & (away > 0), facing / away, np.nan), dtype=np.result_type(facing))


def flatten_valid(incidence: ArrayLike, east: ArrayLike, north: ArrayLike, azimuth: float) -> NDArray[np.bool_]:
    """Where the facet formula holds: slopes below `STEEPEST` in every direction, lit and not folded."""
    gentle = np.square(east) + np.square(north) < np.tan(np.deg2rad(STEEPEST)) ** 2
    return np.asarray(gentle & _lit(incidence, east, north, azimuth))


def active_layover(incidence: ArrayLike, east: ArrayLike, north: ArrayLike, azimuth: float) -> NDArray[np.bool_]:
    """Ground that faces the radar more steeply than its wave front lies: u >= theta. False where unknown."""
    return np.asarray(range_rise(east, north, azimuth) >= np.tan(np.deg2rad(incidence)))


def active_shadow(incidence: ArrayLike, east: ArrayLike, north: ArrayLike, azimuth: float) -> NDArray[np.bool_]:
    """Ground that falls away more steeply than the radar looks down: u <= theta - 90. False where unknown."""
    return np.asarray(range_rise(east, north, azimuth) * np.tan(np.deg2rad(incidence)) <= -1.0)


def _lit(incidence: ArrayLike, east: ArrayLike, north: ArrayLike, azimuth: float) -> NDArray[np.bool_]:
    """Neither layover nor shadow of its own slope, and known."""
    tangent, rise = np.tan(np.deg2rad(incidence)), range_rise(east, north, azimuth)
    return np.asarray((rise < tangent) & (rise * tangent > -1.0))
