"""What is done: fingerprints of units, and folders that appear by one rename or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.job import Job
from pipeline.observe import Prepared
from pipeline.plan import Unit
from pipeline.science import Science

UNITS = "units"
_PARTIAL = ".partial-"


def fingerprint(unit: Unit, job: Job, science: Science, prepared: Prepared, weights: str) -> str:
    """SHA-256 over everything that can change the unit's pixels: job, science, scenes, findings, weights, version."""
    told = job.model_dump(mode="json", exclude={"name", "catalog", "weights", "area", "reference_water", "science"})
    content = {
        "job": told,
        "science": science.model_dump(mode="json"),
        "prepared": prepared.model_dump(mode="json"),
        "scenes": [scene.model_dump(mode="json") for scene in unit.scenes],
        "grid": [str(unit.box.crs), list(unit.box.affine)[:6], list(unit.box.shape.yx)],
        "area": _content(job.area) if isinstance(job.area, Path) else list(job.area),
        "reference_water": None if job.reference_water is None else _content(job.reference_water),
        "weights": weights,
        "version": version("overbank"),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unit_folder(run: Path, unit: Unit) -> Path:
    """Where a unit's layers lie."""
    return run / UNITS / unit.id


def is_done(run: Path, unit: Unit, print_: str) -> bool:
    """Whether the unit's folder is there, whole, and of this very content."""
    item = read_item(unit_folder(run, unit))
    return item is not None and item["properties"].get("overbank:fingerprint") == print_


def read_item(folder: Path) -> dict[str, Any] | None:
    """The STAC item of a unit's folder; None where there is none. It is written last, so it speaks for the rest."""
    path = folder / f"{folder.name}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return found


def clear_leftovers(run: Path) -> int:
    """Remove what an interrupted run left half-written; how many."""
    leftovers = list((run / UNITS).glob(f"{_PARTIAL}*")) if (run / UNITS).is_dir() else []
    for folder in leftovers:
        shutil.rmtree(folder, ignore_errors=True)
    return len(leftovers)


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A folder to write into that becomes `target` by one rename when the block ends well, and vanishes otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target.parent))
    try:
        yield draft
        os.chmod(draft, 0o755)
        if target.exists():  # of another fingerprint: out of the way first, a rename does not replace a full folder
            retired = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target.parent))
            os.rename(target, retired / target.name)
            os.rename(draft, target)
            shutil.rmtree(retired)
        else:
            os.rename(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
