"""Three states at once, pixel by pixel in one compiled pass: likelihoods over their largest, so nothing overflows.

The formulas, and why they are what they are, stand in `evidence` (`doubt_states`, `relax_states`).
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]
Real = NDArray[np.float64]
_LEAST = 1e-300
"""Least likelihood, over the largest: 690 nat below it all is alike."""


def mixed(llr: ArrayLike, kept: ArrayLike, strayed: ArrayLike, weights: ArrayLike) -> Array:
    """ln of kept·p(state) + strayed·sum weights·p, against dry: (2, ...) nats.

    `llr` (2, ...) of open water and flooded vegetation against dry; `kept` and `strayed` scalars or (...), not negative
    (strayed 0 leaves the ratios as they are); `weights` (3,) of dry, open water, flooded vegetation. NaN stays NaN.
    """
    levels = np.ascontiguousarray(llr)
    shares = [np.asarray(values, dtype=np.float64) for values in (kept, strayed)]
    one_each = [values if values.size == 1 else np.broadcast_to(values, levels.shape[1:]) for values in shares]
    result = np.empty((2, levels[0].size), dtype=np.float32)
    part = np.asarray(weights, dtype=np.float64)
    _mix_pixels(levels.reshape(2, -1), one_each[0].ravel(), one_each[1].ravel(), part, result)
    return result.reshape(levels.shape)


@numba.njit(cache=True, nogil=True)
def _mix_pixels(llr: Array | Real, kept: Real, strayed: Real, weights: Real, result: Array) -> None:
    for pixel in range(llr.shape[1]):
        keep = kept[pixel if kept.size > 1 else 0]
        stray = strayed[pixel if strayed.size > 1 else 0]
        if stray == 0.0:  # nothing to mix: the ratios as they are, however large
            result[0, pixel], result[1, pixel] = llr[0, pixel], llr[1, pixel]
            continue
        top = max(0.0, llr[0, pixel], llr[1, pixel])
        dry = math.exp(-top)
        water, vegetation = math.exp(llr[0, pixel] - top), math.exp(llr[1, pixel] - top)
        common = stray * (weights[0] * dry + weights[1] * water + weights[2] * vegetation)
        base = max(keep * dry + common, _LEAST)
        result[0, pixel] = math.log(max(keep * water + common, _LEAST) / base)
        result[1, pixel] = math.log(max(keep * vegetation + common, _LEAST) / base)
