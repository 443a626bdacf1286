"""The hydrostatic loss for training: the torch twin of `harmonization.hydrostatics`."""

from __future__ import annotations

import torch
from torch import Tensor

from harmonization.hydrostatics import REACH, SILL, STEP, straight_paths


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
    for upper, lower, between in straight_paths(tuple(probability.shape[-2:]), reach):
        high, low = elevation[:, *upper], elevation[:, *lower]
        connected = high > low + step
        for place in between:
            connected &= elevation[:, *place] <= high + sill
        difference = probability[:, *upper] - probability[:, *lower]
        counted = connected & torch.isfinite(difference)
        total = total + torch.where(counted, difference, 0.0).clamp(min=0.0).square().sum()
        count += int(counted.sum())
    return total / max(count, 1)
