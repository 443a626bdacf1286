"""Where a run is contested: how unsure the delivered map is, and how far the methods are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import ndimage

from pipeline.classify import NOT_OBSERVABLE, OUTSIDE, REFERENCE_WATER
from pipeline.grid import lattice_origin
from pipeline.review.experts import FLOOD
from pipeline.run_folder import RunFolder, UnitFolder

Real = NDArray[np.float32]
Codes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CELL_M = 200.0
"""Side of the cells of a fixed lattice by which regions are cut: a person judges one at a glance [M]."""
SPECKLE = 5
"""Pixels a side of the window whose commonest pattern a pixel takes: single pixels are no polygons."""
UNSURE = 0.4
"""Standard deviation of a yes or no, sqrt(p·(1 - p)), from which a pixel is contested: p between 20 and 80 % [C]."""
APART = 0.5
"""Disagreement from which a pixel is contested: a quarter of the families of methods against the rest."""
BY_A_RULE = 0.3
"""What a rule without a probability spreads: it is taken to be right nine times in ten [M]."""

NONE, SURE_DRY, SURE_FLOOD, SURE_WATER, DRY_AGAINST, FLOOD_AGAINST, DRY_ALONE, FLOOD_ALONE = range(8)
"""Patterns: outside the frame; nobody doubts it; the delivered map says one thing and most others agree ("against" a
few), or most others do not ("alone")."""
CONTESTED = (DRY_AGAINST, FLOOD_AGAINST, DRY_ALONE, FLOOD_ALONE)
_PARITIES = 4


@dataclass(frozen=True, eq=False)
class Contest:
    """Of each pixel of a window (y, x)."""

    uncertainty: Real
    """Standard deviation of flood yes or no by the delivered map, 0 to 0.5."""
    disagreement: Real
    """0: all families of methods say the same, 1: half of them say flood."""
    pattern: Codes
    """One of the patterns of this module."""


def contest_of(unit: UnitFolder, window: Window | None = None) -> Contest:
    """How contested the pixels of a unit are, before any smoothing."""
    codes = unit.read("flood_class", window)[0]
    share = _votes(unit, window)
    spread = _spread(unit, window)
    apart = (1.0 - np.abs(2.0 * share - 1.0)).astype(np.float32)
    flood = np.isin(codes, FLOOD)
    alone = np.where(flood, share < 0.5, share > 0.5)
    pattern = np.select(
        [
            np.isin(codes, (NOT_OBSERVABLE, OUTSIDE)),
            codes == REFERENCE_WATER,
            (spread < UNSURE) & (apart < APART) & flood,
            (spread < UNSURE) & (apart < APART),
            flood & alone,
            flood,
            alone,
        ],
        [NONE, SURE_WATER, SURE_FLOOD, SURE_DRY, FLOOD_ALONE, FLOOD_AGAINST, DRY_ALONE],
        DRY_AGAINST,
    )
    return Contest(spread, apart, pattern.astype(np.uint8))


def _votes(unit: UnitFolder, window: Window | None) -> Real:
    """Share of the families of methods that say flood; those of one family, "late-gate" and "late-mean", are one."""
    families: dict[str, list[tuple[Mask, Mask]]] = {}
    for name in unit.methods:
        codes = unit.read(f"methods/{name}", window)[0]
        seen = ~np.isin(codes, (NOT_OBSERVABLE, OUTSIDE))
        families.setdefault(name.partition("-")[0], []).append((np.isin(codes, FLOOD), seen))
    total = count = np.float32(0.0)
    for maps in families.values():
        heard = np.sum([seen for _, seen in maps], axis=0)
        yes = np.sum([flood & seen for flood, seen in maps], axis=0)
        total = total + yes / np.maximum(heard, 1)
        count = count + (heard > 0)
    return np.asarray(total / np.maximum(count, 1), dtype=np.float32)


def _spread(unit: UnitFolder, window: Window | None) -> Real:
    """sqrt(p·(1 - p)) of the delivered map (y, x); of a rule the same everywhere."""
    if not unit.has("flood_probability"):
        rows, columns = unit.box.shape.yx if window is None else (int(window.height), int(window.width))
        return np.full((rows, columns), BY_A_RULE, dtype=np.float32)
    share = np.minimum(unit.read("flood_probability", window)[0], 100).astype(np.float32) / 100.0
    return np.asarray(np.sqrt(share * (1.0 - share)), dtype=np.float32)


def frame_codes(unit: UnitFolder) -> Codes:
    """(y, x) codes whose connected regions are the candidates: smoothed pattern × four colours of the lattice's cells.

    Neighbouring cells never share a colour, so no polygon is wider than a cell; the lattice is the run's own, so cells
    go on across the seams of units. 0 is outside the frame.
    """
    pattern = np.zeros(unit.box.shape.yx, dtype=np.uint8)
    for window in unit.windows():
        rows, columns = window.toslices()
        pattern[rows, columns] = contest_of(unit, window).pattern
    smooth = np.where(pattern == NONE, NONE, commonest(pattern, SPECKLE))
    return np.where(smooth == NONE, 0, 1 + _PARITIES * smooth + _parity(unit)).astype(np.uint8)


def pattern_of(code: int) -> int:
    """The pattern of a code of `frame_codes`."""
    return (code - 1) // _PARITIES


def wanted_codes() -> tuple[int, ...]:
    """All codes of the frame."""
    return tuple(range(1 + _PARITIES, 1 + _PARITIES * (FLOOD_ALONE + 1)))


def _parity(unit: UnitFolder) -> Codes:
    """(y, x) 0 to 3 by row and column of the lattice's cells."""
    top, left = lattice_origin(unit.box)
    side = cell_pixels(unit)
    rows, columns = unit.box.shape.yx
    down = (top + np.arange(rows)) // side % 2
    across = (left + np.arange(columns)) // side % 2
    return (2 * down[:, None] + across[None, :]).astype(np.uint8)


def cell_pixels(unit: UnitFolder) -> int:
    """Pixels a side of a cell of the lattice: 8 at least."""
    return max(8, round(CELL_M / abs(unit.box.affine.a)))


def commonest(pattern: Codes, side: int) -> Codes:
    """The commonest pattern other than NONE in the window around each pixel (y, x); of two equally common the lower."""
    best = np.zeros(pattern.shape, dtype=np.float32)
    winner = np.zeros(pattern.shape, dtype=np.uint8)
    for code in range(SURE_DRY, FLOOD_ALONE + 1):
        share = ndimage.uniform_filter((pattern == code).astype(np.float32), side, mode="nearest")
        more = share > best + 1e-4
        winner[more], best[more] = code, share[more]
    return winner


def frame_of(run: RunFolder) -> float:
    """km² that the delivered map observes: what the candidates are meant to cover."""
    total = 0.0
    for unit in run.units:
        for window in unit.windows():
            codes = unit.read("flood_class", window)[0]
            total += float((~np.isin(codes, (NOT_OBSERVABLE, OUTSIDE))).sum()) * unit.pixel_km2
    return total
