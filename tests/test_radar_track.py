"""The angle of a pass from its orbit and footprint: on real items, on small pieces, and where nothing fits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scenes import grid, plain, radar_scene, science
from shapely.geometry import box as rectangle
from shapely.geometry import mapping, shape

from catalogs.acquisition import to_acquisition
from catalogs.passes import passes
from catalogs.records import Acquisition
from harmonization.bundle import RadarBundle
from harmonization.incidence import class_mean_valid
from harmonization.orbit import ORBITS, Track, incidence_from_pass, reference_node
from harmonization.radar.evidence import weigh_radar
from harmonization.reasons import Reason
from pipeline.decode import decode
from pipeline.radar_angle import angle_on, angle_reasons, angle_told
from pipeline.radar_track import pass_angle

ITEMS = "data/stac/items/planetary-computer"
RTC = f"{ITEMS}/sentinel-1-rtc/S1A_IW_GRDH_1SDV_20250311T044231_20250311T044249_058252_073302_rtc.json"


def items(path: Path) -> Iterator[pystac.Item]:
    data = json.loads(path.read_text())
    for one in data if isinstance(data, list) else data.get("features", [data]):
        yield pystac.Item.from_dict(one)


def real(path: Path, **changes: Any) -> list[Acquisition]:
    scenes = [to_acquisition(item, catalog_root="https://planetarycomputer.microsoft.com/") for item in items(path)]
    return [scene.model_copy(update=changes) for scene in scenes]


def box_at(longitude: float, latitude: float, rows: int = 64, columns: int = 64, shift: int = 0) -> GeoBox:
    """A box of 10 m on the lattice of its UTM zone, its columns moved by so many."""
    zone = 32600 + int((longitude + 180) // 6) + 1
    corner = GeoBox.from_bbox((longitude, latitude, longitude + 0.001, latitude + 0.001), 4326, shape=(2, 2)).to_crs(
        zone
    )
    left, top = (round(value / 160) * 160 for value in (corner.affine.c, corner.affine.f))
    affine = type(corner.affine)(10.0, 0.0, left + 10.0 * shift, 0.0, -10.0, top)
    return GeoBox((rows, columns), affine, zone)


def test_a_real_item_without_an_angle_layer_has_its_angle_derived(shared: Path) -> None:
    (scene,) = real(shared / RTC)
    assert scene.angle_source == "pass"
    found = pass_angle(scene)
    assert found is not None
    assert (found.near, found.far) == (30.0, 46.0)
    assert angle_told(scene) == "derived from the pass: relative orbit 80; good to 0.1 degrees on flat ground"
    angle = angle_on(scene, box_at(19.3, 30.0))
    assert angle is not None
    assert angle.dtype == np.float32
    assert np.isfinite(angle).all()
    # Descending, looking west: the angle falls eastward; 64 pixels of 10 m are 0.04 degrees.
    assert angle[32, 0] - angle[32, -1] == pytest.approx(0.04, abs=0.01)
    assert 36.0 < angle.mean() < 40.0, "the middle of the swath"


def test_without_its_orbit_number_the_edges_of_the_swath_say_the_same(shared: Path) -> None:
    (scene,) = real(shared / RTC)
    (nameless,) = real(shared / RTC, relative_orbit=None)
    assert "the edges of its swath, 252 km apart" in angle_told(nameless)
    by_number, by_edges = (angle_on(one, box_at(19.3, 30.0)) for one in (scene, nameless))
    assert by_number is not None
    assert by_edges is not None
    np.testing.assert_allclose(by_edges, by_number, atol=0.15)


def test_edges_and_numbers_agree_on_every_real_footprint(shared: Path) -> None:
    """Nine footprints from 49 S to 33 N; the near edge moves with the altitude by a degree between them."""
    files = sorted((shared / "data/stac/items").rglob("sentinel-1-*/S1*IW*.json"))
    files += [shared / f"{ITEMS}/sentinel-1-rtc-four-in-a-row.json"]
    seen = 0
    for scene in (scene for path in files for scene in real(path)):
        bare = {name: tuple(raster.model_copy(update={"swath": None}) for raster in rasters)
                for name, rasters in scene.layers.items()}  # fmt: skip
        named = scene.model_copy(update={"layers": bare})
        by_number, by_edges = pass_angle(named), pass_angle(named.model_copy(update={"relative_orbit": None}))
        assert by_number is not None
        assert by_edges is not None
        corners = np.array(shape(scene.footprint).exterior.coords).T
        ours, other = (incidence_from_pass(found.track, *corners) for found in (by_number, by_edges))
        np.testing.assert_allclose(other, ours, atol=0.1)
        seen += 1
    assert seen == 9


def test_a_pass_of_many_slices_is_one_track(shared: Path) -> None:
    slices = real(shared / f"{ITEMS}/sentinel-1-rtc-four-in-a-row.json")
    (whole,), _ = passes(slices)
    assert len(whole.slices) == len(slices) == 4
    for nameless in (whole, whole.model_copy(update={"relative_orbit": None})):
        found = pass_angle(nameless)
        assert found is not None
        for one in slices:
            alone = pass_angle(one)
            assert alone is not None
            middle = shape(one.footprint).centroid
            angles = [incidence_from_pass(p.track, middle.x, middle.y) for p in (found, alone)]
            assert angles[0] == pytest.approx(angles[1], abs=0.15)


@pytest.mark.parametrize(
    "changes",
    [
        {"relative_orbit": 7},
        {"relative_orbit": None},
        {"orbit_direction": "ascending"},
        {"orbit_direction": None},
        {"look_side": None},
        {"look_side": "left"},
        {"sensor": "landsat"},
        {"reference_only": True},
    ],
)
def test_a_piece_whose_orbit_does_not_fit_keeps_the_range_of_the_mode(shared: Path, changes: dict[str, Any]) -> None:
    """A chip of a pass: its outline is no edge of a swath, so a wrong or missing orbit leaves nothing to go by."""
    (scene,) = real(shared / RTC, footprint=mapping(rectangle(19.2, 29.9, 19.4, 30.1)))
    assert pass_angle(scene) is not None, "the right orbit needs no edges"
    wrong = scene.model_copy(update=changes)
    assert pass_angle(wrong) is None
    assert angle_on(wrong, box_at(19.3, 30.0)) is None
    assert angle_told(wrong) == "unknown: all angles of the mode"


def test_a_footprint_that_is_no_outline_or_lies_at_the_pole_is_passed_over(shared: Path) -> None:
    for footprint in ({}, {"type": "Polygon", "coordinates": []}, mapping(rectangle(0, 79, 20, 82))):
        (scene,) = real(shared / RTC, footprint=footprint)
        assert pass_angle(scene) is None


def test_a_unit_has_the_angles_of_its_neighbour(shared: Path) -> None:
    (scene,) = real(shared / RTC)
    whole, left, right = (
        angle_on(scene, box_at(19.3, 30.0, 48, columns, shift)) for columns, shift in ((96, 0), (32, 0), (64, 32))
    )
    assert whole is not None
    assert left is not None
    assert right is not None
    np.testing.assert_array_equal(whole, np.concatenate([left, right], axis=1))


def test_angles_between_nodes_are_those_of_the_orbit(shared: Path) -> None:
    """Asked every 16 pixels and linear in between: no further from asking every pixel than float32 tells."""
    (scene,) = real(shared / RTC)
    found, box = pass_angle(scene), box_at(19.3, 30.0)
    assert found is not None
    x, y = np.meshgrid(box.coordinates["x"].values, box.coordinates["y"].values)
    longitude, latitude = Transformer.from_crs(str(box.crs), 4326, always_xy=True).transform(x, y)
    slow = incidence_from_pass(found.track, longitude, latitude)
    np.testing.assert_allclose(angle_on(scene, box), slow, atol=2e-5)


def test_the_other_side_of_the_track_has_no_angle(shared: Path) -> None:
    (scene,) = real(shared / RTC)
    east = angle_on(scene, box_at(29.0, 30.0))
    assert east is not None
    assert np.isnan(east).all()


def test_the_bundle_has_the_derived_angle_and_no_unknown_flag(tmp_path: Path) -> None:
    box = grid(32, 32)
    place = shape(radar_scene(tmp_path, "p", {"VV": plain((32, 32), 0.1)}, box).footprint).centroid
    track = Track(ORBITS["sentinel-1"], "descending", "right", reference_node(ORBITS["sentinel-1"], 168) or 0.0)
    expected = float(incidence_from_pass(track, place.x, place.y))
    assert 30.0 < expected < 45.0, "northern Italy lies in this swath"
    told = {"relative_orbit": 168, "orbit_direction": "descending", "look_side": "right"}
    scene = radar_scene(tmp_path, "s", {"VV": plain((32, 32), 0.1)}, box, **told)
    found = decode(scene, box, science(), 12.0, {"VV": -25.0})
    assert isinstance(found, RadarBundle)
    assert found.angle is not None
    assert found.angle.mean() == pytest.approx(expected, abs=0.01)
    assert found.angle_range == (np.floor(found.angle.min()), np.ceil(found.angle.max()))
    assert (found.reasons == 0).all()
    assert not (weigh_radar("sentinel-1", found).reasons & Reason.UNKNOWN_ANGLE).any()


def test_angles_outside_of_the_class_means_are_flagged() -> None:
    angle = np.array([[26.0, 27.5, 47.5, 49.0, np.nan]], dtype=np.float32)
    found = angle_reasons(angle, grid(1, 5))
    np.testing.assert_array_equal(found[0] == Reason.OUTSIDE_MODEL, [True, False, False, True, False])
    assert not (class_mean_valid(angle) & (found != 0)).any()
    assert (angle_reasons(None, grid(1, 5)) == 0).all()
