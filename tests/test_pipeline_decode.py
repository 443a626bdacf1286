"""File numbers to bundles: calibration, masks, reasons, and that fill is never the darkest water."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import NOON, flags, grid, optical_scene, plain, radar_scene, science, write_tiff

from catalogs.errors import ReadError
from catalogs.records import RasterLayer
from harmonization.bundle import OpticalBundle, RadarBundle, copolar
from harmonization.optical.evidence import weigh_optical
from harmonization.optical.reflectance import SURFACE_HAZE, TOP_HAZE, rayleigh_reflectance
from harmonization.radar.evidence import weigh_radar
from harmonization.reasons import Reason
from pipeline.decode import decode
from pipeline.decode_radar import odd_pixels, radar_power
from pipeline.radar_mask import MASKS
from pipeline.read import NativeWindow

BOX = grid(24, 24)
PLAIN = science(multilook={"C": 1, "L": 1}, cloud_growth_m=0)
"""Without boxcar and growth: every pixel for itself."""


def radar(scene: Any, box: Any = BOX, parameters: Any = PLAIN, noise_db: float = -30.0) -> RadarBundle:
    found = decode(scene, box, parameters, 12.0, dict.fromkeys(("VV", "VH", "HH", "HV"), noise_db))
    assert isinstance(found, RadarBundle)
    return found


def optical(scene: Any, parameters: Any = PLAIN) -> OpticalBundle:
    found = decode(scene, BOX, parameters, 1.0, {})
    assert isinstance(found, OpticalBundle)
    return found


def scene_with(folder: Path, values: NDArray[Any], **told: Any) -> Any:
    """A radar scene whose VV layer is encoded as told."""
    layer = RasterLayer(href=write_tiff(folder / "encoded.tif", values, BOX), **told)
    return radar_scene(folder, "scene", {}, BOX, layers={"VV": layer}, noise_db={"VV": -30.0})


# ---- radar


def test_amplitude_becomes_power_by_its_square(tmp_path: Path) -> None:
    """JAXA: gamma0 = 20·log10(DN) - 83 dB. DN 4467 -> 73.0 - 83 = -10 dB = 0.1; DN 1413 -> 63.0 - 83 = -20 dB."""
    values = np.where(np.arange(24)[None] < 12, 4467, 1413).repeat(24, axis=0).astype(np.uint16)
    found = radar(scene_with(tmp_path, values, encoding="amplitude", calibration_db=-83.0)).power["VV"]
    np.testing.assert_allclose(found[:, :12], 0.1, rtol=2e-3)
    np.testing.assert_allclose(found[:, 12:], 0.01, rtol=2e-3)


def test_decibel_becomes_power_before_it_is_averaged(tmp_path: Path) -> None:
    """-30 and -10 dB side by side on a target twice as coarse: the mean power 0.0505 is -12.97 dB, not -20 dB."""
    values = np.tile(np.array([-30.0, -10.0], dtype=np.float32), (24, 12))
    found = radar(scene_with(tmp_path, values, encoding="decibel"), grid(12, 12, resolution=20.0))
    np.testing.assert_allclose(found.power["VV"], 0.0505, rtol=1e-5)


def test_linear_power_is_scaled(tmp_path: Path) -> None:
    found = radar(scene_with(tmp_path, plain((24, 24), 200.0), encoding="power", scale=1e-3))
    np.testing.assert_allclose(found.power["VV"], 0.2, rtol=1e-6)


@pytest.mark.parametrize("encoding", ["power", "amplitude"])
def test_zero_fill_is_outside_the_swath_and_never_water(tmp_path: Path, encoding: str) -> None:
    values = plain((24, 24), 0.05 if encoding == "power" else 3000.0)
    values[:, :10] = 0.0
    found = radar(scene_with(tmp_path, values, encoding=encoding, calibration_db=-83.0))
    fill = np.arange(24)[None].repeat(24, axis=0) < 10
    np.testing.assert_array_equal(np.isnan(found.power["VV"]), fill)
    np.testing.assert_array_equal(found.reasons, np.where(fill, Reason.OUTSIDE_SWATH, 0))
    evidence = weigh_radar("sentinel-1", found)
    np.testing.assert_array_equal(evidence.observed, ~fill)
    assert (evidence.llr[:, fill] == 0).all()


def test_fill_is_not_spread_by_the_boxcar(tmp_path: Path) -> None:
    """Beside fill the boxcar takes the mean of what it sees; fill stays fill."""
    values = plain((24, 24), 0.05)
    values[:, :10] = 0.0
    scene = scene_with(tmp_path, values, encoding="power")
    found = radar(scene, parameters=science(multilook={"C": 3, "L": 1})).power["VV"]
    assert np.isnan(found[:, :10]).all()
    np.testing.assert_allclose(found[:, 10:], 0.05, rtol=1e-5)


def test_negative_sample_after_noise_removal_is_a_sample(tmp_path: Path) -> None:
    """Denoised water: -0.0005 is kept, enters the mean of the boxcar, and speaks for water."""
    values = plain((24, 24), -5e-4)
    values[::2, ::2] = 1e-4
    scene = scene_with(tmp_path, values, encoding="power").model_copy(update={"denoised": True})
    found = radar(scene)
    assert found.denoised
    np.testing.assert_array_equal(found.power["VV"], values)
    assert (found.reasons == 0).all()
    assert (weigh_radar("sentinel-1", found).llr[0] > 0).all()
    looked = radar_power(scene, BOX, science(multilook={"C": 3, "L": 1})).power
    # The 3 x 3 window around a pixel of even row and column holds that one bright sample and eight dark ones.
    assert looked["VV"][12, 12] == pytest.approx((1e-4 - 8 * 5e-4) / 9, rel=1e-5)


def test_nodata_of_the_record_is_outside_the_swath(tmp_path: Path) -> None:
    values = plain((24, 24), -12.0)
    values[0] = -9999.0
    found = radar(scene_with(tmp_path, values, encoding="decibel", nodata=(-9999.0,)))
    assert np.isnan(found.power["VV"][0]).all()
    assert (found.reasons[0] == Reason.OUTSIDE_SWATH).all()
    assert (found.reasons[1:] == 0).all()


@pytest.mark.parametrize("scheme", sorted(MASKS))
def test_radar_mask_values_become_reasons(tmp_path: Path, scheme: Any) -> None:
    """Each code in a column of its own; code 255 (JAXA: land) is valid, and so is code 50 (ocean)."""
    codes = [*MASKS[scheme], 50, 255]
    mask = np.full((24, 24), 255, dtype=np.uint8)
    mask[:, : len(codes)] = codes
    layer = RasterLayer(href=write_tiff(tmp_path / "mask.tif", mask, BOX))
    scene = radar_scene(tmp_path, "s", {"HH": plain((24, 24), 0.1)}, BOX, layers={"mask": layer}, mask_scheme=scheme)
    found = radar(scene)
    for column, code in enumerate(codes):
        assert (found.reasons[:, column] == MASKS[scheme].get(code, 0)).all(), code


def test_mask_that_ends_before_the_image_says_outside(tmp_path: Path) -> None:
    layer = RasterLayer(href=write_tiff(tmp_path / "mask.tif", np.full((24, 12), 255, np.uint8), grid(24, 12)))
    scene = radar_scene(
        tmp_path, "s", {"HH": plain((24, 24), 0.1)}, BOX, layers={"mask": layer}, mask_scheme="palsar-mosaic"
    )
    found = radar(scene)
    np.testing.assert_array_equal(found.reasons[0] == Reason.OUTSIDE_SWATH, np.arange(24) >= 12)


def test_mask_without_a_scheme_is_not_guessed_at(tmp_path: Path) -> None:
    layer = RasterLayer(href=write_tiff(tmp_path / "mask.tif", np.zeros((24, 24), np.uint8), BOX))
    scene = radar_scene(tmp_path, "s", {"HH": plain((24, 24), 0.1)}, BOX, layers={"mask": layer})
    assert (radar(scene).reasons == 0).all()


def test_scene_that_does_not_reach_the_box_is_outside_everywhere(tmp_path: Path) -> None:
    scene = radar_scene(tmp_path, "s", {"VV": plain((24, 24), 0.1)}, BOX)
    found = radar(scene, grid(8, 8, row=500))
    assert np.isnan(found.power["VV"]).all()
    assert (found.reasons == Reason.OUTSIDE_SWATH).all()
    assert found.cell == 1


def test_one_polarization_is_enough_to_have_seen(tmp_path: Path) -> None:
    cross = plain((24, 24), 0.01)
    cross[:, :4] = 0.0
    found = radar(radar_scene(tmp_path, "s", {"VV": plain((24, 24), 0.1), "VH": cross}, BOX))
    assert (found.reasons == 0).all()
    assert np.isnan(found.power["VH"][:, :4]).all()


def test_bundle_carries_what_prepare_found_and_what_the_record_says(tmp_path: Path) -> None:
    angle = RasterLayer(href=write_tiff(tmp_path / "angle.tif", plain((24, 24), 3800.0), BOX), scale=0.01)
    power = {"VV": plain((24, 24), 0.1)}
    scene = radar_scene(tmp_path, "s", power, BOX, layers={"angle": angle}, quantity="sigma0", band="L")
    found = radar(scene, noise_db=-20.0)
    assert found.angle is not None
    np.testing.assert_allclose(found.angle, 38.0, rtol=1e-6)
    assert found.noise["VV"] == pytest.approx(0.01)
    assert (found.looks, found.quantity, found.band, found.time) == (12.0, "sigma0", "L", NOON)
    assert found.angle_range == (30.0, 46.0)
    without = radar(radar_scene(tmp_path, "t", power, BOX, angle_range=None))
    assert without.angle is None
    assert without.angle_range == (30.0, 45.0)


def test_missing_layer_file_is_named(tmp_path: Path) -> None:
    scene = radar_scene(tmp_path, "s", {"VV": plain((24, 24), 0.1)}, BOX)
    (tmp_path / "s_VV.tif").unlink()
    with pytest.raises(ReadError, match=r"s_VV\.tif"):
        radar(scene)


@pytest.mark.parametrize(
    ("native", "pixels", "expected"),
    [
        (10.0, 1, 1),
        (10.0, 3, 3),
        (10.0, 5, 5),  # boxcar 3 and point spread 2
        (25.0, 1, 3),  # 2.5 pixels: to the nearest odd number, (2.5 - 1)/2 = 0.75 -> 1
        (25.0, 3, 7),  # 7.5 pixels: (7.5 - 1)/2 = 3.25 -> 3
        (5.0, 1, 1),  # half a pixel: at least one
        (20.0, 3, 5),  # 6 pixels: (6 - 1)/2 = 2.5 -> 2 (half to even)
    ],
)
def test_native_pixels_in_odd_pixels_of_the_target(native: float, pixels: int, expected: int) -> None:
    window = NativeWindow(plain((8, 8), 1.0), grid(8, 8, resolution=native), native)
    assert odd_pixels([None, window], BOX, pixels) == expected
    assert odd_pixels([None], BOX, pixels) == 1


def test_boxcar_is_in_native_pixels_and_the_cell_in_pixels_of_the_unit(tmp_path: Path) -> None:
    """C band at 10 m: 3 + 2 native pixels are a cell of 5. L band at 25 m: 1 + 2 are 7.5 pixels, a cell of 7."""
    power = np.random.default_rng(0).gamma(4.0, 0.025, (24, 24)).astype(np.float32)
    c_band = radar_scene(tmp_path, "c", {"VV": power}, BOX)
    aligned = radar_power(c_band, BOX, science(multilook={"C": 3, "L": 1}))
    looked, cell = aligned.power, aligned.cell
    assert cell == 5
    assert looked["VV"][12, 12] == pytest.approx(power[11:14, 11:14].mean(), rel=1e-5)
    coarse = grid(24, 24, resolution=25.0)
    l_band = radar_scene(tmp_path, "l", {"HH": plain((24, 24), 0.1)}, coarse, band="L")
    assert radar_power(l_band, BOX, science(multilook={"C": 3, "L": 1})).cell == 7


def test_copolar_comes_first_whatever_else_is_there() -> None:
    one = plain((1, 1), 1.0)
    assert copolar({"VH": one, "VV": one}) == "VV"
    assert copolar({"HV": one, "HH": one}) == "HH"
    assert copolar({"VH": one}) == "VH"


# ---- optics


def numbers(**bands: int) -> dict[str, NDArray[np.uint16]]:
    told = {"blue": 900, "green": 1200, "red": 1000, "nir": 3000, "swir1": 2000} | bands
    return {name: np.full((24, 24), value, dtype=np.uint16) for name, value in told.items()}


def with_classes(folder: Path, classes: NDArray[np.uint8], **told: Any) -> Any:
    layer = RasterLayer(href=write_tiff(folder / "scl.tif", classes, BOX))
    return optical_scene(folder, "o", numbers(), BOX, layers={"mask": layer}, mask_scheme="sentinel-2-scl", **told)


def test_reflectance_has_the_offset_of_its_baseline(tmp_path: Path) -> None:
    """DN 1200: 0.12 before baseline 04.00, 0.02 from then on; DN 900 would be -0.01, and is kept."""
    plain = {"platform": "sentinel-2c"}  # whose bands have no published adjustment to Landsat's
    before = optical(optical_scene(tmp_path, "a", numbers(), BOX, **plain)).reflectance
    after = optical(optical_scene(tmp_path, "b", numbers(), BOX, offset=-0.1, **plain)).reflectance
    np.testing.assert_allclose(before["green"], 0.12, rtol=1e-6)
    np.testing.assert_allclose(after["green"], 0.02, rtol=1e-5)
    np.testing.assert_allclose(after["blue"], -0.01, rtol=1e-5)


def test_surface_reflectance_is_that_of_landsat_and_that_above_the_air_is_not(tmp_path: Path) -> None:
    """Claverie 2018: green of Sentinel-2A 1.0053 rho - 0.0009, fitted at the surface."""
    adjusted = optical(optical_scene(tmp_path, "a", numbers(), BOX)).reflectance
    np.testing.assert_allclose(adjusted["green"], 1.0053 * 0.12 - 0.0009, rtol=1e-6)
    scene = optical_scene(tmp_path, "b", numbers(), BOX, quantity="toa_reflectance")
    np.testing.assert_allclose(optical(scene).reflectance["green"], 0.12 - rayleigh_reflectance(0.56), rtol=1e-5)


@pytest.mark.parametrize(
    ("angles", "flagged"),
    [
        ({}, False),
        ({"sun_zenith": 25.0}, True),
        ({"sun_zenith": 35.0}, False),
        ({"sun_zenith": 35.0, "sun_azimuth": 120.0, "view_zenith": 8.0, "view_azimuth": 300.0}, True),
        ({"sun_zenith": 25.0, "sun_azimuth": 120.0, "view_zenith": 8.0, "view_azimuth": 120.0}, False),
    ],
)
def test_glint_is_flagged_by_the_angles_of_the_scene(tmp_path: Path, angles: dict[str, float], flagged: bool) -> None:
    told = numbers(nir=1150)  # NDWI near zero: water that mirrors the sun
    found = optical(optical_scene(tmp_path, "a", told, BOX, **angles))
    assert ((found.reasons & Reason.SUN_GLINT) != 0).all() == flagged
    assert weigh_optical("s", found).observed.all()  # it counts for less where evidence is summed, and is not masked


def test_zero_dn_is_outside_and_not_minus_a_tenth(tmp_path: Path) -> None:
    told = numbers()
    told["green"][:, :5] = 0
    found = optical(optical_scene(tmp_path, "a", told, BOX, offset=-0.1))
    assert np.isnan(found.reflectance["green"][:, :5]).all()
    assert (found.reasons[:, :5] & Reason.OUTSIDE_SWATH != 0).all()
    assert (found.reasons[:, 5:] == 0).all()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0, Reason.OUTSIDE_SWATH),
        (1, Reason.OUTSIDE_SWATH),
        (2, Reason.DARK),
        (3, Reason.CLOUD_SHADOW),
        (4, 0),
        (5, 0),
        (6, 0),
        (7, 0),
        (8, Reason.CLOUD),
        (9, Reason.CLOUD),
        (10, Reason.CLOUD),
        (11, Reason.SNOW_OR_FROZEN),
        (12, Reason.OUTSIDE_SWATH),
    ],
)
def test_scene_classes_become_reasons(tmp_path: Path, code: int, reason: int) -> None:
    classes = np.full((24, 24), 4, dtype=np.uint8)
    classes[10:14, 10:14] = code
    found = optical(with_classes(tmp_path, classes))
    expected = flags((24, 24))
    expected[10:14, 10:14] = reason
    np.testing.assert_array_equal(found.reasons, expected)
    assert found.cloud_test == "scene-classification"


def test_cloud_grows_by_the_pixels_of_the_science(tmp_path: Path) -> None:
    classes = np.full((24, 24), 4, dtype=np.uint8)
    classes[12, 12] = 9
    found = optical(with_classes(tmp_path, classes), science(cloud_growth_m=30))
    rows, columns = np.indices((24, 24))
    np.testing.assert_array_equal(found.reasons != 0, abs(rows - 12) + abs(columns - 12) <= 3)


def test_without_scene_classes_the_spectral_test_stands_in_and_says_so(tmp_path: Path) -> None:
    told = numbers()
    for band in told.values():
        band[:8] = 6000  # white, bright, as bright in the infrared: a cloud
    found = optical(optical_scene(tmp_path, "a", told, BOX))
    assert found.cloud_test == "spectral"
    np.testing.assert_array_equal(found.reasons != 0, np.arange(24)[:, None].repeat(24, axis=1) < 8)
    assert not weigh_optical("sentinel-2", found).observed[:8].any()


def test_haze_is_larger_at_the_top_of_the_atmosphere(tmp_path: Path) -> None:
    assert optical(optical_scene(tmp_path, "a", numbers(), BOX)).haze == SURFACE_HAZE
    top = optical_scene(tmp_path, "b", numbers(), BOX, quantity="toa_reflectance")
    assert optical(top).haze == TOP_HAZE > SURFACE_HAZE


def test_optical_cell_and_time(tmp_path: Path) -> None:
    found = optical(optical_scene(tmp_path, "a", numbers(), BOX))
    assert (found.cell, found.time) == (3, NOON), "30 m at 10 m"


@pytest.mark.parametrize("absent", ["blue", "swir1"])
def test_optical_scene_without_classes_and_a_band_still_maps(tmp_path: Path, absent: str) -> None:
    """A local GeoTIFF of four bands: no scene classification, no short-wave infrared."""
    told = {name: values for name, values in numbers().items() if name != absent}
    assert optical(optical_scene(tmp_path, "a", told, BOX)).cloud_test


# ---- fill that no header declares


@pytest.mark.parametrize(
    ("encoding", "fill"),
    [("power", -9999.0), ("power", 0.0), ("decibel", 0.0), ("decibel", -99.0), ("decibel", 9999.0), ("amplitude", 0.0)],
)
def test_fill_of_a_radar_file_is_outside_the_swath_and_never_water(tmp_path: Path, encoding: Any, fill: float) -> None:
    good = {"power": 0.1, "decibel": -10.0, "amplitude": 4472.0}[encoding]
    values = np.full((24, 24), good, dtype=np.float32)
    values[:, :12] = fill
    scene = scene_with(tmp_path, values, encoding=encoding, calibration_db=-83.0)
    filled = (radar(scene).reasons & Reason.OUTSIDE_SWATH) != 0
    assert filled[:, :12].all()
    assert not filled[:, 12:].any()
