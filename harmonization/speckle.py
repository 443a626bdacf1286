"""Looks: how many there are, and how to gain more before a decision.

The likelihood is taken on boxcar-multilooked intensity with its own number of looks: adaptive filters destroy the
Gamma law that it rests on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special

from harmonization.moving_window import window_moments

Array = NDArray[np.float32]

LOOKS_RANGE = (1.0, 500.0)
"""What the likelihood tables are right for."""


def multilook(power: Array, size: int) -> Array:
    """Mean of linear power over a centred size × size window; NaN is left out, and stays NaN at its own place."""
    if size == 1:
        return power
    mean, _ = window_moments(power, size)
    return np.where(np.isfinite(power), mean, np.float32(np.nan))


def equivalent_looks(samples: Sequence[Array], lag: int = 1, block: int = 64) -> float | None:
    """Equivalent number of looks of some (y, x) pieces of linear power, its noise inside.

    From the differences of ln I between pixels `lag` apart, in both axes: their variance is 2·psi1(L) where the
    ground is the same. Within each block by the median of absolute differences, so that edges do not count; over the
    blocks by the lower quartile, so that the homogeneous ones do. `lag` lies beyond the correlation of the speckle
    (resampling, point spread), so that copies do not pass for looks.
    None where no block has 500 pairs; else clipped to 1..500. Within 15 % for L >= 3, 20 % high at L = 1.
    """
    variances = []
    for sample in samples:
        for piece in _blocks(sample, block):
            differences = _log_differences(piece, lag)
            if differences.size >= 500:
                variances.append((1.4826 * float(np.median(np.abs(differences)))) ** 2 / 2.0)
    if not variances:
        return None
    return float(np.clip(_looks_of_log_variance(float(np.percentile(variances, 25))), *LOOKS_RANGE))


def equivalent_looks_of_windows(samples: Sequence[Array], side: int = 15) -> float | None:
    """Equivalent looks by the usual way: mean²/variance in windows of side × side, the mode of their histogram.

    Right on wide even ground whose speckle is uncorrelated: within 7 % for 1 to 100 looks. Speckle correlated over a
    share of the window varies too little in it (three-fold copies: 7 % too many looks at 15 × 15, 18 % at 9 × 9);
    texture and shores lower a window's value, and where few windows are free of them the mode lies too low (2 dB of
    smooth texture: 7.8 instead of 10). There, on floodplains, `equivalent_looks` is the one to take. Windows with
    unseen pixels are left out; None below 50 windows; else clipped to 1..500.
    """
    found = [np.zeros(0)]
    for sample in samples:
        rows, columns = (length // side for length in sample.shape)
        cut = sample[: rows * side, : columns * side].astype(np.float64)
        windows = cut.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side * side)
        mean, variance = windows.mean(axis=1), windows.var(axis=1, ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(np.where((mean > 0) & (variance > 0), mean**2 / variance, np.nan))
    looks = np.concatenate(found)
    looks = looks[np.isfinite(looks)]
    return None if looks.size < 50 else float(np.clip(_mode(looks), *LOOKS_RANGE))


def _mode(values: NDArray[np.float64]) -> float:
    """Where positive values are densest, by a Gaussian kernel over their logarithm (width: Silverman's rule)."""
    logs = np.log(values)
    spread = float(np.diff(np.percentile(logs, [25, 75]))[0]) / 1.349
    width = max(0.9 * spread * logs.size**-0.2, 1e-3)
    low, high = np.percentile(logs, [1, 99])
    grid = np.linspace(low, high, 400)
    bins = np.histogram(logs, bins=2000, range=(logs.min(), logs.max() + 1e-9))
    centres = (bins[1][1:] + bins[1][:-1]) / 2.0
    density = (bins[0] * np.exp(-0.5 * ((grid[:, None] - centres) / width) ** 2)).sum(axis=1)
    return float(np.exp(grid[density.argmax()]))


def _blocks(sample: Array, side: int) -> list[Array]:
    rows, columns = sample.shape
    return [
        sample[top : top + side, left : left + side] for top in range(0, rows, side) for left in range(0, columns, side)
    ]


def _log_differences(sample: Array, lag: int) -> NDArray[np.float64]:
    """ln I differences at a lag along rows and columns, unseen and non-positive pixels left out."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(sample.astype(np.float64))
        pairs = [(logs[lag:] - logs[:-lag]).ravel(), (logs[:, lag:] - logs[:, :-lag]).ravel()]
    differences = np.concatenate(pairs)
    return np.asarray(differences[np.isfinite(differences)])


def _looks_of_log_variance(variance: float) -> float:
    """L with psi1(L) = variance; psi1 falls from 1.64 at one look as about 1/L."""
    if variance >= special.polygamma(1, LOOKS_RANGE[0]):
        return LOOKS_RANGE[0]
    if variance <= special.polygamma(1, LOOKS_RANGE[1]):
        return LOOKS_RANGE[1]
    return float(optimize.brentq(lambda looks: special.polygamma(1, looks) - variance, *LOOKS_RANGE))


def log_speckle_std(looks: float) -> float:
    """Standard deviation of L-look speckle in dB: 10/ln10·sqrt(psi1(L))."""
    return float(10.0 / np.log(10.0) * np.sqrt(special.polygamma(1, looks)))


def log_speckle_bias(looks: float) -> float:
    """Mean of L-look speckle in dB: 10/ln10·(psi(L) - ln L), below zero (the mean of logarithms is too low)."""
    return float(10.0 / np.log(10.0) * (special.digamma(looks) - np.log(looks)))


def g0_log_density(
    intensity: ArrayLike, mean: ArrayLike, looks: ArrayLike, roughness: ArrayLike
) -> NDArray[np.float64]:
    """ln p of L-look intensity over texture of the G0 law, nats: speckle Gamma, texture inverse Gamma.

        p(I) = L^L Γ(L + a) g^a I^(L-1) / (Γ(a) Γ(L) (g + L·I)^(L + a)),  g = mean·(a - 1)

    Source: Frery 1997 (TGRS 35(3):648). `intensity`, `mean` linear power; `roughness` a = -alpha > 1: about 2 in towns,
    above 10 on even ground, where the law approaches the Gamma of pure speckle. -inf at and below zero intensity, NaN
    where a <= 1, for then the law has no mean. The closed-form alternative to the lognormal texture of `likelihood`.
    """
    power, level, number, a = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in (intensity, mean, looks, roughness))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(a > 1.0, level * (a - 1.0), np.nan)
        constants = number * np.log(number) + a * np.log(scale) - special.betaln(a, number)
        logs = (number - 1.0) * np.log(power) - (number + a) * np.log(scale + number * power)
    return np.where(power > 0.0, constants + logs, np.where(np.isnan(power + scale), np.nan, -np.inf))
