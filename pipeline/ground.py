"""What is known of a job's ground beforehand: reference water and elevation, found at plan, read by every unit."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from catalogs.ancillary import search_ancillary
from catalogs.collection import ancillary_collections
from catalogs.errors import CatalogError
from catalogs.header import read_header
from catalogs.publish import footprint
from catalogs.records import Ancillary, RasterLayer, Record, Theme
from pipeline.align import align
from pipeline.area import VECTOR_SUFFIXES
from pipeline.errors import JobError
from pipeline.grid import outline_lonlat
from pipeline.job import Job
from pipeline.mosaic import mosaic
from pipeline.read import read_linear, read_window

VECTORS = (*VECTOR_SUFFIXES, ".shp", ".kml", ".kmz", ".gml", ".fgb", ".parquet")
UNKNOWN_WATER = 255.0
"""Value of a job's own reference raster that means "not known", as nodata does."""
WHOLE = 0.995
"""Share of the area from which on it counts as covered: footprints are rounded."""
ONE_RASTER = "of the job"
"""Stands for the collection of a raster that the job names itself."""
THEMES: dict[str, Theme] = {"reference_water": "surface-water", "elevation": "elevation"}
"""By field of the job."""
WITHOUT = {
    "reference_water": "there only `before` scenes tell flood from permanent water",
    "elevation": "there the elevation is not known",
}


class Ground(Record):
    """The tiles that a job's fields name; where they overlap the first that knows a pixel counts."""

    water: tuple[Ancillary, ...] = ()
    elevation: tuple[Ancillary, ...] = ()

    @property
    def elevation_rasters(self) -> tuple[RasterLayer, ...]:
        """The rasters of elevation."""
        return tuple(tile.raster for tile in self.elevation)

    @property
    def rasters(self) -> tuple[RasterLayer, ...]:
        """The rasters of all tiles."""
        return tuple(tile.raster for tile in self.water + self.elevation)

    def near(self, box: GeoBox) -> Ground:
        """The same with only the tiles that touch a box."""
        outline = outline_lonlat(box).geom
        water, elevation = (
            tuple(tile for tile in tiles if shape(tile.footprint).intersects(outline))
            for tiles in (self.water, self.elevation)
        )
        return Ground(water=water, elevation=elevation)


def resolve_ground(job: Job, area: BaseGeometry) -> tuple[Ground, tuple[str, ...], tuple[str, ...]]:
    """The ground of a job, notes on what it covers, and items of its catalog that could not be understood.

    Reads headers only. JobError, which begins with the field, for a raster that is missing, none, or elsewhere; for an
    id that is not known, and for a collection that has nothing over the area.
    """
    water, water_notes, water_problems = _resolve(job, "reference_water", area)
    elevation, elevation_notes, elevation_problems = _resolve(job, "elevation", area)
    ground = Ground(water=water, elevation=elevation)
    return ground, water_notes + elevation_notes, water_problems + elevation_problems


def _resolve(
    job: Job, field: str, area: BaseGeometry
) -> tuple[tuple[Ancillary, ...], tuple[str, ...], tuple[str, ...]]:
    value: str | Path | None = getattr(job, field)
    if value is None:
        return (), (), ()
    problems: tuple[str, ...] = ()
    if isinstance(value, Path):
        tiles: tuple[Ancillary, ...] = (_own_raster(field, value),)
        source = value.name
    else:
        found = search_ancillary(job.catalog, area=area, wanted=_known_id(field, value))
        tiles, problems, source = found.tiles, found.problems, value
    share = _covered(tiles, area)
    if share == 0.0:
        told = "".join(f"\n  {problem}" for problem in problems)
        where = "does not meet the area" if isinstance(value, Path) else f"has no tile over the area in {job.catalog}"
        raise JobError(f"{field}: {value} {where}; give another, or leave the field out{told}")
    note = f"{field}: {source}{_rule(tiles)}, {_count(len(tiles))}"
    if share < WHOLE:
        note += f"; nothing over {max(1.0 - share, 0.001):.1%} of the area, {WITHOUT[field]}"
    return tiles, (note,), problems


