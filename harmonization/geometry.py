"""beta0, sigma0 and gamma0, and where a radar looks from; linear power, angles in degrees.

sigma0 = beta0·sin(theta), gamma0 = sigma0/cos(theta) on the ellipsoid: Small 2011 (TGRS 49(8):3081), section II.
Vectors are (..., 3): east, north, up of the map. A slope is the rise of the ground by metre to the east and north.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

LookSide = Literal["right", "left"]
Real = NDArray[np.floating[Any]]
"""float32 where all inputs are, else float64."""


def sigma0_from_beta0(beta0: ArrayLike, incidence: ArrayLike) -> NDArray[np.float64]:
    """Backscatter per ground area from radar brightness."""
    return np.asarray(beta0, dtype=np.float64) * np.sin(np.deg2rad(incidence))


def gamma0_from_sigma0(sigma0: ArrayLike, incidence: ArrayLike) -> NDArray[np.float64]:
    """Backscatter per area seen from the radar."""
    return np.asarray(sigma0, dtype=np.float64) / np.cos(np.deg2rad(incidence))


def sigma0_from_gamma0(gamma0: ArrayLike, incidence: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `gamma0_from_sigma0` (JAXA mosaics: sigma0 = gamma0·cos(local incidence))."""
    return np.asarray(gamma0, dtype=np.float64) * np.cos(np.deg2rad(incidence))


def look_azimuth(heading: float, side: LookSide) -> float:
    """Degrees clockwise from north in which the radar looks: heading + 90 to the right, heading - 90 to the left."""
    return (heading + (90.0 if side == "right" else -90.0)) % 360.0


def direction_to_sensor(incidence: ArrayLike, azimuth: ArrayLike) -> Real:
    """Unit vector from the ground to the sensor, which looks along `azimuth` and comes down at `incidence`."""
    theta, phi = np.deg2rad(incidence), np.deg2rad(azimuth)
    return _vector(-np.sin(theta) * np.sin(phi), -np.sin(theta) * np.cos(phi), np.cos(theta))


def track_direction(heading: ArrayLike) -> Real:
    """Unit vector along the track, level."""
    return _vector(np.sin(np.deg2rad(heading)), np.cos(np.deg2rad(heading)), np.zeros(np.shape(heading)))


def slant_plane_normal(to_sensor: Real, track: Real) -> Real:
    """Upward normal of the plane of track and line of sight, ±(track × to_sensor) (Ulander 1996, TGRS 34(5))."""
    normal = np.cross(track, to_sensor)
    return np.asarray(np.where(normal[..., 2:] < 0, -normal, normal))


def surface_normal(east: ArrayLike, north: ArrayLike) -> Real:
    """Upward unit normal of ground that rises by `east` and `north` (metres a metre)."""
    upward = _vector(-np.asarray(east), -np.asarray(north), np.ones(()))
    return np.asarray(upward / _steepness(east, north)[..., None])


def range_rise(east: ArrayLike, north: ArrayLike, azimuth: float) -> Real:
    """Rise of the ground (metres a metre) in the direction in which the radar looks: positive where it faces it.

    Its arctangent is the range slope u. NaN stays NaN.
    """
    phi = np.deg2rad(azimuth)
    return np.asarray(np.asarray(east) * float(np.sin(phi)) + np.asarray(north) * float(np.cos(phi)))


def local_incidence(incidence: ArrayLike, east: ArrayLike, north: ArrayLike, azimuth: float) -> Real:
    """Degrees between the normal of the ground and the direction to the sensor; beyond 90 in shadow.

    `incidence`: on the ellipsoid; `east`, `north`: rises; `azimuth`: of the look. cos = (cos theta + sin theta·tan u) /
    |(east, north, 1)|, which is the normal times `direction_to_sensor`. NaN stays NaN.
    """
    theta = np.deg2rad(incidence)
    cosine = np.cos(theta) + np.sin(theta) * range_rise(east, north, azimuth)
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine / _steepness(east, north), -1.0, 1.0))))


def projection_cosine(incidence: ArrayLike, east: ArrayLike, north: ArrayLike, azimuth: float) -> Real:
    """Cosine of the projection angle psi between the normals of ground and slant plane; not positive in layover.

    cos psi = (sin theta - cos theta·tan u) / |(east, north, 1)| (Ulander 1996); on level ground sin theta.
    """
    theta = np.deg2rad(incidence)
    cosine = np.sin(theta) - np.cos(theta) * range_rise(east, north, azimuth)
    return np.asarray(cosine / _steepness(east, north))


def _steepness(east: ArrayLike, north: ArrayLike) -> Real:
    """Length of the normal (-east, -north, 1)."""
    return np.asarray(np.sqrt(1.0 + np.square(east) + np.square(north)))


def _vector(*parts: ArrayLike) -> Real:
    return np.stack(np.broadcast_arrays(*parts), axis=-1)
