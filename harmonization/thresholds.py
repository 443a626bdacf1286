"""Where to split a histogram of dB in two: Otsu, Kittler and Illingworth, and the Bayes split of known modes.

A histogram is counts (..., bins) over the centres of even bins (bins,), dB; leading axes are tiles, all split at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]

BIN = 0.25
"""dB: below half of the deviation of 36-look speckle, so that bins do not widen a mode."""
CENTRES: Real = np.arange(-50.0, 20.0, BIN) + BIN / 2.0
"""dB of the bins: all backscatter; what lies beyond does not count."""


def otsu_threshold(counts: Real, centres: Real = CENTRES) -> Real:
    """The split of largest variance between the two sides (Otsu 1979, TSMC 9(1)); NaN where one bin holds all.

    It halves any histogram, also one without water, and falls into the larger class where the smaller is scarce.
    """
    below, above = _sides(counts, centres)
    with np.errstate(invalid="ignore"):
        between = below[0] * above[0] * (below[1] - above[1]) ** 2
    return _best(np.where(np.isfinite(between), -between, np.inf), centres)


def kittler_illingworth_threshold(counts: Real, centres: Real = CENTRES) -> Real:
    """The split of least error if each side is a Gaussian (Kittler, Illingworth 1986, Pattern Recognition 19(1)).

        J = 1 + 2 (P1 ln s1 + P2 ln s2) - 2 (P1 ln P1 + P2 ln P2)     (their eq. 15)

    Each side holds at least 0.1 % and is at least half a bin wide, for a side of one bin would be "least error" too.
    NaN where no split has such sides. Of a histogram of one mode it speaks as freely as Otsu: gate it.
    """
    below, above = _sides(counts, centres)
    step = (centres[1] - centres[0]) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        criterion = 1.0 + sum(2.0 * share * (np.log(std) - np.log(share)) for share, _, std in (below, above))
    sound = (np.minimum(below[0], above[0]) >= 1e-3) & (np.minimum(below[2], above[2]) > step)
    return _best(np.where(sound, criterion, np.inf), centres)


def bayes_threshold(
    low: tuple[float, float] | tuple[Real, Real], high: tuple[float, float] | tuple[Real, Real], low_share: float | Real
) -> Real:
    """The level between two Gaussians (mean, std) where both, by their shares, are as likely: least error of all.

    NaN where one mode outweighs the other over the whole way between their means.
    """
    (m1, s1), (m2, s2) = (tuple(np.asarray(value, dtype=np.float64) for value in mode) for mode in (low, high))
    share = np.asarray(low_share, dtype=np.float64)
    x = np.linspace(0.0, 1.0, 2001)
    levels = m1[..., None] + (m2 - m1)[..., None] * x
    with np.errstate(divide="ignore"):
        odds = np.log(share * s2) - np.log((1.0 - share) * s1)
    excess = odds[..., None] - 0.5 * ((levels - m1[..., None]) / s1[..., None]) ** 2
    excess = excess + 0.5 * ((levels - m2[..., None]) / s2[..., None]) ** 2
    turn = (excess[..., :-1] > 0) & (excess[..., 1:] <= 0)
    found = np.take_along_axis(levels, turn.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return np.where(turn.any(axis=-1), found, np.nan)


def _sides(counts: Real, centres: Real) -> tuple[tuple[Real, Real, Real], tuple[Real, Real, Real]]:
    """Share, mean and deviation of what lies at or below each bin, and above it; NaN where a side is empty."""
    whole = np.asarray(counts, dtype=np.float64)
    sums = [np.cumsum(whole * centres**power, axis=-1) for power in range(3)]
    total = sums[0][..., -1:]
    sides = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for zero, one, two in (sums, [part[..., -1:] - part for part in sums]):
            mean = one / zero
            sides.append((zero / total, mean, np.sqrt(np.maximum(two / zero - mean**2, 0.0))))
    return sides[0], sides[1]


def _best(criterion: Real, centres: Real) -> Real:
    """The upper edge of the bin of the least criterion, the middle of equals; NaN where there is none."""
    least = criterion.min(axis=-1, keepdims=True)
    equal = (criterion <= least) & np.isfinite(criterion)
    count = equal.sum(axis=-1)
    edges = centres + (centres[1] - centres[0]) / 2.0
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, (equal * edges).sum(axis=-1) / np.maximum(count, 1), np.nan)
