"""File numbers to linear power, and power to decibel. Always on the native grid, before any warp.

Compiled loops are imported by the functions that run them: numba takes 0.3 s to load, and a plan computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]
Real = NDArray[np.float64]
Whole = NDArray[np.int64]

BELIEVED_NOISE_DB = (-40.0, -15.0)
"""NESZ that Sentinel-1 can have: its specification is -22 dB, measured are -33 to -20 dB [M]. The first processors
(IPF up to 2.5, July 2015) list zeros or another unit, which comes out far below [V in pyroSAR and s1denoise]."""
LEAST_NOISE_SHARE = 0.05
"""Of the median of its vector: less is no noise but a gap. Along a swath the noise varies by 8 dB [V]."""
PALSAR2_SLC_DB = 32.0
"""A of PALSAR-2 level 1.1, dB, taken off CF (calibration page of JAXA EORC) [V]."""


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


def power_from_complex(
    in_phase: ArrayLike, quadrature: ArrayLike, calibration_db: float, offset_db: float = PALSAR2_SLC_DB
) -> Real:
    """sigma0 of a complex sample, linear: (I² + Q²)·10^((CF - A)/10).

    JAXA PALSAR-2 level 1.1: CF = -83.0 dB, A = `offset_db` = 32.0 dB (calibration page of JAXA EORC). NaN stays NaN.
    """
    real, imaginary = np.asarray(in_phase, dtype=np.float64), np.asarray(quadrature, dtype=np.float64)
    return np.asarray((real * real + imaginary * imaginary) * 10.0 ** ((calibration_db - offset_db) / 10.0))


def mean_power_db(level: ArrayLike) -> float:
    """The mean of levels in dB, taken where means belong: in linear power."""
    return float(decibel(np.nanmean(power_from_decibel(level))))


def look_up(table: LookUpTable, lines: ArrayLike, pixels: ArrayLike) -> Real:
    """A table at lines and pixels that broadcast against each other: bilinear; NaN stays NaN.

    For a window give lines as (n, 1) and pixels as (m,).
    """
    from harmonization.calibration_kernels import table_at

    line, pixel = _together(lines, pixels)
    return np.asarray(table_at(*_plain(table), line.ravel(), pixel.ravel()).reshape(line.shape))


def power_from_look_up(dn: ArrayLike, factor: ArrayLike) -> Real:
    """Power DN²/A² of a Sentinel-1 amplitude; A interpolated first, then squared. Noise stays in it.

    sigma0, beta0 or gamma0 by the table that A is of (Sentinel-1 Product Specification, S1-RS-MDA-52-7441), all of the
    ellipsoid: not flattened for terrain. Where the table A is known on its own grid, `calibrate` is the fast way.
    """
    ratio = np.asarray(dn, dtype=np.float64) / np.asarray(factor, dtype=np.float64)
    return np.asarray(ratio * ratio)


def calibrate(dn: NDArray[Any], factor: LookUpTable, first: tuple[int, int] = (0, 0)) -> Array:
    """Power DN²/A² of a window of Sentinel-1 GRD, noise inside: `power_from_look_up` of `look_up`, in one pass.

    `dn`: (lines, pixels) of any real type; 0 and NaN are fill. `first`: line and pixel of its upper-left sample in the
    file. (lines, pixels) float32, NaN where fill. Computed in double precision, with the interpreter's lock released.
    """
    from harmonization.calibration_kernels import power_of

    return np.asarray(power_of(_window(dn), *_rows(factor, *_axes(dn, first))))


def calibrate_with_noise(
    dn: NDArray[Any],
    factor: LookUpTable,
    noise: LookUpTable,
    blocks: Sequence[NoiseBlock] = (),
    first: tuple[int, int] = (0, 0),
) -> tuple[Array, Array]:
    """Power and noise-equivalent power of a window of Sentinel-1 GRD in one pass.

    As `calibrate` and `noise_equivalent`: two (lines, pixels) float32 arrays in the quantity of the table. The power
    is NaN where `dn` is fill, the noise nowhere. `subtract_noise` takes one off the other.
    """
    from harmonization.calibration_kernels import power_and_noise

    values, (line, pixel) = _window(dn), _axes(dn, first)
    bounds = _bounds(blocks) - np.array([first[0], first[0], first[1], first[1]])
    along = np.array([np.interp(line, block.lines, block.factor) for block in blocks]).reshape(len(blocks), line.size)
    power, floor = power_and_noise(values, *_rows(factor, line, pixel), *_rows(noise, line, pixel), bounds, along)
    return np.asarray(power), np.asarray(floor)


def noise_equivalent(
    noise: LookUpTable, blocks: Sequence[NoiseBlock], factor: LookUpTable, lines: ArrayLike, pixels: ArrayLike
) -> Real:
    """Noise-equivalent power eta_range·eta_azimuth/A², linear, at lines and pixels that broadcast; NaN stays NaN.

    Piantanida 2017 (MPC-0392). Without a block (before IPF 2.9, or between blocks) eta_azimuth is 1; where blocks
    overlap the last one counts. A block holds from half a sample before its first to half a sample behind its last.
    """
    from harmonization.calibration_kernels import azimuth_at, table_at

    line, pixel = _together(lines, pixels)
    starts = np.cumsum([0, *(block.lines.size for block in blocks)])
    block_lines, block_factor = (
        np.concatenate([np.empty(0), *(getattr(block, name) for block in blocks)]) for name in ("lines", "factor")
    )
    places = line.ravel(), pixel.ravel()
    found = table_at(*_plain(noise), *places)
    found *= azimuth_at(_bounds(blocks), starts, block_lines, block_factor, *places)
    found /= np.square(table_at(*_plain(factor), *places))
    return np.asarray(found.reshape(line.shape))


def noise_without_gaps(noise: LookUpTable) -> LookUpTable:
    """A table of noise whose gaps are filled from the nearest values of their own line; a line of zeros stays.

    Vectors of products go on where the image has ended, with 0 or next to nothing (the last 5 to 8 of 657 values in one
    of IPF 3.31 [V]). Interpolated towards these, the noise of the last samples would vanish.
    """
    rows = []
    for row in noise.values:
        known = row > LEAST_NOISE_SHARE * np.median(row)
        rows.append(np.interp(noise.pixels, noise.pixels[known], row[known]) if known.any() else row)
    return LookUpTable(noise.lines, noise.pixels, np.stack(rows))


def believed_noise(noise: ArrayLike) -> Real:
    """Noise-equivalent power, NaN where it is none that Sentinel-1 can have (`BELIEVED_NOISE_DB`)."""
    values = np.asarray(noise, dtype=np.float64)
    low, high = power_from_decibel(BELIEVED_NOISE_DB)
    return np.where((values >= low) & (values <= high), values, np.nan)


def subtract_noise(power: NDArray[Any], noise: NDArray[Any]) -> NDArray[Any]:
    """Power without its noise, (DN² - eta)/A² (Piantanida 2017, MPC-0392): linear, negative samples kept, NaN stays.

    Arrays that broadcast, in the precision that they come in.

    A sample below zero is a sample of an error of zero mean: clipped, or left out, it would brighten every average.
    Overbank itself keeps the noise inside and puts it into the model; this is for comparison with denoised products.
    """
    difference: NDArray[Any] = np.subtract(power, noise)
    return difference


def _together(lines: ArrayLike, pixels: ArrayLike) -> tuple[Real, Real]:
    line, pixel = np.broadcast_arrays(np.asarray(lines, dtype=np.float64), np.asarray(pixels, dtype=np.float64))
    return line, pixel


def _plain(table: LookUpTable) -> tuple[Real, Real, Real]:
    """The three arrays of a table as the kernels take them."""
    lines, pixels, values = (np.ascontiguousarray(a, np.float64) for a in (table.lines, table.pixels, table.values))
    return lines, pixels, values


def _window(dn: NDArray[Any]) -> NDArray[Any]:
    """A C-ordered window of numbers that the kernels know."""
    return np.ascontiguousarray(dn, dtype=dn.dtype if dn.dtype in (np.uint16, np.float32) else np.float64)


def _axes(dn: NDArray[Any], first: tuple[int, int]) -> tuple[Real, Real]:
    """Lines and pixels of a window in the file."""
    line, pixel = (start + np.arange(length, dtype=np.float64) for start, length in zip(first, dn.shape, strict=True))
    return line, pixel


def _rows(table: LookUpTable, line: Real, pixel: Real) -> tuple[Real, Whole, Real]:
    """A table's rows at the pixels of a window, and for each of its lines the row before it and the share to the next.

    Bilinear interpolation is separable: across the swath once for the few rows that the window needs, then along it.
    The last row stands twice, so that every row has a next.
    """
    node = np.clip(np.searchsorted(table.lines, line, side="right") - 1, 0, max(table.lines.size - 2, 0))
    used = np.minimum(np.arange(node[0], node[-1] + 2), table.lines.size - 1)
    rows = np.stack([np.interp(pixel, table.pixels, table.values[row]) for row in used])
    step = np.diff(table.lines)[node] if table.lines.size > 1 else np.ones(line.size)
    return rows, node - node[0], np.clip((line - table.lines[node]) / step, 0.0, 1.0)


def _bounds(blocks: Sequence[NoiseBlock]) -> Whole:
    """(blocks, 4) first and last line, first and last pixel."""
    edges = [(block.first_line, block.last_line, block.first_pixel, block.last_pixel) for block in blocks]
    return np.array(edges, dtype=np.int64).reshape(len(blocks), 4)
