"""Kinds of known answers: scattering."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from harmonization.dielectric import soil_permittivity, vegetation_permittivity, water_permittivity
from harmonization.scattering.canopy import LikePolarization, transmissivity, trunk_ground, water_cloud_attema_ulaby
from harmonization.scattering.fresnel import bragg_coefficients, bragg_wavelength, fresnel_reflectivity
from harmonization.scattering.small_perturbation import Correlation, small_perturbation
from harmonization.scattering.soil import dubois_1995, oh_1992, oh_2004
from physics_kinds import Inputs, Kind, number

CORRELATION: dict[str, Correlation] = {
    "exp": "exponential",
    "exponential": "exponential",
    "gauss": "gaussian",
    "gaussian": "gaussian",
}


class Named(dict[str, Any]):
    """Answers whose names carry a parameter ("5.405_VV", "ratio_dB_s2cm"): worked out when asked for."""

    def __init__(self, pattern: str, answer: Callable[[re.Match[str]], Any]) -> None:
        super().__init__()
        self.pattern, self.answer = re.compile(pattern), answer

    def __contains__(self, name: object) -> bool:
        return self.pattern.fullmatch(str(name)) is not None

    def __getitem__(self, name: str) -> Any:
        return self.answer(cast("re.Match[str]", self.pattern.fullmatch(name)))


def decibel(power: Any) -> float:
    return float(10.0 * np.log10(power))


def fresnel_bragg(given: Inputs) -> dict[str, Any]:
    permittivity = water_permittivity(given["f_GHz"], given["T_C"], given["S"])
    horizontal, vertical = fresnel_reflectivity(permittivity, given["theta"])
    bragg_hh, bragg_vv = bragg_coefficients(permittivity, given["theta"])
    return {
        "Rh2": float(horizontal),
        "Rv2": float(vertical),
        "bragg_hh2": float(abs(bragg_hh) ** 2),
        "bragg_vv2": float(abs(bragg_vv) ** 2),
        "bragg_wavelength_m": float(bragg_wavelength(given["f_GHz"], given["theta"])),
    }


def perturbed(given: Inputs) -> dict[str, Any]:
    power = small_perturbation(
        given["f_GHz"],
        complex(given["eps_re"], given["eps_im"]),
        given["s_m"],
        given["l_m"],
        given["theta"],
        CORRELATION[given["acf"]],
    )
    return {"hh_dB": decibel(power["HH"]), "vv_dB": decibel(power["VV"])}


def bare_soil(given: Inputs) -> dict[str, Any]:
    frequency, roughness, angle = given["f_GHz"], given["s_m"], given["theta"]
    permittivity = number(given["eps"])
    models = {
        "oh1992_hh_vv_hv_dB": oh_1992(frequency, permittivity, roughness, angle),
        "oh2004_hh_vv_hv_dB": oh_2004(frequency, given["mv"], roughness, angle),
        "dubois_hh_vv_dB": dubois_1995(frequency, permittivity, roughness, angle),
    }
    return {name: [decibel(power[one]) for one in ("HH", "VV", "HV") if one in power] for name, power in models.items()}


def corner(given: Inputs) -> dict[str, Any]:
    def channel(asked: re.Match[str]) -> dict[str, Any]:
        frequency, polarization = float(asked[1]), cast(LikePolarization, asked[2])
        trunk = vegetation_permittivity(frequency, given["Mg_trunk"])
        soil = soil_permittivity(frequency, given["mv"], given["clay"])

        def reflectivity(ground: Any, roughness: float) -> float:
            return float(trunk_ground(frequency, ground, trunk, roughness, given["theta"], polarization))

        water = reflectivity(water_permittivity(frequency, given["T"]), 0.0)

        def ratio(found: re.Match[str]) -> float:
            return decibel(water / reflectivity(soil, 0.01 * float(found[1])))

        smooth = {"R2_water": water, "R2_soil_s0": reflectivity(soil, 0.0)}

        def answer(name: re.Match[str]) -> float:
            return smooth[name[0]] if name[0] in smooth else ratio(name)

        return Named(rf"{'|'.join(smooth)}|ratio_dB_s([\d.]+)cm", answer)

    return Named(r"([\d.]+)_(HH|VV)", channel)


def water_cloud(given: Inputs) -> dict[str, Any]:
    ground = 10.0 ** (given["sigma_soil_dB"] / 10.0)
    crown = (given["A"], given["V1"], given["B"], given["V2"])
    return {
        "total_dB": decibel(water_cloud_attema_ulaby(*crown, ground, given["theta"])),
        "T2": float(transmissivity(given["B"] * given["V2"], given["theta"])),
    }


KINDS: dict[str, Kind] = {
    "fresnel_bragg": fresnel_bragg,
    "small_perturbation": perturbed,
    "bare_soil": bare_soil,
    "trunk_ground": corner,
    "water_cloud": water_cloud,
}
