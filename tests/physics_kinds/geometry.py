"""Kinds of known answers: geometry."""

from __future__ import annotations

from typing import Any

import numpy as np

from harmonization.calibration import decibel, power_from_decibel
from harmonization.flattening import active_layover, active_shadow, gamma0_terrain
from harmonization.geometry import (
    gamma0_from_sigma0,
    local_incidence,
    look_azimuth,
    projection_cosine,
    range_rise,
    sigma0_from_beta0,
)
from physics_kinds import Inputs, Kind


def _facet(theta: float, east: float, north: float, azimuth: float) -> dict[str, Any]:
    place = theta, east, north, azimuth
    return {
        "theta_local": float(local_incidence(*place)),
        "cos_psi": float(projection_cosine(*place)),
        "gammaT_over_beta": float(gamma0_terrain(1.0, *place)),
        "layover": bool(active_layover(*place)),
        "shadow": bool(active_shadow(*place)),
    }


def beta_sigma_gamma(case: Inputs) -> dict[str, Any]:
    sigma0 = sigma0_from_beta0(power_from_decibel(case["beta0_dB"]), case["theta"])
    gamma0 = gamma0_from_sigma0(sigma0, case["theta"])
    return {"sigma0_dB": float(decibel(sigma0)), "gamma0_dB": float(decibel(gamma0))}


def flatten_plane(case: Inputs) -> dict[str, Any]:
    """A track to the north that looks east: there the range slope is that to the east."""
    theta = case["theta_ellipsoid"]
    slopes = [float(np.tan(np.deg2rad(case[f"slope_{name}_deg"]))) for name in ("range_toward_radar", "azimuth")]
    found = _facet(theta, slopes[0], slopes[1], look_azimuth(0.0, "right"))
    level = gamma0_from_sigma0(sigma0_from_beta0(1.0, theta), theta)
    return found | {"gammaT_over_gammaE_dB": float(decibel(found["gammaT_over_beta"] / level))}


def flatten_heading(case: Inputs) -> dict[str, Any]:
    azimuth = look_azimuth(case["heading"], "right" if case["right_looking"] else "left")
    east, north = case["dzdx_east"], case["dzdy_north"]
    slope = float(np.rad2deg(np.arctan(range_rise(east, north, azimuth))))
    return _facet(case["theta"], east, north, azimuth) | {"range_slope": slope}


def sigma_to_gamma(case: Inputs) -> dict[str, Any]:
    return {"gamma0_dB": float(decibel(gamma0_from_sigma0(power_from_decibel(case["sigma0_dB"]), case["theta_local"])))}


KINDS: dict[str, Kind] = {
    "beta_sigma_gamma": beta_sigma_gamma,
    "flatten_plane": flatten_plane,
    "flatten_heading": flatten_heading,
    "sigma_to_gamma": sigma_to_gamma,
}
