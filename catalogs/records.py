"""What a catalog item becomes: frozen records that say where a number lies and how it is encoded."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

Encoding = Literal["power", "decibel", "amplitude", "linear", "calibrated"]
Quantity = Literal["gamma0", "sigma0", "surface_reflectance", "toa_reflectance"]
Sensor = Literal["sentinel-1", "alos-2", "sentinel-2", "landsat"]
MaskScheme = Literal["palsar-mosaic", "palsar-scansar", "opera-rtc", "sentinel-2-scl", "landsat-qa"]
SENSORS: tuple[Sensor, ...] = ("sentinel-1", "alos-2", "sentinel-2", "landsat")


Theme = Literal["elevation", "surface-water", "land-cover", "height-above-drainage"]
LandCover = Literal["bare", "grass_crops", "forest", "urban", "open_water", "wetland", "snow_ice"]
"""Land covers that a legend may name. The first four are the dry classes of the priors."""


class Record(BaseModel):
    """Frozen and closed: an unknown field is an error, a field never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def first_problem(error: ValidationError) -> str:
    """The first thing that does not fit a record: field and reason."""
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc'])) or 'the whole'}: {problem['msg']}"


class Access(Record):
    """What it takes to open the files of a catalog. It names environment variables and holds no secret itself."""

    token_url: str | None = None
    """Service of short-lived signatures for Azure blobs: GET {token_url}/{account}/{container}."""
    token_hosts: tuple[str, ...] = ()
    """Ends of host names whose addresses such a signature opens."""
    bearer: str | None = None
    """Environment variable with a token that is sent to `bearer_hosts`, and to no other host."""
    bearer_hosts: tuple[str, ...] = ()
    s3_endpoint: str | None = None
    """Host of an S3 service other than AWS."""
    s3_key: str = "AWS_ACCESS_KEY_ID"
    s3_secret: str = "AWS_SECRET_ACCESS_KEY"
    """Environment variables with the credentials for s3:// addresses."""
    s3_unsigned: bool = False
    """True where a bucket is open to all."""
    requester_pays: bool = False
    """True where the reader pays for the transfer, and must say so."""
    connections: int = 8
    """Files of one host that a process reads at the same time."""
    obtain: str = ""
    """Where a person gets the credentials; said when they are missing."""


OPEN = Access()
"""Files that need nothing: on this disk, or on an open web server."""


class Swath(Record):
    """Metadata files beside a raster in radar geometry (Sentinel-1 GRD), for one polarization."""

    annotation: str
    """Geometry: tie points with time, incidence angle and height."""
    calibration: str
    """Look-up tables of the calibration."""
    noise: str | None = None
    """Thermal noise; None where the product has none."""

    @property
    def files(self) -> tuple[str, ...]:
        """The addresses that are there."""
        return tuple(href for href in (self.annotation, self.calibration, self.noise) if href)


class Stated(Record):
    """What the item says of a file's own header. A reader goes by the header; the doctor compares the two."""

    crs: str | None = None
    """For example "EPSG:32631"."""
    shape: tuple[int, int] | None = None
    """Rows, columns."""
    transform: tuple[float, float, float, float, float, float] | None = None
    """Affine from (column, row) to coordinates."""
    data_type: str | None = None


class RasterLayer(Record):
    """One band of one file and how its numbers are to be read."""

    href: str
    """A local path, an http(s) or an s3 address; checked against the allowlist before it is opened."""
    item: str = ""
    """Id of the item that names it: which slice of an acquisition it is of. Empty where no acquisition reads it."""
    band: int = 1
    """Band of the file, from 1."""
    encoding: Encoding = "linear"
    """power: linear power as it is · decibel: 10·log10 of power ·
    amplitude: power is 10^(calibration_db/10)·DN² · linear: value is scale·DN + offset ·
    calibrated: power is DN²/A², A from the look-up table of `swath`."""
    calibration_db: float = 0.0
    """Calibration factor of an amplitude, in dB (ALOS-2: -83)."""
    scale: float = 1.0
    offset: float = 0.0
    nodata: tuple[float, ...] = ()
    """File values that mean "not observed"; NaN always does."""
    access: Access = OPEN
    """What it takes to open the file."""
    swath: Swath | None = None
    """Set where the raster is in radar geometry: it has tie points (GCPs) and no map projection."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Pixels (columns, rows; at most one half) to be added to the place that the file's header gives, where it is known
    to be wrong."""
    stated: Stated = Stated()
    """Not used to read; see `catalogs.doctor`."""


