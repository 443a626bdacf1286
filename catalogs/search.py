"""Area and dates → acquisitions, from every kind of catalog, with the same answer for the same items.

A source (`catalogs/sources`) may give more than was asked for, and broken items: servers ignore filters in silence.
What counts is decided here, item by item; one that cannot be used becomes a named problem, not the end of the search.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pystac
import shapely
from shapely.geometry.base import BaseGeometry

from catalogs import collection as known
from catalogs.acquisition import to_acquisition
from catalogs.doctor.findings import Finding, ordered
from catalogs.doctor.item import item_findings
from catalogs.doctor.record import record_findings
from catalogs.errors import CatalogError, SearchError, without_secrets
from catalogs.footprints import footprint_of, is_wide, lonlat_box
from catalogs.hrefs import is_remote
from catalogs.items import item_from, read_item
from catalogs.lonlat import cut
from catalogs.passes import passes
from catalogs.records import SENSORS, Access, Acquisition, Record, Sensor
from catalogs.sources.choose import entries
from catalogs.sources.query import Entry, Query
from catalogs.times import utc

__all__ = ["Area", "Found", "FoundItem", "catalog_items", "find_items", "missing_files", "read_item", "search"]

Area: TypeAlias = tuple[float, float, float, float] | BaseGeometry
"""West, south, east, north in degrees (west > east crosses ±180°), or a geometry in longitude and latitude."""

EVER = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


class Found(Record):
    """What a search gave: the acquisitions, and what could not be understood, never silently."""

    acquisitions: tuple[Acquisition, ...]
    """By start, then id."""
    problems: tuple[str, ...] = ()
    """One sentence each: which item, what is wrong with it, what to do."""
    findings: tuple[Finding, ...] = ()
    """What is odd about the acquisitions found, by their items alone, and products that were found twice."""


class FoundItem(NamedTuple):
    """An item over the area, not yet understood as a product."""

    name: str
    """How a problem with it is named."""
    item: pystac.Item
    root: str
    """`catalog_root` of `to_acquisition`: where it was found."""
    access: Access


def search(
    catalog: str | Path,
    *,
    area: Area,
    start: datetime,
    end: datetime,
    sensors: Collection[Sensor] = SENSORS,
    reach: timedelta | None = None,
) -> Found:
    """Acquisitions that touch `area` and overlap start … end (UTC where no zone is given).

    A product over months (`reference_only`) also counts when it ends before `start`, by no more than `reach` where
    that is given. `catalog` is a static catalog (a file, a folder or an http(s) address), a folder of items and
    products, a STAC API's address, a stac-geoparquet file, the id of a known endpoint, or an endpoint's YAML. Raises
    `SearchError` when it cannot be searched to the end; what is wrong with single items is in `Found.problems`.
    """
    window = utc(start), utc(end)
    earliest = EVER[0] if reach is None else window[0] - reach
    dated, references = _wanted(sensors)
    problems: list[str] = []
    findings: list[Finding] = []
    acquisitions: list[Acquisition] = []
    for found in _items(catalog, Query(_region(area), *window, dated, references), problems):
        if not _is_wanted(found.item.collection_id, sensors):
            continue
        try:
            acquisition = to_acquisition(found.item, catalog_root=found.root, access=found.access)
        except CatalogError as error:
            problems.append(f"{found.name}: {error}")
            continue
        if acquisition.sensor in sensors and _overlaps(acquisition, *window, earliest):
            missing = missing_files(acquisition)
            if missing:
                problems.append(_left_out(found.name, missing))
            else:
                acquisitions.append(acquisition)
            findings += (*item_findings(found.item), *record_findings(found.item, acquisition))
    whole, twice = passes(acquisitions)
    return Found(
        acquisitions=whole, problems=tuple(map(without_secrets, problems)), findings=ordered((*findings, *twice))
    )


def find_items(catalog: str | Path, *, area: Area, wanted: Collection[str], problems: list[str]) -> Iterator[FoundItem]:
    """Items of the collections `wanted` (our ids) that touch an area, of whatever date: ground data.

    Adds to `problems`. Raises `SearchError` as `search` does.
    """
    query = Query(_region(area), *EVER, (), tuple(sorted(wanted)))
    for found in _items(catalog, query, problems):
        if found.item.collection_id in wanted:
            yield found


def catalog_items(catalog: str | Path) -> Iterator[tuple[str, FoundItem | CatalogError]]:
    """Every item of a catalog with its place, or what is wrong with it; of an API those of the known collections.

    Raises `SearchError`.
    """
    problems: list[str] = []
    query = Query(shapely.box(-180.0, -90.0, 180.0, 90.0), *EVER, (), tuple(known.known_collections()))
    for entry in entries(catalog, query, problems):
        try:
            item = item_from(entry.data, entry.home, f"item file {entry.name}")
            yield without_secrets(entry.name), FoundItem(entry.name, item, entry.home, entry.access)
        except CatalogError as error:
            yield without_secrets(entry.name), error
    for problem in problems:
        remedy = "Correct the catalog."
        yield (
            without_secrets(str(catalog)),
            SearchError(f"catalog {catalog}", problem, "a link that leads to an item", remedy),
        )


def _left_out(name: str, missing: list[str]) -> str:
    more = f" and {len(missing) - 1} more do" if len(missing) > 1 else " does"
    return f"{name}: {missing[0]}{more} not exist; the acquisition is left out"


def missing_files(acquisition: Acquisition) -> list[str]:
    """Local files of an acquisition that are not there."""
    swaths = [raster.swath for raster in acquisition.rasters if raster.swath]
    hrefs = sorted({raster.href for raster in acquisition.rasters} | {file for swath in swaths for file in swath.files})
    return [href for href in hrefs if not is_remote(href) and not Path(href).is_file()]


def _region(area: Area) -> BaseGeometry:
    """The area in parts within ±180°. Raises `SearchError`."""
    try:
        region = lonlat_box(*area) if isinstance(area, tuple) else cut(area) if is_wide(area) else area
    except ValueError as problem:
        remedy = "Give west, south, east, north in degrees."
        raise SearchError("the area", str(problem), "a box or a geometry", remedy) from problem
    return region if region.is_valid else shapely.make_valid(region)


def _wanted(sensors: Collection[Sensor]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of the collections that hold passes of some sensors, and of those that hold mosaics."""
    dated: list[str] = []
    references: list[str] = []
    for name, record in known.known_collections().items():
        if isinstance(record, known.SelfDescribing) and set(record.sensors) & set(sensors):
            dated.append(name)
        elif isinstance(record, known.Collection) and record.sensor in sensors:
            (references if record.reference_only else dated).append(name)
    return tuple(dated), tuple(references)


