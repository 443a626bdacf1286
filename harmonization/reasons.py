"""Why a sensor says nothing, or less, about a pixel: one flag set, used everywhere."""

from __future__ import annotations

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray


class Reason(IntFlag):
    """Bits of the `exclusion` layer, one band a sensor (uint16)."""

    CLOUD = 1
    CLOUD_SHADOW = 2
    RADAR_SHADOW = 4
    LAYOVER = 8
    URBAN = 16
    DENSE_VEGETATION = 32
    SMOOTH_DRY = 64
    """Open water and smooth dry ground look alike here: the evidence is near zero, not water."""
    SNOW_OR_FROZEN = 128
    WIND = 256
    UNKNOWN_ANGLE = 512
    """No incidence angle in the product: class means are marginalized over the range of the mode."""
    BORDER_NOISE = 1024
    OUTSIDE_SWATH = 2048
    """No sample: outside the footprint, fill, or zero-filled radar."""
    NO_SCENE = 4096
    """The sensor has no scene of this window."""
    SUN_GLINT = 8192
    """The sun may mirror itself in water here: optical evidence counts for less."""
    OUTSIDE_MODEL = 16384
    """Incidence outside of the range of the class means, whose spread grows there so that evidence weakens by itself;
    or a slope too steep for facets, which is flagged only."""
    DARK = 32768
    """Too dark for its classification to name: shadow or water. Optical evidence counts for less."""


BLINDING = (
    Reason.CLOUD
    | Reason.CLOUD_SHADOW
    | Reason.RADAR_SHADOW
    | Reason.LAYOVER
    | Reason.SNOW_OR_FROZEN
    | Reason.BORDER_NOISE
    | Reason.OUTSIDE_SWATH
    | Reason.NO_SCENE
)
"""Reasons that take the evidence away altogether; the others weaken or flag it."""

DOUBT = {Reason.SUN_GLINT: 0.2, Reason.DARK: 0.2, Reason.OUTSIDE_MODEL: 0.1}
"""Crossover probability that a reason brings to the evidence where it is summed [M]; the layer itself stays raw."""


def doubt_of(reasons: NDArray[np.uint16]) -> NDArray[np.float32]:
    """(y, x) crossover probability that the reasons of a sensor bring: the largest of them, 0 where there is none."""
    crossover = np.zeros(reasons.shape, dtype=np.float32)
    for reason, share in DOUBT.items():
        given = (reasons & np.uint16(reason)) != 0
        crossover[given] = np.maximum(crossover[given], np.float32(share))
    return crossover
