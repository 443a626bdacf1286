"""File numbers to linear power, and power to decibel. Always on the native grid, before any warp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]
Real = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LookUpTable:
    """Values on a regular grid of lines and pixels, linear in between, held beyond its ends."""

    lines: Real
    """(n,) ascending."""
    pixels: Real
    """(m,) ascending."""
    values: Real
    """(n, m)."""


@dataclass(frozen=True, eq=False)
class NoiseBlock:
    """Factor of the noise along the lines of one block of the image, the same in all its pixels; edges belong to it."""

    first_line: int
    last_line: int
    first_pixel: int
    last_pixel: int
    lines: Real
    factor: Real


def decibel(power: ArrayLike) -> NDArray[np.float64]:
    """10·log10 of linear power; NaN where the power is not positive: decibel is for people and network inputs."""
    values = np.asarray(power, dtype=np.float64)
    positive = values > 0
    return np.where(positive, 10.0 * np.log10(np.where(positive, values, 1.0)), np.nan)


def power_from_decibel(level: ArrayLike) -> NDArray[np.float64]:
    """Linear power of a level in dB; NaN stays NaN."""
    result: NDArray[np.float64] = np.power(10.0, np.asarray(level, dtype=np.float64) / 10.0)
    return result


def power_from_amplitude(dn: ArrayLike, calibration_db: float) -> NDArray[np.float64]:
    """Power of an amplitude DN: DN²·10^(CF/10). JAXA PALSAR-2: CF = -83.0 dB (calibration page of JAXA EORC).

    The square is inside: one public page prints 10·log10(DN) - 83, which is 31.5 dB too low at -20 dB.
    """
    amplitude = np.asarray(dn, dtype=np.float64)
    return np.asarray(amplitude * amplitude * 10.0 ** (calibration_db / 10.0))


def mean_power_db(level: ArrayLike) -> float:
    """The mean of levels in dB, taken where means belong: in linear power."""
    return float(decibel(np.nanmean(power_from_decibel(level))))


def look_up(table: LookUpTable, lines: ArrayLike, pixels: ArrayLike) -> Real:
    """A table at lines and pixels that broadcast against each other: bilinear; NaN stays NaN.

    For a window give lines as (n, 1) and pixels as (m,).
    """
    row, down = _place(table.lines, lines)
    column, across = _place(table.pixels, pixels)
    below, beside = np.minimum(row + 1, table.lines.size - 1), np.minimum(column + 1, table.pixels.size - 1)
    values = table.values
    upper = values[row, column] + across * (values[row, beside] - values[row, column])
    lower = values[below, column] + across * (values[below, beside] - values[below, column])
    return np.asarray(upper + down * (lower - upper))


def _place(axis: Real, at: ArrayLike) -> tuple[NDArray[np.int64], Real]:
    """Index of the node before, and the share of the way to the next."""
    place = np.clip(np.asarray(at, dtype=np.float64), axis[0], axis[-1])
    if axis.size == 1:
        return np.zeros(place.shape, dtype=np.int64), np.where(np.isnan(place), np.nan, 0.0)
    index = np.clip(np.searchsorted(axis, place, side="right") - 1, 0, axis.size - 2)
    return index, (place - axis[index]) / (axis[index + 1] - axis[index])


def power_from_look_up(dn: ArrayLike, factor: ArrayLike) -> Real:
    """Power DN²/A² of a Sentinel-1 amplitude; A interpolated first, then squared. Noise stays in it.

    With the `gamma` table it is gamma0 of the ellipsoid: not flattened for terrain.
    """
    ratio = np.asarray(dn, dtype=np.float64) / np.asarray(factor, dtype=np.float64)
    return np.asarray(ratio * ratio)


def noise_equivalent(
    noise: LookUpTable, blocks: Sequence[NoiseBlock], factor: LookUpTable, lines: ArrayLike, pixels: ArrayLike
) -> Real:
    """Noise-equivalent backscatter eta_range·eta_azimuth/A², linear, at lines and pixels that broadcast.

    Piantanida 2017 (MPC-0392). Without a block (before IPF 2.9, or between blocks) eta_azimuth is 1.
    """
    line, pixel = np.broadcast_arrays(np.asarray(lines, dtype=np.float64), np.asarray(pixels, dtype=np.float64))
    azimuth = np.ones(line.shape)
    for block in blocks:
        within = (line > block.first_line - 0.5) & (line <= block.last_line + 0.5)
        within &= (pixel > block.first_pixel - 0.5) & (pixel <= block.last_pixel + 0.5)
        azimuth[within] = np.interp(line[within], block.lines, block.factor)
    amplitude = look_up(factor, line, pixel)
    return np.asarray(look_up(noise, line, pixel) * azimuth / (amplitude * amplitude))
