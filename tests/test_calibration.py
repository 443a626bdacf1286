"""DN to linear power, decibel, and beta0, sigma0, gamma0, against published values (physics.md 1 to 3)."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Cases
from hypothesis import given, settings
from hypothesis import strategies as st

from harmonization.calibration import decibel, mean_power_db, power_from_amplitude, power_from_decibel
from harmonization.geometry import gamma0_from_sigma0, sigma0_from_beta0, sigma0_from_gamma0


def printed(value: float) -> float:
    """Half a unit of the seventh significant digit, the last one of a known answer."""
    return max(1e-6, 0.5 * 10.0 ** (np.floor(np.log10(abs(value))) - 6))


def test_alos2_amplitude(cases: Cases) -> None:
    for case in cases("alos2_calibrate"):
        power = power_from_amplitude(case["inputs"]["dn"], case["inputs"]["CF"])
        want = case["outputs"]["sigma0_dB"]
        assert decibel(power) == pytest.approx(want, abs=printed(want))
        assert power == pytest.approx(case["outputs"]["sigma0"], rel=1e-6)


def test_the_square_is_not_forgotten() -> None:
    # JAXA: 10 log10(DN^2) - 83; the wrong form of a public page, 10 log10(DN) - 83, would give -51.5 dB.
    assert decibel(power_from_amplitude(1412.538, -83.0)) == pytest.approx(-20.0, abs=1e-5)


def test_alos2_averages_squares(cases: Cases) -> None:
    (case,) = cases("alos2_average")
    power = power_from_amplitude(case["inputs"]["dn"], case["inputs"]["CF"])
    assert decibel(power.mean()) == pytest.approx(case["outputs"]["correct_dB"], abs=6e-6)


def test_decibel_are_averaged_in_power(cases: Cases) -> None:
    (case,) = cases("db_mean")
    got = mean_power_db(case["inputs"]["values_dB"])
    assert got == pytest.approx(case["outputs"]["mean_linear_dB"], abs=6e-6)
    assert got > np.mean(case["inputs"]["values_dB"])


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
