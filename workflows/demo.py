"""`overbank demo`: simulate a flood, map it, hold the maps against the truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from catalogs.publish import write_json
from pipeline.errors import RunError
from pipeline.job import load_job
from pipeline.job_methods import AS_THE_JOB_SAYS, Choice
from pipeline.ledger import appearing
from pipeline.networks import networks_of
from workflows.compare import compare
from workflows.map import map_flood
from workflows.report import REPORT, write_report
from workflows.simulate import TRUTH, job_text, simulate
from workflows.summary import peak_rss_mb

Say = Callable[[str], None]
MADE_OF = "simulated.json"
"""Size and seed of a finished catalog, in its folder."""


@dataclass
class Stopwatch:
    """Seconds of the steps of a demo."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timing(self, step: str) -> Iterator[None]:
        """Time a block under a name."""
        start = perf_counter()
        yield
        self.seconds[step] = perf_counter() - start


def demo(
    out: Path,
    size: int,
    seed: int,
    *,
    methods: Sequence[str] | None = None,
    choice: Choice = AS_THE_JOB_SAYS,
    device: str = "auto",
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Write `catalog/ run/ summary.json report.html` into `out`; the summary.

    `methods`: by default those of every job. `choice`: which networks beside or in place of theirs.
    A demo that was interrupted goes on where it was. RunError if `out` holds one of another size or seed.
    """
    watch = Stopwatch()
    with watch.timing("total"):
        _require_same(out / "catalog", {"size": size, "seed": seed})
        job = _job(out, seed, methods, choice)
        with watch.timing("simulate"):
            _catalog(out, size, seed, say)
        mapped = map_flood(job, out / "run", device=device, say=say)
        truth = out / "catalog" / TRUTH
        with watch.timing("compare"):
            compared = compare(mapped.run, truth)
        say("compare: done")
        watch.seconds = {"simulate": watch.seconds["simulate"], **mapped.seconds, "compare": watch.seconds["compare"]}
        summary = _summary(compared, size, seed, watch.seconds, mapped.skipped)
        with watch.timing("report"):
            write_report(out / REPORT, summary, mapped.run, truth)
    summary["seconds"] = rounded(watch.seconds)
    write_json(out / "summary.json", summary)
    return summary


def _job(out: Path, seed: int, methods: Sequence[str] | None, choice: Choice) -> Path:
    """The demo's job file; JobError before anything is simulated if weights are not there."""
    job = out / "job.yaml"
    out.mkdir(parents=True, exist_ok=True)
    text = job_text(seed, folder="catalog/", methods=methods, elevation=True, choice=choice)
    job.write_text(text, encoding="utf-8")
    networks_of(load_job(job))
    return job


def _summary(compared: dict[str, Any], size: int, seed: int, seconds: dict[str, float], skipped: int) -> dict[str, Any]:
    return compared | {
        "seconds": rounded(seconds),
        "peak_rss_mb": round(peak_rss_mb(), 1),
        "size": size,
        "seed": seed,
        "units_done_before": skipped,
        "version": version("overbank"),
    }


def rounded(seconds: dict[str, float]) -> dict[str, float]:
    """Seconds as a person reads them."""
    return {stage: round(value, 3) for stage, value in seconds.items()}


def _catalog(out: Path, size: int, seed: int, say: Say) -> None:
    """The simulated catalog; one that is there already is kept, so that its scenes stay the same files."""
    folder = out / "catalog"
    if folder.exists():
        say("simulate: found, of the same size and seed")
        return
    say(f"simulate: size {size}, seed {seed}")
    with appearing(folder) as draft:
        simulate(draft, size, seed)
        write_json(draft / MADE_OF, {"size": size, "seed": seed})


def _require_same(folder: Path, wanted: dict[str, int]) -> None:
    """RunError where a catalog is there that is not a demo's of this size and seed."""
    if not folder.exists():
        return
    try:
        found = json.loads((folder / MADE_OF).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != wanted:
        told = f"a demo of size {found.get('size')} and seed {found.get('seed')}" if found else "no demo's catalog"
        raise RunError(
            f"{folder}: holds {told}, not one of size {wanted['size']} and seed {wanted['seed']}; "
            "give another --out, or remove that folder"
        )
