"""The scenes of a plan held against their files before anything is read in earnest: once a run, kept in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from catalogs.doctor.cure import cured, with_borrowed_angles
from catalogs.doctor.examine import examine
from catalogs.doctor.findings import Finding, ordered
from catalogs.publish import write_json
from catalogs.records import Acquisition
from pipeline.errors import SceneError
from pipeline.job import Record
from pipeline.plan import Plan, with_scenes

FINDINGS = "findings.json"
Said = Callable[[str], None]
SCENES_AT_ONCE = 2
"""Scenes examined at the same time, each with threads of its own."""
PASSING = "unreadable"
"""The one finding that may be another next time: a server that was down."""


class Examined(Record):
    """What is kept of an examination."""

    keys: dict[str, str]
    """By scene: of the record that was examined, and of the version that did."""
    scenes: tuple[Finding, ...]
    """Of their files."""
    catalog: tuple[Finding, ...] = ()
    """Of their items, as the plan tells."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, the worst first."""
        return ordered(self.catalog + self.scenes)


def examine_plan(plan: Plan, known: Examined | None = None, said: Said = lambda _: None) -> tuple[Plan, Examined]:
    """The plan that its files allow, layers read as they are and unusable scenes taken out; and what was found.

    SceneError, which names each scene, if none of the flood window is left.
    """
    found = examine_scenes(plan, known, said)
    during, before = (_cured(window, found.scenes) for window in (plan.during, plan.before))
    if not during:
        raise SceneError(_nothing_left(plan, found))
    lent, borrowed = with_borrowed_angles(during + before)
    left = with_scenes(plan, lent[: len(during)], lent[len(during) :])
    return left, found.model_copy(update={"catalog": ordered(found.catalog + borrowed)})


def examine_scenes(plan: Plan, known: Examined | None = None, said: Said = lambda _: None) -> Examined:
    """Hold every scene of a plan against its files.

    `known`: an earlier examination; a scene whose record is the same, and which could be read, is not opened again.
    """
    scenes = {scene.id: scene for scene in plan.during + plan.before}
    keys = {name: _key(scene) for name, scene in scenes.items()}
    told = _still_true(known, scenes, keys)
    unknown = [scene for name, scene in scenes.items() if name not in told]
    if unknown:
        said(f"{len(unknown)} scenes held against their files")
    with ThreadPoolExecutor(SCENES_AT_ONCE) as pool:
        told |= dict(zip((scene.id for scene in unknown), pool.map(examine, unknown), strict=True))
    return Examined(keys=keys, scenes=ordered(f for some in told.values() for f in some), catalog=plan.findings)


def read_examined(run: Path) -> Examined | None:
    """What an earlier run found; None where it found nothing, or another version wrote it."""
    try:
        return Examined.model_validate_json((run / FINDINGS).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def write_examined(run: Path, found: Examined) -> None:
    """Keep an examination in a run's folder."""
    write_json(run / FINDINGS, found.model_dump(mode="json"))


def _key(scene: Acquisition) -> str:
    return sha256(f"{version('overbank')} {scene.model_dump_json()}".encode()).hexdigest()


def _still_true(
    known: Examined | None, scenes: Mapping[str, Acquisition], keys: Mapping[str, str]
) -> dict[str, tuple[Finding, ...]]:
    """By scene, what an earlier examination of the same record found, unless that may have passed."""
    if known is None:
        return {}
    by_scene = {
        name: tuple(finding for finding in known.scenes if finding.thing in _names(scene))
        for name, scene in scenes.items()
        if known.keys.get(name) == keys[name]
    }
    return {name: some for name, some in by_scene.items() if all(finding.code != PASSING for finding in some)}


def _names(scene: Acquisition) -> set[str]:
    """What a finding of a scene may name: it, or an item that it is made of."""
    return {scene.id, *scene.slices}


def _cured(scenes: Iterable[Acquisition], findings: tuple[Finding, ...]) -> tuple[Acquisition, ...]:
    read = (cured(scene, findings) for scene in scenes)
    return tuple(scene for scene in read if scene is not None)


def _nothing_left(plan: Plan, found: Examined) -> str:
    lost = {name for scene in plan.during for name in _names(scene)}
    reasons = [f"\n  {f}" for f in found.scenes if f.severity == "unusable" and f.thing in lost]
    return (
        f"{plan.job.name}: none of the {len(plan.during)} scenes of the flood window can be read; "
        f"correct the catalog or the files, or widen `during`{''.join(reasons)}"
    )
