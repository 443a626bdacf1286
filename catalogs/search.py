"""Area and dates → acquisitions, from a static STAC catalog on this disk.

Item files are read one by one here rather than through `pystac.Catalog`: one broken file must become a
named problem, not the end of the search. Search through a STAC API and over HTTP comes with the next issue;
it joins `search` behind the same signature.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import pystac
import shapely
from shapely.geometry.base import BaseGeometry

from catalogs.acquisition import to_acquisition
from catalogs.doctor.item import item_findings
from catalogs.doctor.record import record_findings
from catalogs.errors import CatalogError, SearchError
from catalogs.findings import Finding
from catalogs.hrefs import is_web
from catalogs.records import SENSORS, Acquisition, Record, Sensor
from catalogs.times import utc

Area: TypeAlias = tuple[float, float, float, float] | BaseGeometry
"""West, south, east, north in degrees, or a geometry in longitude and latitude."""

_CORRECT = "Correct the file, or take its link out of the catalog."


class Found(Record):
    """What a search gave: the acquisitions, and what could not be understood, never silently."""

    acquisitions: tuple[Acquisition, ...]
    """By start, then id."""
    problems: tuple[str, ...] = ()
    """One sentence each: which item, what is wrong with it, what to do."""
    findings: tuple[Finding, ...] = ()
    """What is odd about the acquisitions found, by their items alone."""


def search(
    catalog: str | Path,
    *,
    area: Area,
    start: datetime,
    end: datetime,
    sensors: Collection[Sensor] = SENSORS,
) -> Found:
    """Acquisitions that touch `area` and overlap start … end (UTC where no zone is given).

    A product over months (`reference_only`) also counts when it ends before `start`. `catalog` is a folder
    with a catalog.json, or a STAC catalog or collection file. Raises `SearchError` when it cannot be
    searched; what is wrong with single items is in `Found.problems`.
    """
    region = shapely.box(*area) if isinstance(area, tuple) else area
    window = utc(start), utc(end)
    root = _catalog_file(catalog)
    acquisitions: list[Acquisition] = []
    problems: list[str] = []
    findings: list[Finding] = []
    for path in _item_files(root, problems):
        try:
            acquisition, odd = _acquisition(path, root, region)
        except CatalogError as error:
            problems.append(f"{path}: {error}")
            continue
        if acquisition and acquisition.sensor in sensors and _overlaps(acquisition, *window):
            missing = missing_files(acquisition)
            problems.extend(f"{path}: {name} does not exist; the acquisition is left out" for name in missing)
            acquisitions.extend([] if missing else [acquisition])
            findings.extend(odd)
    acquisitions.sort(key=lambda found: (found.start, found.id))
    return Found(acquisitions=tuple(acquisitions), problems=tuple(problems), findings=tuple(findings))


def catalog_items(catalog: str | Path) -> Iterator[tuple[str, pystac.Item | CatalogError]]:
    """Every item of a catalog with its place, or what is wrong with it. Raises `SearchError`."""
    problems: list[str] = []
    for path in _item_files(_catalog_file(catalog), problems):
        try:
            yield str(path), read_item(path)
        except CatalogError as error:
            yield str(path), error
    for problem in problems:
        yield str(catalog), SearchError(f"catalog {catalog}", problem, "a link that leads to an item", _CORRECT)


def missing_files(acquisition: Acquisition) -> list[str]:
    """Local files of an acquisition that are not there."""
    hrefs = sorted({raster.href for raster in acquisition.rasters})
    return [href for href in hrefs if not is_web(href) and not Path(href).is_file()]


def _catalog_file(catalog: str | Path) -> Path:
    """The catalog's own file on this disk."""
    expected = "a folder with catalog.json, or a STAC catalog file"
    if is_web(catalog):
        remedy = "Searching a STAC API or a web catalog is not built yet: download it, or ingest local files."
        raise SearchError(f"catalog {catalog}", "a web address", expected, remedy)
    path = Path(catalog).expanduser().absolute()
    path = path / "catalog.json" if path.is_dir() else path
    if not path.is_file():
        remedy = "Check the path, or make a catalog with `overbank catalog ingest FOLDER --out CATALOG`."
        raise SearchError(f"catalog {catalog}", f"no file {path}", expected, remedy)
    kind = _read_json(path).get("type")
    if kind not in ("Catalog", "Collection"):
        raise SearchError(f"catalog {path}", f"type {kind!r}", "type Catalog or Collection", "Give its catalog.json.")
    return path


def _item_files(root: Path, problems: list[str]) -> Iterator[Path]:
    """Every item file below a catalog, each once, in the order of the links; adds to `problems`."""
    waiting, seen = [root], {root}
    while waiting:
        path = waiting.pop(0)
        for relation, target in _links(path, problems):
            if target in seen:
                continue
            seen.add(target)
            if relation == "item":
                yield target
            else:
                waiting.append(target)


def _links(path: Path, problems: list[str]) -> list[tuple[str, Path]]:
    """(relation, file) of a catalog's children and items."""
    try:
        links = _read_json(path).get("links", [])
    except SearchError as error:
        problems.append(str(error))
        return []
    targets: list[tuple[str, Path]] = []
    for link in links if isinstance(links, list) else []:
        relation, href = (link.get("rel"), link.get("href")) if isinstance(link, dict) else (None, None)
        if relation not in ("child", "item"):
            continue
        if not isinstance(href, str) or "://" in href:
            problems.append(f"{path}: the link {href!r} leads off this disk and is not followed yet")
            continue
        targets.append((relation, (path.parent / href).resolve()))
    return targets


def _acquisition(path: Path, root: Path, region: BaseGeometry) -> tuple[Acquisition | None, tuple[Finding, ...]]:
    """The item of one file and what is odd about it, or None when it lies elsewhere. Raises `CatalogError`."""
    item = read_item(path)
    try:
        footprint = shapely.geometry.shape(item.geometry)
        if not footprint.intersects(region):
            return None, ()
    except (AttributeError, LookupError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
        remedy = "Correct the item's geometry."
        raise SearchError(f"item {item.id}", f"a geometry that fails: {error}", "GeoJSON", remedy) from error
    scene = to_acquisition(item, catalog_root=root)
    return scene, (*item_findings(item), *record_findings(scene))


def read_item(path: Path) -> pystac.Item:
    """A STAC item from a file, with its own place as self link. Raises `SearchError` when it is none.

    A self link in the file, where the item once came from, is put aside: relative assets lie beside the file.
    """
    data = _read_json(path)
    try:
        if data.get("type") != "Feature":
            raise ValueError(f"type {data.get('type')!r}")
        data["links"] = [link for link in data.get("links", []) if link.get("rel") != "self"]
        item = pystac.Item.from_dict(data, migrate=False)
    except Exception as error:  # pystac raises whatever the broken JSON leads to
        remedy = _CORRECT
        raise SearchError(f"item file {path}", f"{type(error).__name__}: {error}", "a STAC item", remedy) from error
    item.set_self_href(str(path))
    return item


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError(f"a JSON {type(data).__name__}")
    except (OSError, ValueError) as error:
        remedy = _CORRECT
        raise SearchError(f"file {path}", f"{type(error).__name__}: {error}", "a JSON object", remedy) from error
    return data


def _overlaps(acquisition: Acquisition, start: datetime, end: datetime) -> bool:
    if acquisition.start > end:
        return False
    return acquisition.reference_only or acquisition.end >= start
