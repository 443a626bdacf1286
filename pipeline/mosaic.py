"""The windows of several slices as one raster on the unit's GeoBox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from pipeline.align import Kind, align
from pipeline.read import NativeWindow, Piece
from pipeline.swath import SwathWindow

PHASE = 1e-3
"""Pixels by which two grids may be out of step and still count as one."""


def first_seen(layers: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Arrays of one grid laid over each other: the first that is not NaN counts."""
    return reduce(lambda upper, lower: np.where(np.isnan(upper), lower, upper), layers)


def mosaic(windows: Sequence[Piece | None], box: GeoBox, kind: Kind) -> NDArray[np.float32]:
    """(y, x) of all slices; where they overlap the first that saw a pixel counts, NaN where none did.

    Slices that share a grid are joined before they are aligned: interpolated apart, each would end in a rim of its
    own, and the map would show their seam.
    """
    grids: list[list[NativeWindow]] = []
    swaths: list[SwathWindow] = []
    for window in windows:
        if window is None:
            continue
        if isinstance(window, SwathWindow):  # lines and pixels of its own: placed alone
            swaths.append(window)
            continue
        same = next((grid for grid in grids if _offset(grid[0].box, window.box) is not None), None)
        if same is None:
            grids.append([window])
        else:
            same.append(window)
    whole: list[Piece] = [*map(_joined, grids), *swaths]
    pieces = [align(window, box, kind) for window in whole]
    return first_seen(pieces) if pieces else align(None, box, kind)


def _offset(first: GeoBox, second: GeoBox) -> tuple[int, int] | None:
    """Rows and columns from the corner of one box to that of another on the same grid; None: another grid."""
    if first.crs != second.crs:
        return None
    step = ~first.affine * second.affine
    row, column = round(step.f), round(step.c)
    exact = Affine(1.0, 0.0, column, 0.0, 1.0, row)
    return (row, column) if step.almost_equals(exact, PHASE) else None


def _joined(windows: Sequence[NativeWindow]) -> NativeWindow:
    """Windows of one grid as one; the first that saw a pixel counts."""
    if len(windows) == 1:
        return windows[0]
    first = windows[0].box
    corners = [_offset(first, window.box) or (0, 0) for window in windows]
    top, left = (min(corner[axis] for corner in corners) for axis in (0, 1))
    shapes = [window.values.shape for window in windows]
    bottom, right = (
        max(corner[axis] + shape[axis] for corner, shape in zip(corners, shapes, strict=True)) for axis in (0, 1)
    )
    values = np.full((bottom - top, right - left), np.nan, dtype=np.float32)
    for window, (row, column) in zip(windows, corners, strict=True):
        rows, columns = window.values.shape
        part = values[row - top : row - top + rows, column - left : column - left + columns]
        np.copyto(part, window.values, where=np.isnan(part))
    box = GeoBox(values.shape, first.affine * Affine.translation(left, top), first.crs)
    return replace(windows[0], values=values, box=box)
