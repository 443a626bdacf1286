"""Where a map comes from: version, science, seeds, weights, and what the prepare stage found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.job import Job
from pipeline.job_windows import windows_of
from pipeline.networks import networks_of
from workflows.account import Account
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
    yield "methods", ", ".join(job.maps)
    for told, window in windows_of(job.during):
        yield told.replace("during", "flood window"), " to ".join(str(day) for day in window)
    if job.before is not None:
        yield "before", " to ".join(str(day) for day in job.before)
    yield "pixel", f"{job.resolution:g} m"
    for network in networks_of(job):
        for contract in network.contracts:
            who = network.map if network.rule is None else f"{network.map}, expert {contract.name}"
            yield who, f"{contract.name} version {contract.version}, sha256 {contract.sha256}"
            yield f"{who}, trained on", contract.training.data
            yield f"{who}, seeds", ", ".join(str(seed) for seed in contract.training.seeds) or "–"


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
