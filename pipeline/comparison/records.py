"""The job of a finished run, its ground and its scenes, from what the run wrote of itself."""

from __future__ import annotations

import json

from pydantic import ValidationError

from catalogs.errors import CatalogError
from catalogs.records import Acquisition
from pipeline.area import job_area
from pipeline.errors import PipelineError, RunError
from pipeline.ground import Ground
from pipeline.ground_sources import resolve_ground
from pipeline.job import Job
from pipeline.plan import make_plan
from pipeline.run_folder import RunFolder


def job_of_run(run: RunFolder) -> Job:
    """The job that a run was mapped by; RunError where its `run.json` is gone or of another version."""
    path = run.path / "run.json"
    try:
        return Job.model_validate(json.loads(path.read_text(encoding="utf-8"))["job"])
    except FileNotFoundError:
        raise RunError(f"{path}: is not there, and nothing else tells the job of this run; map it again") from None
    except (ValueError, KeyError, ValidationError) as problem:
        raise RunError(f"{path}: tells no job of this version ({problem}); map the run again") from None


def ground_of_run(run: RunFolder) -> Ground:
    """The rasters of elevation and land cover that a run used; RunError where they are no longer there."""
    job = job_of_run(run)
    try:
        return resolve_ground(job.model_copy(update={"drainage": None, "reference_water": None}), job_area(job))[0]
    except (CatalogError, PipelineError) as problem:
        raise RunError(f"{run.path}: what it was mapped with is no longer to be found: {problem}") from None


def scenes_of_run(run: RunFolder) -> tuple[Acquisition, ...]:
    """The scenes of the flood window, searched for again in the run's catalog; RunError where that is gone."""
    job = job_of_run(run)
    try:
        return make_plan(job).during
    except (CatalogError, PipelineError) as problem:
        raise RunError(f"{run.path}: its scenes are no longer to be found: {problem}") from None
