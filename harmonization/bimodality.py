"""Whether a histogram has two modes, and where in an image such histograms are: tiles of a quad-tree.

After the hierarchical split-based approach of Chini 2017 (TGRS 55(12):6975). A histogram is counts (..., bins) over the
centres of even bins (bins,), dB; leading axes are tiles, all fitted at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonization.thresholds import BIN, CENTRES, otsu_threshold

Real = NDArray[np.float64]
Mask = NDArray[np.bool_]

COARSE = 4
"""Bins that the fit is compared in: 1 dB. In finer ones the chance of few samples passes for a bad fit, for the
coefficient of a perfect one falls short of 1 by about (bins - 1)/(8 samples)."""
LARGEST_TILE, SMALLEST_TILE = 256, 64
"""Pixels: a tile holds at least 4096 samples, some 500 of them independent after a boxcar of three."""
SEPARATION, FIT, MINOR_SHARE = 2.0, 0.99, 0.1
"""A tile is bimodal where Ashman's D, Bhattacharyya's coefficient and the share of the minor mode exceed these (Chini
2017 [V in the reference note])."""
FAR_APART, LOOSE_FIT = 4.0, 0.9
"""Modes with a larger D need no better coefficient than the second: no single skewed mode comes apart so far [C] and
three modes have 0.85 at most, while pixels mixed at shores, which no two Gaussians hold, leave lakes of many looks at
0.93 to 0.98."""


@dataclass(frozen=True, eq=False)
class TwoModes:
    """Two Gaussians in each of some histograms; (...) arrays in dB, NaN where there is nothing to fit."""

    low_mean: Real
    low_std: Real
    high_mean: Real
    high_std: Real
    low_share: Real
    """Weight of the lower mode."""

    @property
    def ashman(self) -> Real:
        """Ashman's D = sqrt(2)·|m1 - m2|/hypot(s1, s2); above 2 the modes stand apart (Ashman 1994, AJ 108)."""
        apart = np.abs(self.low_mean - self.high_mean)
        return np.asarray(np.sqrt(2.0) * apart / np.hypot(self.low_std, self.high_std))

    @property
    def minor_share(self) -> Real:
        """Weight of the smaller mode."""
        return np.minimum(self.low_share, 1.0 - self.low_share)

    def low_probability(self, level: NDArray[np.floating], tile: int) -> Real:
        """How likely levels in dB are of the lower mode of one tile; 0 where NaN, or where no mode reaches."""
        low, high = (
            share * _density(np.nan_to_num(level), np.asarray(mean[tile]), np.asarray(std[tile]))
            for mean, std, share in (
                (self.low_mean, self.low_std, self.low_share[tile]),
                (self.high_mean, self.high_std, 1.0 - self.low_share[tile]),
            )
        )
        seen = np.isfinite(level) & (low + high > 0)
        return np.asarray(np.divide(low, low + high, out=np.zeros(np.shape(level)), where=seen))

    def expected(self, centres: Real) -> tuple[Real, Real]:
        """Share of all samples that either mode has in each bin, (..., bins)."""
        low = _density(centres, self.low_mean, self.low_std) * self.low_share[..., None]
        high = _density(centres, self.high_mean, self.high_std) * (1.0 - self.low_share)[..., None]
        step = centres[1] - centres[0]
        return low * step, high * step


def fit_two_modes(counts: Real, centres: Real = CENTRES, rounds: int = 60) -> TwoModes:
    """Two Gaussians by expectation-maximization, started from Otsu's split; a mode is at least a bin wide."""
    counts = np.asarray(counts, dtype=np.float64)
    filled = np.flatnonzero(counts.reshape(-1, centres.size).any(axis=0))
    if filled.size:  # empty ends of the range are no part of any sum
        within = slice(max(filled[0] - 1, 0), filled[-1] + 2)
        counts, centres = counts[..., within], centres[within]
    split = otsu_threshold(counts, centres)[..., None]
    low = np.where(centres <= split, 1.0, 0.0)
    for _ in range(rounds):
        modes = _modes(counts, centres, low)
        below, above = modes.expected(centres)
        with np.errstate(invalid="ignore", divide="ignore"):
            low = np.where(below + above > 0, below / (below + above), low)
    return modes


def bhattacharyya(counts: Real, modes: TwoModes, centres: Real = CENTRES) -> Real:
    """Sum of sqrt(p·q) over bins of 1 dB, p of the histogram and q of the fit: 1 where they are the same."""
    below, above = modes.expected(centres)
    p, q = _coarse(np.asarray(counts, dtype=np.float64)), _coarse(below + above)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(p / p.sum(axis=-1, keepdims=True) * q).sum(axis=-1))


def is_bimodal(counts: Real, modes: TwoModes, centres: Real = CENTRES) -> Mask:
    """Where two modes stand apart, neither a mere fringe, and make up the histogram or are far apart."""
    with np.errstate(invalid="ignore"):
        apart = (modes.ashman > SEPARATION) & (modes.minor_share > MINOR_SHARE)
        fit = np.where(modes.ashman > FAR_APART, LOOSE_FIT, FIT)
        return np.asarray(apart & (bhattacharyya(counts, modes, centres) > fit))


@dataclass(frozen=True, eq=False)
class BimodalTiles:
    """The tiles of some images whose histograms have two modes, the lower one dark enough for water."""

    image: NDArray[np.intp]
    """(n,) index of the image."""
    top: NDArray[np.intp]
    left: NDArray[np.intp]
    side: NDArray[np.intp]
    """(n,) pixels."""
    counts: Real
    """(n, bins) over `CENTRES`."""
    modes: TwoModes
    """(n,)."""
    looked_at: int
    """Tiles of the smallest size with data in at least half of their pixels."""
    dark: float
    """Share of those whose median is dark enough for water."""

    def __len__(self) -> int:
        return int(self.image.size)


