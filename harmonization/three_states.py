"""Three states at once, pixel by pixel in one compiled pass: likelihoods mixed in the log domain, so nothing overflows.

The formulas, and why they are what they are, stand in `evidence` (`doubt_states`, `relax_states`).
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]
Real = NDArray[np.float64]


def doubted(llr: ArrayLike, crossover: ArrayLike) -> Array:
    """ln of (1 - 1.5e)·p(state) + 0.5e·sum p, against dry: (2, ...) nats; `crossover` a scalar or (...)."""
    levels, shares, out = _prepared(llr, crossover)
    _doubt_pixels(levels, shares, out)
    return out.reshape(np.shape(llr))


def aged(llr: ArrayLike, memories: ArrayLike, log_prior: Real) -> Array:
    """ln of rho·p(state) + (1 - rho)·sum prior·p, against dry: (2, ...) nats.

    `memories`: ln rho, a scalar or (...); `log_prior` (3,) of dry, open water, flooded vegetation.
    """
    levels, shares, out = _prepared(llr, memories)
    _age_pixels(levels, shares, log_prior, out)
    return out.reshape(np.shape(llr))


def _prepared(llr: ArrayLike, values: ArrayLike) -> tuple[Array | Real, Real, Array]:
    """(2, n) nats, one or n values, and room for the answer."""
    levels = np.ascontiguousarray(llr)
    one_each = np.asarray(values, dtype=np.float64)
    if one_each.size > 1:
        one_each = np.broadcast_to(one_each, levels.shape[1:])
    return levels.reshape(2, -1), one_each.ravel(), np.empty((2, levels[0].size), dtype=np.float32)


@numba.njit(cache=True, nogil=True)
def _log_add(a: float, b: float) -> float:
    """ln(e^a + e^b); NaN where either is, -inf where both are."""
    high, low = (a, b) if a >= b else (b, a)
    if high == -math.inf:
        return high
    return high + math.log1p(math.exp(low - high))


@numba.njit(cache=True, nogil=True)
def _log(share: float) -> float:
    return math.log(share) if share > 0.0 else -math.inf


@numba.njit(cache=True, nogil=True)
def _doubt_pixels(llr: Array | Real, crossover: Real, out: Array) -> None:
    for pixel in range(llr.shape[1]):
        share = crossover[pixel if crossover.size > 1 else 0]
        water, vegetation = float(llr[0, pixel]), float(llr[1, pixel])
        stay = _log(1.0 - 1.5 * share)
        stray = _log(0.5 * share) + _log_add(0.0, _log_add(water, vegetation))
        dry = _log_add(stay, stray)
        out[0, pixel] = _log_add(stay + water, stray) - dry
        out[1, pixel] = _log_add(stay + vegetation, stray) - dry


@numba.njit(cache=True, nogil=True)
def _age_pixels(llr: Array | Real, memories: Real, log_prior: Real, out: Array) -> None:
    for pixel in range(llr.shape[1]):
        kept = memories[pixel if memories.size > 1 else 0]
        water, vegetation = float(llr[0, pixel]), float(llr[1, pixel])
        wet = _log_add(log_prior[1] + water, log_prior[2] + vegetation)
        anything = _log(-math.expm1(kept)) + _log_add(log_prior[0], wet)
        dry = _log_add(kept, anything)
        out[0, pixel] = _log_add(kept + water, anything) - dry
        out[1, pixel] = _log_add(kept + vegetation, anything) - dry
