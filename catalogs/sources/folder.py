"""A folder that is no catalog: item files below it, and products that can be described without unpacking."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import requests

from catalogs.errors import CatalogError, SearchError
from catalogs.sources.documents import read_document
from catalogs.sources.query import Entry
from catalogs.sources.static import items_in

MOST_FILES = 20_000
"""JSON files of one folder that are looked at."""


def folder_entries(folder: Path, session: requests.Session, problems: list[str]) -> Iterator[Entry]:
    """Items in the JSON files below a folder, and of the products in it; adds to `problems`.

    Nothing is written: archives, which would have to be unpacked, become problems that say so. JSON that holds no
    item is passed over. Raises `SearchError` where there are neither items nor products.
    """
    from catalogs.products import describe  # the formats read items themselves: here, so that none waits for the other

    try:
        described = describe(folder)
    except CatalogError as problem:  # a mistake in the folder's overbank.yaml
        raise SearchError(*problem.args) from problem
    problems.extend(described.problems)
    for item in described.items:
        yield Entry(
            f"product {item.id}",
            item.to_dict(include_self_link=False, transform_hrefs=False),
            str(folder / "item.json"),
        )
    count = len(described.items) + len(described.problems)
    for path in _json_files(folder, described.places):
        try:
            items = _stac_items(read_document(str(path), session))
        except SearchError as problem:
            problems.append(str(problem))
            continue
        count += len(items)
        yield from (Entry(_name(path, item, len(items)), item, str(path)) for item in items)
    if not count:
        found = "no catalog.json, no item and no product"
        remedy = "Check the path, or make a catalog with `overbank catalog ingest FOLDER --out CATALOG`."
        raise SearchError(f"folder {folder}", found, "a catalog, STAC items or products", remedy)


def _json_files(folder: Path, places: tuple[Path, ...]) -> list[Path]:
    """JSON files below a folder, but none of the products', which are described already."""
    found = list(
        islice((path for suffix in ("json", "geojson") for path in folder.rglob(f"*.{suffix}")), MOST_FILES + 1)
    )
    if len(found) > MOST_FILES:
        remedy = "Give a smaller folder, or make a catalog of it."
        raise SearchError(f"folder {folder}", f"over {MOST_FILES} JSON files", "fewer", remedy)
    return sorted(path for path in found if not any(path.is_relative_to(place) for place in places))


def _stac_items(data: Any) -> list[Any]:
    """The STAC items of a document, none where it is something else: a folder holds JSON of many kinds."""
    items = items_in(data) or []
    return [item for item in items if isinstance(item, dict) and "stac_version" in item and "assets" in item]


def _name(path: Path, item: Any, count: int) -> str:
    return str(path) if count == 1 else f"{path} ({item.get('id')})"
