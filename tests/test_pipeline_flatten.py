"""Flattening in the flow: which products, what becomes of them, and no seam."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scenes import NOON, grid, plain, radar_scene, science, write_tiff

from catalogs.formats.sentinel1 import swath_metadata
from catalogs.records import Acquisition, RasterLayer, Swath
from harmonization.bundle import RadarBundle
from harmonization.flattening import flatten_factor
from harmonization.geometry import local_incidence
from harmonization.reasons import Reason
from pipeline.decode import decode
from pipeline.flatten import _swath_azimuth, flattening_told, look_azimuth_on
from pipeline.weigh import weigh

SIDE, THETA, AZIMUTH = 48, 38.5, 80.0
WIDE = 340
"""Pixels of elevation around a scene: more than the march reaches."""


def l_band(folder: Path, **changes: Any) -> Acquisition:
    """Orthorectified sigma0 of a constant -12 dB with an angle on the ellipsoid, as ALOS-2 L2.1 with its angle is."""
    box = grid(SIDE, SIDE)
    angle = RasterLayer(href=write_tiff(folder / "angle.tif", plain((SIDE, SIDE), THETA), box))
    told: dict[str, Any] = {
        "sensor": "alos-2", "band": "L", "quantity": "sigma0", "look_azimuth": AZIMUTH, "layers": {"angle": angle},
    }  # fmt: skip
    return radar_scene(folder, "l", {"HH": plain((SIDE, SIDE), 10**-1.2)}, box, **told | changes)


def elevation(folder: Path, height: NDArray[np.float32], name: str = "dem") -> tuple[RasterLayer]:
    """Heights of a scene and `WIDE` pixels around it."""
    box = grid(SIDE, SIDE).pad(WIDE)
    assert height.shape == box.shape.yx
    return (RasterLayer(href=write_tiff(folder / f"{name}.tif", height, box, nodata=np.nan)),)


def sloping(east: float, north: float) -> NDArray[np.float32]:
    rows, columns = np.mgrid[0 : SIDE + 2 * WIDE, 0 : SIDE + 2 * WIDE]
    return (2000.0 + 10.0 * (east * columns - north * rows)).astype(np.float32)


def decoded(scene: Acquisition, dem: tuple[RasterLayer, ...] = (), box: GeoBox | None = None) -> RadarBundle:
    noise = dict.fromkeys(scene.polarizations, -30.0)
    bundle = decode(scene, box or grid(SIDE, SIDE), science(multilook={"C": 1, "L": 1}), 15.0, noise, dem)
    assert isinstance(bundle, RadarBundle)
    return bundle


@pytest.mark.parametrize("azimuth", [80.0, 280.0, 260.0], ids=["ascending", "descending", "ascending left"])
def test_a_plane_comes_out_as_the_closed_form(tmp_path: Path, azimuth: float) -> None:
    scene, dem = l_band(tmp_path, look_azimuth=azimuth), elevation(tmp_path, sloping(0.1, 0.05))
    bundle = decoded(scene, dem)
    place = THETA, 0.1, 0.05, look_azimuth_on(scene, grid(SIDE, SIDE), dem)
    assert place[3] == pytest.approx(azimuth, abs=1.5), "but for the convergence of the meridians"
    factor = flatten_factor(*place) / np.cos(np.radians(THETA))  # type: ignore[arg-type]
    assert bundle.quantity == "gamma0"
    np.testing.assert_allclose(bundle.power["HH"], 10**-1.2 * factor, rtol=1e-3)
    np.testing.assert_allclose(bundle.noise["HH"], 1e-3 * factor, rtol=1e-3)
    np.testing.assert_allclose(bundle.angle, local_incidence(*place), rtol=1e-3)  # type: ignore[arg-type]
    assert not bundle.reasons.any()


def test_level_ground_changes_the_quantity_only(tmp_path: Path) -> None:
    bundle = decoded(l_band(tmp_path), elevation(tmp_path, sloping(0.0, 0.0)))
    np.testing.assert_allclose(bundle.power["HH"], 10**-1.2 / np.cos(np.radians(THETA)), rtol=1e-6)
    np.testing.assert_allclose(bundle.angle, THETA, rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{"quantity": "gamma0"}, {"look_azimuth": None}, {"layers": {}}],
    ids=["terrain-corrected already", "unknown look", "unknown angle"],
)
def test_other_products_are_not_touched(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Nothing is flattened twice: the same bytes with and without an elevation."""
    scene = l_band(tmp_path, **changes)
    bundle, plainly = decoded(scene, elevation(tmp_path, sloping(0.2, 0.1))), decoded(scene)
    assert bundle.quantity == plainly.quantity == scene.quantity
    for one, other in ((bundle.power["HH"], plainly.power["HH"]), (bundle.reasons, plainly.reasons)):
        assert np.array_equal(one, other)
    assert bundle.noise == plainly.noise
    if bundle.angle is None:
        assert plainly.angle is None
    else:
        assert np.array_equal(bundle.angle, np.asarray(plainly.angle))


def test_sentinel_1_rtc_is_not_touched(tmp_path: Path) -> None:
    scene = radar_scene(tmp_path, "rtc", {"VV": plain((SIDE, SIDE), 0.1)}, grid(SIDE, SIDE), look_azimuth=AZIMUTH)
    bundle = decoded(scene, elevation(tmp_path, sloping(0.2, 0.1)))
    assert np.array_equal(bundle.power["VV"], decoded(scene).power["VV"])


