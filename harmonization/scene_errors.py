"""What a whole scene has in common: evidence as it would have been, were the scene's class means others.

A class stands in the table with one spread, part of which all pixels of a scene share: its wind, its moisture and
growth, its calibration. Of one pixel this changes nothing, for the likelihood has that spread inside. Of a *sum* over
pixels it changes all: the pixels err together, and an area does not become surer the more of them there are. Here a
scene's shared errors are drawn, and a cloud of samples is weighed anew with the class means of each draw, by the same
likelihood that made the map (docs/areas.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Band, Float, OpticalBundle, RadarBundle
from harmonization.classes import BACKSCATTER, INDICES, REFERENCE_ANGLE, STATES, Backscatter, Indices
from harmonization.optical.evidence import weigh_optical
from harmonization.optical.indices import haze_std
from harmonization.radar.evidence import weigh_radar
from harmonization.radar.pair_laws import FLOODED_FORM, TEMPORAL_STD
from harmonization.radar.priors import class_prior

Real = NDArray[np.float64]

SHARED_VARIANCE = 0.5
"""Share of a class's variance that all its pixels of one scene have in common: moisture, growth, texture of the region
[M]; the same half as in the calibration experiment of docs/physics.md, section 9."""
WIND_STD: dict[Band, float] = {"C": 3.4, "L": 2.0}
"""dB between scenes of the level of open water, by wind alone [C]: `scattering.water.open_water` at 38.5 degrees over
Rayleigh winds of mean 4.5 m/s (1 to 10 m/s): 3.46 dB at C-VV, 2.04 dB at L-HH."""
CALIBRATION_STD = 0.4
"""dB of a scene's absolute calibration: PALSAR-2 [V] (JAXA), Sentinel-1 about as much [M]."""
CALMEST = 0.5
"""Least part of a class's spread that stays within a scene: texture is never nothing [M]."""
SAMPLES = 1024
"""Samples of a cloud."""
SHORE_STD = 0.1
"""Of `shore_shift`, in resolution cells: what prior, angle and neighbouring looks move the level by [M]."""
WIDER = 1.5
"""Spread of the samples over that of the classes: what lies between two classes must be among them too."""
_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_WATER = ("open_water", "water_wind10")
_POLARIZATIONS: dict[Band, tuple[str, str]] = {"C": ("VV", "VH"), "L": ("HH", "HV")}
_DRY = tuple(STATES["dry"])
_FLOODED = tuple(STATES["flooded_vegetation"])
_CLASSES = (*_WATER, *_FLOODED, *_DRY)


@dataclass(frozen=True, eq=False)
class EvidenceCloud:
    """Samples of one sensor's look, and what they say under the class table and under each draw."""

    table: Float
    """(2, sample) nats of open water and flooded vegetation against dry, as `Evidence.held`."""
    drawn: Float
    """(draw, 2, sample): the same with the class means of a draw."""


@dataclass(frozen=True)
class RadarLook:
    """What the evidence of a radar look rests on."""

    band: Band
    looks: float
    noise_db: Mapping[str, float]
    """By polarization."""
    paired: bool
    """Whether a look before the flood is judged with it."""
    priors: Mapping[str, Mapping[str, Backscatter]]
    """By polarization and class: as the scene's own pixels moved the class table."""


def radar_cloud(look: RadarLook, draws: int, stream: np.random.Generator) -> EvidenceCloud:
    """Samples of a radar look at 38.5 degrees, weighed by the table and by each draw of the scene's shared errors."""
    now, past = _sampled(look, stream)
    table = weigh_radar("table", now, past).held[:, 0]
    drawn = []
    for _ in range(draws):
        now_priors, past_priors = _drawn_priors(now, stream)
        before = None if past is None else replace(past, priors=past_priors)
        drawn.append(weigh_radar("drawn", replace(now, priors=now_priors), before).held[:, 0])
    return EvidenceCloud(table, np.stack(drawn))


