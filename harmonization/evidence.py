"""Evidence in nats: how it ages, how it is doubted, and how it is summed.

The evidence of a sensor stays raw until it is combined; ageing and doubt act then, never on the stored layer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from harmonization.bundle import Evidence

Array = NDArray[np.float32]

STATES = ("open_water", "flooded_vegetation")
"""The wet states; every log-likelihood ratio is of one of them against dry."""


@dataclass(frozen=True)
class Belief:
    """What holds before any sensor has spoken, and how far a sensor is believed."""

    water: float = 0.04
    """Prior probability of open water."""
    vegetation: float = 0.01
    """Prior probability of flooded vegetation."""
    memory_hours: float = 72.0
    """Relaxation time of the two-state chain: how fast an older observation loses its say."""
    doubt: float = 0.02
    """Least crossover probability of a binary symmetric channel: misregistration and model doubt."""

    @property
    def log_odds(self) -> NDArray[np.float32]:
        """(2,) prior log-odds of each wet state against dry."""
        dry = 1.0 - self.water - self.vegetation
        return np.log(np.array([self.water / dry, self.vegetation / dry])).astype(np.float32)


def relax(llr: ArrayLike, hours: float, stationary: float, memory_hours: float) -> Array:
    """Evidence of an observation some hours away from t*, through an asymmetric two-state chain.

    LLR' = ln[(a·e^L + 1 - a)/(b·e^L + 1 - b)], rho = exp(-hours/memory), a = q + (1 - q)·rho, b = q·(1 - rho), with q
    the stationary probability of the wet state. A flood rises faster than it is likely: yesterday's "dry" is worth
    less than yesterday's "wet".
    """
    rho = np.exp(-abs(hours) / memory_hours)
    wet = stationary + (1.0 - stationary) * rho
    dry = stationary * (1.0 - rho)
    return _channel(llr, wet, dry)


def doubt(llr: ArrayLike, crossover: ArrayLike) -> Array:
    """Evidence through a binary symmetric channel: LLR' = ln[((1-e)·e^L + e)/(e·e^L + 1 - e)]; |LLR'| < ln((1-e)/e)."""
    share = np.asarray(crossover, dtype=np.float64)
    return _channel(llr, 1.0 - share, share)


def _channel(llr: ArrayLike, wet: ArrayLike, dry: ArrayLike) -> Array:
    """ln[(wet·e^L + 1 - wet)/(dry·e^L + 1 - dry)], written so that no L overflows."""
    level = np.asarray(llr, dtype=np.float64)
    wet, dry = np.asarray(wet, dtype=np.float64), np.asarray(dry, dtype=np.float64)
    with np.errstate(divide="ignore"):
        upper = np.logaddexp(np.log(wet) + level, np.log1p(-wet))
        lower = np.logaddexp(np.log(dry) + level, np.log1p(-dry))
    return np.asarray(upper - lower, dtype=np.float32)


def mixed_cell_share(llr: Array, cell: int) -> Array:
    """(y, x) share of a resolution cell in which the sensor itself speaks, by more than a nat, for the other state.

    At a shore a coarse cell holds both states and its power belongs to neither: there the sensor must not overrule a
    finer one. `llr` (y, x); `cell` in pixels.
    """
    if cell <= 1:
        return np.zeros(llr.shape, dtype=np.float32)
    size = cell // 2 * 2 + 1
    wet = ndimage.uniform_filter((llr > 1.0).astype(np.float32), size, mode="nearest")
    dry = ndimage.uniform_filter((llr < -1.0).astype(np.float32), size, mode="nearest")
    return np.where(llr > 0, dry, wet)


def binary_witness(sensitivity: float, specificity: float) -> tuple[float, float]:
    """Nats of a yes and of a no from a mask, gauge or person of known sensitivity and specificity."""
    yes = np.log(sensitivity / (1.0 - specificity))
    no = np.log((1.0 - sensitivity) / specificity)
    return float(yes), float(no)


def contribution(evidence: Evidence, at: datetime, belief: Belief) -> Array:
    """(2, y, x) nats that one sensor adds to the sum at time `at`: doubted, then aged; exactly 0 where unobserved."""
    hours = (at - evidence.time).total_seconds() / 3600.0
    prior = (belief.water, belief.vegetation)
    parts = []
    for llr, stationary in zip(evidence.llr, prior, strict=True):
        crossover = np.clip(mixed_cell_share(llr, evidence.cell), belief.doubt, 0.5)
        parts.append(relax(doubt(llr, crossover), hours, stationary, belief.memory_hours))
    return np.where(evidence.observed, np.stack(parts), np.float32(0.0))


def combine(prior: Array, parts: Iterable[Array]) -> Array:
    """Log-odds (2, ...) of the wet states: prior plus what each sensor adds. The one place where evidence is summed."""
    return reduce(np.add, parts, np.asarray(prior, dtype=np.float32))


def state_probabilities(log_odds: ArrayLike) -> Array:
    """(3, y, x) probabilities of dry, open water, flooded vegetation from their log-odds against dry (2, y, x)."""
    odds = np.asarray(log_odds, dtype=np.float32)
    logits = np.concatenate([np.zeros_like(odds[:1]), odds])
    logits -= logits.max(axis=0)
    weights = np.exp(logits)
    result: Array = weights / weights.sum(axis=0)
    return result


def estimate_prior(parts: Array, start: Belief, bounds: tuple[float, float], rounds: int = 30) -> Belief:
    """The shares of open water and flooded vegetation that the evidence of an area itself speaks for.

    `parts` (2, n): summed nats of observed pixels. Expectation-maximization of the mixture shares (Saerens 2002,
    Neural Computation 14(1)), each held within `bounds`; without pixels the start is kept.
    """
    if parts.shape[1] == 0:
        return start
    shares = np.array([start.water, start.vegetation])
    for _ in range(rounds):
        odds = np.log(shares / (1.0 - shares.sum())).astype(np.float32)
        wet = state_probabilities(combine(odds[:, None], [parts]))[1:]
        shares = np.clip(wet.mean(axis=1, dtype=np.float64), *bounds)
    return replace(start, water=float(shares[0]), vegetation=float(shares[1]))
