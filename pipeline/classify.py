"""From a method's map to the classes, probabilities and uncertainties that are delivered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from catalogs.records import Sensor
from harmonization.bundle import Float
from harmonization.evidence import Belief, combine, contributions, state_probabilities
from pipeline.methods import MethodMap
from pipeline.weigh import SensorLook

Byte = NDArray[np.uint8]
Mask = NDArray[np.bool_]

DRY, OPEN_WATER, FLOODED_VEGETATION, REFERENCE_WATER, NOT_OBSERVABLE, OUTSIDE = 0, 1, 2, 3, 4, 255


def reference_from_before(looks: Mapping[Sensor, SensorLook], belief: Belief) -> tuple[Mask, Mask] | None:
    """Water before the flood by physics, (y, x), and where any "before" scene saw; None without such a scene.

    By the event's prior, wherever the ground lies: usual water is not a flood, and there are lakes on high ground.
    """
    before = {name: look.before_evidence for name, look in looks.items() if look.before_evidence is not None}
    if not before:
        return None
    observed = np.logical_or.reduce([evidence.observed for evidence in before.values()])
    fresh = np.zeros(observed.shape, dtype=np.float32)  # each look is judged at its own time
    added = contributions({name: (evidence, fresh) for name, evidence in before.items()}, belief)
    states = state_probabilities(combine(belief.log_odds[:, None, None], added.values()))
    return observed & (states[1] > 0.5), observed


def flood_classes(found: MethodMap, reference: Mask, inside: Mask) -> Byte:
    """The class codes (y, x): see `pipeline.layers.FLOOD_CLASSES`."""
    classes = np.full(inside.shape, DRY, dtype=np.uint8)
    classes[found.water] = OPEN_WATER
    classes[found.vegetation] = FLOODED_VEGETATION
    classes[reference] = REFERENCE_WATER
    classes[~found.observed] = NOT_OBSERVABLE
    classes[~inside] = OUTSIDE
    return classes


def flood_probability(found: MethodMap, reference: Mask, inside: Mask) -> Byte | None:
    """Percent (y, x); 255 where not observed; reference water is not flood. None for rules."""
    if found.states is None:
        return None
    percent = np.round(100.0 * (1.0 - found.states[0]))
    percent[reference] = 0.0
    return np.where(found.observed & inside, percent, 255).astype(np.uint8)


def uncertainty(
    found: MethodMap, looks: Mapping[Sensor, SensorLook], prior: Float, inside: Mask
) -> NDArray[np.uint8] | None:
    """(2, y, x) percent: aleatoric sqrt(p·(1 - p)) and epistemic, the jackknife of p over the sensors.

    Epistemic asks how far the map rests on one sensor: sqrt((n - 1)/n·sum (p_i - mean)²) with p_i the probability
    without sensor i; 255 where fewer than two sensors saw the pixel, for then it cannot be told. `prior` (2, y, x):
    log-odds before any sensor. None for rules.
    """
    if found.states is None:
        return None
    wet = 1.0 - found.states[0]
    visible = found.observed & inside
    aleatoric = np.where(visible, np.round(100.0 * np.sqrt(wet * (1.0 - wet))), 255)
    epistemic = np.where(visible, _jackknife(list(looks.values()), prior), 255)
    return np.stack([aleatoric, epistemic]).astype(np.uint8)


def network_uncertainty(found: MethodMap, inside: Mask) -> NDArray[np.uint8] | None:
    """(2, y, x) percent: how far the probability of flood moves with the network's own doubt of its log-odds.

    First its aleatoric, then its epistemic variance, by the delta method: dp/dl_s = P_s·P_dry, so the variance of p is
    sum_s (P_s·P_dry)²·v_s, the states' doubts taken for independent. A probability of mean p spreads by at most
    sqrt(p·(1 - p)) (Bhatia & Davis 2000, American Mathematical Monthly 107), which caps it. 255 where not observed;
    None for methods that tell no variance of their own.
    """
    if found.states is None or found.variance is None:
        return None
    dry = found.states[0]
    slopes = found.states[1:] * dry
    spread = np.sqrt((slopes[None] ** 2 * found.variance).sum(axis=1))
    percent = np.round(100.0 * np.minimum(spread, np.sqrt(dry * (1.0 - dry))))
    return np.where(found.observed & inside, percent, 255).astype(np.uint8)


def trust_percent(found: MethodMap, inside: Mask) -> NDArray[np.uint8] | None:
    """(sensor, y, x) percent of each sensor's share in the map; 255 where not observed; None where it has no shares."""
    if found.trust is None:
        return None
    return np.where(found.observed & inside, np.round(100.0 * found.trust), 255).astype(np.uint8)


def _jackknife(looks: list[SensorLook], prior: Float) -> Float:
    """Percent (y, x), 255 where fewer than two sensors saw."""
    seen = np.sum([look.evidence.observed for look in looks], axis=0)
    if len(looks) < 2:
        return np.full(seen.shape, 255.0, dtype=np.float32)
    total = combine(prior, (look.contribution for look in looks))
    count = np.maximum(seen, 1)
    without = [1.0 - state_probabilities(total - look.contribution)[0] for look in looks]
    kept = [np.where(look.evidence.observed, p, 0.0) for look, p in zip(looks, without, strict=True)]
    mean = np.sum(kept, axis=0) / count
    squares = [np.where(look.evidence.observed, (p - mean) ** 2, 0.0) for look, p in zip(looks, without, strict=True)]
    spread = np.sqrt((count - 1) / count * np.sum(squares, axis=0))
    return np.where(seen >= 2, np.round(100.0 * np.minimum(spread, 1.0)), 255.0).astype(np.float32)


def agreement(rule: MethodMap, fused: MethodMap, reference: Mask, inside: Mask) -> Byte:
    """0 both dry, 1 both flood, 2 only the rule, 3 only the fused map; 255 where either is blind."""
    rule_wet = rule.water & ~reference
    fused_wet = (fused.water | fused.vegetation) & ~reference
    codes = np.select([rule_wet & fused_wet, rule_wet, fused_wet], [1, 2, 3], 0)
    return np.where(rule.observed & fused.observed & inside, codes, 255).astype(np.uint8)
