"""`overbank watch`: ask the catalogs again and again, and map each new pass when it appears."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from catalogs.errors import CatalogError
from catalogs.passes import PASS_GAP
from catalogs.publish import write_json
from pipeline.errors import JobError, NoSceneError, PipelineError, RunError
from pipeline.job import Job, Record, load_job, with_choice
from pipeline.job_methods import AS_THE_JOB_SAYS, Choice
from pipeline.job_windows import SERIES, span
from pipeline.ledger import alone_in
from pipeline.networks import networks_of
from pipeline.passes import Pass, digest_of, passes_of, plan_of_pass
from pipeline.plan import Plan, make_plan
from pipeline.science import load_science
from pipeline.series import write_series
from workflows.map import map_plan
from workflows.map_windows import named, require_no_run

Say = Callable[[str], None]
STATE = "watch.json"
HOUR = 3600.0
FIRST_WAIT = 30.0
"""Seconds until a catalog that is down is asked again; twice as long each time, up to the interval."""


class MappedPass(Record):
    """A pass whose map is whole."""

    name: str
    platform: str
    at: datetime
    made_of: str
    """Digest of all that went into the map."""


class _State(Record):
    passes: tuple[MappedPass, ...] = ()


@dataclass(frozen=True)
class _Watch:
    """What does not change from round to round."""

    job: Job
    out: Path
    scheduler: str | None
    device: str
    say: Say


@dataclass
class Round:
    """What one look at the catalogs led to."""

    mapped: list[str] = field(default_factory=list)
    """Passes that were mapped now, for the first time or again."""
    failed: dict[str, str] = field(default_factory=dict)
    """Passes that could not be mapped, and why; they are tried again."""
    passes: int = 0
    """That there are."""


def watch(
    job_file: Path,
    out: Path,
    *,
    every: float = HOUR,
    once: bool = False,
    until: datetime | None = None,
    choice: Choice = AS_THE_JOB_SAYS,
    scheduler: str | None = None,
    device: str = "auto",
    say: Say = lambda _: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> list[MappedPass]:
    """Map each pass over the flood window of a job into a run of its own below `out`, as soon as a catalog has it.

    A pass is mapped from its scenes and all before it in the window; again when one of these changes or arrives late.
    What the passes say together lies in `out`/series. The state is in `out`/watch.json and changes by one rename after
    a map is whole: stop it whenever, the same command goes on, and a pass half mapped is mapped to its end.

    Args:
        job_file: a job with one flood window, which may reach into the future.
        out: folder; no other process may watch or map into it.
        every: seconds between two looks. A catalog that is down is asked again sooner, then less and less often.
        once: look once; a catalog that is down is then an error, as are passes that cannot be mapped.
        until: the instant after which it ends; None: never.
        choice: what the command line says of networks in place of the job.
        scheduler: address of a Dask scheduler.
        device: where networks run.
        say: hears a line for each step.
        clock: tells the time.
        sleep: waits so many seconds.

    Returns:
        The passes that are mapped, in the order of time.

    Raises:
        JobError: a mistake in the job.
        RunError: another process holds the folder, or it holds something else.
    """
    setting = _Watch(_job(job_file, choice), out.resolve(), scheduler, device, say)
    require_no_run(out)
    with alone_in(setting.out):
        failures = 0
        while True:
            try:
                found = _look(setting)
            except CatalogError as problem:
                if once:
                    raise
                failures += 1
                say(f"the catalog does not answer: {problem}")
            else:
                failures = 0
                _tell(found, setting.job, clock(), say)
                if once:
                    return _ended(setting.out, found)
            wait = min(every, FIRST_WAIT * 2 ** (failures - 1)) if failures else every
            following = clock() + timedelta(seconds=wait)
            if until is not None and following > until:
                say(f"ends: {until:%Y-%m-%d %H:%M} UTC comes before the next look")
                return list(_read_state(setting.out).passes)
            say(f"looks again at {following:%Y-%m-%d %H:%M:%S} UTC")
            sleep(wait)


def _job(job_file: Path, choice: Choice) -> Job:
    job = with_choice(load_job(job_file), choice)
    if job.by_window or job.at is not None:
        raise JobError(f"{job_file}: during: watch maps each pass of one flood window; write [first day, last day]")
    load_science(job.science)
    networks_of(job)
    return job


def _look(setting: _Watch) -> Round:
    """Ask the catalogs once and map what is new. CatalogError where they do not answer."""
    try:
        plan = make_plan(setting.job)
    except NoSceneError:
        return Round()
    found = passes_of(plan.during)
    done = Round(passes=len(found))
    for one in found:
        known = _known(_read_state(setting.out), one)
        try:
            _map_pass(plan, one, known, setting, done)
        except (CatalogError, PipelineError) as problem:
            done.failed[one.name] = str(problem)
            setting.say(f"{one.name}: not mapped, tried again at the next look: {problem}")
    if done.mapped or not (setting.out / SERIES).is_dir():
        _write_series(setting)
    return done


def _map_pass(plan: Plan, one: Pass, known: MappedPass | None, setting: _Watch, done: Round) -> None:
    """Map a pass, unless it was mapped from the very same scenes before."""
    own = plan_of_pass(plan, one)
    made_of = digest_of(own, load_science(setting.job.science).model_dump_json())
    name = one.name if known is None else known.name
    if known is not None and known.made_of == made_of and (setting.out / name).is_dir():
        return
    why = "a new pass" if known is None else "again: a scene is new, late or replaced"
    setting.say(f"{name}: {why}; {len(own.during)} scene{'' if len(own.during) == 1 else 's'}")
    map_plan(own, setting.out / name, scheduler=setting.scheduler, device=setting.device, say=named(name, setting.say))
    whole = MappedPass(name=name, platform=one.platform, at=one.at, made_of=made_of)
    others = [other for other in _read_state(setting.out).passes if other.name != name]
    _write_state(setting.out, _State(passes=tuple(sorted([*others, whole], key=lambda other: (other.at, other.name)))))
    done.mapped.append(name)


def _known(state: _State, one: Pass) -> MappedPass | None:
    """The map of the same pass; a slice that came late may have moved its instant by minutes."""
    return next(
        (old for old in state.passes if old.platform == one.platform and abs(old.at - one.at) <= PASS_GAP), None
    )


def _write_series(setting: _Watch) -> None:
    state = _read_state(setting.out)
    if state.passes:
        runs = {one.name: setting.out / one.name for one in state.passes}
        write_series(runs, setting.out / SERIES, setting.job.name, {})


def _tell(found: Round, job: Job, now: datetime, say: Say) -> None:
    if not found.passes:
        say("no scene in the flood window yet")
    elif not found.mapped and not found.failed:
        say(f"nothing new: {found.passes} passes are mapped")
    end = span(job.during)[1]
    if now > end:
        say(f"note: the flood window ended {end:%Y-%m-%d}; only late and replaced scenes are still to come")


def _ended(out: Path, found: Round) -> list[MappedPass]:
    if found.failed:
        told = "; ".join(f"{name}: {why}" for name, why in found.failed.items())
        raise RunError(f"{out}: {len(found.failed)} passes could not be mapped: {told}. Run the same command again.")
    return list(_read_state(out).passes)


def _read_state(out: Path) -> _State:
    """What is mapped; nothing where there is no state, RunError where it cannot be understood."""
    path = out / STATE
    try:
        return _State.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _State()
    except ValidationError as problem:
        told = problem.errors()[0]["msg"]
        raise RunError(f"{path}: found {told}; expected what watch wrote. Remove it: all is looked at again.") from None


def _write_state(out: Path, state: _State) -> None:
    write_json(out / STATE, json.loads(state.model_dump_json()))
