"""Kinds of known answers: calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from harmonization.calibration import (
    LookUpTable,
    NoiseBlock,
    decibel,
    look_up,
    mean_power_db,
    noise_equivalent,
    power_from_amplitude,
    power_from_complex,
    power_from_look_up,
    subtract_noise,
)
from physics_kinds import Inputs, Kind


def s1_calibrate(told: Inputs) -> dict[str, Any]:
    table = LookUpTable(*(np.array(told[name], dtype=float) for name in ("lut_lines", "lut_pixels", "lut")))
    factor = look_up(table, told["line"], told["pixel"])
    power = power_from_look_up(told["dn"], factor)
    return {"A": factor, "sigma0": power, "sigma0_dB": decibel(power)}


def s1_noise(told: Inputs) -> dict[str, Any]:
    """The noise of one sample, by tables of one value."""
    one = np.zeros(1)
    ranged, factor = (LookUpTable(one, one, np.full((1, 1), float(told[name]))) for name in ("noise_range", "A"))
    azimuth = NoiseBlock(0, 0, 0, 0, one, np.full(1, float(told["noise_azimuth"])))
    floor = noise_equivalent(ranged, [azimuth], factor, 0.0, 0.0)
    signal = subtract_noise(power_from_look_up(told["dn"], told["A"]), floor)
    return {"nesz": floor, "nesz_dB": decibel(floor), "sigma0": signal, "sigma0_dB": decibel(signal)}


def db_mean(told: Inputs) -> dict[str, Any]:
    """The right mean, and the wrong one beside it."""
    return {"mean_linear_dB": mean_power_db(told["values_dB"]), "mean_of_dB": float(np.mean(told["values_dB"]))}


def alos2_calibrate(told: Inputs) -> dict[str, Any]:
    power = power_from_amplitude(told["dn"], told["CF"])
    return {"sigma0": power, "sigma0_dB": decibel(power)}


def alos2_slc_calibrate(told: Inputs) -> dict[str, Any]:
    power = power_from_complex(told["I"], told["Q"], told["CF"], told["A"])
    return {"sigma0": power, "sigma0_dB": decibel(power)}


def alos2_average(told: Inputs) -> dict[str, Any]:
    return {"correct_dB": decibel(power_from_amplitude(told["dn"], told["CF"]).mean())}


KINDS: dict[str, Kind] = {
    "s1_calibrate": s1_calibrate,
    "s1_noise": s1_noise,
    "db_mean": db_mean,
    "alos2_calibrate": alos2_calibrate,
    "alos2_slc_calibrate": alos2_slc_calibrate,
    "alos2_average": alos2_average,
}
"""All kinds by name."""
