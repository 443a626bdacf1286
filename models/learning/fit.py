"""Learning from chips: seeded, scored under every missing sensor, the best weights kept, resumed where it stopped."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch

from models.checkpoint import save
from models.contract import Contract, ContractMismatch, Training
from models.data.sources import ChipSource, split_by_group
from models.device import choose_device
from models.early import early_contract
from models.learning.learner import Learner
from models.learning.log import TrainingLog, progress_line
from models.learning.recipe import Recipe
from models.learning.score import Scores

Report = Callable[[str], None]
_STATE, _PLAN = "state.pt", "plan.json"


@dataclass(frozen=True)
class FitResult:
    """What a fit leaves."""

    folder: Path
    """The checkpoint."""
    log: Path
    """CSV, one row an epoch; the TensorBoard events lie in the folder of the same name that ends in ".events"."""
    contract: Contract
    scores: Scores
    """Flood IoU of the kept weights by scenario ("all", "without <sensor>"): "physics" and "network"."""
    epochs: int
    """Epochs that were run."""
    best_epoch: int
    """From 1; 0 where no epoch was better than the physics it started from."""
    seconds: float
    """Of this call."""


def fit(
    train: ChipSource,
    out: Path,
    recipe: Recipe | None = None,
    *,
    validation: ChipSource | None = None,
    contract: Contract | None = None,
    training: Training | None = None,
    limits: str = "",
    device: str = "auto",
    report: Report = print,
) -> FitResult:
    """Fit the network of a contract to chips and write its checkpoint to `out`, its log to `out`.csv.

    The score that is watched is the mean flood IoU over all sensors and each one missing. The averaged weights of
    the best epoch are kept; the start, which equals the physics, is epoch 0. Same chips, recipe, device and
    number of threads: same weights, also where the fit was interrupted: after each epoch its state is in
    `out`.resume, from which the same call goes on; the folder goes when the checkpoint is there.

    Args:
        train: chips.
        out: folder of the checkpoint; an older checkpoint there is replaced.
        recipe: the numbers; its defaults where None.
        validation: chips; None takes a share of the groups of `train`.
        contract: what to build; None is `early_contract()`.
        training: data, seeds and commands for the contract and the card; `epochs` and `shares` are filled in.
        limits: text for the card.
        device: "auto", "cpu" or "cuda".
        report: takes one line an epoch.

    Raises:
        ContractMismatch: chips have other channels, or `out`.resume holds a fit of another recipe, contract or chips.
        ChipsUnfit: one group only and no validation chips, or no chips of the share of flood that the recipe wants.
    """
    began = time.monotonic()
    recipe, contract = recipe or Recipe(), contract or early_contract()
    _require_side(recipe, contract)
    if validation is None:
        train, validation = split_by_group(train, recipe.validation_share, recipe.seed)
    learner = Learner(recipe, contract, choose_device(device), train, validation)
    resume = Resume(_beside(out, "resume"), _plan(recipe, contract, train, validation))
    _run(learner, resume, out, report)
    learner.average.network.load_state_dict(learner.best_weights)
    record = (training or Training(data="chips", seeds=(recipe.seed,))).model_copy(
        update={"epochs": learner.best_epoch, "shares": learner.shares}
    )
    update = {"training": record, "scores": learner.best_scores, "limits": limits or contract.limits}
    saved = save(out, learner.average.network, contract.model_copy(update=update))
    resume.remove()
    seconds, epochs = time.monotonic() - began, len(learner.rows) - 1
    return FitResult(out, _beside(out, "csv"), saved, learner.best_scores, epochs, learner.best_epoch, seconds)


def _run(learner: Learner, resume: Resume, out: Path, report: Report) -> None:
    """Run the epochs that are left; an epoch is kept before it is told."""
    state = resume.read(learner.device)
    if state is not None:
        learner.restore(state)
        report(f"going on after epoch {len(learner.rows) - 1} ({resume.folder})")
    log = TrainingLog(_beside(out, "csv"), _beside(out, "events"), learner.rows)
    try:
        for row in learner.epochs():
            log.add(row)
            resume.write(learner.state())
            report(progress_line(row, learner.recipe.epochs))
    finally:
        log.close()


class Resume:
    """The folder that holds the state after the last whole epoch, and what fit it is the state of."""

    def __init__(self, folder: Path, plan: dict[str, object]) -> None:
        self.folder, self.plan = folder, json.loads(json.dumps(plan))

    def read(self, device: torch.device) -> dict[str, object] | None:
        """Return the state, None where there is none.

        Raises:
            ContractMismatch: it is that of another fit.
        """
        if not (self.folder / _STATE).is_file():
            return None
        found = json.loads((self.folder / _PLAN).read_text(encoding="utf-8"))
        other = sorted(name for name in self.plan | found if self.plan.get(name) != found.get(name))
        if other:
            raise ContractMismatch(
                f"{self.folder} holds a fit that was interrupted with another {' and '.join(other)}. Give the same "
                "again to go on with it, remove that folder to begin anew, or give another folder for the weights."
            )
        state: dict[str, object] = torch.load(self.folder / _STATE, map_location=device, weights_only=True)
        return state

    def write(self, state: dict[str, object]) -> None:
        """Keep a state; it replaces the last by one rename."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _PLAN).write_text(json.dumps(self.plan, indent=2) + "\n", encoding="utf-8")
        draft = self.folder / f".{_STATE}"
        torch.save(state, draft)
        draft.replace(self.folder / _STATE)

    def remove(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _plan(recipe: Recipe, contract: Contract, train: ChipSource, validation: ChipSource) -> dict[str, object]:
    """What the state of an interrupted fit is valid for."""
    chips = sha256("\n".join([*train.names, "", *validation.names]).encode()).hexdigest()
    return {"recipe": recipe.model_dump(mode="json"), "contract": contract.model_dump(mode="json"), "chips": chips}


def _require_side(recipe: Recipe, contract: Contract) -> None:
    side = recipe.augmentation.side
    if side is not None and side % contract.stride:
        raise ContractMismatch(
            f"The side of training squares is {side} pixels; network {contract.name!r} takes multiples of "
            f"{contract.stride}. Give augmentation.side such a number."
        )


def _beside(out: Path, ending: str) -> Path:
    return out.parent / f"{out.name}.{ending}"
