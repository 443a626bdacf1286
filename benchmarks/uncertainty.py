"""Which epistemic estimate is better for its cost: the masked heads, dropout of the same head, or several networks.

    python -m benchmarks.uncertainty CHIPS --weights DIR [DIR ...] [--draws 8] [--most 60]

CHIPS were not trained on. The first checkpoint is the network whose head is tried; all of them together, if there are
several, are the ensemble (same data, another seed). Wrong pixels are those where wet or dry is told wrong; a good
doubt is large there: AUROC is the probability that a wrong pixel has more of it than a right one. A variance in nats²
is also large where all members are sure, so it is judged as a variance of the flood's probability too, which is the
layer that is delivered: (p(1 - p))² of it. NLL of the three states and the calibration error of flood are of the mean
log-odds. Dropout draws as many channels away as a mask
does. Seconds are of the forward passes, by the median chip.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from models.checkpoint import load
from models.data.chips import UNKNOWN, chip_paths, read_chip
from models.device import choose_device
from models.network import Network
from models.output import Output
from models.tensors import Tensors, stack, to_tensors

Real = NDArray[np.float64]
BINS = 15
"""Of the calibration error (Guo et al. 2017, ICML)."""
PIXELS = 4000
"""Drawn from a chip."""
Estimate = Callable[[Tensors], Output]


@dataclass
class Found:
    """What one estimate said of the drawn pixels."""

    states: list[Real] = field(default_factory=list)
    """(3, n) probabilities of dry, open water, flooded vegetation."""
    aleatoric: list[Real] = field(default_factory=list)
    epistemic: list[Real] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@contextmanager
def masked_by(network: Network, kept: Tensor) -> Iterator[None]:
    """The network with other masks on its head: one member a row of `kept`."""
    own, network.head.kept = network.head.kept, kept
    try:
        yield
    finally:
        network.head.kept = own


def one_head(network: Network) -> Estimate:
    """The head with all of its features: no estimate."""

    def run(inputs: Tensors) -> Output:
        with masked_by(network, torch.ones_like(network.head.kept[:1])):
            return network(*inputs)

    return run


def dropout(network: Network, draws: int) -> Estimate:
    """So many heads that each go without channels drawn anew (Gal and Ghahramani 2016), as many as a mask hides."""
    rate = float((network.head.kept[0] == 0).float().mean())

    def run(inputs: Tensors) -> Output:
        drawn = torch.rand(draws, network.head.kept.shape[1], device=network.head.kept.device) >= rate
        with masked_by(network, drawn / (1.0 - rate)):
            return network(*inputs)

    return run


def ensemble(networks: Sequence[Network]) -> Estimate:
    """Networks of several seeds: the mean of their log-odds, and its variance (Lakshminarayanan et al. 2017)."""

    def run(inputs: Tensors) -> Output:
        made = [network(*inputs) for network in networks]
        log_odds = torch.stack([one.log_odds for one in made])
        aleatoric = torch.stack([one.aleatoric for one in made]).mean(dim=0)
        return Output(log_odds.mean(dim=0), aleatoric, log_odds.var(dim=0, correction=0), made[0].trust)

    return run


def auroc(doubt: Real, wrong: NDArray[np.bool_]) -> float:
    """Probability that a wrong pixel is doubted more than a right one; ties count half (Mann and Whitney 1947)."""
    bad, good = int(wrong.sum()), int((~wrong).sum())
    if not bad or not good:
        return float("nan")
    ranks = rankdata(doubt)
    return float((ranks[wrong].sum() - bad * (bad + 1) / 2.0) / (bad * good))


def calibration_error(probability: Real, happened: NDArray[np.bool_]) -> float:
    """Mean |share of what happened - probability told| over bins of equal width, weighted by their pixels."""
    index = np.minimum((probability * BINS).astype(int), BINS - 1)
    told = np.bincount(index, probability, BINS)
    came = np.bincount(index, happened.astype(float), BINS)
    return float(np.abs(told - came).sum() / probability.size)


def scores(found: Found, truth: NDArray[np.uint8]) -> tuple[float, ...]:
    """NLL in nats, calibration error, and AUROC of p(1 - p), of epistemic variance in nats² and of p, of the total."""
    states = np.concatenate(found.states, axis=1)
    own = states[truth, np.arange(truth.size)]
    flood, flooded = 1.0 - states[0], truth > 0
    wrong = (flood > 0.5) != flooded
    epistemic, aleatoric = (np.concatenate(parts) for parts in (found.epistemic, found.aleatoric))
    return (
        float(-np.log(np.maximum(own, 1e-12)).mean()),
        calibration_error(flood, flooded),
        auroc(flood * (1.0 - flood), wrong),
        auroc(epistemic, wrong) if epistemic.any() else float("nan"),
        auroc(epistemic * (flood * (1.0 - flood)) ** 2, wrong) if epistemic.any() else float("nan"),
        auroc((epistemic + aleatoric) * (flood * (1.0 - flood)) ** 2, wrong),
    )


@torch.inference_mode()
def judge(
    estimates: dict[str, Estimate], paths: Sequence[Path], network: Network, device: torch.device
) -> tuple[dict[str, Found], NDArray[np.uint8]]:
    """Every estimate on the same pixels of the chips, and what is true there."""
    found, truths = {name: Found() for name in estimates}, []
    drawn = np.random.default_rng(0)
    torch.manual_seed(0)
    for path in paths:
        chip, truth = read_chip(path)
        inputs = stack([to_tensors(chip, network.contract)]).to(device)
        seen = torch.stack([inputs.presence[name] for name in network.contract.sensors]).any(dim=0)[0].cpu().numpy()
        known = np.flatnonzero(seen & (truth != UNKNOWN))
        chosen = drawn.permutation(known)[:PIXELS]
        truths.append(truth.ravel()[chosen])
        for name, estimate in estimates.items():
            start = time.perf_counter()
            made = estimate(inputs)
            log_odds = made.log_odds[0].cpu()  # waits for the device
            found[name].seconds.append(time.perf_counter() - start)
            logits = torch.cat([torch.zeros_like(log_odds[:1]), log_odds]).double().flatten(1)[:, chosen]
            found[name].states.append(torch.softmax(logits, dim=0).numpy())
            for parts, variance in ((found[name].aleatoric, made.aleatoric), (found[name].epistemic, made.epistemic)):
                parts.append(variance[0].sum(dim=0).cpu().double().flatten()[chosen].numpy())
    return found, np.concatenate(truths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chips", type=Path)
    parser.add_argument("--weights", type=Path, nargs="+", required=True)
    parser.add_argument("--draws", type=int, default=8, help="heads drawn by dropout")
    parser.add_argument("--most", type=int, default=60, help="chips, evenly through the folder")
    parser.add_argument("--device", default="auto")
    told = parser.parse_args()
    device = choose_device(told.device)
    networks = [load(folder, told.device).network for folder in told.weights]
    network, members = networks[0], len(networks[0].head.kept)
    estimates: dict[str, Estimate] = {
        "none: the head as it is": one_head(network),
        f"{members} masked heads": lambda inputs: network(*inputs),
        f"dropout, {members} draws": dropout(network, members),
        f"dropout, {told.draws} draws": dropout(network, told.draws),
    }
    if len(networks) > 1:
        estimates[f"ensemble of {len(networks)}"] = ensemble(networks)
    paths = chip_paths(told.chips)
    chosen = [
        paths[index] for index in np.unique(np.linspace(0, len(paths) - 1, min(told.most, len(paths))).astype(int))
    ]
    judge(estimates, chosen[:1], network, device)  # warm
    found, truth = judge(estimates, chosen, network, device)
    print(f"{network.contract.name}: {truth.size} pixels of {len(chosen)} chips, {device}\n")
    print("| estimate | ms a chip | ratio | NLL | ECE | AUROC: p(1 - p) | epistemic, nats² | epistemic, p | both, p |")
    print("|---" * 9 + "|")
    base = statistics.median(found["none: the head as it is"].seconds)
    for name, one in found.items():
        taken = statistics.median(one.seconds)
        nll, ece, *areas = scores(one, truth)
        cells = " | ".join("–" if np.isnan(area) else f"{area:.3f}" for area in areas)
        print(f"| {name} | {1e3 * taken:.1f} | {taken / base:.2f} | {nll:.4f} | {ece:.4f} | {cells} |")


if __name__ == "__main__":
    main()
