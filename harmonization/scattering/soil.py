"""Bare soil, empirical: Oh 1992 (the one that is used), Oh 2004 and Dubois 1995 beside it.

Oh, Sarabandi and Ulaby 1992 (TGRS 30(2) 370); Oh 2004 (TGRS 42(3) 596); Dubois, van Zyl and Engman 1995 (TGRS 33(4)
915). Between them the spread is 2 dB at C, 3 dB at L: that is the uncertainty a class of bare soil carries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harmonization.dielectric.arrays import Complex, Real, positive, within
from harmonization.scattering.fresnel import SPEED_OF_LIGHT, fresnel_reflectivity, wavenumber

Sigma0 = dict[str, NDArray[np.float64]]
"""sigma0, linear power, by polarization."""


@np.errstate(invalid="ignore")  # numpy warns of NaN in complex division
def oh_1992(frequency: Real, permittivity: Complex, roughness: Real, angle: Real) -> Sigma0:
    """sigma0 of bare soil, linear power, by polarization ("HH", "VV", "HV").

    Oh, Sarabandi and Ulaby 1992, equations 1 to 6. `frequency` in GHz, `permittivity` relative, `roughness` the
    standard deviation of height in metres, `angle` of incidence in degrees; scalars or arrays that broadcast
    together; NaN in, NaN out. `oh_1992_valid` tells where it was fitted.
    """
    theta = np.radians(angle)
    ks = wavenumber(frequency) * np.asarray(roughness, np.float64)
    index = np.sqrt(permittivity)
    nadir = np.square(np.abs((1.0 - index) / (1.0 + index)))
    horizontal, vertical = fresnel_reflectivity(permittivity, angle)
    root_copolar_ratio = 1.0 - (2.0 * theta / np.pi) ** (1.0 / (3.0 * nadir)) * np.exp(-ks)
    strength = 0.7 * (1.0 - np.exp(-0.65 * ks**1.8))
    vv = strength * np.cos(theta) ** 3 * (vertical + horizontal) / root_copolar_ratio
    cross_ratio = 0.23 * np.sqrt(nadir) * (1.0 - np.exp(-ks))
    return {"HH": root_copolar_ratio**2 * vv, "VV": vv, "HV": cross_ratio * vv}


def oh_1992_valid(
    frequency: Real,
    roughness: Real,
    angle: Real,
    moisture: Real,
    correlation_length: Real | None = None,
) -> NDArray[np.bool_]:
    """True where Oh 1992 was fitted: 0.1 < ks < 6, moisture 0.09 to 0.31, 10 to 70 degrees, 2.5 < kl < 20.

    Inputs as `oh_1992`, with volumetric `moisture` for the permittivity; `correlation_length` (l) in metres is
    checked where it is known: the model does not take it. Broadcast; NaN is outside.
    """
    wave = wavenumber(frequency)
    fitted = within(wave * np.asarray(roughness), 0.1, 6.0) & within(moisture, 0.09, 0.31) & within(angle, 10.0, 70.0)
    if correlation_length is not None:
        fitted = fitted & within(wave * np.asarray(correlation_length), 2.5, 20.0)
    return np.asarray(fitted)


def oh_2004(frequency: Real, moisture: Real, roughness: Real, angle: Real) -> Sigma0:
    """sigma0 of bare soil straight from moisture, linear power, by polarization ("HH", "VV", "HV").

    Oh 2004, equations 1 to 4. `frequency` in GHz, `moisture` volumetric (m3/m3), `roughness` the standard deviation
    of height in metres, `angle` of incidence in degrees; scalars or arrays that broadcast together; NaN in, NaN out,
    and NaN where moisture or roughness is 0. `oh_2004_valid` tells where it was fitted.
    """
    theta = np.radians(angle)
    moisture = positive(moisture)
    ks = wavenumber(frequency) * positive(roughness)
    hv = 0.11 * moisture**0.7 * np.cos(theta) ** 2.2 * (1.0 - np.exp(-0.32 * ks**1.8))
    copolar_ratio = 1.0 - (2.0 * theta / np.pi) ** (0.35 * moisture**-0.65) * np.exp(-0.4 * ks**1.4)
    cross_ratio = 0.095 * (0.13 + np.sin(1.5 * theta)) ** 1.4 * (1.0 - np.exp(-1.3 * ks**0.9))
    vv = hv / cross_ratio
    return {"HH": copolar_ratio * vv, "VV": vv, "HV": hv}


def oh_2004_valid(frequency: Real, moisture: Real, roughness: Real, angle: Real) -> NDArray[np.bool_]:
    """True where Oh 2004 was fitted: 0.13 < ks < 6.98, moisture 0.04 to 0.291, 10 to 70 degrees [M].

    Inputs as `oh_2004`; broadcast; NaN is outside.
    """
    rough = within(wavenumber(frequency) * np.asarray(roughness), 0.13, 6.98)
    return np.asarray(rough & within(moisture, 0.04, 0.291) & within(angle, 10.0, 70.0))


def dubois_1995(frequency: Real, permittivity: Complex, roughness: Real, angle: Real) -> Sigma0:
    """sigma0 of bare soil, linear power, "HH" and "VV" (the model has no cross-polarization).

    Dubois, van Zyl and Engman 1995, equations 1 and 2. `frequency` in GHz, `permittivity` relative (its real part
    counts), `roughness` the standard deviation of height in metres, `angle` of incidence in degrees above 0; scalars
    or arrays that broadcast together; NaN in, NaN out. `dubois_1995_valid` tells where it was fitted.
    """
    theta = np.radians(positive(angle))
    sine, cosine, tangent = np.sin(theta), np.cos(theta), np.tan(theta)
    wavelength = 1e-7 * SPEED_OF_LIGHT / np.asarray(frequency, np.float64)  # centimetres
    rough = wavenumber(frequency) * np.asarray(roughness, np.float64) * sine
    wet = np.real(permittivity) * tangent
    hh = 10.0 ** (-2.75 + 0.028 * wet) * cosine**1.5 / sine**5 * rough**1.4 * wavelength**0.7
    vv = 10.0 ** (-2.35 + 0.046 * wet) * cosine**3 / sine**3 * rough**1.1 * wavelength**0.7
    return {"HH": hh, "VV": vv}


def dubois_1995_valid(frequency: Real, roughness: Real, angle: Real, moisture: Real) -> NDArray[np.bool_]:
    """True where Dubois 1995 was fitted: 1.5 to 11 GHz, ks < 2.5, 30 degrees and more, moisture up to 0.35.

    Inputs as `dubois_1995`, with volumetric `moisture` for the permittivity; broadcast; NaN is outside. PALSAR-2's
    1.26 GHz is below the scatterometers of the fit: the authors tried it there, and it is flagged here.
    """
    rough = within(wavenumber(frequency) * np.asarray(roughness), 0.0, 2.5)
    return np.asarray(rough & within(frequency, 1.5, 11.0) & within(angle, 30.0, 70.0) & within(moisture, 0.0, 0.35))
