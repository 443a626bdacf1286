"""Zones as a file has them, brought to a run: mended, told apart by name, cut to where the run is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pandas
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from catalogs.lonlat import cut, joined, merged
from pipeline.errors import ZoneError
from pipeline.grid import outline_lonlat
from pipeline.run_folder import RunFolder

LONGITUDE_LATITUDE = "EPSG:4326"
EARTH = Geod(ellps="WGS84")
NAME_COLUMNS = ("name", "name_en", "shapename", "adm4_en", "adm3_en", "adm2_en", "adm1_en", "nam", "label", "id")
"""Columns of public administrative layers that name a zone, in the order in which they are tried."""
EDGE_DEGREES = 0.01
"""Longest straight edge in longitude and latitude before a zone is brought to the plane of a grid."""
AROUND_DEGREES = 0.1
"""What is kept of a zone around the run: what lies farther off may have no place on the run's grid."""


@dataclass(frozen=True, eq=False)
class Zones:
    """The zones of a file."""

    frame: geopandas.GeoDataFrame
    """One row a zone, in the file's order, in longitude and latitude: `zone` (its name), `km2`, geometry."""
    notes: tuple[str, ...]
    """What was mended or left out, in sentences."""

    def on_grid(self, run: RunFolder, crs: str) -> geopandas.GeoSeries:
        """The zones where the run is, on the plane of one of its grids; empty where a zone does not meet it."""
        near = _around(run, crs)
        parts = shapely.intersection(self.frame.geometry.to_numpy(), near)
        split = shapely.segmentize(parts, EDGE_DEGREES)
        moved = geopandas.GeoSeries(split, crs=LONGITUDE_LATITUDE).to_crs(crs)
        return geopandas.GeoSeries([polygons(part) for part in moved], crs=crs)


def read_zones(path: Path, name: str | None = None) -> Zones:
    """Read zones of any vector file and CRS; `name`: the column that names them, by default one that usually does.

    Invalid polygons are mended, rows without an area left out, and the notes say so. ZoneError names the file and what
    is wrong with it.
    """
    if not path.exists():
        raise ZoneError(f"{path}: is not there; give a layer of polygons (GeoPackage, GeoJSON, Shapefile)")
    try:
        found = geopandas.read_file(path)
    except (DataSourceError, DataLayerError, UnicodeDecodeError, ValueError) as problem:
        raise ZoneError(f"{path}: cannot be read as a vector layer ({str(problem).splitlines()[0]})") from None
    if not isinstance(found, geopandas.GeoDataFrame) or found.empty:
        raise ZoneError(f"{path}: holds no geometry; give a layer of polygons")
    if found.crs is None:
        raise ZoneError(f"{path}: says no coordinate system; assign one in a GIS, or write its .prj")
    names = _names(path, found, name)
    geometry = found.geometry.to_crs(LONGITUDE_LATITUDE).to_numpy()
    broken = ~(shapely.is_valid(geometry) | shapely.is_missing(geometry))
    mended = [cut(polygons(shape)) if shape is not None else shapely.Polygon() for shape in geometry]
    frame = geopandas.GeoDataFrame({"zone": names}, geometry=mended, crs=LONGITUDE_LATITUDE)
    empty = frame.geometry.is_empty.to_numpy()
    if empty.all():
        raise ZoneError(f"{path}: holds no polygon with an area")
    notes = _notes(names, broken & ~empty, "was no valid polygon and was mended")
    notes += _notes(names, empty, "has no area and was left out")
    frame = frame[~empty].reset_index(drop=True)
    frame["km2"] = [abs(EARTH.geometry_area_perimeter(shape)[0]) / 1e6 for shape in frame.geometry]
    return Zones(frame, tuple(notes))


def polygons(shape: BaseGeometry) -> BaseGeometry:
    """The polygons of a geometry, valid; an empty one where it has none with an area."""
    if shape.is_valid and shape.geom_type in ("Polygon", "MultiPolygon") and shape.area > 0:
        return shape
    found = merged([shapely.make_valid(shape)])
    return found if not found.is_empty else shapely.Polygon()


def _around(run: RunFolder, crs: str) -> BaseGeometry:
    """Where the units of a grid lie, with a margin, as one geometry in longitude and latitude."""
    outlines = [outline_lonlat(unit.box).geom for unit in run.units if str(unit.facts["proj:code"]) == crs]
    whole = joined(shapely.union_all([part for outline in outlines for part in shapely.get_parts(outline)]))
    west, south, east, north = whole.bounds
    box = shapely.box(
        west - AROUND_DEGREES,
        max(south - AROUND_DEGREES, -90.0),
        east + AROUND_DEGREES,
        min(north + AROUND_DEGREES, 90.0),
    )
    return cut(box)


def _names(path: Path, found: geopandas.GeoDataFrame, wanted: str | None) -> list[str]:
    columns = {str(column).lower(): column for column in found.columns if column != found.geometry.name}
    if wanted is not None and wanted.lower() not in columns:
        raise ZoneError(f"{path}: has no column {wanted!r}; it has {', '.join(map(str, columns.values())) or 'none'}")
    chosen = wanted.lower() if wanted else next((name for name in NAME_COLUMNS if name in columns), None)
    if chosen is None:
        return [str(number) for number in range(1, len(found) + 1)]
    values = found[columns[chosen]]
    return [str(number) if pandas.isna(value) else str(value) for number, value in enumerate(values, start=1)]


def _notes(names: list[str], where: NDArray[np.bool_], what: str) -> list[str]:
    return [f"zone {names[number]} {what}" for number in np.flatnonzero(where)]
