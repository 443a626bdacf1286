"""Networks to maps: what each says of a unit, how sure it is, and which sensor it goes by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from dask.delayed import Delayed, delayed

from models.contract import Rule
from models.inputs import ModelInput
from pipeline.clock import StageClock
from pipeline.methods import Looks, MethodMap, from_log_odds, network_input, seen_by_any
from pipeline.networks import Channels, MapNetwork

if TYPE_CHECKING:
    from models.output import Prediction

_ONE_NETWORK = Lock()
"""A network takes all cores, or the GPU, by itself: two at once would wait for each other and hold both' memory."""


def network_maps(
    networks: Iterable[MapNetwork],
    looks: Delayed,
    ground: tuple[Delayed, Delayed],
    place: tuple[str, tuple[int, int]],
    clock: StageClock,
) -> dict[str, Delayed]:
    """The map of each network, not yet computed; what several go by, inputs and experts, is computed once.

    `ground`: prior (2, y, x) and terrain of the wide window. `place`: the device, and the window's first pixel in the
    fixed grid.
    """
    inputs: dict[tuple[Any, ...], Delayed] = {}
    experts: dict[Path, Delayed] = {}
    maps: dict[str, Delayed] = {}
    for network in networks:
        channels, weights = network.channels, network.weights
        key = tuple(sorted(channels.items()))
        if key not in inputs:
            inputs[key] = _later(clock, "inputs", _input, looks, ground, channels)
        if network.rule is None:
            said = (inputs[key], weights, *place, network.tells_shares)
            maps[network.map] = _alone(clock, network.map, by_network, looks, *said)
            continue
        if weights not in experts:
            experts[weights] = _alone(clock, "experts", _opinions, inputs[key], weights, *place)
        maps[network.map] = _later(clock, network.map, by_rule, looks, experts[weights], weights, network.rule)
    return maps


def _later(clock: StageClock, stage: str, function: Any, *arguments: Any) -> Delayed:
    made: Delayed = delayed(clock.timed(stage, function), pure=False)(*arguments)
    return made


def _alone(clock: StageClock, stage: str, function: Any, *arguments: Any) -> Delayed:
    """As `_later`, while no other network of the process runs; to wait is not counted."""
    timed = clock.timed(stage, function)

    def run(*values: Any) -> Any:
        with _ONE_NETWORK:
            return timed(*values)

    made: Delayed = delayed(run, pure=False)(*arguments)
    return made


def _input(looks: Looks, ground: tuple[Any, Any], channels: Channels) -> ModelInput:
    return network_input(looks, *ground, channels)


def by_network(
    looks: Looks, inputs: ModelInput, weights: Path, device: str, origin: tuple[int, int], shares: bool
) -> MethodMap:
    """Physics corrected by a network within the bounds of its contract; equal to physics where it is blind."""
    from models.predict import predict  # torch takes seconds to import: only where a network runs

    return from_prediction(predict(weights, inputs, device, origin=origin), looks, shares)


def by_rule(looks: Looks, opinions: Any, weights: Path, rule: Rule) -> MethodMap:
    """What late fusion makes of its experts' opinions by one rule."""
    from models.late.checkpoint import load_late
    from models.late.fusion import fuse

    return from_prediction(fuse(rule, opinions, load_late(weights)), looks, shares=True)


def _opinions(inputs: ModelInput, weights: Path, device: str, origin: tuple[int, int]) -> Any:
    """What each expert of late fusion says: run once, however many rules ask."""
    from models.late.checkpoint import experts_say, load_late

    return experts_say(weights, load_late(weights).learned, inputs, device, origin=origin)


def from_prediction(found: Prediction, looks: Looks, shares: bool) -> MethodMap:
    """A prediction as a map, observed where a sensor that the network knows saw the ground.

    `shares`: whether the prediction's trust is the network's own.
    """
    known = {name: look for name, look in looks.items() if look.modality in found.sensors}
    told = from_log_odds(found.log_odds, seen_by_any(known, found.log_odds.shape[1:]))
    variance = np.stack([found.aleatoric, found.epistemic])
    return replace(told, variance=variance, trust=found.trust if shares else None, sensors=found.sensors)
