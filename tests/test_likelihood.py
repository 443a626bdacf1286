"""ln p(intensity | class) against published values and adaptive quadrature (physics.md 5.6)."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Cases
from scipy import integrate, stats

from harmonization.calibration import decibel, power_from_decibel
from harmonization.radar.likelihood import FloatAxis, class_columns, intensity_axis, log_density

NO_SPREAD = 1e-3
"""dB: the limit of a class whose mean is fixed."""


def tabulated(intensity: float, mean: float, std: float, looks: float, noise: float) -> float:
    """ln p read from a table for noise 1: straight between the nodes of intensity."""
    nodes = intensity_axis(looks).nodes()
    floor = float(10 * np.log10(noise))
    table = class_columns(np.array([mean - floor]), np.array([std]), std, looks)[:, 0]
    return float(np.interp(intensity / noise, nodes, table) - np.log(noise))


def by_quadrature(intensity: float, mean: float, std: float, looks: float, noise: float) -> float:
    """ln of the integral over the class spread, by scipy's adaptive rule around the peak of the integrand."""

    def exponent(x: float | np.ndarray) -> np.ndarray:
        level = power_from_decibel(mean + std * np.asarray(x)) + noise
        return stats.norm.logpdf(x) + stats.gamma.logpdf(intensity, looks, scale=level / looks)

    grid = np.linspace(-25.0, 25.0, 4001)
    values = exponent(grid)
    best = values.max()
    support = grid[values > best - 40.0]
    area, _ = integrate.quad(
        lambda x: np.exp(exponent(x) - best),
        support[0] - 0.01,
        support[-1] + 0.01,
        epsabs=0.0,
        epsrel=1e-9,
        limit=400,
        points=[grid[values.argmax()]],
    )
    return float(best + np.log(area))


def random_points() -> list[tuple[float, float, float, float, float]]:
    """Intensities that a class itself gives, and such that lie in the tail of it; 1 to 500 looks."""
    rng = np.random.default_rng(20)
    points = []
    for _ in range(40):
        mean, std = rng.uniform(-40.0, -2.0), rng.uniform(0.7, 7.0)
        looks = float(np.exp(rng.uniform(0.0, np.log(500.0))))
        noise = float(power_from_decibel(rng.uniform(-36.0, -20.0)))
        level = power_from_decibel(mean + std * rng.uniform(-3.5, 3.5)) + noise
        points.append((float(level * rng.gamma(looks, 1.0 / looks)), mean, std, looks, noise))
    return points


def test_mixture_ratios(cases: Cases) -> None:
    found = cases("llr_mixture")
    assert found
    for case in found:
        given = case["inputs"]
        intensity, noise = power_from_decibel(given["I_raw_dB"]), power_from_decibel(given["nesz"])
        direct, table = (
            density(intensity, given["mu_w"], given["s_w"], given["L"], noise)
            - density(intensity, given["mu_d"], given["s_d"], given["L"], noise)
            for density in (log_density, tabulated)
        )
        assert direct == pytest.approx(case["outputs"]["llr"], abs=case["tol"]), case["id"]
        assert table == pytest.approx(case["outputs"]["llr"], abs=0.01), case["id"]


def test_fixed_means_are_the_limit_of_no_spread(cases: Cases) -> None:
    (case,) = cases("llr_gamma")
    given = case["inputs"]
    intensity, looks = float(power_from_decibel(given["I_dB"])), given["L"]
    got = log_density(intensity, given["mu_w_dB"], NO_SPREAD, looks, 0.0) - log_density(
        intensity, given["mu_d_dB"], NO_SPREAD, looks, 0.0
    )
    assert got == pytest.approx(case["outputs"]["llr"], abs=1e-4)


def test_gamma_density_is_the_limit_of_no_spread(cases: Cases) -> None:
    (case,) = cases("gamma_pdf")
    given = case["inputs"]
    got = log_density(given["I"], float(decibel(given["mean"])), NO_SPREAD, given["L"], 0.0)
    assert got == pytest.approx(case["outputs"]["logpdf"], abs=1e-5)


def test_denoised_power_below_zero_counts_in_the_raw_domain(cases: Cases) -> None:
    (case,) = cases("llr_denoised")
    given = case["inputs"]
    noise = float(power_from_decibel(given["nesz_dB"]))
    raw = given["sigma0_denoised"] + noise
    assert given["sigma0_denoised"] < 0.0 < raw
    assert raw == pytest.approx(case["outputs"]["I_raw"], rel=case["tol"])
    water, dry = (log_density(raw, given[name], NO_SPREAD, given["L"], noise) for name in ("mu_w_dB", "mu_d_dB"))
    assert water - dry == pytest.approx(case["outputs"]["llr"], abs=1e-4)