def _overlaps(acquisition: Acquisition, start: datetime, end: datetime, earliest: datetime) -> bool:
    return acquisition.start <= end and acquisition.end >= (earliest if acquisition.reference_only else start)


def _is_wanted(identifier: str | None, sensors: Collection[Sensor]) -> bool:
    """False of ground data and other sensors; True of an unknown collection, which is a problem to be told."""
    record = known.known_collections().get(str(identifier))
    if isinstance(record, known.Collection):
        return record.sensor in sensors
    return record is None or isinstance(record, known.SelfDescribing)


def _items(catalog: str | Path, query: Query, problems: list[str]) -> Iterator[FoundItem]:
    """Items that touch the area, each once; adds to `problems`."""
    homes: dict[tuple[object, object], str] = {}
    count = 0
    shapely.prepare(query.region)
    try:
        for entry in entries(catalog, query, problems):
            count += 1
            try:
                found = _item(entry, query.region)
            except CatalogError as error:
                problems.append(f"{entry.name}: {error}")
                continue
            if found is not None and _is_new(found, homes, problems):
                yield found
    except SearchError as broken:
        if not count:
            raise
        thing, what, expected, remedy = broken.args
        raise type(broken)(thing, f"{what}, after {count} items", expected, f"They are not used. {remedy}") from broken


def _item(entry: Entry, region: BaseGeometry) -> FoundItem | None:
    """The item of an entry, or None where it lies elsewhere. Raises `CatalogError`."""
    data = entry.data
    if not isinstance(data, dict) or data.get("type") != "Feature":
        return FoundItem(entry.name, item_from(data, entry.home, "the item"), entry.home, entry.access)  # which raises
    footprint = footprint_of(data)
    if not region.intersects(footprint.geometry):
        return None
    return FoundItem(entry.name, item_from(data, entry.home, "the item", links=False), entry.home, entry.access)


def _is_new(found: FoundItem, homes: dict[tuple[object, object], str], problems: list[str]) -> bool:
    """Whether an item was not found before: pages overlap, and some catalogs hold two files of one id."""
    key, home = (found.item.collection_id, found.item.id), str(found.item.get_self_href())
    if key not in homes:
        homes[key] = home
        return True
    if homes[key] != home:
        problems.append(f"{found.name}: has the id of {homes[key]}, which is used instead of it")
    return False
