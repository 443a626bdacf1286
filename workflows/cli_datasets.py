"""Verbs on data sets of chips: their scores, and pieces of them to copy."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Chips(StrEnum):
    """What weights can be scored on."""

    ombria = "ombria"
    sen1floods11 = "sen1floods11"
    simulated = "simulated"
    folder = "folder"


class Baseline(StrEnum):
    """Answers without weights."""

    physics = "physics"
    ndwi = "ndwi"
    mndwi = "mndwi"
    ndwi_change = "ndwi-change"
    mndwi_change = "mndwi-change"


Root = Annotated[Path, typer.Option(metavar="DIR", exists=True, file_okay=False, help="Folder of the data set.")]


def add_commands(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("evaluate")(evaluate)
    app.command("pack-dataset")(pack_dataset)
    app.command("unpack-dataset")(unpack_dataset)


def evaluate(
    dataset: Annotated[Chips, typer.Option(help="What the chips are.")],
    root: Root,
    weights: Annotated[
        list[Path] | None,
        typer.Option(metavar="WEIGHTS", file_okay=False, help="Checkpoint; several are an ensemble."),
    ] = None,
    baseline: Annotated[Baseline | None, typer.Option(help="An answer without weights, in their place.")] = None,
    split: Annotated[str | None, typer.Option(help="Part of the data set, as its folders or lists name it.")] = None,
    rule: Annotated[str | None, typer.Option(help="How the experts of late fusion are joined.")] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="SENSOR", help="Hide a sensor: repeated, or several with commas.")
    ] = None,
    tta: Annotated[bool, typer.Option("--tta", help="Average over eight turns and mirrors of each chip.")] = False,
    adapt_prior: Annotated[
        bool, typer.Option("--adapt-prior", help="Move the prior to what the answers of each group speak for.")
    ] = False,
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu or cuda.")] = "auto",
    json_file: Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the scores as JSON.")] = None,
) -> None:
    """Score weights on the chips of a data set: pooled and by chip, calibration, an interval over groups."""
    from catalogs.publish import write_json
    from workflows.evaluate import evaluate as run_evaluation
    from workflows.tables import console, show_scores

    found = run_evaluation(
        dataset.value,
        root,
        weights or [],
        None if baseline is None else baseline.value,
        split=split,
        rule=rule,
        without=[sensor.strip().lower() for given in without or [] for sensor in given.split(",")],
        tta=tta,
        adapt_prior=adapt_prior,
        device=device,
        say=lambda line: typer.echo(line, err=True),
    )
    show_scores(found, console())
    if json_file is not None:
        write_json(json_file, found)


def pack_dataset(
    root: Root,
    out: Annotated[Path, typer.Option("--out", file_okay=False, help="Empty folder for the pieces.")],
    part: Annotated[float, typer.Option(min=0.001, help="Largest piece in MB (10⁶ bytes).")] = 55.0,
) -> None:
    """Pack a data set in pieces under a size, for a machine that gets files only by copy; lossless."""
    from workflows.pack_dataset import pack_root

    for path in pack_root(root, out, part):
        typer.echo(f"{path} {path.stat().st_size / 1e6:.1f} MB")


def unpack_dataset(
    pieces: Annotated[Path, typer.Option(metavar="PIECES", file_okay=False, help="The --out of pack-dataset.")],
    out: Annotated[Path, typer.Option("--out", file_okay=False, help="Empty folder for the data set.")],
) -> None:
    """Put a packed data set together again, every piece checked."""
    from workflows.pack_dataset import unpack_pieces

    typer.echo(f"{out}: {unpack_pieces(pieces, out)} files")
