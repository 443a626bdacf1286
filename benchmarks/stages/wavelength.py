"""Harmonized backscatter, and the algebra of evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence_speed import LOOKS, NOISE, look
from benchmarks.stages import Stage
from harmonization.bundle import Evidence, RadarBundle
from harmonization.classes import BACKSCATTER, REFERENCE_ANGLE, STATES
from harmonization.evidence import Belief, combine, contribution, state_probabilities
from harmonization.speckle import log_speckle_std
from harmonization.wavelength import HARMONIZED, harmonize

BELIEF = Belief()
HOURS, CROSSOVER = 12.0, 0.02


def harmonized(side: int) -> Callable[[], Any]:
    seen = look(side, 0.2, 1)
    return lambda: harmonize(seen, BELIEF.log_odds)


def harmonized_plainly(side: int) -> Callable[[], Any]:
    """Class by class, each a Gaussian in dB with its speckle: no Gamma law, no noise in the spread."""
    seen = look(side, 0.2, 1)
    return lambda: _by_gaussians(seen)


def _by_gaussians(seen: RadarBundle) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    assert seen.angle is not None
    prior = {"dry": 1.0 - BELIEF.water - BELIEF.vegetation, "open_water": BELIEF.water}
    prior["flooded_vegetation"] = BELIEF.vegetation
    speckle = log_speckle_std(LOOKS)
    level = {name: 10 * np.log10(np.maximum(power, 1e-6)) for name, power in seen.power.items()}
    off = seen.angle - np.float32(REFERENCE_ANGLE)
    flat = -10 * np.log10(np.cos(np.deg2rad(seen.angle)))
    total, mean, square = (np.zeros_like(off) for _ in range(3))
    for state, shares in STATES.items():
        for name, share in shares.items():
            weight = np.full_like(off, np.log(prior[state] * share))
            for polarization, values in level.items():
                row = BACKSCATTER[name][f"C-{polarization}"]
                own = 10 * np.log10(10 ** ((row.mean + row.slope * off + flat) / 10) + NOISE[polarization])
                std = np.hypot(row.std, speckle)
                weight -= (1.0 if polarization == "VV" else 0.5) * (0.5 * ((values - own) / std) ** 2 + np.log(std))
            if name in HARMONIZED:
                weight = np.exp(weight)
                row = BACKSCATTER[name]["C-VV"]
                own = 10 * np.log10(10 ** ((row.mean + row.slope * off + flat) / 10) + NOISE["VV"])
                moved = level["VV"] + row.mean - own
                total += weight
                mean += weight * moved
                square += weight * (4.0 + moved * moved)
    mean /= total
    return mean, np.sqrt(square / total - mean * mean)


def looks_of(side: int) -> list[Evidence]:
    rng = np.random.default_rng(1)
    shape = (side, side)
    seen, reasons = np.ones(shape, dtype=np.bool_), np.zeros(shape, dtype=np.uint16)
    ratios = [rng.normal(0.0, 3.0, (2, *shape)).astype(np.float32) for _ in range(2)]
    time = look(1, 0.0, 1).time
    return [Evidence(f"sensor {number}", llr, seen, reasons, time) for number, llr in enumerate(ratios)]


def summed(side: int) -> Callable[[], Any]:
    parts = looks_of(side)

    def work() -> Any:
        added = [contribution(one, HOURS, BELIEF, CROSSOVER) for one in parts]
        return state_probabilities(combine(BELIEF.log_odds[:, None, None], added))

    return work


def summed_plainly(side: int) -> Callable[[], Any]:
    """Likelihoods multiplied in plain numbers, float32: right while no ratio passes 80 nat."""
    parts = looks_of(side)
    rho = np.float32(np.exp(-HOURS / BELIEF.memory_hours))
    prior = np.array([1.0 - BELIEF.water - BELIEF.vegetation, BELIEF.water, BELIEF.vegetation], dtype=np.float32)

    def work() -> Any:
        odds = np.broadcast_to(prior[:, None, None], (3, side, side)).copy()
        for one in parts:
            likelihood = np.concatenate([np.ones((1, side, side), np.float32), np.exp(one.llr)])
            likelihood = (1 - 1.5 * CROSSOVER) * likelihood + 0.5 * CROSSOVER * likelihood.sum(axis=0)
            anything = (likelihood * prior[:, None, None]).sum(axis=0)
            odds *= rho * likelihood + (1 - rho) * anything
        return odds / odds.sum(axis=0)

    return work


STAGES = [
    Stage("harmonized dB with its deviation, dual-pol", harmonized, harmonized_plainly),
    Stage("evidence of two sensors: doubt, age, sum, probabilities", summed, summed_plainly),
]
