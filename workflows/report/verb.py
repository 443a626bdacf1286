"""`overbank report`: any run as one HTML page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.run_folder import RunFolder, open_run
from workflows.compare import COMPARED, compare
from workflows.report.page import REPORT, write_report


def report(run: Path, reference: Path | None = None, out: Path | None = None) -> Path:
    """Write a run as one HTML page that needs nothing beside it; the file, by default `RUN/report.html`.

    Its numbers are those of `RUN/compare.json` where that is of these very maps and no `reference` is given; else the
    run is compared anew. RunError or ReferenceFileError says what is wrong with the folder or the file.
    """
    folder = open_run(run)
    found = _compared(folder) if reference is None else None
    return write_report(out or run / REPORT, found or compare(run, reference), run, reference)


def _compared(run: RunFolder) -> dict[str, Any] | None:
    """What `overbank compare` left in the run; None where there is none, or it is older than a map."""
    path = run.path / COMPARED
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        newest = max((unit.path / f"{unit.path.name}.json").stat().st_mtime for unit in run.units)
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    fresh = path.stat().st_mtime >= newest
    return found if fresh and set(found.get("methods", ())) <= set(run.methods) else None
