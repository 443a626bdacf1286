"""Checkpoints as answers: one network or late fusion, several together, each chip turned about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.contract import LATE, ContractMismatch, read_contract
from models.inputs import ModelInput
from models.judging.turns import Answer, ensemble, with_turns
from models.late.checkpoint import predict_late, rule_reach
from models.output import Prediction
from models.predict import predict


def answer_of(weights: Sequence[Path], rule: str | None = None, *, device: str = "auto", tta: bool = False) -> Answer:
    """Return what the networks of the folders say together: the mean of their log-odds.

    Args:
        weights: folders of checkpoints; more than one are an ensemble.
        rule: of late fusion, for folders of experts; None for all others.
        device: "auto", "cpu" or "cuda".
        tta: average over the eight turns and mirrors of a chip.

    Raises:
        ContractMismatch: a rule for a folder that is no late fusion, none for one that is, or an unknown one.
        FileNotFoundError: no checkpoint in a folder.
    """
    told = [_answer(folder, rule, device) for folder in weights]
    together = told[0] if len(told) == 1 else ensemble(told)
    return with_turns(together) if tta else together


def _answer(folder: Path, rule: str | None, device: str) -> Answer:
    late = (folder / LATE).is_file()
    if late != (rule is not None):
        raise ContractMismatch(
            f"{folder} is late fusion and needs a rule: give --rule."
            if late
            else f"{folder} has no {LATE}, so the rule {rule!r} has no experts to join: leave --rule out."
        )
    if rule is None:
        read_contract(folder)  # says at once where there is none
        return lambda inputs: predict(folder, inputs, device)
    return _late(folder, rule, device)


def _late(folder: Path, rule: str, device: str) -> Answer:
    try:
        rule_reach(rule)
    except ValueError as problem:  # an unknown rule; the message lists those there are
        raise ContractMismatch(str(problem)) from None

    def answer(inputs: ModelInput) -> Prediction:
        return predict_late(folder, [rule], inputs, device)[rule]

    return answer
