"""The state of one fit: what a step does, what an epoch leaves, and how it goes on after an interruption."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from models.contract import Contract, ContractMismatch
from models.data.chips import UNKNOWN
from models.data.sources import ChipSource
from models.device import computes_bfloat16
from models.learning.log import Row
from models.learning.losses import Loss, Objective, loss_of
from models.learning.recipe import Recipe
from models.learning.samples import ChipSet, Sample
from models.learning.sampling import EpochOrder, flood_shares, tilted_weights
from models.learning.score import Scores, mean_score, score
from models.network import Network
from models.networks import build

State = dict[str, Any]


class WeightAverage:
    """The moving average of a network's weights and running statistics.

    Its memory grows with the first steps, so that the start is soon forgotten: share min(decay, (1 + n) / (10 + n)).
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.decay, self.steps = decay, 0

    def update(self, network: Network) -> None:
        """Move toward the network as it is after a step."""
        self.steps += 1
        share = 1.0 - min(self.decay, self.steps / (9.0 + self.steps))
        for mean, value in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, share)
            else:
                mean.copy_(value)


class Learner:
    """One fit. Its randomness follows from seed and epoch, so the state after an epoch is all that is to be kept."""

    def __init__(
        self, recipe: Recipe, contract: Contract, device: torch.device, train: ChipSource, validation: ChipSource
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.validation = recipe, device, validation
        self.network = build(contract).to(device)
        self.average = WeightAverage(self.network, recipe.average)
        self.chips = ChipSet(train, contract, augmentation=recipe.augmentation, seed=recipe.seed)
        weights = None if recipe.flood_share is None else tilted_weights(flood_shares(train), recipe.flood_share)
        self.order = EpochOrder(len(train), recipe.seed, weights, recipe.draws)
        self.objective = _fitting(recipe.objective_of(contract), contract)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, recipe.epochs)
        self.low_precision = recipe.precision == "bfloat16" or (
            recipe.precision == "auto" and computes_bfloat16(device)
        )
        self.pixels = torch.zeros(1 + len(contract.states), dtype=torch.float64)
        """Seen so far, of dry and each state."""
        self.rows: list[Row] = []
        self.best_epoch, self.best_scores, self.best_mean = 0, Scores(), -1.0
        self.best_weights = self._kept()

    def epochs(self) -> Iterator[Row]:
        """Run and score the epochs that are left, the untrained network as epoch 0; yield rows of the log."""
        while not self.finished:
            began, epoch = time.monotonic(), len(self.rows)
            losses = self._learn(epoch) if epoch else {}
            with self._precision():
                scores = score(self.average.network, self.validation, self.recipe.batch, self.device)
            mean = mean_score(scores)
            if mean > self.best_mean:
                self.best_epoch, self.best_scores, self.best_mean = epoch, scores, mean
                self.best_weights = self._kept()
            row = {"epoch": float(epoch), **losses, "score": mean, **_flat(scores)}
            self.rows.append({**row, "seconds": time.monotonic() - began})
            yield self.rows[-1]

    @property
    def shares(self) -> tuple[float, ...]:
        """Of dry and each state among the known pixels of the samples so far; empty before the first."""
        total = float(self.pixels.sum())
        return tuple((self.pixels / total).tolist()) if total else ()

    @property
    def finished(self) -> bool:
        """Whether all epochs were run, or the score stood still for as long as the recipe waits."""
        last = len(self.rows) - 1
        return last >= self.recipe.epochs or last - self.best_epoch >= self.recipe.patience

    def state(self) -> State:
        """All that the epochs to come depend on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "pixels": self.pixels,
            "rows": self.rows,
            "best": (self.best_epoch, self.best_scores, self.best_mean, self.best_weights),
        }

    def restore(self, state: State) -> None:
        """Go on from the state after an epoch."""
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.average.steps = state["steps"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.pixels = state["pixels"].cpu()
        self.rows = list(state["rows"])
        self.best_epoch, self.best_scores, self.best_mean, self.best_weights = state["best"]

    def _learn(self, epoch: int) -> dict[str, float]:
        """One pass over the chips; the mean of the loss and of each of its terms."""
        torch.manual_seed(self.recipe.seed * 100_003 + epoch)
        self.chips.epoch = self.order.epoch = epoch
        self.network.train()
        sums: dict[str, float] = {}
        loader = DataLoader(self.chips, self.recipe.batch, sampler=self.order, drop_last=self._drops_last)
        # One algorithm on a GPU, the same each time, so that an interrupted fit comes to the same weights there too.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            for sample in loader:
                loss = self._step(sample)
                self.pixels += torch.bincount(sample.truth[sample.truth != UNKNOWN], minlength=len(self.pixels))
                for name, term in {"loss": loss.total, **loss.terms}.items():
                    sums[name] = sums.get(name, 0.0) + float(term.detach())
        self.schedule.step()
        return {name: total / len(loader) for name, total in sums.items()}

    @property
    def _drops_last(self) -> bool:
        """A last batch of one chip would upset the running statistics; it is left for another epoch's order."""
        return len(self.order) > self.recipe.batch and len(self.order) % self.recipe.batch == 1

    def _step(self, sample: Sample) -> Loss:
        inputs, truth = sample.inputs.to(self.device), sample.truth.to(self.device)
        with self._precision():
            log_odds: Tensor = self.network(*inputs).log_odds
        loss = loss_of(log_odds, inputs, truth, self.network.contract, self.objective)
        self.optimizer.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.average.update(self.network)
        return loss

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, dtype=torch.bfloat16) if self.low_precision else nullcontext()

    def _kept(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.average.network.state_dict().items()}


def _fitting(objective: Objective, contract: Contract) -> Objective:
    """The objective, refused where its weights are not those of dry and the states."""
    states = ("dry", *contract.states)
    if objective.weights and len(objective.weights) != len(states):
        raise ContractMismatch(
            f"The objective of {contract.name!r} has {len(objective.weights)} weights; give {len(states)}, of "
            f"{', '.join(states)}, or none."
        )
    return objective


def _flat(scores: Scores) -> dict[str, float]:
    return {f"{name}: {method}": value for name, row in scores.items() for method, value in row.items()}
