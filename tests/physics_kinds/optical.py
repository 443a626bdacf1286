"""Kinds of known answers: optics."""

from __future__ import annotations

from typing import Any

import numpy as np

from harmonization.optical.indices import awei_nsh, awei_sh, mbwi, mndwi, ndwi
from harmonization.optical.reflectance import HLS_BANDPASS, bandpass_adjusted, reflectance_from_dn
from physics_kinds import Inputs, Kind

LANDSAT = (2.75e-5, -0.2)
SENTINEL_2 = (1e-4, -0.1)
SHORT = {"B": "blue", "G": "green", "R": "red", "N": "nir", "S1": "swir1", "S2": "swir2"}
STEP = 1e-6


def scaled(dn: list[float], scale: float, offset: float, fill: float | None) -> list[float | None]:
    values = reflectance_from_dn(np.array(dn), scale, offset)
    return [None if number == fill else float(value) for number, value in zip(dn, values, strict=True)]


def sentinel2_scale(given: Inputs) -> dict[str, Any]:
    return {"rho": scaled(given["dn"], 1.0 / given["quant"], given["offset"] / given["quant"], 0)}


def landsat_scale(given: Inputs) -> dict[str, Any]:
    return {"rho": scaled(given["dn"], *LANDSAT, 0)}


def index(green: float, nir: float) -> float:
    return float(ndwi(np.array(green), np.array(nir)))


def ndwi_offset_trap(given: Inputs) -> dict[str, Any]:
    def of(offset: float) -> float:
        green, nir = (reflectance_from_dn(np.array(given[name]), SENTINEL_2[0], offset) for name in ("dn_G", "dn_N"))
        return float(ndwi(green, nir))

    return {"correct": of(SENTINEL_2[1]), "wrong": of(0.0)}


def ndwi_gain(given: Inputs) -> dict[str, Any]:
    return {"ndwi": [index(gain * given["G"], gain * given["N"]) for gain in given["gains"]]}


def ndwi_additive(given: Inputs) -> dict[str, Any]:
    """`equal_haze_p` is the haze of green, given to both bands."""
    green, nir, haze = given["G"], given["N"], given["pG"]
    return {
        "ndwi_clear": index(green, nir),
        "ndwi_haze": index(green + given["pG"], nir + given["pN"]),
        "equal_haze_p": haze,
        "ndwi_equal_haze": index(green + haze, nir + haze),
        "dNDWI_dp_G": (index(green + STEP, nir) - index(green - STEP, nir)) / (2 * STEP),
        "dNDWI_dp_N": (index(green, nir + STEP) - index(green, nir - STEP)) / (2 * STEP),
    }


def ndwi_unequal_gain(given: Inputs) -> dict[str, Any]:
    return {"ndwi": index(given["G"] * given["gG"], given["N"] * given["gN"])}


def water_indices(given: Inputs) -> dict[str, Any]:
    bands = {SHORT[name]: np.array(rho) for name, rho in given.items()}
    return {
        "NDWI": float(ndwi(bands["green"], bands["nir"])),
        "MNDWI": float(mndwi(bands["green"], bands["swir1"])),
        "AWEInsh": float(awei_nsh(bands)),
        "AWEIsh": float(awei_sh(bands)),
        "MBWI": float(mbwi(bands)),
    }


def turbid_water(given: Inputs) -> dict[str, Any]:
    green, nir, swir, haze = (given[name] for name in ("G", "N", "S1", "haze_p"))
    return {
        "NDWI": index(green, nir),
        "MNDWI": float(mndwi(np.array(green), np.array(swir))),
        "NDWI_haze": index(green + haze, nir + haze),
    }


def hls_bandpass(given: Inputs) -> dict[str, Any]:
    """Inputs are named rho_<satellite>_<band>; outputs rho_OLI_<first letter of our band>."""
    coefficients = {f"S{name[-2:].upper()}": dict(bands) for name, bands in HLS_BANDPASS.items()}
    found: dict[str, Any] = {"coef": coefficients}
    for name, rho in given.items():
        _, satellite, band = name.split("_")
        ours = {"B02": "blue", "B03": "green", "B04": "red", "B8A": "nir", "B11": "swir1", "B12": "swir2"}[band]
        letter = next(short for short, long in SHORT.items() if long == ours)
        slope, offset = coefficients[satellite][band]
        found[f"rho_OLI_{letter}"] = slope * rho + offset
        if ours != "nir":  # what the flow does; its near infrared is the broad band, which has no adjustment
            flow = bandpass_adjusted({ours: np.array(rho)}, f"sentinel-2{satellite[-1].lower()}")[ours]
            assert abs(flow - found[f"rho_OLI_{letter}"]) < 1e-8
    return found


KINDS: dict[str, Kind] = {
    "sentinel2_scale": sentinel2_scale,
    "landsat_scale": landsat_scale,
    "ndwi_offset_trap": ndwi_offset_trap,
    "ndwi_gain": ndwi_gain,
    "ndwi_additive": ndwi_additive,
    "ndwi_unequal_gain": ndwi_unequal_gain,
    "water_indices": water_indices,
    "turbid_water": turbid_water,
    "hls_bandpass": hls_bandpass,
}
