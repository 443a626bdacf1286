"""What contrastive pretraining is worth where labels are few: the curve at 5, 20 and 100 % of them, against none.

    python -m benchmarks.contrastive CHIPS [--join concat] [--shares 0.05 0.2 1] [--seeds 0 1 2] [--steps 400]

The encoders are pretrained on all training chips without their truth. Then the whole network learns from the labelled
share of them, from pretrained encoders or from fresh ones: the same chips, order, steps and loss, so that only the
start differs. Scored by flood IoU on a fifth of the events, never trained on; physics and network without any
training are the same number. One pretraining a seed, whose seconds are told.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.contract import Contract
from models.data.chips import UNKNOWN, chip_paths, read_chip
from models.device import choose_device
from models.learning.contrastive import ContrastiveRecipe, pretrain
from models.networks import build
from models.tensors import Tensors, stack, to_tensors

BATCH, RATE = 8, 2e-3
"""Chips a step, and the learning rate at the start of AdamW; a cosine brings it to 0."""
DROP = 0.25
"""Probability that a sensor of a chip is hidden while it learns."""


class Chips:
    """Chips as tensors; turned and mirrored by (epoch, index) where they are to vary."""

    def __init__(self, paths: Sequence[Path], contract: Contract, vary: bool) -> None:
        self.paths, self.contract, self.vary, self.epoch = list(paths), contract, vary, 0

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensors, Tensor]:
        inputs, truth = read_chip(self.paths[index])
        drawn = np.random.default_rng((self.epoch, index))
        if self.vary:
            sensors = [name for name in self.contract.sensors if drawn.random() < DROP]
            inputs = inputs.without(dict.fromkeys(sensors[: len(self.contract.sensors) - 1], True))
        tensors, target = to_tensors(inputs, self.contract), torch.from_numpy(truth)
        if not self.vary:
            return tensors, target
        quarters, mirror = int(drawn.integers(4)), bool(drawn.integers(2))

        def turn(plane: Tensor) -> Tensor:
            turned = torch.rot90(plane, quarters, (-2, -1))
            return turned.flip(-1) if mirror else turned

        modalities = {name: turn(values) for name, values in tensors.modalities.items()}
        presence = {name: turn(mask) for name, mask in tensors.presence.items()}
        return Tensors(modalities, presence, turn(tensors.physics)), turn(target)


def groups_of(paths: Sequence[Path]) -> list[str]:
    return sorted({path.stem.partition("_")[0] for path in paths})


def split(paths: Sequence[Path], seed: int) -> tuple[list[Path], list[Path]]:
    """Training and held-out chips; a fifth of the events is held out whole."""
    groups = groups_of(paths)
    held = set(np.random.default_rng(seed).permutation(groups)[: max(len(groups) // 5, 1)].tolist())
    parted: tuple[list[Path], list[Path]] = ([], [])
    for path in paths:
        parted[path.stem.partition("_")[0] in held].append(path)
    return parted


def labelled(paths: Sequence[Path], share: float, seed: int) -> list[Path]:
    """A share of the chips, drawn; a larger share holds the smaller."""
    order = np.random.default_rng(seed).permutation(len(paths))
    return [paths[index] for index in order[: max(round(share * len(paths)), 1)]]


def tune(network: nn.Module, chips: Chips, steps: int, seed: int, device: torch.device) -> None:
    """So many steps of cross-entropy of dry, open water and flooded vegetation over what any sensor saw."""
    torch.manual_seed(seed)
    network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    drawn = np.random.default_rng(seed)
    for step in range(steps):
        chips.epoch = step + 1
        items = [chips[int(index)] for index in drawn.integers(len(chips), size=BATCH)]
        inputs = stack([item[0] for item in items]).to(device)
        truth = torch.stack([item[1] for item in items]).to(device).long()
        target = torch.where(seen(inputs, chips.contract), truth, UNKNOWN)
        log_odds = network(*inputs).log_odds
        logits = torch.cat([torch.zeros_like(log_odds[:, :1]), log_odds], dim=1)
        loss = functional.cross_entropy(logits, target, ignore_index=UNKNOWN)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def seen(inputs: Tensors, contract: Contract) -> Tensor:
    return torch.stack([inputs.presence[name] for name in contract.sensors]).any(dim=0)


@torch.inference_mode()
def flood_iou(network: nn.Module, chips: Chips, device: torch.device) -> float:
    """Pooled over the chips and all pixels that any sensor saw."""
    network.to(device).eval()
    both = either = 0
    for index in range(len(chips)):
        inputs, truth = chips[index]
        inputs, truth = stack([inputs]).to(device), truth[None].to(device)
        log_odds = network(*inputs).log_odds
        wet = torch.exp(log_odds).sum(dim=1) > 1.0
        used, flooded = seen(inputs, chips.contract) & (truth != UNKNOWN), truth > 0
        both += int((wet & flooded & used).sum())
        either += int(((wet | flooded) & used).sum())
    return both / either if either else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chips", type=Path)
    parser.add_argument("--join", default="concat")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.2, 1.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=20, help="of the pretraining")
    parser.add_argument("--dates", action="store_true", help="earlier looks are positives too")
    parser.add_argument("--device", default="auto")
    told = parser.parse_args()
    from models.intermediate import intermediate_contract

    contract, device = intermediate_contract(told.join), choose_device(told.device)
    scores: dict[tuple[float, str], list[float]] = {}
    for seed in told.seeds:
        train, held = split(chip_paths(told.chips), seed)
        judge = Chips(held, contract, vary=False)
        torch.manual_seed(seed)
        fresh = build(contract)
        start = {name: value.clone() for name, value in fresh.state_dict().items()}
        print(f"seed {seed}: {len(train)} chips, {len(held)} held out; physics {flood_iou(fresh, judge, device):.3f}")
        recipe = ContrastiveRecipe(epochs=told.epochs, seed=seed, dates=told.dates)
        began = time.perf_counter()
        encoders = pretrain(fresh, Chips(train, contract, vary=True), recipe, device)
        print(f"seed {seed}: pretrained in {time.perf_counter() - began:.0f} s", flush=True)
        for share in told.shares:
            few = Chips(labelled(train, share, seed), contract, vary=True)
            for name in ("none", "contrastive"):
                network = build(contract)
                network.load_state_dict(start)
                if name == "contrastive":
                    network.encoders.load_state_dict(encoders)
                tune(network, few, told.steps, seed, device)
                scores.setdefault((share, name), []).append(flood_iou(network, judge, device))
                print(f"seed {seed}, {share:.0%}, {name}: {scores[share, name][-1]:.3f}", flush=True)
    print(f"\nintermediate-{told.join}, flood IoU on unseen events, {len(told.seeds)} seeds, {told.steps} steps\n")
    print("| labels | pretraining: none | contrastive | gain (lowest … highest seed) |\n|---|---|---|---|")
    for share in told.shares:
        without, with_ = scores[share, "none"], scores[share, "contrastive"]
        gains = [one - two for one, two in zip(with_, without, strict=True)]
        print(
            f"| {share:.0%} | {statistics.mean(without):.3f} | {statistics.mean(with_):.3f} | "
            f"{statistics.mean(gains):+.3f} ({min(gains):+.3f} … {max(gains):+.3f}) |"
        )


if __name__ == "__main__":
    main()