class Acquisition(Record):
    """One pass of one satellite over the area: the layers the flow reads and what it must know of them."""

    id: str
    """Of the item, or of the first of several slices and how many more there are."""
    slices: tuple[str, ...]
    """Ids of the items it is made of: slices of one pass, tiles of one mosaic."""
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
    layers: dict[str, tuple[RasterLayer, ...]]
    """By meaning, the rasters of all slices; where they overlap the first that saw a pixel counts. Radar: VV, VH, HH,
    HV, angle (degrees), mask, date (days since 1970-01-01). Optics: blue, green, red, nir, swir1, swir2, cirrus and
    mask."""
    mask_scheme: MaskScheme | None = None
    """How the values of the `mask` layer are to be read."""
    angle_range: tuple[float, float] | None = None
    """Near and far incidence angle of the mode in degrees (radar)."""
    incidence: float | None = None
    """Incidence angle at the middle of the footprint in degrees, where the product states one (radar)."""
    off_nadir: float | None = None
    """Angle of the beam at the satellite in degrees, where the product states one (radar)."""
    noise_db: dict[str, float] = {}
    """Noise-equivalent backscatter by polarization, dB, of the quantity."""
    noise_source: Literal["product", "default"] = "default"
    denoised: bool = False
    """True where the noise was already subtracted."""
    orbit_direction: Literal["ascending", "descending"] | None = None
    relative_orbit: int | None = None
    """Of the satellite's repeat cycle; of Landsat its WRS path."""
    absolute_orbit: int | None = None
    part: str = ""
    """Which piece of a pass: tile, burst, frame, or path and row. Two of one name are one product found twice. Empty
    where only the footprint tells the pieces apart."""
    look_side: Literal["right", "left"] | None = None
    sun_zenith: float | None = None
    sun_azimuth: float | None = None
    """Degrees of the sun from straight above, and clockwise from north, at the middle of the scene (optics)."""
    view_zenith: float | None = None
    view_azimuth: float | None = None
    """Degrees of the satellite, seen from the ground."""
    look_azimuth: float | None = None
    """Degrees clockwise from north in which the radar looks in the middle of the scene. Where it is known, sigma0 is
    taken for orthorectified with its angle on the ellipsoid, and flattened. Sentinel-1 GRD tells it by tie points."""
    reference_only: bool = False
    """True for products that span months (annual mosaics): before and reference, never "during"."""
    usable_until: datetime | None = None
    """Pixels of a later day are not read (needs the layer `date`); None: all are. Set by the plan of a job."""
    footprint: dict[str, Any]
    """GeoJSON geometry, longitude and latitude."""
    bytes: int | None = None
    """Size of all layers where the catalog or the disk says so."""
    version: str = ""
    """What changes when the pixels change: the item's `updated`, a checksum, or the file's size and time."""
    baseline: str = ""
    """Version of the processor, for example "05.11"; of two products of one piece the higher is read."""
    updated: datetime | None = None
    """When the catalog last changed the item, as far as it says so."""

    @property
    def polarizations(self) -> tuple[str, ...]:
        """VV, VH, HH, HV, as far as there; none of optics."""
        return tuple(name for name in ("VV", "VH", "HH", "HV") if name in self.layers)

    @property
    def rasters(self) -> tuple[RasterLayer, ...]:
        """All rasters of all layers."""
        return tuple(raster for rasters in self.layers.values() for raster in rasters)

    @property
    def angle_source(self) -> Literal["layer", "annotation", "pass", "mode"] | None:
        """Where the incidence angle comes from: a layer, the product's tie points, the orbit of the pass (where it
        fits the footprint), or only the range of the mode."""
        if self.kind != "radar":
            return None
        if "angle" in self.layers:
            return "layer"
        if any(raster.swath for raster in self.rasters):
            return "annotation"
        return "pass" if self.orbit_direction and self.look_side and not self.reference_only else "mode"

    @property
    def time(self) -> datetime:
        """The middle of the acquisition."""
        return self.start + (self.end - self.start) / 2


class Ancillary(Record):
    """One tile of what is known of the ground beforehand: no observation of a flood, and no sensor of the job."""

    id: str
    collection: str
    theme: Theme
    raster: RasterLayer
    legend: dict[int, LandCover] = {}
    """Land cover only: file value → land cover of this project."""
    at_least: float | None = None
    """Surface water only: the value from which a pixel is permanent or seasonal water."""
    footprint: dict[str, Any]
    """GeoJSON geometry, longitude and latitude."""
    version: str = ""