def _sampled(look: RadarLook, stream: np.random.Generator) -> tuple[RadarBundle, RadarBundle | None]:
    """Samples of all three states alike, now and (paired) before: each class with its spread, its noise, its
    speckle."""
    bundle = _bundle(look)
    dry = stream.choice(_DRY, SAMPLES, p=list(STATES["dry"].values()))
    state = stream.integers(0, 3, SAMPLES)
    water = stream.choice(_WATER, SAMPLES, p=list(STATES["open_water"].values()))
    form = np.array([FLOODED_FORM.get(name, name) for name in dry])
    alone = stream.choice(_FLOODED, SAMPLES, p=list(STATES["flooded_vegetation"].values()))
    flooded = np.where(form == dry, alone, form)
    name = np.choose(state, [dry, water, flooded])
    offset, change = WIDER * stream.standard_normal((2, SAMPLES))
    now, past = {}, {}
    for polarization in bundle.power:
        spread = np.array([TEMPORAL_STD[one] for one in dry])
        moved = np.where(state == 0, spread * change, 0.0)
        now[polarization] = _powers(bundle, polarization, name, offset, moved, stream)
        past[polarization] = _powers(bundle, polarization, dry, offset, np.zeros(SAMPLES), stream)
    current = replace(bundle, power=now)
    return current, replace(bundle, power=past) if look.paired else None


def _powers(
    bundle: RadarBundle,
    polarization: str,
    names: NDArray[np.str_],
    offset: Real,
    moved: Real,
    stream: np.random.Generator,
) -> Float:
    """(1, sample) intensities, noise inside."""
    prior = {name: class_prior(bundle, polarization, name) for name in _CLASSES}
    level = np.array([prior[name].mean for name in names]) + moved
    level += np.array([prior[name].std for name in names]) * offset
    noise = float(np.asarray(bundle.noise[polarization]))
    speckle = stream.gamma(bundle.looks, 1.0 / bundle.looks, SAMPLES)
    return np.asarray((10.0 ** (level / 10.0) + noise) * speckle, dtype=np.float32)[None]


def _bundle(look: RadarLook) -> RadarBundle:
    """A bundle of so many pixels at the angle where the class means hold, without power yet."""
    empty = np.zeros((1, SAMPLES), dtype=np.float32)
    names = tuple(name for name in look.noise_db) or _POLARIZATIONS[look.band]
    return RadarBundle(
        band=look.band,
        power=dict.fromkeys(names, empty),
        quantity="sigma0",
        angle=np.full((1, SAMPLES), REFERENCE_ANGLE, dtype=np.float32),
        angle_range=(REFERENCE_ANGLE, REFERENCE_ANGLE),
        noise={name: 10.0 ** (look.noise_db.get(name, -28.0) / 10.0) for name in names},
        denoised=False,
        looks=look.looks,
        reasons=np.zeros((1, SAMPLES), dtype=np.uint16),
        time=_TIME,
        priors=look.priors,
    )


Priors = dict[str, dict[str, Backscatter]]


def _drawn_priors(bundle: RadarBundle, stream: np.random.Generator) -> tuple[Priors, Priors]:
    """Class priors of the scene now and before in one draw: shared offsets in the means, the rest in the spread.

    One deviate a class for both polarizations, for they share moisture, growth and wind. What is dry keeps its
    offset over the dates but for half of the variance of its change.
    """
    stands = dict(zip(_CLASSES, stream.standard_normal(len(_CLASSES)), strict=True))
    changes = dict(zip(_CLASSES, stream.standard_normal(len(_CLASSES)), strict=True))
    wind = stream.standard_normal(2)
    calibration = CALIBRATION_STD * stream.standard_normal(2)
    now: Priors = {}
    past: Priors = {}
    for polarization in bundle.power:
        for date, priors in enumerate((now, past)):
            priors[polarization] = {}
            for name in _CLASSES:
                prior = class_prior(bundle, polarization, name)
                shared = _shared_std(bundle, polarization, name, prior)
                deviate = wind[date] if name in _WATER else stands[name]
                shift = shared * deviate + calibration[date]
                if date == 0 and name in TEMPORAL_STD:
                    shift += np.sqrt(SHARED_VARIANCE) * TEMPORAL_STD[name] * changes[name]
                within = max(np.sqrt(max(prior.std**2 - shared**2, 0.0)), CALMEST * prior.std)
                priors[polarization][name] = Backscatter(prior.mean + float(shift), float(within), prior.slope)
    return now, past


