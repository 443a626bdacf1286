"""What verdicts teach: weights of the experts, the prior, and a calibration, each held near what was there before.

Arrays alone. Few numbers, each with a Gaussian prior around "as it was"; a polygon counts as one sample however many
pixels it has, for the pixels of a polygon share their error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Real = NDArray[np.float64]
Rows = NDArray[np.intp]

TRUST_SPREAD = 0.5
"""Standard deviation of the weights around the present ones, all experts together [M]."""
PRIOR_SPREAD = 1.5
"""nats: of the shift of the prior; one night's flood against the usual one [M]."""
HEAT_SPREAD = 0.3
"""Of the logarithm of the temperature [M]."""
LEVEL_SPREAD = 0.5
"""nats: of the shift of the calibration, once the weights are fitted [M]."""


@dataclass(frozen=True, eq=False)
class Witness:
    """How far a verdict is believed, pixel by pixel: the person may err, and a polygon be mixed."""

    sensitivity: float
    """Share of flooded pixels that lie in polygons called flooded."""
    specificity: float
    """Share of pixels without flood that lie in polygons called so."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Pixels (n,) of P judged polygons."""

    present: Real
    """(n,) log-odds of flood as delivered."""
    moves: Real
    """(K, n) of `experts.Said`."""
    owner: Rows
    """(n,) polygon of each pixel, 0 … P - 1, every polygon with a pixel at least."""
    flood: NDArray[np.bool_]
    """(P,) the verdicts."""
    stands_for: Real
    """(P,) km² of the map that each polygon stands for: its area over its probability to be judged."""

    @property
    def share(self) -> Real:
        """(n,) what a pixel counts of its polygon's one sample."""
        share: Real = 1.0 / np.bincount(self.owner, minlength=len(self.flood))[self.owner]
        return share

    @property
    def represented(self) -> Real:
        """(P,) weights in proportion to what each stands for, that sum to the effective number of samples (Kish 1965).

        (sum w)²/sum w² samples of equal weight would tell as much.
        """
        total = self.stands_for.sum()
        return np.asarray(self.stands_for * total / (self.stands_for**2).sum())

    def of(self, polygons: NDArray[np.bool_]) -> Judged:
        """Those polygons alone (P,)."""
        kept = polygons[self.owner]
        number = np.cumsum(polygons) - 1
        return Judged(
            self.present[kept],
            self.moves[:, kept],
            number[self.owner[kept]],
            self.flood[polygons],
            self.stands_for[polygons],
        )


@dataclass(frozen=True, eq=False)
class Refit:
    """How the log-odds of flood follow from what was said: (shift + (1 + own)·present + weights·moves) / T + level."""

    own: float
    weights: Real
    """(K,) of the moves: trust that goes to each other expert."""
    shift: float
    """nats: the prior of this event over the one that the run had."""
    temperature: float
    level: float
    """nats: of the calibration."""
    covariance: Real
    """(K + 2, K + 2) of own, weights and shift, as the verdicts leave them (Laplace)."""

    def log_odds(self, present: Real, moves: Real) -> Real:
        """(…) nats of flood; `moves` (K, …)."""
        raw = self.shift + (1.0 + self.own) * present + np.tensordot(self.weights, moves, axes=1)
        return np.asarray(raw / self.temperature + self.level)

    def variance(self, present: Real, moves: Real) -> Real:
        """(…) nats²: how far the log-odds are open after so few verdicts."""
        design = np.concatenate([present[None], moves, np.ones_like(present)[None]])
        spread = np.einsum("i...,ij,j...->...", design, self.covariance, design, optimize=True)
        return np.asarray(spread / self.temperature**2)


def unchanged(experts: int) -> Refit:
    """What was there before any verdict."""
    spread = np.diag(_spreads(experts) ** 2)
    return Refit(0.0, np.zeros(experts), 0.0, 1.0, 0.0, spread)


def _spreads(experts: int) -> Real:
    trust = TRUST_SPREAD / np.sqrt(experts + 1.0)
    return np.array([*[trust] * (experts + 1), PRIOR_SPREAD])


def refit(judged: Judged, witness: Witness) -> Refit:
    """Fit weights and prior to all verdicts alike, then the calibration to what each polygon stands for.

    The first asks which expert is right where they differ, and needs every verdict, most of which were asked for
    because the experts differ there; given what the experts say, who was asked does not matter. The second asks what
    the outcome is worth over the whole map: there a polygon counts by the area over its probability to be asked
    (inverse probability weighting, Horvitz & Thompson 1952, Journal of the American Statistical Association 47).
    """
    spreads = _spreads(len(judged.moves))
    design = np.concatenate([judged.present[None], judged.moves, np.ones((1, len(judged.present)))])
    offset = judged.present
    ones = np.ones(len(judged.flood))
    found, covariance = _fitted(design, offset, judged, ones, witness, spreads)
    raw = offset + found @ design
    heat, level = _calibrated(raw, judged, witness)
    return Refit(float(found[0]), found[1:-1], float(found[-1]), heat, level, covariance)


def _fitted(
    design: Real, offset: Real, judged: Judged, weight: Real, witness: Witness, spreads: Real
) -> tuple[Real, Real]:
    """Numbers (D,) of the design (D, n) with the highest posterior, and their covariance (D, D)."""
    counted = (weight[judged.owner]) * judged.share

    def cost(numbers: Real) -> tuple[float, Real]:
        surprise, slope = _surprise(offset + numbers @ design, judged, witness)
        held = numbers / spreads**2
        return float(counted @ surprise + 0.5 * numbers @ held), design @ (counted * slope) + held

    found = minimize(cost, np.zeros(len(design)), jac=True, method="L-BFGS-B").x
    probability = expit(offset + found @ design)
    sharp = counted * probability * (1.0 - probability)
    information = (design * sharp) @ design.T + np.diag(1.0 / spreads**2)
    return found, np.linalg.inv(information)


def _surprise(log_odds: Real, judged: Judged, witness: Witness) -> tuple[Real, Real]:
    """(n,) negative log-likelihood of each pixel's verdict, and its slope by the log-odds."""
    probability = expit(log_odds)
    reach = witness.sensitivity + witness.specificity - 1.0
    yes = (1.0 - witness.specificity) + reach * probability
    flood = judged.flood[judged.owner]
    told = np.where(flood, yes, 1.0 - yes)
    slope = reach * probability * (1.0 - probability) * np.where(flood, -1.0, 1.0) / told
    return -np.log(told), slope


def _calibrated(raw: Real, judged: Judged, witness: Witness) -> tuple[float, float]:
    """Temperature and level under which the outcome means what it says over the whole map."""
    counted = judged.represented[judged.owner] * judged.share

    def cost(numbers: Real) -> tuple[float, Real]:
        tempered = raw * np.exp(-numbers[0])
        surprise, slope = _surprise(tempered + numbers[1], judged, witness)
        held = numbers / np.array([HEAT_SPREAD, LEVEL_SPREAD]) ** 2
        pull = counted * slope
        return float(counted @ surprise + 0.5 * numbers @ held), np.array([-pull @ tempered, pull.sum()]) + held

    found = minimize(cost, np.zeros(2), jac=True, method="L-BFGS-B").x
    return float(np.exp(found[0])), float(found[1])
