"""Kinds of known answers: speckle."""

from __future__ import annotations

from typing import Any

from harmonization.speckle import g0_log_density, log_speckle_bias, log_speckle_std
from harmonization.speckle_filters import gamma_map_estimate, lee_estimate
from physics_kinds import Inputs, Kind


def log_speckle(inputs: Inputs) -> dict[str, Any]:
    looks = float(inputs["L"])
    return {"bias_dB": log_speckle_bias(looks), "std_dB": log_speckle_std(looks)}


def g0_pdf(inputs: Inputs) -> dict[str, Any]:
    found = g0_log_density(inputs["I"], inputs["mean"], inputs["L"], inputs["alpha_minus"])
    return {"logpdf": found.tolist()}


def lee_pixel(inputs: Inputs) -> dict[str, Any]:
    value, weight = lee_estimate(inputs["I"], inputs["mean"], inputs["var"], inputs["L"])
    return {"w": weight.tolist(), "out": value.tolist()}


def gamma_map_pixel(inputs: Inputs) -> dict[str, Any]:
    return {"out": gamma_map_estimate(inputs["I"], inputs["mean"], inputs["var"], inputs["L"]).tolist()}


KINDS: dict[str, Kind] = {
    "log_speckle": log_speckle,
    "g0_pdf": g0_pdf,
    "lee_pixel": lee_pixel,
    "gamma_map_pixel": gamma_map_pixel,
}
