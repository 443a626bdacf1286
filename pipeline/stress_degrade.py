"""What goes wrong on the night, in rising doses: each stress changes the bundles of a site before evidence is made.

Level 0 is the site as it is. What is drawn depends on the site's seed and not on the level, so that a higher level
takes more of the same: the cloud that is there grows, and stays where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from catalogs.records import Sensor
from harmonization.bundle import Bundle, Float, OpticalBundle, RadarBundle
from harmonization.reasons import Reason
from harmonization.scattering.water import open_water
from harmonization.simulate.fields import random_stream, smooth_field
from harmonization.simulate.optical import BANDS, ENDMEMBERS
from pipeline.classify import FLOODED_VEGETATION, OPEN_WATER, REFERENCE_WATER
from pipeline.stress_site import Site

Real = NDArray[np.float64]
Mask = NDArray[np.bool_]

TILE = 64
"""Pixels a side of the tiles in which a sensor is missing."""
CLOUD_SCALE = 0.06
"""Width of clouds as a share of the site, as the simulator's."""
RAIN_PULL = 3.0
"""Deviations of the cloud field by which it lies rather over the flood [M]."""
PATH = 0.008
"""Path reflectance at 560 nm that is there anyway, and that no shade dims: the simulator's mean."""
MOST_SPECKLE = 2.5
"""Times the mean of water above which a sample, of twelve looks and more, is no speckle: it holds land too."""
NAMES = dict(zip(("blue", "green", "red", "nir", "swir1", "swir2"), BANDS.values(), strict=True))
"""By band of a bundle: centre wavelength in nm and pixel in metres."""

Change = Callable[[Site, float], Site]


@dataclass(frozen=True)
class Stress:
    """One way in which a scene gets worse."""

    name: str
    unit: str
    """Of the levels."""
    levels: tuple[float, ...]
    """Rising from 0, which changes nothing."""
    change: Change


