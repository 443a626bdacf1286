"""Rasters → STAC items, and items → a self-contained static catalog on disk."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pystac
import shapely
from pydantic import Field
from rasterio.warp import transform_geom

from catalogs.collection import known_collections
from catalogs.errors import CatalogError, ProductError
from catalogs.header import Header, read_header
from catalogs.lonlat import bbox, bbox_around, cut
from catalogs.records import Record
from catalogs.times import utc

EXTENSIONS = {
    name: f"https://stac-extensions.github.io/{name}/{version}/schema.json"
    for name, version in {
        "projection": "v2.0.0",
        "raster": "v1.1.0",
        "file": "v2.1.0",
        "sar": "v1.3.0",
        "sat": "v1.2.0",
        "eo": "v1.1.0",
        "view": "v1.1.0",
        "processing": "v1.2.0",
        "classification": "v1.1.0",
        "mlm": "v1.5.2",
    }.items()
}
_PREFIXES = {"proj": "projection"} | {name: name for name in EXTENSIONS if name != "projection"}
_IDENTIFIER = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$")
_STRUCTURE = ("root", "parent", "collection", "self", "child", "item")
_MEDIA_TYPES = {
    ".tif": pystac.MediaType.GEOTIFF,
    ".tiff": pystac.MediaType.GEOTIFF,
    ".jp2": pystac.MediaType.JPEG2000,
}
_EDGE_POINTS = 21
"""Points along each edge of a footprint, so that a straight edge in UTM stays true in degrees."""


class SceneFile(Record):
    """One raster of a scene, and what its header does not say of it."""

    path: Path
    title: str = ""
    roles: tuple[str, ...] = ("data",)
    scale: float | None = None
    """Value = scale · DN + offset, written to raster:bands."""
    offset: float | None = None
    nodata: float | None = None
    """Where the header names none."""
    common_names: tuple[str, ...] = ()
    """STAC common name of each band (blue, green, red, nir, swir16, swir22, cirrus), optics only."""
    media_type: str = ""
    """By the file's suffix where empty; say pystac.MediaType.COG of a COG."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """More fields of the asset, for example classification:classes."""


def scene_item(
    identifier: str,
    collection: str,
    files: Mapping[str, SceneFile],
    *,
    start: datetime,
    end: datetime | None = None,
    properties: Mapping[str, Any] | None = None,
) -> pystac.Item:
    """An item for the rasters of one scene, by asset key; all of one coordinate reference system.

    Footprint, proj:*, raster:bands and file:size come from the files; the extensions declared are those whose
    fields are there. Asset hrefs are absolute paths. Raises `ProductError`.
    """
    if not _IDENTIFIER.match(identifier):
        remedy = "Use letters, digits, '_', '-' and '.'."
        raise ProductError(f"item id {identifier!r}", "other characters", "an id that can name a folder", remedy)
    headers = {key: read_header(file.path) for key, file in files.items()}
    first, last = utc(start), utc(end or start)
    geometry = footprint(identifier, headers.values())
    item = pystac.Item(
        id=identifier,
        geometry=geometry,
        bbox=bbox(shapely.geometry.shape(geometry)),
        datetime=first + (last - first) / 2,
        start_datetime=first if last > first else None,
        end_datetime=last if last > first else None,
        properties={**(properties or {}), **_projection(next(iter(headers.values())))},
        collection=collection,
    )
    for key, file in files.items():
        item.add_asset(key, _asset(file, headers[key]))
    item.stac_extensions = _extensions(item)
    return item


