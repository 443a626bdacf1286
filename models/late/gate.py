"""The gate: adaptive trust in each expert, from how well it fits what the others say, here and around.

The model: at a pixel an expert works, and its opinion is evidence; or it has failed, and its opinion has nothing to do
with the ground. Its evidence for state k is then LR'(k) = (1 - f)·LR(k) + f, f the probability of failure: the channel
of `harmonization.evidence.doubt` with a crossover that is learned, and raised where the expert disagrees with the
others beyond what its own doubt explains. All below follows from that by Bayes' rule; nothing is tuned to a case.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.evidence import state_probabilities
from models.late.learned import Fitted
from models.late.opinions import Fused, Opinions, Real

REACH = 8
"""Pixels a side over which failures are counted: haze, wind and a bad calibration come in patches [M]."""
MEMORY = 0.2
"""Weight of the learned failure, as a share of the pixels of a full window [M]."""
MOST_FAILURE = 0.98
"""An expert is never quite silenced."""


def gate(opinions: Opinions, fitted: Fitted) -> Fused:
    """Sum the evidence of all experts, each as far as it is trusted.

    On maps (y, x) the failure is first estimated around each pixel: one step of expectation-maximization over a window
    of `REACH` pixels. Where two sensors conflict, the one that failed more often on held-out chips gives way.
    """
    failure = per_expert(fitted.learned.failure, opinions)
    ratios = likelihood_ratios(opinions, np.array(fitted.learned.sharpness))
    if opinions.presence.ndim == 3:
        failure = failure_around(1.0 - trust_of(opinions, ratios, failure), opinions.presence, failure)
    trust = trust_of(opinions, ratios, failure) * opinions.presence
    total = trust.sum(axis=0)
    shares = trust / np.where(total > 0, total, 1.0)
    alone = (shares[:, None] * opinions.log_odds).sum(axis=0)  # nobody to doubt it by: its calibration knows its errors
    log_odds = np.where(opinions.count == 1, alone, summed(opinions, ratios, failure))
    return Fused(log_odds, np.repeat(shares[:, None], len(opinions.prior), axis=1))


def likelihood_ratios(opinions: Opinions, sharpness: Real) -> Real:
    """(M, K, ...) P(opinion | state) / P(opinion) of dry and each state, were the expert to work; 1 where absent.

    The evidence is softened by its epistemic variance (MacKay 1992, Neural Computation 4(5)) and raised to `sharpness`.
    """
    power = per_expert(sharpness, opinions)[:, None]
    soft = power * opinions.evidence / np.sqrt(1.0 + np.pi / 8.0 * opinions.epistemic)
    nats = np.concatenate([np.zeros_like(soft[:, :1]), soft], axis=1)
    nats = np.clip(nats - nats.max(axis=1, keepdims=True), -60.0, 0.0)
    prior = state_probabilities(opinions.prior)
    ratios = np.exp(nats)
    return np.asarray(ratios / (prior * ratios).sum(axis=1, keepdims=True))


def summed(opinions: Opinions, ratios: Real, failure: Real) -> Real:
    """(S, ...) log-odds: the prior and each expert's evidence through its channel."""
    channel = np.log((1.0 - failure[:, None]) * ratios + failure[:, None])
    return np.asarray(opinions.prior + (channel[:, 1:] - channel[:, :1]).sum(axis=0))


def trust_of(opinions: Opinions, ratios: Real, failure: Real) -> Real:
    """(M, ...) probability that each expert works, given what all of them say; 1 - f where it says nothing."""
    fused = state_probabilities(summed(opinions, ratios, failure))
    works = (1.0 - failure[:, None]) * ratios
    return np.asarray((fused * works / (works + failure[:, None])).sum(axis=1))


def failure_around(failed: Real, presence: NDArray[np.bool_], start: Real) -> Real:
    """(M, y, x) mean failure of each expert where present within `REACH` pixels, held back by what was learned."""
    size = 2 * REACH + 1
    around = []
    for one, seen in zip(failed, presence, strict=True):
        counted = ndimage.uniform_filter(seen.astype(np.float64), size, mode="constant")
        around.append((ndimage.uniform_filter(np.where(seen, one, 0.0), size, mode="constant"), counted))
    sums, counts = (np.stack(arrays) for arrays in zip(*around, strict=True))
    return np.clip((sums + MEMORY * start) / (counts + MEMORY), 0.0, MOST_FAILURE)


def per_expert(values: Real | tuple[float, ...], opinions: Opinions) -> Real:
    """(M,) with as many axes as the presence."""
    return np.asarray(values, dtype=np.float64).reshape(-1, *[1] * (opinions.presence.ndim - 1))
