"""One number that makes a network's probabilities mean what they say: its temperature, from held-out chips."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from models.checkpoint import load, save
from models.contract import Contract
from models.data.chips import UNKNOWN
from models.data.sources import ChipSource
from models.judging.calibrate import Real, bounded, expected_calibration_error, fit_temperature, flood_probability
from models.learning.samples import ChipSet
from models.network import Network

PIXELS = 1000
"""Of a chip, drawn: neighbours say the same."""


class Calibration(NamedTuple):
    """What a calibration found and what it was worth."""

    temperature: float
    before: float
    """Expected calibration error of P(flood) with the temperature that was there."""
    after: float
    """The same with the new one; on the same chips, which one number can hardly overfit."""


class _Pixels(NamedTuple):
    log_odds: Real
    physics: Real
    truth: NDArray[np.uint8]


def calibrate_network(folder: Path, chips: ChipSource, *, seed: int = 0, device: str = "auto") -> Calibration:
    """Fit the temperature of a checkpoint to held-out chips and write its contract anew; the weights stay.

    All its sensors count, and each one missing, as in its score. The temperature divides what the network aims at,
    before the bound; it is fitted to what comes out behind it.

    Raises:
        FileNotFoundError: the folder holds no checkpoint.
        ValueError: no chip holds an observed pixel of known truth.
    """
    loaded = load(folder, device)
    contract = loaded.contract
    network = copy.deepcopy(loaded.network)
    bound = contract.bound if contract.form == "bounded" else None
    aimed = _sampled(_as(network, contract, form="free", temperature=1.0), chips, seed, loaded.device)
    if not aimed.truth.size:
        raise ValueError(f"None of {len(chips)} chips holds an observed pixel of known truth; give others.")
    found = fit_temperature(aimed.log_odds, aimed.truth, after=lambda aim: bounded(aimed.physics, aim, bound))
    before = _error(_sampled(_as(network, contract), chips, seed, loaded.device))
    after = _error(_sampled(_as(network, contract, temperature=found), chips, seed, loaded.device))
    save(folder, network, contract.model_copy(update={"temperature": found}))
    return Calibration(found, before, after)


def _as(network: Network, contract: Contract, **fields: object) -> Network:
    """The same network under other terms; nothing that is learned depends on them."""
    network.contract = contract.model_copy(update=fields)
    return network


def _error(pixels: _Pixels) -> float:
    return expected_calibration_error(flood_probability(pixels.log_odds), pixels.truth > 0)


def _sampled(network: Network, chips: ChipSource, seed: int, device: torch.device) -> _Pixels:
    """The same drawn pixels each time: of every chip with all sensors, then without each."""
    sensors = network.contract.sensors
    scenarios = [(), *((name,) for name in sensors)] if len(sensors) > 1 else [()]
    parts = [_scenario(network, chips, hidden, seed, device) for hidden in scenarios]
    return _Pixels(*(np.concatenate(arrays, axis=-1) for arrays in zip(*parts, strict=True)))


def _scenario(network: Network, chips: ChipSource, hidden: tuple[str, ...], seed: int, device: torch.device) -> _Pixels:
    generator = np.random.default_rng(seed)
    rows = []
    with torch.inference_mode():
        for sample in DataLoader(ChipSet(chips, network.contract, without=hidden), 1):
            inputs = sample.inputs.to(device)
            observed = torch.stack([inputs.presence[name] for name in network.contract.sensors]).any(dim=0)[0].cpu()
            log_odds = network(*inputs).log_odds[0].double().cpu().numpy()
            usable = np.flatnonzero((observed & (sample.truth[0] != UNKNOWN)).numpy())
            chosen = generator.permutation(usable)[:PIXELS]
            flat = (
                array.reshape(len(log_odds), -1)[:, chosen]
                for array in (log_odds, inputs.physics[0].double().cpu().numpy())
            )
            rows.append((*flat, sample.truth[0].numpy().ravel()[chosen]))
    return _Pixels(*(np.concatenate(arrays, axis=-1) for arrays in zip(*rows, strict=True)))
