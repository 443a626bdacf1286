"""`overbank map`: a job file to maps on disk."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

from pydantic import ValidationError

from catalogs.errors import without_secrets
from catalogs.publish import write_json
from pipeline.cluster import run_units
from pipeline.drainage import FOLDER, with_drainage
from pipeline.errors import RunError
from pipeline.examine import FINDINGS, examine_plan, read_examined, write_examined
from pipeline.export import RUN_ID, publish_run
from pipeline.gis.hand_over import hand_over
from pipeline.job import Record
from pipeline.job_methods import AS_THE_JOB_SAYS, Choice
from pipeline.ledger import UNITS, alone_in, clear_leftovers, is_done, read_item, unit_folder
from pipeline.mountains import flatten_plan
from pipeline.networks import networks_of
from pipeline.observe import Prepared
from pipeline.plan import Plan
from pipeline.prepare import prepare
from pipeline.run import Setting, unit_fingerprint
from pipeline.run_folder import PREPARED
from pipeline.science import Science, load_science
from workflows.map_windows import map_windows
from workflows.mapped import MapSummary
from workflows.plan import SeriesPlan, plan

Say = Callable[[str], None]
FLATTENED = "flattened"
"""Folder of scenes that are flattened by range and Doppler."""
NETWORK_PIXEL_M = 10.0
"""Metres of the simulated scenes that the shipped network learnt from."""


class _Findings(Record):
    key: str
    """Of the scenes, the grid, the science and the version that the findings hold for."""
    prepared: Prepared


def map_flood(
    job_file: Path,
    out: Path,
    *,
    choice: Choice = AS_THE_JOB_SAYS,
    scheduler: str | None = None,
    device: str = "auto",
    say: Say = lambda _: None,
) -> MapSummary:
    """Plan, prepare and map a job into the folder `out`; units that are done already are left alone.

    A job with several flood windows becomes a run below `out` for each, and `out`/series: what they say together.
    `choice`: what the command line says of networks in place of the job. `say` hears one line for each step.
    Errors of the job are raised before any pixel is read.
    """
    start = perf_counter()
    planned = plan(job_file, choice)

    def one(plan: Plan, folder: Path, told: Say, since: float | None = None) -> MapSummary:
        return map_plan(plan, folder, scheduler=scheduler, device=device, say=told, since=since)

    return map_windows(planned, out, one, say) if isinstance(planned, SeriesPlan) else one(planned, out, say, start)


def map_plan(
    plan: Plan,
    out: Path,
    *,
    scheduler: str | None = None,
    device: str = "auto",
    say: Say = lambda _: None,
    since: float | None = None,
) -> MapSummary:
    """Prepare and map a plan into the folder `out`. `since`: when its planning began, to be told how long it took."""
    # rasterio warps arrays that carry no transform of their own, and hushes its warning only within one thread.
    warnings.filterwarnings("ignore", "Dataset has no geotransform")
    out = out.resolve()  # workers of a scheduler start elsewhere
    clock = {"plan": perf_counter() if since is None else since}
    job = plan.job
    science = load_science(job.science)
    networks = networks_of(job)
    chosen = _device(device) if networks else "cpu"
    for network in networks:
        network.verify()
    _refuse_strangers(plan, out)
    if networks and not 0.7 < job.resolution / NETWORK_PIXEL_M < 1.5:
        say(f"note: networks were trained at {NETWORK_PIXEL_M:g} m, not {job.resolution:g} m; trust physics more")
    for note in plan.notes:
        say(f"note: {note}")
    for problem in plan.problems:
        say(f"catalog: {problem}")
    clock["examine"] = perf_counter()
    plan = _examined(plan, out, say)
    clock["prepare"] = perf_counter()
    if job.flattening == "sarsen":
        plan = flatten_plan(plan, out / FLATTENED, lambda text: say(f"flatten: {text}"))
    plan = _with_drainage(plan, science, out, say)
    prepared = _prepared(plan, science, out, say)
    clock["map"] = perf_counter()
    has_reference = job.reference_water is not None or bool(plan.before)
    setting = Setting(job, plan.area, science, prepared, networks, chosen, out, has_reference, ground=plan.ground)
    with alone_in(out):
        seconds, skipped = _map_units(plan, setting, scheduler, say)
        _publish(plan, out)
        hand_over(out, say)
    steps = list(clock)
    first = {step: clock[later] - clock[step] for step, later in pairwise(steps)}
    return MapSummary(out, len(plan.units), skipped, first | seconds | {"map_wall": perf_counter() - clock["map"]})


def _device(name: str) -> str:
    from models.device import choose_device  # torch: a job of rules alone does without

    try:
        return str(choose_device(name))
    except (ValueError, RuntimeError) as problem:
        raise RunError(str(problem)) from problem


def _refuse_strangers(plan: Plan, out: Path) -> None:
    """Units that this job does not have would be counted and published with it."""
    catalog = out / "catalog.json"
    if catalog.is_file() and RUN_ID not in catalog.read_text(encoding="utf-8"):
        raise RunError(f"{out}: holds a catalog.json that is not of a run and would be replaced; give another --out")
    there = {path.name for path in (out / UNITS).glob("[!.]*") if path.is_dir()}
    strangers = sorted(there - {unit.id for unit in plan.units})
    if strangers:
        raise RunError(
            f"{out}: holds {len(strangers)} units of another area or tiling ({strangers[0]}); "
            "give another --out, or remove that folder"
        )


def _examined(plan: Plan, out: Path, say: Say) -> Plan:
    """The plan as its files allow it; what was found is told and kept in the run's folder."""
    examined, found = examine_plan(plan, read_examined(out), lambda text: say(f"examine: {text}"))
    write_examined(out, found)
    for finding in found.findings:
        if finding.severity != "note":
            say(f"{finding.severity}: {finding}")
    notes = sum(finding.severity == "note" for finding in found.findings)
    if notes:
        say(f"examine: {notes} notes beside, in {out / FINDINGS}")
    return examined


