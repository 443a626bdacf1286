"""The incidence angle from the orbit, against annotations and state vectors of real products."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry import shape

from catalogs.formats.ceos_leader import read_leader
from harmonization.orbit import (
    ORBITS,
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

S1, ALOS = ORBITS["sentinel-1"], ORBITS["alos-2"]
SAFE = "data/sentinel1/S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.SAFE"
CEOS = "data/palsar2/ceos/0000022708_001001_ALOS2015976960-140909.zip"
LEADER = "LED-ALOS2015976960-140909-FBDR1.5GUA"


def annotated(shared: Path) -> NDArray[np.float64]:
    """(n, 4) longitude, latitude, height and incidence of the tie points of a real product, relative orbit 59."""
    (path,) = (shared / SAFE / "annotation").glob("*-vv-*.xml")
    names = ("longitude", "latitude", "height", "incidenceAngle")
    points = ElementTree.parse(path).iter("geolocationGridPoint")
    return np.array([[float(point.findtext(name, "nan")) for name in names] for point in points])


def test_the_reference_track_gives_the_annotated_angles(shared: Path) -> None:
    """The first node comes from this product: the test is of the shape of the field, over 250 km in two directions."""
    longitude, latitude, _, incidence = annotated(shared).T
    node = reference_node(S1, 59)
    assert node is not None
    error = incidence_from_pass(Track(S1, "ascending", "right", node), longitude, latitude) - incidence
    assert np.abs(error).max() < 0.05
    assert np.sqrt(np.mean(error**2)) < 0.02


def test_the_near_corners_of_a_footprint_give_the_annotated_angles(shared: Path) -> None:
    longitude, latitude, _, incidence = annotated(shared).T
    corners = [int(np.argmin(incidence)), int(np.argmax(incidence))]
    places = longitude[corners], latitude[corners]
    track = track_through(S1, "ascending", "right", places, float(incidence.min()))
    np.testing.assert_allclose(incidence_from_pass(track, longitude, latitude), incidence, atol=0.08)


def test_footprints_of_real_passes_agree_with_their_reference_tracks(shared: Path) -> None:
    """Ascending and descending, north and south: IW looks at 29 to 47 degrees from its track, and nowhere else."""
    seen = 0
    for path in sorted((shared / "data/stac/items").rglob("S1*IW*.json")):
        item = json.loads(path.read_text())
        told = item["properties"]
        corners = shapely.get_coordinates(shape(item["geometry"]))
        north = told["sat:orbit_state"] == "descending" or corners[:, 1].mean() > 0
        node = reference_node(S1, told["sat:relative_orbit"] + (0 if north else 1))
        assert node is not None
        angles = incidence_from_pass(Track(S1, told["sat:orbit_state"], "right", node), *corners.T)
        assert 29.5 < angles.min() < 30.8
        assert 44.8 < angles.max() < 46.6
        seen += 1
    assert seen >= 5


def state_vectors(data: bytes) -> NDArray[np.float64]:
    """(28, 6) metres and metres a second in the turning frame, of the platform record of the leader."""
    text = data[6436 : 6436 + 4680].decode("latin-1")
    rows = [text[386 + 132 * index : 386 + 132 * (index + 1)] for index in range(28)]
    return np.array([[float(row[22 * column : 22 * (column + 1)]) for column in range(6)] for row in rows])


def abeam_incidence(states: NDArray[np.float64], longitude: float, latitude: float) -> float:
    """Slow and obvious: the satellite every 0.1 s by cubic interpolation, the nearest place of it, and the angle."""
    from scipy.interpolate import CubicHermiteSpline

    times = np.arange(28) * 60.0
    path = CubicHermiteSpline(times, states[:, :3], states[:, 3:])(np.arange(0.0, times[-1], 0.1))
    lat, lon = np.deg2rad(latitude), np.deg2rad(longitude)
    normal = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    curvature = 6378137.0 / np.sqrt(1 - 0.00669438 * np.sin(lat) ** 2)
    ground = curvature * normal * [1, 1, 1 - 0.00669438]
    toward = path[np.argmin(np.linalg.norm(path - ground, axis=1))] - ground
    return float(np.degrees(np.arccos(toward @ normal / np.linalg.norm(toward))))


def test_a_real_alos2_pass_by_its_state_vectors_and_by_its_stated_incidence(shared: Path, tmp_path: Path) -> None:
    """Only the incidence at the middle goes in: every place of the scene must come out as from the state vectors."""
    with zipfile.ZipFile(shared / CEOS) as archive:
        data = archive.read(next(name for name in archive.namelist() if name.endswith(LEADER)))
    (tmp_path / LEADER).write_bytes(data)
    leader, states = read_leader(tmp_path / LEADER), state_vectors(data)
    assert (leader.incidence, leader.look_side, leader.calibration_db) == (40.573, "right", -83.0)
    middle = (-62.5322403, -11.0510316)
    assert abeam_incidence(states, *middle) == pytest.approx(leader.incidence, abs=0.05)
    track = track_through(ALOS, "ascending", "right", middle, leader.incidence)
    for corner in [(-62.90, -10.812), (-62.301, -10.679), (-62.764, -11.423), (-62.163, -11.290)]:
        slow = abeam_incidence(states, *corner)
        assert incidence_from_pass(track, *corner) == pytest.approx(slow, abs=0.05)
        assert abs(slow - leader.incidence) > 1.0, "the corners see other angles than the middle"


def test_a_beam_off_nadir() -> None:
    """sin(incidence) = (1 + altitude/radius)·sin(off nadir): 36.6 degrees give 41.0; the real middle is 40.57."""
    height = altitude(ALOS, "ascending", -11.05)
    assert height == pytest.approx(636.5, abs=2.0), "JAXA: 628 km over the equator's radius"
    slow = np.degrees(np.arcsin((1 + height / 6377.4) * np.sin(np.radians(36.6))))
    assert incidence_of_beam(ALOS, "ascending", -11.05, 36.6) == pytest.approx(slow, abs=0.01)
    assert abs(slow - 40.573) < 0.6


def test_the_track_repeats_after_a_cycle_and_moves_west() -> None:
    first, next_one, again = (reference_node(S1, number) for number in (1, 2, 176))
    assert first is not None
    assert next_one is not None
    assert again is not None
    assert next_one - first == pytest.approx(-360 * 12 / 175)
    assert (again - first) % 360 == pytest.approx(0.0, abs=1e-9)
    assert reference_node(ALOS, 1) is None, "ALOS-2 numbers its paths by place, not in the order of time"


@given(
    longitude=st.floats(-180, 180),
    latitude=st.floats(-70, 70),
    incidence=st.floats(10, 65),
    direction=st.sampled_from(["ascending", "descending"]),
    side=st.sampled_from(["right", "left"]),
)
def test_a_track_through_a_place_sees_it_at_that_angle(
    longitude: float, latitude: float, incidence: float, direction: Direction, side: Side
) -> None:
    for orbit in ORBITS.values():
        track = track_through(orbit, direction, side, (longitude, latitude), incidence)
        assert incidence_from_pass(track, longitude, latitude) == pytest.approx(incidence, abs=1e-4)
        assert incidence_from_pass(track, longitude + 360, latitude) == pytest.approx(incidence, abs=1e-4)


@pytest.mark.parametrize("direction", ["ascending", "descending"])
def test_right_and_left_looking_see_the_two_sides_of_the_track(direction: Direction) -> None:
    track = Track(ALOS, direction, "right", 30.0)
    east, west = incidence_from_pass(track, [40.0, 10.0] if direction == "ascending" else [206.0, 190.0], [0.0, 0.0])
    if direction == "ascending":
        assert east > 0 > west, "northbound, east lies on the right"
    left = incidence_from_pass(replace(track, side="left"), [40.0, 10.0], [0.0, 0.0])
    np.testing.assert_allclose(left, -incidence_from_pass(track, [40.0, 10.0], [0.0, 0.0]))


def test_the_angle_grows_away_from_the_track_and_with_the_known_distance() -> None:
    track = track_through(S1, "descending", "right", (10.0, 45.0), 35.0)
    line = incidence_from_pass(track, np.linspace(10.0, 8.0, 21), np.full(21, 45.0))
    assert (np.diff(line) > 0).all(), "a descending pass looks west"
    near, far = across(track, [line[0], line[-1]], 45.0)
    flown = 2.0 * 111.32 * np.cos(np.radians(45.0)) * np.cos(np.radians(12.0))  # heading 192 degrees
    assert far - near == pytest.approx(flown, rel=0.02)


def test_places_that_cannot_be_known_are_nan() -> None:
    track = Track(S1, "ascending", "right", 0.0)
    found = incidence_from_pass(track, [5.0, np.nan, 5.0, 5.0], [10.0, 10.0, np.nan, 85.0])
    np.testing.assert_array_equal(np.isnan(found), [False, True, True, True])
    with pytest.raises(ValueError, match="expected within 78"):
        track_through(S1, "ascending", "right", (0.0, 85.0), 35.0)


def test_broken_leader_is_named(tmp_path: Path) -> None:
    from catalogs.errors import ProductError

    (tmp_path / LEADER).write_bytes(io.BytesIO(b"\x00" * 4000).getvalue())
    with pytest.raises(ProductError, match=LEADER):
        read_leader(tmp_path / LEADER)
