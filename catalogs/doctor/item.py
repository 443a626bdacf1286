"""The cheap checks: an item held against itself. No file is opened."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pystac
from pystac.utils import str_to_datetime

from catalogs.doctor.findings import Finding
from catalogs.doctor.validity import schema_faults
from catalogs.errors import ItemError
from catalogs.footprints import footprint_of
from catalogs.stated import numbers, stated_of
from catalogs.times import utc
from catalogs.web.signing import signature_ends

Told = tuple[str, str, str]
"""Code, found, expected."""

RASTER = ("image/tiff", "image/jp2", "image/x.geotiff", "application/x-geotiff")
RADAR_GEOMETRY = ("GRD", "SLC", "RAW")
RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")
TIMES = ("datetime", "start_datetime", "end_datetime")
BOX_SLACK = 0.1
"""Share of its size by which a bounding box may differ from its geometry, beside `BOX_LEAST`."""
BOX_LEAST = 0.02
"""Degrees: footprints are simplified, boxes are rounded."""


def item_findings(item: pystac.Item, now: datetime | None = None) -> tuple[Finding, ...]:
    """What is wrong with an item by itself. Fast: search calls it for every item. `now`: for signatures."""
    now = now or datetime.now(UTC)
    checks: tuple[Callable[[pystac.Item], Iterator[Told]], ...] = (
        _schema,
        _times,
        _footprint,
        _satellite,
        _grids,
        _geometry,
    )
    found = [
        Finding(code=code, thing=item.id, found=what, expected=want)
        for check in checks
        for code, what, want in check(item)
    ]
    for key, asset in item.assets.items():
        expired = signature_ends(str(asset.href))
        if expired is not None and expired < now:
            told = f"a signature that ended {expired:%Y-%m-%d %H:%M} UTC"
            found.append(
                Finding(code="expired-signature", thing=item.id, layer=key, found=told, expected="a later end")
            )
    return tuple(found)


def _schema(item: pystac.Item) -> Iterator[Told]:
    for found, expected in schema_faults(item.properties, item.stac_extensions):
        yield "schema-fault", found, expected


def _times(item: pystac.Item) -> Iterator[Told]:
    given = {name: item.properties.get(name) for name in TIMES if item.properties.get(name) is not None}
    if not given and item.datetime is None:
        yield "broken-times", "no time", "datetime, or start_datetime and end_datetime"
    parsed = {}
    odd = [f"{name} {value!r}" for name, value in given.items() if not RFC3339.fullmatch(str(value))]
    for name, value in given.items():
        try:
            parsed[name] = str_to_datetime(str(value))
        except (ValueError, OverflowError):
            yield "broken-times", f"{name} {value!r}", "a time (RFC 3339)"
            continue
    if odd and len(parsed) == len(given):
        yield "time-format", " and ".join(odd), "RFC 3339, for example 2024-02-12T05:10:00Z"
    start, end = parsed.get("start_datetime"), parsed.get("end_datetime")
    if start and end and utc(end) < utc(start):
        yield "broken-times", f"the end {end.isoformat()} before the start {start.isoformat()}", "start before end"


def _footprint(item: pystac.Item) -> Iterator[Told]:
    try:
        footprint = footprint_of(item)
    except ItemError as error:
        yield "broken-footprint", str(error.args[1]), "GeoJSON with a place"
        return
    if footprint.repaired:
        yield "footprint-repaired", footprint.note or "empty parts, crossed rings or a wrap at ±180°", "valid GeoJSON"
        return
    west, south, east, north = footprint.geometry.bounds
    box = numbers(item.bbox, 4) if isinstance(item.bbox, list | tuple) and len(item.bbox) == 4 else None
    if box is None or box[0] > box[2] or east - west > 180:  # at the antimeridian boxes and bounds differ by nature
        return
    slack = max(BOX_LEAST, BOX_SLACK * max(east - west, north - south))
    if max(abs(a - b) for a, b in zip(box, (west, south, east, north), strict=True)) > slack:
        told = ", ".join(f"{value:.3f}" for value in box)
        yield "footprint-off", f"the box {told}", ", ".join(f"{v:.3f}" for v in (west, south, east, north))


def _satellite(item: pystac.Item) -> Iterator[Told]:
    if not item.properties.get("platform"):
        yield "missing-platform", "no platform", "the satellite, for example sentinel-1a"


def _grids(item: pystac.Item) -> Iterator[Told]:
    """proj:* of the item and of each raster asset, held against itself; the same complaint once."""
    complaints: dict[tuple[str, str], None] = {}
    for fields in (item.properties, *(asset.extra_fields for asset in item.assets.values())):
        if "proj:transform" not in fields:
            continue
        told = grid_complaint(fields)
        if told is not None:
            complaints[told] = None
    yield from (("inconsistent-grid", found, expected) for found, expected in complaints)


def grid_complaint(fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """(found, expected) where transform and shape do not span the bounding box of the same place."""
    transform, shape = numbers(fields.get("proj:transform"), 6), numbers(fields.get("proj:shape"), 2)
    box = numbers(fields.get("proj:bbox"), 4)
    if transform is None or shape is None:
        return None
    a, b, c, d, e, f = transform
    if a * e - b * d == 0:
        return f"proj:transform {list(transform)} without a pixel size", "a transform that can be inverted"
    if box is None:
        return None
    rows, columns = shape
    corners = [(a * x + b * y + c, d * x + e * y + f) for x in (0, columns) for y in (0, rows)]
    xs, ys = zip(*corners, strict=True)
    span = (min(xs), min(ys), max(xs), max(ys))
    pixel = max(math.hypot(a, d), math.hypot(b, e))
    if max(abs(one - other) for one, other in zip(span, box, strict=True)) <= 0.51 * pixel:
        return None
    return (
        f"proj:bbox {', '.join(f'{value:g}' for value in box)}",
        f"{', '.join(f'{value:g}' for value in span)} by proj:transform and proj:shape",
    )


def _geometry(item: pystac.Item) -> Iterator[Told]:
    """Products in radar geometry that claim a map projection: their transform was made up from the footprint."""
    properties = item.properties
    if properties.get("sar:product_type") not in RADAR_GEOMETRY:
        return
    stated = [stated_of(properties, asset.extra_fields, 1) for asset in item.assets.values() if is_raster(asset)]
    projected = [one for one in stated if one.crs not in (None, "EPSG:4326")]
    if projected or not stated:  # a terrain-corrected product that kept the type of its source
        return
    kind = properties["sar:product_type"]
    if any(one.transform is not None for one in stated):
        yield "invented-transform", f"proj:transform of a {kind} product, in radar geometry", "control points only"
    else:
        yield "radar-geometry", f"a {kind} product without projection", "a map projection, or annotation"


def is_raster(asset: pystac.Asset) -> bool:
    """Whether an asset is a raster that this project could open, and no picture for people."""
    roles = asset.roles if isinstance(asset.roles, list) else []
    if any(role in roles for role in ("thumbnail", "overview", "metadata", "tiles")):
        return False
    kind = str(asset.media_type or "").lower()
    path = str(asset.href).partition("?")[0].lower()
    return kind.startswith(RASTER) or path.endswith((".tif", ".tiff", ".jp2"))
