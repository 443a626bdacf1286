"""Where a place on the ground lies in an image in radar geometry: a spline through its tie points.

The spline runs over a plane that touches the Earth in the middle of the tie points (orthographic), so that the
antimeridian and high latitudes are places like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

Real = NDArray[np.float64]

LEAST_TIE_POINTS = 4
HORIZON = np.cos(np.radians(60.0))
"""Cosine of the distance from the middle beyond which a place is nowhere in the image."""
STEP = 2.0**20
"""Steps to a pixel that a position is rounded to: a spline's last bits depend on how many places it is asked for at
once, and neighbouring units must agree in all of them."""
_UNIT = 64.0
"""Units to an Earth radius: about 100 km, so that the spline's numbers are of like size."""


@dataclass(frozen=True, eq=False)
class TiePoints:
    """Samples of an image whose places are known; all (points,)."""

    line: Real
    """Index of the sample: 0 is the middle of the first."""
    pixel: Real
    longitude: Real
    """Degrees, of any turn."""
    latitude: Real
    shift: Real
    """Metres on the ground by which the height of the point moves it towards the sensor: height / tan(incidence)."""


@dataclass(frozen=True, eq=False)
class Geolocation:
    """The thin-plate spline of an image: as GDAL's, but over a plane of metres instead of degrees."""

    longitude: float
    """Of the point where the plane touches."""
    latitude: float
    spline: RBFInterpolator

    def locate(self, longitude: Real, latitude: Real) -> tuple[Real, Real, Real]:
        """Line, pixel and shift (see `TiePoints`) of places in degrees; NaN far beyond the image.

        Lines and pixels are indices of samples, in fractions, and may lie outside of the image.
        """
        x, y, near = _plane(longitude, latitude, self.longitude, self.latitude)
        found = np.full((3, *np.shape(longitude)), np.nan)
        if near.any():
            values = self.spline(np.stack([x[near], y[near]], axis=1)).T
            found[:, near] = np.round(values * STEP) / STEP
        return found[0], found[1], found[2]


def geolocation(points: TiePoints) -> Geolocation:
    """The spline through tie points. Raises ValueError where they do not span an area."""
    if points.line.size < LEAST_TIE_POINTS:
        raise ValueError(f"{points.line.size} tie points; at least {LEAST_TIE_POINTS} are needed")
    longitude, latitude = _middle(points.longitude, points.latitude)
    x, y, near = _plane(points.longitude, points.latitude, longitude, latitude)
    places = np.stack([x, y], axis=1)
    # Points on a line or one on the other leave the spline undetermined.
    spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    if not near.all() or spread[1] < 1e-9 * max(float(spread[0]), 1e-9) or len(np.unique(places, axis=0)) < len(places):
        raise ValueError("tie points that lie on a line, on each other or half a world apart")
    values = np.stack([points.line, points.pixel, points.shift], axis=1)
    return Geolocation(longitude, latitude, RBFInterpolator(places, values, kernel="thin_plate_spline", degree=1))


def terrain_shift(height: Real, incidence: Real) -> Real:
    """Metres on the ground by which a height moves a sample towards the sensor: height / tan(incidence).

    For a plane Earth and a straight wave front; at 1000 m the curvature of both leaves under a metre. Layover and
    shadow are beyond it.
    """
    return np.asarray(height / np.tan(np.radians(incidence)))


def _middle(longitude: Real, latitude: Real) -> tuple[float, float]:
    """Longitude and latitude of the mean direction."""
    turn, rise = np.radians(longitude), np.radians(latitude)
    direction = np.stack([np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)]).mean(axis=1)
    x, y, z = direction
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def _plane(
    longitude: Real, latitude: Real, middle_longitude: float, middle_latitude: float
) -> tuple[Real, Real, NDArray[np.bool_]]:
    """East and north on the plane that touches in the middle, and whether a place is near enough to have one."""
    turn, rise, tilt = np.radians(longitude - middle_longitude), np.radians(latitude), np.radians(middle_latitude)
    east = np.cos(rise) * np.sin(turn)
    north = np.cos(tilt) * np.sin(rise) - np.sin(tilt) * np.cos(rise) * np.cos(turn)
    cosine = np.sin(tilt) * np.sin(rise) + np.cos(tilt) * np.cos(rise) * np.cos(turn)
    return _UNIT * east, _UNIT * north, np.asarray(cosine > HORIZON)
