"""Speckle filters and thresholds, beside plain numpy and libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from benchmarks.stages import Stage, Work
from harmonization.bimodality import SMALLEST_TILE, bimodal_tiles
from harmonization.speckle import multilook
from harmonization.speckle_filters import gamma_map_filter, lee_filter, quegan_yu_filter, refined_lee_filter

LOOKS, SIZE, DATES = 4.4, 7, 4


def speckled(side: int) -> np.ndarray:
    """Half water, half land, with single gaps."""
    rng = np.random.default_rng(0)
    power = rng.gamma(LOOKS, 0.1 / LOOKS, (side, side)).astype(np.float32)
    power[:, : side // 2] *= 0.1
    power[::97, ::89] = np.nan
    return power


def of(call: Callable[[np.ndarray], Any], prepare: Callable[[int], np.ndarray] = speckled) -> Work:
    def work(side: int) -> Callable[[], Any]:
        power = prepare(side)
        return lambda: call(power)

    return work


def moments(power: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance by separable boxes over what was observed."""
    seen = np.isfinite(power)
    filled = np.where(seen, power, 0.0).astype(np.float64)
    count, total, squares = (
        ndimage.uniform_filter(values, size, mode="constant") for values in (seen.astype(np.float64), filled, filled**2)
    )
    mean = total / count
    return mean, squares / count - mean**2


def plain_lee(power: np.ndarray) -> np.ndarray:
    mean, variance = moments(power, SIZE)
    weight = np.maximum(0.0, (variance - mean**2 / LOOKS) / (1.0 + 1.0 / LOOKS)) / variance
    return mean + weight * (power - mean)


def plain_gamma_map(power: np.ndarray) -> np.ndarray:
    mean, variance = moments(power, SIZE)
    seen = variance / mean**2
    a = (1.0 + 1.0 / LOOKS) / np.maximum(seen - 1.0 / LOOKS, 1e-12)
    b = a - LOOKS - 1.0
    middle = (b * mean + np.sqrt(mean**2 * b**2 + 4.0 * a * LOOKS * power * mean)) / (2.0 * a)
    return np.where(seen <= 1.0 / LOOKS, mean, np.where(seen >= 2.0 / LOOKS, power, middle))


def plain_quegan_yu(stack: np.ndarray) -> np.ndarray:
    means = np.stack([moments(power, SIZE)[0] for power in stack])
    return means * np.nanmean(stack / means, axis=0)


def decibels(side: int) -> np.ndarray:
    return 10.0 * np.log10(speckled(side))


def plain_tiles(image: np.ndarray) -> list[float]:
    """Otsu alone, tile by tile: neither gate nor tree."""
    steps = range(0, image.shape[0], SMALLEST_TILE)
    tiles = [image[top : top + SMALLEST_TILE, left : left + SMALLEST_TILE] for top in steps for left in steps]
    return [threshold_otsu(tile[np.isfinite(tile)]) for tile in tiles]


def dates(side: int) -> np.ndarray:
    return np.stack([speckled(side // 2)] * DATES)


STAGES = [
    Stage("speckle: multilook 3 x 3", of(lambda p: multilook(p, 3)), of(lambda p: moments(p, 3)[0])),
    Stage("speckle: Lee 7 x 7", of(lambda p: lee_filter(p, LOOKS)), of(plain_lee)),
    Stage("speckle: refined Lee", of(lambda p: refined_lee_filter(p, LOOKS))),
    Stage("speckle: Gamma-MAP 7 x 7", of(lambda p: gamma_map_filter(p, LOOKS)), of(plain_gamma_map)),
    Stage("speckle: Quegan-Yu, 4 dates of a quarter", of(quegan_yu_filter, dates), of(plain_quegan_yu, dates)),
    Stage(
        "thresholds: bimodal tiles",
        of(lambda image: bimodal_tiles([image], -14.0), decibels),
        library=("scikit-image Otsu by tile, no gate", of(plain_tiles, decibels)),
    ),
]
