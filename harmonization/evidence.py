"""Evidence in nats: how it ages, how it is doubted, and how it is summed.

The evidence of a sensor stays raw until it is combined; ageing and doubt act then, never on the stored layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from harmonization.bundle import Evidence
from harmonization.reasons import Reason, doubt_of
from harmonization.terrain import prior_log_odds

Array = NDArray[np.float32]
Real = NDArray[np.float64]
Mask = NDArray[np.bool_]
Level = TypeVar("Level", np.float32, np.float64)
Name = TypeVar("Name", bound=str)

UNINFORMATIVE = 2.0 / 3.0
"""Crossover at which a sample says nothing of three states."""
STAND_MEMORY = 0.7
"""Correlation of flooding between neighbouring samples of one stand, about 75 m apart [M]."""
STAND_TEMPER = 0.5
"""Weight of their sum: neighbours share the stand's deviation from its class [M]."""
STATES = ("open_water", "flooded_vegetation")
"""The wet states; every log-likelihood ratio is of one of them against dry."""


@dataclass(frozen=True)
class Belief:
    """What holds before any sensor has spoken, and how far a sensor is believed."""

    water: float = 0.03
    """Prior probability of open water."""
    vegetation: float = 0.02
    """Prior probability of flooded vegetation."""
    memory_hours: float = 72.0
    """Relaxation time of the two-state chain: how fast an older observation loses its say."""
    doubt: float = 0.02
    """Least crossover probability of a binary symmetric channel: misregistration and model doubt."""

    @property
    def log_odds(self) -> NDArray[np.float32]:
        """(2,) prior log-odds of each wet state against dry."""
        dry = 1.0 - self.water - self.vegetation
        return np.asarray(np.log(np.array([self.water / dry, self.vegetation / dry])), dtype=np.float32)


def relax(llr: ArrayLike, hours: ArrayLike, stationary: float, memory_hours: float) -> Real:
    """Evidence of an observation some hours away from t*, through an asymmetric two-state chain.

    LLR' = ln[(a·e^L + 1 - a)/(b·e^L + 1 - b)], rho = exp(-hours/memory), a = q + (1 - q)·rho, b = q·(1 - rho), with q
    the stationary probability of the wet state. A flood rises faster than it is likely: yesterday's "dry" is worth
    less than yesterday's "wet".
    """
    rho = np.exp(-np.abs(np.asarray(hours, dtype=np.float64)) / memory_hours)
    return _channel(llr, stationary + (1.0 - stationary) * rho, stationary * (1.0 - rho))


def doubt(llr: ArrayLike, crossover: ArrayLike) -> Real:
    """Evidence through a binary symmetric channel: LLR' = ln[((1-e)·e^L + e)/(e·e^L + 1 - e)]; |LLR'| < ln((1-e)/e)."""
    share = np.asarray(crossover, dtype=np.float64)
    return _channel(llr, 1.0 - share, share)


