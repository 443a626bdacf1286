"""Which chips an epoch is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch.utils.data import Sampler

from models.data.chips import UNKNOWN
from models.data.sources import ChipSource, ChipsUnfit

Real = NDArray[np.float64]
_STEEPEST = 60.0
"""Largest exponent of a tilt: e^60 leaves one chip."""


class EpochOrder(Sampler[int]):
    """Draws of an epoch; they follow from seed and epoch alone.

    Without weights every chip comes as often as any other; with them as many are drawn, with replacement. A draw is
    `chip + chips * turn`, so that a chip that comes twice is varied twice (`ChipSet`).
    """

    def __init__(self, chips: int, seed: int, weights: Real | None = None, draws: int = 1) -> None:
        """Args: `draws` of each chip an epoch (on average, where they are weighted)."""
        self.chips, self.seed, self.weights = chips, seed, weights
        self.draws = draws
        self.epoch = 0

    def __len__(self) -> int:
        return self.chips * self.draws

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        if self.weights is None:
            order = torch.cat([torch.randperm(self.chips, generator=generator) for _ in range(self.draws)])
        else:
            weights = torch.from_numpy(self.weights)
            order = torch.multinomial(weights, len(self), replacement=True, generator=generator)
        yield from (int(chip) + self.chips * turn for turn, chip in enumerate(order))


def flood_shares(source: ChipSource) -> Real:
    """(chips,) share of flood among the known pixels of each chip; NaN where none is known. Reads every chip."""
    return np.array([_flood_share(source.read(index)[1]) for index in range(len(source))])


def tilted_weights(shares: Real, target: float) -> Real:
    """Probabilities of drawing each chip so that the mean share of flood is `target`.

    The nearest to drawing all alike, in relative entropy: w ∝ exp(λ share) (Kullback 1959, exponential tilting).
    Another event's prior is other chips, with less water each, and not the same chips with other weights for their
    pixels: what the network learns of whole scenes shifts too. Chips of unknown share are drawn as the average.

    Raises:
        ChipsUnfit: no mixture of these chips has that share.
    """
    known = np.where(np.isnan(shares), np.nanmean(shares), shares)
    if not known.min() < target < known.max():
        raise ChipsUnfit(
            f"A flood share of {target:g} was asked for, but the chips hold {known.min():.3g} to {known.max():.3g}: "
            "give a share between these, or none."
        )
    scaled = (known - target) / (known.max() - known.min())

    def excess(exponent: float) -> float:
        return float(_tilt(scaled, exponent) @ scaled)

    reach = _STEEPEST
    while excess(-reach) > 0.0 or excess(reach) < 0.0:
        reach *= 2.0
    return _tilt(scaled, brentq(excess, -reach, reach))


def _tilt(scaled: Real, exponent: float) -> Real:
    raw = np.exp(exponent * scaled - (exponent * scaled).max())
    return np.asarray(raw / raw.sum())


def _flood_share(truth: NDArray[Any]) -> float:
    known = truth != UNKNOWN
    return float((truth[known] > 0).mean()) if known.any() else math.nan
