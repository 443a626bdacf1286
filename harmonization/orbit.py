"""Where a satellite flies, and so at which angle it sees a place: for products that carry no angle of their own.

The ground track of a near-circular orbit over the turning ellipsoid has one unknown in a given pass, the longitude of
its ascending node. The swath of the pass fixes it. Angles in degrees, lengths in kilometres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

Real = NDArray[np.float64]
Direction = Literal["ascending", "descending"]
Side = Literal["right", "left"]

EQUATOR = 6378.137
"""km, semi-major axis of WGS84 [V]."""
FLATTENING_SQUARED = 6.69437999014e-3
"""First eccentricity squared of WGS84 [V]."""
POLAR_LIMIT = 78.0
"""Degrees of latitude up to which a track is followed: near its turning point it crosses no parallel."""
_STEPS = 4
"""Newton steps to the place abeam; each at least doubles the digits, from a few degrees."""


@dataclass(frozen=True)
class Orbit:
    """A repeat orbit with frozen eccentricity; at argument of latitude u its radius is
    radius - frozen·sin u + oblate·cos 2u."""

    inclination: float
    """Degrees."""
    radius: float
    """km, mean distance from the centre of the Earth."""
    frozen: float
    """km: eccentricity times radius, its perigee over the north."""
    oblate: float
    """km: half of what the flattening of the Earth does to the radius (J2)."""
    days: int
    revolutions: int
    """Of a cycle, after which the ground track repeats."""
    first_node: float | None = None
    """Degrees east of the ascending node of relative orbit 1, where the satellites keep to reference tracks that are
    numbered in the order of time."""

    @property
    def drift(self) -> float:
        """Degrees that the Earth turns below the orbit for each degree along it."""
        return self.days / self.revolutions


ORBITS: dict[str, Orbit] = {
    # Cycles [V]: 175 revolutions in 12 days (ESA), 207 in 14 days (JAXA). The rest [C]: least squares on the state
    # vectors of one real product each, ALOS-2 to 15 m over half an orbit; Sentinel-1 with the eccentricity of ALOS-2,
    # its first node from relative orbit 59 of that product.
    "sentinel-1": Orbit(98.183, radius=7075.35, frozen=8.43, oblate=1.65, days=12, revolutions=175, first_node=0.1452),
    "alos-2": Orbit(97.920, radius=7010.77, frozen=8.43, oblate=1.65, days=14, revolutions=207),
}
"""By sensor."""


@dataclass(frozen=True)
class Track:
    """The ground track of one pass and the side that the radar looks to."""

    orbit: Orbit
    direction: Direction
    side: Side
    node: float
    """Longitude of the ascending node of this revolution, degrees east."""


def incidence_from_pass(track: Track, longitude: ArrayLike, latitude: ArrayLike) -> Real:
    """Incidence angle on the ellipsoid at places that broadcast together, degrees; negative on the other side of the
    track. NaN where a place is NaN or beyond 78 degrees of latitude.

    From the vector to the satellite at the moment it flies abeam in the turning frame (zero Doppler) and the normal of
    the ellipsoid. Heights of the ground are left out: 1 km changes the angle of a place by 0.07 degrees.
    """
    east, north = np.broadcast_arrays(np.asarray(longitude, np.float64), np.asarray(latitude, np.float64))
    known = np.abs(north) <= POLAR_LIMIT
    east, north = np.where(known, east, 0.0), np.where(known, north, 0.0)
    ground, normal = _ground(east, north), _normal(east, north)
    along = _abeam(track, ground, north)
    satellite = _satellite(track, along)
    toward = satellite - ground
    cosine = np.sum(toward * normal, axis=0) / np.linalg.norm(toward, axis=0)
    turned = np.cross(_satellite(track, along, 1e-3) - satellite, toward, axis=0)  # up where the ground lies right
    side = np.sign(np.sum(turned * normal, axis=0)) * (-1.0 if track.side == "left" else 1.0)
    return np.where(known, side * np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))), np.nan)


def track_through(
    orbit: Orbit, direction: Direction, side: Side, places: tuple[ArrayLike, ArrayLike], incidence: float
) -> Track:
    """The track from which `incidence` is the least angle of some places, longitude and latitude in degrees.

    Of one place it is the angle there; of the corners of a swath, that of its near edge.

    Raises ValueError where the places lie beyond 78 degrees of latitude or are not numbers.
    """
    longitude, latitude = (np.atleast_1d(np.asarray(values, np.float64)) for values in places)
    if not (np.abs(latitude) <= POLAR_LIMIT).all():
        raise ValueError(f"latitudes {latitude.min():g} to {latitude.max():g}: expected within {POLAR_LIMIT:g}")
    middle = float(np.mean(np.unwrap(longitude, period=360.0)))
    along = _first_guess(orbit, direction, np.asarray(np.mean(latitude)))
    below = middle - float(_longitude(orbit, along))

    def missed(node: float) -> float:
        found = incidence_from_pass(Track(orbit, direction, side, node), longitude, latitude)
        return float(found.min()) - incidence

    reach = min(15.0 / np.cos(np.deg2rad(np.abs(latitude).max())), 60.0)  # more than 70 degrees of incidence
    return Track(orbit, direction, side, float(optimize.brentq(missed, below - reach, below + reach, xtol=1e-7)))


def reference_node(orbit: Orbit, number: int) -> float | None:
    """Longitude of the ascending node of a relative orbit (from 1), degrees east; None where it is not known.

    Sentinel-1 is held to its reference tracks within a tube of 50 m rms (Barat et al. 2013): 0.01 degrees of incidence.
    """
    return None if orbit.first_node is None else orbit.first_node - (number - 1) * 360.0 * orbit.drift


def incidence_of_beam(orbit: Orbit, direction: Direction, latitude: float, off_nadir: float) -> float:
    """Incidence on the ground of a beam so many degrees off nadir, by the law of sines on a sphere.

    The pointing of the spacecraft is left out: a real ALOS-2 product states 36.6 off nadir, which gives 41.0, and 40.57
    for its centre.
    """
    along = _first_guess(orbit, direction, np.asarray(latitude))
    earth = np.linalg.norm(_ground(np.asarray(0.0), np.asarray(latitude)))
    return float(np.rad2deg(np.arcsin(_radius(orbit, along) / earth * np.sin(np.deg2rad(off_nadir)))))


def across(track: Track, incidence: ArrayLike, latitude: float) -> Real:
    """Kilometres on the ground from the track to where an angle is seen, on a sphere as large as the Earth is there."""
    angle = np.deg2rad(np.asarray(incidence, np.float64))
    earth = float(np.linalg.norm(_ground(np.asarray(0.0), np.asarray(latitude))))
    distance = np.linalg.norm(_satellite(track, _first_guess(track.orbit, track.direction, np.asarray(latitude))))
    return np.asarray(earth * (angle - np.arcsin(earth / distance * np.sin(angle))))


def altitude(orbit: Orbit, direction: Direction, latitude: float) -> float:
    """Kilometres of the satellite above the ellipsoid at a latitude."""
    along = _first_guess(orbit, direction, np.asarray(latitude))
    earth = np.linalg.norm(_ground(np.asarray(0.0), np.asarray(latitude)))
    return float(_radius(orbit, along) - earth)


def _ground(longitude: Real, latitude: Real) -> Real:
    """(3, ...) km of places on the ellipsoid."""
    lat, lon = np.deg2rad(latitude), np.deg2rad(longitude)
    curvature = EQUATOR / np.sqrt(1.0 - FLATTENING_SQUARED * np.sin(lat) ** 2)
    level = curvature * np.cos(lat)
    height = curvature * (1.0 - FLATTENING_SQUARED) * np.sin(lat)
    return np.asarray(np.stack([level * np.cos(lon), level * np.sin(lon), height]))


def _normal(longitude: Real, latitude: Real) -> Real:
    lat, lon = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.asarray(np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]))


def _first_guess(orbit: Orbit, direction: Direction, latitude: Real) -> Real:
    """Argument of latitude, radians, at which the track crosses a latitude."""
    sine = np.sin(np.deg2rad(latitude)) / np.sin(np.deg2rad(orbit.inclination))
    rising = np.arcsin(np.clip(sine, -1.0, 1.0))
    return np.asarray(rising if direction == "ascending" else np.pi - rising)


def _radius(orbit: Orbit, along: Real) -> Real:
    return np.asarray(orbit.radius - orbit.frozen * np.sin(along) + orbit.oblate * np.cos(2.0 * along))


def _longitude(orbit: Orbit, along: Real) -> Real:
    """Degrees east of the node, in the turning frame."""
    inertial = np.arctan2(np.cos(np.deg2rad(orbit.inclination)) * np.sin(along), np.cos(along))
    return np.asarray(np.rad2deg(inertial - orbit.drift * along))


def _satellite(track: Track, along: Real, ahead: float = 0.0) -> Real:
    """(3, ...) km in the turning frame, a little ahead (radians) where asked."""
    place = along + ahead
    east = np.deg2rad(track.node + _longitude(track.orbit, place))
    sine = np.sin(np.deg2rad(track.orbit.inclination)) * np.sin(place)
    level = np.sqrt(1.0 - sine**2)
    return np.asarray(_radius(track.orbit, place) * np.stack([level * np.cos(east), level * np.sin(east), sine]))


def _abeam(track: Track, ground: Real, latitude: Real) -> Real:
    """Argument of latitude at which the satellite is nearest to each place: its velocity is square to the view."""
    along, step = _first_guess(track.orbit, track.direction, latitude), 1e-4
    for _ in range(_STEPS):
        before, here, after = (_satellite(track, along, ahead) - ground for ahead in (-step, 0.0, step))
        near, far = (np.sum(one * one, axis=0) for one in (before, after))
        middle = np.sum(here * here, axis=0)
        along = along - step * (far - near) / (2.0 * (far + near - 2.0 * middle))
    return along
