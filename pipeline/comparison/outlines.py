"""Polygons of a file, laid over the grids of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from pipeline.errors import ReferenceFileError

Mask = NDArray[np.bool_]
PARQUET = (".parquet", ".geoparquet")
SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".fgb", *PARQUET)
NEAR_ZONE = 30.0
"""Degrees of longitude from the middle of a UTM zone, beyond which a polygon cannot lie in the run: projecting it there
would only give nonsense."""
LONGEST_SIDE = 0.01, 1000.0
"""Of a polygon before it is projected, in degrees or metres: a straight line on one map is a curve on another."""


def is_vector(path: Path) -> bool:
    """Whether a file is of polygons, by its suffix."""
    return path.suffix.lower() in SUFFIXES


@dataclass(eq=False)
class Outlines:
    """The polygons of a file, and what they are on each grid that was asked for."""

    path: Path
    frame: geopandas.GeoDataFrame
    """Valid polygons alone, in the file's CRS."""
    _by_zone: dict[str, Any] = field(default_factory=dict, init=False)
    _hulls: dict[str, BaseGeometry] = field(default_factory=dict, init=False)

    @classmethod
    def read(cls, path: Path) -> Outlines:
        """Polygons of a GeoPackage, GeoJSON, Shapefile, FlatGeobuf or GeoParquet; ReferenceFileError for all else."""
        if not path.is_file() or not is_vector(path):
            state = "is not there" if not path.is_file() else "is not one of " + ", ".join(SUFFIXES)
            raise ReferenceFileError(f"{path}: {state}; give a file of polygons")
        frame = _read(path)
        if frame.crs is None:
            raise ReferenceFileError(f"{path}: has no coordinate system; set one (ogr2ogr -a_srs EPSG:4326)")
        return cls(path, _polygons(path, frame))

    def burnt(self, box: GeoBox) -> Mask:
        """(y, x) True where the middle of a pixel lies in a polygon."""
        zone = str(box.crs)
        if zone not in self._by_zone:
            self._by_zone[zone] = self._projected(zone)
        series = self._by_zone[zone]
        near = series.sindex.query(box.extent.geom, predicate="intersects")
        return _burn(series.iloc[np.sort(near)], box)

    def hull_burnt(self, box: GeoBox) -> Mask:
        """The same of the convex hull around all of them."""
        zone = str(box.crs)
        if zone not in self._hulls:
            self._hulls[zone] = shapely.convex_hull(shapely.geometrycollections(self._projected(zone).values))
        hull = self._hulls[zone]
        return _burn([hull] if hull.area else [], box)

    def _projected(self, zone: str) -> geopandas.GeoSeries:
        """The polygons near a UTM zone, on its plane."""
        series = self.frame.geometry
        bounds = series.to_crs(4326).bounds
        middle = int(zone.rpartition(":")[2]) % 100 * 6.0 - 183.0
        off = ((bounds["minx"] + bounds["maxx"]) / 2 - middle + 180.0) % 360.0 - 180.0
        near = series[np.abs(off) < NEAR_ZONE]
        if str(near.crs) != zone:
            near = near.segmentize(LONGEST_SIDE[0 if near.crs.is_geographic else 1]).to_crs(zone)
        return near


def _read(path: Path) -> geopandas.GeoDataFrame:
    try:
        if path.suffix.lower() in PARQUET:
            return geopandas.read_parquet(path)
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if len(layers) > 1:
            told = f"holds {len(layers)} layers ({', '.join(layers)}); save the one of the flood alone"
            raise ReferenceFileError(f"{path}: {told} (ogr2ogr flood.gpkg {path.name} LAYER)")
        return geopandas.read_file(path)
    except (pyogrio.errors.DataSourceError, ValueError, OSError) as problem:
        raise ReferenceFileError(f"{path}: cannot be read as polygons ({problem}); give a GeoPackage") from None


def _polygons(path: Path, frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """The polygons of all features, one a row, made valid."""
    drawn = frame[frame.geometry.notna() & ~frame.geometry.is_empty]
    if len(drawn) and set(drawn.geometry.geom_type) <= {"Point", "MultiPoint"}:
        told = "holds points, which are samples and no map of the flood"
        raise ReferenceFileError(f"{path}: {told}; give them as --samples, or polygons or a raster here")
    parts = drawn.geometry.make_valid().explode(index_parts=False, ignore_index=True)
    parts = parts.explode(index_parts=False, ignore_index=True)  # collections that making valid has made
    found = parts[parts.geom_type == "Polygon"].reset_index(drop=True)
    if len(drawn) and found.empty:
        kinds = ", ".join(sorted(set(drawn.geometry.geom_type)))
        raise ReferenceFileError(f"{path}: holds no polygon but {kinds}; give polygons of the flood")
    return geopandas.GeoDataFrame(geometry=found, crs=frame.crs)


def _burn(shapes: Any, box: GeoBox) -> Mask:
    drawn = list(shapes)
    if not drawn:
        return np.zeros(box.shape.yx, dtype=np.bool_)
    burnt = rasterize(drawn, out_shape=box.shape.yx, transform=box.affine, fill=0, default_value=1, dtype="uint8")
    return np.asarray(burnt == 1)
