"""Where a job's ground comes from: each of its fields becomes tiles of a collection or a raster of its own, at plan."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from catalogs.ancillary import search_ancillary
from catalogs.collection import ancillary_collections
from catalogs.errors import CatalogError
from catalogs.header import read_header
from catalogs.lonlat import cut, joined
from catalogs.publish import footprint
from catalogs.records import Ancillary, RasterLayer, Theme
from pipeline.area import VECTOR_SUFFIXES
from pipeline.errors import JobError
from pipeline.ground import ONE_RASTER, Ground, is_catalog
from pipeline.job import Job
from pipeline.job_ground import COMPUTED, GROUND_FIELDS, NO_DRAINAGE

VECTORS = (*VECTOR_SUFFIXES, ".shp", ".kml", ".kmz", ".gml", ".fgb", ".parquet")
UNKNOWN_WATER = 255.0
"""Value of a job's own reference raster that means "not known", as nodata does."""
WHOLE = 0.995
"""Share of the area from which on it counts as covered: footprints are rounded."""
BASIN_MARGIN = 5000.0
"""m around the area in which drainage is found too: a stream that enters it has gathered its water there [M]."""
METRES = 111_000.0
"""A little less than a degree of latitude."""
THEMES: dict[str, Theme] = {
    "reference_water": "surface-water",
    "elevation": "elevation",
    "drainage": "height-above-drainage",
    "land_cover": "land-cover",
}
"""By field of the job."""
WITHOUT = {
    "reference_water": "there only `before` scenes tell flood from permanent water",
    "elevation": "there the elevation is not known",
    "drainage": "there the prior is that of the event",
    "land_cover": "there dry ground is a mixture of covers",
}
DRAINAGE_NOTE = (
    "drainage: height above drainage is computed from elevation in the prepare stage and lowers the prior of high and "
    "steep ground; `drainage: none` leaves it out (a rain flood far from streams, a surge of the sea)"
)


class _Found(NamedTuple):
    tiles: tuple[Ancillary, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def resolve_ground(job: Job, area: BaseGeometry) -> tuple[Ground, tuple[str, ...], tuple[str, ...]]:
    """The ground of a job, notes on what it covers, and items of its catalog that could not be understood.

    Reads headers only. JobError, which begins with the field, for a raster that is missing, none, or elsewhere; for an
    id that is not known, and for a collection that has nothing over the area.
    """
    found = {field: _resolve(job, field, area) for field in GROUND_FIELDS}
    ground = Ground(
        water=found["reference_water"].tiles,
        elevation=found["elevation"].tiles,
        drainage=found["drainage"].tiles,
        land_cover=found["land_cover"].tiles,
    )
    notes = tuple(note for one in found.values() for note in one.notes)
    problems = tuple(dict.fromkeys(problem for one in found.values() for problem in one.problems))
    return ground, (*notes, DRAINAGE_NOTE) if job.computes_drainage else notes, problems


def _resolve(job: Job, field: str, area: BaseGeometry) -> _Found:
    value: str | Path | None = getattr(job, field)
    if value is None or (field == "drainage" and value in (COMPUTED, NO_DRAINAGE)):
        return _Found()
    tiles: tuple[Ancillary, ...]
    problems: tuple[str, ...] = ()
    wide = around(area) if field == "elevation" and job.computes_drainage else area
    if isinstance(value, Path) and is_catalog(value):
        searched = search_ancillary(_catalog_at(field, value), area=wide, wanted=THEMES[field])
        tiles, problems, source = searched.tiles, searched.problems, value.name
    elif isinstance(value, Path):
        tiles, source = (_own_raster(field, value),), value.name
    else:
        searched = search_ancillary(job.catalog, area=wide, wanted=_known_id(field, value))
        tiles, problems, source = searched.tiles, searched.problems, value
    share = _covered(tiles, area)
    if share == 0.0:
        told = "".join(f"\n  {problem}" for problem in problems)
        found_in = "" if isinstance(value, Path) else f" in {job.catalog}"
        one_raster = isinstance(value, Path) and not is_catalog(value)
        where = "does not meet the area" if one_raster else f"has no tile over the area{found_in}"
        raise JobError(f"{field}: {value} {where}; give another, or leave the field out{told}")
    note = f"{field}: {source}{_rule(tiles)}, {_count(len(tiles))}"
    if share < WHOLE:
        note += f"; nothing over {max(1.0 - share, 0.001):.1%} of the area, {WITHOUT[field]}"
    return _Found(tiles, (note,), problems)


def around(area: BaseGeometry) -> BaseGeometry:
    """An area in longitude and latitude with the margin of its basin (a little more at high latitudes)."""
    whole = joined(area)
    _, south, _, north = whole.bounds
    degrees = BASIN_MARGIN / METRES / max(np.cos(np.radians(max(abs(south), abs(north)))), 0.1)
    return cut(whole.buffer(degrees, join_style="mitre"))


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
        more = f", nor {COMPUTED!r} or {NO_DRAINAGE!r}" if field == "drainage" else ""
        raise JobError(
            f"{field}: {value!r} is not a collection of {THEMES[field].replace('-', ' ')} (known: {', '.join(known)})"
            f"{more}{hint}; a raster is named with its suffix, {value}.tif"
        )
    return value


def _catalog_at(field: str, path: Path) -> Path:
    """The catalog that a path names: the file itself, or that of a run's folder or of another folder."""
    catalog = path if path.suffix.lower() == ".json" else path / "catalog.json"
    if not catalog.is_file():
        raise JobError(f"{field}: {catalog} is not there; give a raster, a catalog or a run's folder, or leave it out")
    return catalog


def _own_raster(field: str, path: Path) -> Ancillary:
    """The record of a raster that the job names."""
    if not path.is_file():
        raise JobError(f"{field}: {path} is not there; give a raster, or leave the field out")
    if path.suffix.lower() in VECTORS:
        raise JobError(f"{field}: {path} is a vector file; make a GeoTIFF of it first (gdal_rasterize -burn 1)")
    try:
        around_it = footprint(path.name, [read_header(path)])
    except CatalogError as problem:
        raise JobError(f"{field}: {problem}") from problem
    stat = path.stat()
    return Ancillary(
        id=path.name,
        collection=ONE_RASTER,
        theme=THEMES[field],
        raster=RasterLayer(href=str(path), nodata=(UNKNOWN_WATER,) if field == "reference_water" else ()),
        footprint=mapping(shape(around_it)),
        version=f"{stat.st_size}:{stat.st_mtime_ns}",
    )


def _covered(tiles: Sequence[Ancillary], area: BaseGeometry) -> float:
    """Share of the area that the tiles' footprints cover, in degrees."""
    union = shapely.union_all([shape(tile.footprint) for tile in tiles])
    return float(area.intersection(union).area / area.area)
