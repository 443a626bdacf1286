"""What pixels of known truth teach of experts: accuracy, errors, failure, stacks, calibrations. Arrays alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from harmonization.evidence import state_probabilities
from models.judging.calibrate import (
    Affine,
    bounded,
    expected_calibration_error,
    fit_affine,
    flood_probability,
    negative_log_likelihood,
)
from models.late.fusion import calibration_of
from models.late.gate import likelihood_ratios, per_expert, summed
from models.late.learned import Arrays, Fitted, Learned, Matrix
from models.late.opinions import Opinions, Real, joined
from models.late.rules import STACKS, weighted_by_variance
from models.late.stack import features, fit_stack

BALANCED = 3000
"""Most pixels of a state, and of dry ground, that a stack is fitted to."""
LEAST_PIXELS = 50
"""Of each state, without which nothing is learned of it."""
LEAST_FAILURE = 0.02
"""As the doubt of `harmonization.evidence.Belief`: held-out chips hold no broken sensor, the night of a flood may."""
_FAILURE, _SHARPNESS = (LEAST_FAILURE, 0.5), (0.05, 3.0)
_HIDDEN = (1e-3, 1e3)
"""Nats² between which the variance is looked for that an expert's own leaves out."""

Sampled = tuple[Opinions, NDArray[np.uint8]]
"""Opinions of pixels (n,) and their truth: 0 dry, 1 … S the states."""


def learn(learned: Learned, samples: Sequence[Sampled], seed: int) -> Fitted:
    """Return what chosen pixels teach of the experts and the stacks; no rule is calibrated yet.

    Args:
        learned: experts, states and form; the rest is filled in.
        samples: opinions of pixels (n,) with their truth, each part with the same experts.
        seed: of draws.

    Raises:
        ValueError: a state, or dry ground, has fewer than `LEAST_PIXELS` pixels.
    """
    opinions = joined([pair[0] for pair in samples])
    truth = np.concatenate([pair[1] for pair in samples])
    _require_states(truth, learned.states)
    calibration = expert_calibrations(opinions, truth)
    opinions = opinions.calibrated(calibration)
    failure, sharpness = fit_gate(opinions, truth, seed)
    learned = learned.model_copy(
        update={
            "calibration": calibration,
            "accuracy": balanced_accuracy(opinions, truth),
            "error_moments": error_moments(opinions, truth),
            "confusion": confusion(opinions, truth),
            "failure": failure,
            "sharpness": sharpness,
            "hidden_variance": hidden_variance(opinions, truth, seed),
        }
    )
    return Fitted(learned, {kind: _stacks(kind, opinions, truth, seed) for kind in STACKS})


def expert_calibrations(opinions: Opinions, truth: NDArray[np.uint8]) -> dict[str, Affine]:
    """Return each expert's calibration, from the pixels where it is present; those with too few are left out.

    Of what it aims at, without a bound: the rules weigh aims.
    """
    found = {}
    for name, said, seen in zip(opinions.names, opinions.evidence, opinions.presence, strict=True):
        if seen.sum() >= LEAST_PIXELS:
            prior = opinions.prior[:, seen]
            found[name] = fit_affine(prior, said[:, seen], truth[seen], prior, None)
    return found


def balanced_accuracy(opinions: Opinions, truth: NDArray[np.uint8]) -> Matrix:
    """(M, S) mean of sensitivity and specificity of each expert in state : dry; 1/2 where it never saw both."""

    def one(expert: int, state: int) -> float:
        seen = opinions.presence[expert]
        wet, dry = seen & (truth == state + 1), seen & (truth == 0)
        if not wet.any() or not dry.any():
            return 0.5
        says = opinions.log_odds[expert, state] > 0
        return float(says[wet].mean() + (~says[dry]).mean()) / 2.0

    return tuple(tuple(one(i, s) for s in range(len(opinions.prior))) for i in range(len(opinions.names)))


def error_moments(opinions: Opinions, truth: NDArray[np.uint8]) -> tuple[Matrix, ...]:
    """(S, M, M) mean products of the errors in P(state : dry), over its pixels where both are present."""
    moments = []
    for state in range(len(opinions.prior)):
        used = (truth == 0) | (truth == state + 1)
        seen = (opinions.presence & used).astype(np.float64)
        errors = seen * (expit(opinions.log_odds[:, state]) - (truth == state + 1))
        both = seen @ seen.T
        apart = 0.25 * np.eye(len(seen))  # what is never seen together: errors of a coin, unrelated
        moments.append(np.where(both > 0, errors @ errors.T / np.maximum(both, 1.0), apart))
    return tuple(_matrix(moment) for moment in moments)


def confusion(opinions: Opinions, truth: NDArray[np.uint8]) -> tuple[Matrix, ...]:
    """(M, K, K) share of the pixels of true state j that each expert names k; one more of each is counted (Laplace)."""
    states = len(opinions.prior) + 1
    tables = []
    for log_odds, seen in zip(opinions.log_odds, opinions.presence, strict=True):
        named = state_probabilities(log_odds).argmax(axis=0)
        counts = np.bincount(states * truth[seen].astype(np.intp) + named[seen], minlength=states**2) + 1.0
        table = counts.reshape(states, states)
        tables.append(_matrix(table / table.sum(axis=1, keepdims=True)))
    return tuple(tables)


