"""Filters that calm speckle for the eye and for segmentation; never before the likelihood: they destroy its Gamma law.

All take (y, x) linear power, NaN where not observed. Windows are centred and hold what was observed, so they shrink at
borders and beside gaps; NaN stays at its own place and reaches no other. A window is up to `size` pixels wide, odd.
`looks` are those of a single pixel. Power below zero (denoised) is a sample like any other.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from harmonization.moving_window import window_moments

Array = NDArray[np.float32]
Real = NDArray[np.float64]

REFINED_SIDE = 7
"""Pixels of the window of the refined filter (Lee 1981)."""


def lee_filter(power: Array, looks: float, size: int = 7) -> Array:
    """Minimum mean square error under multiplicative speckle (Lee 1980, TPAMI 2(2):165); see `lee_estimate`."""
    mean, variance = window_moments(power, size)
    return np.asarray(lee_estimate(power, mean, variance, looks)[0], dtype=np.float32)


def refined_lee_filter(power: Array, looks: float) -> Array:
    """Lee's estimate on that half of a 7 × 7 window that lies on the pixel's side of an edge (Lee 1981, CGIP 15:380).

    The edge runs across the largest of four gradients between the means of 3 × 3 sub-windows; of its two sides that
    one counts whose mean is closer to the mean in the middle: eight half windows of 28 pixels. A sub-window without
    an observed pixel makes no gradient.
    """
    reach = REFINED_SIDE // 2
    padded = np.pad(np.asarray(power, dtype=np.float32), reach, constant_values=np.nan)
    means, _ = window_moments(padded, 3)
    mean, variance = _half_window_moments(padded, means, _HALVES)
    return np.asarray(lee_estimate(power, mean, variance, looks)[0], dtype=np.float32)


def gamma_map_filter(power: Array, looks: float, size: int = 7) -> Array:
    """Most probable power under Gamma speckle over Gamma texture (Lopes 1990, IGARSS); see `gamma_map_estimate`."""
    mean, variance = window_moments(power, size)
    return np.asarray(gamma_map_estimate(power, mean, variance, looks), dtype=np.float32)


def quegan_yu_filter(stack: Array, size: int = 7) -> Array:
    """Dates of the same track, (m, y, x), each calmed by all: J_k = <I_k>/M · sum I_i/<I_i> (Quegan, Yu 2001 TGRS 39).

    <I> is the mean of a window. A date that did not see a pixel, or whose window holds no power, lends nothing there.
    The level of each date is its own only where its window lies on one ground: do not include the neighbours of a flood
    date blindly, for the ratio is unbiased only where <I_k> follows the edge of the flood. With M independent dates of
    L looks at most M·L looks are gained.
    """
    total = np.zeros(stack.shape[1:], dtype=np.float64)
    count = np.zeros(stack.shape[1:], dtype=np.float64)
    local = np.empty_like(stack, dtype=np.float32)
    for index, power in enumerate(stack):
        local[index] = np.where(np.isnan(power), np.float32(np.nan), window_moments(power, size)[0])
        lends = local[index] > 0  # NaN is not
        total += np.divide(power, local[index], out=np.zeros_like(total), where=lends)
        count += lends
    ratio = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return np.asarray(local * ratio, dtype=np.float32)


def lee_estimate(power: ArrayLike, mean: ArrayLike, variance: ArrayLike, looks: float) -> tuple[Real, Real]:
    """Lee 1980: x = m + w·(I - m), w = var_x/var, var_x = max(0, (var - m²/L)/(1 + 1/L)); x and the weight w.

    `mean`, `variance` of the window; a window of one value has weight 0. NaN in, NaN out.
    """
    pixel, level, spread = np.broadcast_arrays(power, mean, variance)
    value = np.empty(pixel.shape, dtype=np.result_type(pixel, level, spread, np.float32))
    weight = np.empty_like(value)
    _lee(pixel.ravel(), level.ravel(), spread.ravel(), float(looks), value.reshape(-1), weight.reshape(-1))
    return value, weight


def gamma_map_estimate(power: ArrayLike, mean: ArrayLike, variance: ArrayLike, looks: float) -> Real:
    """Lopes 1990 with Cu² = 1/L, Ci² = var/m²: the mean where Ci <= Cu, the pixel itself where Ci² >= 2 Cu², else

        x = (b·m + sqrt(m²·b² + 4·a·L·I·m))/(2a),  a = (1 + Cu²)/(Ci² - Cu²),  b = a - L - 1.

    A Gamma law knows no power below zero: there the mean of the window stands, and a pixel counts as 0. NaN in, NaN
    out.
    """
    pixel, level, spread = np.broadcast_arrays(power, mean, variance)
    value = np.empty(pixel.shape, dtype=np.result_type(pixel, level, spread, np.float32))
    _gamma_map(pixel.ravel(), level.ravel(), spread.ravel(), float(looks), value.reshape(-1))
    return value


def _half_windows() -> NDArray[np.int64]:
    """(4 directions, 2 sides, 28, 2) offsets of the pixels of the half windows, the edge itself inside both."""
    reach = REFINED_SIDE // 2
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    sides = [across, across - down, -down, -across - down]
    halves = [[np.argwhere(sign * side >= 0) - reach for sign in (-1, 1)] for side in sides]
    return np.asarray(halves, dtype=np.int64)


_HALVES = _half_windows()
"""Directions: the second side of each lies to the right, upper right, top, upper left."""


@numba.njit(cache=True, nogil=True)
def _half_window_moments(padded: Array, means: Array, halves: NDArray[np.int64]) -> tuple[Array, Array]:
    """Mean and variance of the half window of every pixel inside the padding."""
    rows, columns = padded.shape[0] - 6, padded.shape[1] - 6
    mean = np.full((rows, columns), np.nan, dtype=np.float32)
    variance = np.full((rows, columns), np.nan, dtype=np.float32)
    around = np.empty((3, 3), dtype=np.float64)
    for row in range(rows):
        for column in range(columns):
            if math.isnan(padded[row + 3, column + 3]):
                continue
            for down in range(3):
                for across in range(3):
                    value = means[row + 1 + 2 * down, column + 1 + 2 * across]
                    around[down, across] = means[row + 3, column + 3] if math.isnan(value) else value
            direction, side = _edge(around)
            count, total, squares = 0.0, 0.0, 0.0
            for index in range(halves.shape[2]):
                down, across = halves[direction, side, index]
                value = np.float64(padded[row + 3 + down, column + 3 + across])
                if math.isfinite(value):
                    count += 1.0
                    total += value
                    squares += value * value
            mean[row, column] = total / count
            variance[row, column] = max(squares / count - (total / count) ** 2, 0.0)
    return mean, variance


@numba.njit(cache=True, nogil=True)
def _edge(around: Real) -> tuple[int, int]:
    """The direction of the largest gradient of 3 × 3 means, and the side (0 or 1) closer to the middle."""
    a, b, c = around[0, 0], around[0, 1], around[0, 2]
    d, e, f = around[1, 0], around[1, 1], around[1, 2]
    g, h, i = around[2, 0], around[2, 1], around[2, 2]
    gradients = (
        abs(c + f + i - a - d - g),
        abs(b + c + f - d - g - h),
        abs(a + b + c - g - h - i),
        abs(a + b + d - f - h - i),
    )
    direction = 0
    for index in range(1, 4):
        if gradients[index] > gradients[direction]:
            direction = index
    first = (d, g, h, i)[direction]
    second = (f, c, b, a)[direction]
    return direction, 1 if abs(second - e) < abs(first - e) else 0


@numba.njit(cache=True, nogil=True)
def _lee(power: Real, mean: Real, variance: Real, looks: float, value: Real, weight: Real) -> None:
    for index in range(power.size):
        m, seen = np.float64(mean[index]), np.float64(variance[index])
        share = 0.0 if seen <= 0.0 else max(0.0, (seen - m * m / looks) / (1.0 + 1.0 / looks)) / seen
        weight[index] = share
        value[index] = m + share * (power[index] - m)


@numba.njit(cache=True, nogil=True)
def _gamma_map(power: Real, mean: Real, variance: Real, looks: float, value: Real) -> None:
    speckle = 1.0 / looks
    for index in range(power.size):
        m, pixel = np.float64(mean[index]), np.float64(power[index])
        seen = variance[index] / (m * m) if m > 0.0 else 0.0
        if math.isnan(pixel) or math.isnan(seen):
            value[index] = math.nan
        elif seen <= speckle:
            value[index] = m
        elif seen >= 2.0 * speckle:
            value[index] = pixel
        else:
            a = (1.0 + speckle) / (seen - speckle)
            b = a - looks - 1.0
            root = math.sqrt(m * m * b * b + 4.0 * a * looks * max(pixel, 0.0) * m)
            value[index] = (b * m + root) / (2.0 * a)
