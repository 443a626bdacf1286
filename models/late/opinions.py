"""What several experts say of the same pixels: the input of every late rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harmonization.evidence import combine
from models.inputs import ModelInput
from models.judging.calibrate import Affine, unbounded
from models.output import Prediction

Real = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Fused(NamedTuple):
    """What a rule makes of the opinions."""

    log_odds: Real
    """(S, ...) nats of each state against dry."""
    shares: Real
    """(M, S, ...) of each expert, summing to 1 over M where any is present, else 0."""


@dataclass(frozen=True, eq=False)
class Opinions:
    """M experts on S states; the last axes are (y, x) of a map or (n,) of chosen pixels.

    Every expert's log-odds hold the same prior: weights that sum to 1 count it once, a sum of opinions must take it
    off each (`evidence`).
    """

    names: tuple[str, ...]
    """Of the experts: the sensor that each knows."""
    log_odds: Real
    """(M, S, ...) nats of each state against dry that the expert aims at: its own bound is taken off."""
    aleatoric: Real
    """(M, S, ...) nats²."""
    epistemic: Real
    """(M, S, ...) nats², of the aim."""
    presence: Mask
    """(M, ...) True where the sensor saw; elsewhere the expert is not heard, whatever its numbers."""
    prior: Real
    """(S, ...) log-odds of the prior."""
    parts: Real
    """(M, S, ...) nats that the physics of the sensor adds to the prior; 0 where absent."""

    def __post_init__(self) -> None:
        """Who is absent says the prior, without variance, whatever was given."""
        seen, nothing = self.presence[:, None], np.float64(0.0)
        object.__setattr__(self, "log_odds", np.where(seen, self.log_odds, self.prior))
        for name in ("aleatoric", "epistemic", "parts"):
            object.__setattr__(self, name, np.where(seen, getattr(self, name), nothing))

    @property
    def variance(self) -> Real:
        """(M, S, ...) total variance, nats²."""
        return self.aleatoric + self.epistemic

    @property
    def physics(self) -> Real:
        """(S, ...) log-odds of the prior and the parts of all sensors that are present."""
        return combine(self.prior, self.parts)

    @property
    def evidence(self) -> Real:
        """(M, S, ...) nats that each expert adds to the prior; 0 where it is absent."""
        return np.asarray(self.log_odds - self.prior)

    @property
    def count(self) -> NDArray[np.intp]:
        """(...) how many experts are present."""
        return np.asarray(self.presence.sum(axis=0))

    def patterns(self) -> list[tuple[Mask, Mask]]:
        """The combinations (M,) of experts that occur, one at least present, and where (...)."""
        bits = 1 << np.arange(len(self.names))
        codes = np.tensordot(bits, self.presence, axes=1)
        return [((bits & code) > 0, codes == code) for code in np.unique(codes) if code]

    def heard(self, pattern: Mask) -> str:
        """Return the experts of a pattern as one word, "c_band+optical"."""
        return "+".join(name for name, present in zip(self.names, pattern, strict=True) if present)

    def without(self, *names: str) -> Opinions:
        """Return a copy where these experts are absent everywhere."""
        heard = np.array([name not in names for name in self.names])
        return replace(self, presence=self.presence & heard.reshape(-1, *[1] * (self.presence.ndim - 1)))

    def at(self, chosen: Mask) -> Opinions:
        """Return the pixels (y, x) that are chosen, with one axis (n,)."""
        return Opinions(
            self.names,
            self.log_odds[..., chosen],
            self.aleatoric[..., chosen],
            self.epistemic[..., chosen],
            self.presence[..., chosen],
            self.prior[..., chosen],
            self.parts[..., chosen],
        )

    def calibrated(self, calibration: Mapping[str, Affine]) -> Opinions:
        """Return a copy with the evidence of each expert calibrated; one that is left out stays as it is."""
        neutral = Affine(shift=(0.0,) * len(self.prior))
        rows = [calibration.get(name, neutral) for name in self.names]
        ones = [1] * (self.log_odds.ndim - 2)
        heat = np.array([row.temperature for row in rows]).reshape(-1, 1, *ones)
        shift = np.array([row.shift for row in rows]).reshape(len(rows), -1, *ones)
        log_odds = self.prior + shift + self.evidence / heat
        return replace(self, log_odds=log_odds, epistemic=self.epistemic / heat**2)

    def ordered(self, names: Sequence[str]) -> Opinions:
        """Return the experts in this order; one that has no opinion here is absent.

        Raises:
            ValueError: an expert is not among `names`.
        """
        strange = [name for name in self.names if name not in names]
        if strange:
            raise ValueError(
                f"No rule was fitted for the expert {', '.join(strange)}; those known are {', '.join(names)}. "
                "Fit the late rules again with it (fit_late), or leave it out."
            )
        if tuple(names) == self.names:
            return self
        rows = [self.names.index(name) if name in self.names else -1 for name in names]
        heard = np.array(rows) >= 0
        presence = self.presence[rows] & heard.reshape(-1, *[1] * (self.presence.ndim - 1))
        return Opinions(
            tuple(names),
            self.log_odds[rows],
            self.aleatoric[rows],
            self.epistemic[rows],
            presence,
            self.prior,
            self.parts[rows],
        )


def joined(items: Sequence[Opinions]) -> Opinions:
    """Join opinions of the same experts on chosen pixels (n,) end to end."""
    return Opinions(
        items[0].names,
        np.concatenate([item.log_odds for item in items], axis=-1),
        np.concatenate([item.aleatoric for item in items], axis=-1),
        np.concatenate([item.epistemic for item in items], axis=-1),
        np.concatenate([item.presence for item in items], axis=-1),
        np.concatenate([item.prior for item in items], axis=-1),
        np.concatenate([item.parts for item in items], axis=-1),
    )


def opinions_of(
    predictions: Mapping[str, Prediction],
    inputs: ModelInput,
    bound: float | None,
) -> Opinions:
    """Return what the experts say of one window.

    Args:
        predictions: by sensor, of an expert that knows this sensor alone, each over the whole of `inputs`.
        inputs: what they were made from: presence, prior and parts of the physics.
        bound: B of the experts in nats, None for the free form. It belongs to the fused state and is applied there:
            each expert's is taken off, p + B·atanh((l - p)/B), and its epistemic variance follows by the delta method.

    Raises:
        ValueError: there is no expert.
    """
    if not predictions:
        raise ValueError("No expert was given; late fusion needs one at least.")
    level = inputs.prior if inputs.prior.ndim == 3 else inputs.prior[:, None, None]
    prior = np.broadcast_to(level, (inputs.states, *inputs.shape)).astype(np.float64)
    presence = np.stack([_presence(inputs, name) for name in predictions])
    parts: Real = np.stack([inputs.parts.get(name, np.zeros_like(prior)) for name in predictions]).astype(np.float64)
    parts = np.where(presence[:, None], parts, np.float64(0.0))
    aims = [_aim(made, prior + part, bound) for made, part in zip(predictions.values(), parts, strict=True)]
    return Opinions(
        tuple(predictions),
        np.stack([aim for aim, _ in aims]),
        np.stack([made.aleatoric for made in predictions.values()]).astype(np.float64),
        np.stack([epistemic for _, epistemic in aims]),
        presence,
        prior,
        parts,
    )


def _presence(inputs: ModelInput, name: str) -> Mask:
    return inputs.presence[name] if name in inputs.modalities else np.zeros(inputs.shape, dtype=np.bool_)


def _aim(made: Prediction, physics: Real, bound: float | None) -> tuple[Real, Real]:
    """Log-odds that an expert aims at, and their epistemic variance, with its bound taken off."""
    log_odds, epistemic = made.log_odds.astype(np.float64), made.epistemic.astype(np.float64)
    if bound is None:
        return log_odds, epistemic
    aim = unbounded(physics, log_odds, bound)
    moved = np.tanh((aim - physics) / bound)
    return aim, epistemic / (1.0 - moved**2) ** 2
