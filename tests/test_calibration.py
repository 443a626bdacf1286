"""DN to linear power, decibel, and beta0, sigma0, gamma0, against published values (physics.md 1 to 3)."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Cases
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonization.calibration import (
    LookUpTable,
    NoiseBlock,
    believed_noise,
    calibrate,
    calibrate_with_noise,
    decibel,
    look_up,
    mean_power_db,
    noise_equivalent,
    noise_without_gaps,
    power_from_amplitude,
    power_from_complex,
    power_from_decibel,
    power_from_look_up,
    subtract_noise,
)
from harmonization.geometry import gamma0_from_sigma0, sigma0_from_beta0, sigma0_from_gamma0


def test_the_square_is_not_forgotten() -> None:
    # JAXA: 10 log10(DN^2) - 83; the wrong form of a public page, 10 log10(DN) - 83, would give -51.5 dB.
    assert decibel(power_from_amplitude(1412.538, -83.0)) == pytest.approx(-20.0, abs=1e-5)


def test_beta_sigma_gamma(cases: Cases) -> None:
    (case,) = cases("beta_sigma_gamma")
    angle = case["inputs"]["theta"]
    sigma0 = sigma0_from_beta0(power_from_decibel(case["inputs"]["beta0_dB"]), angle)
    gamma0 = gamma0_from_sigma0(sigma0, angle)
    assert decibel(sigma0) == pytest.approx(case["outputs"]["sigma0_dB"], abs=6e-6)
    assert decibel(gamma0) == pytest.approx(case["outputs"]["gamma0_dB"], abs=6e-6)
    # gamma0 = beta0 tan(theta)
    beta0 = power_from_decibel(case["inputs"]["beta0_dB"])
    assert gamma0 == pytest.approx(beta0 * np.tan(np.deg2rad(angle)), rel=1e-12)


def test_sigma_to_gamma_and_back(cases: Cases) -> None:
    (case,) = cases("sigma_to_gamma")
    angle, sigma0 = case["inputs"]["theta_local"], power_from_decibel(case["inputs"]["sigma0_dB"])
    gamma0 = gamma0_from_sigma0(sigma0, angle)
    assert decibel(gamma0) == pytest.approx(case["outputs"]["gamma0_dB"], abs=6e-6)
    assert sigma0_from_gamma0(gamma0, angle) == pytest.approx(sigma0, rel=1e-12)


@given(st.floats(min_value=-90.0, max_value=30.0))
@settings(max_examples=50, deadline=None)
def test_decibel_round_trip(level: float) -> None:
    assert decibel(power_from_decibel(level)) == pytest.approx(level, abs=1e-9)


def test_decibel_of_what_has_none_is_nan() -> None:
    got = decibel([0.0, -0.001, np.nan, 0.1])
    assert np.isnan(got[:3]).all()
    assert got[3] == pytest.approx(-10.0)
    assert np.isnan(power_from_decibel(np.nan))


def test_unseen_values_are_left_out_of_a_mean() -> None:
    assert mean_power_db([np.nan, -10.0]) == pytest.approx(-10.0)


def test_complex_samples_are_32_db_lower_than_amplitudes() -> None:
    """Level 1.1 of PALSAR-2; the phase says nothing."""
    phase = np.linspace(0.0, 6.0, 7)
    power = power_from_complex(1412.538 * np.cos(phase), 1412.538 * np.sin(phase), -83.0)
    np.testing.assert_allclose(decibel(power), -52.0, atol=1e-5)
    assert np.isnan(power_from_complex(np.nan, 1.0, -83.0))


# Sentinel-1: tables, noise, windows


def test_look_up_is_bilinear_and_held_beyond_its_ends() -> None:
    """Against the slow way, one place at a time."""
    stream = np.random.default_rng(0)
    table = LookUpTable(np.array([0.0, 3.0, 10.0]), np.array([2.0, 4.0, 5.0, 9.0]), stream.uniform(1, 9, (3, 4)))
    lines, pixels = stream.uniform(-2, 13, 50), stream.uniform(0, 12, 50)
    slow = [
        np.interp(line, table.lines, [np.interp(pixel, table.pixels, row) for row in table.values])
        for line, pixel in zip(lines, pixels, strict=True)
    ]
    np.testing.assert_allclose(look_up(table, lines, pixels), slow, rtol=1e-12)
    assert look_up(table, lines[:, None], pixels[:7]).shape == (50, 7)
    assert np.isnan(look_up(table, np.nan, 3.0))


def test_azimuth_noise_holds_in_its_block_only() -> None:
    """Two blocks side by side, one of them along half of the lines; without any the factor is 1."""
    one = np.zeros(1)
    unit = LookUpTable(one, one, np.ones((1, 1)))
    blocks = [
        NoiseBlock(0, 9, 0, 4, np.array([0.0, 9.0]), np.array([1.0, 10.0])),
        NoiseBlock(5, 9, 5, 9, np.array([5.0]), np.array([7.0])),
    ]
    found = noise_equivalent(unit, blocks, unit, np.arange(10.0)[:, None], np.arange(10.0))
    np.testing.assert_allclose(found[:, :5], np.repeat(np.arange(1.0, 11.0)[:, None], 5, axis=1))
    np.testing.assert_array_equal(found[:5, 5:], 1.0)
    np.testing.assert_array_equal(found[5:, 5:], 7.0)
    assert noise_equivalent(unit, [], unit, 3.0, 3.0) == 1.0


@st.composite
def tables(draw: st.DrawFn) -> LookUpTable:
    """Of 1 to 5 lines by 1 to 6 pixels, unevenly spaced: a table may hold one vector, a vector one value."""
    stream = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    axes = [np.cumsum(stream.integers(1, 30, draw(st.integers(1, longest)))).astype(float) for longest in (5, 6)]
    return LookUpTable(*axes, stream.uniform(300.0, 700.0, [axis.size for axis in axes]))


@given(tables(), st.integers(0, 60), st.integers(0, 90), st.sampled_from(["uint16", "float32", "float64", "int32"]))
@settings(max_examples=40, deadline=None)
def test_window_is_calibrated_as_sample_by_sample(table: LookUpTable, line: int, pixel: int, kind: str) -> None:
    """Before, within and behind the ends of the tables."""
    dn = np.random.default_rng(line).integers(0, 4, (17, 23)).astype(kind)
    lines, pixels = line + np.arange(17)[:, None], pixel + np.arange(23)
    wanted = power_from_look_up(np.where(dn == 0, np.nan, dn), look_up(table, lines, pixels))
    found = calibrate(dn, table, (line, pixel))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=2e-7)


@given(tables(), tables(), st.integers(0, 60), st.integers(0, 90), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_power_and_noise_of_a_window_are_those_of_its_samples(
    factor: LookUpTable, noise: LookUpTable, line: int, pixel: int, count: int
) -> None:
    stream = np.random.default_rng(line + 100 * pixel)
    blocks = []
    for _ in range(count):
        (top, left), size = stream.integers(0, 100, 2), int(stream.integers(1, 5))
        rows = top + np.cumsum(stream.integers(1, 12, size)).astype(float)
        edges = int(top), int(top + stream.integers(0, 40)), int(left), int(left + stream.integers(0, 40))
        blocks.append(NoiseBlock(*edges, rows, stream.uniform(0.5, 2.0, size)))
    dn = stream.integers(0, 4, (17, 23)).astype(np.float32)
    power, floor = calibrate_with_noise(dn, factor, noise, blocks, (line, pixel))
    np.testing.assert_allclose(power, calibrate(dn, factor, (line, pixel)), rtol=3e-7)
    lines, pixels = line + np.arange(17)[:, None], pixel + np.arange(23)
    np.testing.assert_allclose(floor, noise_equivalent(noise, blocks, factor, lines, pixels), rtol=2e-7)
    assert floor.dtype == power.dtype == np.float32


def real_like() -> tuple[LookUpTable, LookUpTable, list[NoiseBlock]]:
    stream = np.random.default_rng(0)
    axes = np.arange(0.0, 300.0, 60.0), np.arange(0.0, 440.0, 40.0)
    factor, noise = (LookUpTable(*axes, stream.uniform(low, 1.2 * low, (5, 11))) for low in (480.0, 900.0))
    along = np.arange(0.0, 250.0, 10.0)
    return factor, noise, [NoiseBlock(0, 239, 0, 170, along, 1 + 0.1 * np.sin(along))]


def test_a_part_of_a_window_has_the_bytes_of_the_whole() -> None:
    """Whatever the unit that reads it."""
    factor, noise, blocks = real_like()
    dn = np.random.default_rng(1).integers(0, 900, (240, 400)).astype(np.float32)
    whole = calibrate_with_noise(dn, factor, noise, blocks)
    for top, left in ((0, 0), (61, 39), (130, 168)):
        part = calibrate_with_noise(dn[top : top + 90, left : left + 100], factor, noise, blocks, (top, left))
        for full, own in zip(whole, part, strict=True):
            np.testing.assert_array_equal(full[top : top + 90, left : left + 100], own)
        power = calibrate(dn[top : top + 90, left : left + 100], factor, (top, left))
        np.testing.assert_array_equal(power, calibrate(dn, factor)[top : top + 90, left : left + 100])


def test_fill_is_not_observed_and_nothing_else_is() -> None:
    factor, noise, blocks = real_like()
    dn = np.full((30, 40), 50.0, dtype=np.float32)
    dn[3, 4], dn[5, 6] = 0.0, np.nan
    power, floor = calibrate_with_noise(dn, factor, noise, blocks)
    assert np.argwhere(np.isnan(power)).tolist() == [[3, 4], [5, 6]]
    assert np.argwhere(np.isnan(calibrate(dn, factor))).tolist() == [[3, 4], [5, 6]]
    assert np.isfinite(floor).all()


def test_samples_below_the_noise_stay_below_zero_and_their_mean_is_the_signal() -> None:
    """Of water that gives back nothing, the mean after subtraction is nothing; clipped, it would be water of -27 dB."""
    noise = np.float32(10**-2.4)
    power = np.random.default_rng(0).gamma(4.4, noise / 4.4, 200_000).astype(np.float32)
    signal = subtract_noise(power, noise)
    assert signal.dtype == np.float32
    assert (signal < 0).mean() > 0.5
    assert signal.mean() == pytest.approx(0.0, abs=0.01 * float(noise))
    assert decibel(np.maximum(signal, 0).mean()) > -32.0
    assert np.isnan(subtract_noise(np.float32([np.nan]), noise)).all()


def test_gaps_of_a_noise_vector_are_filled_from_beside() -> None:
    table = LookUpTable(np.arange(2.0), np.arange(6.0), np.array([[0.1, 4.0, 0.0, 8.0, 4.0, 0.0], np.zeros(6)]))
    np.testing.assert_array_equal(noise_without_gaps(table).values, [[4.0, 4.0, 6.0, 8.0, 4.0, 4.0], np.zeros(6)])


def test_noise_that_no_sentinel1_has_is_not_believed() -> None:
    """Zeros and other units of the first processors; NaN stays."""
    found = believed_noise(power_from_decibel([-100.0, -41.0, -33.0, -20.0, -10.0, np.nan]))
    np.testing.assert_array_equal(np.isfinite(found), [False, False, True, True, False, False])
    assert np.isnan(believed_noise(0.0))
