"""Elevation, surface water and land cover: items of ancillary collections become `Ancillary` records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import pystac
import shapely
from pydantic import ValidationError
from shapely.geometry.base import BaseGeometry

from catalogs.acquisition import located
from catalogs.collection import AncillaryCollection, ancillary_collections
from catalogs.encoding import band_fields
from catalogs.errors import CatalogError, ItemError, SearchError, UnknownCollectionError
from catalogs.hrefs import is_web
from catalogs.records import OPEN, Access, Ancillary, RasterLayer, Record, Theme
from catalogs.search import Area, _catalog_file, _item_files, read_item


class FoundAncillary(Record):
    """What a search for ancillary data gave, and what could not be understood, never silently."""

    tiles: tuple[Ancillary, ...]
    """By collection, then id."""
    problems: tuple[str, ...] = ()
    """One sentence each: which item, what is wrong with it, what to do."""


def to_ancillary(item: pystac.Item, *, catalog_root: str | Path | None = None, access: Access = OPEN) -> Ancillary:
    """The record of one tile of a known ancillary collection; arguments as those of `to_acquisition`.

    No file is opened. Raises `UnknownCollectionError`, `ItemError` or `HrefError`.
    """
    collection = _collection_of(item)
    key = next((key for key in collection.assets if key in item.assets), None)
    if key is None:
        found = f"assets {', '.join(item.assets) or 'none'}"
        expected = f"one of {', '.join(collection.assets)}"
        raise ItemError(f"item {item.id} of collection {collection.id}", found, expected, "Correct its asset keys.")
    href, access, version = located(item, key, catalog_root, access)
    try:
        return Ancillary(
            id=item.id,
            collection=collection.id,
            theme=collection.theme,
            raster=_raster(item, collection, key, href, access),
            legend=collection.legend,
            at_least=collection.at_least,
            footprint=item.geometry or {},
            version=version,
        )
    except ValidationError as error:
        problem = error.errors()[0]
        found = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        raise ItemError(f"item {item.id}", found, "a value that fits", "Correct the item.") from error


def search_ancillary(catalog: str | Path, *, area: Area, wanted: str, access: Access = OPEN) -> FoundAncillary:
    """Tiles of a catalog that touch an area; `wanted` is a theme, or the id of one collection.

    Raises `SearchError` when the catalog cannot be searched, `UnknownCollectionError` for an unknown `wanted`.
    """
    region = shapely.box(*area) if isinstance(area, tuple) else area
    ids = _wanted_ids(wanted)
    tiles: list[Ancillary] = []
    problems: list[str] = []
    for item, root in _items(catalog, problems):
        if item.collection_id not in ids:
            continue
        try:
            if not _footprint(item).intersects(region):
                continue
            tile = to_ancillary(item, catalog_root=root, access=access)
        except CatalogError as error:
            problems.append(str(error))
            continue
        if is_web(tile.raster.href) or "://" in tile.raster.href or Path(tile.raster.href).is_file():
            tiles.append(tile)
        else:
            problems.append(f"item {tile.id}: {tile.raster.href} does not exist; the tile is left out")
    tiles.sort(key=lambda tile: (tile.collection, tile.id))
    return FoundAncillary(tiles=tuple(tiles), problems=tuple(problems))


def _items(catalog: str | Path, problems: list[str]) -> Iterator[tuple[pystac.Item, str | Path]]:
    """Every item of a catalog with the place that it was found in; adds to `problems`.

    The one place that knows how a catalog is read.
    """
    root = _catalog_file(catalog)
    for path in _item_files(root, problems):
        try:
            yield read_item(path), root
        except SearchError as error:
            problems.append(str(error))


def _wanted_ids(wanted: str) -> set[str]:
    known = ancillary_collections()
    ids = set(ancillary_collections(cast(Theme, wanted))) if wanted in get_args(Theme) else {wanted} & set(known)
    if not ids:
        expected = f"a theme ({', '.join(get_args(Theme))}) or one of {', '.join(known)}"
        remedy = "Add a YAML to catalogs/collections."
        raise UnknownCollectionError(f"ancillary collection {wanted!r}", "an id that is not known", expected, remedy)
    return ids


def _collection_of(item: pystac.Item) -> AncillaryCollection:
    """The item's collection, completed with what the item says where it describes itself."""
    known = ancillary_collections()
    if item.collection_id is None or item.collection_id not in known:
        found, expected = f"collection {item.collection_id!r}", f"one of {', '.join(known)}"
        raise UnknownCollectionError(f"item {item.id}", found, expected, "Add a YAML to catalogs/collections.")
    record = known[item.collection_id]
    if not record.self_described:
        return record
    fields = ("band", "scale", "offset", "nodata", "legend", "at_least")
    stated = {name: item.properties[f"overbank:{name}"] for name in fields if f"overbank:{name}" in item.properties}
    try:
        return AncillaryCollection.model_validate(record.model_dump() | stated)
    except ValidationError as error:
        problem = error.errors()[0]
        found = f"overbank:{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        remedy = "Ingest the file again with `overbank catalog ingest`."
        raise ItemError(f"item {item.id}", found, "a value that fits", remedy) from error


def _raster(item: pystac.Item, collection: AncillaryCollection, key: str, href: str, access: Access) -> RasterLayer:
    """The raster as the collection describes it. What the item says of nodata is added."""
    stated: dict[str, Any] = band_fields(item.assets[key].extra_fields, collection.band)
    values = (*collection.nodata, *([float(stated["nodata"])] if "nodata" in stated else []))
    return RasterLayer(
        href=href,
        band=collection.band,
        scale=collection.scale,
        offset=collection.offset,
        nodata=tuple(dict.fromkeys(value for value in values if value == value)),
        access=access,
    )


def _footprint(item: pystac.Item) -> BaseGeometry:
    try:
        footprint: BaseGeometry = shapely.geometry.shape(item.geometry)
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as error:
        remedy = "Correct the item's geometry."
        raise ItemError(f"item {item.id}", f"a geometry that fails: {error}", "GeoJSON", remedy) from error
    return footprint
