"""The command line: one command a verb. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import warnings
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from workflows import cli_compare, cli_datasets, cli_export, cli_look, cli_review, cli_watch, cli_zones
from workflows.options import (
    Device,
    JobFile,
    Joins,
    Json,
    On,
    Out,
    Rules,
    Seed,
    Size,
    Weights,
    choice_of,
)
from workflows.progress import progress
from workflows.train_command import train
from workflows.verbs import FAULTS, Verbs


class Sentinel1(StrEnum):
    """How simulated Sentinel-1 scenes are delivered."""

    rtc = "rtc"
    safe = "safe"
    safe_2017 = "safe-2017"


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Flood maps from radar and optics.",
)
catalog_app = typer.Typer(no_args_is_help=True, help="Scenes on this disk as a STAC catalog.")
app.add_typer(catalog_app, name="catalog")
for verbs in (cli_compare, cli_datasets, cli_export, cli_look, cli_review, cli_watch, cli_zones):
    verbs.add_commands(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"overbank {version('overbank')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Flood maps from C-band radar, L-band radar and optics, fused as evidence."""


@app.command()
def plan(job: JobFile, json_file: Json = None, join: Joins = None, rule: Rules = None, weights: Weights = None) -> None:
    """Show the units, scenes and sizes of a job, and what is missing; runs nothing."""
    from catalogs.publish import write_json
    from workflows.plan import plan as plan_scenes
    from workflows.plan import plan_record
    from workflows.tables import console, show_plan

    planned = plan_scenes(job, choice_of(join, rule, weights))
    show_plan(planned, console())
    if json_file is not None:
        write_json(json_file, plan_record(planned))


@app.command("map")
def map_(
    job: JobFile,
    out: Out,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, tcp://HOST:PORT.")] = None,
    device: On = Device.auto,
    join: Joins = None,
    rule: Rules = None,
    weights: Weights = None,
) -> None:
    """Map a job into a run folder; what is done already is not done again."""
    from pipeline.job_windows import SERIES
    from pipeline.series import read_series
    from workflows.account import account_of
    from workflows.compare import compare
    from workflows.map import map_flood
    from workflows.summary import peak_rss_mb, show_run
    from workflows.tables import console, show_comparison, show_series, units_text

    with progress() as say:
        choice = choice_of(join, rule, weights)
        mapped = map_flood(job, out, choice=choice, scheduler=scheduler, device=device.value, say=say)
        series = read_series(out / SERIES) if mapped.windows else None
        areas = None if series else compare(out)
    if series:
        show_series(series, console())
        typer.echo(f"{out}: {len(mapped.windows)} windows, {units_text(mapped.units)}, {mapped.skipped} done before")
        return
    assert areas is not None
    show_comparison(areas, console())
    show_run(account_of(out), mapped.seconds, peak_rss_mb(), console())
    typer.echo(f"{out}: {units_text(mapped.units)}, {mapped.skipped} done before")


@app.command()
def simulate(
    out: Out,
    size: Size,
    seed: Seed,
    flood: Annotated[bool, typer.Option("--flood/--no-flood", help="A flood, or a quiet window.")] = True,
    sentinel1: Annotated[
        Sentinel1, typer.Option("--sentinel-1", help="Terrain-corrected, or SAFE products: new, or with border noise.")
    ] = Sentinel1.rtc,
) -> None:
    """Simulate scenes of three sensors before and during a flood, and its truth, as a catalog."""
    from workflows.simulate import simulate as run_simulation

    catalog = run_simulation(out, size, seed, flood, sentinel1.value)
    typer.echo(f"{catalog}\ntry: overbank map {out / 'job.yaml'} --out RUN")


@app.command()
def demo(
    out: Out,
    size: Size = 1024,
    seed: Seed = 1,
    device: On = Device.auto,
    join: Joins = None,
    rule: Rules = None,
    weights: Weights = None,
) -> None:
    """Simulate a flood, map it and hold the maps against the truth."""
    from workflows.account import account_of
    from workflows.demo import demo as run_demo
    from workflows.summary import show_run
    from workflows.tables import console, show_comparison

    with progress() as say:
        choice = choice_of(join, rule, weights)
        summary = run_demo(out, size, seed, choice=choice, device=device.value, say=say)
    show_comparison(summary, console())
    show_run(account_of(out / "run"), summary["seconds"], summary["peak_rss_mb"], console())
    typer.echo(f"{out / 'summary.json'}\n{out / 'report.html'}\ntry: overbank view {out / 'run'}")


app.command()(train)


@app.command()
def stress(
    out: Out,
    weights: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", file_okay=False, help="Checkpoint; the shipped early network if none is given."),
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[DIR]...", help="More checkpoints.")] = None,
    scenes: Annotated[int, typer.Option(min=1, help="Simulated floods.")] = 5,
    size: Annotated[int, typer.Option(min=64, max=512, help="Pixels a side of each.")] = 256,
    rule: Annotated[list[str] | None, typer.Option(help="Of late fusion; all of them if none is given.")] = None,
    device: On = Device.auto,
) -> None:
    """Make simulated floods worse step by step: how each method degrades, and where a rule overtakes a network."""
    from models.contract import shipped
    from workflows.stress import stress as run_stress

    folders = [*(weights or []), *(more or [])] or [shipped("early")]
    with progress() as say:
        run_stress(folders, out, scenes=scenes, size=size, rules=rule or (), device=device.value, say=say)
    typer.echo(f"{out / 'stress.md'}\n{out / 'stress.png'}")


@catalog_app.command("ingest")
def ingest(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Products on this disk.")],
    out: Annotated[Path, typer.Option("--out", metavar="CATALOG", file_okay=False, help="Catalog to make or extend.")],
    description: Annotated[Path | None, typer.Option(help="An overbank.yaml that lies elsewhere.")] = None,
) -> None:
    """Describe products on this disk as items of a catalog: radar, optics, elevation, surface water, GeoTIFFs."""
    from catalogs.products import ingest as ingest_folder

    found = ingest_folder(folder, out, description)
    for name in found.items:
        typer.echo(f"ingested {name}")
    for reason in found.skipped:
        typer.echo(f"left out: {reason}", err=True)
    typer.echo(str(found.catalog))


@catalog_app.command("check")
def check(
    target: Annotated[
        str, typer.Argument(metavar="ITEM|CATALOG|JOB", help="An item's JSON, a catalog, or a job's YAML.")
    ],
    deep: Annotated[bool, typer.Option("--deep/--no-deep", help="Open the files, or look at items alone.")] = True,
    json_file: Json = None,
) -> None:
    """Hold items against their files: what is wrong, how bad, and what the pipeline does about it.

    Exit code 1 where there is a fault or something unusable.
    """
    from catalogs.doctor.findings import worst
    from catalogs.errors import without_secrets
    from catalogs.publish import write_json
    from workflows.check import check as check_all
    from workflows.check import findings_record
    from workflows.tables import console, show_findings

    with progress() as say:
        found = check_all(target, deep, say)
    show_findings(found, console())
    typer.echo(
        f"{without_secrets(target)}: "
        + ("nothing found" if not found else "1 finding" if len(found) == 1 else f"{len(found)} findings")
    )
    if json_file is not None:
        write_json(json_file, findings_record(target, deep, found))
    if worst(found) in ("fault", "unusable"):
        raise typer.Exit(FAULTS)


def main() -> None:
    """Entry point of the `overbank` command."""
    # rasterio warps arrays that carry no transform of their own, and hushes its warning only within one thread.
    warnings.filterwarnings("ignore", "Dataset has no geotransform")
    app()


if __name__ == "__main__":
    main()