def _shared_std(bundle: RadarBundle, polarization: str, name: str, prior: Backscatter) -> float:
    """dB by which the mean of a class may be off in a whole scene."""
    told_by_scene = name in bundle.priors.get(polarization, {})
    if name == "open_water" and not told_by_scene:
        return WIND_STD[bundle.band]
    return float(np.sqrt(SHARED_VARIANCE) * prior.std)


def optical_cloud(haze: float, draws: int, stream: np.random.Generator) -> EvidenceCloud:
    """Samples of an optical look (green, NIR, SWIR), weighed by the table and by each draw of shared errors.

    `haze`: standard deviation of the path reflectance at 560 nm that atmospheric correction left, common to a scene.
    """
    bundle = _optical_samples(haze, stream)
    table = weigh_optical("table", bundle).held[:, 0]
    drawn = []
    for _ in range(draws):
        offset = {name: std * stream.standard_normal() for name, std in haze_std(haze).items()}
        bands = {
            name: np.asarray(values - np.float32(offset.get(name, 0.0))) for name, values in bundle.reflectance.items()
        }
        seen = replace(bundle, reflectance=bands, haze=haze * np.sqrt(1.0 - SHARED_VARIANCE))
        drawn.append(weigh_optical("drawn", seen, indices=_drawn_indices(stream)).held[:, 0])
    return EvidenceCloud(table, np.stack(drawn))


def _drawn_indices(stream: np.random.Generator) -> dict[str, Indices]:
    found = {}
    for name, prior in INDICES.items():
        std, one, other = np.array(prior.std), *stream.standard_normal(2)
        second = prior.correlation * one + np.sqrt(1.0 - prior.correlation**2) * other
        shift = np.sqrt(SHARED_VARIANCE) * std * np.array([one, second])
        within = np.sqrt(1.0 - SHARED_VARIANCE) * std
        mean = np.array(prior.mean) + shift
        found[name] = Indices((float(mean[0]), float(mean[1])), (float(within[0]), float(within[1])), prior.correlation)
    return found


def _optical_samples(haze: float, stream: np.random.Generator) -> OpticalBundle:
    """Reflectances whose indices fill the range of all classes: green of 0.08, NIR and SWIR by the indices."""
    names = list(INDICES)
    which = stream.integers(0, len(names), SAMPLES)
    mean = np.array([INDICES[name].mean for name in names])[which]
    std = WIDER * np.array([INDICES[name].std for name in names])[which]
    index = np.clip(mean + std * stream.standard_normal((SAMPLES, 2)), -0.95, 0.95)
    green = np.full(SAMPLES, 0.08)
    nir, swir = (green * (1.0 - index[:, band]) / (1.0 + index[:, band]) for band in (0, 1))
    bands = {
        name: values.astype(np.float32)[None] for name, values in (("green", green), ("nir", nir), ("swir1", swir))
    }
    reasons = np.zeros((1, SAMPLES), dtype=np.uint16)
    return OpticalBundle(bands, haze, "scene-classification", reasons, _TIME)


def shore_shift(band: Band | None, draws: int, stream: np.random.Generator) -> Real:
    """(draw,) resolution cells by which a map places a shore too far inside the water.

    The power of a cell at a shore is the mean of both sides, and land is brighter: at the level half-way in dB only the
    share f of the cell is land, f = (10^(t/10) - W)/(G - W), where half of it should be. The level of water W and of
    grass G by each draw; at the class table's C-VV f is 0.28 and the shift 0.22 cells [C]. `band` None (optics): the
    same of NIR reflectance is about as much of a much smaller cell.
    """
    names = ("open_water", "grass_crop")
    channel = "L-HH" if band == "L" else "C-VV"
    prior = [BACKSCATTER[name][channel] for name in names]
    shared = np.sqrt(SHARED_VARIANCE) * np.array([one.std for one in prior])
    level = np.array([one.mean for one in prior]) + shared * stream.standard_normal((draws, 2))
    water, grass = np.minimum(level[:, 0], level[:, 1] - 1.0), level[:, 1]
    half = 10.0 ** (0.05 * (water + grass))
    share = (half - 10.0 ** (0.1 * water)) / (10.0 ** (0.1 * grass) - 10.0 ** (0.1 * water))
    return np.asarray(0.5 - share + SHORE_STD * stream.standard_normal(draws))
