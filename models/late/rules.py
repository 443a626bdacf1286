"""The late rules: how several opinions become one. Each takes `Opinions` and what was learned, and gives `Fused`.

Rules that weigh (mean, accuracy, inverse-variance) and the median work on log-odds: every opinion holds the same prior,
weights that sum to 1 count it once, and a geometric mean of opinions commutes with new evidence (Genest 1984, Annals of
Statistics 12(3)). Rules that judge by errors of probabilities (minimum-variance) or count heads (vote) average
probabilities. Rules that add (bayes, gate) take the prior off each opinion first.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from harmonization.evidence import combine, state_probabilities
from models.late.gate import gate
from models.late.learned import Fitted
from models.late.opinions import Fused, Opinions, Real
from models.late.stack import stacked

LEAST_ACCURACY, MOST_ACCURACY = 0.51, 0.999
"""Within which a balanced accuracy counts: an expert that guesses is heard a little, for it may be alone [M]."""
_RIDGE = 1e-3
"""Of the mean error variance, added to its diagonal: twin experts would else get weights of opposite sign [M]."""
_CERTAIN = 1e-6
"""Probabilities are kept this far from 0 and 1: 13.8 nats."""


def mean(opinions: Opinions, fitted: Fitted | None = None) -> Fused:
    """All that are present count alike."""
    return weighted(opinions, 1.0)


def accuracy(opinions: Opinions, fitted: Fitted | None) -> Fused:
    """Weights ln(a / (1 - a)), a the balanced accuracy by state (Nitzan & Paroush 1982, Int. Econ. Rev. 23)."""
    accuracies = np.array(_needed(fitted, "accuracy").learned.accuracy)
    weights = logit(np.clip(accuracies, LEAST_ACCURACY, MOST_ACCURACY))
    return weighted(opinions, _spread(weights, opinions))


def inverse_variance(opinions: Opinions, fitted: Fitted | None = None) -> Fused:
    """Weights 1 / total variance of pixel, expert and state: its own, and what that leaves out where it was learned."""
    hidden = 0.0 if fitted is None else np.array(fitted.learned.hidden_variance)
    return weighted_by_variance(opinions, hidden)


def weighted_by_variance(opinions: Opinions, hidden: ArrayLike) -> Fused:
    """Mean of the log-odds by the inverse of their variance; `hidden` (M,) nats² are added to each expert's own."""
    rest = np.asarray(hidden, dtype=np.float64).reshape(-1, *[1] * (opinions.log_odds.ndim - 1))
    total = opinions.variance + rest if rest.size else opinions.variance
    return weighted(opinions, 1.0 / np.maximum(total, 1e-6))


