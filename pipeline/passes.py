"""The passes of a plan, one after the other: each with a plan of its own, from what was there when it came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version

from catalogs.passes import PASS_GAP
from catalogs.records import Acquisition
from pipeline.job_windows import span
from pipeline.plan import Plan, with_scenes


@dataclass(frozen=True, eq=False)
class Pass:
    """What one satellite saw on one pass."""

    platform: str
    scenes: tuple[Acquisition, ...]

    @property
    def at(self) -> datetime:
        """The middle of its latest scene, to the second: t* of its map."""
        return max(scene.time for scene in self.scenes).astimezone(UTC).replace(microsecond=0)

    @property
    def end(self) -> datetime:
        """Its last instant."""
        return max(scene.end for scene in self.scenes)

    @property
    def name(self) -> str:
        """What its map is called: a folder."""
        platform = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self.platform)
        return f"{self.at:%Y-%m-%dT%H%M}-{platform}"


def passes_of(scenes: Iterable[Acquisition]) -> list[Pass]:
    """Scenes by satellite and pass, in the order of time."""
    found: list[list[Acquisition]] = []
    for scene in sorted(scenes, key=lambda scene: (scene.platform, scene.start, scene.id)):
        one = found[-1] if found else None
        if one and one[-1].platform == scene.platform and scene.start - max(s.end for s in one) <= PASS_GAP:
            one.append(scene)
        else:
            found.append([scene])
    return sorted((Pass(one[0].platform, tuple(one)) for one in found), key=lambda one: (one.at, one.platform))


def plan_of_pass(plan: Plan, one: Pass) -> Plan:
    """The plan that maps the state at a pass from it and all scenes before it in the flood window."""
    scenes = tuple(scene for scene in plan.during if scene.end <= one.end or scene in one.scenes)
    name = f"{plan.job.name}, {one.name}"
    job = plan.job.model_copy(update={"name": name, "during": (span(plan.job.during)[0], one.end), "at": one.at})
    return with_scenes(replace(plan, job=job), scenes, plan.before)


def digest_of(plan: Plan, science: str) -> str:
    """Changes when a scene, the ground, the job or this package does: then the pass is mapped again.

    `science`: what the parameters are, as text.
    """
    records: Sequence[str] = [record.model_dump_json() for record in (*plan.during, *plan.before, *plan.ground.tiles)]
    content = [version("overbank"), plan.job.model_dump_json(), science, *records]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
