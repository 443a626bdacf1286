"""The verb on administrative zones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SHOWN = 20
"""Zones on the screen; all are in the files."""


def add_commands(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("zones")(zones)


def zones(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The --out folder of `overbank map`.")],
    zones_file: Annotated[Path, typer.Option("--zones", metavar="FILE", help="Polygons of any format and CRS.")],
    exposure: Annotated[
        list[str] | None,
        typer.Option(
            "--exposure",
            metavar="[NAME=]FILE[:KIND]",
            help="What may be hit; again for more. KIND: count, share, percent, class=40, features.",
        ),
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="[EXPOSURE]...", help="More exposures.")] = None,
    method: Annotated[str | None, typer.Option(help="Whose map counts; the delivered one if not given.")] = None,
    name: Annotated[str | None, typer.Option(help="Column that names a zone; a usual one if not given.")] = None,
    out: Annotated[Path | None, typer.Option("--out", file_okay=False, help="Folder instead of the run's own.")] = None,
) -> None:
    """Flooded area, people, cropland, buildings by zone, each with a 95 % interval and what was not observed."""
    from workflows.tables import console
    from workflows.zones import zones as run_zones
    from workflows.zones_shown import show_zones

    found = run_zones(
        run,
        zones_file,
        [*(exposure or []), *(more or [])],
        method,
        out,
        name,
        lambda line: typer.echo(line, err=True),
    )
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    show_zones(found.table, console(), SHOWN)
    typer.echo(f"{found.csv}\n{found.gpkg}")
