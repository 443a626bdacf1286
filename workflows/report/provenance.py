"""Where a map comes from: version, science, seeds, weights, and what the prepare stage found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.errors import PipelineError
from pipeline.job import Job
from pipeline.job_windows import windows_of
from pipeline.networks import networks_of
from pipeline.run_folder import open_run
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
    try:
        job = Job.model_validate(told)
    except ValidationError:
        yield "job", "of another version of overbank: run.json in the run's folder tells it"
        return
    yield "sensors", ", ".join(job.sensors)
    yield "methods", ", ".join(job.maps)
    for told, window in windows_of(job.during):
        yield told.replace("during", "flood window"), " to ".join(str(day) for day in window)
    if job.before is not None:
        yield "before", " to ".join(str(day) for day in job.before)
    yield "pixel", f"{job.resolution:g} m"
    yield from _networks(run, job)


def _networks(run: Path, job: Job) -> Iterable[tuple[object, object]]:
    """The weights as the run was mapped with; what they learnt from where they still lie where the job says."""
    told = open_run(run).units[0].facts.get("overbank:networks", {})
    for name, fact in told.items():
        yield f"network of {name}", f"sha256 {fact['sha256']}"
    try:
        there = networks_of(job)
    except PipelineError as problem:
        yield "training of the networks", f"not known here: {problem}"
        return
    same = [one for one in there if one.facts()["sha256"] == told.get(one.map, {}).get("sha256")]
    contracts = {contract.sha256: contract for network in same for contract in network.contracts}
    for contract in contracts.values():
        learnt = f"{contract.training.data}; seeds {_spans(contract.training.seeds)}"
        yield f"network {contract.name}, version {contract.version}", f"trained on {learnt}; sha256 {contract.sha256}"


def _spans(seeds: Iterable[int]) -> str:
    """ "0, 1000 to 1027" of the seeds; a dash for none."""
    spans: list[list[int]] = []
    for seed in sorted(seeds):
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in spans) or "–"


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
