"""Means and variances in a window that moves over an image, of what was observed in it."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def window_moments(power: Array, size: int) -> tuple[Array, Array]:
    """Mean and variance of what was observed in the centred window of every pixel, NaN where that is nothing."""
    if size < 1 or size % 2 == 0:
        raise ValueError(f"window of {size} pixels: a centred window has an odd number of them, such as {size + 1}")
    mean = np.empty(power.shape, dtype=np.float32)
    variance = np.empty(power.shape, dtype=np.float32)
    _moments(np.ascontiguousarray(power, dtype=np.float32), size // 2, mean, variance)
    return mean, variance


@numba.njit(cache=True, nogil=True)
def _moments(power: Array, reach: int, mean: Array, variance: Array) -> None:
    """Sums down the columns of a band of rows, then across."""
    rows, columns = power.shape
    sums = np.empty((3, columns), dtype=np.float64)
    for row in range(rows):
        sums[:] = 0.0
        for near in range(max(row - reach, 0), min(row + reach + 1, rows)):
            for column in range(columns):
                value = np.float64(power[near, column])
                if math.isfinite(value):
                    sums[0, column] += 1.0
                    sums[1, column] += value
                    sums[2, column] += value * value
        for column in range(columns):
            count, total, squares = 0.0, 0.0, 0.0
            for near in range(max(column - reach, 0), min(column + reach + 1, columns)):
                count += sums[0, near]
                total += sums[1, near]
                squares += sums[2, near]
            middle = total / count if count > 0.0 else math.nan
            mean[row, column] = middle
            variance[row, column] = max(squares / count - middle * middle, 0.0) if count > 0.0 else math.nan
