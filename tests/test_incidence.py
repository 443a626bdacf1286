"""How backscatter depends on the angle, by class (physics.md 4)."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Cases

from harmonization.classes import BACKSCATTER, REFERENCE_ANGLE
from harmonization.incidence import (
    angle_nodes,
    class_mean,
    cosine_power,
    exponent_to_slope,
    slope_to_exponent,
)

WATER, GRASS = BACKSCATTER["open_water"]["C-VV"], BACKSCATTER["grass_crop"]["C-VV"]


def test_cosine_power(cases: Cases) -> None:
    for case in cases("cosine_power"):
        given = case["inputs"]
        got = cosine_power(given["sigma0_dB"], given["theta"], given["theta_ref"], given["n"])
        assert got == pytest.approx(case["outputs"]["sigma0_ref_dB"], abs=6e-6)


def test_exponent_to_slope(cases: Cases) -> None:
    (case,) = cases("exponent_to_slope")
    got = exponent_to_slope(case["inputs"]["n"], case["inputs"]["theta"])
    assert got == pytest.approx(case["outputs"]["slope_dB_per_deg"], abs=case["tol"])


def test_slope_to_exponent(cases: Cases) -> None:
    (case,) = cases("slope_to_exponent")
    got = slope_to_exponent(case["inputs"]["slope_dB_per_deg"], case["inputs"]["theta"])
    assert got == pytest.approx(case["outputs"]["n"], rel=case["tol"])
    assert exponent_to_slope(got, case["inputs"]["theta"]) == pytest.approx(-0.394181)


def test_slope_is_the_derivative_of_the_cosine_power() -> None:
    # The level at the reference of what is constant there moves by minus the slope a degree.
    step = 1e-4
    moved = cosine_power([0.0, 0.0], [38.5 - step, 38.5 + step], 38.5, 2.0)
    assert -(moved[1] - moved[0]) / (2 * step) == pytest.approx(exponent_to_slope(2.0, 38.5), rel=1e-6)


def test_class_mean_is_the_table_at_the_reference_angle() -> None:
    assert class_mean(WATER, REFERENCE_ANGLE, "sigma0") == pytest.approx(-19.3)
    # gamma0 = sigma0/cos(38.5°): 10 log10(1/0.78261) = +1.0645 dB.
    assert class_mean(WATER, REFERENCE_ANGLE, "gamma0") == pytest.approx(-19.3 + 1.0645, abs=1e-4)


def test_a_land_slope_applied_to_water_errs_by_two_decibel_over_half_a_swath() -> None:
    # 38.5 to 30 degrees: (0.394 - 0.13) dB/deg x 8.5 deg = 2.2 dB.
    water = class_mean(WATER, [30.0, 38.5], "sigma0")
    land = class_mean(GRASS, [30.0, 38.5], "sigma0")
    assert (water[0] - water[1]) - (land[0] - land[1]) == pytest.approx(0.264 * 8.5)


def test_nodes_marginalize_uniformly() -> None:
    nodes, weights = angle_nodes((30.0, 45.0))
    assert weights.sum() == pytest.approx(1.0)
    assert ((nodes > 30.0) & (nodes < 45.0)).all()
    # Of a uniform angle: mean 37.5, variance 15²/12; a Gauss-Legendre rule is exact for polynomials.
    assert weights @ nodes == pytest.approx(37.5)
    assert weights @ (nodes - 37.5) ** 2 == pytest.approx(15.0**2 / 12)


def test_an_unknown_angle_widens_water_by_less_than_two_decibel() -> None:
    # -0.394 dB/deg over a uniform 15 degrees: 0.394 x 15/sqrt(12) = 1.71 dB (physics.md 4d).
    nodes, weights = angle_nodes((30.0, 45.0))
    levels = class_mean(WATER, nodes, "sigma0")
    spread = np.sqrt(weights @ (levels - weights @ levels) ** 2)
    assert spread == pytest.approx(1.71, abs=0.01)
