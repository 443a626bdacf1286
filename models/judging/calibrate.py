"""Do probabilities mean what they say: measured, mended by a temperature, moved to the scene's own share of flood.

Arrays of chosen pixels, numpy only. Log-odds are (S, n) against dry; truth (n,) is 0 dry, 1 … S the states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat
from scipy.optimize import minimize, minimize_scalar

from harmonization.evidence import state_probabilities
from models.contract import Record

Real = NDArray[np.float64]
Truth = NDArray[np.integer]

HOTTEST = 12.0
"""Temperatures are sought between its inverse and this."""
FURTHEST_SHIFT = 4.0
"""nats: a share of flood of 2 % instead of half."""
HOLD = 1e-3
"""nats that a calibration costs per square of ln temperature or shift: behind a bound that is reached neither shows."""
BINS = 20
"""Of a reliability curve."""

FURTHEST = 3.0
"""Bounds from its physics at most that a network is read as aiming: beyond, tanh says no more (0.5 % of B) [C]."""


class Reliability(NamedTuple):
    """A reliability curve: bins of equal weight along the probability."""

    predicted: Real
    """(bins,) mean probability."""
    observed: Real
    """(bins,) share of the pixels where it happened."""
    weight: Real
    """(bins,) of the pixels in the bin; the sum is 1."""


def flood_probability(log_odds: Real | NDArray[np.float32]) -> Real:
    """(S, ...) log-odds to (...) probability of any of the states, in double precision."""
    return np.asarray(1.0 - state_probabilities(np.asarray(log_odds, dtype=np.float64))[0])


def reliability(
    probability: Real, happened: NDArray[np.bool_], bins: int = BINS, weight: Real | None = None
) -> Reliability:
    """Return the curve over `bins` bins of equal weight; equal probabilities are never split between bins.

    Args:
        probability: (n,) in 0 … 1.
        happened: (n,).
        bins: at most; fewer where many probabilities are equal.
        weight: (n,) of each pixel, 0 or more: to judge under another share of flood (`prior_weights`).

    Raises:
        ValueError: no pixel has weight.
    """
    weights = np.ones(len(probability)) if weight is None else np.asarray(weight, dtype=np.float64)
    if not weights.sum() > 0:
        raise ValueError(f"No pixel to judge by ({len(probability)} given): give chips with truth.")
    levels, place = np.unique(probability, return_inverse=True)
    mass = np.bincount(place, weights, len(levels))
    before = np.cumsum(mass) - mass
    bin_of = np.minimum((bins * (before + mass / 2.0) / weights.sum()).astype(np.intp), bins - 1)[place]
    total = np.bincount(bin_of, weights, bins)
    held = total > 0
    predicted = np.bincount(bin_of, weights * probability, bins)[held] / total[held]
    observed = np.bincount(bin_of, weights * happened, bins)[held] / total[held]
    return Reliability(predicted, observed, total[held] / weights.sum())


def expected_calibration_error(
    probability: Real, happened: NDArray[np.bool_], bins: int = BINS, weight: Real | None = None
) -> float:
    """Mean distance of the reliability curve from the diagonal, 0 … 1 (Naeini et al. 2015, AAAI; equal-count bins)."""
    curve = reliability(probability, happened, bins, weight)
    return float((curve.weight * np.abs(curve.predicted - curve.observed)).sum())


def brier(probability: Real, happened: NDArray[np.bool_], weight: Real | None = None) -> float:
    """Mean squared error of a probability (Brier 1950, Monthly Weather Review 78(1))."""
    return float(np.average((probability - happened) ** 2, weights=weight))


def negative_log_likelihood(log_odds: Real, truth: Truth, weight: Real | None = None) -> float:
    """Mean -ln P(truth), nats a pixel."""
    logits = np.concatenate([np.zeros_like(log_odds[:1]), log_odds])
    top = logits.max(axis=0)
    normal = top + np.log(np.exp(logits - top).sum(axis=0))
    return float(
        np.average(normal - np.take_along_axis(logits, truth[None].astype(np.intp), axis=0)[0], weights=weight)
    )


def fit_temperature(
    log_odds: Real,
    truth: Truth,
    weight: Real | None = None,
    after: Callable[[Real], Real] = lambda aim: aim,
) -> float:
    """Return the temperature by which the log-odds are divided for the least negative log-likelihood.

    Guo et al. 2017, ICML. `after` is what follows the division (the bound), so that the outcome is calibrated and not
    what goes into it.
    """
    found = minimize_scalar(
        lambda heat: negative_log_likelihood(after(log_odds / np.exp(heat)), truth, weight),
        bounds=(-np.log(HOTTEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(np.exp(found.x))


class Affine(Record):
    """A calibration of evidence: what was said is tempered, the prior is not; then each state's level is mended."""

    temperature: PositiveFloat = 1.0
    """What the evidence is divided by."""
    shift: tuple[float, ...]
    """(S,) nats that are added to each state, for another share of it than the prior says."""


