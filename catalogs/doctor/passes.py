"""Acquisitions beside each other: the same pass twice, and satellites that are mixed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

import shapely
from shapely.geometry import shape

from catalogs.findings import Finding
from catalogs.records import Acquisition

SAME_TIME = timedelta(seconds=5)
"""Two products of one pass begin no farther apart."""
SAME_PLACE = 0.8
"""Share of their common outline that two products of one pass share at least; neighbours share far less."""


def without_duplicates(acquisitions: Sequence[Acquisition]) -> tuple[tuple[Acquisition, ...], tuple[Finding, ...]]:
    """Each pass once, in the order given, and a finding for each product put aside.

    Kept is what is map-projected, then has more layers, then the later id, which a reprocessed product has.
    """
    kept: defaultdict[int, list[Acquisition]] = defaultdict(list)
    """By span of `SAME_TIME`: only neighbours in time need be held against each other."""
    findings = []
    for scene in sorted(acquisitions, key=_worth, reverse=True):
        span = int(scene.start.timestamp() // SAME_TIME.total_seconds())
        near = (other for number in (span - 1, span, span + 1) for other in kept.get(number, ()))
        twin = next((other for other in near if same_pass(scene, other)), None)
        if twin is None:
            kept[span].append(scene)
            continue
        where = "the same collection" if twin.collection == scene.collection else f"collection {twin.collection}"
        found = f"the pass of {scene.start:%Y-%m-%d %H:%M:%S} as {twin.id} of {where} too, which is used"
        findings.append(Finding(code="duplicate-pass", thing=scene.id, found=found, expected="each pass once"))
    ids = {id(scene) for scenes in kept.values() for scene in scenes}
    return tuple(scene for scene in acquisitions if id(scene) in ids), tuple(findings)


def _worth(scene: Acquisition) -> tuple[bool, int, str]:
    projected = not any(raster.swath for raster in scene.rasters)
    return projected, len(scene.layers), scene.id


def same_pass(first: Acquisition, second: Acquisition) -> bool:
    """Whether two acquisitions are products of one pass over one place."""
    if (first.sensor, first.platform) != (second.sensor, second.platform):
        return False
    if abs(first.start - second.start) > SAME_TIME:
        return False
    return _common(first, second) >= SAME_PLACE


def _common(first: Acquisition, second: Acquisition) -> float:
    """Intersection over union of two footprints; 0 where one cannot be read."""
    try:
        one, other = shape(first.footprint), shape(second.footprint)
        union = one.union(other).area
        return float(one.intersection(other).area / union) if union else float(one.equals(other))
    except (AttributeError, LookupError, TypeError, ValueError, shapely.errors.ShapelyError):
        return 0.0


def mixed_satellites(acquisitions: Iterable[Acquisition], window: str) -> tuple[Finding, ...]:
    """A finding for each radar whose acquisitions of a window come from several satellites."""
    found: dict[str, set[str]] = {}
    for scene in acquisitions:
        if scene.kind == "radar":
            found.setdefault(scene.sensor, set()).add(scene.platform)
    return tuple(
        Finding(
            code="mixed-satellites",
            thing=f"{sensor} {window} the flood",
            found=" and ".join(sorted(platforms)),
            expected="one satellite",
        )
        for sensor, platforms in sorted(found.items())
        if len(platforms) > 1
    )
