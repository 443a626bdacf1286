"""`overbank evaluate`: the scores of weights, or of a rule, on the chips of a data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.contract import CONTRACT, DATED, LATE, read_contract, sensor_of
from models.data.ombria import OmbriaSource
from models.data.sources import ChipSource, FolderSource
from models.inputs import CONTEXT
from models.judging.answers import answer_of
from models.judging.baselines import index_rule, physics_alone
from models.judging.evaluate import evaluate as judge
from models.judging.evaluate import group_shifts, scores_of
from models.judging.turns import Answer
from models.output import Float
from pipeline.errors import DatasetError
from pipeline.sen1floods11 import ALL, Sen1Floods11Source

CHIPS = "chips"
"""Where `overbank train --dataset simulated` keeps its chips, below the root."""


def evaluate(
    dataset: str,
    root: Path,
    weights: Sequence[Path] = (),
    baseline: str | None = None,
    *,
    split: str | None = None,
    rule: str | None = None,
    without: Sequence[str] = (),
    tta: bool = False,
    adapt_prior: bool = False,
    device: str = "auto",
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the scores of weights, or of a rule that knows none, on the chips of a data set.

    Args:
        dataset: see `source_of`.
        root: its folder.
        weights: checkpoints; several are an ensemble.
        baseline: "physics", "ndwi" …, in the place of weights.
        split: part of the data set.
        rule: how the experts of late fusion are joined.
        without: sensors to hide.
        tta: average over eight turns and mirrors of each chip.
        adapt_prior: move the prior to what the answers of each group speak for.
        device: where networks run.
        say: takes a line of progress.

    Raises:
        DatasetError: nothing is there, or what is asked for does not fit together.
    """
    source = source_of(dataset, root, split)
    answer = answer_for(source, weights, baseline, rule=rule, device=device, tta=tta)
    return run_evaluation(source, answer, without, say, shares_of(weights) if adapt_prior else None)


def source_of(dataset: str, root: Path, split: str | None = None) -> ChipSource:
    """Return the chips of a data set.

    Args:
        dataset: "ombria", "sen1floods11", "simulated" or "folder" (chips as `.npz`).
        root: its folder; of "simulated" also the --root of `overbank train`.
        split: the part of it: of "folder" and "simulated" a folder below; None: the training part of OMBRIA, all of
            the others.

    Raises:
        DatasetError: nothing is there.
    """
    try:
        if dataset == "ombria":
            return OmbriaSource(root, split or "train")
        if dataset == "sen1floods11":
            return Sen1Floods11Source(root, split or ALL)
        return FolderSource(_folder(root, split, dataset == "simulated"))
    except FileNotFoundError as problem:
        raise DatasetError(str(problem)) from None


def rule_of(name: str, source: ChipSource) -> Answer:
    """Return the rule "physics", "ndwi", "mndwi" or, against the look before, "ndwi-change", "mndwi-change".

    The sensor is the one of the data set that has the index.

    Raises:
        DatasetError: the chips have no optical index.
    """
    if name == "physics":
        return physics_alone
    index, _, change = name.partition("-")
    for position in range(len(source)):
        inputs, _ = source.read(position)
        for sensor in (name for name in inputs.modalities if DATED not in name):
            if index in inputs.channels[sensor]:
                return index_rule(sensor, index, change=bool(change))
    raise DatasetError(f"No chip of {len(source)} has the channel {index!r}: the rule has nothing to go by.")


def answer_for(
    source: ChipSource,
    weights: Sequence[Path],
    baseline: str | None,
    *,
    rule: str | None = None,
    device: str = "auto",
    tta: bool = False,
) -> Answer:
    """Return the answer of weights (see `models.judging.answers.answer_of`) or of a rule that knows none.

    Raises:
        DatasetError: neither or both are given, or a folder is no checkpoint.
    """
    if bool(weights) == (baseline is not None):
        raise DatasetError("Give either --weights or --baseline: one of them answers.")
    if baseline is not None:
        return rule_of(baseline, source)
    try:
        return answer_of(weights, rule, device=device, tta=tta)
    except FileNotFoundError as problem:
        raise DatasetError(str(problem)) from None


def run_evaluation(
    source: ChipSource,
    answer: Answer,
    without: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
    shares: tuple[float, ...] | None = None,
) -> dict[str, Any]:
    """Return the scores of an answer, see `models.judging.evaluate.scores_of`.

    `shares`: of dry and each state where the answer was calibrated, to move its prior to what the answers of each group
    speak for; None leaves them as they are.

    Raises:
        DatasetError: no pixel of the truth is known, or a sensor that is to be hidden is in no chip.
    """
    _require_sensors(source, without)
    shifts = None if shares is None else group_shifts(source, answer, shift_from(shares), without)
    found = judge(source, {"answer": answer}, without, say, shifts)["answer"]
    if not found.counts.any():
        raise DatasetError(f"No pixel of {len(source)} chips has a known truth: there is nothing to score against.")
    return scores_of(found)


def shift_from(shares: tuple[float, ...]) -> Callable[[Float], Float]:
    """Return what a scene's log-odds (S, n) say of its prior: (S,) nats from the one of these shares."""
    from models.judging.calibrate import prior_shift

    def shift(log_odds: Float) -> Float:
        return np.asarray(prior_shift(log_odds.astype(np.float64), np.array(shares)), dtype=np.float32)

    return shift


def shares_of(weights: Sequence[Path]) -> tuple[float, ...]:
    """Return the shares that the training of a checkpoint wrote down; of late fusion, of its first expert.

    Raises:
        DatasetError: there are none.
    """
    folder = weights[0] if weights else Path()
    experts = sorted(path.parent for path in folder.glob(f"*/{CONTRACT}")) if (folder / LATE).is_file() else [folder]
    found = read_contract(experts[0]).training.shares if weights else ()
    if not found:
        raise DatasetError(
            f"--adapt-prior: {CONTRACT} of {folder} does not say which share of its training pixels was flood "
            "(training.shares), so there is no prior to move from; train it anew."
        )
    return found


def _require_sensors(source: ChipSource, wanted: Sequence[str]) -> None:
    """Chips are read until each sensor was met: all of them only where a name is wrong."""
    known: set[str] = set()
    for index in range(len(source)):
        if known.issuperset(wanted):
            return
        known |= {sensor_of(name) for name in source.read(index)[0].modalities} - set(CONTEXT)
    strange = sorted(set(wanted) - known)
    if strange:
        raise DatasetError(
            f"--without {', '.join(strange)}: not of this data set, which has {', '.join(sorted(known))}."
        )


def _folder(root: Path, split: str | None, simulated: bool) -> Path:
    if split is not None:
        return root / split
    return root / CHIPS if simulated and not any(root.glob("*.npz")) else root