def _channel(llr: ArrayLike, wet: ArrayLike, dry: ArrayLike) -> Real:
    """ln[(wet·e^L + 1 - wet)/(dry·e^L + 1 - dry)], written so that no L overflows."""
    level = np.asarray(llr, dtype=np.float64)
    wet, dry = np.asarray(wet, dtype=np.float64), np.asarray(dry, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # a certain channel; NaN stays NaN
        upper = np.logaddexp(np.log(wet) + level, np.log1p(-wet))
        lower = np.logaddexp(np.log(dry) + level, np.log1p(-dry))
    return np.asarray(upper - lower)


def mixed_cell_share(finer: Array, cell: int) -> Array:
    """(y, x) how far the middle of a resolution cell is, by finer sensors, from the cell as a whole; at most 2/3.

    At a shore, or over a river narrower than the cell, a coarse cell holds both states and its power belongs to
    neither: there the sensor must not overrule a finer one. `finer` (y, x): probability of the state by the finer
    sensors; `cell` in pixels. Where these see nothing the probability is flat and the share 0: the coarse sensor has
    its full say, as over a flooded forest that only it sees.
    """
    size = cell // 2 * 2 + 1
    share = ndimage.uniform_filter(finer.astype(np.float32), size, mode="nearest")
    return np.asarray(np.minimum(np.abs(finer - share), UNINFORMATIVE), dtype=np.float32)


def binary_witness(sensitivity: float, specificity: float) -> tuple[float, float]:
    """Nats of a yes and of a no from a mask, gauge or person of known sensitivity and specificity.

    ln(Se/(1 - Sp)) and ln((1 - Se)/Sp). ValueError where either is not between 0 and 1: who never errs is not believed.
    """
    if not (0.0 < sensitivity < 1.0 and 0.0 < specificity < 1.0):
        raise ValueError(
            f"A witness has sensitivity {sensitivity} and specificity {specificity}; both must lie between 0 and 1, "
            "for certainty would outweigh all other evidence. Write 0.999 for a very good one."
        )
    yes = np.log(sensitivity / (1.0 - specificity))
    no = np.log((1.0 - sensitivity) / specificity)
    return float(yes), float(no)


def witness(
    name: str, said: Mask, seen: Mask, sensitivity: tuple[float, float], specificity: float, time: datetime
) -> Evidence:
    """What a mask of water says, as evidence like that of a sensor: external maps, gauges, reports.

    `said` (y, x) its yes; `seen` (y, x) where it speaks at all: exactly 0 elsewhere. `sensitivity`: the share of open
    water and of flooded vegetation to which it says yes (an optical mask sees little of the latter); `specificity`:
    the share of dry land to which it says no. Never a second product of an acquisition that is weighed already.
    """
    nats = [binary_witness(one, specificity) for one in sensitivity]
    llr = np.stack([np.where(said, yes, no) for yes, no in nats]).astype(np.float32)
    reasons = np.where(seen, np.uint16(0), np.uint16(Reason.OUTSIDE_SWATH))
    return Evidence(name, np.where(seen, llr, np.float32(0.0)), seen.copy(), reasons, time)


def spatial_weight(pixel_area: float, cell_area: float) -> float:
    """How much one pixel counts in a sum over pixels: min(1, A_pixel/A_cell), for pixels of one cell are one sample.

    Areas in m². PALSAR-2 ScanSAR (47.5 m x 77.7 m) on 10 m pixels: 0.027. Only for sums over an area, never for the
    layer of a pixel, where it would delete the sensor (reference note, section 5.6).
    """
    return min(1.0, pixel_area / cell_area)


def object_evidence(llr: Array, objects: NDArray[np.integer], weight: float) -> Real:
    """(2, n + 1) nats for each of n objects: the sum over its pixels, tempered by `spatial_weight`.

    `llr` (2, y, x), 0 where not observed; `objects` (y, x) numbers from 1, 0 is none (its column is 0).
    """
    sums = [np.bincount(objects.ravel(), weights=state.ravel()) for state in llr]
    total = weight * np.stack(sums)
    total[:, 0] = 0.0
    return np.asarray(total)


def doubt_states(llr: Array, crossover: ArrayLike) -> Array:
    """`doubt` for three states at once: with probability e the sample speaks of one of the two other states.

    `llr` (2, ...) of open water and flooded vegetation against dry. Done jointly, for two ratios capped one by one
    would tie: what a sensor knows of water against vegetation would be lost.
    """
    share = np.minimum(np.asarray(crossover, dtype=np.float64), UNINFORMATIVE)  # beyond, its negative would speak
    return _mixed(llr, np.maximum(1.0 - 1.5 * share, 0.0), 0.5 * share, np.ones(3))


def _mixed(llr: Array, stay: Real, stray: Real, shares: Real) -> Array:
    from harmonization.three_states import mixed  # numba takes half a second: a plan does without

    return mixed(llr, stay, stray, shares)


def relax_states(llr: Array, hours: ArrayLike, belief: Belief) -> Array:
    """`relax` for three states at once: the state then was the state now, or (1 - rho) any state by its prior."""
    shares = np.array([1.0 - belief.water - belief.vegetation, belief.water, belief.vegetation])
    ago = -np.abs(np.asarray(hours, dtype=np.float64)) / belief.memory_hours
    return _mixed(llr, np.exp(ago), -np.expm1(ago), shares)


def stand_support(vegetation: Array, stationary: float, step: int) -> Array:
    """(y, x) nats for flooded vegetation from the eight neighbouring samples of the same sensor, `step` pixels away.

    Stands are wider than a resolution cell: a neighbour's evidence reaches this pixel through the same two-state chain
    as yesterday's does, with a memory in space instead of time, and is halved, for neighbours share the stand's own
    deviation (docs/physics.md, section 7). `vegetation`: nats already doubted and aged, 0 where
    unobserved. It enters the sum, never the evidence layer.
    """
    near = _channel(vegetation, stationary + (1.0 - stationary) * STAND_MEMORY, stationary * (1.0 - STAND_MEMORY))
    said = np.pad(near.astype(np.float32), step)
    rows, columns = vegetation.shape
    total = np.zeros_like(vegetation)
    for down in (0, step, 2 * step):
        for across in (0, step, 2 * step):
            if (down, across) != (step, step):
                total += said[down : down + rows, across : across + columns]
    return np.float32(STAND_TEMPER) * total


def contribution(evidence: Evidence, hours: ArrayLike, belief: Belief, crossover: ArrayLike) -> Array:
    """(2, y, x) nats that one sensor adds to the sum at t*: doubted, then aged; exactly 0 where unobserved.

    `hours` between the look and t* and `crossover` are scalars or (y, x); the latter is at least the belief's doubt
    and that of the evidence's own reasons. With its neighbours too a sensor is worth no more than the doubt allows.
    """
    share = np.maximum(np.clip(crossover, belief.doubt, UNINFORMATIVE), doubt_of(evidence.reasons))
    doubted = doubt_states(evidence.held, share)
    aged = np.where(evidence.observed, relax_states(doubted, hours, belief), np.float32(0.0))
    if evidence.stand:
        cap = np.float32(np.log(2.0 * (1.0 - belief.doubt) / belief.doubt))
        support = stand_support(aged[1], belief.vegetation, evidence.stand)
        aged[1] = np.where(evidence.observed, np.clip(aged[1] + support, -cap, cap), np.float32(0.0))
    return aged


def contributions(looks: Mapping[Name, tuple[Evidence, Array]], belief: Belief) -> dict[Name, Array]:
    """What each sensor adds, the finest first: a coarser one is doubted where the finer see its cell to be mixed.

    `looks`: by sensor, its evidence and the hours (y, x) between its look and t*.
    """
    added: dict[Name, Array] = {}
    for sensor in sorted(looks, key=lambda name: looks[name][0].cell):
        evidence, hours = looks[sensor]
        finer = [added[other] for other in added if looks[other][0].cell < evidence.cell]
        shares: ArrayLike = 0.0
        if finer:
            states = state_probabilities(combine(belief.log_odds[:, None, None], finer))
            shares = np.max([mixed_cell_share(state, evidence.cell) for state in states[1:]], axis=0)
        added[sensor] = contribution(evidence, hours, belief, shares)
    return {sensor: added[sensor] for sensor in looks}


def combine(prior: NDArray[Level], parts: Iterable[NDArray[Level]]) -> NDArray[Level]:
    """Log-odds (2, ...) of the wet states: prior plus what each sensor adds. The one place where evidence is summed."""
    return reduce(np.add, parts, prior)


def state_probabilities(log_odds: NDArray[Level]) -> NDArray[Level]:
    """(3, y, x) probabilities of dry, open water, flooded vegetation from their log-odds against dry (2, y, x)."""
    odds = np.asarray(log_odds)
    logits = np.concatenate([np.zeros_like(odds[:1]), odds])
    logits -= logits.max(axis=0)
    weights = np.exp(logits)
    result: NDArray[Level] = weights / weights.sum(axis=0)
    return result


def estimate_prior(
    parts: Array,
    start: Belief,
    bounds: tuple[float, float],
    rounds: int = 30,
    factor: NDArray[np.float64] | None = None,
) -> Belief:
    """The share of open water that the evidence of an area itself speaks for; flooded vegetation keeps its ratio to it.

    `parts` (2, n): summed nats of observed pixels. Expectation-maximization of the mixture share (Saerens 2002, Neural
    Computation 14(1)), held within `bounds`; without pixels the start is kept. The share of flooded vegetation is not
    estimated: its evidence is too weak to tell a tenth from nothing, and the estimate falls to its lower bound.

    `factor` (n,), in (0, 1]: what the ground leaves of the event's prior (`terrain.believed_factor`). The share is then
    that of low ground, by which the factor is multiplied again: the share of the area would count the hills twice.
    """
    ratio = start.vegetation / start.water
    belief = start
    for _ in range(rounds if parts.shape[1] else 0):
        states = state_probabilities(combine(_log_odds(belief, factor), [parts]))
        water = states[1].mean(dtype=np.float64) if factor is None else _share_of_low(states, belief, factor)
        water = float(np.clip(water, *bounds))
        belief = replace(start, water=water, vegetation=min(ratio * water, bounds[1]))
    return belief


def _log_odds(belief: Belief, factor: NDArray[np.float64] | None) -> Array:
    """(2, n or 1) prior log-odds, lowered by the factor of the ground."""
    if factor is None:
        return belief.log_odds[:, None]
    return prior_log_odds(belief.water, belief.vegetation, factor)


def _share_of_low(states: Array, belief: Belief, factor: NDArray[np.float64]) -> float:
    """Share of open water on ground that a flood can reach: each pixel is such ground with probability `factor`.

    The next step of expectation-maximization: whatever is wet is such ground; what is dry is so with probability
    f (1 - q)/(1 - q f), q the probability of either wet state on it.
    """
    wet = belief.water + belief.vegetation
    reachable = 1.0 - states[0] * (1.0 - factor * (1.0 - wet) / (1.0 - wet * factor))
    return float(states[1].sum(dtype=np.float64) / reachable.sum())
