"""Where the ground of a radar acquisition turns: gamma0 of the terrain out of that of the ellipsoid, layover, shadow.

Only of products that are not flattened: Sentinel-1 GRD, placed by its tie points, and orthorectified sigma0 (ALOS-2
L2.1) whose look direction the catalog tells. What is terrain-corrected already is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Proj, Transformer
from shapely.geometry import shape

from catalogs.formats.sentinel1 import swath_metadata
from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import Flags, RadarBundle, copolar
from harmonization.flattening import active_layover, active_shadow, flatten_factor, flatten_valid, terrain_rise
from harmonization.geometry import local_incidence
from harmonization.layover_shadow import cast_layover_shadow, halo_pixels
from harmonization.reasons import Reason
from pipeline.ground import elevation_on
from pipeline.radar_angle import angle_on
from pipeline.radar_track import pass_angle
from pipeline.swath_terrain import datum_offset, swaths_of

Array = NDArray[np.float32]

REACH = 3000.0
"""Metres over which ground casts layover and shadow: right for a relief of 1660 m at 29° (layover) and of 2900 m at
46° (shadow). The elevation is read as much wider than a unit, so that neighbours agree."""
HIDDEN = Reason.LAYOVER | Reason.RADAR_SHADOW


@dataclass(frozen=True, eq=False)
class Facets:
    """The ground of one acquisition as the radar sees it, on a GeoBox."""

    factor: Array
    """(y, x) gamma0 of the terrain by what the product holds; NaN in layover, in shadow and outside of the product."""
    angle: Array
    """(y, x) local incidence in degrees; on the ellipsoid where the elevation is not known; NaN outside."""
    reasons: Flags
    """(y, x) layover, radar shadow, and "outside model" where the ground is too steep for facets."""


def facets_on(scene: Acquisition, box: GeoBox, elevation: Sequence[RasterLayer]) -> Facets | None:
    """The facets of a product that is to be flattened; None of one that is already, or that cannot be.

    Where the elevation of a pixel or of one of its eight neighbours is not known the ground counts as level. Raises
    `ReadError`, which names the file.
    """
    azimuth = look_azimuth_on(scene, box, tuple(elevation)) if elevation else None
    incidence = None if azimuth is None else angle_on(scene, box)
    if azimuth is None or incidence is None:
        return None
    ground = _ground_on(box, elevation, incidence, azimuth)
    place = incidence, ground.east, ground.north, azimuth
    factor = flatten_factor(*place)
    if scene.quantity == "sigma0":
        factor = factor / np.cos(np.deg2rad(incidence))
    steep = np.isfinite(incidence) & ~flatten_valid(*place)
    told = ((ground.layover, Reason.LAYOVER), (ground.shadow, Reason.RADAR_SHADOW), (steep, Reason.OUTSIDE_MODEL))
    return Facets(
        factor=np.where(ground.layover | ground.shadow, np.float32(np.nan), factor).astype(np.float32),
        angle=local_incidence(*place).astype(np.float32),
        reasons=np.sum([np.where(where, np.uint16(why), np.uint16(0)) for where, why in told], axis=0, dtype=np.uint16),
    )


@dataclass(frozen=True, eq=False)
class _Ground:
    """Rises to the east and north, 0 where not known, and what hides the ground; all (y, x)."""

    east: Array
    north: Array
    layover: NDArray[np.bool_]
    shadow: NDArray[np.bool_]


def _ground_on(box: GeoBox, elevation: Sequence[RasterLayer], incidence: Array, azimuth: float) -> _Ground:
    pixel = abs(box.resolution.y), abs(box.resolution.x)
    halo = halo_pixels(pixel, REACH)
    height = elevation_on(elevation, box.pad(halo))
    layover, shadow = cast_layover_shadow(height, incidence, azimuth, pixel, REACH)
    near = slice(halo - 1, 1 - halo)
    east, north = (np.nan_to_num(rise, nan=0.0) for rise in terrain_rise(height[near, near], pixel))
    layover |= active_layover(incidence, east, north, azimuth)
    shadow |= active_shadow(incidence, east, north, azimuth)
    return _Ground(east, north, layover, shadow)


def flattened(bundle: RadarBundle, facets: Facets) -> RadarBundle:
    """The bundle, whose power is flattened already, with all else that goes with it: noise, angle, reasons."""
    level = np.where(np.isnan(facets.factor), np.float32(1.0), facets.factor)
    hidden = (facets.reasons & np.uint16(HIDDEN)) != 0
    known = np.where(hidden, bundle.reasons & ~np.uint16(Reason.OUTSIDE_SWATH), bundle.reasons)
    return replace(
        bundle,
        quantity="gamma0",
        angle=facets.angle,
        noise={name: (noise * level).astype(np.float32) for name, noise in bundle.noise.items()},
        reasons=known | facets.reasons,
    )


def flattening_told(scene: Acquisition, box: GeoBox, elevation: Sequence[RasterLayer]) -> str:
    """How the power of a radar acquisition was flattened for terrain, in words for the item."""
    angle = scene.angle_source in ("layer", "annotation") or pass_angle(scene) is not None
    if elevation and angle and look_azimuth_on(scene, box, tuple(elevation)) is not None:
        return "by facets of the elevation"
    if scene.quantity == "sigma0":
        return "none: sigma0 of the ellipsoid"
    if swaths_of(scene.layers[copolar(scene.layers)]):
        return "none: gamma0 of the ellipsoid"
    return "before it was decoded: gamma0 of the terrain"


def look_azimuth_on(scene: Acquisition, box: GeoBox, elevation: tuple[RasterLayer, ...]) -> float | None:
    """Degrees clockwise from the north of a GeoBox's map in which a product to be flattened looks; None of others.

    One value a scene and map, so that neighbouring units agree.
    """
    rasters = scene.layers[copolar(scene.layers)]
    swaths = swaths_of(rasters)
    if swaths:
        fits = datum_offset(swaths, elevation) is not None
        return _swath_azimuth(swaths, str(box.crs)) if fits else None
    if scene.quantity != "sigma0" or scene.look_azimuth is None:
        return None
    middle = shape(scene.footprint).centroid
    convergence = Proj(str(box.crs)).get_factors(middle.x, middle.y).meridian_convergence
    return float(scene.look_azimuth - convergence)


@lru_cache(maxsize=64)
def _swath_azimuth(swaths: tuple[RasterLayer, ...], crs: str) -> float:
    """Degrees from the map's north, from near to far tie points of every line, averaged.

    Not from `platformHeading`: that is of the orbit in space, while the beam is steered to zero Doppler over the
    turning Earth; at 45° north the two lie 4° apart. Over a whole IW product the tie points agree to 0.15°.
    """
    step = np.zeros(2)
    to_map = Transformer.from_crs(4326, crs, always_xy=True)
    for layer in swaths:
        grid = swath_metadata(layer).annotation.grid
        x, y = (np.asarray(axis) for axis in to_map.transform(grid.longitude, grid.latitude))
        across = np.stack([x[:, -1] - x[:, 0], y[:, -1] - y[:, 0]])
        step += (across / np.hypot(*across)).sum(axis=1)
    return float(np.degrees(np.arctan2(step[0], step[1])))
