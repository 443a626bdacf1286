"""`overbank catalog check`: items and catalogs, cheaply or with a look at their files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pystac

from catalogs.ancillary import to_ancillary
from catalogs.collection import ancillary_collections
from catalogs.doctor.examine import examine, examine_files
from catalogs.doctor.findings import Finding, ordered
from catalogs.doctor.item import is_raster, item_findings
from catalogs.doctor.record import read_record, refusal
from catalogs.errors import CatalogError, HrefError, SearchError
from catalogs.hrefs import check_href, is_web
from catalogs.passes import passes
from catalogs.records import OPEN, Acquisition, RasterLayer
from catalogs.search import FoundItem, catalog_items, read_item
from catalogs.sources.choose import PARQUET
from catalogs.stated import stated_of

Say = Callable[[str], None]
WANTED = "an item, a catalog, a collection of features, or a job"


def check_file(path: Path, deep: bool = True, say: Say = lambda _: None) -> tuple[Finding, ...]:
    """Findings of a STAC file, an item, several, a catalog or stac-geoparquet, or of a folder.

    `deep` opens the files of each item; `say` hears of each item. Raises `SearchError` when there is no such thing.
    """
    if path.is_dir() or path.suffix.lower() in PARQUET:
        return check_catalog(path, deep, say)
    data = _read(path)
    kind = data.get("type") if isinstance(data, dict) else None
    if kind in ("Catalog", "Collection"):
        return check_catalog(path, deep, say)
    if kind == "Feature":
        return _check_all([(str(path), FoundItem(str(path), read_item(path), str(path), OPEN))], deep, say)
    features = data if isinstance(data, list) else data.get("features") if kind == "FeatureCollection" else None
    if not isinstance(features, list):
        remedy = "Give the path of such a file."
        raise SearchError(f"file {path}", f"JSON of type {kind!r}", WANTED, remedy)
    return _check_all(_features(path, features), deep, say)


def check_item(item: pystac.Item, deep: bool = True, catalog_root: str | Path | None = None) -> tuple[Finding, ...]:
    """Findings of one item, with `deep` of its files too."""
    root = catalog_root if catalog_root is not None else item.get_self_href() or ""
    return _check_one(FoundItem(item.id, item, str(root), OPEN), deep)[1]


def check_catalog(catalog: str | Path, deep: bool = True, say: Say = lambda _: None) -> tuple[Finding, ...]:
    """Findings of every item of a catalog, and of its items against each other. Raises `SearchError`."""
    return _check_all(catalog_items(catalog), deep, say)


def _check_all(items: Iterable[tuple[str, FoundItem | CatalogError]], deep: bool, say: Say) -> tuple[Finding, ...]:
    found: list[Finding] = []
    scenes: list[Acquisition] = []
    for place, item in items:
        say(place)
        if isinstance(item, CatalogError):
            _, told, expected, _ = item.args
            found.append(Finding(code="broken-item", thing=place, found=told, expected=expected))
            continue
        scene, findings = _check_one(item, deep)
        found += findings
        scenes += [] if scene is None else [scene]
    return ordered([*found, *passes(scenes)[1]])


def _check_one(place: FoundItem, deep: bool) -> tuple[Acquisition | None, tuple[Finding, ...]]:
    item = place.item
    found = list(item_findings(item))
    if item.collection_id in ancillary_collections():
        return None, _check_ground(place, found, deep)
    scene, findings = read_record(item, place.root or None, place.access)
    known = {finding.code for finding in found}
    found += [finding for finding in findings if finding.code not in known]
    if not deep:
        return scene, ordered(found)
    if scene is None:
        return None, ordered([*found, *examine_files(item.id, dict(_rasters(place)))])
    found = [finding for finding in found if finding.code != "missing-nodata"]  # the header is known better
    return scene, ordered([*found, *examine(scene)])


def _check_ground(place: FoundItem, found: list[Finding], deep: bool) -> tuple[Finding, ...]:
    """Findings of what is known of the ground: it has no satellite, and the raster that a job would read counts."""
    found = [finding for finding in found if finding.code != "missing-platform"]
    try:
        tile = to_ancillary(place.item, catalog_root=place.root or None, access=place.access)
    except CatalogError as error:
        return ordered([*found, refusal(place.item, error)])
    return ordered([*found, *(examine_files(tile.id, {tile.theme: tile.raster}) if deep else ())])


def _rasters(place: FoundItem) -> Iterator[tuple[str, RasterLayer]]:
    """The rasters of an item that is no acquisition, as far as they may be opened."""
    item = place.item
    for key, asset in item.assets.items():
        href = asset.get_absolute_href()
        if href is None or not is_raster(asset):
            continue
        try:
            check_href(href, place.root or None)
        except HrefError:
            continue
        yield key, RasterLayer(href=href, access=place.access, stated=stated_of(item.properties, asset.extra_fields, 1))


def _features(path: Path, features: list[object]) -> Iterator[tuple[str, FoundItem | CatalogError]]:
    """The items of a feature collection; a self link on the web stays their place."""
    for number, data in enumerate(features, start=1):
        place = f"{path}, feature {number}"
        try:
            item = pystac.Item.from_dict(dict(data), migrate=False)  # type: ignore[call-overload]
        except Exception as error:  # pystac raises whatever the broken JSON leads to
            found = f"{type(error).__name__}: {error}"
            yield place, SearchError(place, found, "a STAC item", "Correct the file.")
            continue
        if not is_web(item.get_self_href() or ""):
            item.set_self_href(str(path))
        yield place, FoundItem(place, item, str(path), OPEN)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SearchError(f"file {path}", (error.strerror or str(error)).lower(), WANTED, "Check the path.") from error
    except ValueError as error:
        remedy = "Give the path of such a file, or describe products with `overbank catalog ingest`."
        raise SearchError(f"file {path}", f"no JSON ({error})", WANTED, remedy) from error
