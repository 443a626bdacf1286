"""The pass of a radar acquisition as a track over the ground, for products without an angle of each pixel.

Three ways, the surest first: the incidence that the product states at its middle; the reference track that Sentinel-1
keeps to; the edges of a footprint as wide as the swath. Where none fits, the angle stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import shape

from catalogs.lonlat import joined
from catalogs.records import Acquisition
from harmonization.orbit import (
    ORBITS,
    POLAR_LIMIT,
    Direction,
    Side,
    Track,
    across,
    altitude,
    incidence_from_pass,
    incidence_of_beam,
    reference_node,
    track_through,
)
from pipeline.swath_geometry import on_lattice

Real = NDArray[np.float64]

IW_NEAR = (30.6, 699.0, -0.062)
"""Least incidence of the interferometric wide swath of Sentinel-1, degrees, at an altitude in km, and its change by km:
the roll of the satellite follows its altitude. [C] from the annotation of one real product and the footprints of seven
others on reference tracks, north and south: 29.6 to 30.7 degrees, each met within 0.15."""
IW_WIDTH = (230.0, 270.0)
"""Kilometres across: what a footprint must span to count as the whole swath (nominal 250)."""
SLACK = 2.0
"""Degrees by which a footprint may reach beyond the range of the mode; the next track over differs by 15 or more."""


LEAST_ANGLE = 5.0
"""Degrees; the corners of a map-projected footprint may lie below, where nothing was seen."""
Found = tuple[Track, str, float]
"""Track, how it was found, expected error in degrees."""


@dataclass(frozen=True)
class PassAngle:
    """Where the angle of a pass comes from."""

    track: Track
    near: float
    far: float
    """Degrees: least and largest angle in the footprint, whole numbers outward."""
    told: str
    """In words, for the item."""
    error: float
    """Degrees, one standard deviation that is expected on flat ground."""


def pass_angle(scene: Acquisition) -> PassAngle | None:
    """The track of an acquisition's pass; None where orbit, look side or footprint do not tell it.

    It is of the whole pass and not of a unit, so neighbours agree.
    """
    orbit, places = ORBITS.get(scene.sensor), _corners(scene)
    if orbit is None or scene.angle_source != "pass" or not places.size or np.abs(places[1]).max() > POLAR_LIMIT:
        return None
    start = Track(orbit, cast(Direction, scene.orbit_direction), cast(Side, scene.look_side), 0.0)
    found = _stated(scene, start) or _reference(scene, start, places) or _swath_edges(scene, start, places)
    if found is None:
        return None
    track, told, error = found
    angles = incidence_from_pass(track, *places)
    near, far = max(float(np.floor(angles.min())), LEAST_ANGLE), float(np.ceil(angles.max()))
    return PassAngle(track, near, far, f"the pass: {told}", error)


def incidence_on_track(track: Track, box: GeoBox) -> NDArray[np.float32]:
    """(y, x) incidence on the ellipsoid in degrees; NaN on the side that the radar does not look to."""

    def at(longitude: Real, latitude: Real) -> tuple[Real]:
        return (incidence_from_pass(track, longitude, latitude),)

    (angle,) = on_lattice(box, 1, at)
    return np.where(angle > 0, angle, np.nan).astype(np.float32)


def _corners(scene: Acquisition) -> Real:
    """(2, n) longitude and latitude of the footprint's corners, running on across the antimeridian; empty if none."""
    try:
        return np.asarray(shapely.get_coordinates(joined(shape(scene.footprint))).T, dtype=np.float64)
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
        return np.empty((2, 0))


def _stated(scene: Acquisition, start: Track) -> Found | None:
    """By the angle that the product states for its middle, else by that of its beam."""
    middle = joined(shape(scene.footprint)).centroid
    if scene.incidence is not None:
        incidence, told, error = scene.incidence, f"its incidence of {scene.incidence:g} degrees at the middle", 0.2
    elif scene.off_nadir is not None:
        incidence = incidence_of_beam(start.orbit, start.direction, middle.y, scene.off_nadir)
        told, error = f"its beam at {scene.off_nadir:g} degrees off nadir", 0.6
    else:
        return None
    track = track_through(start.orbit, start.direction, start.side, (middle.x, middle.y), incidence)
    return track, told, error


def _reference(scene: Acquisition, start: Track, places: Real) -> Found | None:
    """By the reference track of a relative orbit, if the footprint lies where the mode looks from it.

    Where the northbound half of a revolution begins, in the south, the number is still that of the one before.
    """
    near, far = scene.angle_range or (0.0, 0.0)
    for number in (scene.relative_orbit, (scene.relative_orbit or 0) + 1) if scene.relative_orbit else ():
        node = reference_node(start.orbit, number)
        if node is None:
            return None
        track = replace(start, node=node)
        angles = incidence_from_pass(track, *places)
        if angles.min() > near - SLACK and angles.max() < far + SLACK:
            return track, f"relative orbit {scene.relative_orbit}", 0.1
    return None


def _swath_edges(scene: Acquisition, start: Track, places: Real) -> Found | None:
    """By the edges of a footprint that spans the interferometric wide swath of Sentinel-1."""
    if scene.sensor != "sentinel-1":
        return None
    latitude = float(places[1].mean())
    at_height, height, change = IW_NEAR
    edge = at_height + change * (altitude(start.orbit, start.direction, latitude) - height)
    track = track_through(start.orbit, start.direction, start.side, (places[0], places[1]), edge)
    angles = incidence_from_pass(track, *places)
    near, far = across(track, [angles.min(), angles.max()], latitude)
    if not IW_WIDTH[0] <= far - near <= IW_WIDTH[1]:
        return None
    return track, f"the edges of its swath, {far - near:.0f} km apart", 0.2