def _with_drainage(plan: Plan, science: Science, out: Path, say: Say) -> Plan:
    """The plan with the height above drainage of its basin, which lies in the run's folder."""
    folder = out / FOLDER
    ground = with_drainage(plan.job, plan.area, plan.ground, science, folder, lambda text: say(f"prepare: {text}"))
    return replace(plan, ground=ground)


def _prepared(plan: Plan, science: Science, out: Path, say: Say) -> Prepared:
    """The prepare stage's findings, from the run's folder where they are of the same scenes and science."""
    key = _key(plan, science)
    path = out / PREPARED
    known = _known_findings(path)
    if known is not None and known.key == key:
        say("prepare: found, of the same scenes")
        return known.prepared
    found = prepare(plan, science, lambda text: say(f"prepare: {text}"))
    write_json(path, _Findings(key=key, prepared=found).model_dump(mode="json"))
    for scene, note in found.threshold_notes.items():
        value = found.thresholds[scene]
        say(f"prepare: {scene}: {'no threshold' if value is None else f'threshold {value:.2f} dB'} ({note})")
    return found


def _known_findings(path: Path) -> _Findings | None:
    """What an earlier run found; None where it found nothing, or another version wrote it."""
    try:
        return _Findings.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def _key(plan: Plan, science: Science) -> str:
    parts = [record.model_dump_json() for record in (*plan.during, *plan.before, *plan.ground.tiles)]
    boxes = [f"{unit.id} {unit.box.affine} {unit.box.shape}" for unit in plan.units]
    return sha256("\n".join([version("overbank"), *parts, *boxes, science.model_dump_json()]).encode()).hexdigest()


def _map_units(plan: Plan, setting: Setting, scheduler: str | None, say: Say) -> tuple[defaultdict[str, float], int]:
    clear_leftovers(setting.run)
    todo = [unit for unit in plan.units if not is_done(setting.run, unit, unit_fingerprint(unit, setting))]
    skipped = len(plan.units) - len(todo)
    if skipped:
        say(f"map: {skipped} of {len(plan.units)} units are done already")
    seconds: defaultdict[str, float] = defaultdict(float)
    for count, (unit, stages) in enumerate(run_units(todo, setting, scheduler), start=1):
        for stage, value in stages.items():
            seconds[stage] += value
        told = ", ".join(f"{stage} {value:.1f} s" for stage, value in stages.items())
        say(f"map: unit {unit.id} done ({count}/{len(todo)}; {told})")
    return seconds, skipped


def _publish(plan: Plan, out: Path) -> None:
    items = {unit.id: item for unit in plan.units if (item := read_item(unit_folder(out, unit))) is not None}
    if len(items) != len(plan.units):
        raise RunError(f"{out}: {len(plan.units) - len(items)} units are missing; run the same command again")
    publish_run(out, items, plan.job.name)
    write_json(out / "run.json", _record(plan, items))


def _record(plan: Plan, items: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "job": plan.job.model_dump(mode="json") | {"catalog": without_secrets(plan.job.catalog)},
        "mapped_instant": plan.at.isoformat(),
        "units": sorted(items),
        "missing": plan.missing,
    }