def footprint(name: str, headers: Iterable[Header]) -> dict[str, Any]:
    """GeoJSON in longitude and latitude around all rasters of a scene; cut where it crosses the antimeridian.

    Raises `ProductError` when they are not all of one coordinate reference system.
    """
    headers = list(headers)
    systems = {header.crs for header in headers}
    if len(systems) != 1:
        found = f"{len(systems)} coordinate reference systems" if systems else "no raster"
        raise ProductError(f"scene {name}", found, "rasters of one system", "Make one item of each system.")
    lefts, bottoms, rights, tops = zip(*(header.bounds for header in headers), strict=True)
    box = shapely.box(min(lefts), min(bottoms), max(rights), max(tops))
    dense = shapely.segmentize(box, max(rights[0] - lefts[0], tops[0] - bottoms[0]) / (_EDGE_POINTS - 1))
    polygon = box if systems == {"EPSG:4326"} else dense
    geometry = transform_geom(systems.pop(), "EPSG:4326", shapely.geometry.mapping(polygon), precision=7)
    around: dict[str, Any] = shapely.geometry.mapping(cut(shapely.geometry.shape(geometry)))
    return around


def write_catalog(root: Path, items: Iterable[pystac.Item], title: str) -> Path:
    """Write items into the catalog at `root`, new or existing, and give back its catalog.json.

    Layout: catalog.json, COLLECTION/collection.json, COLLECTION/ITEM/ITEM.json, with relative links; assets
    below `root` get relative addresses, all others absolute ones. An item of the same id is replaced. Every
    file appears by one rename, items before collections before the catalog, so a reader never meets a link
    to something unfinished. Raises `CatalogError` when `root` holds something else.
    """
    root = Path(root).absolute()
    groups: dict[str, dict[str, pystac.Item]] = {}
    for item in items:
        groups.setdefault(_collection_id(item), {})[item.id] = item
    catalog = _existing(root / "catalog.json", "Catalog") or _new_catalog(root, title)
    for collection_id, members in groups.items():
        for item in members.values():
            write_json(root / collection_id / item.id / f"{item.id}.json", _item_json(item, root))
        path = root / collection_id / "collection.json"
        collection = _existing(path, "Collection") or _new_collection(collection_id)
        write_json(path, _with_items(collection, members.values()))
    _add_links(catalog, "child", (f"./{name}/collection.json" for name in groups))
    write_json(root / "catalog.json", catalog)
    return root / "catalog.json"


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON by one rename, the folders above it included."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text by one rename, the folders above it included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _projection(header: Header) -> dict[str, Any]:
    if header.crs.startswith("EPSG:"):
        return {"proj:code": header.crs}
    return {"proj:code": None, "proj:wkt2": header.crs}


def _asset(file: SceneFile, header: Header) -> pystac.Asset:
    bands = [_raster_band(file, header, index) for index in range(len(header.dtypes))]
    fields: dict[str, Any] = {
        "proj:shape": list(header.shape),
        "proj:transform": list(header.transform),
        "raster:bands": bands,
        "file:size": file.path.stat().st_size,
        **file.fields,
    }
    if file.common_names:
        fields["eo:bands"] = [{"name": name, "common_name": name} for name in file.common_names]
    return pystac.Asset(
        href=str(file.path.absolute()),
        title=file.title or None,
        media_type=file.media_type or _MEDIA_TYPES.get(file.path.suffix.lower()),
        roles=list(file.roles),
        extra_fields=fields,
    )


def _raster_band(file: SceneFile, header: Header, index: int) -> dict[str, Any]:
    nodata = header.nodata[index] if header.nodata[index] is not None else file.nodata
    stated = {"nodata": _json_number(nodata), "scale": file.scale, "offset": file.offset}
    band = {"data_type": header.dtypes[index]}
    return band | {name: value for name, value in stated.items() if value is not None}


