"""Verbs that show a run: its report, and a map of it in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The --out folder of `overbank map`.")]


def add_commands(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("report")(report)
    app.command("view")(view)


def report(
    run: Run,
    reference: Annotated[Path | None, typer.Option(help="Raster: 0 dry, 1 flood, 2 flooded plants, 3 water.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", dir_okay=False, help="RUN/report.html if none is given.")
    ] = None,
) -> None:
    """Write a run as one HTML page that needs nothing beside it: maps, tables, what was not observable and why."""
    from workflows.report import report as report_run

    typer.echo(str(report_run(run, reference, out)))


def view(
    run: Run,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of 127.0.0.1; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it, or only say the address.")] = True,
) -> None:
    """Show a run as a map in the browser of this machine: layers, swipe, and the values of a pixel."""
    from workflows.view import view as view_run

    view_run(run, port, browser, typer.echo)
