"""`overbank plan`: what a job will read and write, and every mistake in it, before any pixel is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogs.doctor.findings import Finding
from catalogs.errors import SearchError
from catalogs.records import Acquisition, Sensor
from pipeline.errors import JobError, NoSceneError
from pipeline.job import Job, load_job, with_choice
from pipeline.job_methods import AS_THE_JOB_SAYS, Choice
from pipeline.networks import networks_of
from pipeline.plan import Plan, Unit, area_km2, make_plan
from pipeline.science import load_science
from pipeline.yaml_lines import read_yaml


@dataclass(frozen=True, eq=False)
class SeriesPlan:
    """The plans of a job with several flood windows."""

    job: Job
    windows: Mapping[str, Plan]
    """By name, in the order of time."""
    missing: Mapping[str, str]
    """By name of a window without a scene: what was looked for."""


def plan(job_file: Path, choice: Choice = AS_THE_JOB_SAYS) -> Plan | SeriesPlan:
    """The plan of a job file, or the plans of its flood windows; nothing but headers, catalog and contracts is read.

    `choice`: what the command line says of networks in place of the job.
    JobError names the line and the remedy of a mistake: in the job itself, in a file that it names, or an area and
    dates for which there is no scene.
    """
    job = with_choice(load_job(job_file), choice)
    return plan_windows(job, job_file) if job.by_window else plan_of(job, job_file)


def plan_job(job_file: Path, choice: Choice = AS_THE_JOB_SAYS) -> Plan:
    """The plan of a job file of one flood window; see `plan`."""
    planned = plan(job_file, choice)
    if isinstance(planned, SeriesPlan):
        line = read_yaml(job_file)[1][("during",)]
        names = ", ".join(planned.job.by_window)
        raise JobError(f"{job_file} line {line}: during: has several windows ({names}); expected one here")
    return planned


def plan_of(job: Job, job_file: Path) -> Plan:
    """The plan of a job of one flood window, its mistakes told by the lines of the file."""
    try:
        load_science(job.science)
        networks_of(job)
        return make_plan(job)
    except (JobError, SearchError) as problem:
        raise _located(job_file, problem) from problem


def plan_windows(job: Job, job_file: Path) -> SeriesPlan:
    """A plan for each flood window; JobError if none has a scene, or two would map the same instant."""
    plans: dict[str, Plan] = {}
    missing: dict[str, str] = {}
    for name, one in job.by_window.items():
        try:
            plans[name] = plan_of(one, job_file)
        except NoSceneError as problem:
            missing[name] = str(problem.__cause__)
    if not plans:
        raise _located(job_file, NoSceneError(next(iter(missing.values()))))
    instants: dict[object, str] = {}
    for name, planned in plans.items():
        other = instants.setdefault(planned.at, name)
        if other != name:
            told = f"windows {other} and {name} both map {planned.at:%Y-%m-%d %H:%M} UTC, their latest pass"
            raise _located(job_file, JobError(f"during: {told}; give each a pass of its own"))
    return SeriesPlan(job, plans, missing)


def _located(job_file: Path, problem: Exception) -> JobError:
    """The same mistake with the line of the job that it comes from."""
    kind = NoSceneError if isinstance(problem, NoSceneError) else JobError
    told = str(problem)
    field = "during" if told.startswith("no scene found") else told.replace(" ", ":").split(":", maxsplit=1)[0]
    field = "catalog" if isinstance(problem, SearchError) and field != "area" else field
    line = read_yaml(job_file)[1].get((field,))
    return kind(f"{job_file} line {line}: {told}" if line else f"{job_file}: {told}")


def plan_record(plan: Plan | SeriesPlan) -> dict[str, Any]:
    """A plan as JSON values: what `overbank plan --json` writes; of several windows one below each name."""
    if isinstance(plan, SeriesPlan):
        windows = {name: plan_record(one) for name, one in plan.windows.items()}
        return {"job": plan.job.name, "windows": windows, "missing": dict(plan.missing)}
    return {
        "job": plan.job.name,
        "mapped_instant": plan.at.isoformat(),
        "methods": list(plan.job.maps),
        "delivered": plan.job.delivered,
        "area_km2": round(area_km2(plan), 3),
        "bytes": plan.bytes,
        "missing": plan.missing,
        "problems": list(plan.problems),
        "notes": list(plan.notes),
        "reference_water": [tile.id for tile in plan.ground.water],
        "elevation": [tile.id for tile in plan.ground.elevation],
        "drainage": [tile.id for tile in plan.ground.drainage],
        "land_cover": [tile.id for tile in plan.ground.land_cover],
        "findings": [finding_record(finding) for finding in plan.findings],
        "scenes": [_scene_record(scene, window) for window, scene in windowed(plan)],
        "units": [_unit_record(unit) for unit in plan.units],
    }


def finding_record(finding: Finding) -> dict[str, Any]:
    """A finding as JSON values, with its severity and what the pipeline does about it."""
    told = finding.model_dump(mode="json", exclude_none=True)
    return told | {"severity": finding.severity, "action": finding.kind.action}


def windowed(plan: Plan) -> list[tuple[str, Acquisition]]:
    """All scenes of a plan with their window, in the order of time."""
    pairs = [("before", scene) for scene in plan.before] + [("during", scene) for scene in plan.during]
    return sorted(pairs, key=lambda pair: (pair[0], pair[1].time))


def unit_bytes(unit: Unit) -> int | None:
    """Size of the scenes that a unit touches, each whole: what it reads is less. None where a catalog does not say."""
    sizes = [scene.bytes for scene in unit.scenes]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def by_sensor(scenes: Iterable[Acquisition]) -> dict[Sensor, list[str]]:
    """Ids of scenes by sensor."""
    found: dict[Sensor, list[str]] = {}
    for scene in scenes:
        found.setdefault(scene.sensor, []).append(scene.id)
    return found


def _scene_record(scene: Acquisition, window: str) -> dict[str, Any]:
    return {
        "id": scene.id,
        "slices": list(scene.slices),
        "window": window,
        "sensor": scene.sensor,
        "platform": scene.platform,
        "time": scene.time.isoformat(),
        "bytes": scene.bytes,
    }


def _unit_record(unit: Unit) -> dict[str, Any]:
    return {
        "id": unit.id,
        "shape": list(unit.box.shape.yx),
        "crs": str(unit.box.crs),
        "bounds": list(unit.box.boundingbox.bbox),
        "before": by_sensor(unit.before),
        "during": by_sensor(unit.during),
        "bytes": unit_bytes(unit),
    }
