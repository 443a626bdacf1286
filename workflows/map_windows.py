"""A job with several flood windows: a run for each, and what they say together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from pipeline.errors import RunError
from pipeline.job_windows import SERIES
from pipeline.ledger import UNITS, alone_in
from pipeline.plan import Plan
from pipeline.series import write_series
from workflows.mapped import MapSummary
from workflows.plan import SeriesPlan

Say = Callable[[str], None]
MapOne = Callable[[Plan, Path, Say], MapSummary]


def map_windows(planned: SeriesPlan, out: Path, map_one: MapOne, say: Say) -> MapSummary:
    """A run below `out` for each flood window, one after the other, then `out`/series.

    `map_one` maps a plan into a folder. A window that was mapped before is not mapped again. RunError if `out` holds
    the run of a single window.
    """
    require_no_run(out)
    runs: dict[str, MapSummary] = {}
    with alone_in(out):
        for name, plan in planned.windows.items():
            runs[name] = map_one(plan, out / name, named(name, say))
        start = perf_counter()
        write_series({name: one.run for name, one in runs.items()}, out / SERIES, planned.job.name, planned.missing)
        say(f"{SERIES}: {len(runs)} dates")
    return together(out, runs, perf_counter() - start)


def named(name: str, say: Say) -> Say:
    """Progress that says of which window it is."""
    return lambda text: say(f"{name}: {text}")


def together(out: Path, runs: dict[str, MapSummary], series_seconds: float) -> MapSummary:
    """What several runs did, counted together."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for one in runs.values():
        for stage, value in one.seconds.items():
            seconds[stage] += value
    seconds["series"] = series_seconds
    units, skipped = sum(one.units for one in runs.values()), sum(one.skipped for one in runs.values())
    return MapSummary(out, units, skipped, dict(seconds), runs)


def require_no_run(out: Path) -> None:
    """RunError where a folder for several windows holds the run of a single one."""
    if (out / UNITS).is_dir():
        raise RunError(f"{out}: holds the run of one flood window; give another --out for several")
