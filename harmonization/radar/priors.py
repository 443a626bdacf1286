"""What a channel of a radar look expects of a class, and how far it counts."""

from __future__ import annotations

from harmonization.bundle import RadarBundle
from harmonization.classes import BACKSCATTER, Backscatter

CROSS_POLAR_WEIGHT = 0.5
"""Co- and cross-polar power share wind and moisture: counting both in full would count these twice."""


def class_prior(bundle: RadarBundle, polarization: str, name: str) -> Backscatter:
    """Class prior of a channel: of the scene where it has one; modes of the other kind borrow the band's closest."""
    channel = {"C-HH": "C-VV", "C-HV": "C-VH", "L-VV": "L-HH", "L-VH": "L-HV"}
    key = f"{bundle.band}-{polarization}"
    if name in bundle.priors.get(polarization, {}):
        return bundle.priors[polarization][name]
    return BACKSCATTER[name][channel.get(key, key)]


def polarization_weight(polarization: str) -> float:
    """How far a polarization counts."""
    return 1.0 if polarization in ("VV", "HH") else CROSS_POLAR_WEIGHT
