"""Slope and height above drainage: what the ground says about flooding before any sensor looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

HALF_HEIGHT = 5.0
"""m of height above nearest drainage at which the prior factor is one half."""
HEIGHT_WIDTH = 1.5
"""m over which it falls."""
STEEP = 5.0
"""Degrees of slope above which standing water grows unlikely."""


def slope_degrees(elevation: NDArray[np.float32], pixel: tuple[float, float]) -> NDArray[np.float32]:
    """Slope of (y, x) elevation in m from both axes; `pixel` is (height, width) in m; NaN spreads to its neighbours."""
    down, across = np.gradient(elevation.astype(np.float64), pixel[0], pixel[1])
    return np.asarray(np.rad2deg(np.arctan(np.hypot(down, across))), dtype=np.float32)


def drainage_prior_factor(height_above_drainage: ArrayLike, slope: ArrayLike = 0.0) -> NDArray[np.float64]:
    """Factor on the event's prior: sigmoid((h0 - HAND)/w - max(0, slope - 5°)/2). HAND: Renno 2008, Nobre 2011."""
    height = np.asarray(height_above_drainage, dtype=np.float64)
    penalty = np.maximum(0.0, np.asarray(slope, dtype=np.float64) - STEEP) / 2.0
    return np.asarray(1.0 / (1.0 + np.exp(-((HALF_HEIGHT - height) / HEIGHT_WIDTH - penalty))))
