"""Kinds of known answers: evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logit, logsumexp

from harmonization import speckle_law
from harmonization.calibration import power_from_decibel
from harmonization.evidence import binary_witness, combine, doubt, state_probabilities
from harmonization.radar.likelihood import log_density
from models.parts.residual import bounded_residual
from physics_kinds import Answer, Inputs, Kind

HERMITE = 41
"""Order of the Gauss-Hermite rule that the reference took for three states."""


def gamma_pdf(given: Inputs) -> dict[str, Any]:
    return {"logpdf": float(speckle_law.log_density(given["I"], given["mean"], given["L"]))}


def llr_gamma(given: Inputs) -> dict[str, Any]:
    power, wet, dry = (float(power_from_decibel(given[name])) for name in ("I_dB", "mu_w_dB", "mu_d_dB"))
    return {"llr": float(speckle_law.log_ratio(power, wet, dry, given["L"]))}


def llr_denoised(given: Inputs) -> dict[str, Any]:
    noise = float(power_from_decibel(given["nesz_dB"]))
    raw = given["sigma0_denoised"] + noise
    wet, dry = (float(power_from_decibel(given[name])) + noise for name in ("mu_w_dB", "mu_d_dB"))
    return {"I_raw": raw, "llr": float(speckle_law.log_ratio(raw, wet, dry, given["L"]))}


def llr_mixture(given: Inputs) -> dict[str, Any]:
    power, noise = (float(power_from_decibel(given[name])) for name in ("I_raw_dB", "nesz"))
    wet, dry = (log_density(power, given[f"mu_{c}"], given[f"s_{c}"], given["L"], noise) for c in "wd")
    return {"llr": wet - dry}


def witness(given: Inputs) -> dict[str, Any]:
    yes, no = binary_witness(given["Se"], given["Sp"])
    return {"llr_pos": yes, "llr_neg": no}


def witness_combine(given: Inputs) -> dict[str, Any]:
    # Two states: the third has no prior.
    prior = np.array([logit(given["prior"]), -np.inf])
    parts = [np.array([llr, 0.0]) for llr in given["llrs"]]
    return {"posterior": float(state_probabilities(combine(prior, parts))[1])}


def symmetric_channel(given: Inputs) -> dict[str, Any]:
    return {"llr_out": float(doubt(given["llr"], given["eps"]))}


def residual(given: Inputs) -> dict[str, Any]:
    """With the error that the seven digits of a printed bound (ln 9 is irrational) leave in the reference."""
    unit = 0.0 if given["B"] == round(given["B"], 3) else 0.5 * 10.0 ** (np.floor(np.log10(given["B"])) - 6)
    low, exact, high = (_corrected(given, given["B"] + shift) for shift in (-unit, 0.0, unit))
    return {"p": [Answer(p, max(abs(a - p), abs(b - p))) for a, p, b in zip(low, exact, high, strict=True)]}


def _corrected(given: Inputs, bound: float) -> list[float]:
    correction = torch.tensor(given["f"], dtype=torch.float64)
    physics = torch.full_like(correction, float(logit(given["p_phys"])))
    corrected: list[float] = expit(bounded_residual(physics, correction, bound).numpy()).tolist()
    return corrected


def three_states(given: Inputs) -> dict[str, Any]:
    """Each sensor alone and both, with the error of the reference's quadrature for these very inputs."""
    exact, reference = _three_states(given, _integral), _three_states(given, _by_hermite)
    return {
        name: {state: Answer(value[state], abs(value[state] - reference[name][state])) for state in value}
        if isinstance(value, dict)
        else Answer(value, abs(value - reference[name]))
        for name, value in exact.items()
    }


def _three_states(given: Inputs, density: Any) -> dict[str, Any]:
    bands = {"C": (given["C_VV_dB"], "C"), "L": (given["L_HH_dB"], "Lb")}
    prior = given["prior"]
    log_odds = np.log(np.array([prior["W"], prior["V"]]) / prior["F"])
    told: dict[str, Any] = {}
    parts: dict[str, NDArray[np.float64]] = {}
    for name, (level, key) in bands.items():
        classes = given["classes"][key]
        power = float(power_from_decibel(level))
        nats = {state: density(power, *classes[state], classes["L"]) for state in "WFV"}
        parts[name] = np.array([nats["W"] - nats["F"], nats["V"] - nats["F"]])
        told |= {f"loglik_{name}": nats, f"llr_{name}_V_vs_F": float(parts[name][1])}
    for name, chosen in (("C", "C"), ("L", "L"), ("CL", "CL")):
        dry, water, vegetation = state_probabilities(combine(log_odds, [parts[band] for band in chosen])).tolist()
        told[f"post_{name}"] = {"W": water, "F": dry, "V": vegetation}
    return told


def _integral(power: float, mean: float, std: float, looks: float) -> float:
    return log_density(power, mean, std, looks, 0.0)


def _by_hermite(power: float, mean: float, std: float, looks: float) -> float:
    """The same by Gauss-Hermite quadrature, as the reference has it."""
    nodes, weights = np.polynomial.hermite.hermgauss(HERMITE)
    level = 10.0 ** ((mean + np.sqrt(2.0) * std * nodes) / 10.0)
    speckle = looks * np.log(looks / level) + (looks - 1.0) * np.log(power) - looks * power / level - gammaln(looks)
    return float(logsumexp(np.log(weights / np.sqrt(np.pi)) + speckle))


KINDS: dict[str, Kind] = {
    "gamma_pdf": gamma_pdf,
    "llr_gamma": llr_gamma,
    "llr_mixture": llr_mixture,
    "llr_denoised": llr_denoised,
    "three_state_fusion": three_states,
    "binary_witness": witness,
    "witness_combine": witness_combine,
    "binary_symmetric_channel": symmetric_channel,
    "bounded_residual": residual,
}
"""All kinds by name."""
