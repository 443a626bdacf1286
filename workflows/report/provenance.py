"""Where a map comes from: version, science, seeds, weights, and what the prepare stage found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.job import Job
from workflows.account import Account
from workflows.plan import network_of
from workflows.report.markup import table


def provenance(account: Account, summary: Mapping[str, Any], run: Path) -> str:
    """What is needed to make the same map again."""
    rows: list[tuple[object, object]] = [("overbank", account.software), ("science", account.science)]
    rows += [("grid", ", ".join(account.zones))]
    rows += [(name, summary[name]) for name in ("size", "seed") if name in summary]
    rows += _job_rows(run)
    return table("Made with", ("what", "which"), rows) + _findings(run)


def _job_rows(run: Path) -> Iterable[tuple[object, object]]:
    told = _read(run / "run.json").get("job")
    if not told:
        return
    job = Job.model_validate(told)
    yield "sensors", ", ".join(job.sensors)
    yield "methods", ", ".join(job.methods)
    yield "flood window", " to ".join(str(day) for day in job.during)
    if job.before is not None:
        yield "before", " to ".join(str(day) for day in job.before)
    yield "pixel", f"{job.resolution:g} m"
    folder = network_of(job)
    if folder is not None:
        contract = _read(folder / "contract.json")
        training = contract.get("training", {})
        yield "network", f"{contract.get('name')} version {contract.get('version')}, sha256 {contract.get('sha256')}"
        yield "trained on", training.get("data", "–")
        yield "training seeds", ", ".join(str(seed) for seed in training.get("seeds", ())) or "–"


def _findings(run: Path) -> str:
    """What the prepare stage measured on the scenes."""
    found = _read(run / "prepared.json").get("prepared", {})
    if not found:
        return ""
    rows = [
        (scene, f"{looks:.1f}", *_noise(found, scene), _threshold(found, scene))
        for scene, looks in found["looks"].items()
    ]
    head = ("radar scene", "looks", "noise floor, dB", "water threshold")
    prior = f"prior of open water {found['water']:.3f}, of flooded vegetation {found['vegetation']:.3f}"
    return table(f"Measured before mapping; {prior}", head, rows)


def _noise(found: Mapping[str, Any], scene: str) -> tuple[str]:
    levels = found["noise_db"].get(scene, {})
    return (", ".join(f"{name} {level:.1f}" for name, level in levels.items()) or "–",)


def _threshold(found: Mapping[str, Any], scene: str) -> str:
    if scene not in found["thresholds"]:
        return "–"
    value, note = found["thresholds"][scene], found["threshold_notes"].get(scene, "")
    return f"none: {note}" if value is None else f"{value:.2f} dB: {note}"


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
