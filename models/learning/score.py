"""Flood IoU of physics and network on chips, with all sensors and with each one missing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from models.data.chips import UNKNOWN
from models.data.sources import ChipSource
from models.learning.losses import flood_probability, observed
from models.learning.samples import ChipSet
from models.network import Network

Scores = dict[str, dict[str, float]]
"""By scenario ("all", "without <sensor>"), then by method ("physics", "network")."""


def score(network: Network, chips: ChipSource, batch: int, device: torch.device) -> Scores:
    """Return the pooled flood IoU of every scenario; flood is the sum of all states but dry > 1/2.

    Pixels that no remaining sensor observes are left out, so a scenario is judged on its own pixels. A network of
    one sensor has one scenario.
    """
    network.eval()
    scores: Scores = {}
    sensors = network.contract.sensors
    for missing in (None, *(sensors if len(sensors) > 1 else ())):
        chipset = ChipSet(chips, network.contract, without=() if missing is None else (missing,))
        name = "all" if missing is None else f"without {missing}"
        scores[name] = _scenario(network, DataLoader(chipset, batch), device)
    return scores


def mean_score(scores: Scores) -> float:
    """The network's mean over the scenarios: what a fit watches."""
    return sum(row["network"] for row in scores.values()) / len(scores)


def _scenario(network: Network, loader: DataLoader[object], device: torch.device) -> dict[str, float]:
    counts = {"physics": torch.zeros(2, dtype=torch.float64), "network": torch.zeros(2, dtype=torch.float64)}
    with torch.inference_mode():
        for sample in loader:
            inputs, truth = sample.inputs.to(device), sample.truth.to(device)
            used = observed(inputs, network.contract) & (truth != UNKNOWN)
            for method, log_odds in (("physics", inputs.physics), ("network", network(*inputs).log_odds.float())):
                counts[method] += _overlap(flood_probability(log_odds) > 0.5, truth > 0, used).cpu()
    return {method: iou(*pair.tolist()) for method, pair in counts.items()}


def _overlap(found: Tensor, flooded: Tensor, used: Tensor) -> Tensor:
    """(2,) intersection and union in pixels."""
    both = found & flooded & used
    either = (found | flooded) & used
    return torch.stack([both.sum(), either.sum()]).double()


def iou(intersection: float, union: float) -> float:
    """Intersection over union; 1 where there is nothing to find and nothing was found."""
    return intersection / union if union else 1.0
