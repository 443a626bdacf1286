"""What every network has to beat: index rules, and a logistic regression that sees one pixel at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.contract import DATED
from models.data.sources import ChipSource
from models.inputs import Float, ModelInput
from models.judging.turns import Answer
from models.output import Prediction

SURE = 12.0
"""Nats of a rule, which knows no doubt."""
UNKNOWN = 255
PIXELS_A_CHIP = 400
"""Drawn from each chip for the regression: 146 000 pixels of 365 chips, for a dozen coefficients."""
PENALTY = 1.0
"""Inverse strength of the L2 penalty: next to none with so many pixels."""


def index_rule(sensor: str, index: str, threshold: float = 0.0, *, change: bool = False) -> Answer:
    """Return the rule "flood where the index exceeds the threshold"; where the index is unknown, dry.

    Args:
        sensor: modality that has the index ("s2", "optical").
        index: name of the channel ("ndwi", "mndwi").
        threshold: 0 for NDWI (McFeeters 1996) and MNDWI (Xu 2006).
        change: flood only where it did not exceed the threshold before; without a look before, as if it did not.
    """

    def answer(inputs: ModelInput) -> Prediction:
        wet = _channel(inputs, sensor, index) > threshold
        if change:
            wet &= ~(_channel(inputs, f"{sensor}{DATED}1", index) > threshold)
        return certain(wet, inputs)

    return answer


def physics_alone(inputs: ModelInput) -> Prediction:
    """Answer with the prior and the evidence: what networks start from."""
    return _plain(inputs.physics)


def certain(wet: NDArray[np.bool_], inputs: ModelInput) -> Prediction:
    """A rule's map (y, x) as log-odds of the first state; the others are out of the question."""
    log_odds = np.full((inputs.states, *wet.shape), -SURE, dtype=np.float32)
    log_odds[0][wet] = SURE
    return _plain(log_odds)


@dataclass(frozen=True, eq=False)
class PixelRegression:
    """A logistic regression on the channels of one pixel, before and after: an `Answer`."""

    modalities: tuple[str, ...]
    mean: NDArray[np.float64]
    """(feature,) of the training pixels: what stands for a channel that was not observed."""
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: float

    def __call__(self, inputs: ModelInput) -> Prediction:
        """Return log-odds of the first state; where no modality is known, those of the mean pixel."""
        features = _features(inputs, self.modalities)
        clean = np.where(np.isfinite(features), features, self.mean[:, None, None])
        scaled = (clean - self.mean[:, None, None]) / self.scale[:, None, None]
        log_odds = np.tensordot(self.weights, scaled, axes=1) + self.intercept
        return _plain(log_odds[None].astype(np.float32))


def fit_pixel_regression(source: ChipSource, modalities: Sequence[str], seed: int = 0) -> PixelRegression:
    """Fit the regression to `PIXELS_A_CHIP` known pixels of every chip, all channels of `modalities` observed.

    Raises:
        ValueError: no such pixel.
    """
    from sklearn.linear_model import LogisticRegression  # seconds to import

    generator = np.random.default_rng(seed)
    drawn = [_drawn(*source.read(index), tuple(modalities), generator) for index in range(len(source))]
    features = np.concatenate([found for found, _ in drawn], axis=1)
    flooded = np.concatenate([truth for _, truth in drawn])
    if not flooded.any() or flooded.all():
        raise ValueError(
            f"{flooded.size} pixels with {', '.join(modalities)} hold {int(flooded.sum())} of flood: "
            "a regression needs both kinds."
        )
    mean, scale = features.mean(axis=1), np.maximum(features.std(axis=1), 1e-6)
    model = LogisticRegression(C=PENALTY, max_iter=1000).fit(((features - mean[:, None]) / scale[:, None]).T, flooded)
    return PixelRegression(tuple(modalities), mean, scale, model.coef_[0], float(model.intercept_[0]))


def _drawn(
    inputs: ModelInput, truth: NDArray[np.uint8], modalities: tuple[str, ...], generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(feature, n) and (n,) flooded, of pixels drawn from those that are wholly known."""
    features = _features(inputs, modalities)
    known = np.flatnonzero((np.isfinite(features).all(axis=0) & (truth != UNKNOWN)).ravel())
    chosen = generator.choice(known, min(PIXELS_A_CHIP, known.size), replace=False)
    return features.reshape(len(features), -1)[:, chosen], truth.ravel()[chosen] > 0


def _features(inputs: ModelInput, modalities: Sequence[str]) -> NDArray[np.float64]:
    """(feature, y, x) channels of the modalities, NaN where not observed."""
    planes = [
        _channel(inputs, modality, channel) for modality in modalities for channel in inputs.channels.get(modality, ())
    ]
    return np.stack(planes).astype(np.float64)


def _channel(inputs: ModelInput, modality: str, channel: str) -> Float:
    """(y, x); NaN where it was not observed, everywhere where the modality is missing."""
    if modality not in inputs.modalities:
        return np.full(inputs.shape, np.nan, dtype=np.float32)
    values = inputs.modalities[modality][inputs.channels[modality].index(channel)]
    return np.where(inputs.presence[modality], values, np.float32(np.nan))


def _plain(log_odds: Float) -> Prediction:
    """Log-odds without doubt and without shares of sensors."""
    nothing = np.zeros_like(log_odds)
    return Prediction(log_odds, nothing, nothing, np.zeros((0, *log_odds.shape[1:]), dtype=np.float32), ())
