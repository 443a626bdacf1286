"""How backscatter depends on the angle, by class (physics.md 4)."""

from __future__ import annotations

import numpy as np
import pytest

from harmonization.classes import BACKSCATTER, REFERENCE_ANGLE
from harmonization.dielectric import soil_permittivity
from harmonization.incidence import (
    angle_nodes,
    class_mean,
    class_mean_by_model,
    class_mean_valid,
    cosine_power,
    cosine_power_valid,
    exponent_to_slope,
    model_ratio,
    model_ratio_valid,
)
from harmonization.scattering.soil import oh_1992

WATER, GRASS = BACKSCATTER["open_water"]["C-VV"], BACKSCATTER["grass_crop"]["C-VV"]


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


@pytest.mark.parametrize(
    ("angle", "valid"), [(26.9, False), (27.0, True), (38.5, True), (48.0, True), (48.1, False), (np.nan, False)]
)
def test_class_means_hold_from_27_to_48_degrees(angle: float, valid: bool) -> None:
    assert class_mean_valid(angle) == valid


def test_cosine_power_holds_near_its_reference() -> None:
    assert cosine_power_valid([27.0, 28.4, 28.5, 48.0, 48.6], 38.5).tolist() == [False, False, True, True, False]
    assert not cosine_power_valid(30.0, 26.0)


def lambert(angle: object) -> np.ndarray:
    """A surface whose backscatter goes with cos² of the angle, dark as it may be."""
    return np.asarray(0.01 * np.cos(np.deg2rad(angle)) ** 2)


def test_model_ratio_of_a_cosine_is_the_cosine_power() -> None:
    """10·log10 of M(angle)/M(ref), with the sign of a mean that moves from the reference to the angle."""
    angles = np.array([10.0, 30.0, 38.5, 60.0])
    np.testing.assert_allclose(model_ratio(lambert, angles), -cosine_power(np.zeros(4), angles, 38.5, 2.0), atol=1e-9)


def test_model_ratio_of_soil_is_the_slope_of_the_class_table() -> None:
    def soil(angle: object) -> np.ndarray:
        return oh_1992(5.405, soil_permittivity(5.405, 0.2), 0.01, np.asarray(angle))["VV"]

    slope = float(model_ratio(soil, 39.0) - model_ratio(soil, 38.0))
    assert slope == pytest.approx(-0.16, abs=0.02)  # physics.md 4: bare soil C-VV, s = 1 cm, moisture 0.2


def test_beyond_its_line_a_class_follows_the_model_without_a_jump() -> None:
    angles = np.linspace(15.0, 65.0, 501)
    for quantity in ("sigma0", "gamma0"):
        found = class_mean_by_model(WATER, angles, quantity, lambert)  # type: ignore[arg-type]
        inside = class_mean_valid(angles)
        np.testing.assert_allclose(found[inside], class_mean(WATER, angles[inside], quantity))  # type: ignore[arg-type]
        assert np.abs(np.diff(found)).max() < 0.15, "0.1 degrees of the steepest part"
    # At 60 degrees: the line at 48, and 20 log10(cos 60 / cos 48) = -2.53 dB more.
    end = -19.3 - 0.394 * 9.5
    assert class_mean_by_model(WATER, 60.0, "sigma0", lambert) == pytest.approx(end - 2.53, abs=0.005)


def test_a_model_is_asked_where_it_holds() -> None:
    def valid(angle: np.ndarray) -> np.ndarray:
        return np.asarray((angle > 20.0) & (angle < 60.0))

    assert model_ratio_valid(valid, [10.0, 30.0, 70.0]).tolist() == [False, True, False]
    assert not model_ratio_valid(valid, [30.0, 40.0], reference=15.0).any()
    dark = model_ratio(lambda angle: np.where(np.asarray(angle) > 50.0, 0.0, 0.1), [40.0, 55.0])
    assert np.isnan(dark).tolist() == [False, True], "no power is no level"