def _rule(tiles: Sequence[Ancillary]) -> str:
    levels = sorted({tile.at_least for tile in tiles if tile.at_least is not None})
    return f" (water from {', '.join(f'{level:g}' for level in levels)} on)" if levels else ""


def _count(tiles: int) -> str:
    return "1 raster" if tiles == 1 else f"{tiles} rasters"


def _known_id(field: str, value: str) -> str:
    known = list(ancillary_collections(THEMES[field]))
    if value not in known:
        near = difflib.get_close_matches(value, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise JobError(
            f"{field}: {value!r} is not a collection of {THEMES[field].replace('-', ' ')} (known: {', '.join(known)})"
            f"{hint}; a raster is named with its suffix, {value}.tif"
        )
    return value


def _own_raster(field: str, path: Path) -> Ancillary:
    """The record of a raster that the job names."""
    if not path.is_file():
        raise JobError(f"{field}: {path} is not there; give a raster, or leave the field out")
    if path.suffix.lower() in VECTORS:
        raise JobError(f"{field}: {path} is a vector file; make a GeoTIFF of it first (gdal_rasterize -burn 1)")
    try:
        around = footprint(path.name, [read_header(path)])
    except CatalogError as problem:
        raise JobError(f"{field}: {problem}") from problem
    stat = path.stat()
    return Ancillary(
        id=path.name,
        collection=ONE_RASTER,
        theme=THEMES[field],
        raster=RasterLayer(href=str(path), nodata=(UNKNOWN_WATER,) if field == "reference_water" else ()),
        footprint=mapping(shape(around)),
        version=f"{stat.st_size}:{stat.st_mtime_ns}",
    )


def ground_facts(ground: Ground) -> dict[str, list[str]]:
    """What a unit's item says of where its reference water and elevation come from."""
    named = {"overbank:reference_water": ground.water, "overbank:elevation": ground.elevation}
    return {name: [f"{tile.collection}: {tile.id}" for tile in tiles] for name, tiles in named.items() if tiles}


def _covered(tiles: Sequence[Ancillary], area: BaseGeometry) -> float:
    """Share of the area that the tiles' footprints cover, in degrees."""
    union = shapely.union_all([shape(tile.footprint) for tile in tiles])
    return float(area.intersection(union).area / area.area)


def water_on(tiles: Sequence[Ancillary], box: GeoBox) -> NDArray[np.float32]:
    """(y, x) reference water on a box: 1 water, 0 none, NaN not known.

    JobError where the job's own raster holds anything but 0, 1 and "not known".
    """
    known = np.full(box.shape.yx, np.nan, dtype=np.float32)
    for tile in tiles:
        values = align(read_window(tile.raster, box), box, "mask")
        found = _zero_or_one(tile, values) if tile.at_least is None else _from_level(values, tile.at_least)
        known = np.where(np.isnan(known), found, known)
    return known


def _from_level(values: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    return np.where(np.isnan(values), values, values >= level).astype(np.float32)


def _zero_or_one(tile: Ancillary, values: NDArray[np.float32]) -> NDArray[np.float32]:
    strange = np.unique(values[np.isfinite(values) & (values != 0) & (values != 1)])
    if strange.size:
        raise JobError(
            f"reference_water: {tile.raster.href} holds {strange[:5].tolist()}; write 1 for water, 0 for none, "
            "255 or nodata for not known"
        )
    return values


def elevation_on(rasters: Sequence[RasterLayer], box: GeoBox) -> NDArray[np.float32]:
    """(y, x) elevation in metres on a box, NaN where it is not known.

    Interpolated linearly, averaged where the box is coarser than the file. Tiles of one grid are joined before, so that
    slopes have no edge where they meet; of overlapping ones the first that knows a pixel counts.
    """
    return mosaic([read_linear(raster, box) for raster in rasters], box, "continuous")
