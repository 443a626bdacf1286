"""Acquisitions as a satellite made them: each product once, and the slices of one pass as one acquisition."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from catalogs.collection import Collection, known_collections
from catalogs.doctor.findings import Finding
from catalogs.records import Acquisition, RasterLayer

PASS_GAP = timedelta(minutes=30)
"""Slices of one pass lie closer in time than this; the next pass of a satellite comes 90 minutes later."""
SAME = 0.5
"""Share of the smaller footprint from which two products of one name are one piece of ground, seen twice; two halves of
a tile, from two data strips of one pass, overlap by a few lines."""
COVERED = 0.9
"""Share of a footprint from which what others show of the same pass makes it superfluous."""

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def passes(acquisitions: Iterable[Acquisition]) -> tuple[tuple[Acquisition, ...], tuple[Finding, ...]]:
    """Each product once, the slices of a pass joined, by start, then id; and a finding for each product left out.

    Of one product found twice the first counts by: preference of its collection, processing baseline, time of its last
    update, id. Satellites, directions, collections and encodings never mix. The result does not depend on the order of
    the acquisitions.
    """
    ordered = sorted(acquisitions, key=_order)
    joined: list[Acquisition] = []
    notes: list[Finding] = []
    for one_pass in _by_pass(ordered):
        kept, told = _once(one_pass)
        notes += told
        groups: dict[Any, list[Acquisition]] = {}
        for scene in kept:
            groups.setdefault(_alike(scene), []).append(scene)
        joined += [_join(slices) for slices in groups.values()]
    return tuple(sorted(joined, key=_order)), tuple(notes)


def _order(scene: Acquisition) -> tuple[Any, ...]:
    return scene.start, scene.id, scene.collection, scene.version, tuple(raster.href for raster in scene.rasters)


def _by_pass(ordered: Sequence[Acquisition]) -> list[list[Acquisition]]:
    """What one satellite saw on one pass, in the order of time, whatever the collection."""
    tracks: dict[Any, list[list[Acquisition]]] = {}
    ends: dict[Any, datetime] = {}
    for scene in ordered:
        track = _track(scene)
        found = tracks.setdefault(track, [])
        if found and (scene.reference_only or scene.start - ends[track] <= PASS_GAP):
            found[-1].append(scene)
            ends[track] = max(ends[track], scene.end)
        else:
            found.append([scene])
            ends[track] = scene.end
    return [one_pass for found in tracks.values() for one_pass in found]


def _track(scene: Acquisition) -> tuple[Any, ...]:
    """What all slices of a pass share but for the time: the track, or the year of a mosaic, whose tiles were made of
    different passes. A scene of unknown orbit stands alone."""
    own = (scene.sensor, scene.platform)
    if scene.reference_only:
        return (*own, scene.collection, scene.time.year)
    if scene.relative_orbit is None and scene.absolute_orbit is None:
        return (*own, scene.id)
    orbit = ("relative", scene.relative_orbit) if scene.relative_orbit is not None else ("", scene.absolute_orbit)
    return (*own, *orbit)


def _alike(scene: Acquisition) -> tuple[Any, ...]:
    """What slices must have in common to become one acquisition: they are decoded in the same way."""
    copolar = next((name for name in ("VV", "HH") if name in scene.layers), None)
    extras = tuple(name in scene.layers for name in ("mask", "date"))
    encodings = tuple(sorted({raster.encoding for raster in scene.rasters}))
    swath = any(raster.swath for raster in scene.rasters)
    told = (scene.quantity, scene.band, scene.mask_scheme, scene.denoised, scene.reference_only)
    return (scene.collection, scene.orbit_direction, scene.look_side, *told, copolar, extras, encodings, swath)


def _once(one_pass: Sequence[Acquisition]) -> tuple[list[Acquisition], list[Finding]]:
    """The products of a pass without those found twice, in the order of time, and what is said of the others."""
    if len(one_pass) == 1:
        return list(one_pass), []
    outlines = {id(scene): _outline(scene) for scene in one_pass}
    kept: list[Acquisition] = []
    notes: list[Finding] = []
    for scene in sorted(one_pass, key=_rank, reverse=True):
        better = _better(scene, kept, outlines)
        if better is None:
            kept.append(scene)
        else:
            notes.append(_told(scene, better))
    return sorted(kept, key=_order), sorted(notes, key=lambda finding: finding.thing)


def _rank(scene: Acquisition) -> tuple[Any, ...]:
    return _preference(scene), scene.baseline, scene.updated or _NEVER, _order(scene)


def _preference(scene: Acquisition) -> int:
    record = known_collections().get(scene.collection)
    return record.preference if isinstance(record, Collection) else 0


def _better(scene: Acquisition, kept: Sequence[Acquisition], outlines: dict[int, BaseGeometry]) -> Acquisition | None:
    """The kept product that shows what this one shows; None where it shows something of its own."""
    mine = outlines[id(scene)]
    near = [other for other in kept if _may_be_one(scene, other)]
    for other in near:
        if _one_product(scene, other, mine, outlines[id(other)]):
            return other
    elsewhere = [other for other in near if other.collection != scene.collection]
    elsewhere = [other for other in elsewhere if mine.intersects(outlines[id(other)])]
    if elsewhere and _share(mine, shapely.union_all([outlines[id(other)] for other in elsewhere])) >= COVERED:
        return max(elsewhere, key=lambda other: (_share(mine, outlines[id(other)]), _rank(other)))
    return None


def _may_be_one(scene: Acquisition, other: Acquisition) -> bool:
    """Whether two could show one thing: not where they are known to fly in different directions."""
    directions = {scene.orbit_direction, other.orbit_direction} - {None}
    return len(directions) < 2


def _one_product(scene: Acquisition, other: Acquisition, mine: BaseGeometry, theirs: BaseGeometry) -> bool:
    if scene.id == other.id and scene.collection == other.collection:
        return True
    smaller = mine if mine.area <= theirs.area else theirs
    larger = theirs if smaller is mine else mine
    if scene.part and scene.part == other.part:
        return smaller.area == 0 or _share(smaller, larger) >= SAME
    unnamed = not scene.part and scene.collection == other.collection and not scene.reference_only
    return unnamed and _share(mine, theirs) >= COVERED


def _outline(scene: Acquisition) -> BaseGeometry:
    """The footprint as a valid geometry; empty where there is none."""
    try:
        return shapely.make_valid(shape(scene.footprint))
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
        return shapely.Polygon()


def _share(inner: BaseGeometry, outer: BaseGeometry) -> float:
    """Share of the area of `inner` that lies in `outer`; 0 of what has no area."""
    return float(inner.intersection(outer).area / inner.area) if inner.area > 0 else 0.0


def _told(scene: Acquisition, better: Acquisition) -> Finding:
    if scene.collection != better.collection and _preference(scene) != _preference(better):
        why = f"collection {better.collection} is read before {scene.collection}"
    elif scene.baseline != better.baseline:
        why = f"its processing baseline is {better.baseline or 'known'}, not {scene.baseline or 'unknown'}"
    elif scene.updated != better.updated:
        why = "it was updated later"
    else:
        why = "nothing else tells them apart than the order of their ids"
    found = f"the pass of {better.id} of {better.collection}, which is read in its place: {why}"
    return Finding(code="duplicate-pass", thing=scene.id, found=found, expected="each pass once")


def _join(slices: Sequence[Acquisition]) -> Acquisition:
    """One acquisition of all slices, in the order of time; a single one stays as it is."""
    first = slices[0]
    if len(slices) == 1:
        return first
    sizes = [scene.bytes for scene in slices]
    ranges = [scene.angle_range for scene in slices if scene.angle_range]
    ids = tuple(name for scene in slices for name in scene.slices)
    return first.model_copy(
        update={
            "id": f"{first.id}+{len(ids) - 1}",
            "slices": ids,
            "part": "",
            "start": min(scene.start for scene in slices),
            "end": max(scene.end for scene in slices),
            "layers": _layers(slices),
            "angle_range": (min(near for near, _ in ranges), max(far for _, far in ranges)) if ranges else None,
            "noise_db": _noise(slices),
            "noise_source": "product" if all(scene.noise_source == "product" for scene in slices) else "default",
            "footprint": mapping(shapely.union_all([_outline(scene) for scene in slices])),
            "bytes": None if None in sizes else sum(size for size in sizes if size is not None),
            "version": _digest(slices),
            "absolute_orbit": _common([scene.absolute_orbit for scene in slices]),
            "baseline": min(scene.baseline for scene in slices),
            "updated": max((scene.updated for scene in slices if scene.updated), default=None),
        }
    )


def _layers(slices: Sequence[Acquisition]) -> dict[str, tuple[RasterLayer, ...]]:
    """By meaning the rasters of all slices in their order; a slice without a layer adds none."""
    names = dict.fromkeys(name for scene in slices for name in scene.layers)
    return {name: tuple(raster for scene in slices for raster in scene.layers.get(name, ())) for name in names}


def _noise(slices: Sequence[Acquisition]) -> dict[str, float]:
    """The highest floor of all slices: one that holds everywhere."""
    names = dict.fromkeys(name for scene in slices for name in scene.noise_db)
    return {name: max(scene.noise_db[name] for scene in slices if name in scene.noise_db) for name in names}


def _digest(slices: Sequence[Acquisition]) -> str:
    parts = [f"{scene.collection}/{scene.id}:{scene.version}" for scene in slices]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _common(values: Sequence[int | None]) -> int | None:
    """The value that all share, None otherwise: a pass over the equator has two orbit numbers."""
    return values[0] if len(set(values)) == 1 else None