def fit_gate(opinions: Opinions, truth: NDArray[np.uint8], seed: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return failure and sharpness (M,) of the experts: the least negative log-likelihood of the gate's sum."""
    few, known = _drawn(opinions, truth, seed)
    count = len(opinions.names)

    def loss(numbers: Real) -> float:
        failure, sharpness = expit(numbers[:count]), np.exp(numbers[count:])
        return negative_log_likelihood(summed(few, likelihood_ratios(few, sharpness), per_expert(failure, few)), known)

    limits = [tuple(logit(_FAILURE))] * count + [tuple(np.log(_SHARPNESS))] * count
    start = np.concatenate([np.full(count, logit(0.05)), np.zeros(count)])
    found = minimize(loss, start, method="L-BFGS-B", bounds=limits, options={"maxiter": 40}).x
    return tuple(map(float, expit(found[:count]))), tuple(map(float, np.exp(found[count:])))


def hidden_variance(opinions: Opinions, truth: NDArray[np.uint8], seed: int) -> tuple[float, ...]:
    """Return (M,) nats² beside each expert's own variance, by which weights of inverse variance are the likeliest.

    An expert's own variance tells how noisy its sensor is here, not that another ground looks the same to it.
    """
    few, known = _drawn(opinions, truth, seed)

    def loss(logarithms: Real) -> float:
        return negative_log_likelihood(weighted_by_variance(few, np.exp(logarithms)).log_odds, known)

    limits = [tuple(np.log(_HIDDEN))] * len(opinions.names)
    found = minimize(loss, np.zeros(len(opinions.names)), method="L-BFGS-B", bounds=limits, options={"maxiter": 40}).x
    return tuple(map(float, np.exp(found)))


def _drawn(opinions: Opinions, truth: NDArray[np.uint8], seed: int) -> Sampled:
    """At most `2 * BALANCED` of the pixels."""
    picked = np.zeros(len(truth), dtype=np.bool_)
    picked[np.random.default_rng(seed).permutation(len(truth))[: 2 * BALANCED]] = True
    return opinions.at(picked), truth[picked]


def _stacks(kind: str, opinions: Opinions, truth: NDArray[np.uint8], seed: int) -> tuple[Arrays, ...]:
    """One stack a state, of balanced pixels, moved back to the balance of the ground."""
    generator = np.random.default_rng(seed)
    dry = np.flatnonzero((truth == 0) & (opinions.count > 0))
    stacks = []
    for state in range(len(opinions.prior)):
        wet = np.flatnonzero((truth == state + 1) & (opinions.count > 0))
        size = min(len(wet), len(dry), BALANCED)
        chosen = np.zeros(len(truth), dtype=np.bool_)
        for some in (wet, dry):
            chosen[generator.choice(some, size, replace=False)] = True
        shift = float(np.log(len(wet) / len(dry)))
        stacks.append(fit_stack(kind, features(opinions.at(chosen)), truth[chosen] > 0, shift, seed))
    return tuple(stacks)


def calibrate_rule(
    aim: Real, opinions: Opinions, truth: NDArray[np.uint8], bound: float | None
) -> tuple[dict[str, Affine], dict[str, float]]:
    """Calibrations of a rule by the experts that are present, and the calibration error before and after.

    A single expert comes calibrated and is left as it is; so is a combination that hardly occurs. The bound is applied
    after the calibration, as in `fuse`.
    """
    prior, physics, found = opinions.prior, opinions.physics, {}
    for pattern, here in opinions.patterns():
        if pattern.sum() > 1 and here.sum() >= LEAST_PIXELS:
            numbers = prior[:, here], (aim - prior)[:, here], truth[here], physics[:, here]
            found[opinions.heard(pattern)] = fit_affine(*numbers, bound)
    heat, shift = calibration_of(found, opinions)
    made = (bounded(physics, one, bound) for one in (aim, prior + shift + (aim - prior) / heat))
    errors = [expected_calibration_error(flood_probability(one), truth > 0) for one in made]
    return found, {"before": errors[0], "after": errors[1]}


def expert_errors(
    opinions: Opinions, truth: NDArray[np.uint8], calibration: Mapping[str, Affine], bound: float | None
) -> dict[str, dict[str, float]]:
    """By expert, the calibration error of its own map before and after its calibration; `opinions` are uncalibrated."""
    found = {}
    for row, name in enumerate(opinions.names):
        seen = opinions.presence[row]
        if seen.any():
            physics = (opinions.prior + opinions.parts[row])[:, seen]
            aims = (one.log_odds[row][:, seen] for one in (opinions, opinions.calibrated(calibration)))
            flooded = [flood_probability(bounded(physics, aim, bound)) for aim in aims]
            before, after = (expected_calibration_error(one, truth[seen] > 0) for one in flooded)
            found[name] = {"before": before, "after": after}
    return found


def _require_states(truth: NDArray[np.uint8], states: Sequence[str]) -> None:
    counts = np.bincount(truth, minlength=len(states) + 1)
    rare = [f"{name}: {count}" for name, count in zip(("dry", *states), counts, strict=True) if count < LEAST_PIXELS]
    if rare:
        raise ValueError(
            f"The held-out chips hold too few pixels to learn from ({', '.join(rare)}; {LEAST_PIXELS} at least). "
            "Give chips of more floods."
        )


def nothing_learned(experts: int, states: int) -> dict[str, object]:
    """Neutral numbers, until `learn` fills them in."""
    matrix = ((1.0 / (states + 1),) * (states + 1),) * (states + 1)
    return {
        "accuracy": ((0.5,) * states,) * experts,
        "error_moments": (_matrix(0.25 * np.eye(experts)),) * states,
        "confusion": (matrix,) * experts,
        "failure": (LEAST_FAILURE,) * experts,
        "sharpness": (1.0,) * experts,
    }


def _matrix(array: Real) -> Matrix:
    return tuple(tuple(map(float, row)) for row in array)
