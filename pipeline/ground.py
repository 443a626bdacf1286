"""What is known of a job's ground beforehand, and how a unit reads it: water, elevation, drainage, land cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import shape

from catalogs.records import Ancillary, RasterLayer, Record
from harmonization.evidence import Belief
from harmonization.land_cover import LandCover
from harmonization.terrain import believed_factor, drainage_prior_factor, prior_log_odds, slope_degrees
from pipeline.align import align
from pipeline.errors import JobError
from pipeline.grid import outline_lonlat
from pipeline.mosaic import mosaic
from pipeline.read import NativeWindow, Piece, read_linear, read_window
from pipeline.science import Drainage

Array = NDArray[np.float32]
Codes = NDArray[np.uint8]

ONE_RASTER = "of the job"
"""Stands for the collection of a raster that the job names itself."""
COMPUTED_HERE = "computed from the elevation"
"""Stands for the collection of height above drainage that the prepare stage computed."""
MIXTURE = "prior mixture of land covers (no land cover given)"


def is_catalog(path: Path) -> bool:
    """Whether a path that a job names for its ground is a catalog, or a run's folder, and no raster."""
    return path.suffix.lower() == ".json" or path.is_dir()


class Ground(Record):
    """The tiles that a job's fields name; where they overlap the first that knows a pixel counts."""

    water: tuple[Ancillary, ...] = ()
    elevation: tuple[Ancillary, ...] = ()
    drainage: tuple[Ancillary, ...] = ()
    """Height above drainage, metres."""
    land_cover: tuple[Ancillary, ...] = ()

    @property
    def elevation_rasters(self) -> tuple[RasterLayer, ...]:
        """The rasters of elevation."""
        return tuple(tile.raster for tile in self.elevation)

    @property
    def tiles(self) -> tuple[Ancillary, ...]:
        """All tiles."""
        return self.water + self.elevation + self.drainage + self.land_cover

    @property
    def rasters(self) -> tuple[RasterLayer, ...]:
        """The rasters of all tiles."""
        return tuple(tile.raster for tile in self.tiles)

    @property
    def of_catalogs(self) -> tuple[Ancillary, ...]:
        """The tiles that neither the job names by a path nor the run computes."""
        return tuple(tile for tile in self.tiles if tile.collection not in (ONE_RASTER, COMPUTED_HERE))

    def near(self, box: GeoBox) -> Ground:
        """The same with only the tiles that touch a box."""
        outline = outline_lonlat(box).geom
        touching = {
            name: tuple(tile for tile in getattr(self, name) if shape(tile.footprint).intersects(outline))
            for name in Ground.model_fields
        }
        return Ground(**touching)


def ground_facts(ground: Ground) -> dict[str, list[str] | str]:
    """What a unit's item says of where its ground comes from, and of what dry ground was taken for."""
    named = {
        "overbank:reference_water": ground.water,
        "overbank:elevation": ground.elevation,
        "overbank:drainage": ground.drainage,
        "overbank:land_cover": ground.land_cover,
    }
    facts: dict[str, list[str] | str] = {
        name: [f"{tile.collection}: {tile.id}" for tile in tiles] for name, tiles in named.items() if tiles
    }
    sources = ", ".join(sorted({tile.collection for tile in ground.land_cover}))
    return facts | {"overbank:dry_state": f"land cover ({sources})" if sources else MIXTURE}


def water_on(tiles: Sequence[Ancillary], box: GeoBox) -> Array:
    """(y, x) reference water on a box: 1 water, 0 none, NaN not known.

    JobError where the job's own raster holds anything but 0, 1 and "not known".
    """
    known = np.full(box.shape.yx, np.nan, dtype=np.float32)
    for tile in tiles:
        values = align(read_window(tile.raster, box), box, "mask")
        found = _zero_or_one(tile, values) if tile.at_least is None else _from_level(values, tile.at_least)
        known = np.where(np.isnan(known), found, known)
    return known


def _from_level(values: Array, level: float) -> Array:
    return np.where(np.isnan(values), values, values >= level).astype(np.float32)


def _zero_or_one(tile: Ancillary, values: Array) -> Array:
    strange = np.unique(values[np.isfinite(values) & (values != 0) & (values != 1)])
    if strange.size:
        raise JobError(
            f"reference_water: {tile.raster.href} holds {strange[:5].tolist()}; write 1 for water, 0 for none, "
            "255 or nodata for not known"
        )
    return values


