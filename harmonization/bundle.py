"""The records every sensor is brought to: nothing downstream depends on which product a value came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harmonization.classes import Backscatter

Float = NDArray[np.float32]
Flags = NDArray[np.uint16]
Cover = NDArray[np.uint8]
"""(y, x) codes of `harmonization.land_cover.LandCover`."""
Band = Literal["C", "L"]
Quantity = Literal["gamma0", "sigma0"]


@dataclass(frozen=True, eq=False)
class RadarBundle:
    """One radar acquisition on one grid, in linear power."""

    band: Band
    """Wavelength: C (5.405 GHz) or L (1.2575 GHz)."""
    power: Mapping[str, Float]
    """By polarization ("VV", "VH", "HH", "HV"): (y, x) linear power; NaN is not observed, negatives are samples."""
    quantity: Quantity
    """What `power` is: gamma0 (terrain-corrected; of the ellipsoid where no elevation is known for Sentinel-1 GRD) or
    sigma0 of the ellipsoid."""
    angle: Float | None
    """(y, x) local incidence angle in degrees (on the ellipsoid where the ground is not known), NaN where unknown;
    None where the product has none."""
    angle_range: tuple[float, float]
    """Near and far angle of the mode in degrees: what is marginalized where `angle` is unknown."""
    noise: Mapping[str, Float | float]
    """By polarization: noise-equivalent backscatter, linear, same quantity as `power`: (y, x), or one value for all."""
    denoised: bool
    """True where the noise was already subtracted from `power`."""
    looks: float
    """Equivalent number of looks of `power` on this grid."""
    reasons: Flags
    """(y, x) bits of `Reason`."""
    time: datetime
    """Of the acquisition, UTC."""
    cell: int = 1
    """Side of the resolution cell in pixels of this grid: within it a sample speaks for its neighbours too."""
    priors: Mapping[str, Mapping[str, Backscatter]] = field(default_factory=dict)
    """By polarization and class: the prior of this scene, where its own pixels have moved that of the class table."""


@dataclass(frozen=True, eq=False)
class OpticalBundle:
    """One optical acquisition on one grid, in reflectance."""

    reflectance: Mapping[str, Float]
    """By band ("blue", "green", "red", "nir", "swir1", "swir2"): (y, x); NaN is not observed, negatives are kept."""
    haze: float
    """Standard deviation of the residual path reflectance: small after atmospheric correction, large at its top."""
    cloud_test: str
    """What masked the clouds: "scene-classification", "quality-bits" or "spectral"."""
    reasons: Flags
    """(y, x) bits of `Reason`."""
    time: datetime
    """Of the acquisition, UTC."""
    cell: int = 1
    """Side of the resolution cell in pixels of this grid."""


Bundle = RadarBundle | OpticalBundle


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one sensor says about the hidden state of each pixel."""

    sensor: str
    """For example "sentinel-1"."""
    llr: Float
    """(2, y, x) log-likelihood ratios in nats: open water : dry, flooded vegetation : dry; 0 where not observed. Raw:
    what the mixtures of the states say, calibrated if their shares are right."""
    observed: NDArray[np.bool_]
    """(y, x) True where the sensor saw the ground."""
    reasons: Flags
    """(y, x) bits of `Reason`."""
    time: datetime
    """Of the acquisition, UTC."""
    cell: int = 1
    """Side of the sensor's resolution cell in pixels."""
    stand: int = 0
    """Pixels to the next independent sample of the same stand of vegetation; 0 where neighbours are not asked."""
    ceiling: Float | None = None
    """(y, x) nats that evidence for open water may not exceed where it is used, infinite where it may: what water has
    over smooth dry ground alone, in channels that cannot part the two. None: no such pixel."""

    @property
    def held(self) -> Float:
        """`llr` under its ceiling: what a decision, a layer and a network may use."""
        if self.ceiling is None:
            return self.llr
        return np.stack([np.minimum(self.llr[0], self.ceiling), self.llr[1]])


def copolar(power: Mapping[str, object]) -> str:
    """The co-polarization of a bundle's power (VV before HH), or the only one there is."""
    return next((name for name in ("VV", "HH") if name in power), next(iter(power)))
