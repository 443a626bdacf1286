"""Coded rasters of a run as polygons: exact to the pixel, whole across the seams of units."""

from __future__ import annotations

from collections.abc import Callable, Collection

import geopandas
import numpy as np
import pandas
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry import box, shape

from catalogs.lonlat import HALF_TURN, cut
from pipeline.run_folder import RunFolder, UnitFolder

CODE = "code"
LONGITUDE_LATITUDE = "EPSG:4326"
CodesOf = Callable[[UnitFolder], NDArray[np.uint8]]


def polygons_of(run: RunFolder, codes_of: CodesOf, wanted: Collection[int]) -> geopandas.GeoDataFrame:
    """Polygons of connected pixels of equal code, 4-connected, merged across the seams of units.

    In the CRS of the run's grid, edges along pixel edges; in longitude and latitude where the run has several zones
    (their units overlap by a pixel and a half: what lies there is in both).

    Args:
        run: the run.
        codes_of: (y, x) codes of a unit, on its grid.
        wanted: codes that become polygons.

    Returns:
        Columns `code` and `area_km2` (of the pixels, on the grid's plane) and the geometry, the largest first.
    """
    by_zone = {
        zone: _merged([_unit(unit, codes_of, wanted) for unit in run.units if unit.facts["proj:code"] == zone], zone)
        for zone in run.zones
    }
    if len(by_zone) == 1:
        (found,) = by_zone.values()
    else:
        parts = [in_degrees(frame) for frame in by_zone.values()]
        found = geopandas.GeoDataFrame(pandas.concat(parts, ignore_index=True), crs=LONGITUDE_LATITUDE)
    return found.sort_values("area_km2", ascending=False, ignore_index=True, kind="stable")


def in_degrees(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """Polygons in longitude and latitude, in two where they cross the antimeridian."""
    turned = frame.to_crs(LONGITUDE_LATITUDE)
    bounds = turned.bounds
    across = (bounds["maxx"] - bounds["minx"] > HALF_TURN).to_numpy()
    turned.loc[across, "geometry"] = [cut(one) for one in turned.geometry[across]]
    return turned


def _unit(unit: UnitFolder, codes_of: CodesOf, wanted: Collection[int]) -> geopandas.GeoDataFrame:
    codes = np.ascontiguousarray(codes_of(unit), dtype=np.uint8)
    found = shapes(codes, mask=np.isin(codes, list(wanted)), connectivity=4, transform=unit.box.affine)
    rows = [(int(code), shape(outline)) for outline, code in found]
    frame = geopandas.GeoDataFrame(
        {CODE: [code for code, _ in rows]}, geometry=[outline for _, outline in rows], crs=unit.facts["proj:code"]
    )
    frame["at_seam"] = ~frame.geometry.within(box(*_inner(unit)))
    return frame


def _inner(unit: UnitFolder) -> tuple[float, float, float, float]:
    """The extent of a unit less half a pixel a side: what is not within it touches the border."""
    left, bottom, right, top = unit.box.extent.boundingbox
    half = abs(unit.box.affine.a) / 2
    return left + half, bottom + half, right - half, top - half


def _merged(frames: list[geopandas.GeoDataFrame], zone: str) -> geopandas.GeoDataFrame:
    """All polygons of a zone; those that meet across a seam along an edge are one."""
    every = geopandas.GeoDataFrame(pandas.concat(frames, ignore_index=True), crs=zone)
    whole, cut = every[~every["at_seam"]], every[every["at_seam"]]
    if len(frames) > 1 and len(cut):
        cut = cut.dissolve(by=CODE, as_index=False).explode(index_parts=False, ignore_index=True)
    found = geopandas.GeoDataFrame(
        pandas.concat([whole, cut], ignore_index=True)[[CODE, "geometry"]], geometry="geometry", crs=zone
    )
    found["area_km2"] = found.geometry.area / 1e6
    return found
