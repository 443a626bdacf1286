"""The area of a job as one geometry in longitude and latitude, within [-180, 180] and cut at the antimeridian."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from catalogs.lonlat import cut, longitudes, merged
from pipeline.errors import JobError
from pipeline.job import WIDEST, Job

VECTOR_SUFFIXES = (".geojson", ".json", ".gpkg")
CLEAR_STEP = 90.0
"""Degrees: a side that jumps by more than 180° crosses the antimeridian where it is at most so long that way."""
NORTHERN_END, SOUTHERN_END = 84.0, -80.0
"""Degrees of latitude where UTM ends."""


def job_area(job: Job) -> BaseGeometry:
    """Polygon or MultiPolygon of the job's box, GeoJSON or GeoPackage, cut at ±180 (RFC 7946).

    JobError if the file is missing, of another kind, or holds no polygon; if a polygon is wider than half the globe or
    can be read two ways round it; if the area reaches beyond the latitudes of UTM.
    """
    area = cut(_box(job.area)) if not isinstance(job.area, Path) else _drawn(job.area)
    _, south, _, north = area.bounds
    if north > NORTHERN_END or south < SOUTHERN_END:
        raise JobError(
            f"area: reaches from {south:.2f}° to {north:.2f}° of latitude, beyond {SOUTHERN_END:.0f}° or "
            f"{NORTHERN_END:.0f}°, where UTM ends; keep it within"
        )
    return area


def _box(corners: tuple[float, float, float, float]) -> BaseGeometry:
    west, south, east, north = corners
    return box(west, south, east if east > west else east + 360.0, north)


def _drawn(path: Path) -> BaseGeometry:
    """The polygons of a file as one geometry."""
    if path.suffix.lower() not in VECTOR_SUFFIXES or not path.is_file():
        state = "is not there" if not path.is_file() else "is not one of " + ", ".join(VECTOR_SUFFIXES)
        raise JobError(f"area: {path} {state}; give a box [west, south, east, north] or a polygon file")
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if len(layers) > 1:
            raise JobError(
                f"area: {path} holds {len(layers)} layers ({', '.join(layers)}); save the one of the area alone"
            )
        frame = pyogrio.read_dataframe(path)
    except pyogrio.errors.DataSourceError as problem:
        raise JobError(f"area: {path} cannot be read ({problem}); give a GeoJSON or GeoPackage") from problem
    if frame.crs is None:
        raise JobError(f"area: {path} has no coordinate system; set one, for example EPSG:4326")
    drawn = [part for part in frame.to_crs(4326).geometry if part is not None]
    polygons = [part for whole in drawn for part in _polygons(whole) if not part.is_empty]
    for polygon in polygons:
        _check_width(path, polygon)
    area = merged(cut(polygon) for polygon in polygons)
    if area.is_empty:
        raise JobError(f"area: {path} holds no polygon with an area ({len(frame)} features); draw one")
    return area


def _polygons(geometry: BaseGeometry) -> list[BaseGeometry]:
    """The polygons of a feature, from however deep a collection."""
    if geometry.geom_type == "Polygon":
        return [geometry]
    parts = shapely.get_parts(geometry) if hasattr(geometry, "geoms") else []
    return [polygon for part in parts for polygon in _polygons(part)]


def _check_width(path: Path, polygon: BaseGeometry) -> None:
    """One way round the globe, and no farther than half of it; otherwise what is meant is anyone's guess."""
    run = longitudes(polygon.exterior)
    west, _, east, _ = polygon.bounds
    told = f"area: {path} holds a polygon from {west:.2f}° to {east:.2f}° of longitude"
    parts = f"draw it in parts of at most {WIDEST:.0f}°, with a point at least every {CLEAR_STEP:.0f}°"
    if abs(run[-1] - run[0]) > 1.0:
        raise JobError(f"{told} that winds round a pole; {parts}")
    steps, raw = np.abs(np.diff(run)), np.abs(np.diff(shapely.get_coordinates(polygon.exterior)[:, 0]))
    width = float(np.ptp(run))
    if ((raw > WIDEST) & (steps > CLEAR_STEP)).any() or (width == 0.0 and east > west):
        raise JobError(f"{told} with a side of more than 180°, which can be read either way round the globe; {parts}")
    if width > WIDEST:
        raise JobError(f"{told}, {width:.0f}° wide; {parts}")
