"""The hydrostatic loss for training: the torch twin of `harmonization.hydrostatics`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from harmonization.hydrostatics import REACH, SILL, STEP

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Rows and columns of one step; each is gone both ways."""
Place = tuple[slice, slice]


def hydrostatic_loss(
    probability: Tensor, elevation: Tensor, *, reach: int = REACH, step: float = STEP, sill: float = SILL
) -> Tensor:
    """Mean over pairs of relu(p_i - p_j)²: a place that is likelier wet than a lower one its water could reach.

    The pairs are those of `harmonization.hydrostatics.pair_losses`; gradients flow into `probability` alone.

    Args:
        probability: (B, H, W) of water; NaN not known.
        elevation: (B, H, W) m; NaN not known.
        reach: most pixels along rows, columns and diagonals (1, 2, 4 …).
        step: m that i must lie above j.
        sill: m above i that a pixel between may rise.

    Returns:
        A scalar; 0 where there is no pair.
    """
    total = probability.new_zeros(())
    count = 0
    for upper, lower, between in _straight_paths(probability.shape[-2], probability.shape[-1], reach):
        high, low = elevation[:, *upper], elevation[:, *lower]
        connected = high > low + step
        for place in between:
            connected &= elevation[:, *place] <= high + sill
        difference = probability[:, *upper] - probability[:, *lower]
        counted = connected & torch.isfinite(difference)
        total = total + torch.where(counted, difference, 0.0).clamp(min=0.0).square().sum()
        count += int(counted.sum())
    return total / max(count, 1)


def _straight_paths(rows: int, columns: int, reach: int) -> Iterator[tuple[Place, Place, tuple[Place, ...]]]:
    """Slices of all pixels i, of their partners j, and of those between: all directions, powers of two to `reach`."""
    for down, across in DIRECTIONS:
        for distance in (1 << power for power in range(reach.bit_length())):
            if rows <= down * distance or columns <= abs(across) * distance:
                continue
            places = tuple(_moved(rows, columns, down, across, distance, at) for at in range(distance + 1))
            yield places[0], places[-1], places[1:-1]
            yield places[-1], places[0], places[1:-1]


def _moved(rows: int, columns: int, down: int, across: int, distance: int, at: int) -> Place:
    """The pixels `at` steps along all paths of `distance` steps."""
    along = slice(down * at, rows - down * (distance - at))
    if across >= 0:
        return along, slice(across * at, columns - across * (distance - at))
    return along, slice(distance - at, columns - at)