def bimodal_tiles(images: Sequence[NDArray[np.floating]], darkest_land: float) -> BimodalTiles:
    """Tiles of (y, x) images of dB, from the largest down: a tile that has two modes is kept, any other is quartered.

    `darkest_land`: dB above which a lower mode cannot be water, for field against town is bimodal too. A tile counts
    where half of its pixels are finite. No such tile is an answer: there is no water here.
    """
    finest = [_tile_counts(image) for image in images]
    kept = [_kept(counts, darkest_land) for counts in finest]
    image = np.repeat(np.arange(len(images)), [len(place) for place, _ in kept])
    place = np.concatenate([np.zeros((0, 3), dtype=np.intp), *(place for place, _ in kept)])
    counts = np.concatenate([np.zeros((0, CENTRES.size)), *(own for _, own in kept)])
    looked_at, dark = _seen_tiles(finest, darkest_land)
    top, left, side = place[:, 0], place[:, 1], place[:, 2]
    return BimodalTiles(image, top, left, side, counts, fit_two_modes(counts), looked_at, dark)


def _kept(finest: Real, darkest_land: float) -> tuple[NDArray[np.intp], Real]:
    """The tiles of one image by the histograms of its smallest: (n, 3) top, left and side, and (n, bins)."""
    free: Mask = np.ones(finest.shape[:2], dtype=np.bool_)
    places, counts = [], []
    side = LARGEST_TILE
    while side >= SMALLEST_TILE:
        factor = side // SMALLEST_TILE
        level = _merged(finest, factor)
        taken = _merged(~free[..., None], factor)[..., 0] > 0
        keep = _water_tiles(level, side, darkest_land) & ~taken
        free &= ~keep.repeat(factor, axis=0).repeat(factor, axis=1)[: free.shape[0], : free.shape[1]]
        places.append(np.concatenate([np.argwhere(keep) * side, np.full((keep.sum(), 1), side)], axis=1))
        counts.append(level[keep])
        side //= 2
    return np.concatenate(places), np.concatenate(counts)


def _water_tiles(counts: Real, side: int, darkest_land: float) -> Mask:
    modes = fit_two_modes(counts)
    with np.errstate(invalid="ignore"):
        dark = modes.low_mean < darkest_land
    return np.asarray((counts.sum(axis=-1) >= side**2 / 2) & is_bimodal(counts, modes) & dark)


def _seen_tiles(finest: Sequence[Real], darkest_land: float) -> tuple[int, float]:
    """How many of the smallest tiles hold data, and the share of these whose median is dark."""
    counts = np.concatenate([part.reshape(-1, CENTRES.size) for part in finest] or [np.zeros((0, CENTRES.size))])
    counts = counts[counts.sum(axis=-1) >= SMALLEST_TILE**2 / 2]
    if not len(counts):
        return 0, 0.0
    medians = CENTRES[(np.cumsum(counts, axis=-1) >= counts.sum(axis=-1, keepdims=True) / 2).argmax(axis=-1)]
    return len(counts), float((medians < darkest_land).mean())


def _tile_counts(image: NDArray[np.floating], side: int = SMALLEST_TILE) -> Real:
    """(rows, columns, bins) histograms of the tiles of an image; those at its far rims may be cut."""
    rows, columns = (-(-length // side) for length in image.shape)
    number = np.arange(image.shape[0])[:, None] // side * columns + np.arange(image.shape[1])[None] // side
    with np.errstate(invalid="ignore"):
        place = np.floor((image - (CENTRES[0] - BIN / 2)) / BIN)
        inside = (place >= 0) & (place < CENTRES.size)
    flat = number[inside] * CENTRES.size + place[inside].astype(np.intp)
    counts = np.bincount(flat, minlength=rows * columns * CENTRES.size)
    return counts.reshape(rows, columns, CENTRES.size).astype(np.float64)


def _merged(counts: NDArray[Any], factor: int) -> Real:
    """Histograms of tiles `factor` times as wide."""
    rows, columns = (-(-length // factor) for length in counts.shape[:2])
    whole = np.zeros((rows * factor, columns * factor, counts.shape[2]))
    whole[: counts.shape[0], : counts.shape[1]] = counts
    return np.asarray(whole.reshape(rows, factor, columns, factor, -1).sum(axis=(1, 3)))


def _coarse(counts: Real) -> Real:
    return np.asarray(counts.reshape(*counts.shape[:-1], -1, COARSE).sum(axis=-1))


def _density(centres: Real, mean: Real, std: Real) -> Real:
    z = (centres - mean[..., None]) / std[..., None]
    return np.asarray(np.exp(-0.5 * z * z) / (np.sqrt(2.0 * np.pi) * std[..., None]))


def _modes(counts: Real, centres: Real, low: Real) -> TwoModes:
    """Moments of both modes, given how far each bin belongs to the lower one."""
    step = centres[1] - centres[0]
    found = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for weights in (counts * low, counts * (1.0 - low)):
            total = weights.sum(axis=-1)
            mean = (weights * centres).sum(axis=-1) / total
            variance = (weights * (centres - mean[..., None]) ** 2).sum(axis=-1) / total
            found.append((mean, np.maximum(np.sqrt(variance), step), total))
        (m1, s1, n1), (m2, s2, n2) = found
        return TwoModes(m1, s1, m2, s2, n1 / (n1 + n2))
