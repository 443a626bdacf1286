"""Permittivity against independent measurements and simple physics; tests/physics_kinds has the known answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harmonization.dielectric import (
    soil_permittivity,
    soil_permittivity_dobson,
    soil_permittivity_dobson_valid,
    soil_permittivity_topp,
    soil_permittivity_topp_valid,
    soil_permittivity_valid,
    vegetation_permittivity,
    vegetation_permittivity_valid,
    water_permittivity,
    water_permittivity_klein_swift,
    water_permittivity_klein_swift_valid,
    water_permittivity_valid,
)
from harmonization.dielectric.water import conductivity

C, L = 5.405, 1.2575
Model = Callable[..., Any]
PAIRS: list[tuple[Model, Model, tuple[float, ...]]] = [
    (water_permittivity, water_permittivity_valid, (L, 20.0, 10.0)),
    (water_permittivity_klein_swift, water_permittivity_klein_swift_valid, (L, 20.0, 10.0)),
    (soil_permittivity, soil_permittivity_valid, (L, 0.2, 20.0)),
    (soil_permittivity_topp, soil_permittivity_topp_valid, (0.2,)),
    (soil_permittivity_dobson, soil_permittivity_dobson_valid, (L, 0.2, 0.4, 0.2, 20.0, 1.3)),
    (vegetation_permittivity, vegetation_permittivity_valid, (L, 0.5, 1.27)),
]


@pytest.mark.parametrize(("model", "valid", "inputs"), PAIRS)
def test_every_model_takes_arrays_and_passes_nan_on(model: Model, valid: Model, inputs: tuple[float, ...]) -> None:
    for place in range(len(inputs)):
        column = np.array([inputs[place], np.nan])[:, None]
        given = [np.full(3, value) for value in inputs]
        found = model(*given[:place], column, *given[place + 1 :])
        known = valid(*given[:place], column, *given[place + 1 :])
        assert found.shape == ((2, 3) if len(inputs) > 1 else (2, 1))
        assert np.abs(found[0] / model(*inputs) - 1.0).max() < 1e-13
        assert np.isnan(found[1]).all()
        known = np.broadcast_to(known, found.shape)
        assert known[0].all()
        assert not known[1].any()


@pytest.mark.parametrize("frequency", [L, C])
@pytest.mark.parametrize("temperature", [5.0, 15.0, 25.0])
@pytest.mark.parametrize(("salinity", "within"), [(0.0, 0.01), (20.0, 0.015), (35.0, 0.015)])
def test_two_independent_models_of_water_agree(
    frequency: float, temperature: float, salinity: float, within: float
) -> None:
    first = water_permittivity(frequency, temperature, salinity)
    second = water_permittivity_klein_swift(frequency, temperature, salinity)
    assert abs(first - second) <= within * abs(second)


def test_conductivity_is_that_of_standard_sea_water() -> None:
    # 4.2914 S/m at 15 Celsius and 35 units: the definition of the practical salinity scale (Culkin and Smith 1980).
    assert conductivity(15.0, 35.0) == pytest.approx(4.2914, abs=2e-3)
    assert conductivity(15.0, 0.0) == 0.0


def test_warm_salt_water_has_no_step() -> None:
    below, above = water_permittivity(C, np.array([30.0 - 1e-9, 30.0 + 1e-9]), 35.0)
    assert abs(below - above) < 1e-3


def test_moisture_raises_permittivity_and_loss() -> None:
    moisture = np.linspace(0.02, 0.45, 40)
    for model in (soil_permittivity, soil_permittivity_dobson):
        for frequency in (L, C):
            permittivity = model(frequency, moisture)
            assert (np.diff(permittivity.real) > 0).all()
            assert (np.diff(permittivity.imag) < 0).all()
    assert (np.diff(soil_permittivity_topp(moisture)) > 0).all()


def test_soil_at_l_band_meets_two_measurements() -> None:
    # Hallikainen 1985 at moisture 0.2: 9.96 - 1.90j; Topp 1980: 10.12. The loss differs up to 1.7 times between models.
    ours = soil_permittivity(L, 0.2)
    assert ours.real == pytest.approx(9.96, rel=0.02)
    assert ours.real == pytest.approx(soil_permittivity_topp(0.2), rel=0.02)
    assert 1.0 <= 1.90 / -ours.imag <= 1.75


def test_dobson_steps_between_the_bands_and_mironov_does_not() -> None:
    below, above = 1.399, 1.401
    step = abs(soil_permittivity_dobson(below, 0.2) - soil_permittivity_dobson(above, 0.2))
    assert step > 1.0
    assert abs(soil_permittivity(below, 0.2) - soil_permittivity(above, 0.2)) < 0.01


def test_dobson_of_dry_and_of_sandy_soil() -> None:
    dry = soil_permittivity_dobson(L, 0.0)
    assert dry.real > 2.0
    assert dry.imag == 0.0
    # Sand of 95 %: the fitted conductivity at C band is negative, and so would be the loss.
    assert np.isnan(soil_permittivity_dobson(C, 0.02, sand=0.95, clay=0.02))
    assert not soil_permittivity_dobson_valid(C, 0.02, sand=0.95, clay=0.02)


@pytest.mark.parametrize(
    "outside",
    [
        water_permittivity_valid(100.0, 20.0),
        water_permittivity_valid(C, 35.0, 30.0),
        water_permittivity_valid(C, 20.0, 41.0),
        water_permittivity_klein_swift_valid(20.0, 20.0),
        soil_permittivity_valid(0.2, 0.2),
        soil_permittivity_valid(L, 0.51),
        soil_permittivity_valid(L, 0.2, clay=77.0),
        soil_permittivity_valid(L, 0.2, temperature=-0.5),
        soil_permittivity_topp_valid(0.2, temperature=-5.0),
        soil_permittivity_topp_valid(0.6),
        soil_permittivity_dobson_valid(1.35, 0.2),
        soil_permittivity_dobson_valid(C, 0.2, sand=0.7, clay=0.4),
        vegetation_permittivity_valid(C, 0.05),
        vegetation_permittivity_valid(25.0, 0.5),
    ],
)
def test_outside_the_published_range_is_flagged(outside: Any) -> None:
    assert not outside


def test_warm_fresh_water_is_inside() -> None:
    assert water_permittivity_valid(C, np.array([35.0, 5.0])).all()
