"""The ground an item covers, whatever is wrong with its geometry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pystac
import shapely
from shapely.geometry.base import BaseGeometry

from catalogs.errors import ItemError
from catalogs.lonlat import cut, merged

Fields = Mapping[str, Any]


class Footprint(NamedTuple):
    """What an item covers in longitude and latitude."""

    geometry: BaseGeometry
    """Valid, within ±180, in two parts where it crosses the antimeridian; never empty."""
    repaired: bool = False
    """True where the item's own geometry says something else."""
    note: str = ""
    """What is wrong with the item's own geometry, where its bbox had to do."""


def footprint_of(item: pystac.Item | Fields) -> Footprint:
    """The footprint of an item or of its JSON.

    Empty parts are left out, rings are made valid, a polygon that runs around the globe because it crosses ±180° is
    cut there. Where nothing can be read the bbox stands in, and `note` says so. Raises `ItemError` where it cannot.
    """
    name, geometry, bbox = _fields(item)
    try:
        return _repaired(geometry)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError) as problem:
        found = f"no geometry that can be read ({problem})"
    try:
        return Footprint(_around(bbox), repaired=True, note=f"{found}; its bbox is used instead")
    except (TypeError, ValueError) as problem:
        remedy = "Correct the item's geometry."
        raise ItemError(f"item {name}", f"{found} and no bbox", "GeoJSON in degrees", remedy) from problem


def footprint_json(item: pystac.Item) -> dict[str, Any]:
    """The footprint as GeoJSON: the item's own geometry where nothing is wrong with it. Raises `ItemError`."""
    footprint = footprint_of(item)
    if item.geometry and not footprint.repaired:
        return item.geometry
    told: dict[str, Any] = shapely.geometry.mapping(footprint.geometry)
    return told


def _fields(item: pystac.Item | Fields) -> tuple[str, Any, Any]:
    if isinstance(item, pystac.Item):
        return item.id, item.geometry, item.bbox
    return str(item.get("id")), item.get("geometry"), item.get("bbox")


def _repaired(geometry: Any) -> Footprint:
    """Raises one of many errors where the geometry is none, and ValueError where nothing of it is left."""
    told = _without_empty_parts(geometry)
    stated: BaseGeometry = shapely.geometry.shape(told)
    west, south, east, north = stated.bounds  # NaN of what is empty
    if not (-360 <= west <= east <= 360 and -90 <= south <= north <= 90):
        raise ValueError(f"it is empty or leaves the globe: {stated.bounds}")
    shape = stated
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        shape = cut(shape) if is_wide(shape) else shape
        shape = shape if shape.is_valid else merged([shape])
    if shape.is_empty:
        raise ValueError("nothing of it has an area")
    return Footprint(shape, repaired=told is not geometry or shape is not stated)


def _without_empty_parts(geometry: Any) -> Any:
    if geometry["type"] != "MultiPolygon" or all(part and part[0] for part in geometry["coordinates"]):
        return geometry
    return geometry | {"coordinates": [part for part in geometry["coordinates"] if part and part[0]]}


def is_wide(shape: BaseGeometry) -> bool:
    """Whether a geometry may cross the antimeridian: it spans more than half the globe, or leaves ±180°."""
    west, _, east, _ = shape.bounds
    return bool(east - west > 180 or west < -180 or east > 180)


def _around(bbox: Any) -> BaseGeometry:
    """A box of four numbers, or of six with heights; west > east crosses the antimeridian."""
    numbers = [float(number) for number in bbox]
    west, south, east, north = numbers if len(numbers) == 4 else (*numbers[:2], *numbers[3:5])
    return lonlat_box(west, south, east, north)


def lonlat_box(west: float, south: float, east: float, north: float) -> BaseGeometry:
    """A box in degrees, in two parts where west > east: it crosses the antimeridian. Raises `ValueError`."""
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError(f"no box in degrees: {(west, south, east, north)}")
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180.0, north), shapely.box(-180.0, south, east, north)])
