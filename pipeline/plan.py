"""What a job will read and write, unit by unit, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from odc.geo.geobox import GeoBox
from shapely import STRtree
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from catalogs.doctor.findings import Finding, ordered
from catalogs.doctor.satellites import mixed_satellites
from catalogs.records import Acquisition, RasterLayer, Sensor
from catalogs.search import search
from catalogs.web.access import missing_credentials
from pipeline.area import job_area
from pipeline.errors import JobError, NoSceneError
from pipeline.grid import inside, outline_lonlat, unit_boxes, zone_outlines
from pipeline.ground import Ground
from pipeline.ground_sources import resolve_ground
from pipeline.job import Job
from pipeline.job_windows import span

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
    """Items of the catalog that could not be understood, and scenes that cannot be used."""
    notes: tuple[str, ...] = ()
    """What is good to know of the ground before the job is run: where no tile covers it."""
    findings: tuple[Finding, ...] = ()
    """What is odd about the scenes; the plan's by their items alone, the examination adds their files."""
    ground: Ground = field(default_factory=Ground)
    """Reference water, elevation, drainage and land cover."""

    @property
    def elevation(self) -> tuple[RasterLayer, ...]:
        """The rasters of elevation, metres; none where the job names none."""
        return self.ground.elevation_rasters

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
        sizes = {(scene.collection, scene.id): scene.bytes for scene in self.during + self.before}
        known = [size for size in sizes.values() if size is not None]
        return sum(known) if len(known) == len(sizes) else None


def make_plan(job: Job) -> Plan:
    """Search the catalog and lay the area out in units; reads no pixel.

    JobError if the area is empty, no scene lies in the flood window, a field of the ground cannot be used, or
    the environment lacks what it takes to open a file.
    """
    area = job_area(job)
    ground, notes, strange = resolve_ground(job, area)
    during, before, problems, findings = _scenes(job, area)
    problems = tuple(dict.fromkeys((*problems, *strange)))
    if not during:
        raise NoSceneError(_nothing_found(job, problems))
    _check_credentials([raster for scene in during + before for raster in scene.rasters] + list(ground.rasters))
    at = _mapped_instant(job, during)
    now, past = touching(during), touching(before)
    units = tuple(Unit(name, box, at, now(box), past(box)) for name, box in unit_boxes(area, job.resolution, job.tile))
    if len(units) <= SMALL and not any(inside(area, unit.box).any() for unit in units):
        raise JobError(f"area: covers no middle of a pixel of {job.resolution:g} m; draw it larger")
    return Plan(job, area, units, at, during, before, problems, notes=notes, findings=findings, ground=ground)


def with_scenes(plan: Plan, during: tuple[Acquisition, ...], before: tuple[Acquisition, ...]) -> Plan:
    """The same plan with other scenes (at least one during): corrected ones, or fewer."""
    at = _mapped_instant(plan.job, during)
    now, past = touching(during), touching(before)
    units = tuple(replace(unit, at=at, during=now(unit.box), before=past(unit.box)) for unit in plan.units)
    return replace(plan, units=units, at=at, during=during, before=before)


_Scenes = tuple[Acquisition, ...]


def _scenes(job: Job, area: BaseGeometry) -> tuple[_Scenes, _Scenes, tuple[str, ...], tuple[Finding, ...]]:
    """Scenes during and before, problems, and findings of the scenes that are read."""
    start, end = span(job.during)
    found = search(job.catalog, area=area, start=start, end=end, sensors=job.sensors)
    useless = tuple(_UNUSABLE.format(scene.id) for scene in found.acquisitions if not _usable(scene))
    during = tuple(scene for scene in found.acquisitions if _usable(scene) and not scene.reference_only)
    if job.before is None:
        return during, (), found.problems + useless, _findings(found.findings, during, ())
    first, last = span(job.before)
    past = search(job.catalog, area=area, start=first, end=last, sensors=job.sensors, reach=REFERENCE_REACH)
    usable = [scene for scene in past.acquisitions if _usable(scene)]
    whole = tuple(scene for scene in usable if not scene.reference_only and scene.end >= first and scene.end <= last)
    mosaics = [scene for scene in usable if scene.reference_only and scene.start <= last]
    reference = tuple(_until(scene, last) for scene in mosaics if _dated(scene, last))
    undated = tuple(_UNDATED.format(scene.id, last) for scene in mosaics if not _dated(scene, last))
    before = tuple(sorted(whole + reference, key=lambda scene: (scene.start, scene.id)))
    problems = tuple(dict.fromkeys(found.problems + past.problems + useless + undated))
    return during, before, problems, _findings(found.findings + past.findings, during, before)


