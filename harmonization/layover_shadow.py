"""Layover and shadow that other ground casts, by a march along the look direction over an elevation.

Plane wave front, one incidence angle around each pixel: slant range grows as x·sin(theta) - z·cos(theta) with the
distance x from the sensor and the height z. A pixel lies in shadow where ground nearer to the sensor rises above its
line of sight, by more than x/tan(theta) (the running maximum of the elevation angle); in layover where ground farther
away has no greater slant range, or ground nearer no smaller one, so that slant range is not monotonic. After Kropatsch
and Strobl 1990 (TGRS 28(1)) [M].

What ground beyond the reach does is not seen: the relief that a reach is right for is reach·tan(theta) for layover and
reach/tan(theta) for shadow. Each pixel looks at the same places whatever array it is part of, so that tiles with a halo
as wide as the reach agree.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]
Real = NDArray[np.float64]
Whole = NDArray[np.int64]

STRIDE = 16
"""Places of a march that are passed over at once where no height around them can matter."""


def cast_layover_shadow(
    elevation: Float, incidence: Float, azimuth: float, pixel: tuple[float, float], reach: float
) -> tuple[Mask, Mask]:
    """Layover and shadow of (y, x) pixels whose incidence angle is given, from an elevation with a halo around them.

    `elevation`: metres, (y + 2 h, x + 2 h), NaN where unknown, h the halo of `halo_pixels`; `incidence`: (y, x) degrees
    on the ellipsoid, NaN where not wanted; `azimuth`: of the look, degrees clockwise from the columns' north; `pixel`:
    height and width in metres; `reach`: metres. Ground that is not known casts nothing, and nothing is said of it.
    Raises ValueError where the halo is not of that width.
    """
    halo = halo_pixels(pixel, reach)
    wanted = tuple(side + 2 * halo for side in incidence.shape)
    if elevation.shape != wanted:
        raise ValueError(f"elevation of {elevation.shape} pixels; {wanted} are needed, {halo} around every side")
    tangent = np.tan(np.deg2rad(incidence.astype(np.float64)))
    heights = np.ascontiguousarray(elevation, dtype=np.float32)
    lowest, highest = _bounds(heights)
    layover, shadow = _march(heights, lowest, highest, tangent, *_path(azimuth, pixel, reach), halo)
    return layover, shadow


def halo_pixels(pixel: tuple[float, float], reach: float) -> int:
    """Pixels around an array that the march may ask for."""
    return math.ceil(reach / min(pixel)) + 1


def _bounds(elevation: Float) -> tuple[Float, Float]:
    """Lowest and highest of all heights that lie within `STRIDE` pixels of any pixel of a block of so many a side."""
    rows, columns = (-(-side // STRIDE) for side in elevation.shape)
    filled = np.full((rows * STRIDE, columns * STRIDE), np.nan, dtype=np.float32)
    filled[: elevation.shape[0], : elevation.shape[1]] = elevation
    blocks = filled.reshape(rows, STRIDE, columns, STRIDE)
    lowest = np.fmin.reduce(np.fmin.reduce(blocks, axis=1), axis=2)
    highest = np.fmax.reduce(np.fmax.reduce(blocks, axis=1), axis=2)
    lowest[np.isnan(lowest)], highest[np.isnan(highest)] = np.inf, -np.inf
    return ndimage.minimum_filter(lowest, 3), ndimage.maximum_filter(highest, 3)


def _path(azimuth: float, pixel: tuple[float, float], reach: float) -> tuple[Whole, Whole, Real, int, int, Real]:
    """The places of a march away from the sensor: one in every row or every column, whichever come faster.

    Rows and columns from the pixel to the place or just before it, how far the place lies from there toward the next
    row or column (shares, and that step), and its distance in metres. Toward the sensor all lie on the other side.
    """
    down = -math.cos(math.radians(azimuth)) / pixel[0]
    right = math.sin(math.radians(azimuth)) / pixel[1]
    by_rows = abs(down) >= abs(right)
    step = 1.0 / max(abs(down), abs(right))
    distance: Real = step * np.arange(1, max(int(reach / step), 1) + 1, dtype=np.float64)
    along: Whole = np.rint(distance * (down if by_rows else right)).astype(np.int64)
    # Rounded, so that a march along an axis is not led into the row beside it by the last bit of a cosine.
    across = np.round(distance * (right if by_rows else down), 9)
    beside: Whole = np.floor(across).astype(np.int64)
    rows, columns = (along, beside) if by_rows else (beside, along)
    return rows, columns, across - beside, int(not by_rows), int(by_rows), distance


@numba.njit(cache=True, nogil=True)
def _march(
    elevation: Float,
    lowest: Float,
    highest: Float,
    tangent: Real,
    rows: Whole,
    columns: Whole,
    share: Real,
    next_row: int,
    next_column: int,
    distance: Real,
    halo: int,
) -> tuple[Mask, Mask]:
    """Layover and shadow of pixels with a tangent of the incidence angle.

    `lowest`, `highest`: of `_bounds`, which save time and change nothing.
    """
    layover, shadow = np.zeros(tangent.shape, np.bool_), np.zeros(tangent.shape, np.bool_)
    bottom, top = lowest.min(), highest.max()
    for row in range(tangent.shape[0]):
        for column in range(tangent.shape[1]):
            y, x, slope = row + halo, column + halo, tangent[row, column]
            own = float(elevation[y, x])
            if math.isnan(own) or math.isnan(slope):
                continue
            over, dark = False, False
            for start in range(0, distance.size, STRIDE):
                middle, end = min(start + STRIDE // 2, distance.size - 1), min(start + STRIDE, distance.size)
                if _clear(over, dark, own, distance[start] * slope, distance[start] / slope, bottom, top, top):
                    break
                # All places of a stride lie within its width of the middle one.
                far = highest[(y + rows[middle]) // STRIDE, (x + columns[middle]) // STRIDE]
                near = (y - rows[middle]) // STRIDE, (x - columns[middle]) // STRIDE
                for step in range(start, end):
                    front, sight = distance[step] * slope, distance[step] / slope
                    if _clear(over, dark, own, front, sight, lowest[near], far, highest[near]):
                        break
                    place = rows[step], columns[step], share[step]
                    behind = _height(elevation, y, x, place, next_row, next_column, 1)
                    before = _height(elevation, y, x, place, next_row, next_column, -1)
                    over |= behind >= own + front or before <= own - front
                    dark |= before > own + sight
            layover[row, column], shadow[row, column] = over, dark
    return layover, shadow


@numba.njit(cache=True, nogil=True)
def _clear(
    over: bool, dark: bool, own: float, front: float, sight: float, low_near: float, high_far: float, high_near: float
) -> bool:
    """Whether heights within these bounds, from this distance on, can make no difference to a pixel."""
    no_layover = over or (own + front > high_far and own - front < low_near)
    return no_layover and (dark or own + sight >= high_near)


@numba.njit(cache=True, nogil=True)
def _height(
    elevation: Float, y: int, x: int, place: tuple[int, int, float], next_row: int, next_column: int, side: int
) -> float:
    """Height of a place of the path (side 1) or of the one across the pixel (side -1); NaN where not known."""
    row, column, share = place
    first = float(elevation[y + side * row, x + side * column])
    if share == 0.0:
        return first
    other = float(elevation[y + side * (row + next_row), x + side * (column + next_column)])
    return first + share * (other - first)
