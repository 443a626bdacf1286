"""Reflectance, clouds, water indices and their evidence (physics.md 8)."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from conftest import Cases
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from harmonization.bundle import OpticalBundle
from harmonization.classes import INDICES, OPTICAL_STATES
from harmonization.land_cover import LandCover
from harmonization.optical.clouds import scene_classification_reasons, spectral_reasons
from harmonization.optical.evidence import dry_shares, weigh_optical
from harmonization.optical.glint import GLINT_ANGLE, glint_angle, glint_reasons
from harmonization.optical.indices import (
    AWEI_NSH,
    HAZE_COLOUR,
    MBWI,
    awei_nsh,
    awei_sh,
    index_std,
    mbwi,
    mndwi,
    ndwi,
    weighted_std,
)
from harmonization.optical.reflectance import (
    HLS_BANDPASS,
    SURFACE_HAZE,
    TOP_HAZE,
    bandpass_adjusted,
    rayleigh_reflectance,
    reflectance_from_dn,
    without_rayleigh,
)
from harmonization.reasons import Reason

Array = NDArray[np.float32]
BANDS = ("blue", "green", "red", "nir", "swir1")
# Endmembers of physics.md 10; cloud and snow: bright and flat, bright and dark in the short-wave infrared.
WATER = dict(zip(BANDS, (0.05, 0.06, 0.02, 0.03, 0.01), strict=True))
CLEAR = {"green": 0.06, "nir": 0.02, "swir1": 0.01}
CROP = {"green": 0.08, "nir": 0.40, "swir1": 0.20}
SOIL = {"green": 0.12, "nir": 0.25, "swir1": 0.32}


def grid(values: dict[str, float], shape: tuple[int, int] = (11, 11)) -> dict[str, Array]:
    return {name: np.full(shape, value, dtype=np.float32) for name, value in values.items()}


def value(index: Array) -> float:
    return float(index)


def number(reflectance: float) -> Array:
    return np.array(reflectance, dtype=np.float32)


def bundle(
    reflectance: dict[str, Array], haze: float = SURFACE_HAZE, reasons: NDArray[np.uint16] | None = None
) -> OpticalBundle:
    shape = next(iter(reflectance.values())).shape
    flags = np.zeros(shape, dtype=np.uint16) if reasons is None else reasons
    return OpticalBundle(reflectance, haze, "spectral", flags, datetime(2024, 1, 1, tzinfo=UTC))


# --- scaling


def test_sentinel2_scale(cases: Cases) -> None:
    (case,) = cases("sentinel2_scale")
    given_ = case["inputs"]
    rho = case["outputs"]["rho"]
    dn = np.array([dn for dn, want in zip(given_["dn"], rho, strict=True) if want is not None])
    got = reflectance_from_dn(dn.astype(np.float32), 1 / given_["quant"], given_["offset"] / given_["quant"])
    assert got == pytest.approx([want for want in rho if want is not None], abs=1e-8)
    assert got.min() < 0  # negatives are samples


# --- indices


def test_offset_is_not_forgotten(cases: Cases) -> None:
    (case,) = cases("ndwi_offset_trap")
    green, nir = np.array([[case["inputs"]["dn_G"]], [case["inputs"]["dn_N"]]], dtype=np.float32)
    right = ndwi(reflectance_from_dn(green, 1e-4, -0.1), reflectance_from_dn(nir, 1e-4, -0.1))
    wrong = ndwi(reflectance_from_dn(green, 1e-4, 0.0), reflectance_from_dn(nir, 1e-4, 0.0))
    assert right == pytest.approx(case["outputs"]["correct"], abs=1e-6)
    assert wrong == pytest.approx(0.1429, abs=1e-4)


def test_common_gain_changes_nothing(cases: Cases) -> None:
    (case,) = cases("ndwi_gain")
    green, nir = case["inputs"]["G"], case["inputs"]["N"]
    for gain, want in zip(case["inputs"]["gains"], case["outputs"]["ndwi"], strict=True):
        assert value(ndwi(number(green * gain), number(nir * gain))) == pytest.approx(want, abs=1e-6)


@given(st.floats(0.01, 0.6), st.floats(0.01, 0.6), st.floats(0.05, 5.0))
@settings(max_examples=100, deadline=None)
def test_any_common_gain_changes_nothing(green: float, nir: float, gain: float) -> None:
    bands = np.array([green, nir])  # float64: the index keeps the precision it is given
    assert abs(ndwi(*(gain * bands)) - ndwi(*bands)) < 1e-12


@given(st.floats(0.01, 0.6), st.floats(0.01, 0.6), st.just(0.0) | st.floats(1e-4, 0.1), st.floats(0.0, 2.0))
@settings(max_examples=100, deadline=None)
def test_haze_moves_ndwi_as_its_colour_says(green: float, nir: float, haze: float, colour: float) -> None:
    # Unchanged if pN/pG = N/G, falls if it is more, rises if it is less (physics.md 8).
    clear, hazy = ndwi(*np.array([green, nir])), ndwi(*np.array([green + haze, nir + colour * haze]))
    expected = haze * (nir - colour * green)
    assume(expected == 0.0 or abs(expected) > 1e-9)  # nearer to nothing than that, rounding decides
    assert np.sign(np.round(hazy - clear, 12)) == np.sign(expected)


@given(st.floats(0.01, 0.6), st.floats(0.01, 0.6), st.floats(0.5, 2.0), st.floats(0.5, 2.0))
@settings(max_examples=100, deadline=None)
def test_unequal_gains_act_by_their_ratio(green: float, nir: float, first: float, second: float) -> None:
    apart, ratio = ndwi(*np.array([green * first, nir * second])), ndwi(*np.array([green, nir * second / first]))
    assert abs(apart - ratio) < 1e-12


def test_awei_and_mbwi_scale_with_a_gain_and_keep_their_sign() -> None:
    rng = np.random.default_rng(5)
    bands = {name: rng.uniform(0.0, 0.5, 200) for name in (*BANDS, "swir2")}
    for index in (awei_nsh, awei_sh, mbwi):
        assert index({name: 3.0 * rho for name, rho in bands.items()}) == pytest.approx(3.0 * index(bands), abs=1e-12)


def test_awei_falls_with_the_second_short_wave_band() -> None:
    # One public library adds it.
    dark = {name: np.array(0.1) for name in (*BANDS, "swir2")}
    assert awei_nsh(dark | {"swir2": np.array(0.2)}) < awei_nsh(dark)


def test_error_terms_are_the_spread_of_noisy_bands() -> None:
    rng = np.random.default_rng(6)
    std = {name: 0.002 * (1 + place) for place, name in enumerate((*BANDS, "swir2"))}
    mean = dict(zip((*BANDS, "swir2"), (0.07, 0.08, 0.06, 0.03, 0.015, 0.01), strict=True))
    noisy = {name: rng.normal(mean[name], std[name], 200_000) for name in mean}
    assert np.std(awei_nsh(noisy)) == pytest.approx(weighted_std(AWEI_NSH, std), rel=0.01)
    assert np.std(mbwi(noisy)) == pytest.approx(weighted_std(MBWI, std), rel=0.01)
    small = {name: mean[name] + (noisy[name] - mean[name]) * 0.1 for name in mean}  # the ratio is linear nearby
    want = index_std(np.array(mean["green"]), np.array(mean["nir"]), 0.1 * std["green"], 0.1 * std["nir"])
    assert np.std(ndwi(small["green"], small["nir"])) == pytest.approx(float(want), rel=0.02)


def test_nothing_seen_in_one_band_is_nothing_seen() -> None:
    bands = {name: np.full((3, 3), 0.1, dtype=np.float32) for name in (*BANDS, "swir2")}
    bands["swir2"][1, 1] = np.nan
    for index in (awei_nsh, awei_sh, mbwi):
        assert np.isnan(index(bands)).sum() == 1


def test_haze_changes_ndwi_and_its_derivatives_are_those_of_the_error_term(cases: Cases) -> None:
    (case,) = cases("ndwi_additive")
    given_, want = case["inputs"], case["outputs"]
    green, nir = given_["G"], given_["N"]
    assert value(ndwi(number(green), number(nir))) == pytest.approx(want["ndwi_clear"], abs=2e-7)
    hazy = ndwi(number(green + given_["pG"]), number(nir + given_["pN"]))
    assert value(hazy) == pytest.approx(want["ndwi_haze"], abs=2e-7)  # pN/pG = N/G: unchanged
    equal = want["equal_haze_p"]
    got = ndwi(number(green + equal), number(nir + equal))
    assert value(got) == pytest.approx(want["ndwi_equal_haze"], abs=2e-7)
    # With an error in one band only, the standard deviation is |derivative| times it.
    assert value(index_std(number(green), number(nir), 1.0, 0.0)) == pytest.approx(want["dNDWI_dp_G"], rel=1e-6)
    assert value(index_std(number(green), number(nir), 0.0, 1.0)) == pytest.approx(-want["dNDWI_dp_N"], rel=1e-6)


def test_turbid_water_is_seen_by_the_second_witness(cases: Cases) -> None:
    (case,) = cases("turbid_water")
    green, nir, swir, haze = (number(case["inputs"][name]) for name in ("G", "N", "S1", "haze_p"))
    want = case["outputs"]
    assert value(ndwi(green, nir)) == pytest.approx(want["NDWI"], abs=2e-7)
    assert value(mndwi(green, swir)) == pytest.approx(want["MNDWI"], abs=2e-7)
    assert value(ndwi(green + haze, nir + haze)) == pytest.approx(want["NDWI_haze"], abs=2e-7)


def test_index_of_what_is_not_seen_or_has_no_light_is_nan() -> None:
    green = np.array([np.nan, 0.1, 0.0, -0.05, 0.05], dtype=np.float32)
    nir = np.array([0.1, np.nan, 0.0, 0.01, -0.01], dtype=np.float32)
    got = ndwi(green, nir)
    assert np.isnan(got[:4]).all()
    assert got[4] == 1.0  # 0.06/0.04, held to the range of the index


# --- clouds


def test_scene_classification() -> None:
    scl = np.arange(12, dtype=np.float32)[None]
    got = scene_classification_reasons(scl, 0)[0]
    # Water (6) is not a reason: it would be circular; vegetation, soil, unclassified neither.
    want = {
        0: Reason.OUTSIDE_SWATH,
        1: Reason.OUTSIDE_SWATH,
        3: Reason.CLOUD_SHADOW,
        8: Reason.CLOUD,
        9: Reason.CLOUD,
        10: Reason.CLOUD,
        11: Reason.SNOW_OR_FROZEN,
        2: Reason.DARK,
    }
    assert got.tolist() == [int(want.get(code, 0)) for code in range(12)]


@pytest.mark.parametrize("code", [np.nan, 12, 255, -1, 4.5])
def test_what_is_no_class_is_outside(code: float) -> None:
    scl = np.full((2, 2), code, dtype=np.float32)
    assert (scene_classification_reasons(scl, 3) == Reason.OUTSIDE_SWATH).all()


def test_clouds_and_shadows_grow_and_snow_does_not() -> None:
    scl = np.full((15, 15), 4.0, dtype=np.float32)
    scl[7, 7], scl[3, 3], scl[12, 12] = 9.0, 3.0, 11.0
    got = scene_classification_reasons(scl, 2)
    assert ((got & Reason.CLOUD) > 0).sum() == 13  # a diamond of radius two
    assert ((got & Reason.CLOUD_SHADOW) > 0).sum() == 13
    assert ((got & Reason.SNOW_OR_FROZEN) > 0).sum() == 1
    assert got[7, 9] == Reason.CLOUD
    assert got[8, 9] == 0


@pytest.mark.parametrize(
    ("spectrum", "reason"),
    [
        ((0.40, 0.42, 0.41, 0.45, 0.35), Reason.CLOUD),
        ((0.80, 0.80, 0.78, 0.70, 0.10), Reason.SNOW_OR_FROZEN),
        ((0.05, 0.06, 0.02, 0.03, 0.01), Reason(0)),  # water
        ((0.10, 0.14, 0.17, 0.11, 0.02), Reason(0)),  # turbid water
        ((0.16, 0.20, 0.21, 0.15, 0.03), Reason(0)),  # flood water full of silt: as dark as snow in the SWIR
        ((0.04, 0.08, 0.05, 0.40, 0.20), Reason(0)),  # crops
        ((0.08, 0.12, 0.18, 0.25, 0.32), Reason(0)),  # soil
    ],
)
def test_spectral_reasons(spectrum: tuple[float, ...], reason: Reason) -> None:
    bands = grid(dict(zip(BANDS, spectrum, strict=True)))
    assert (spectral_reasons(bands, 1) == reason).all()


def test_spectral_reasons_of_cirrus_and_of_nothing() -> None:
    bands = grid(WATER | {"cirrus": 0.0})
    bands["cirrus"][:, 5:] = 0.02
    bands["nir"][0, 0] = np.nan
    got = spectral_reasons(bands, 0)
    assert (got[1:, 5:] == Reason.CLOUD).all()
    assert (got[1:, :5] == 0).all()
    assert got[0, 0] == Reason.OUTSIDE_SWATH


def test_a_cloud_grows_and_a_bright_roof_is_no_cloud() -> None:
    bands = grid(WATER, (30, 30))
    for name in BANDS:
        bands[name][10:16, 10:16] = 0.4
        bands[name][25, 25] = 0.4
    got = spectral_reasons(bands, 2)
    assert got[13, 8] == Reason.CLOUD
    assert got[13, 7] == 0
    assert got[25, 25] == 0


# --- evidence


def test_evidence_is_the_ratio_of_gaussian_mixtures() -> None:
    got = weigh_optical("sentinel-2", bundle(grid(CROP, (1, 1))))
    green, nir, swir = CROP["green"], CROP["nir"], CROP["swir1"]
    point = [(green - nir) / (green + nir), (green - swir) / (green + swir)]

    def error(other: float, colour: float) -> float:
        # 2 sqrt((N s_G)² + (G s_N)²)/(G + N)², haze fainter in the longer wave.
        haze = SURFACE_HAZE
        return 2 * np.hypot(other * haze, green * colour * haze) / (green + other) ** 2

    errors = np.diag([error(nir, 0.59) ** 2, error(swir, 0.25) ** 2])
    density = {}
    for state, shares in OPTICAL_STATES.items():
        density[state] = 0.0
        for name, share in shares.items():
            prior = INDICES[name]
            covariance = prior.correlation * prior.std[0] * prior.std[1] * np.array([[0, 1], [1, 0]])
            covariance = covariance + np.diag(np.square(prior.std)) + errors
            density[state] += share * stats.multivariate_normal(prior.mean, covariance).pdf(point)
    want = [np.log(density[wet] / density["dry"]) for wet in ("open_water", "flooded_vegetation")]
    assert got.llr[:, 0, 0] == pytest.approx(want, abs=1e-3)


def test_haze_over_green_light_is_bluer() -> None:
    # (560/842)^1.3 = 0.588.
    micrometres = {"blue": 0.49, "red": 0.665, "nir": 0.842, "swir1": 1.61, "swir2": 2.19}
    for band, length in micrometres.items():
        assert HAZE_COLOUR[band] == pytest.approx((0.56 / length) ** 1.3, abs=0.006)


def test_water_is_wet_and_land_is_dry() -> None:
    assert (weigh_optical("s", bundle(grid(CLEAR))).llr[0] > 3.0).all()
    for land in (CROP, SOIL):
        assert (weigh_optical("s", bundle(grid(land))).llr[0] < -3.0).all()


def test_haze_weakens_evidence_and_never_makes_it() -> None:
    for spectrum in (CLEAR, CROP):
        clear = weigh_optical("s", bundle(grid(spectrum), SURFACE_HAZE)).llr[0, 0, 0]
        hazy = weigh_optical("s", bundle(grid(spectrum), TOP_HAZE)).llr[0, 0, 0]
        assert abs(hazy) < abs(clear)
        assert np.sign(hazy) == np.sign(clear)


def test_short_wave_infrared_is_a_second_witness() -> None:
    turbid = {"green": 0.14, "nir": 0.11, "swir1": 0.02}
    both = weigh_optical("s", bundle(grid(turbid))).llr[0, 0, 0]
    alone = weigh_optical("s", bundle(grid({name: turbid[name] for name in ("green", "nir")}))).llr[0, 0, 0]
    assert both > alone > 0


@pytest.mark.parametrize("reason", [Reason.CLOUD, Reason.CLOUD_SHADOW, Reason.SNOW_OR_FROZEN])
def test_what_is_covered_says_exactly_nothing(reason: Reason) -> None:
    reasons = np.zeros((4, 4), dtype=np.uint16)
    reasons[1:3] = reason
    reflectance = grid(CLEAR, (4, 4))
    reflectance["nir"][0, 0] = np.nan
    got = weigh_optical("sentinel-2", bundle(reflectance, reasons=reasons))
    blind = reasons > 0
    blind[0, 0] = True
    assert (got.observed == ~blind).all()
    assert (got.llr[:, blind] == 0.0).all()
    assert (got.llr[:, ~blind] != 0.0).all()


def test_permuted_pixels_permute_the_evidence() -> None:
    rng = np.random.default_rng(2)
    reflectance = {name: rng.uniform(0.01, 0.5, (1, 60)).astype(np.float32) for name in CLEAR}
    order = rng.permutation(60)
    got = weigh_optical("s", bundle({name: rho[:, order] for name, rho in reflectance.items()}))
    want = weigh_optical("s", bundle(reflectance)).llr[:, :, order]
    assert got.llr == pytest.approx(want, abs=1e-6)


# --- clear air


def test_rayleigh_reflectance_of_green() -> None:
    # tau(0.56 µm) = 0.008569·10.168·(1.0360 + 0.0013) = 0.0904; sun 40°: cos = 0.7660, P = 0.75·1.5868 = 1.1901;
    # 0.0904·1.1901/(4·0.7660) = 0.0351.
    assert rayleigh_reflectance(0.560) == pytest.approx(0.0351, abs=1e-4)


def test_rayleigh_falls_with_the_fourth_power_of_wavelength_and_spares_the_short_wave_infrared() -> None:
    assert rayleigh_reflectance(0.49) / rayleigh_reflectance(0.98) == pytest.approx(16.0, rel=0.05)
    assert rayleigh_reflectance(1.61) < 1e-3


def test_clear_air_is_taken_off_known_bands_only() -> None:
    ones = np.ones((2, 2), dtype=np.float32)
    got = without_rayleigh({"green": ones, "cirrus": ones})
    assert got["green"][0, 0] == pytest.approx(1.0 - rayleigh_reflectance(0.56), abs=1e-6)
    assert (got["cirrus"] == ones).all()


def test_snow_in_the_shade_belongs_to_the_snow_it_touches() -> None:
    # Left: bright snow; beside it shaded snow of NDSI 0.6; far right the same numbers alone: turbid water.
    green = np.full((12, 40), 0.1, dtype=np.float32)
    bands = {name: green.copy() for name in ("blue", "green", "red", "nir", "swir1")}
    for name, bright, shaded in (
        ("blue", 0.8, 0.2),
        ("green", 0.8, 0.2),
        ("red", 0.8, 0.15),
        ("nir", 0.7, 0.13),
        ("swir1", 0.1, 0.05),
    ):
        bands[name][:, :8] = bright
        bands[name][:, 8:14] = shaded
        bands[name][:, 30:36] = shaded
    snow = (spectral_reasons(bands, 0) & Reason.SNOW_OR_FROZEN) != 0
    assert snow[:, :14].all()
    assert not snow[:, 14:].any()


# --- one satellite as another, and the sun


def test_bandpass_brings_sentinel_2_to_landsat() -> None:
    msi = grid({"green": 0.08, "nir": 0.03, "swir1": 0.01, "cirrus": 0.0})
    msi["green"][0, 0] = np.nan
    got = bandpass_adjusted(msi, "sentinel-2a")
    assert got["green"][1, 1] == pytest.approx(0.079524, abs=1e-7)
    assert np.isnan(got["green"][0, 0])
    assert np.array_equal(got["nir"], msi["nir"])  # the broad band has no adjustment
    assert bandpass_adjusted(msi, "sentinel-2c") == msi
    assert bandpass_adjusted(msi, "landsat-8") == msi


def test_bandpass_moves_ndwi_within_its_error() -> None:
    for platform in HLS_BANDPASS:
        adjusted = bandpass_adjusted(grid(CLEAR), platform)
        moved = ndwi(adjusted["green"], adjusted["nir"]) - ndwi(*(grid(CLEAR)[name] for name in ("green", "nir")))
        error = index_std(grid(CLEAR)["green"], grid(CLEAR)["nir"], SURFACE_HAZE, 0.59 * SURFACE_HAZE)
        assert (np.abs(moved) < 0.1 * error).all()


def test_glint_angle() -> None:
    assert glint_angle(30.0, 0.0, 120.0, 0.0) == pytest.approx(30.0)
    assert glint_angle(30.0, 30.0, 120.0, 300.0) == pytest.approx(0.0, abs=1e-5)  # into the mirror image
    assert glint_angle(30.0, 30.0, 120.0, 120.0) == pytest.approx(60.0)  # from the side of the sun
    assert np.isnan(glint_angle(np.nan, 0.0, 0.0, 0.0))


def test_glint_is_flagged_where_water_may_hide() -> None:
    index = np.array([[0.5, 0.0, -0.6, np.nan]], dtype=np.float32)
    assert glint_reasons(GLINT_ANGLE - 1, index).tolist() == [[Reason.SUN_GLINT, Reason.SUN_GLINT, 0, 0]]
    assert (glint_reasons(GLINT_ANGLE + 1, index) == 0).all()
    assert (glint_reasons(float("nan"), index) == 0).all()


# --- land cover


def test_the_unknown_cover_is_the_mixture_of_all() -> None:
    reflectance = grid(SOIL, (2, 3))
    covers = np.full((2, 3), LandCover.UNKNOWN, dtype=np.uint8)
    assert np.array_equal(
        weigh_optical("s", bundle(reflectance), covers).llr, weigh_optical("s", bundle(reflectance)).llr
    )


@pytest.mark.parametrize("cover", list(LandCover))
def test_shares_of_a_cover_are_one_and_leave_nothing_out(cover: LandCover) -> None:
    shares = dry_shares(cover)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) > 0


def test_a_spectrum_speaks_more_for_dry_where_its_cover_is_mapped() -> None:
    # Town: its indices come near water, and only there is that usual.
    town = grid({"green": 0.15, "nir": 0.22, "swir1": 0.25}, (1, 2))
    covers = np.array([[LandCover.URBAN, LandCover.FOREST]], dtype=np.uint8)
    got = weigh_optical("s", bundle(town), covers).llr[0, 0]
    assert got[0] < got[1] - 1.0


def test_evidence_keeps_to_the_smallest_difference_far_from_every_class() -> None:
    far = {"green": 0.6, "nir": 0.0005, "swir1": 0.0005}
    got = weigh_optical("s", bundle(grid(far, (1, 1)), haze=0.0)).llr
    assert np.isfinite(got).all()
    assert got[0, 0, 0] > 0
