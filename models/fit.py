"""Learning from chips: seeded, scored under every missing sensor, the best weights kept."""

from __future__ import annotations

import copy
import csv
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch.utils.data import DataLoader

from models.checkpoint import save
from models.chips import Augmentation, ChipSet, Sample, chip_paths, split_by_group
from models.contract import Contract, Record, Training
from models.device import choose_device
from models.early import early_contract
from models.losses import Loss, masked_loss
from models.networks import build
from models.score import Scores, score

Report = Callable[[str], None]


class Recipe(Record):
    """All that decides the weights, besides the chips."""

    epochs: PositiveInt = 30
    seed: int = 0
    batch: PositiveInt = 8
    rate: PositiveFloat = 2e-3
    """Learning rate of AdamW at the start; a cosine brings it to 0."""
    decay: NonNegativeFloat = 1e-2
    """Weight decay of AdamW."""
    patience: PositiveInt = 10
    """Epochs without a better score after which the fit ends."""
    drop: NonNegativeFloat = 0.25
    blob: NonNegativeFloat = 0.25
    shake: NonNegativeFloat = 1.0
    """Of levels, indices and evidence: simulated ground is not the only ground."""
    weights: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 1.0)
    """Of dry, open water and flooded vegetation in the cross-entropy; unequal ones bias the probabilities."""
    dice: NonNegativeFloat = 1.0
    penalty: NonNegativeFloat = 0.01
    validation_share: PositiveFloat = 0.2
    """Of the groups, where no validation folder is given."""


@dataclass(frozen=True)
class FitResult:
    """What a fit leaves."""

    folder: Path
    """The checkpoint."""
    log: Path
    """CSV, one row an epoch."""
    contract: Contract
    scores: Scores
    """Flood IoU of the kept weights by scenario ("all", "without <modality>"): "physics" and "network"."""
    epochs: int
    """Epochs that were run."""
    best_epoch: int
    """From 1; 0 where no epoch was better than the physics it started from."""
    seconds: float


def fit(
    train: Path,
    out: Path,
    recipe: Recipe | None = None,
    *,
    validation: Path | None = None,
    contract: Contract | None = None,
    training: Training | None = None,
    limits: str = "",
    device: str = "auto",
    report: Report = print,
) -> FitResult:
    """Fit an early-fusion network to chips and write its checkpoint to `out`, its log to `out`.csv.

    The score that is watched is the mean flood IoU over all sensors and each one missing. The weights of the
    best epoch are kept; the start, which equals the physics, is epoch 0. Same chips, recipe, device and
    number of threads: same weights.

    Args:
        train: folder of chips.
        out: folder of the checkpoint; an older checkpoint there is replaced.
        recipe: the numbers; its defaults where None.
        validation: folder of chips; None takes a share of the groups of `train`.
        contract: what to build; None is `early_contract()`.
        training: data, seeds and commands for the contract and the card; `epochs` is filled in.
        limits: text for the card.
        device: "auto", "cpu" or "cuda".
        report: takes one line an epoch.

    Raises:
        FileNotFoundError: a folder holds no chips.
        ValueError: one group only, and no validation folder.
    """
    began = time.monotonic()
    recipe, contract = recipe or Recipe(), contract or early_contract()
    learner = _Learner(recipe, contract, choose_device(device), _split(train, validation, recipe))
    log = out.parent / f"{out.name}.csv"
    rows = []
    for row in learner.epochs():
        rows.append(row)
        report(_line(row, recipe.epochs))
        _write_log(log, rows)
    learner.network.load_state_dict(learner.best_weights)
    record = (training or Training(data=train.name, seeds=(recipe.seed,))).model_copy(
        update={"epochs": learner.best_epoch}
    )
    update = {"training": record, "scores": learner.best_scores, "limits": limits or contract.limits}
    saved = save(out, learner.network, contract.model_copy(update=update))
    seconds = time.monotonic() - began
    return FitResult(out, log, saved, learner.best_scores, len(rows) - 1, learner.best_epoch, seconds)


class _Learner:
    """The state of one fit."""

    def __init__(
        self,
        recipe: Recipe,
        contract: Contract,
        device: torch.device,
        chips: tuple[list[Path], list[Path]],
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device = recipe, device
        self.network = build(contract).to(device)
        augmentation = Augmentation(turn=True, drop=recipe.drop, blob=recipe.blob, shake=recipe.shake)
        self.train = ChipSet(chips[0], contract, augmentation=augmentation, seed=recipe.seed)
        self.validation = chips[1]
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, recipe.epochs)
        self.best_epoch, self.best_scores, self.best_mean = 0, Scores(), -1.0
        self.best_weights = copy.deepcopy(self.network.state_dict())

    def epochs(self) -> Iterator[dict[str, float]]:
        """Run and score epoch after epoch, the untrained network as epoch 0; yield rows of the log."""
        for epoch in range(self.recipe.epochs + 1):
            loss = self._train(epoch) if epoch else {}
            scores = score(self.network, self.validation, self.recipe.batch, self.device)
            mean = sum(row["network"] for row in scores.values()) / len(scores)
            if mean > self.best_mean:
                self.best_epoch, self.best_scores, self.best_mean = epoch, scores, mean
                self.best_weights = copy.deepcopy(self.network.state_dict())
            yield {"epoch": epoch, **loss, "score": mean, **_flat(scores)}
            if epoch - self.best_epoch >= self.recipe.patience:
                return

    def _train(self, epoch: int) -> dict[str, float]:
        """One pass over the chips; the mean of each term of the loss."""
        self.train.epoch = epoch
        self.network.train()
        order = torch.Generator().manual_seed(self.recipe.seed * 100_003 + epoch)
        loader = DataLoader(self.train, self.recipe.batch, shuffle=True, generator=order)
        sums = dict.fromkeys(Loss._fields, 0.0)
        for sample in loader:
            loss = self._step(sample)
            sums = {name: sums[name] + float(term.detach()) for name, term in loss._asdict().items()}
        self.schedule.step()
        return {name: total / len(loader) for name, total in sums.items()}

    def _step(self, sample: Sample) -> Loss:
        inputs, truth = sample.inputs.to(self.device), sample.truth.to(self.device)
        recipe, contract = self.recipe, self.network.contract
        observed = torch.stack([inputs.presence[name] for name in contract.sensors]).any(dim=0)
        loss = masked_loss(
            self.network(*inputs).log_odds,
            inputs.physics,
            truth,
            observed,
            weights=recipe.weights,
            dice=recipe.dice,
            penalty=recipe.penalty,
            bound=contract.bound,
        )
        self.optimizer.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return loss


def _split(train: Path, validation: Path | None, recipe: Recipe) -> tuple[list[Path], list[Path]]:
    paths = chip_paths(train)
    if validation is not None:
        return paths, chip_paths(validation)
    return split_by_group(paths, recipe.validation_share, recipe.seed)


def _flat(scores: Scores) -> dict[str, float]:
    return {f"{name}: {method}": value for name, row in scores.items() for method, value in row.items()}


def _line(row: dict[str, float], epochs: int) -> str:
    loss = f"loss {row['total']:.4f}, " if "total" in row else ""
    return (
        f"epoch {row['epoch']:.0f}/{epochs}: {loss}mean flood IoU {row['score']:.4f}; all sensors: "
        f"network {row['all: network']:.4f}, physics {row['all: physics']:.4f}"
    )


def _write_log(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Write the whole log, anew after each epoch: the columns are those of the last row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[-1]))
        writer.writeheader()
        writer.writerows(rows)
