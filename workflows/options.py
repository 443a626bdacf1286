"""Arguments and options that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.job_methods import Choice


class Device(StrEnum):
    """Where networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class JoinName(StrEnum):
    """How intermediate fusion joins its sensors: `models.contract.Join`."""

    concat = "concat"
    gated = "gated"
    attention = "attention"
    tensor = "tensor"


class RuleName(StrEnum):
    """How late fusion joins its experts: `models.contract.Rule`."""

    mean = "mean"
    accuracy = "accuracy"
    vote = "vote"
    median = "median"
    inverse_variance = "inverse-variance"
    minimum_variance = "minimum-variance"
    bayes = "bayes"
    gate = "gate"
    stack_logistic = "stack-logistic"
    stack_svm = "stack-svm"
    stack_boosting = "stack-boosting"


JobFile = Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The job: where, when, which sensors and methods.")]
Out = Annotated[Path, typer.Option("--out", file_okay=False, help="Folder to write into; made if it is not there.")]
Json = Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the same as JSON.")]
Size = Annotated[int, typer.Option(min=32, help="Side of the simulated area in pixels of 10 m.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same scenes.")]
On = Annotated[Device, typer.Option(help="Where networks run.")]
Joins = Annotated[
    list[JoinName] | None,
    typer.Option("--join", help="How intermediate fusion joins its sensors; again for another map. Adds the method."),
]
Rules = Annotated[
    list[RuleName] | None,
    typer.Option("--rule", help="How late fusion joins its experts; again for another map. Adds the method."),
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="DIR", help="A checkpoint, or a folder of one for each method."),
]
JoinsShown = Annotated[
    list[JoinName] | None, typer.Option("--join", help="Of the maps by intermediate fusion, these alone.")
]
RulesShown = Annotated[list[RuleName] | None, typer.Option("--rule", help="Of the maps by late fusion, these alone.")]


def named(chosen: Sequence[StrEnum] | None) -> tuple[str, ...]:
    """What was chosen, by name."""
    return tuple(one.value for one in chosen or ())


def choice_of(join: Joins, rule: Rules, weights: Weights) -> Choice:
    """What the flags say of networks."""
    return Choice(named(join), named(rule), weights)
