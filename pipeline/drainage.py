"""Height above drainage of the basin that a job lies in: computed once, kept in the run, read by every unit.

Computed by unit it would end at every unit's edge, for a stream is made by the ground far upstream.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyflwdir
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from catalogs.records import Ancillary, RasterLayer
from pipeline.cog import write_scene
from pipeline.errors import JobError
from pipeline.grid import lattice_box, outline_lonlat, zone_outlines
from pipeline.ground import COMPUTED_HERE, Ground, elevation_on
from pipeline.ground_sources import BASIN_MARGIN
from pipeline.job import Job
from pipeline.job_ground import COMPUTED
from pipeline.science import Science

FOLDER = "drainage"
"""In the run's folder."""
PIXEL = 30.0
"""m: the grid of drainage, that of global elevation models; the job's own where that is coarser."""
COARSEST = 90.0
"""m to which the grid grows for a large area before its drainage is no longer computed."""
MOST_CELLS = 16_000_000
"""Cells of one grid: 120 km a side at 30 m, 360 km at 90 m. Below 50 bytes of memory each [C]: 0.8 GB."""
BLOCK = 2048
"""Cells a side that are read at a time."""
UNKNOWN = -9999.0


def height_above_drainage(
    elevation: NDArray[np.float32], transform: Affine, upstream_km2: float
) -> NDArray[np.float32]:
    """(y, x) metres above the nearest stream downhill; NaN where elevation is, and where no stream is reached in it.

    Depressions are filled and flow goes to the lowest of eight neighbours (Wang and Liu 2006, IJGIS 20(2)); a stream
    is where at least `upstream_km2` drain through a cell. The height is that of the given elevation over the stream
    cell that its water reaches (Rennó 2008; Nobre 2011), so a hollow or a polder below its stream is negative.
    `elevation` (y, x) in m, NaN not known; `transform` in metres. Where water flows off the raster, or into the
    unknown, before it is a stream, the height is not known.
    """
    known = np.isfinite(elevation)
    if not known.any():
        return np.full(elevation.shape, np.nan, dtype=np.float32)
    filled = np.where(known, elevation, np.float32(UNKNOWN))
    flow = pyflwdir.from_dem(filled, nodata=UNKNOWN, transform=transform, latlon=False)
    stream = (flow.upstream_area(unit="km2") >= upstream_km2) & known
    reached = flow.fillnodata(np.where(stream, 1, 0).astype(np.int32), 0, direction="up") == 1
    height = flow.hand(stream, filled)
    return np.where(reached & known, height, np.nan).astype(np.float32)


def drainage_boxes(job: Job, area: BaseGeometry) -> dict[str, GeoBox] | None:
    """By name of a zone, the grid on which its drainage is computed: the area and `BASIN_MARGIN` around it.

    None where an area is too large even on the coarsest grid.
    """
    found: dict[str, GeoBox] = {}
    for crs, outline in zone_outlines(area, job.resolution).items():
        west, south, east, north = outline.buffer(BASIN_MARGIN).bounds
        for pixel in sorted({max(step, job.resolution) for step in (PIXEL, 2 * PIXEL, COARSEST)}):
            rows, columns = (-north / pixel, -south / pixel), (west / pixel, east / pixel)
            spans = [(float(np.floor(first)), float(np.ceil(last))) for first, last in (rows, columns)]
            box = lattice_box(crs, pixel, *spans)
            if box.shape.y * box.shape.x <= MOST_CELLS:
                break
        else:
            return None
        found[str(crs.to_epsg())] = box
    return found


def with_drainage(
    job: Job, area: BaseGeometry, ground: Ground, science: Science, folder: Path, say: Callable[[str], None]
) -> Ground:
    """The ground with its height above drainage, computed into `folder` unless it is there already.

    The same ground where the job names a source of it, has no elevation, or wants none. Where the area is too large for
    one basin it is left out, and `say` hears so; JobError where the job asks for it by name.
    """
    if not job.computes_drainage:
        return ground
    boxes = drainage_boxes(job, area)
    if boxes is None:
        limit = (MOST_CELLS**0.5) * COARSEST / 1000.0
        told = f"drainage: the area is too large to compute it (about {limit:.0f} km a side are the most)"
        if job.drainage == COMPUTED:
            raise JobError(f"{told}; name a collection (glo-30-hand), or split the job")
        say(f"{told}: the prior is the event's everywhere; name a collection (glo-30-hand) to have it")
        return ground
    tiles = tuple(_kept(name, box, ground, science, folder, say) for name, box in boxes.items())
    return ground.model_copy(update={"drainage": tiles})


def _kept(
    name: str, box: GeoBox, ground: Ground, science: Science, folder: Path, say: Callable[[str], None]
) -> Ancillary:
    """The height above drainage of one zone, as a file whose name is of all that it is made from."""
    key = _key(box, ground, science)
    path = folder / f"{name}-{key}.tif"
    if not path.is_file():
        say(f"height above drainage of zone {name}: {box.shape.y} × {box.shape.x} cells of {box.resolution.x:g} m")
        elevation = _elevation(ground, box)
        height = height_above_drainage(elevation, box.affine, science.drainage.upstream_km2)
        known = float(np.isfinite(height).mean())
        say(f"height above drainage of zone {name}: known in {known:.1%} of the area and its margin")
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".partial-{os.getpid()}-{path.name}"
        write_scene(draft, height, box, np.nan)
        draft.replace(path)
    return Ancillary(
        id=path.stem,
        collection=COMPUTED_HERE,
        theme="height-above-drainage",
        raster=RasterLayer(href=str(path)),
        footprint=mapping(outline_lonlat(box).geom),
        version=key,
    )


def _key(box: GeoBox, ground: Ground, science: Science) -> str:
    told = [tile.model_dump_json() for tile in ground.elevation]
    parts = [version("overbank"), str(box), str(science.drainage.upstream_km2), *told]
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def _elevation(ground: Ground, box: GeoBox) -> NDArray[np.float32]:
    """Read in blocks: a tile of an elevation model is larger than the part of the grid that it fills."""
    elevation = np.full(box.shape.yx, np.nan, dtype=np.float32)
    for rows, columns in _blocks(box):
        part = box[rows, columns]
        elevation[rows, columns] = elevation_on(ground.near(part).elevation_rasters, part)
    return elevation


def _blocks(box: GeoBox) -> Iterator[tuple[slice, slice]]:
    height, width = box.shape.yx
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            yield slice(top, min(top + BLOCK, height)), slice(left, min(left + BLOCK, width))
