"""What a job will read and write, unit by unit, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from odc.geo.geobox import GeoBox
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from catalogs.doctor.passes import mixed_satellites, without_duplicates
from catalogs.findings import Finding, ordered
from catalogs.records import Acquisition, Sensor
from catalogs.search import search
from pipeline.area import job_area
from pipeline.errors import JobError
from pipeline.grid import inside, outline_lonlat, project, unit_boxes
from pipeline.job import Job, span

REFERENCE_REACH = timedelta(days=366 * 5)
"""How far back an annual mosaic may lie and still show the ground before."""

SMALL = 4
"""Units up to which an area may be too small to hold a pixel."""


@dataclass(frozen=True, eq=False)
class Unit:
    """One tile of the lattice for one flood window: the grain of parallelism, restart and output."""

    id: str
    box: GeoBox
    at: datetime
    """t*: the instant whose state is mapped."""
    during: tuple[Acquisition, ...]
    before: tuple[Acquisition, ...]

    @property
    def scenes(self) -> tuple[Acquisition, ...]:
        """All scenes that the unit reads."""
        return self.during + self.before


@dataclass(frozen=True, eq=False)
class Plan:
    """The units of a job and the scenes each will read."""

    job: Job
    area: BaseGeometry
    units: tuple[Unit, ...]
    at: datetime
    during: tuple[Acquisition, ...]
    before: tuple[Acquisition, ...]
    problems: tuple[str, ...]
    """Items of the catalog that could not be understood."""
    findings: tuple[Finding, ...] = ()
    """What is odd about the scenes; the plan's by their items alone, the examination adds their files."""

    @property
    def missing(self) -> dict[str, list[Sensor]]:
        """Sensors of the job without a scene, by window."""
        windows = {"during": self.during}
        if self.job.before is not None:
            windows["before"] = self.before
        return {
            name: absent
            for name, scenes in windows.items()
            if (absent := [sensor for sensor in self.job.sensors if sensor not in {s.sensor for s in scenes}])
        }

    @property
    def bytes(self) -> int | None:
        """Size of all scenes, each once; None where a catalog does not say."""
        sizes = {scene.id: scene.bytes for scene in self.during + self.before}
        known = [size for size in sizes.values() if size is not None]
        return sum(known) if len(known) == len(sizes) else None


def make_plan(job: Job) -> Plan:
    """Search the catalog and lay the area out in units; reads no pixel.

    JobError if the area is empty or no scene lies in the flood window.
    """
    area = job_area(job)
    during, before, problems, findings = _scenes(job, area)
    if not during:
        raise JobError(_nothing_found(job, problems))
    at = _mapped_instant(during)
    units = tuple(
        Unit(name, box, at, _touching(during, box), _touching(before, box))
        for name, box in unit_boxes(area, job.resolution, job.tile)
    )
    if len(units) <= SMALL and not any(inside(area, unit.box).any() for unit in units):
        raise JobError(f"area: covers no middle of a pixel of {job.resolution:g} m; draw it larger")
    return Plan(job, area, units, at, during, before, problems, findings)


def with_scenes(plan: Plan, during: tuple[Acquisition, ...], before: tuple[Acquisition, ...]) -> Plan:
    """The same plan with other scenes (at least one during): corrected ones, or fewer."""
    at = _mapped_instant(during)
    units = tuple(
        replace(unit, at=at, during=_touching(during, unit.box), before=_touching(before, unit.box))
        for unit in plan.units
    )
    return replace(plan, units=units, at=at, during=during, before=before)


_Scenes = tuple[Acquisition, ...]


def _scenes(job: Job, area: BaseGeometry) -> tuple[_Scenes, _Scenes, tuple[str, ...], tuple[Finding, ...]]:
    """Scenes during and before, problems and findings."""
    start, end = span(job.during)
    found = search(job.catalog, area=area, start=start, end=end, sensors=job.sensors)
    useless = tuple(_UNUSABLE.format(scene.id) for scene in found.acquisitions if not _usable(scene))
    passes, odd = without_duplicates(
        [scene for scene in found.acquisitions if _usable(scene) and not scene.reference_only]
    )
    odd = (*found.findings, *odd, *mixed_satellites(passes, "during"))
    if job.before is None:
        return passes, (), found.problems + useless, ordered(odd)
    first, last = span(job.before)
    past = search(job.catalog, area=area, start=first - REFERENCE_REACH, end=last, sensors=job.sensors)
    before, old = without_duplicates(
        [
            scene
            for scene in past.acquisitions
            if _usable(scene)
            and ((scene.reference_only and scene.start <= last) or (scene.end >= first and scene.end <= last))
        ]
    )
    used = {scene.id for scene in passes + before} | {finding.thing for finding in odd + old}
    odd += tuple(finding for finding in past.findings if finding.thing in used)
    odd += (*old, *mixed_satellites(before, "before"))
    return passes, before, tuple(dict.fromkeys(found.problems + past.problems + useless)), ordered(odd)


_UNUSABLE = "{}: has no green and NIR band, which every water index needs; the scene is left out"


def _usable(scene: Acquisition) -> bool:
    return scene.kind == "radar" or {"green", "nir"} <= set(scene.layers)


def _nothing_found(job: Job, problems: tuple[str, ...]) -> str:
    first, last = job.during
    told = "".join(f"\n  {problem}" for problem in problems)
    return (
        f"no scene found: {job.catalog} has none of {', '.join(job.sensors)} over the area between {first} and {last}; "
        f"widen `during`, check the area, or ingest the scenes{told}"
    )


def _mapped_instant(during: tuple[Acquisition, ...]) -> datetime:
    """t*: the latest radar pass of the window, else the latest look of any sensor."""
    radar = [scene.time for scene in during if scene.kind == "radar"]
    return max(radar or [scene.time for scene in during])


def _touching(scenes: tuple[Acquisition, ...], box: GeoBox) -> tuple[Acquisition, ...]:
    outline = outline_lonlat(box).geom
    return tuple(scene for scene in scenes if shape(scene.footprint).intersects(outline))


def area_km2(plan: Plan) -> float:
    """Area of the job in km², measured in its UTM zone."""
    return float(project(plan.area, plan.units[0].box.crs).area / 1e6)
