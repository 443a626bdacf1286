"""`overbank review`: what a person should look at, and what their verdicts change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from workflows.options import Json

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The --out folder of `overbank map`.")]
review_app = typer.Typer(no_args_is_help=True, help="Polygons for a person to judge, and a map that learned from them.")


def add_commands(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.add_typer(review_app, name="review")


@review_app.command("export")
def export(
    run: RunArgument,
    budget: Annotated[int, typer.Option(min=1, max=5000, help="Polygons.")] = 50,
    at_random: Annotated[int, typer.Option("--random", min=0, help="Of them, drawn from what nobody doubts.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", dir_okay=False, help="RUN/review/review.gpkg if none.")] = None,
    json_file: Json = None,
) -> None:
    """Write the polygons most worth a look as a GeoPackage to edit in QGIS: fill the field `verdict`, save."""
    from catalogs.publish import write_json
    from workflows.review import review_export

    told = review_export(run, budget, at_random, seed, out)
    if json_file is not None:
        write_json(json_file, told)
    typer.echo(f"{told['polygons']} of {told['candidates']} polygons; they cover {_covered(told)} of what was observed")
    typer.echo(f"{told['file']}\nfill its field `verdict`, save, then: overbank review apply {run} {told['file']}")


@review_app.command("apply")
def apply(
    run: RunArgument,
    edited: Annotated[Path, typer.Argument(metavar="EDITED.gpkg", help="The exported file, with verdicts.")],
    reviewer: Annotated[str | None, typer.Option(help="Who judged, for the audit; the user's name if none.")] = None,
    sensitivity: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Share of flooded pixels in polygons called flooded.")
    ] = 0.95,
    specificity: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Share of other pixels in polygons called dry.")
    ] = 0.95,
    out: Annotated[Path | None, typer.Option("--out", file_okay=False, help="RUN-v2 beside the run if none.")] = None,
    json_file: Json = None,
) -> None:
    """Write a new version of the run that the verdicts have corrected, with an audit; the run is not changed."""
    from catalogs.publish import write_json
    from pipeline.review.refit import Witness
    from workflows.review import review_apply

    told = review_apply(run, edited, reviewer, Witness(sensitivity, specificity), out)
    if json_file is not None:
        write_json(json_file, told)
    for line in lines_of(told):
        typer.echo(line)


def _covered(told: Mapping[str, Any]) -> str:
    return f"{told['frame_km2'] / told['observed_km2']:.0%}"


def lines_of(told: Mapping[str, Any]) -> list[str]:
    """An applied review in a few lines."""
    lines = [f"note: {text}" for text in told["notes"]]
    judged = f"{told['usable']} verdicts, {len(told['unsure'])} unsure, {len(told['not_judged'])} not judged"
    lines.append(f"{judged}, {len(told['missing'])} missing")
    if told["version"] is None:
        return [*lines, "no verdict says anything: nothing was changed, no version was written"]
    scores = told["scores_left_out"]
    if scores is None:
        lines.append("too few verdicts to leave any out: no scores")
    else:
        for name, what in (("map", "of the whole map"), ("polygons", "of the polygons asked")):
            before, after = scores[name]["before"], scores[name]["after"]
            shown = ", ".join(
                f"{title} {_figure(before[key])} → {_figure(after[key])}"
                for key, title in (("flood_iou", "IoU"), ("overall_accuracy", "accuracy"), ("ece", "ECE"))
            )
            lines.append(f"on verdicts left out, {what}: {shown}")
    if not told["in_refit"]:
        lines.append("no verdict lies where the refit could learn of it: only the judged polygons were changed")
    elif not told["refitted"]:
        lines.append("the refit did not do better on verdicts left out: only the judged polygons were changed")
    if told["done_before"]:
        lines.append("this very file was applied before")
    version = _short(told["path"])
    return [*lines, version, f"see it: overbank report {version}, overbank export {version} --format qgis"]


def _short(path: str) -> str:
    """From where the user stands, if that is shorter."""
    return min(path, os.path.relpath(path), key=len)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
