"""Sun glint: where water may mirror the sun, and then looks as bright as land."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harmonization.bundle import Flags, Float
from harmonization.reasons import Reason

GLINT_ANGLE = 30.0
"""Degrees between view and mirrored sun below which wind-roughened water may glint [M]: slopes up to 15°, three
standard deviations at 5 m/s (Cox and Munk 1954)."""
LEAST_GLINTING_INDEX = -0.2
"""Glint adds the same reflectance to all bands: it takes an index of water towards zero and not below. What lies well
below zero is land."""


def glint_angle(
    sun_zenith: ArrayLike, view_zenith: ArrayLike, sun_azimuth: ArrayLike, view_azimuth: ArrayLike
) -> NDArray[np.float64]:
    """Degrees between the view and the sun's mirror image in calm water; arrays that broadcast, NaN stays NaN.

    cos = cos(ts)·cos(tv) - sin(ts)·sin(tv)·cos(dphi). Azimuths point from the ground to the sun and to the satellite:
    with the satellite on the sun's own side (dphi = 0) the mirror image is farthest away.
    """
    sun, view = np.deg2rad(sun_zenith), np.deg2rad(view_zenith)
    between = np.deg2rad(np.asarray(sun_azimuth, dtype=np.float64) - np.asarray(view_azimuth, dtype=np.float64))
    cosine = np.cos(sun) * np.cos(view) - np.sin(sun) * np.sin(view) * np.cos(between)
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))


def glint_reasons(angle: ArrayLike, index: Float) -> Flags:
    """`SUN_GLINT` where the glint angle allows it and the NDWI (y, x) may be that of glinting water.

    `angle` in degrees, a scalar or (y, x); NaN (not known) flags nothing. Pixels without an index are not flagged.
    """
    with np.errstate(invalid="ignore"):
        glints = (np.asarray(angle) < GLINT_ANGLE) & (index > LEAST_GLINTING_INDEX)
    return np.where(glints, np.uint16(Reason.SUN_GLINT), np.uint16(0)).astype(np.uint16)
