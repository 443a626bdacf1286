"""Three-fold grouped cross-validation on OMBRIA: every family beside rules and a pixel-wise regression, as one table.

    python -m benchmarks.ombria_folds --root ../shared/data/ombria --out FOLDER [--families baselines,early,late]

What is done is not done again: a fold of a family is a JSON file, weights are folders, a fit goes on where it was
stopped. Neighbouring chips are never parted, and the three groups that hold half of the chips lie in different folds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from catalogs.publish import write_json
from models.contract import CONTRACT, Architecture, Rule, Training
from models.data.ombria import OmbriaSource, ombria_contract
from models.data.sources import ChipSource, KeptSource, Subset, folds, split_by_group
from models.inputs import ModelInput
from models.judging.answers import answer_of
from models.judging.baselines import fit_pixel_regression, index_rule, physics_alone
from models.judging.evaluate import evaluate, scores_of, state_shares
from models.judging.turns import Answer
from models.output import Prediction

FOLDS = 3
VALIDATION = 0.2
"""Share of the other chips that stops the fit and teaches the late rules."""
SENSORS = ("s1", "s2")
CONDITIONS: dict[str, tuple[str, ...]] = {"complete": (), "without s1": ("s1",), "without s2": ("s2",)}
FAMILIES = ("baselines", "early", "experts", "intermediate", "late")
RULES: tuple[str, ...] = get_args(Rule)
JOINS = ("gated", "attention")
Scores = dict[str, dict[str, Any]]
"""By condition, what `models.judging.evaluate.scores_of` gives."""


@dataclass(frozen=True)
class Fold:
    """One held-out third, and what is learned for it."""

    number: int
    rest: Subset
    """What is not held out: learning and validation."""
    learning: Subset
    validation: Subset
    held: Subset
    folder: Path

    @property
    def weights(self) -> Path:
        return self.folder / "weights"


@dataclass(frozen=True)
class Entry:
    """A row of the table."""

    answer: Answer
    sensors: tuple[str, ...] = SENSORS

    def depends_on(self, hidden: Sequence[str]) -> bool:
        """Whether hiding these leaves it something, and takes something."""
        left = set(self.sensors) - set(hidden)
        return not hidden or (bool(left) and len(left) < len(self.sensors))


@dataclass(frozen=True)
class Told:
    """What the command line says."""

    epochs: int | None
    seed: int
    device: str
    joins: Sequence[str]
    rules: Sequence[str]
    encoder: str | None


def train_fold(fold: Fold, told: Told, out: Path, strategy: str, join: str | None, sensor: str | None) -> None:
    """Train one network of a fold by the settings of `overbank train --dataset ombria`; kept weights stay."""
    from models.learning.fit import fit
    from workflows.training_plan import recipe_of

    if (out / CONTRACT).is_file():
        return
    given: dict[str, Any] = {"seed": told.seed} | ({} if told.epochs is None else {"epochs": told.epochs})
    recipe = recipe_of("ombria", given)
    drawn = recipe.flood_share
    shape = None if told.encoder is None else Architecture(encoder=told.encoder)
    fit(
        fold.learning,
        out,
        recipe,
        validation=fold.validation,
        contract=ombria_contract(strategy, join, sensor, shape),
        training=Training(
            data=f"OMBRIA without fold {fold.number} of {FOLDS}: {len(fold.learning)} chips",
            seeds=(told.seed,),
            shares=(1.0 - drawn, drawn) if drawn else state_shares(fold.learning, 1),
        ),
        device=told.device,
        report=lambda line: print(f"fold {fold.number} {out.name}: {line}", flush=True),
    )


def train_late(fold: Fold, told: Told) -> Path:
    """Fit the late rules to the experts of a fold, which are trained where they are missing."""
    from models.late.checkpoint import LATE
    from models.late.fit import fit_late

    folder = fold.weights / "late"
    train_experts(fold, told)
    if not (folder / LATE).is_file():
        fit_late(folder, fold.validation, seed=told.seed, device=told.device)
    return folder


def train_experts(fold: Fold, told: Told) -> dict[str, Path]:
    folders = {sensor: fold.weights / "late" / sensor for sensor in SENSORS}
    for sensor, folder in folders.items():
        train_fold(fold, told, folder, "expert", None, sensor)
    return folders


def baselines(fold: Fold, told: Told) -> dict[str, Entry]:
    rules = {
        f"{index.upper()} {'after and not before' if change else 'after'}": Entry(
            index_rule("s2", index, change=change), ("s2",)
        )
        for index in ("ndwi", "mndwi")
        for change in (False, True)
    }
    regressions = {}
    for sensors in (("s1",), ("s2",), SENSORS):
        modalities = [f"{sensor}{look}" for sensor in sensors for look in ("", "@1")]
        name = f"logistic regression, {' and '.join(sensors).upper().replace('AND', 'and')}"
        regressions[name] = Entry(fit_pixel_regression(fold.rest, modalities, told.seed), sensors)
    return {"index evidence": Entry(physics_alone, ("s2",)), **rules, **regressions}


def early(fold: Fold, told: Told) -> dict[str, Entry]:
    out = fold.weights / "early"
    train_fold(fold, told, out, "early", None, None)
    return {"early": Entry(answer_of([out], device=told.device))}


def experts(fold: Fold, told: Told) -> dict[str, Entry]:
    return {
        f"expert, {sensor.upper()}": Entry(answer_of([folder], device=told.device), (sensor,))
        for sensor, folder in train_experts(fold, told).items()
    }


def intermediate(fold: Fold, told: Told) -> dict[str, Entry]:
    answers = {}
    for join in told.joins:
        out = fold.weights / f"intermediate-{join}"
        train_fold(fold, told, out, "intermediate", join, None)
        answers[f"intermediate, {join}"] = Entry(answer_of([out], device=told.device))
    return answers


def late(fold: Fold, told: Told) -> dict[str, Entry]:
    folder = train_late(fold, told)
    shared = SharedExperts(folder, told.rules, told.device)
    return {f"late, {rule}": Entry(shared.answer(rule)) for rule in told.rules}


class SharedExperts:
    """The rules of a late checkpoint, whose experts run once a chip for all of them."""

    def __init__(self, folder: Path, rules: Sequence[str], device: str) -> None:
        self.folder, self.rules, self.device = folder, rules, device
        self.chip: ModelInput | None = None
        self.told: Mapping[str, Prediction] = {}

    def answer(self, rule: str) -> Answer:
        from models.late.checkpoint import predict_late

        def say(inputs: ModelInput) -> Prediction:
            if self.chip is not inputs:
                self.chip, self.told = inputs, predict_late(self.folder, self.rules, inputs, self.device)
            return self.told[rule]

        return say


MAKERS = dict(zip(FAMILIES, (baselines, early, experts, intermediate, late), strict=True))


def run_family(family: str, fold: Fold, told: Told) -> dict[str, Scores]:
    """By entry of the table, its scores; read where they are written already."""
    path = fold.folder / f"{family}.json"
    if not path.is_file():
        entries = MAKERS[family](fold, told)
        found: dict[str, Scores] = {name: {} for name in entries}
        for condition, hidden in CONDITIONS.items():
            answers = {name: entry.answer for name, entry in entries.items() if entry.depends_on(hidden)}
            for name, evaluation in evaluate(fold.held, answers, hidden).items() if answers else ():
                found[name][condition] = scores_of(evaluation)
        write_json(path, found)
    read: dict[str, dict[str, Scores]] = json.loads(path.read_text(encoding="utf-8"))
    return read  # type: ignore[return-value]


def table(found: Sequence[Mapping[str, Scores]], made: Sequence[Fold]) -> str:
    """Pooled flood IoU of each fold and their mean, per-chip two-class mean IoU and calibration error, as Markdown."""
    sizes = ", ".join(f"{len(fold.held)} chips in {len(set(fold.held.groups))} groups" for fold in made)
    heads = [f"fold {fold.number}" for fold in made]
    lines = [
        f"Held out: {sizes}.",
        "Pooled flood IoU of each fold and its mean; two-class mean IoU by chip and expected calibration error (ECE):",
        "means over the folds.",
        "",
        f"| answer | sensors | {' | '.join(heads)} | mean | two-class | ECE |",
        "|---|---|" + "---:|" * (len(heads) + 3),
    ]
    for name, scores in found[0].items():
        for condition in scores:
            rows = [fold[name][condition] for fold in found]
            ious = [row["pooled"]["flood_iou"] for row in rows]
            others = [np.mean([row["per_chip"]["two_class_miou"] for row in rows]), np.mean([r["ece"] for r in rows])]
            cells = [f"{value:.3f}" for value in (*ious, np.mean(ious), *others)]
            lines.append(f"| {name} | {condition} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def made_folds(source: ChipSource, out: Path, seed: int, limit: int | None) -> list[Fold]:
    """The folds; `limit` keeps so many chips of each part, for a check of the way through."""
    result = []
    for number, (rest, held) in enumerate(folds(source, FOLDS, seed)):
        learning, validation = split_by_group(rest, VALIDATION, seed)
        parts = [Subset(part, range(len(part))[:limit]) for part in (rest, learning, validation, held)]
        result.append(Fold(number, *parts, out / f"fold{number}"))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--joins", default=",".join(JOINS))
    parser.add_argument("--rules", default=",".join(RULES))
    parser.add_argument("--folds", default=",".join(map(str, range(FOLDS))))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--encoder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="chips of each part, for a check of the way through")
    parser.add_argument("--device", default="auto")
    told = parser.parse_args()
    settings = Told(told.epochs, told.seed, told.device, told.joins.split(","), told.rules.split(","), told.encoder)
    chosen = set(map(int, told.folds.split(",")))
    made = [
        fold
        for fold in made_folds(KeptSource(OmbriaSource(told.root)), told.out, told.seed, told.limit)
        if fold.number in chosen
    ]
    found: list[dict[str, Scores]] = [{} for _ in made]
    for family in told.families.split(","):
        for fold, entries in zip(made, found, strict=True):
            print(f"fold {fold.number}: {family}", flush=True)
            entries |= run_family(family, fold, settings)
    text = table(found, made)
    (told.out / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
