"""Elevation, drainage, surface water and land cover: items of ancillary collections become `Ancillary` records."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, cast, get_args

import pystac
from pydantic import ValidationError

from catalogs.acquisition import local_stamp, located, paid
from catalogs.collection import AncillaryCollection, ancillary_collections
from catalogs.encoding import band_fields
from catalogs.errors import CatalogError, ItemError, UnknownCollectionError, without_secrets
from catalogs.footprints import footprint_json
from catalogs.hrefs import is_remote
from catalogs.items import understood
from catalogs.records import OPEN, Access, Ancillary, RasterLayer, Record, Theme, first_problem
from catalogs.search import Area, find_items
from catalogs.web.signing import unsigned


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
    with understood(item):
        return _ancillary(item, _collection_of(item), catalog_root, access)


def _ancillary(
    item: pystac.Item, collection: AncillaryCollection, root: str | Path | None, access: Access
) -> Ancillary:
    key = next((key for key in collection.assets if key in item.assets), None)
    if key is None:
        found = f"assets {', '.join(item.assets) or 'none'}"
        expected = f"one of {', '.join(collection.assets)}"
        raise ItemError(f"item {item.id} of collection {collection.id}", found, expected, "Correct its asset keys.")
    href = unsigned(located(item, key, root), access)  # signed anew when a pixel is read
    access = paid(access, item.properties.get("storage:requester_pays") is True)
    return Ancillary(
        id=item.id,
        collection=collection.id,
        theme=collection.theme,
        raster=_raster(item, collection, key, href, access),
        legend=collection.legend,
        at_least=collection.at_least,
        footprint=footprint_json(item),
        version=_version(item, item.assets[key], href),
    )


def search_ancillary(catalog: str | Path, *, area: Area, wanted: str) -> FoundAncillary:
    """Tiles of a catalog that touch an area; `wanted` is a theme, or the id of one collection.

    Raises `SearchError` when the catalog cannot be searched, `UnknownCollectionError` for an unknown `wanted`.
    """
    tiles: list[Ancillary] = []
    problems: list[str] = []
    for found in find_items(catalog, area=area, wanted=_wanted_ids(wanted), problems=problems):
        try:
            tile = to_ancillary(found.item, catalog_root=found.root, access=found.access)
        except CatalogError as error:
            problems.append(f"{found.name}: {error}")
            continue
        href = tile.raster.href
        if is_remote(href) or Path(href).is_file():
            tiles.append(tile)
        else:
            problems.append(f"{found.name}: {href} does not exist; the tile is left out")
    tiles.sort(key=lambda tile: (tile.collection, tile.id))
    return FoundAncillary(tiles=tuple(tiles), problems=tuple(map(without_secrets, problems)))


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
        found = f"overbank:{first_problem(error)}"
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


def _version(item: pystac.Item, asset: pystac.Asset, href: str) -> str:
    """A digest of `updated`, checksum, and size and time of a local file; empty where nothing is known."""
    parts = [str(item.properties.get("updated", "")), str(asset.extra_fields.get("file:checksum", ""))]
    parts += local_stamp(href)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if any(parts) else ""
