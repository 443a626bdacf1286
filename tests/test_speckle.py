"""Looks: boxcar averages, and how many looks an image has (physics.md 7)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from scipy import ndimage, stats

from harmonization.speckle import (
    equivalent_looks,
    equivalent_looks_of_windows,
    g0_log_density,
    log_speckle_bias,
    log_speckle_std,
    multilook,
)

Array = NDArray[np.float32]


def speckled(looks: float, mean: float | Array = 0.1, shape: tuple[int, int] = (256, 256)) -> Array:
    rng = np.random.default_rng(int(looks * 10))
    return (mean * rng.gamma(looks, 1.0 / looks, shape)).astype(np.float32)


def test_speckle_in_decibel_has_the_bias_and_spread_of_its_draws() -> None:
    levels = 10.0 * np.log10(speckled(4.4, 1.0, (1000, 1000)).astype(np.float64))
    assert levels.mean() == pytest.approx(log_speckle_bias(4.4), abs=0.01)
    assert levels.std() == pytest.approx(log_speckle_std(4.4), abs=0.01)


def test_g0_is_a_density_with_its_mean_and_nears_the_gamma_law_on_even_ground() -> None:
    power = np.geomspace(1e-7, 1e3, 400_001)
    density = np.exp(g0_log_density(power, 0.01, 4.4, 5.0))
    assert np.trapezoid(density, power) == pytest.approx(1.0, abs=1e-4)
    assert np.trapezoid(density * power, power) == pytest.approx(0.01, rel=1e-3)
    even = g0_log_density(0.012, 0.01, 4.4, 1e6)
    assert even == pytest.approx(stats.gamma.logpdf(0.012, 4.4, scale=0.01 / 4.4), abs=1e-4)


def test_g0_of_nothing_and_of_a_law_without_a_mean() -> None:
    found = g0_log_density([0.0, -0.1, np.nan, 0.01], 0.01, 4.4, [5.0, 5.0, 5.0, 1.0])
    assert found[:2].tolist() == [-np.inf, -np.inf]
    assert np.isnan(found[2:]).all()


@pytest.mark.parametrize("looks", [3, 5, 10, 20, 50])
def test_looks_of_homogeneous_ground(looks: float) -> None:
    assert equivalent_looks([speckled(looks)]) == pytest.approx(looks, rel=0.15)


@pytest.mark.parametrize("looks", [3, 10, 50])
def test_looks_of_two_classes_with_an_edge(looks: float) -> None:
    # Water and land 10 dB apart: mean²/variance over the whole would give less than two looks.
    mean = np.full((256, 256), 0.1, dtype=np.float32)
    mean[:, 90:] = 0.01
    sample = speckled(looks, mean)
    assert sample.mean() ** 2 / sample.var() < 2.0
    assert equivalent_looks([sample]) == pytest.approx(looks, rel=0.15)


def test_looks_where_only_a_part_is_homogeneous() -> None:
    # Half the blocks carry 2 dB of texture: the lower quartile of the blocks does not see it.
    rng = np.random.default_rng(5)
    mean = np.full((256, 256), 0.1, dtype=np.float32)
    mean[:128] *= 10.0 ** (0.2 * rng.standard_normal((128, 256)))
    assert equivalent_looks([speckled(10, mean)]) == pytest.approx(10, rel=0.15)


def test_looks_of_boxcar_averages_with_pairs_beyond_the_boxcar() -> None:
    # 3 x 3 independent samples of four looks: 36; neighbours share two thirds of their samples.
    sample = multilook(speckled(4), 3)
    assert equivalent_looks([sample], lag=3) == pytest.approx(36, rel=0.15)
    assert equivalent_looks([sample], lag=1) > 70


def test_looks_of_copied_pixels_do_not_grow() -> None:
    # A 25 m product resampled to 10 m holds each value several times; pairs lie beyond the copies.
    sample = np.repeat(np.repeat(speckled(15), 3, axis=0), 3, axis=1)
    assert equivalent_looks([sample], lag=3) == pytest.approx(15, rel=0.15)


def test_looks_leave_out_what_is_not_seen() -> None:
    sample = speckled(10)
    rng = np.random.default_rng(1)
    sample[rng.random(sample.shape) < 0.1] = np.nan
    sample[:40] = np.nan
    sample[50, :30] = 0.0
    sample[51, :30] = -0.001
    assert equivalent_looks([sample]) == pytest.approx(10, rel=0.15)


def test_looks_of_too_little_are_unknown() -> None:
    assert equivalent_looks([]) is None
    assert equivalent_looks([np.full((64, 64), np.nan, dtype=np.float32)]) is None
    assert equivalent_looks([speckled(5, shape=(12, 12))]) is None


def test_looks_stay_within_what_the_tables_hold() -> None:
    assert equivalent_looks([np.full((64, 64), 0.1, dtype=np.float32)]) == 500.0
    assert equivalent_looks([speckled(0.5)]) == pytest.approx(1.0)


@pytest.mark.parametrize("looks", [1, 3, 4.4, 10, 100])
def test_looks_of_windows_are_right_on_even_ground_and_at_one_look_too(looks: float) -> None:
    found = equivalent_looks_of_windows([speckled(looks, shape=(512, 512))])
    assert found == pytest.approx(looks, rel=0.08)


def test_looks_of_windows_have_their_mode_beside_a_shore() -> None:
    mean = np.full((256, 256), 0.1, dtype=np.float32)
    mean[:, 90:] = 0.01
    assert equivalent_looks_of_windows([speckled(10, mean)]) == pytest.approx(10, rel=0.1)


def test_where_texture_is_everywhere_differences_of_neighbours_are_the_better_measure() -> None:
    field = ndimage.gaussian_filter(np.random.default_rng(2).standard_normal((512, 512)), 8.0)
    sample = speckled(10, (0.1 * 10.0 ** (0.2 * field / field.std())).astype(np.float32), (512, 512))
    by_windows, by_differences = equivalent_looks_of_windows([sample]), equivalent_looks([sample])
    assert by_windows is not None
    assert by_windows < 8.5
    assert by_differences == pytest.approx(10, rel=0.1)


def test_looks_of_too_few_windows_are_unknown() -> None:
    assert equivalent_looks_of_windows([]) is None
    assert equivalent_looks_of_windows([np.full((300, 300), np.nan, dtype=np.float32)]) is None
    assert equivalent_looks_of_windows([speckled(5, shape=(60, 60))]) is None


def test_looks_of_a_real_reduced_scene_agree_in_order(shared: Path) -> None:
    """Sentinel-1 GRD, reduced: no nominal looks are known. Texture everywhere: windows see less than neighbours do."""
    (path,) = (shared / "data" / "sentinel1" / "grd-gcp").glob("*/measurement/iw-vv.tiff")
    with warnings.catch_warnings(), rasterio.open(path) as source:
        warnings.simplefilter("ignore")
        numbers = source.read(1).astype(np.float32)
    power = np.where(numbers > 0, numbers**2, np.float32(np.nan))
    far, windows = equivalent_looks([power], lag=3), equivalent_looks_of_windows([power])
    print(f"looks of a real scene: {far:.1f} by differences three pixels apart, {windows:.1f} by windows")
    assert far is not None
    assert windows is not None
    assert 5.0 < windows < far < 60.0


def test_multilook_keeps_the_mean_and_gains_looks() -> None:
    power = speckled(2)
    got = multilook(power, 3)
    inner = got[1:-1, 1:-1]
    assert got.dtype == np.float32
    assert inner == pytest.approx(ndimage.uniform_filter(power.astype(np.float64), 3)[1:-1, 1:-1], rel=1e-5)
    assert got.mean() == pytest.approx(power.mean(), rel=2e-3)
    assert multilook(power, 1) is power


def test_multilook_of_constant_power_is_that_power_up_to_the_border() -> None:
    power = np.full((20, 30), 0.3, dtype=np.float32)
    power[4:7, 8:20] = np.nan
    got = multilook(power, 5)
    assert (np.isnan(got) == np.isnan(power)).all()
    assert got[np.isfinite(got)] == pytest.approx(0.3, rel=1e-6)


def test_multilook_leaves_the_unseen_out_and_keeps_negatives() -> None:
    power = np.array([[np.nan, 2.0, 4.0], [-1.0, 1.0, 3.0], [0.0, 0.0, 6.0]], dtype=np.float32)
    # Eight seen values around the middle: (2 + 4 - 1 + 1 + 3 + 0 + 0 + 6)/8.
    assert multilook(power, 3)[1, 1] == pytest.approx(15.0 / 8.0)
    assert np.isnan(multilook(power, 3)[0, 0])
