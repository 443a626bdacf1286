"""Thresholds that split water from land in dB, and say so when there is no water to split off.

Otsu (1979) halves any histogram, also one without water; so a threshold counts only where the histogram is truly
bimodal. Baseline and diagnostic: the decision rests on evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class TwoModes:
    """Two Gaussians fitted to a sample."""

    low: tuple[float, float]
    """Mean and standard deviation of the lower mode."""
    high: tuple[float, float]
    low_share: float
    """Weight of the lower mode."""

    @property
    def ashman(self) -> float:
        """Ashman's D = sqrt(2)·|m1 - m2|/hypot(s1, s2); above 2 the modes stand apart (Ashman 1994)."""
        return float(np.sqrt(2.0) * abs(self.low[0] - self.high[0]) / np.hypot(self.low[1], self.high[1]))


def fit_two_modes(sample: Vector, iterations: int = 50) -> TwoModes:
    """Two Gaussians by expectation-maximization, started from Otsu's split of a finite sample."""
    split = threshold_otsu(sample)
    upper = (sample > split).astype(np.float64)
    means, stds, share = _moments(sample, upper)
    for _ in range(iterations):
        densities = [
            weight / std * np.exp(-0.5 * ((sample - mean) / std) ** 2)
            for weight, mean, std in zip((1 - share, share), means, stds, strict=True)
        ]
        upper = densities[1] / np.maximum(densities[0] + densities[1], 1e-300)
        means, stds, share = _moments(sample, upper)
    return TwoModes((means[0], stds[0]), (means[1], stds[1]), 1.0 - share)


def _moments(sample: Vector, upper: Vector) -> tuple[tuple[float, float], tuple[float, float], float]:
    result = []
    for weight in (1.0 - upper, upper):
        total = max(float(weight.sum()), 1e-9)
        mean = float((weight * sample).sum() / total)
        variance = float((weight * (sample - mean) ** 2).sum() / total)
        result.append((mean, max(np.sqrt(variance), 1e-3)))
    (low, high), share = result, float(upper.mean())
    return (low[0], high[0]), (low[1], high[1]), share


@dataclass(frozen=True)
class Threshold:
    """A split in dB, or none and why."""

    value: float | None
    """dB; None: no water here."""
    tiles: int
    """Bimodal tiles that it rests on."""
    note: str


def water_threshold(
    tiles: Iterable[Vector], darkest_land: float, minor_share: float = 0.1, separation: float = 2.0
) -> Threshold:
    """The median Otsu threshold over tiles whose histogram has two modes, the lower one dark enough for water.

    `tiles`: finite samples in dB; `darkest_land`: dB above which a lower mode cannot be water (field against town
    is bimodal too). A tile counts if Ashman's D exceeds `separation` and each mode holds at least `minor_share`.
    After Chini 2017 (TGRS 55(12), HSBA). No such tile: "no water here", never a threshold through the land.
    """
    found, medians = [], []
    for sample in tiles:
        if sample.size < 200:
            continue
        medians.append(float(np.median(sample)))
        modes = fit_two_modes(sample)
        bimodal = modes.ashman > separation and minor_share <= modes.low_share <= 1.0 - minor_share
        if bimodal and modes.low[0] < darkest_land:
            found.append(float(threshold_otsu(sample)))
    seen = len(medians)
    if not found and medians and float(np.median(medians)) < darkest_land:
        return Threshold(darkest_land, 0, f"all of {seen} tiles dark: no second mode because nearly all is water")
    if not found:
        return Threshold(None, 0, f"no water here: none of {seen} tiles has a dark second mode")
    return Threshold(float(np.median(found)), len(found), f"median of {len(found)} bimodal tiles of {seen}")
