"""Forward models against published values (shared/physics_vectors.json, physics.md 5) and simple physics."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from conftest import Cases

from harmonization.dielectric import soil_permittivity, vegetation_permittivity, water_permittivity
from harmonization.scattering.canopy import TRUNK_STRENGTH, optical_depth, trunk_ground, water_cloud
from harmonization.scattering.fresnel import fresnel_reflectivity, wavenumber
from harmonization.scattering.soil import oh_1992
from harmonization.scattering.water import open_water, water_line

C, L = 5.405, 1.2575


def decibel(power: Any) -> Any:
    return 10.0 * np.log10(power)


def test_oh_1992(cases: Cases) -> None:
    for case in cases("bare_soil"):
        given = case["inputs"]
        permittivity = complex(given["eps"]["re"], given["eps"]["im"])
        power = oh_1992(given["f_GHz"], permittivity, given["s_m"], given["theta"])
        assert wavenumber(given["f_GHz"]) * given["s_m"] == pytest.approx(given["ks"], rel=1e-6)
        got = [decibel(power[polarization]) for polarization in ("HH", "VV", "HV")]
        assert got == pytest.approx(case["outputs"]["oh1992_hh_vv_hv_dB"], abs=1e-4)


def test_fresnel(cases: Cases) -> None:
    for case in cases("fresnel_bragg"):
        given = case["inputs"]
        got = fresnel_reflectivity(water_permittivity(given["f_GHz"], given["T_C"]), given["theta"])
        assert got == pytest.approx((case["outputs"]["Rh2"], case["outputs"]["Rv2"]), rel=case["tol"])


def test_trunk_ground(cases: Cases) -> None:
    (case,) = cases("trunk_ground")
    given = case["inputs"]
    channels: list[tuple[float, Literal["HH", "VV"]]] = [(L, "HH"), (L, "VV"), (C, "VV")]
    for frequency, polarization in channels:
        want = case["outputs"][f"{frequency}_{polarization}"]
        trunk = vegetation_permittivity(frequency, given["Mg_trunk"])
        water = water_permittivity(frequency, given["T"])
        soil = soil_permittivity(frequency, given["mv"], given["clay"])
        wet = trunk_ground(frequency, water, trunk, 0.0, given["theta"], polarization)
        dry = trunk_ground(frequency, soil, trunk, np.array([0.0, 0.01, 0.02]), given["theta"], polarization)
        assert wet == pytest.approx(want["R2_water"], rel=case["tol"])
        assert dry[0] == pytest.approx(want["R2_soil_s0"], rel=case["tol"])
        ratios = [want["ratio_dB_s1cm"], want["ratio_dB_s2cm"]]
        assert decibel(wet / dry[1:]) == pytest.approx(ratios, rel=case["tol"])


def test_water_cloud(cases: Cases) -> None:
    (case,) = cases("water_cloud")
    given = case["inputs"]
    ground = 10.0 ** (given["sigma_soil_dB"] / 10.0)
    got = water_cloud(given["A"] * given["V1"], given["B"] * given["V2"], ground, given["theta"])
    assert decibel(got) == pytest.approx(case["outputs"]["total_dB"], abs=1e-5)


def stand(frequency: float, depth: float, flooded: bool) -> float:
    """L-HH or C-VV in dB, physics.md 5.3: s 2 cm, mv 0.2, Mg 0.5, gamma0 of an opaque crown -7.0, -6.5 dB."""
    polarization: Literal["HH", "VV"] = "HH" if frequency == L else "VV"
    roughness = 0.0 if flooded else 0.02
    ground = water_permittivity(frequency, 20.0) if flooded else soil_permittivity(frequency, 0.2)
    trunk = vegetation_permittivity(frequency, 0.5)
    corner = trunk_ground(frequency, ground, trunk, roughness, 38.5, polarization)
    floor = 0.0 if flooded else oh_1992(frequency, ground, roughness, 38.5)[polarization]
    crown = 10.0 ** ((-6.5 if frequency == C else -7.0) / 10.0)
    below = floor + TRUNK_STRENGTH * depth * corner
    return float(decibel(water_cloud(crown, optical_depth(depth, frequency), below, 38.5)))


@pytest.mark.parametrize(
    ("depth", "l_dry", "l_flooded", "c_dry", "c_flooded"),
    [
        (0.1, -10.2, -7.3, -7.6, -8.8),
        (0.3, -7.8, -4.5, -7.6, -7.6),
        (0.5, -7.2, -4.2, -7.6, -7.6),
        (1.0, -7.3, -5.3, -7.6, -7.6),
    ],
)
def test_canopy_flood_contrast(depth: float, l_dry: float, l_flooded: float, c_dry: float, c_flooded: float) -> None:
    got = [stand(frequency, depth, flooded) for frequency in (L, C) for flooded in (False, True)]
    assert got == pytest.approx([l_dry, l_flooded, c_dry, c_flooded], abs=0.1)


def test_water_line(cases: Cases) -> None:
    (case,) = cases("water_line")
    angle = np.array(case["inputs"]["theta"])
    # The known answers carry five decimals: half a unit of the last one is the tightest bound they allow.
    assert water_line(angle) == pytest.approx(case["outputs"]["mean_dB"], abs=6e-6)
    assert decibel(open_water("C-VV", 5.0, angle)) == pytest.approx(case["outputs"]["mean_dB"], abs=6e-6)


def test_water_brightens_with_wind_and_darkens_with_angle() -> None:
    wind = np.linspace(1.0, 10.0, 50)
    for channel in ("C-VV", "C-VH", "L-HH", "L-HV"):
        assert (np.diff(open_water(channel, wind, 38.5)) > 0).all()
        assert open_water(channel, 5.0, 30.0) > open_water(channel, 5.0, 45.0)