def elevation_on(rasters: Sequence[RasterLayer], box: GeoBox) -> Array:
    """(y, x) elevation, or height above drainage, in metres on a box, NaN where it is not known.

    Interpolated linearly, averaged where the box is coarser than the file. Tiles of one grid are joined before, so that
    slopes have no edge where they meet; of overlapping ones the first that knows a pixel counts.
    """
    return mosaic([read_linear(raster, box) for raster in rasters], box, "continuous")


def land_cover_on(tiles: Sequence[Ancillary], box: GeoBox) -> Codes:
    """(y, x) codes of `LandCover` on a box, 0 where it is not known: the nearest, the commonest where it is coarser.

    JobError where the job's own raster holds anything but these codes.
    """
    codes = mosaic([_covers(tile, box) for tile in tiles], box, "classes")
    return np.nan_to_num(codes, nan=float(LandCover.UNKNOWN)).astype(np.uint8)


def _covers(tile: Ancillary, box: GeoBox) -> Piece | None:
    """A tile on its own grid as codes; NaN where its legend has no word for it."""
    window = read_window(tile.raster, box)
    if window is None:
        return None
    if not isinstance(window, NativeWindow):
        raise JobError(f"land_cover: {tile.raster.href} has no map projection; warp it first (gdalwarp)")
    names = {value: LandCover[name.upper()] for value, name in tile.legend.items()}
    known = names if names else {int(cover): cover for cover in LandCover if cover}
    codes = np.full(window.values.shape, np.nan, dtype=np.float32)
    for value, cover in known.items():
        codes[window.values == value] = cover
    strange = np.unique(window.values[np.isnan(codes) & np.isfinite(window.values) & (window.values != 0)])
    if not names and strange.size:
        told = ", ".join(f"{cover.value} {cover.name.lower()}" for cover in LandCover)
        raise JobError(
            f"land_cover: {tile.raster.href} holds {strange[:5].tolist()}; write {told}, or ingest the product and "
            "name its collection (esa-worldcover)"
        )
    return replace(window, values=codes)


def terrain_on(ground: Ground, box: GeoBox) -> Array:
    """(2, y, x) on a box: metres above drainage and degrees of slope, NaN where not known."""
    unknown = np.full(box.shape.yx, np.nan, dtype=np.float32)
    height = elevation_on(_own_zone_first(ground.drainage, box), box) if ground.drainage else unknown
    return np.stack([height, slope_on(ground.elevation_rasters, box) if ground.elevation else unknown])


def prior_over(terrain: Array, belief: Belief, drainage: Drainage, cover: Codes | None = None) -> Array:
    """(2, y, x) prior log-odds: the event's, lowered where the ground lies high above drainage or is steep.

    `terrain`: of `terrain_on`. Where the height is not known the event's own. `cover`: see `believed_factor`.
    """
    return prior_log_odds(belief.water, belief.vegetation, factor_over(terrain, drainage, cover))


def factor_over(terrain: Array, drainage: Drainage, cover: Codes | None = None) -> NDArray[np.float64]:
    """(y, x) factor on the event's prior, in (0, 1]; 1 where the height is not known, the height's alone where only the
    slope is not.
    """
    height, slope = terrain
    factor = drainage_prior_factor(height, np.nan_to_num(slope), drainage.half_height, drainage.width)
    return believed_factor(factor, drainage.doubt, cover)


def _own_zone_first(tiles: Sequence[Ancillary], box: GeoBox) -> list[RasterLayer]:
    """Where an area lies in several zones, the basin computed on the box's own grid counts before a neighbour's."""
    zone = f"{box.crs.to_epsg() if box.crs else None}-"
    return [tile.raster for tile in sorted(tiles, key=lambda tile: not tile.id.startswith(zone))]


def slope_on(elevation: Sequence[RasterLayer], box: GeoBox) -> Array:
    """(y, x) slope in degrees, NaN where it is not known."""
    pixel = box.resolution.map(abs)
    wide = slope_degrees(elevation_on(elevation, box.pad(1)), (pixel.y, pixel.x))  # so no unit has a rim of its own
    return wide[1:-1, 1:-1]