def test_the_item_says_how_a_scene_was_flattened(tmp_path: Path) -> None:
    box, dem = grid(SIDE, SIDE), elevation(tmp_path, sloping(0.1, 0.0))
    rtc = radar_scene(tmp_path, "rtc", {"VV": plain((SIDE, SIDE), 0.1)}, box, look_azimuth=AZIMUTH)
    scene = l_band(tmp_path)
    without_angle = scene.model_copy(update={"layers": {"HH": scene.layers["HH"]}})
    assert flattening_told(scene, box, dem) == "by facets of the elevation"
    for one, ground in ((scene, ()), (l_band(tmp_path, look_azimuth=None), dem), (without_angle, dem)):
        assert flattening_told(one, box, ground) == "none: sigma0 of the ellipsoid"
    assert flattening_told(rtc, box, dem) == "before it was decoded: gamma0 of the terrain"


def mountain() -> NDArray[np.float32]:
    """A wall of 200 m in the middle columns of the scene, on a plain."""
    height = np.zeros((SIDE + 2 * WIDE,) * 2, np.float32)
    height[:, WIDE + 22 : WIDE + 26] = 200.0
    return height


def test_layover_and_shadow_say_nothing_and_never_dry(tmp_path: Path) -> None:
    bundle = decoded(l_band(tmp_path, look_azimuth=90.0), elevation(tmp_path, mountain()))
    hidden = (bundle.reasons & np.uint16(Reason.LAYOVER | Reason.RADAR_SHADOW)) != 0
    assert (bundle.reasons[:, 0:20] & Reason.LAYOVER).all(axis=0)[3:].all(), "200 m / tan(38.5°) before the wall"
    assert not (bundle.reasons[:, 0:20] & Reason.RADAR_SHADOW).any()
    assert (bundle.reasons[:, 27:41] & Reason.RADAR_SHADOW).all(), "200 m · tan(38.5°) behind it"
    assert not hidden[:, 43:].any()
    assert not (bundle.reasons & Reason.OUTSIDE_SWATH).any(), "it was seen, and shows nothing"
    assert np.array_equal(np.isnan(bundle.power["HH"]), hidden)
    evidence = weigh("alos-2", [bundle], [], NOON).evidence
    assert not evidence.observed[hidden].any()
    assert not evidence.llr[:, hidden].any()
    assert evidence.observed[~hidden].all()


def test_steep_ground_is_flagged_and_still_given(tmp_path: Path) -> None:
    bundle = decoded(l_band(tmp_path), elevation(tmp_path, sloping(-0.3, 0.0)))
    assert (bundle.reasons == Reason.OUTSIDE_MODEL).all()
    assert np.isfinite(bundle.power["HH"]).all()


def test_where_elevation_ends_the_ground_counts_as_level(tmp_path: Path) -> None:
    height = sloping(0.1, 0.0)
    height[:, WIDE + 24 :] = np.nan
    bundle = decoded(l_band(tmp_path), elevation(tmp_path, height))
    np.testing.assert_allclose(bundle.power["HH"][:, 25:], 10**-1.2 / np.cos(np.radians(THETA)), rtol=1e-6)
    assert (bundle.power["HH"][:, :22] < 0.9 * bundle.power["HH"][0, 30]).all()
    assert bundle.angle is not None
    np.testing.assert_allclose(bundle.angle[:, 25:], THETA, rtol=1e-6)
    assert not bundle.reasons.any()


def test_parts_of_a_grid_are_the_bytes_of_the_whole(tmp_path: Path) -> None:
    """A mountain in one part casts its shadow into the next."""
    noise = np.random.default_rng(3).normal(0, 1.0, (SIDE + 2 * WIDE,) * 2)
    scene, dem = l_band(tmp_path), elevation(tmp_path, mountain() + noise.astype(np.float32))
    box = grid(SIDE, SIDE)
    whole = decoded(scene, dem)
    for rows in (slice(0, 32), slice(32, 48)):
        for columns in (slice(0, 16), slice(16, 48)):
            part = decoded(scene, dem, box[rows, columns])
            for one, other in (
                (part.power["HH"], whole.power["HH"]),
                (part.angle, whole.angle),
                (part.reasons, whole.reasons),
                (part.noise["HH"], whole.noise["HH"]),
            ):
                assert np.array_equal(np.asarray(one), np.asarray(other)[rows, columns], equal_nan=True)


def test_a_real_product_looks_where_its_tie_points_say(shared: Path) -> None:
    """4° from where `platformHeading`, the heading of the orbit in space, has it; the same over all tie points."""
    root = next((shared / "data" / "sentinel1").glob("*.SAFE"))
    files = {
        "annotation": next(root.glob("annotation/*-vv-*.xml")),
        "calibration": next(root.glob("annotation/calibration/calibration-*-vv-*.xml")),
    }
    layer = RasterLayer(
        href=str(root / "measurement.tif"), encoding="calibrated", swath=Swath(**{k: str(v) for k, v in files.items()})
    )
    annotation = swath_metadata(layer).annotation
    azimuth = _swath_azimuth((layer,), "EPSG:32631")
    assert azimuth == pytest.approx(79.89, abs=0.01)
    assert azimuth - (annotation.heading + 90.0) % 360.0 == pytest.approx(4.05, abs=0.1)
    x, y = Transformer.from_crs(4326, 32631, always_xy=True).transform(
        annotation.grid.longitude, annotation.grid.latitude
    )
    steps = np.degrees(np.arctan2(np.diff(x, axis=1), np.diff(y, axis=1)))
    np.testing.assert_allclose(steps, azimuth, atol=0.15)
    assert _swath_azimuth((layer,), "EPSG:32632") == pytest.approx(azimuth + 4.2, abs=0.3), "the north of another zone"