def test_three_states_in_two_bands(cases: Cases) -> None:
    # The C band is neutral between forest (F) and flooded forest (V), the L band is not.
    (case,) = cases("three_state_fusion")
    given, want = case["inputs"], case["outputs"]
    levels = {"C": given["C_VV_dB"], "Lb": given["L_HH_dB"]}
    density = {
        band: {
            state: log_density(float(power_from_decibel(levels[band])), *classes[state], classes["L"], 0.0)
            for state in "WFV"
        }
        for band, classes in given["classes"].items()
    }
    assert density["C"] == pytest.approx(want["loglik_C"], abs=case["tol"])
    # The known answer for water, six standard deviations off, comes from a Gauss-Hermite rule of order 41, which is
    # 0.0018 nat short of the integral there (order 101 and adaptive quadrature agree on -16.46903).
    assert density["Lb"] == pytest.approx(want["loglik_L"], abs=0.002)
    assert density["C"]["V"] - density["C"]["F"] == pytest.approx(want["llr_C_V_vs_F"], abs=case["tol"])
    assert density["Lb"]["V"] - density["Lb"]["F"] == pytest.approx(want["llr_L_V_vs_F"], abs=case["tol"])


@pytest.mark.parametrize("point", random_points())
def test_direct_and_tabulated_against_adaptive_quadrature(
    point: tuple[float, float, float, float, float],
) -> None:
    want = by_quadrature(*point)
    assert log_density(*point) == pytest.approx(want, abs=1e-4)
    assert tabulated(*point) == pytest.approx(want, abs=0.01)


@pytest.mark.parametrize("looks", [1.0, 4.4, 50.0, 500.0])
def test_density_integrates_to_one(looks: float) -> None:
    edges = np.linspace(-45.0, 10.0, 12000)
    intensity = power_from_decibel(edges)
    density = [np.exp(log_density(value, -15.0, 2.5, looks, 10**-2.4)) for value in intensity]
    assert np.trapezoid(density, intensity) == pytest.approx(1.0, abs=1e-3)


def test_noise_floor_takes_the_evidence_of_what_lies_under_it() -> None:
    # Two classes 10 dB and 20 dB under a floor of -22 dB give the same power: the noise.
    noise, floor = float(power_from_decibel(-22.0)), float(power_from_decibel(-22.0))
    near, far = (log_density(floor, mean, 1.0, 10.0, noise) for mean in (-34.0, -44.0))
    assert near - far == pytest.approx(0.0, abs=0.1)
    without = [log_density(float(power_from_decibel(-34.0)), mean, 1.0, 10.0, 0.0) for mean in (-34.0, -44.0)]
    assert without[0] - without[1] > 10.0


def test_ratio_of_water_to_land_falls_with_intensity() -> None:
    levels = np.linspace(-35.0, 0.0, 200)
    ratio = [
        log_density(float(10 ** (level / 10)), -19.3, 2.75, 10.0, 10**-2.4)
        - log_density(float(10 ** (level / 10)), -11.0, 2.5, 10.0, 10**-2.4)
        for level in levels
    ]
    # The wider class wins again far below both means; between the noise floor and the land it must fall.
    falling = levels > -24.0
    assert (np.diff(ratio)[falling[1:]] < 0).all()


def test_the_bits_of_a_float_are_its_place_on_the_axis() -> None:
    axis = FloatAxis(-3, 4, bits=5)
    nodes = axis.nodes()
    assert nodes[0] == 2.0**-3
    assert nodes[-1] == 2.0**4
    assert nodes.size == axis.size
    values = np.exp(np.random.default_rng(1).uniform(np.log(nodes[0]), np.log(nodes[-2]), 500)).astype(np.float32)
    bits = values.view(np.int32)
    place = (bits >> axis.shift) - axis.first
    share = (bits & ((1 << axis.shift) - 1)) / 2.0**axis.shift
    assert (place == np.searchsorted(nodes, values, side="right") - 1).all()
    np.testing.assert_allclose(nodes[place] + share * (nodes[place + 1] - nodes[place]), values, rtol=1e-7)


def test_columns_are_the_same_bytes_in_whatever_company() -> None:
    """Two tables that hold the same class at the same place differ in nothing else than the rest."""
    means, stds = np.linspace(-20.0, 20.0, 16), np.full(16, 2.0)
    others = means + 0.7
    others[5] = means[5]
    assert (class_columns(means, stds, 1.2, 10.0)[:, 5] == class_columns(others, stds, 1.2, 10.0)[:, 5]).all()


def test_what_cannot_be_is_read_as_very_unlikely_and_not_as_infinite() -> None:
    got = class_columns(np.array([-20.0, 45.0]), np.array([0.7, 0.7]), 0.7, 36.0)
    assert np.isfinite(got).all()
    assert got[-1, 0] < -600.0
