"""What a catalog item becomes: frozen records that say where a number lies and how it is encoded."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Encoding = Literal["power", "decibel", "amplitude", "linear"]
Quantity = Literal["gamma0", "sigma0", "surface_reflectance", "toa_reflectance"]
Sensor = Literal["sentinel-1", "alos-2", "sentinel-2", "landsat"]
SENSORS: tuple[Sensor, ...] = ("sentinel-1", "alos-2", "sentinel-2", "landsat")


class Record(BaseModel):
    """Frozen and closed: an unknown field is an error, a field never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RasterLayer(Record):
    """One band of one file and how its numbers are to be read."""

    href: str
    """A local path or an http(s) address; checked against the allowlist before it is opened."""
    band: int = 1
    """Band of the file, from 1."""
    encoding: Encoding = "linear"
    """power: linear power as it is · decibel: 10·log10 of power ·
    amplitude: power is 10^(calibration_db/10)·DN² · linear: value is scale·DN + offset."""
    calibration_db: float = 0.0
    """Calibration factor of an amplitude, in dB (ALOS-2: -83)."""
    scale: float = 1.0
    offset: float = 0.0
    nodata: tuple[float, ...] = ()
    """File values that mean "not observed"; NaN always does."""


class Acquisition(Record):
    """One pass of one satellite over the area: the layers the flow reads and what it must know of them."""

    id: str
    collection: str
    sensor: Sensor
    kind: Literal["radar", "optical"]
    platform: str
    """The satellite itself, for example "sentinel-1a"."""
    start: datetime
    end: datetime
    """First and last instant, UTC; the same for a snapshot, a year apart for an annual mosaic."""
    quantity: Quantity
    band: Literal["C", "L"] | None = None
    """Radar wavelength; None for optics."""
    layers: dict[str, RasterLayer]
    """By meaning. Radar: VV, VH, HH, HV, angle (degrees), mask, date (days since 1970-01-01). Optics: blue,
    green, red, nir, swir1, swir2, cirrus, mask."""
    mask_scheme: Literal["palsar-mosaic", "palsar-scansar", "sentinel-2-scl"] | None = None
    """How the values of the `mask` layer are to be read."""
    angle_range: tuple[float, float] | None = None
    """Near and far incidence angle of the mode in degrees (radar)."""
    noise_db: dict[str, float] = {}
    """Noise-equivalent backscatter by polarization, dB, of the quantity."""
    noise_source: Literal["product", "default"] = "default"
    denoised: bool = False
    """True where the noise was already subtracted."""
    orbit_direction: Literal["ascending", "descending"] | None = None
    relative_orbit: int | None = None
    look_side: Literal["right", "left"] | None = None
    reference_only: bool = False
    """True for products that span months (annual mosaics): before and reference, never "during"."""
    footprint: dict[str, Any]
    """GeoJSON geometry, longitude and latitude."""
    bytes: int | None = None
    """Size of all layers where the catalog or the disk says so."""
    version: str = ""
    """What changes when the pixels change: the item's `updated`, a checksum, or the file's size and time."""

    @property
    def time(self) -> datetime:
        """The middle of the acquisition."""
        return self.start + (self.end - self.start) / 2