def missing(site: Site, rate: float) -> Site:
    """Each sensor absent from each tile with probability `rate`, one by one."""
    rows, columns = (-(-side // TILE) for side in site.shape)
    hidden = {}
    for sensor, bundle in site.during.items():
        drawn = random_stream(site.seed, f"missing {sensor}").random((rows, columns)) < rate
        where = np.kron(drawn, np.ones((TILE, TILE), np.bool_))[: site.shape[0], : site.shape[1]]
        hidden[sensor] = _hidden(bundle, where, Reason.NO_SCENE)
    return site.changed(hidden)


def cloud(site: Site, share: float) -> Site:
    """Opaque cloud over a share of the optical look; the mask is right."""
    return _clouded(site, share, 0.0)


def cloud_with_rain(site: Site, share: float) -> Site:
    """The same cloud over the flood first: what optics cannot see is not missing at random."""
    return _clouded(site, share, RAIN_PULL)


def _clouded(site: Site, share: float, pull: float) -> Site:
    field = smooth_field(random_stream(site.seed, "stress cloud"), site.shape, CLOUD_SCALE * site.shape[0])
    flood = np.isin(site.truth, (OPEN_WATER, FLOODED_VEGETATION)).astype(np.float64)
    near = ndimage.gaussian_filter(flood, CLOUD_SCALE * site.shape[0] / 2.0)
    score = field + pull * near
    ranks = score.ravel().argsort().argsort().reshape(site.shape)
    where = ranks >= round((1.0 - share) * ranks.size)
    return _optical(site, lambda bundle: _hidden(bundle, where, Reason.CLOUD))


def haze(site: Site, path: float) -> Site:
    """Path reflectance at 560 nm that the atmospheric correction left and no mask names, (wavelength / 560)^-1.3."""

    def hazy(bundle: OpticalBundle) -> OpticalBundle:
        return _by_band(bundle, lambda values, band: values + path * _path_spectrum(band))

    return _optical(site, hazy)


def shade(site: Site, lost: float) -> Site:
    """Illumination gain 1 - `lost` on what the ground reflects; the path's own light stays."""

    def shaded(bundle: OpticalBundle) -> OpticalBundle:
        def dimmed(values: Float, band: str) -> Float:
            path = PATH * _path_spectrum(band)
            return (values - path) * (1.0 - lost) + path

        return _by_band(bundle, dimmed) if lost else bundle

    return _optical(site, shaded)


def turbidity(site: Site, load: float) -> Site:
    """Sediment in all open water: `load` times the step from the simulator's clear to its turbid water is added.

    The simulated flood is three quarters turbid already; at a load of 2 its near infrared is about that of the most
    turbid estuaries (0.3).
    """
    water = _open(site)

    def muddied(bundle: OpticalBundle) -> OpticalBundle:
        def brighter(values: Float, band: str) -> Float:
            index = list(NAMES).index(band)
            step = ENDMEMBERS["turbid_water"][index] - ENDMEMBERS["clear_water"][index]
            return np.where(water, values + load * step, values)

        return _by_band(bundle, brighter)

    return _optical(site, muddied)


def wind(site: Site, least: float) -> Site:
    """Wind of at least so many m/s on all open water: `harmonization.scattering.water.open_water`, 1 to 10 m/s.

    What wind adds to the mean is added with the speckle that each sample shows against the mean of now.
    """
    rougher = np.where(_open(site), np.fmax(site.wind, np.float32(least)), site.wind)
    return site.changed({sensor: _roughened(one, site.wind, rougher) for sensor, one in _radars(site).items()})


def _roughened(bundle: RadarBundle, now: Float, then: Float) -> RadarBundle:
    if bundle.angle is None:
        raise ValueError("Wind needs the incidence angle of the radar look; this one has none.")
    power = {}
    for name, values in bundle.power.items():
        floor = np.asarray(bundle.noise[name])
        subtracted = floor if bundle.denoised else np.float32(0.0)
        level, after = (_water_power(bundle, name, speed) + floor for speed in (now, then))
        speckle = np.clip((values + subtracted) / level, 0.0, MOST_SPECKLE)
        added = (after - level) * speckle
        power[name] = np.where(np.isfinite(added), values + added, values).astype(np.float32)
    return replace(bundle, power=power)


def _water_power(bundle: RadarBundle, polarization: str, speed: Float) -> Real:
    """Power of open water in the bundle's quantity, without noise."""
    assert bundle.angle is not None
    angle = bundle.angle.astype(np.float64)
    sigma0 = open_water(f"{bundle.band}-{polarization}", speed.astype(np.float64), angle)
    return sigma0 / np.cos(np.radians(angle)) if bundle.quantity == "gamma0" else sigma0


def shift(site: Site, pixels: float) -> Site:
    """Every sensor off the grid by so many pixels, each in a direction of its own a third of a turn from the next."""
    first = random_stream(site.seed, "stress shift").uniform(0.0, 2.0 * np.pi)
    moved: dict[str, dict[Sensor, Bundle]] = {"during": dict(site.during), "before": dict(site.before)}
    for index, sensor in enumerate(sorted(site.during)):
        way = first + index * 2.0 * np.pi / 3.0
        step = round(pixels * np.sin(way)), round(pixels * np.cos(way))
        for looks in moved.values():
            if sensor in looks:
                looks[sensor] = _moved(looks[sensor], step)
    return replace(site, during=moved["during"], before=moved["before"])


def _moved(bundle: Bundle, step: tuple[int, int]) -> Bundle:
    """All pixels so many rows and columns further; the edge is repeated."""
    rows, columns = (np.arange(side) - by for side, by in zip(bundle.reasons.shape, step, strict=True))
    at = np.ix_(*(np.clip(index, 0, index.size - 1) for index in (rows, columns)))
    if isinstance(bundle, OpticalBundle):
        bands = {name: values[at] for name, values in bundle.reflectance.items()}
        return replace(bundle, reflectance=bands, reasons=bundle.reasons[at])
    power = {name: values[at] for name, values in bundle.power.items()}
    noise = {name: floor[at] if isinstance(floor, np.ndarray) else floor for name, floor in bundle.noise.items()}
    angle = None if bundle.angle is None else bundle.angle[at]
    return replace(bundle, power=power, noise=noise, angle=angle, reasons=bundle.reasons[at])


def brighter(site: Site, bias: float) -> Site:
    """C band of the flood window off by so many dB, in all polarizations."""
    factor = np.float32(10.0 ** (bias / 10.0))
    return site.changed(
        {
            sensor: replace(bundle, power={name: values * factor for name, values in bundle.power.items()})
            for sensor, bundle in _radars(site).items()
            if bundle.band == "C"
        }
    )


def darker(site: Site, bias: float) -> Site:
    """The same the other way: land begins to look like water."""
    return brighter(site, -bias)


STRESSES: tuple[Stress, ...] = (
    Stress("missing sensors", "share of tiles", (0.0, 0.2, 0.4, 0.6, 0.8), missing),
    Stress("cloud", "share of the sky", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), cloud),
    Stress("cloud with the rain", "share of the sky", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), cloud_with_rain),
    Stress("haze", "path reflectance", (0.0, 0.02, 0.04, 0.08, 0.12, 0.16), haze),
    Stress("illumination", "share of light lost", (0.0, 0.3, 0.6, 0.8, 0.9), shade),
    Stress("turbidity", "turbid minus clear water", (0.0, 0.5, 1.0, 1.5, 2.0), turbidity),
    Stress("wind", "m/s at least", (0.0, 4.0, 5.0, 6.0, 7.0, 8.5, 10.0), wind),
    Stress("registration", "pixels of 10 m", (0.0, 1.0, 2.0, 4.0, 6.0, 8.0), shift),
    Stress("C band too bright", "dB", (0.0, 1.0, 2.0, 3.0, 4.0, 6.0), brighter),
    Stress("C band too dark", "dB", (0.0, 1.0, 2.0, 3.0, 4.0, 6.0), darker),
)
"""All stresses, in the order in which they are shown."""


