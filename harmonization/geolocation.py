"""Where a place on the ground lies in an image in radar geometry: a thin-plate spline through its tie points.

The spline runs over longitude and latitude in degrees, as GDAL's does (gdalwarp -tps), so that both give the same
place; longitudes are counted from the middle of the image, so that the antimeridian is a place like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

Real = NDArray[np.float64]

LEAST_TIE_POINTS = 4
STEP = 2.0**20
"""Steps to a pixel that a position is rounded to: a spline's last bits depend on how many places it is asked for at
once, and neighbouring units must agree in all of them."""


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
    """The spline of an image."""

    longitude: float
    """Of the middle: the spline knows the half turn on either side of it."""
    spline: RBFInterpolator

    def locate(self, longitude: Real, latitude: Real) -> tuple[Real, Real, Real]:
        """Line, pixel and shift (see `TiePoints`) of places in degrees.

        Lines and pixels are indices of samples, in fractions, and may lie outside of the image.
        """
        places = np.stack([_from(self.longitude, longitude).ravel(), np.ravel(latitude)], axis=1)
        values = np.round(self.spline(places) * STEP) / STEP
        line, pixel, shift = values.T.reshape(3, *np.shape(longitude))
        return line, pixel, shift


def geolocation(points: TiePoints) -> Geolocation:
    """The spline through tie points. Raises ValueError where they do not span an area."""
    if points.line.size < LEAST_TIE_POINTS:
        raise ValueError(f"{points.line.size} tie points; at least {LEAST_TIE_POINTS} are needed")
    turn = np.exp(1j * np.radians(points.longitude)).mean()
    middle = float(np.degrees(np.angle(turn)))
    places = np.stack([_from(middle, points.longitude), points.latitude], axis=1)
    # Points on a line or one on the other leave the spline undetermined.
    spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    if spread[1] < 1e-6 * spread[0] or len(np.unique(places, axis=0)) < len(places):
        raise ValueError("tie points that lie on a line or on each other")
    values = np.stack([points.line, points.pixel, points.shift], axis=1)
    return Geolocation(middle, RBFInterpolator(places, values, kernel="thin_plate_spline", degree=1))


def terrain_shift(height: Real, incidence: Real) -> Real:
    """Metres on the ground by which a height moves a sample towards the sensor: height / tan(incidence).

    For a plane Earth and a straight wave front; at 1000 m the curvature of both leaves under a metre. Layover and
    shadow are beyond it.
    """
    return np.asarray(height / np.tan(np.radians(incidence)))


def _from(middle: float, longitude: Real) -> Real:
    """Degrees east of the middle, between -180 and 180."""
    return np.asarray((longitude - middle + 180.0) % 360.0 - 180.0)
