"""The verb `train`: flags and a YAML file to a plan; what was learnt, told."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workflows.options import Device


class Dataset(StrEnum):
    """What a network can learn from."""

    simulated = "simulated"
    ombria = "ombria"
    sen1floods11 = "sen1floods11"
    folder = "folder"


class Strategy(StrEnum):
    """The networks there are."""

    early = "early"
    intermediate = "intermediate"
    expert = "expert"
    late = "late"


class JoinKind(StrEnum):
    """How an intermediate network joins its sensors."""

    concat = "concat"
    gated = "gated"
    attention = "attention"
    tensor = "tensor"


def train(
    out: Annotated[
        Path | None, typer.Option(metavar="WEIGHTS", file_okay=False, help="Folder of the checkpoint.")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, help="The data set; of simulated chips, their folder."),
    ] = None,
    dataset: Annotated[Dataset | None, typer.Option(help="What to learn from (simulated).")] = None,
    strategy: Annotated[Strategy | None, typer.Option(help="The network (early); late trains its experts.")] = None,
    join: Annotated[JoinKind | None, typer.Option(help="Of an intermediate network (gated).")] = None,
    sensor: Annotated[str | None, typer.Option(help="Of an expert.")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="TRAIN.yaml", dir_okay=False, help="All settings; flags win over it.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(metavar="DIR", file_okay=False, help="Chips to validate on; else a share of groups.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same weights.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Any of segmentation-models-pytorch.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bfloat16.")] = None,
    events: Annotated[int | None, typer.Option(min=2, help="Simulated floods.")] = None,
    size: Annotated[int | None, typer.Option(min=128, help="Pixels a side of each.")] = None,
    device: Annotated[Device | None, typer.Option(help="Where networks run (auto).")] = None,
) -> None:
    """Train a network; interrupted, the same command goes on where it was, to the same weights."""
    from workflows.train import train as run_training
    from workflows.training_plan import read_plan

    recipe = {"epochs": epochs, "seed": seed, "precision": precision}
    plan = read_plan(
        config,
        {"out": out, "root": root, "validation": validation, "dataset": dataset, "strategy": strategy, "join": join}
        | {"sensor": sensor, "events": events, "size": size, "device": device}
        | {"recipe": recipe, "architecture": {"encoder": encoder}},
    )
    for found in run_training(plan, typer.echo):
        typer.echo(f"{found.folder} (best of epoch {found.best_epoch}; log {found.log})")
        for name, scores in found.scores.items():
            typer.echo(f"  {name:16s} " + "  ".join(f"{who} {value:.4f}" for who, value in scores.items()))
