"""Sums of flood probability over pixels, once for each draw of what a scene's pixels have in common."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Float

Real = NDArray[np.float64]
Index = NDArray[np.int32]


@numba.njit(cache=True, nogil=True)
def drawn_sums(log_odds: Float, sample: Index, moves: Float, prior: Float, weights: Float) -> Real:
    """(draw, weight) sums over pixels of weight · P(flood) with each draw's errors.

    `log_odds` (2, pixel): of open water and flooded vegetation against dry, as mapped. `sample` (look, pixel): which
    sample of its sensor's cloud a pixel is like, -1 where that sensor did not see it. `moves` (look, draw, 2, sample):
    nats by which a draw moves that sample. `prior` (draw, 2): nats by which it moves every pixel. `weights` (weight,
    pixel): what a flooded pixel counts, its area, the people on it.
    """
    looks, pixels = sample.shape
    draws = prior.shape[0]
    sums = np.zeros((draws, weights.shape[0]))
    for draw in range(draws):
        for pixel in range(pixels):
            water = log_odds[0, pixel] + prior[draw, 0]
            vegetation = log_odds[1, pixel] + prior[draw, 1]
            for look in range(looks):
                like = sample[look, pixel]
                if like >= 0:
                    water += moves[look, draw, 0, like]
                    vegetation += moves[look, draw, 1, like]
            highest = max(water, vegetation)
            odds = math.exp(min(highest, 80.0)) * (1.0 + math.exp(-abs(water - vegetation)))
            share = odds / (1.0 + odds)
            for weight in range(weights.shape[0]):
                sums[draw, weight] += share * weights[weight, pixel]
    return sums
