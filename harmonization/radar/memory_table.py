"""ln p(I) of a pixel whose own level is known to some dB: tables for every class, band and noise floor.

What a pixel's past tells of its level now is a normal law in dB, of some mean and some spread. A plane holds one
spread: the mean above the noise, and the intensity over the noise. Between planes the precision 1/(spread² + speckle²)
is the coordinate, for in it the logarithm of a normal law is almost linear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Float
from harmonization.radar.likelihood import FloatAxis, Table, class_columns, intensity_axis
from harmonization.speckle import log_speckle_std

STD_RANGE = (0.5, 4.5)
"""dB of spread: no pixel is steadier than the radiometry of two passes (0.5 dB, ESA); none is less known."""
_MEANS = (-20.0, 55.0)
"""dB above the noise; below, a pixel is noise."""
_MISSED = 0.003
"""Nats by which straight lines between two means may miss a law: step²/8 over its variance [C]."""
_TOGETHER = 64
"""Means whose columns are made at once: narrow laws leave most levels out."""


@dataclass(frozen=True, eq=False)
class MemoryTable:
    """ln p for noise 1 under laws of some spreads, in one row."""

    values: Table
    """(plane, mean, intensity) nats."""
    offsets: NDArray[np.int64]
    """(plane,) where it begins."""
    steps: Float
    """(plane,) dB between its means, the first `FIRST_MEAN` above the noise."""
    counts: NDArray[np.int64]
    """(plane,) means."""
    size: int
    """Intensities."""


FIRST_MEAN = _MEANS[0]


def precision_axis(looks: float) -> FloatAxis:
    """1/dB² of spread and speckle together, over `STD_RANGE`."""
    speckle = log_speckle_std(looks) ** 2
    low, high = (math.log2(1.0 / (std * std + speckle)) for std in reversed(STD_RANGE))
    return FloatAxis(math.floor(low), math.ceil(high), bits=3)


@lru_cache(maxsize=2)
def lattice_table(looks: float) -> MemoryTable:
    """Planes at the nodes of `precision_axis(looks)`; those more than a node outside of `STD_RANGE` stay empty."""
    speckle = log_speckle_std(looks) ** 2
    nodes = precision_axis(looks).nodes()
    low, high = (1.0 / (std * std + speckle) for std in reversed(STD_RANGE))
    # The node beyond the steadiest pixel may be narrower than the speckle itself: it then stands for hardly any spread.
    spreads = np.sqrt(np.maximum(1.0 / nodes - speckle, 0.25 * STD_RANGE[0] ** 2))
    needed = slice(max(int(nodes.searchsorted(low, side="right")) - 1, 0), int(nodes.searchsorted(high)) + 1)
    wanted = [float(spread) if needed.start <= index < needed.stop else None for index, spread in enumerate(spreads)]
    return _planes(wanted, looks)


@lru_cache(maxsize=16)
def law_table(spreads: tuple[float, ...], looks: float) -> MemoryTable:
    """One plane for each of some spreads in dB."""
    return _planes(list(spreads), looks)


def _planes(spreads: list[float | None], looks: float) -> MemoryTable:
    planes = [_plane(spread, looks) if spread is not None else np.zeros((0, 0), np.float32) for spread in spreads]
    steps = [_step(spread, looks) if spread is not None else 1.0 for spread in spreads]
    offsets = np.cumsum([0, *(plane.size for plane in planes[:-1])])
    counts = np.array([plane.shape[0] for plane in planes])
    values = np.concatenate([plane.ravel() for plane in planes])
    return MemoryTable(values, offsets, np.array(steps, np.float32), counts, intensity_axis(looks).size)


@lru_cache(maxsize=32)
def _plane(spread: float, looks: float) -> Table:
    step = _step(spread, looks)
    means = np.asarray(_MEANS[0] + step * np.arange(int((_MEANS[1] - _MEANS[0]) / step) + 2), dtype=np.float64)
    parts = [means[start : start + _TOGETHER] for start in range(0, means.size, _TOGETHER)]
    columns = [class_columns(part, np.full(part.size, spread), spread, looks).T for part in parts]
    return np.ascontiguousarray(np.concatenate(columns))


def _step(spread: float, looks: float) -> float:
    return float(np.float32(math.sqrt(8.0 * _MISSED * (spread**2 + log_speckle_std(looks) ** 2))))
