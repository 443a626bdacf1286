"""Would water lie like this? Scores of a flood map against the ground it lies on; never part of the decision.

Two scores: where a place is likelier wet than a lower one that the water could reach (`pair_losses`), and how level the
shoreline of each flooded patch is (`shorelines`). Height above drainage is a prior (`harmonization.terrain`); to put
the elevation into the decision a second time would count it twice.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

Real = NDArray[np.float64]
Mask = NDArray[np.bool_]

SILL = 0.3
"""m above the higher place that a path may rise and still let its water pass (levees break pairs) [M]."""
STEP = 1.0
"""m that a place must lie higher to count as higher: neighbouring pixels of a 30 m elevation model err by about so
much against each other [M]."""
REACH = 8
"""Pixels along rows, columns and diagonals within which pairs are formed, at distances of 1, 2, 4 and 8: 80 m of 10 m
pixels, so that ground of 1.25 % and steeper is judged."""
LEVEL_ERROR = 3.0
"""m of a shoreline's standard deviation that an elevation model's own error explains (2 to 3 m) [M]."""
LEAST_SHORE = 30
"""Pixels of shoreline from which its level is judged."""


def hydrostatic_loss(elevation: ArrayLike, probability: ArrayLike, pairs: ArrayLike, step: float = 0.0) -> float:
    """Mean over pairs of relu(p_i - p_j)², p the probability of water at a place i and at a lower one j.

    `elevation` (n,) m, `probability` (n,), `pairs` (m, 2) indices (i, j) of places with a hydraulic connection; those
    with z_i > z_j + `step` count. NaN where none does. Source: physics note, section 9.
    """
    height, wet = np.asarray(elevation, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    upper, lower = np.asarray(pairs, dtype=np.int64).reshape(-1, 2).T
    falling = height[upper] > height[lower] + step
    excess = np.maximum(wet[upper] - wet[lower], 0.0)[falling]
    return float(np.mean(excess**2)) if excess.size else float("nan")


def pair_losses(
    elevation: NDArray[np.floating],
    probability: NDArray[np.floating],
    *,
    reach: int = REACH,
    step: float = STEP,
    sill: float = SILL,
) -> tuple[Real, NDArray[np.int64]]:
    """By pixel, relu(p_i - p_j)² summed over the lower places j that its water could reach, and how many these are.

    A pair is two pixels 1, 2, 4 … at most `reach` apart along a row, a column or a diagonal, z_i > z_j + `step`, with
    no pixel between them above z_i + `sill`: a levee breaks it. (Ways round the end of a levee are not looked for, so
    pairs are rather too few.) Pairs with a NaN in them or between them are left out. `elevation` (y, x) in m;
    `probability` (y, x), or (maps, y, x) of several maps at once: then both results are too. Sums over windows that
    overlap by `reach` and are cropped are those of the whole. O(n·reach).
    """
    maps = probability if probability.ndim == 3 else probability[None]
    total = np.zeros(maps.shape)
    count = np.zeros(maps.shape, dtype=np.int64)
    _add_pairs(elevation, maps, reach, step, sill, total, count)
    return total.reshape(probability.shape), count.reshape(probability.shape)


@numba.njit(cache=True, nogil=True)
def _add_pairs(elevation, maps, reach, step, sill, total, count):  # type: ignore[no-untyped-def]
    """Walk from every pixel in eight directions."""
    for row in range(elevation.shape[0]):
        for column in range(elevation.shape[1]):
            for down in (-1, 0, 1):
                for across in (-1, 0, 1):
                    if down != 0 or across != 0:
                        _walk(elevation, maps, row, column, down, across, reach, step, sill, total, count)


@numba.njit(cache=True, nogil=True)
def _walk(elevation, maps, row, column, down, across, reach, step, sill, total, count):  # type: ignore[no-untyped-def]
    """As far as the pixel's water could go: until something rises above it, or is not known."""
    high = elevation[row, column]
    for distance in range(1, reach + 1):
        r, c = row + down * distance, column + across * distance
        if not (0 <= r < elevation.shape[0] and 0 <= c < elevation.shape[1]):
            return
        if distance & (distance - 1) == 0 and high > elevation[r, c] + step:
            for number in range(maps.shape[0]):
                excess = maps[number, row, column] - maps[number, r, c]
                if np.isfinite(excess):
                    total[number, row, column] += max(excess, 0.0) ** 2
                    count[number, row, column] += 1
        if not elevation[r, c] <= high + sill:
            return


class Shorelines(NamedTuple):
    """Flooded patches with enough of a shoreline to be judged; all (n,)."""

    pixels: NDArray[np.int64]
    """Of the patch."""
    shore: NDArray[np.int64]
    """Of its shoreline."""
    spread: Real
    """m: standard deviation of the shoreline's elevation."""
    off_plane: Real
    """m: the same about its best plane, for rivers fall."""

    @property
    def uneven(self) -> Mask:
        """Patches whose shoreline lies on no plane within the error of the elevation model."""
        return self.off_plane > LEVEL_ERROR


def shorelines(flooded: Mask, known: Mask, elevation: NDArray[np.floating], least: int = LEAST_SHORE) -> Shorelines:
    """How level the shoreline of each flooded patch (eight neighbours) is; patches with less than `least` are left out.

    The shoreline is the patch's pixels that touch a dry pixel; `flooded`, `known` (the map says something) and
    `elevation` in m (NaN not known) are (y, x). Where a patch ends at the map's edge or at something unknown is none.
    """
    eight = np.ones((3, 3), dtype=np.bool_)
    labels, count = ndimage.label(flooded & known, structure=eight)
    dry = ndimage.binary_dilation(known & ~flooded, structure=eight)
    shore = (labels > 0) & dry & np.isfinite(elevation)
    rows, columns = np.nonzero(shore)
    patch = labels[shore]
    sizes = np.bincount(patch, minlength=count + 1)
    judged = np.flatnonzero(sizes >= least)
    spread, off_plane = _spreads(patch, np.stack([rows, columns, elevation[shore].astype(np.float64)]), count + 1)
    pixels = np.bincount(labels.ravel(), minlength=count + 1)
    return Shorelines(pixels[judged], sizes[judged], spread[judged], off_plane[judged])


def _spreads(patch: NDArray[np.int64], points: Real, count: int) -> tuple[Real, Real]:
    """Standard deviation of z by patch, and about the plane of least squares; `points` (3, m): row, column, z."""
    size = np.maximum(np.bincount(patch, minlength=count), 1)
    means = np.stack([np.bincount(patch, values, minlength=count) / size for values in points])
    y, x, z = points - means[:, patch]
    yy, xx, xy, yz, xz, zz = (
        np.bincount(patch, one * two, minlength=count) / size
        for one, two in ((y, y), (x, x), (x, y), (y, z), (x, z), (z, z))
    )
    area = yy * xx - xy**2
    flat = area > 1e-9 * np.maximum(yy * xx, 1e-9)  # else the shoreline is one straight line: its own slope only
    safe = np.where(flat, area, 1.0)
    by_plane = (yz**2 * xx - 2.0 * yz * xz * xy + xz**2 * yy) / safe
    length = np.maximum(yy + xx, 1e-9)
    by_line = (yz**2 + xz**2) / length
    explained = np.where(flat, by_plane, by_line)
    return np.sqrt(zz), np.sqrt(np.maximum(zz - explained, 0.0))