def _check_credentials(rasters: Iterable[RasterLayer]) -> None:
    """Found now rather than after an hour; workers of a cluster read with their own environment, and say so then."""
    lacking = {missing_credentials(raster.access, raster.href) for raster in rasters} - {None}
    if lacking:
        raise JobError(
            "catalog: its files cannot be opened" + "".join(f"\n  {text}" for text in sorted(map(str, lacking)))
        )


_UNUSABLE = "{}: has no green and NIR band, which every water index needs; the scene is left out"
_UNDATED = (
    "{}: goes on after {:%Y-%m-%d}, the end of `before`, and has no layer that dates its pixels, which may be of the "
    "flood; the mosaic is left out: take one of an earlier year"
)


def _usable(scene: Acquisition) -> bool:
    return scene.kind == "radar" or {"green", "nir"} <= set(scene.layers)


def _dated(scene: Acquisition, last: datetime) -> bool:
    """Whether it can be told which pixels of a mosaic were taken by an instant."""
    return scene.end <= last or "date" in scene.layers


def _until(scene: Acquisition, last: datetime) -> Acquisition:
    """A mosaic of which only the pixels up to an instant are read."""
    return scene.model_copy(update={"usable_until": last}) if scene.end > last else scene


def _findings(found: Sequence[Finding], during: _Scenes, before: _Scenes) -> tuple[Finding, ...]:
    """What was found of scenes that are read, and of products that one of them is read for; the worst first."""
    read = {name for scene in during + before for name in scene.slices}
    told = [
        finding for finding in dict.fromkeys(found) if finding.thing in read or not read.isdisjoint(_words(finding))
    ]
    return ordered((*told, *mixed_satellites(during, "during"), *mixed_satellites(before, "before")))


def _words(finding: Finding) -> list[str]:
    return finding.found.split() if finding.code == "duplicate-pass" else []


def _nothing_found(job: Job, problems: tuple[str, ...]) -> str:
    first, last = (f"{moment:%Y-%m-%d}" for moment in span(job.during))
    told = "".join(f"\n  {problem}" for problem in problems)
    return (
        f"no scene found: {job.catalog} has none of {', '.join(job.sensors)} over the area between {first} and {last}; "
        f"widen `during`, check the area, or ingest the scenes{told}"
    )


def _mapped_instant(job: Job, during: tuple[Acquisition, ...]) -> datetime:
    """t*: what the job says, else the latest radar pass of the window, else the latest look of any sensor."""
    if job.at is not None:
        return span((job.at, job.at))[1]
    radar = [scene.time for scene in during if scene.kind == "radar"]
    return max(radar or [scene.time for scene in during])


def touching(scenes: Sequence[Acquisition]) -> Callable[[GeoBox], tuple[Acquisition, ...]]:
    """A function that gives the scenes whose footprint meets a box, in their own order."""
    tree = STRtree([shape(scene.footprint) for scene in scenes])

    def found(box: GeoBox) -> tuple[Acquisition, ...]:
        return tuple(scenes[index] for index in sorted(tree.query(outline_lonlat(box).geom, predicate="intersects")))

    return found


def area_km2(plan: Plan) -> float:
    """Area of the job in km², measured in the UTM zones that it is mapped in."""
    return float(sum(outline.area for outline in zone_outlines(plan.area, 0.0).values()) / 1e6)