def _json_number(value: float | None) -> float | str | None:
    """NaN and infinity as the strings of the raster extension."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _extensions(item: pystac.Item) -> list[str]:
    keys = chain(item.properties, *(asset.extra_fields for asset in item.assets.values()))
    prefixes = {key.partition(":")[0] for key in keys if ":" in key}
    return [EXTENSIONS[name] for prefix, name in _PREFIXES.items() if prefix in prefixes]


def _collection_id(item: pystac.Item) -> str:
    if item.collection_id and _IDENTIFIER.match(item.collection_id) and _IDENTIFIER.match(item.id):
        return item.collection_id
    found = f"collection {item.collection_id!r}"
    raise CatalogError(f"item {item.id!r}", found, "ids that can name a folder", "Give both a plain id.")


def _item_json(item: pystac.Item, root: Path) -> dict[str, Any]:
    """The item as it lies in the catalog: structural links relative, assets below the root too."""
    folder = root / str(item.collection_id) / item.id
    data: dict[str, Any] = item.to_dict(include_self_link=False, transform_hrefs=False)
    kept = [link for link in data["links"] if link["rel"] not in _STRUCTURE]
    data["links"] = [
        {"rel": "root", "href": "../../catalog.json", "type": "application/json"},
        {"rel": "parent", "href": "../collection.json", "type": "application/json"},
        {"rel": "collection", "href": "../collection.json", "type": "application/json"},
        *kept,
    ]
    for key, asset in item.assets.items():
        href = asset.get_absolute_href() or asset.href
        below = href.startswith(f"{root}{os.sep}")
        data["assets"][key]["href"] = os.path.relpath(href, folder) if below else href
    return data


def _existing(path: Path, kind: str) -> dict[str, Any] | None:
    """The JSON of an existing catalog or collection; None where there is no file."""
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CatalogError(f"file {path}", str(error), f"a STAC {kind}", "Choose another folder.") from error
    if not isinstance(data, dict) or data.get("type") != kind:
        raise CatalogError(f"file {path}", "other JSON", f"a STAC {kind}", "Choose another folder.")
    return data


def _new_catalog(root: Path, title: str) -> dict[str, Any]:
    catalog = pystac.Catalog(id=root.name or "catalog", title=title, description=title)
    data: dict[str, Any] = catalog.to_dict(include_self_link=False, transform_hrefs=False)
    data["links"] = [{"rel": "root", "href": "./catalog.json", "type": "application/json"}]
    return data


def _new_collection(identifier: str) -> dict[str, Any]:
    known = known_collections().get(identifier)
    title = known.title if known else identifier
    nowhere = pystac.Extent(pystac.SpatialExtent([-180.0, -90.0, 180.0, 90.0]), pystac.TemporalExtent([None, None]))
    licence = known.licence if known else "other"
    collection = pystac.Collection(identifier, title, nowhere, title=title, license=licence)
    data: dict[str, Any] = collection.to_dict(include_self_link=False, transform_hrefs=False)
    data["extent"] = {"spatial": {"bbox": []}, "temporal": {"interval": []}}
    data["links"] = [
        {"rel": relation, "href": "../catalog.json", "type": "application/json"} for relation in ("root", "parent")
    ]
    return data


def _with_items(collection: dict[str, Any], items: Iterable[pystac.Item]) -> dict[str, Any]:
    """The collection with links to the items, and its extent grown to hold them."""
    items = list(items)
    extent = collection["extent"]
    extent["spatial"]["bbox"] = [
        bbox_around(extent["spatial"]["bbox"][:1] + [item.bbox for item in items if item.bbox])
    ]
    times = [time for item in items for time in _times(item)]
    known = [time for time in chain(*extent["temporal"]["interval"][:1]) if time] + times
    extent["temporal"]["interval"] = [[min(known), max(known)]]
    _add_links(collection, "item", (f"./{item.id}/{item.id}.json" for item in items))
    return collection


def _times(item: pystac.Item) -> Iterator[str]:
    for name in ("start_datetime", "end_datetime"):
        yield str(item.properties.get(name) or item.properties["datetime"])


def _add_links(data: dict[str, Any], relation: str, hrefs: Iterable[str]) -> None:
    present = {link["href"] for link in data["links"] if link["rel"] == relation}
    media = "application/geo+json" if relation == "item" else "application/json"
    data["links"] += [{"rel": relation, "href": href, "type": media} for href in hrefs if href not in present]