def _open(site: Site) -> Mask:
    return np.isin(site.truth, (OPEN_WATER, REFERENCE_WATER))


def _radars(site: Site) -> dict[Sensor, RadarBundle]:
    return {sensor: bundle for sensor, bundle in site.during.items() if isinstance(bundle, RadarBundle)}


def _optical(site: Site, change: Callable[[OpticalBundle], Bundle]) -> Site:
    """The site with its optical looks of the flood window changed."""
    found = {sensor: one for sensor, one in site.during.items() if isinstance(one, OpticalBundle)}
    return site.changed({sensor: change(bundle) for sensor, bundle in found.items()})


def _by_band(bundle: OpticalBundle, change: Callable[[Float, str], Float]) -> OpticalBundle:
    bands = {
        name: np.asarray(change(values, name), np.float32) if name in NAMES else values
        for name, values in bundle.reflectance.items()
    }
    return replace(bundle, reflectance=bands)


def _path_spectrum(band: str) -> np.float32:
    """Of haze against 560 nm, as the simulator's."""
    return np.float32((NAMES[band][0] / 560.0) ** -1.3)


def _hidden(bundle: Bundle, where: Mask, reason: Reason) -> Bundle:
    """The look without the pixels of `where`, for a reason that blinds."""
    nothing = np.float32(np.nan)
    reasons = np.where(where, bundle.reasons | np.uint16(reason), bundle.reasons)
    if isinstance(bundle, OpticalBundle):
        bands = {name: np.where(where, nothing, values) for name, values in bundle.reflectance.items()}
        return replace(bundle, reflectance=bands, reasons=reasons)
    power = {name: np.where(where, nothing, values) for name, values in bundle.power.items()}
    return replace(bundle, power=power, reasons=reasons)
