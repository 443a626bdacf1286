"""Permittivity against published values (shared/physics_vectors.json) and simple physics."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import Cases

from harmonization.dielectric import soil_permittivity, vegetation_permittivity, water_permittivity


def number(parts: dict[str, float]) -> complex:
    return complex(parts["re"], parts["im"])


def test_soil_is_mironov(cases: Cases) -> None:
    for case in cases("permittivity_soil"):
        given = case["inputs"]
        got = soil_permittivity(given["f_GHz"], given["mv"], given["clay_pct"])
        assert got == pytest.approx(number(case["outputs"]["mironov2009"]), rel=1e-6)


def test_vegetation_is_ulaby_el_rayes(cases: Cases) -> None:
    for case in cases("permittivity_vegetation"):
        given = case["inputs"]
        got = vegetation_permittivity(given["f_GHz"], given["Mg"], given["sigma_Sm"])
        assert got == pytest.approx(number(case["outputs"]["eps"]), rel=1e-6)


def test_fresh_water_is_meissner_wentz_and_near_klein_swift(cases: Cases) -> None:
    fresh = [case for case in cases("permittivity_water") if case["inputs"]["S_psu"] == 0]
    assert fresh
    for case in fresh:
        got = water_permittivity(case["inputs"]["f_GHz"], case["inputs"]["T_C"])
        assert got == pytest.approx(number(case["outputs"]["eps"]), rel=1e-6)
        assert got == pytest.approx(number(case["outputs"]["klein_swift"]), rel=0.005)


def test_moisture_raises_permittivity_and_loss() -> None:
    moisture = np.linspace(0.02, 0.45, 40)
    permittivity = soil_permittivity(1.2575, moisture)
    assert permittivity.shape == moisture.shape
    assert (np.diff(permittivity.real) > 0).all()
    assert (np.diff(permittivity.imag) < 0).all()
