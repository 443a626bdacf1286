"""The area of a job as one geometry in longitude and latitude."""

from __future__ import annotations

from pathlib import Path

import pyogrio
import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from pipeline.errors import JobError
from pipeline.job import Job

VECTOR_SUFFIXES = (".geojson", ".json", ".gpkg")


def job_area(job: Job) -> BaseGeometry:
    """Polygon or MultiPolygon (longitude, latitude) of the job's box, GeoJSON or GeoPackage.

    JobError if the file is missing, of another kind, or holds no polygon.
    """
    if not isinstance(job.area, Path):
        return box(*job.area)
    path = job.area
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
    valid = [shapely.make_valid(part) for part in frame.to_crs(4326).geometry if part is not None]
    polygons = [part for part in valid if part.area > 0]
    if not polygons:
        raise JobError(f"area: {path} holds no polygon with an area ({len(frame)} features); draw one")
    merged: BaseGeometry = shapely.make_valid(shapely.union_all(polygons))
    return merged
