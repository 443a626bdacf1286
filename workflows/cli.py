"""The command line: one command a verb. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

FAULTS, MISTAKE, INTERRUPTED = 1, 2, 130
DISK_TROUBLE = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.EDQUOT,
)


class Verbs(TyperGroup):
    """Commands whose users never see a traceback for a mistake of their own; a bug keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; a known error becomes one message and exit code 2."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted; run the same command again to go on", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except Exception as problem:
            if not _is_mistake(problem):
                raise
            typer.echo(f"error: {problem}", err=True)
            raise typer.Exit(MISTAKE) from None


def _is_mistake(problem: Exception) -> bool:
    """Whether the message is meant for the user: what they gave, or where they let us write."""
    from catalogs.errors import CatalogError
    from models.contract import ContractMismatch
    from pipeline.errors import PipelineError

    known = isinstance(problem, CatalogError | PipelineError | ContractMismatch)
    return known or (isinstance(problem, OSError) and problem.errno in DISK_TROUBLE)


class Device(StrEnum):
    """Where networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Dataset(StrEnum):
    """What a network can learn from."""

    simulated = "simulated"


class Strategy(StrEnum):
    """The networks there are."""

    early = "early"


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

JobFile = Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The job: where, when, which sensors and methods.")]
Out = Annotated[Path, typer.Option("--out", file_okay=False, help="Folder to write into; made if it is not there.")]
Json = Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the same as JSON.")]
Size = Annotated[int, typer.Option(min=32, help="Side of the simulated area in pixels of 10 m.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same scenes.")]
On = Annotated[Device, typer.Option(help="Where networks run.")]


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


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Lines of progress on standard error, each with the seconds since the start; on a terminal with a spinner."""
    err = Console(stderr=True, highlight=False)
    start = perf_counter()

    def line(text: str) -> None:
        err.print(f"{perf_counter() - start:7.1f} s  {text}", markup=False, soft_wrap=True)

    if not err.is_terminal:
        yield line
        return
    with err.status("starting") as status:

        def told(text: str) -> None:
            line(text)
            status.update(text.split(":", maxsplit=1)[0])

        yield told


@app.command()
def plan(job: JobFile, json_file: Json = None) -> None:
    """Show the units, scenes and sizes of a job, and what is missing; runs nothing."""
    from catalogs.publish import write_json
    from workflows.plan import plan_job, plan_record
    from workflows.tables import console, show_plan

    planned = plan_job(job)
    show_plan(planned, console())
    if json_file is not None:
        write_json(json_file, plan_record(planned))


@app.command("map")
def map_(
    job: JobFile,
    out: Out,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, tcp://HOST:PORT.")] = None,
    device: On = Device.auto,
) -> None:
    """Map a job into a run folder; what is done already is not done again."""
    from workflows.account import account_of
    from workflows.compare import compare
    from workflows.map import map_flood
    from workflows.summary import peak_rss_mb, show_run
    from workflows.tables import console, show_comparison

    with _progress() as say:
        mapped = map_flood(job, out, scheduler=scheduler, device=device.value, say=say)
        areas = compare(out)
    show_comparison(areas, console())
    show_run(account_of(out), mapped.seconds, peak_rss_mb(), console())
    typer.echo(f"{out}: {mapped.units} units, {mapped.skipped} of them done before")


@app.command()
def compare(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The --out folder of `overbank map`.")],
    reference: Annotated[Path | None, typer.Option(help="Raster: 0 dry, 1 flood, 2 flooded plants, 3 water.")] = None,
    json_file: Json = None,
) -> None:
    """Compare the methods of a run with each other and with a reference."""
    from workflows.compare import compare as compare_run
    from workflows.tables import console, show_comparison

    show_comparison(compare_run(run, reference, json_file), console())


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
def demo(out: Out, size: Size = 1024, seed: Seed = 1, device: On = Device.auto) -> None:
    """Simulate a flood, map it and hold the maps against the truth."""
    from workflows.account import account_of
    from workflows.demo import demo as run_demo
    from workflows.summary import show_run
    from workflows.tables import console, show_comparison

    with _progress() as say:
        summary = run_demo(out, size, seed, device=device.value, say=say)
    show_comparison(summary, console())
    show_run(account_of(out / "run"), summary["seconds"], summary["peak_rss_mb"], console())
    typer.echo(f"{out / 'summary.json'}\n{out / 'report.html'}")


@app.command()
def train(
    root: Annotated[
        Path, typer.Option(metavar="DIR", file_okay=False, help="Where scenes and chips are made and kept.")
    ],
    out: Annotated[Path, typer.Option(metavar="WEIGHTS", file_okay=False, help="Folder of the checkpoint.")],
    dataset: Annotated[Dataset, typer.Option(help="What to learn from.")] = Dataset.simulated,
    strategy: Annotated[Strategy, typer.Option(help="The network.")] = Strategy.early,
    events: Annotated[int, typer.Option(min=2, help="Simulated floods.")] = 28,
    size: Annotated[int, typer.Option(min=128, help="Pixels a side of each.")] = 512,
    epochs: Annotated[int, typer.Option(min=1)] = 24,
    device: On = Device.auto,
) -> None:
    """Train a network on simulated floods by the same flow that maps with it; made again, it takes the same chips."""
    from models.fit import Recipe
    from workflows.train import train as run_training

    recipe = Recipe(epochs=epochs, patience=8)
    found = run_training(root, out, events=events, size=size, recipe=recipe, device=device.value, say=typer.echo)
    for name, scores in found.scores.items():
        typer.echo(f"{name:16s} " + "  ".join(f"{who} {value:.4f}" for who, value in scores.items()))
    typer.echo(f"{found.folder} (best of epoch {found.best_epoch}; log {found.log})")


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
    with _progress() as say:
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
    from workflows.check import check_target, findings_record
    from workflows.tables import console, show_findings

    with _progress() as say:
        found = check_target(target, deep, say)
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
