"""`overbank compare`: the methods of a run against each other and against a reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from catalogs.publish import write_json
from pipeline.compare import compare_run


def compare(
    run: Path,
    reference: Path | None = None,
    json_file: Path | None = None,
    join: Sequence[str] = (),
    rule: Sequence[str] = (),
) -> dict[str, Any]:
    """Area and agreement, with a reference also IoU, F1, precision and recall; written to `json_file` if given.

    The JSON has the names of a demo's summary.json: `methods.<name>.{flood_iou, f1, precision, recall, area_km2,
    true_area_km2}`. `join`, `rule`: of a run's maps by intermediate and late fusion these alone.
    RunError or ReferenceFileError says what is wrong with the folder or the file.
    """
    found = compare_run(run, reference, {"intermediate": join, "late": rule})
    if json_file is not None:
        write_json(json_file, found)
    return found
