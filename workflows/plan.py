"""`overbank plan`: what a job will read and write, and every mistake in it, before any pixel is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from catalogs.doctor.findings import Finding
from catalogs.errors import SearchError
from catalogs.records import Acquisition, Sensor
from pipeline.errors import JobError
from pipeline.job import load_job, with_choice
from pipeline.job_methods import AS_THE_JOB_SAYS, Choice
from pipeline.networks import networks_of
from pipeline.plan import Plan, Unit, area_km2, make_plan
from pipeline.science import load_science
from pipeline.yaml_lines import read_yaml


def plan_job(job_file: Path, choice: Choice = AS_THE_JOB_SAYS) -> Plan:
    """The plan of a job file; nothing but headers, catalog and contracts is read.

    `choice`: what the command line says of networks in place of the job.
    JobError names the line and the remedy of a mistake: in the job itself, in a file that it names, or an area and
    dates for which there is no scene.
    """
    job = with_choice(load_job(job_file), choice)
    try:
        load_science(job.science)
        networks_of(job)
        return make_plan(job)
    except (JobError, SearchError) as problem:
        raise _located(job_file, problem) from problem


def _located(job_file: Path, problem: Exception) -> JobError:
    """The same mistake with the line of the job that it comes from."""
    told = str(problem)
    field = "during" if told.startswith("no scene found") else told.replace(" ", ":").split(":", maxsplit=1)[0]
    field = "catalog" if isinstance(problem, SearchError) and field != "area" else field
    line = read_yaml(job_file)[1].get((field,))
    return JobError(f"{job_file} line {line}: {told}" if line else f"{job_file}: {told}")


def plan_record(plan: Plan) -> dict[str, Any]:
    """A plan as JSON values: what `overbank plan --json` writes."""
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
