"""The verb `watch`: its flags, and how it is stopped."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from types import FrameType
from typing import Annotated

import typer

from workflows.options import Device, JobFile, Joins, On, Out, Rules, Weights, choice_of

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SHORTEST = 10.0
"""Seconds: a courtesy to catalogs."""


def add_commands(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(watch)


def watch(
    job: JobFile,
    out: Out,
    every: Annotated[str, typer.Option(help="How often to ask: 90s, 15m, 1h, 1d.")] = "1h",
    once: Annotated[bool, typer.Option("--once", help="Ask once and leave.")] = False,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Last day (UTC), such as 2024-02-20.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, tcp://HOST:PORT.")] = None,
    device: On = Device.auto,
    join: Joins = None,
    rule: Rules = None,
    weights: Weights = None,
) -> None:
    """Ask the catalogs again and again and map each new pass; stop it whenever, the same command goes on."""
    from workflows.progress import progress
    from workflows.watch import watch as run_watch

    seconds, end = interval(every), None if until is None else end_of_day(until)
    with progress() as say, stoppable():
        passes = run_watch(
            job,
            out,
            every=seconds,
            once=once,
            until=end,
            choice=choice_of(join, rule, weights),
            scheduler=scheduler,
            device=device.value,
            say=say,
        )
    for one in passes:
        typer.echo(f"{out / one.name}")
    typer.echo(f"{out}: {len(passes)} passes")


def interval(text: str) -> float:
    """Seconds of "90s", "15m", "1h" or "1d"; BadParameter where it is none, or shorter than a courtesy."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip())
    seconds = float(found[1]) * SECONDS[found[2]] if found else 0.0
    if seconds < SHORTEST:
        raise typer.BadParameter(
            f"found {text!r}; expected {SHORTEST:.0f}s or longer, such as 15m or 1h", param_hint="--every"
        )
    return seconds


def end_of_day(text: str) -> datetime:
    """The last instant of a day (UTC); BadParameter where there is no such day."""
    try:
        return datetime.combine(date.fromisoformat(text), time.max, UTC)
    except ValueError:
        raise typer.BadParameter(f"found {text!r}; expected a day such as 2024-02-20", param_hint="--until") from None


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM, by which services are stopped, ends the block as Ctrl-C does: drafts are cleared, the lock is let go."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
