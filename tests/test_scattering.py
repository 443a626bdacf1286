"""Soil models against first principles and the reference note, section 5; known answers are in tests/physics_kinds."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from harmonization.dielectric import soil_permittivity, water_permittivity
from harmonization.scattering.canopy import water_cloud
from harmonization.scattering.fresnel import bragg_coefficients, fresnel_reflectivity, smooth_valid, wavenumber
from harmonization.scattering.identifiability import Channel, SoilModel, moisture_deviation
from harmonization.scattering.small_perturbation import (
    Correlation,
    roughness_spectrum,
    small_perturbation,
    small_perturbation_valid,
)
from harmonization.scattering.soil import (
    dubois_1995,
    dubois_1995_valid,
    oh_1992,
    oh_1992_valid,
    oh_2004,
    oh_2004_valid,
)

C, L = 5.405, 1.2575


def decibel(power: Any) -> Any:
    return 10.0 * np.log10(power)


def test_bragg_in_the_horizontal_is_fresnel() -> None:
    angle = np.arange(1.0, 89.0)
    for permittivity in (4.0 - 0.3j, 10.0 - 1.0j, complex(water_permittivity(C, 20.0))):
        bragg, _ = bragg_coefficients(permittivity, angle)
        assert np.abs(bragg) ** 2 == pytest.approx(fresnel_reflectivity(permittivity, angle)[0], rel=1e-12)


@pytest.mark.parametrize("correlation", ["exponential", "gaussian"])
def test_roughness_spectrum_holds_the_variance_of_the_heights(correlation: Correlation) -> None:
    height, length = 0.004, 0.05
    ring: Callable[[float], float] = lambda wave: float(  # noqa: E731
        2.0 * np.pi * wave * roughness_spectrum(wave, height, length, correlation)
    )
    variance, _ = quad(ring, 0.0, 2e5, limit=2000, points=[1.0 / length, 100.0 / length, 1e4])
    assert variance == pytest.approx(height**2, rel=2e-3)


@pytest.mark.parametrize("correlation", ["exponential", "gaussian"])
@pytest.mark.parametrize(("frequency", "height", "length"), [(L, 0.004, 0.04), (C, 0.001, 0.01)])
@pytest.mark.parametrize("angle", [25.0, 38.5, 50.0])
def test_small_perturbation_is_the_limit_of_the_integral_equation(
    correlation: Correlation, frequency: float, height: float, length: float, angle: float
) -> None:
    permittivity = 10.0 - 1.0j
    power = small_perturbation(frequency, permittivity, height, length, angle, correlation)
    assert small_perturbation_valid(frequency, height, length, angle, correlation)
    got = [float(decibel(power[one])) for one in ("HH", "VV")]
    want = integral_equation(frequency, permittivity, height, length, angle, correlation)
    assert got == pytest.approx(want, abs=0.25)
    # A hundredth of the height: nothing but the first order is left.
    power = small_perturbation(frequency, permittivity, height / 100.0, length, angle, correlation)
    want = integral_equation(frequency, permittivity, height / 100.0, length, angle, correlation)
    assert [float(decibel(power[one])) for one in ("HH", "VV")] == pytest.approx(want, abs=1e-3)


def integral_equation(
    frequency: float, permittivity: complex, height: float, length: float, angle: float, correlation: Correlation
) -> list[float]:
    """Single scattering of Fung, Li and Chen 1992 (TGRS 30(2), equations 79 to 84), eight orders; dB of HH, VV."""
    theta = np.radians(angle)
    wave = float(wavenumber(frequency))
    sine, cosine = np.sin(theta), np.cos(theta)
    refracted = np.sqrt(permittivity - sine**2)
    horizontal = (cosine - refracted) / (cosine + refracted)
    vertical = (permittivity * cosine - refracted) / (permittivity * cosine + refracted)
    squared = permittivity - sine**2 - permittivity * cosine**2
    pairs = (
        (-2.0 * horizontal / cosine, -2.0 * sine**2 * (1 + horizontal) ** 2 / cosine * (permittivity - 1) / cosine**2),
        (
            2.0 * vertical / cosine,
            2.0
            * sine**2
            * (1 + vertical) ** 2
            / cosine
            * (1 - 1 / permittivity + squared / (permittivity * cosine) ** 2),
        ),
    )
    found = []
    for kirchhoff, complementary in pairs:
        total = 0.0
        for order in range(1, 9):
            field = (2.0 * wave * cosine) ** order * kirchhoff * np.exp(-((height * wave * cosine) ** 2))
            field += (wave * cosine) ** order * complementary / 2.0
            # The spectrum of the n-th power of the correlation, scaled so that the first is 2 pi W / s^2.
            turns = 2.0 * wave * sine * length
            if correlation == "exponential":
                spectrum = (length / order) ** 2 * (1.0 + (turns / order) ** 2) ** -1.5
            else:
                spectrum = length**2 / (2.0 * order) * np.exp(-(turns**2) / (4.0 * order))
            total += height ** (2 * order) * abs(field) ** 2 * spectrum / factorial(order)
        found.append(decibel(wave**2 / 2.0 * np.exp(-2.0 * (wave * cosine * height) ** 2) * total))
    return found


@given(
    moisture=st.floats(0.09, 0.30),
    roughness=st.floats(0.005, 0.03),
    angle=st.floats(20.0, 60.0),
    frequency=st.sampled_from([L, 3.2, C]),
)
def test_wetter_and_rougher_soil_is_brighter(moisture: float, roughness: float, angle: float, frequency: float) -> None:
    def everywhere(moisture: float, roughness: float) -> list[dict[str, Any]]:
        permittivity = soil_permittivity(frequency, moisture)
        return [
            oh_1992(frequency, permittivity, roughness, angle),
            oh_2004(frequency, moisture, roughness, angle),
            dubois_1995(frequency, permittivity, roughness, angle),
        ]

    now = everywhere(moisture, roughness)
    for wetter, rougher, is_now in zip(
        everywhere(moisture + 0.01, roughness), everywhere(moisture, roughness * 1.05), now, strict=True
    ):
        assert wetter["VV"] > is_now["VV"]
        assert rougher["HH"] > is_now["HH"]
    for model in now[:2]:
        assert model["HV"] < model["HH"] <= model["VV"]


def test_soil_models_differ_by_what_the_classes_carry() -> None:
    # Reference note, section 5.1: 2 dB at C, 3 dB at L is the uncertainty of a class of bare soil.
    for frequency, uncertainty in ((C, 2.0), (L, 3.0)):
        permittivity = soil_permittivity(frequency, 0.2)
        values = [
            decibel(oh_1992(frequency, permittivity, 0.01, 38.5)["VV"]),
            decibel(oh_2004(frequency, 0.2, 0.01, 38.5)["VV"]),
            decibel(dubois_1995(frequency, permittivity, 0.01, 38.5)["VV"]),
        ]
        assert 0.5 < np.std(values) < uncertainty


@pytest.mark.parametrize(
    ("channels", "model", "published"),
    [
        ([(C, "VV"), (C, "HV")], "oh_1992", 1.35),
        ([(L, "HH"), (L, "HV")], "oh_1992", 0.092),
        ([(C, "VV"), (C, "HV"), (L, "HH"), (L, "HV")], "oh_1992", 0.059),
        # Another model of the same soils tells another story: what is known of moisture is what the model says.
        ([(C, "VV"), (C, "HV")], "oh_2004", 0.299),
        ([(L, "HH"), (L, "HV")], "oh_2004", 0.517),
        ([(C, "VV"), (C, "HV"), (L, "HH"), (L, "HV")], "oh_2004", 0.156),
    ],
)
def test_moisture_of_bare_soil_is_hardly_identifiable(
    channels: list[Channel], model: SoilModel, published: float
) -> None:
    found = moisture_deviation(channels, 0.2, 0.01, 38.5, model=model)
    assert found == pytest.approx(published, rel=0.01)
    assert moisture_deviation(channels, 0.2, 0.01, 38.5, noise_db=2.0, model=model) == pytest.approx(2.0 * found)


def test_one_channel_cannot_part_moisture_from_roughness() -> None:
    assert moisture_deviation([(C, "VV")], 0.2, 0.01, 38.5) == np.inf


MODELS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (fresnel_reflectivity, (10.0 - 1.0j, 38.5)),
    (bragg_coefficients, (10.0 - 1.0j, 38.5)),
    (small_perturbation, (L, 10.0 - 1.0j, 0.004, 0.04, 38.5)),
    (oh_1992, (C, 10.0 - 1.0j, 0.01, 38.5)),
    (oh_2004, (C, 0.2, 0.01, 38.5)),
    (dubois_1995, (C, 10.0 - 1.0j, 0.01, 38.5)),
    (water_cloud, (0.2, 0.5, 0.05, 38.5)),
]


@pytest.mark.parametrize(("model", "inputs"), MODELS)
def test_every_model_takes_arrays_and_passes_nan_on(model: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    for place in range(len(inputs)):
        column = np.array([inputs[place], np.nan])[:, None]
        row = [np.full(3, value) for value in inputs]
        found = each(model(*row[:place], column, *row[place + 1 :]))
        for got, alone in zip(found, each(model(*inputs)), strict=True):
            got = np.broadcast_to(got, (2, 3))
            assert got[0] == pytest.approx(np.full(3, alone), rel=1e-13)
            assert np.isnan(got[1]).all()


def each(result: Any) -> list[Any]:
    """The arrays of a result."""
    if isinstance(result, dict):
        return list(result.values())
    return list(result) if isinstance(result, tuple) else [result]


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (oh_1992_valid(C, 0.01, 38.5, 0.2), oh_1992_valid(C, 0.06, 38.5, 0.2)),
        (oh_1992_valid(L, 0.005, 38.5, 0.2), oh_1992_valid(L, 0.003, 38.5, 0.2)),
        (oh_1992_valid(C, 0.01, 38.5, 0.3), oh_1992_valid(C, 0.01, 38.5, 0.32)),
        (oh_1992_valid(C, 0.01, 38.5, 0.2, 0.1), oh_1992_valid(C, 0.01, 38.5, 0.2, 0.2)),
        (oh_2004_valid(C, 0.2, 0.01, 38.5), oh_2004_valid(C, 0.3, 0.01, 38.5)),
        (oh_2004_valid(C, 0.05, 0.01, 38.5), oh_2004_valid(C, 0.05, 0.001, 38.5)),
        (dubois_1995_valid(C, 0.01, 38.5, 0.2), dubois_1995_valid(C, 0.01, 29.0, 0.2)),
        (dubois_1995_valid(C, 0.02, 38.5, 0.2), dubois_1995_valid(C, 0.03, 38.5, 0.2)),
        (dubois_1995_valid(C, 0.01, 38.5, 0.35), dubois_1995_valid(L, 0.01, 38.5, 0.35)),
        (small_perturbation_valid(L, 0.004, 0.04, 38.5), small_perturbation_valid(C, 0.004, 0.04, 38.5)),
        (small_perturbation_valid(L, 0.004, 0.04, 38.5), small_perturbation_valid(L, 0.004, 0.01, 38.5)),
        (small_perturbation_valid(L, 0.004, 0.1, 38.5), small_perturbation_valid(L, 0.004, 0.2, 38.5)),
        (smooth_valid(C, 0.001, 38.5), smooth_valid(C, 0.01, 38.5)),
    ],
)
def test_outside_the_published_range_is_flagged(inside: Any, outside: Any) -> None:
    assert inside
    assert not outside


def test_validity_is_a_map() -> None:
    angle = np.array([25.0, 38.5, np.nan])
    assert dubois_1995_valid(C, 0.01, angle, np.array([[0.2], [0.4]])).tolist() == [[False, True, False], [False] * 3]