def fit_affine(prior: Real, evidence: Real, truth: Truth, physics: Real, bound: float | None) -> Affine:
    """Return the calibration of evidence with the least negative log-likelihood of what comes out behind the bound.

    prior + shift + evidence / temperature, then moved from the physics by `bound` nats at most (None: all the way). The
    form of Platt 1999 for several states with one slope ("bias-corrected temperature", Alexandari et al. 2020, ICML).

    Args:
        prior: (S, n) log-odds.
        evidence: (S, n) nats beyond the prior.
        truth: (n,).
        physics: (S, n) log-odds that the bound holds on to.
        bound: B in nats, or None.
    """
    wanted = truth[None] == np.arange(1, len(evidence) + 1)[:, None]

    def loss(numbers: Real) -> tuple[float, Real]:
        tempered = evidence / np.exp(numbers[0])
        aim = prior + numbers[1:, None] + tempered
        made = bounded(physics, aim, bound)
        slope = 1.0 if bound is None else 1.0 - ((made - physics) / bound) ** 2
        pull = slope * (state_probabilities(made)[1:] - wanted) / len(truth)
        gradient = np.concatenate([[-(pull * tempered).sum()], pull.sum(axis=1)])
        cost = negative_log_likelihood(made, truth) + HOLD * float(numbers @ numbers)
        return cost, gradient + 2.0 * HOLD * numbers

    limits = [(-np.log(HOTTEST), np.log(HOTTEST))] + [(-FURTHEST_SHIFT, FURTHEST_SHIFT)] * len(evidence)
    found = minimize(loss, np.zeros(1 + len(evidence)), jac=True, method="L-BFGS-B", bounds=limits).x
    return Affine(temperature=float(np.exp(found[0])), shift=tuple(map(float, found[1:])))


def bounded(physics: Real, aim: Real, bound: float | None) -> Real:
    """Move the physics toward the aim by `bound` nats at most, as `parts.residual.gray_box` does; None: all the way."""
    return aim if bound is None else physics + bound * np.tanh((aim - physics) / bound)


def unbounded(physics: Real, log_odds: Real, bound: float | None) -> Real:
    """Return what was aimed at before `bounded` held it; at most `FURTHEST` bounds from the physics. None: as it is."""
    if bound is None:
        return log_odds
    reach = float(np.tanh(FURTHEST))
    return np.asarray(physics + bound * np.arctanh(np.clip((log_odds - physics) / bound, -reach, reach)))


def prior_weights(truth: Truth, shares: Real) -> Real:
    """(n,) weights under which the states have these shares (K,): to judge or fit under another prior."""
    found = np.bincount(truth, minlength=len(shares)) / len(truth)
    return np.asarray((shares / np.maximum(found, 1e-12))[truth])


def prior_shift(
    log_odds: Real,
    shares: Real,
    bounds: tuple[float, float] = (0.001, 0.6),
    *,
    least_pixels: int = 1000,
    furthest: float = 2.0,
    rounds: int = 200,
) -> Real:
    """Return the nats (S,) to add to a scene's log-odds, for its own share of each state.

    Expectation-maximization of Saerens, Latinne & Decaestecker 2002 (Neural Computation 14(1), eq. 2.2) on the scene's
    own calibrated probabilities: they were calibrated under `shares`, and the mean of the shifted ones is the share.
    Valid where only the shares differ, not what a state looks like; therefore it is held back.

    Args:
        log_odds: (S, n) of the scene's observed pixels, calibrated.
        shares: (K,) of dry and each state where they were calibrated.
        bounds: of the share of flood, all states together.
        least_pixels: with fewer, nothing is shifted.
        furthest: nats; no state is shifted by more.
        rounds: at most.

    Raises:
        ValueError: the shares are not above 0 or do not sum to 1.
    """
    if np.min(shares) <= 0 or abs(float(np.sum(shares)) - 1.0) > 1e-6:
        raise ValueError(f"The shares of dry and each state are {shares}; they must be above 0 and sum to 1.")
    shift = np.zeros(len(log_odds))
    if log_odds.shape[1] < least_pixels:
        return shift
    reference = np.log(shares[1:] / shares[0])
    for _ in range(rounds):
        found = state_probabilities(log_odds + shift[:, None]).mean(axis=1)
        flood = float(np.clip(1.0 - found[0], *bounds))
        wet = np.maximum(found[1:], 1e-9)
        moved = np.log(flood * wet / wet.sum() / (1.0 - flood)) - reference
        step, shift = np.abs(moved - shift).max(), moved
        if step < 1e-6:
            break
    return np.clip(shift, -furthest, furthest)
