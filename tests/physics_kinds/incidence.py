"""Kinds of known answers: incidence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from harmonization.classes import REFERENCE_ANGLE
from harmonization.incidence import cosine_power, exponent_to_slope, slope_to_exponent
from harmonization.scattering.water import LINE_STD, water_line
from harmonization.slope import slope_regression
from physics_kinds import Answer, Inputs, Kind

PRINTED = 7
"""Significant digits of the reference."""


def cosine(given: Inputs) -> dict[str, Any]:
    return {"sigma0_ref_dB": cosine_power(given["sigma0_dB"], given["theta"], given["theta_ref"], given["n"])}


def to_slope(given: Inputs) -> dict[str, Any]:
    return {"slope_dB_per_deg": exponent_to_slope(given["n"], given["theta"])}


def to_exponent(given: Inputs) -> dict[str, Any]:
    return {"n": slope_to_exponent(given["slope_dB_per_deg"], given["theta"])}


def regression(given: Inputs) -> dict[str, Any]:
    """Levels are printed with seven digits; what their rounding does is the error of the reference."""
    angles, levels = given["theta"], given["sigma0_dB"]
    found = fitted(angles, levels)
    moved = [
        fitted(angles, [y + rounding(y) * (place == k) for k, y in enumerate(levels)]) for place in range(len(levels))
    ]
    return {name: Answer(value, sum(abs(other[name] - value) for other in moved)) for name, value in found.items()}


def fitted(angles: list[float], levels: list[float]) -> dict[str, float]:
    fit = slope_regression(angles, levels)
    level = f"intercept_at_{REFERENCE_ANGLE:g}".replace(".", "p")
    return {"slope": fit.slope, level: fit.level, "slope_se": fit.error, "n": fit.exponent}


def rounding(value: float) -> float:
    """Half a unit of the seventh digit of a number that is printed with seven; 0 of a shorter one, which is exact."""
    digits = Decimal(repr(value)).as_tuple()
    return 0.5 * 10.0 ** int(digits.exponent) if len(digits.digits) >= PRINTED else 0.0


def line(given: Inputs) -> dict[str, Any]:
    return {"mean_dB": water_line(given["theta"]).tolist(), "std_dB": LINE_STD}


KINDS: dict[str, Kind] = {
    "cosine_power": cosine,
    "exponent_to_slope": to_slope,
    "slope_to_exponent": to_exponent,
    "slope_regression": regression,
    "water_line": line,
}
