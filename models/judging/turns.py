"""What makes answers steadier when they are given: other views of the same chip, and several networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.contract import ContractMismatch
from models.inputs import ModelInput
from models.output import Float, Prediction

Kind = TypeVar("Kind", bound=np.generic)
Answer = Callable[[ModelInput], Prediction]
"""Whatever gives log-odds for a chip: a network, a fusion rule, a baseline."""
TURNS = tuple((quarters, mirror) for mirror in (False, True) for quarters in range(4))
"""The eight ways to lay down a square: quarter turns, then mirrored."""


def with_turns(answer: Answer) -> Answer:
    """Return an answer that is the mean over the eight turns and mirrors of a chip, at eight times the cost.

    Nothing in a flood depends on where the sensor's north is, so what depends on it is error: it is averaged out,
    and its variance joins the epistemic one.
    """

    def turned_answer(inputs: ModelInput) -> Prediction:
        return mean_prediction([_turned_back(answer(turned(inputs, *turn)), *turn) for turn in TURNS])

    return turned_answer


def ensemble(answers: Sequence[Answer]) -> Answer:
    """Return the mean of several answers; one alone is itself."""
    return lambda inputs: mean_prediction([answer(inputs) for answer in answers])


def mean_prediction(predictions: Sequence[Prediction]) -> Prediction:
    """Mean of log-odds; variances by the law of total variance, the spread of the log-odds being epistemic.

    The mean of what lies within the bound lies within the bound. Shares are averaged where the sensors are the same.

    Raises:
        ContractMismatch: predictions of other sensors, whose shares have no mean.
    """
    first = predictions[0]
    sensors = {found.sensors for found in predictions}
    if len(sensors) > 1:
        told = "; ".join(", ".join(names) or "none" for names in sorted(sensors))
        raise ContractMismatch(
            f"Only predictions of the same sensors have a mean; found {told}. Join experts by a rule."
        )
    log_odds = np.stack([found.log_odds for found in predictions])
    spread = log_odds.var(axis=0)
    return Prediction(
        log_odds.mean(axis=0),
        _mean([found.aleatoric for found in predictions]),
        _mean([found.epistemic for found in predictions]) + spread,
        _mean([found.trust for found in predictions]),
        first.sensors,
    )


def turned(inputs: ModelInput, quarters: int, mirror: bool) -> ModelInput:
    """Return the input mirrored left to right (or not), then turned by so many quarters against the clock."""
    return replace(
        inputs,
        modalities={name: _turn(values, quarters, mirror) for name, values in inputs.modalities.items()},
        presence={name: _turn(mask, quarters, mirror) for name, mask in inputs.presence.items()},
        parts={name: _turn(nats, quarters, mirror) for name, nats in inputs.parts.items()},
        prior=inputs.prior if inputs.prior.ndim == 1 else _turn(inputs.prior, quarters, mirror),
    )


def _turned_back(found: Prediction, quarters: int, mirror: bool) -> Prediction:
    arrays = (found.log_odds, found.aleatoric, found.epistemic, found.trust)
    back = [np.rot90(array, -quarters, axes=(-2, -1)) for array in arrays]
    level = [array[..., ::-1] if mirror else array for array in back]
    return Prediction(level[0], level[1], level[2], level[3], found.sensors)


def _turn(array: NDArray[Kind], quarters: int, mirror: bool) -> NDArray[Kind]:
    return np.rot90(array[..., ::-1] if mirror else array, quarters, axes=(-2, -1))


def _mean(arrays: Sequence[Float]) -> Float:
    return np.asarray(np.mean(arrays, axis=0), dtype=np.float32)