def median(opinions: Opinions, fitted: Fitted | None = None) -> Fused:
    """The opinion in the middle, state by state; the mean of the two middle ones where their number is even."""
    seen = opinions.presence[:, None]
    order = np.argsort(np.where(seen, opinions.log_odds, np.inf), axis=0, kind="stable")
    rank = np.argsort(order, axis=0, kind="stable")
    count = opinions.count
    middle = (rank == np.maximum(count - 1, 0) // 2) | (rank == count // 2)
    return weighted(opinions, middle & seen)


def vote(opinions: Opinions, fitted: Fitted | None = None) -> Fused:
    """Flood or not by majority; the probabilities are the mean of those of its side. A tie goes to the surer side.

    P(flood) > 1/2 of all of them is P(flood) > 1/2 of their mean: the decision is exactly that of the majority.
    """
    probabilities = _states(opinions)  # (M, K, ...)
    flooded = (probabilities[:, 0] < 0.5) & opinions.presence
    lead = 2 * flooded.sum(axis=0) - opinions.count
    surer = np.where(opinions.presence, 0.5 - probabilities[:, 0], 0.0).sum(axis=0) > 0
    winner = np.where(lead == 0, surer, lead > 0)
    side = opinions.presence & (flooded == winner)
    count = side.sum(axis=0)
    pooled = np.where(side[:, None], probabilities, 0.0).sum(axis=0) / np.maximum(count, 1)
    alone = weighted(opinions, side[:, None])
    return Fused(np.where(count > 1, _log_odds(pooled), alone.log_odds), alone.shares)


def minimum_variance(opinions: Opinions, fitted: Fitted | None) -> Fused:
    """Σ⁻¹1 / (1ᵀΣ⁻¹1), Σ of the errors of the experts that are present (Bates & Granger 1969, Oper. Res. Q. 20(4)).

    Of the probability of each state : dry, and with no weight below 0.
    """
    moments = np.array(_needed(fitted, "minimum-variance").learned.error_moments)  # (S, M, M)
    weights = np.zeros_like(opinions.log_odds)
    for pattern, here in opinions.patterns():
        for state, moment in enumerate(moments):
            weights[:, state, here] = least_variance_weights(moment, pattern)[:, None]
    pooled = (weights * expit(opinions.log_odds)).sum(axis=0)
    log_odds = logit(np.clip(pooled, _CERTAIN, 1.0 - _CERTAIN))
    alone = weighted(opinions, 1.0).log_odds
    return Fused(np.where(opinions.count > 1, log_odds, alone), weights)


def least_variance_weights(moments: Real, present: NDArray[np.bool_]) -> Real:
    """(M,) weights ≥ 0 that sum to 1 over those present (0 where none is) and minimize wᵀΣw.

    The unbounded solution of every combination is tried: the least with no weight below 0 is the answer.
    """
    best, least = np.zeros(len(present)), np.inf
    firm = moments + _RIDGE * np.trace(moments) / len(moments) * np.eye(len(moments))
    rows = np.flatnonzero(present)
    for used in (list(some) for size in range(1, len(rows) + 1) for some in combinations(rows, size)):
        solved = np.linalg.solve(firm[np.ix_(used, used)], np.ones(len(used)))
        variance = 1.0 / solved.sum()
        if (solved >= 0.0).all() and variance < least:
            best, least = np.zeros(len(present)), variance
            best[used] = solved * variance
    return best


def bayes(opinions: Opinions, fitted: Fitted | None) -> Fused:
    """Every expert a witness that names one state; its nats ln P(named | state) - ln P(named | dry) join the prior.

    With one state this is `harmonization.evidence.binary_witness` of its sensitivity and specificity.
    """
    confusion = np.array(_needed(fitted, "bayes").learned.confusion)  # (M, truth, named)
    nats = np.log(confusion[:, 1:]) - np.log(confusion[:, :1])  # (M, S, named)
    named = _states(opinions).argmax(axis=1)
    said = np.stack([table[:, name] for table, name in zip(nats, named, strict=True)])
    said = np.where(opinions.presence[:, None], said, 0.0)
    weight = np.where(
        opinions.presence[:, None], np.abs(said) + 1e-9, 0.0
    )  # whose word is worth nothing was still heard
    return Fused(combine(opinions.prior, said), _shares(weight))


def stack(kind: str) -> Callable[[Opinions, Fitted | None], Fused]:
    """The rule that a learned stack is."""

    def rule(opinions: Opinions, fitted: Fitted | None) -> Fused:
        stacks = _needed(fitted, kind).stacks
        if kind not in stacks:
            raise ValueError(
                f"No {kind} was fitted; there are: {', '.join(stacks) or 'none'}. Fit the late rules again."
            )
        return stacked(stacks[kind], opinions)

    return rule


Rule = Callable[[Opinions, Fitted | None], Fused]
STACKS = ("stack-logistic", "stack-svm", "stack-boosting")
RULES: dict[str, Rule] = {
    "mean": mean,
    "accuracy": accuracy,
    "vote": vote,
    "median": median,
    "inverse-variance": inverse_variance,
    "minimum-variance": minimum_variance,
    "bayes": bayes,
    "gate": lambda opinions, fitted: gate(opinions, _needed(fitted, "gate")),
    **{kind: stack(kind) for kind in STACKS},
}
"""By the name that the command line knows."""


def rule_named(name: str) -> Rule:
    """Return a rule.

    Raises:
        ValueError: there is none of this name; the message lists those there are.
    """
    if name not in RULES:
        raise ValueError(f"Unknown late rule {name!r}; there are: {', '.join(RULES)}.")
    return RULES[name]


def weighted(opinions: Opinions, weights: ArrayLike) -> Fused:
    """Weighted mean of the log-odds of those present; the prior where none is.

    `weights` broadcast to (M, S, ...), 0 or more; in all that are present, one at least is above 0.
    """
    heard = np.where(opinions.presence[:, None], weights, 0.0) * np.ones_like(opinions.log_odds)
    shares = _shares(heard)
    total = (shares * opinions.log_odds).sum(axis=0)
    return Fused(np.where(opinions.count > 0, total, opinions.prior), shares)


def _shares(weights: Real) -> Real:
    total = weights.sum(axis=0)
    return np.asarray(weights / np.where(total > 0, total, 1.0))


def _states(opinions: Opinions) -> Real:
    """(M, K, ...) probabilities of dry and each state, by expert."""
    return np.stack([state_probabilities(one) for one in opinions.log_odds])


def _log_odds(probabilities: Real) -> Real:
    """(K, ...) to (S, ...) log-odds against dry."""
    log = np.log(np.maximum(probabilities, _CERTAIN))
    return np.asarray(log[1:] - log[:1])


def _spread(table: Real, opinions: Opinions) -> Real:
    """(M, S) with as many axes as the opinions."""
    return table.reshape(*table.shape, *[1] * (opinions.log_odds.ndim - 2))


def _needed(fitted: Fitted | None, rule: str) -> Fitted:
    if fitted is None:
        raise ValueError(f"The rule {rule!r} learns from held-out chips: give what fit_late wrote (late.json).")
    return fitted
