"""Stages of the ground: slope, the prior by height above drainage, and the score of level water.

Height above drainage itself is no stage by pixel: it is computed once for a basin (`python -m benchmarks.drainage`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.stages import Stage
from harmonization.hydrostatics import pair_losses, shorelines
from harmonization.terrain import believed_factor, drainage_prior_factor, prior_log_odds, slope_degrees

Array = NDArray[np.float32]
PIXEL = (10.0, 10.0)


def relief(side: int) -> Array:
    """Hills some kilometres wide, metres."""
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    return np.asarray(100.0 + 20.0 * np.sin(rows / 97.0) + 15.0 * np.cos(columns / 71.0), dtype=np.float32)


def slope(side: int) -> Callable[[], Any]:
    elevation = relief(side)
    return lambda: slope_degrees(elevation, PIXEL)


def plain_slope(side: int) -> Callable[[], Any]:
    """Central differences in single precision, the rim left out."""
    elevation = relief(side)

    def work() -> Array:
        down = (elevation[2:, 1:-1] - elevation[:-2, 1:-1]) / np.float32(2 * PIXEL[0])
        across = (elevation[1:-1, 2:] - elevation[1:-1, :-2]) / np.float32(2 * PIXEL[1])
        return np.rad2deg(np.arctan(np.hypot(down, across)))

    return work


def prior(side: int) -> Callable[[], Any]:
    height, steep = relief(side) - 65.0, np.full((side, side), 3.0, np.float32)
    return lambda: prior_log_odds(0.03, 0.02, believed_factor(drainage_prior_factor(height, steep)))


def plain_prior(side: int) -> Callable[[], Any]:
    """The same sums in single precision, without what is unknown."""
    height, steep = relief(side) - np.float32(65.0), np.full((side, side), 3.0, np.float32)

    def work() -> Array:
        exponent = (np.float32(5.0) - height) / np.float32(1.5) - np.maximum(steep - np.float32(5.0), 0) / np.float32(2)
        factor = np.float32(0.98) / (1 + np.exp(-exponent)) + np.float32(0.02)
        dry = 1 - np.float32(0.05) * factor
        return np.log(np.stack([np.float32(0.03) * factor / dry, np.float32(0.02) * factor / dry]))

    return work


def level_water(side: int) -> Callable[[], Any]:
    elevation = relief(side)
    wet = np.where(elevation < 95.0, np.float32(0.9), np.float32(0.1))
    return lambda: pair_losses(elevation, wet)


def level_shores(side: int) -> Callable[[], Any]:
    elevation = relief(side)
    known = np.ones(elevation.shape, np.bool_)
    return lambda: shorelines(elevation < 95.0, known, elevation)


STAGES = [
    Stage("slope on both axes", slope, plain_slope),
    Stage("prior by height above drainage and slope", prior, plain_prior),
    Stage("hydrostatic pairs to 8 pixels", level_water),
    Stage("level of shorelines", level_shores),
]
