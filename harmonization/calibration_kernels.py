"""Compiled loops of the calibration of Sentinel-1: one pass over a window, or over scattered places.

`harmonization.calibration` is their door. In a window the tables come as rows at its own pixels; at scattered places
every look at an axis starts from the last one, for neighbours lie close together. All release the interpreter's lock.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Real = NDArray[np.float64]
Whole = NDArray[np.int64]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def power_of(dn: NDArray[Any], rows: Real, node: Whole, share: Real) -> Array:
    """DN²/A² of a window; NaN where DN is 0."""
    power = np.empty(dn.shape, dtype=np.float32)
    for line in range(dn.shape[0]):
        upper, lower, down = rows[node[line]], rows[node[line] + 1], share[line]
        for pixel in range(dn.shape[1]):
            value = dn[line, pixel]
            ratio = value / (upper[pixel] + down * (lower[pixel] - upper[pixel]))
            power[line, pixel] = ratio * ratio if value != 0 else np.nan
    return power


@numba.njit(cache=True, nogil=True, error_model="numpy")
def power_and_noise(
    dn: NDArray[Any],
    rows: Real,
    node: Whole,
    share: Real,
    noise_rows: Real,
    noise_node: Whole,
    noise_share: Real,
    bounds: Whole,
    along: Real,
) -> tuple[Array, Array]:
    """DN²/A², and eta_range·eta_azimuth/A². `bounds` count from the window's own first sample; `along`: (blocks, lines)
    azimuth factors."""
    lines, pixels = dn.shape
    power, floor = np.empty(dn.shape, dtype=np.float32), np.empty(dn.shape, dtype=np.float32)
    azimuth = np.empty(pixels, dtype=np.float64)
    for line in range(lines):
        azimuth[:] = 1.0
        for block in range(bounds.shape[0]):
            if bounds[block, 0] <= line <= bounds[block, 1]:
                azimuth[max(bounds[block, 2], 0) : max(bounds[block, 3] + 1, 0)] = along[block, line]
        upper, lower, down = rows[node[line]], rows[node[line] + 1], share[line]
        near, far, between = noise_rows[noise_node[line]], noise_rows[noise_node[line] + 1], noise_share[line]
        for pixel in range(pixels):
            value = dn[line, pixel]
            inverse = 1.0 / (upper[pixel] + down * (lower[pixel] - upper[pixel]))
            ratio = value * inverse
            power[line, pixel] = ratio * ratio if value != 0 else np.nan
            eta = near[pixel] + between * (far[pixel] - near[pixel])
            floor[line, pixel] = eta * azimuth[pixel] * inverse * inverse
    return power, floor


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _node_before(axis: Real, at: float, guess: int) -> int:
    """Index of the node before a place, at most the last but one; searched from a guess."""
    while guess < axis.size - 2 and at >= axis[guess + 1]:
        guess += 1
    while guess > 0 and at < axis[guess]:
        guess -= 1
    return guess


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _share(axis: Real, at: float, node: int) -> float:
    """Share of the way from a node to the next; 0 and 1 beyond the ends."""
    if axis.size == 1:
        return 0.0
    share: float = (at - axis[node]) / (axis[node + 1] - axis[node])
    return min(max(share, 0.0), 1.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bilinear(lines: Real, pixels: Real, values: Real, line: float, pixel: float, row: int, column: int) -> float:
    down, across = _share(lines, line, row), _share(pixels, pixel, column)
    below, beside = min(row + 1, lines.size - 1), min(column + 1, pixels.size - 1)
    upper = values[row, column] + across * (values[row, beside] - values[row, column])
    lower = values[below, column] + across * (values[below, beside] - values[below, column])
    found: float = upper + down * (lower - upper)
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def table_at(lines: Real, pixels: Real, values: Real, line: Real, pixel: Real) -> Real:
    """A table at scattered places, (n,) each; NaN where a place is."""
    found = np.empty(line.size, dtype=np.float64)
    row = column = 0
    for index in range(line.size):
        if np.isnan(line[index]) or np.isnan(pixel[index]):
            found[index] = np.nan
            continue
        row, column = _node_before(lines, line[index], row), _node_before(pixels, pixel[index], column)
        found[index] = _bilinear(lines, pixels, values, line[index], pixel[index], row, column)
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def azimuth_at(bounds: Whole, starts: Whole, lines: Real, factor: Real, line: Real, pixel: Real) -> Real:
    """Azimuth factor at scattered places, (n,) each: of the last block that holds a place, 1 without one.

    The nodes of block k begin at `starts[k]` of `lines` and `factor`.
    """
    found = np.ones(line.size, dtype=np.float64)
    for block in range(bounds.shape[0]):
        top, bottom = bounds[block, 0] - 0.5, bounds[block, 1] + 0.5
        left, right = bounds[block, 2] - 0.5, bounds[block, 3] + 0.5
        axis, values = lines[starts[block] : starts[block + 1]], factor[starts[block] : starts[block + 1]]
        node = 0
        for index in range(line.size):
            if top < line[index] <= bottom and left < pixel[index] <= right:
                node = _node_before(axis, line[index], node)
                after = min(node + 1, axis.size - 1)
                found[index] = values[node] + _share(axis, line[index], node) * (values[after] - values[node])
    return found
