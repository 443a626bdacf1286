"""The verb that compares."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from workflows.options import JoinsShown, Json, RulesShown, named


def add_commands(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(compare)


class Stratum(StrEnum):
    """Parts of a run: `pipeline.comparison.strata.STRATA`."""

    landcover = "landcover"
    slope = "slope"
    cloud = "cloud"
    angle = "angle"
    sensor = "sensor"


def _strata(text: str) -> list[str]:
    """Names between commas; an unknown one is named."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    strange = [name for name in names if name not in set(Stratum)]
    if strange:
        raise typer.BadParameter(f"{', '.join(strange)} is not one of {', '.join(Stratum)}", param_hint="'--by'")
    return names


def _intervals(runs: list[Path], asked: list[str] | None) -> list[str]:
    """Methods whose area gets an interval; where none was asked for, the delivered one, if it can be told."""
    if asked:
        return [name for name in asked if name != "none"]
    from pipeline.run_folder import PREPARED

    bare = [run for run in runs if not (run / PREPARED).is_file()]
    for run in bare:
        typer.echo(
            f"{run}: holds no {PREPARED}, on which an interval of the area rests; areas are told without", err=True
        )
    return [] if bare else ["delivered"]


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="The --out folder of `overbank map`; several make one table.")
    ],
    reference: Annotated[
        Path | None,
        typer.Option(help="Raster (0 dry, 1 flood, 2 flooded plants, 3 water), or polygons of flood; any CRS."),
    ] = None,
    reference_extent: Annotated[
        Path | None, typer.Option(help="Polygons of what the makers of the reference looked at.")
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="NAME,…", help="Scores by landcover, slope, cloud, angle, sensor: some, with commas.")
    ] = "",
    landcover: Annotated[Path | None, typer.Option(help="Land cover in place of the run's own.")] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="MAP MAP", help="Whose disagreement is drawn; by default NDWI and the delivered map."),
    ] = None,
    least_area: Annotated[float, typer.Option(min=0.0, help="Smallest polygon of disagreement, km².")] = 0.01,
    interval: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MAP",
            help="Whose area gets a 95 % interval; the delivered map's if none is given, 'none' for none.",
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(help="Points of known class, drawn at random within the classes of the delivered map."),
    ] = None,
    json_file: Json = None,
    join: JoinsShown = None,
    rule: RulesShown = None,
) -> None:
    """Compare the methods of a run with each other and with a reference; several runs in one table.

    Writes RUN/compare.json and RUN/disagreement.gpkg.
    """
    from workflows.compare import compare as compare_one
    from workflows.compare import compare_runs
    from workflows.compare_tables import show_compared, show_runs
    from workflows.tables import console

    if reference_extent is not None and reference is None:
        raise typer.BadParameter(
            "--reference-extent is of a --reference; give that too", param_hint="'--reference-extent'"
        )
    options: dict[str, Any] = {
        "reference": reference,
        "join": named(join),
        "rule": named(rule),
        "extent": reference_extent,
        "by": _strata(by),
        "land_cover": landcover,
        "between": between,
        "least_km2": least_area,
        "intervals": _intervals(runs, interval),
        "samples": samples,
    }
    if len(runs) == 1:
        show_compared(compare_one(runs[0], json_file=json_file, **options), console())
    else:
        show_runs(compare_runs(runs, json_file, **options), console())
