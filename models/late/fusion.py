"""Late fusion: opinions to one prediction, by a rule, a calibration and the bound, in this order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from models.judging.calibrate import Affine, bounded
from models.late.learned import Fitted
from models.late.opinions import Fused, Opinions, Real
from models.late.rules import rule_named
from models.output import Prediction


def fuse(rule: str, opinions: Opinions, fitted: Fitted | None = None, bound: float | None = None) -> Prediction:
    """Return the fused log-odds of a map, their doubt, and the share of each expert.

    Where no expert is present the physics stands (it is the prior there), without variance. The aleatoric variance is
    the mean of the experts', by their shares; the epistemic one adds how far they are apart (law of total variance).

    Args:
        rule: a name in `late_rules.RULES`.
        opinions: of maps (y, x).
        fitted: what was learned of these experts; None for rules that learn nothing, which then are not calibrated.
        bound: B in nats by which the physics is moved at most; None for the free form. Where something was fitted,
            its form and bound hold.

    Raises:
        ValueError: an unknown rule, or one that learns and nothing was fitted.
    """
    chosen = rule_named(rule)
    if fitted is not None:
        opinions = opinions.ordered(fitted.learned.experts)
        bound = fitted.learned.bound_or_none
    table = fitted.learned.rule_calibration.get(rule, {}) if fitted else {}
    fused = chosen(opinions, fitted)
    heat, shift = calibration_of(table, opinions)
    aim = opinions.prior + shift + (fused.log_odds - opinions.prior) / heat
    return _prediction(opinions, fused, aim, heat, bound)


def calibration_of(table: Mapping[str, Affine], opinions: Opinions) -> tuple[Real, Real]:
    """Temperature (...) and shift (S, ...) by the experts that are present; 1 and 0 where the table has none."""
    heat, shift = np.ones(opinions.count.shape), np.zeros_like(opinions.prior)
    for pattern, here in opinions.patterns():
        found = table.get(opinions.heard(pattern))
        if found is not None:
            heat[here] = found.temperature
            shift[:, here] = np.array(found.shift)[:, None]
    return heat, shift


def _prediction(opinions: Opinions, fused: Fused, aim: Real, heat: Real, bound: float | None) -> Prediction:
    physics, heard = opinions.physics, opinions.count > 0
    apart = opinions.log_odds - fused.log_odds
    aleatoric = (fused.shares * opinions.aleatoric).sum(axis=0)
    epistemic = (fused.shares * (opinions.epistemic + apart**2)).sum(axis=0) / heat**2
    if bound is not None:
        epistemic *= (1.0 - np.tanh((aim - physics) / bound) ** 2) ** 2
    log_odds = np.where(heard, bounded(physics, aim, bound), physics)
    made = [array.astype(np.float32) for array in (log_odds, aleatoric, epistemic, fused.shares.mean(axis=1))]
    return Prediction(made[0], made[1], made[2], made[3], opinions.names)
