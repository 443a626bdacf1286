"""Whether the bands of one acquisition lie on one grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from skimage.registration import phase_cross_correlation

from catalogs.collection import POLARIZATIONS, REFLECTANCES
from catalogs.doctor.findings import Correction, Finding
from catalogs.doctor.header import offset_pixels
from catalogs.doctor.look import FileHeader, Values, read_piece
from catalogs.errors import CatalogError
from catalogs.records import RasterLayer

OFF = 0.05
"""Pixels off the common grid from which bands count as shifted."""
PIECE = 256
"""Pixels a side of the piece in which contents are compared."""
FINE = 20
"""Steps a pixel of the comparison."""
ENOUGH = 0.5
"""Share of a piece that must hold data."""
CLEAR = 0.25
"""Pixels by which the pictures may miss the one or the other answer."""
MEASURED = (*POLARIZATIONS, *REFLECTANCES)
Place = tuple[RasterLayer, FileHeader]


@dataclass(frozen=True)
class BandShift:
    """One band off the grid of the others, in pixels (columns, rows) of that grid."""

    first: str
    """A measurement that lies on the grid of most layers."""
    name: str
    whole: tuple[int, int]
    """Whole pixels: only another extent."""
    part: tuple[float, float]
    """What is left, between -0.5 and 0.5."""
    outvoted: bool
    """Whether more layers lie on the other grid than on this one: it is this band that is off."""


def band_shifts(headers: Mapping[str, FileHeader]) -> list[BandShift]:
    """Measurements whose origins differ by a fraction of a pixel from the grid of most layers, by headers alone.

    Bands of another pixel size are held against the finer grid: their corners must lie on its corners.
    """
    placed = {name: header for name, header in headers.items() if header.crs}
    measured = [name for name in placed if name in MEASURED]
    if not measured:
        return []
    finest = min(abs(placed[name].transform[0]) for name in measured)
    grids = [name for name in measured if math.isclose(abs(placed[name].transform[0]), finest, rel_tol=1e-6)]
    first = max(grids, key=lambda name: _votes(placed[name], placed))
    found = []
    for name in measured:
        offsets = _offset(placed[name], placed[first])
        if offsets is None or _is_whole(offsets):
            continue
        whole = (round(offsets[0]), round(offsets[1]))
        part = (offsets[0] - whole[0], offsets[1] - whole[1])
        outvoted = _votes(placed[first], placed) > _votes(placed[name], placed)
        found.append(BandShift(first, name, whole, part, outvoted))
    return found


def _offset(header: FileHeader, grid: FileHeader) -> tuple[float, float] | None:
    return offset_pixels(header.transform, grid.transform) if header.crs == grid.crs else None


def _is_whole(offsets: tuple[float, float]) -> bool:
    return all(abs(offset - round(offset)) <= OFF for offset in offsets)


def _votes(grid: FileHeader, headers: Mapping[str, FileHeader]) -> int:
    """How many layers lie on a grid."""
    offsets = (_offset(header, grid) for header in headers.values())
    return sum(offset is not None and _is_whole(offset) for offset in offsets)


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
    """Findings of the layers of one slice; contents are compared only where headers differ."""
    for shift in band_shifts({name: header for name, (_, header) in places.items()}):
        off = f"{shift.part[0]:+.2f} columns and {shift.part[1]:+.2f} rows off the grid of {shift.first}"
        verdict, told = _verdict(shift, _compared(shift, places))
        certain = verdict == "header" and shift.outvoted
        yield Finding(
            code="band-header-shift" if certain else "band-shift",
            thing=thing,
            layer=shift.name,
            href=places[shift.name][0].href,
            found=f"{off}; {told}",
            expected="one grid",
            correction=Correction(shift=(-shift.part[0], -shift.part[1])) if certain else None,
        )


def _verdict(shift: BandShift, content: tuple[float, float] | None) -> tuple[Literal["header", "content", ""], str]:
    """Whether the header is wrong or the content really lies there; empty where the pictures do not tell."""
    unclear = "the pictures do not tell whether the header is wrong"
    if content is None:
        return "", unclear
    # On a grid that really is shifted the same ground lies elsewhere in the array; a wrong header moves nothing there.
    wrong, true = math.dist(content, (0.0, 0.0)), math.dist(content, shift.part)
    if min(wrong, true) > CLEAR:
        return "", unclear
    if wrong < true:
        return "header", "the pictures lie on each other, so the header is wrong"
    return "content", "the picture is shifted as much, so the header is right"


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
