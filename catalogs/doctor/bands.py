"""Whether the bands of one acquisition lie on one grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from skimage.registration import phase_cross_correlation

from catalogs.collection import POLARIZATIONS, REFLECTANCES
from catalogs.doctor.header import offset_pixels
from catalogs.doctor.look import FileHeader, Values, read_piece
from catalogs.errors import CatalogError
from catalogs.findings import Finding
from catalogs.records import RasterLayer

OFF = 0.05
"""Pixels off the common grid from which bands count as shifted."""
PIECE = 256
"""Pixels a side of the piece in which contents are compared."""
FINE = 20
"""Steps a pixel of the comparison."""
ENOUGH = 0.5
"""Share of a piece that must hold data."""
Place = tuple[RasterLayer, FileHeader]


@dataclass(frozen=True)
class BandShift:
    """One band off the grid of the first, in pixels (columns, rows) of the first."""

    first: str
    name: str
    whole: tuple[int, int]
    """Whole pixels: only another extent."""
    part: tuple[float, float]
    """What is left, between -0.5 and 0.5."""


def band_shifts(headers: Mapping[str, FileHeader]) -> list[BandShift]:
    """Measurements whose origins differ by a fraction of a pixel, from headers alone.

    Bands of another pixel size are held against the finer grid: their corners must lie on its corners.
    """
    placed = {
        name: header for name, header in headers.items() if header.crs and name in (*POLARIZATIONS, *REFLECTANCES)
    }
    if not placed:
        return []
    first = min(placed, key=lambda name: abs(placed[name].transform[0]))
    found = []
    for name, header in placed.items():
        if header.crs != placed[first].crs:
            continue
        offsets = offset_pixels(header.transform, placed[first].transform)
        whole = (round(offsets[0]), round(offsets[1]))
        part = (offsets[0] - whole[0], offsets[1] - whole[1])
        if max(abs(part[0]), abs(part[1])) > OFF:
            found.append(BandShift(first, name, whole, part))
    return found


def content_shift(first: Values, second: Values) -> tuple[float, float] | None:
    """By how many pixels (columns, rows) the picture in `second` must move to lie on that in `first`.

    (y, x) each; missing pixels are NaN. None where there is too little data. Ranks are compared, so that bands of
    another brightness still register.
    """
    if first.shape != second.shape or min(first.shape) < FINE:
        return None
    both = np.isfinite(first) & np.isfinite(second)
    if both.mean() < ENOUGH:
        return None
    rows, columns = phase_cross_correlation(
        _flat(first, both), _flat(second, both), upsample_factor=FINE, normalization=None
    )[0]
    return float(columns), float(rows)


def _flat(values: Values, seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Values:
    """Without outliers and mean, with a soft rim: a cut edge is the strongest line of every picture."""
    low, high = np.percentile(values[seen], (2, 98))
    clipped = np.where(seen, np.clip(values, low, high), np.nan)
    level = np.nan_to_num(clipped - np.nanmean(clipped))
    window = np.outer(np.hanning(values.shape[0]), np.hanning(values.shape[1]))
    return np.asarray(level * window)


def check_bands(thing: str, places: Mapping[str, Place]) -> Iterator[Finding]:
    """Findings of the bands of one slice; contents are compared only where headers differ."""
    for shift in band_shifts({name: header for name, (_, header) in places.items()}):
        found = f"{shift.part[0]:+.2f} columns and {shift.part[1]:+.2f} rows off the grid of {shift.first}"
        told = f"{found}; {_verdict(shift, places)}"
        raster = places[shift.name][0]
        yield Finding(
            code="band-shift", thing=thing, layer=shift.name, href=raster.href, found=told, expected="one grid"
        )


def _verdict(shift: BandShift, places: Mapping[str, Place]) -> str:
    """Whether header or content is shifted."""
    content = _compared(shift, places)
    unclear = "the contents do not tell whether the header is wrong"
    if content is None:
        return unclear
    # On a shifted grid the same ground lies the other way in the array; a header that is wrong moves nothing there.
    aligned = math.dist(content, (0.0, 0.0))
    resampled = math.dist(content, shift.part)
    if min(aligned, resampled) > 0.25:
        return unclear
    if aligned < resampled:
        return "the contents lie on each other, so the header is wrong"
    return "the contents are shifted as much, so the header is right"


def _compared(shift: BandShift, places: Mapping[str, Place]) -> tuple[float, float] | None:
    (first, grid), (second, other) = places[shift.first], places[shift.name]
    if not math.isclose(grid.transform[0], other.transform[0], rel_tol=1e-6):
        return None
    row, column = max(0, grid.shape[0] // 2 - PIECE // 2), max(0, grid.shape[1] // 2 - PIECE // 2)
    there = row - shift.whole[1], column - shift.whole[0]
    if min(there) < 0:
        row, column = row + max(0, -there[0]), column + max(0, -there[1])
        there = max(0, there[0]), max(0, there[1])
    try:
        pieces = read_piece(first, row, column, PIECE), read_piece(second, *there, PIECE)
    except CatalogError:
        return None
    rows, columns = (min(piece.shape[axis] for piece in pieces) for axis in (0, 1))
    cut = [
        _seen(piece[:rows, :columns], place)
        for piece, place in zip(pieces, ((first, grid), (second, other)), strict=True)
    ]
    return content_shift(*cut)


def _seen(values: Values, place: Place) -> Values:
    """NaN where nodata."""
    raster, header = place
    missing = np.isin(values, [value for value in (*raster.nodata, header.nodata) if value is not None])
    return np.where(missing, np.nan, values)
