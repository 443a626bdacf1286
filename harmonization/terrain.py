"""Slope and height above drainage: what the ground says about flooding before any sensor looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harmonization.land_cover import LandCover

HALF_HEIGHT = 5.0
"""m of height above nearest drainage at which the prior factor is one half [M]."""
HEIGHT_WIDTH = 1.5
"""m over which it falls [M]."""
STEEP = 5.0
"""Degrees of slope above which standing water grows unlikely [M]."""
HEIGHT_DOUBT = 0.02
"""Probability that the height says nothing: errors of the elevation model, canopy taken for ground, rain that stands on
a slope, a dam that broke above [M]. The height alone is so worth at most ln 50 = 3.9 nats, as a sensor is."""
COVERED_GROUND = (LandCover.FOREST, LandCover.URBAN)
"""Covers whose height in a surface model (Copernicus DEM, AW3D30) is that of crowns and roofs."""


def slope_degrees(elevation: NDArray[np.float32], pixel: tuple[float, float]) -> NDArray[np.float32]:
    """Slope of (y, x) elevation in m from both axes; `pixel` is (height, width) in m; NaN spreads to its neighbours."""
    down, across = np.gradient(elevation.astype(np.float64), pixel[0], pixel[1])
    return np.asarray(np.rad2deg(np.arctan(np.hypot(down, across))), dtype=np.float32)


def drainage_prior_factor(
    height_above_drainage: ArrayLike,
    slope: ArrayLike = 0.0,
    half_height: float = HALF_HEIGHT,
    width: float = HEIGHT_WIDTH,
) -> NDArray[np.float64]:
    """Factor on the event's prior: sigmoid((h0 - HAND)/w - max(0, slope - 5°)/2); NaN where either is NaN.

    `height_above_drainage` in m (Rennó 2008, Remote Sensing of Environment 112(9); Nobre 2011, Journal of Hydrology
    404), `slope` in degrees, h0 `half_height` and w `width` in m. For floods of rivers: it says nothing of rain that
    stands where it fell, of the sea's surge, and of the height of a dam's wave.
    """
    height = np.asarray(height_above_drainage, dtype=np.float64)
    penalty = np.maximum(0.0, np.asarray(slope, dtype=np.float64) - STEEP) / 2.0
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-((half_height - height) / width - penalty))))


def believed_factor(
    factor: ArrayLike, doubt: float = HEIGHT_DOUBT, cover: NDArray[np.uint8] | None = None
) -> NDArray[np.float64]:
    """The factor as far as a height is believed: (1 - e)·factor + e, and 1 where it is not known.

    `factor` (y, x), NaN where height or slope is not known. `cover`: land cover codes; where it is forest or town the
    height may be that of crowns and roofs, and is not used: a flooded forest would be lost by its own height.
    """
    known = np.asarray(factor, dtype=np.float64)
    believed = np.where(np.isnan(known), 1.0, (1.0 - doubt) * known + doubt)
    return believed if cover is None else np.where(np.isin(cover, COVERED_GROUND), 1.0, believed)


def prior_log_odds(water: float, vegetation: float, factor: NDArray[np.float64]) -> NDArray[np.float32]:
    """(2, y, x) log-odds of open water and flooded vegetation against dry, before any sensor: p0 = p_event·factor.

    `water` and `vegetation`: probabilities of the event where the ground says nothing; what the `factor` (y, x), in
    (0, 1], takes from them goes to dry.
    """
    wet = np.array([water, vegetation]).reshape(2, *[1] * factor.ndim) * factor
    return np.asarray(np.log(wet / (1.0 - wet.sum(axis=0))), dtype=np.float32)
