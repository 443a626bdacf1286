"""How backscatter falls with the angle over this very area: slopes of land covers from the scenes before the flood.

A job's scenes before the flood often come from several orbits, which see the same fields at different angles. Where
they do, and only there, the slopes of the class table can be moved by what they show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition
from harmonization.bundle import Cover
from harmonization.calibration import decibel
from harmonization.classes import BACKSCATTER, REFERENCE_ANGLE, Backscatter
from harmonization.geometry import sigma0_from_gamma0
from harmonization.land_cover import LandCover
from harmonization.reasons import BLINDING, Reason
from harmonization.slope import LEAST_ORBITS, PRIOR_ERROR, SlopeEstimate, estimate_slope
from harmonization.speckle import log_speckle_std
from pipeline.decode_radar import Elevation, radar_bundle, radar_power
from pipeline.ground import land_cover_on
from pipeline.job_windows import span
from pipeline.plan import Plan
from pipeline.radar_noise import DEFAULT_NOISE_DB
from pipeline.science import Science

Real = NDArray[np.float64]
Covers = Callable[[GeoBox], Cover | None]

CLASSES = {
    LandCover.BARE: "bare_dry",
    LandCover.GRASS_CROPS: "grass_crop",
    LandCover.FOREST: "forest",
    LandCover.URBAN: "urban",
    LandCover.OPEN_WATER: "open_water",
}
"""Land covers whose slopes are looked for, and the class of the table that is their prior."""
STABLE_DB = 2.0
"""dB, standard deviation over the dates beyond speckle, above which the ground itself has changed [M]."""
UNFIT = BLINDING | Reason.OUTSIDE_MODEL
"""Reasons for which a pixel shows no slope: nothing is seen, too steep for facets, or beyond the straight line."""
ONE_LOOK = 1.0
"""Looks of a bundle of which only power, noise and angle are used."""
LEAST_PIXELS = 100
"""Of one land cover in one sample box: fewer do not average their speckle to 0.3 dB."""


@dataclass(frozen=True, eq=False)
class _Look:
    """One scene over one box, in sigma0 by channel ("C-VV"), signal alone."""

    orbit: int
    sigma0: Mapping[str, NDArray[np.float64]]
    angle: NDArray[np.float64]


def estimate_slopes(
    before: Sequence[Acquisition],
    boxes: Sequence[GeoBox],
    covers: Covers,
    science: Science,
    *,
    flood_start: datetime,
    looks: float,
    elevation: Elevation = (),
) -> dict[str, dict[str, SlopeEstimate]]:
    """By channel ("C-VV") and class the slope to be used, from the scenes of one sensor before a flood.

    `boxes`: sample windows that the scenes share; `covers`: the land cover of a window, None where it is not known;
    `looks`: of the power as it is decoded. Scenes that end after `flood_start`, mosaics, and scenes without orbit or
    angle are left out. In each window the pixels of a cover count that every scene saw and whose level, but for the
    prior slope, is stable over the dates. Always an answer: where the data do not suffice, the prior and the reason.
    """
    usable = [scene for scene in before if _usable(scene, flood_start)]
    samples: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    known = False
    for number, box in enumerate(boxes):
        cover = covers(box)
        if cover is None:
            continue
        known = True
        looked = [look for scene in usable if (look := _look(scene, box, science, elevation)) is not None]
        for key, rows in _box_samples(looked, cover, looks).items():
            samples.setdefault(key, []).extend((angle, level, number, orbit) for angle, level, orbit in rows)
    channels = sorted({channel for scene in before for channel in _channels(scene)})
    return {
        channel: {land: _estimate(samples.get((channel, land), []), channel, land, known) for land in CLASSES.values()}
        for channel in channels
    }


def moved_slopes(
    plan: Plan, boxes: Sequence[GeoBox], looks: Mapping[str, float], science: Science
) -> tuple[dict[str, dict[str, SlopeEstimate]], list[str]]:
    """By channel and class the slopes that a job's own scenes before the flood have moved, and a sentence on each.

    `looks`: by scene. Nothing is read where the scenes of a sensor come from fewer than three orbits; without land
    cover the table stands, and that is said.
    """
    moved: dict[str, dict[str, SlopeEstimate]] = {}
    told: list[str] = []
    start = span(plan.job.during)[0]
    for sensor in dict.fromkeys(scene.sensor for scene in plan.before if scene.kind == "radar"):
        scenes = [scene for scene in plan.before if scene.sensor == sensor and _usable(scene, start)]
        if len({scene.relative_orbit for scene in scenes}) < LEAST_ORBITS:
            continue
        if not plan.ground.land_cover:
            told.append(f"{sensor}: slopes with the angle are those of the table, for no land cover tells the classes")
            continue
        least = min(looks[scene.id] for scene in scenes)
        found = estimate_slopes(
            scenes, boxes, lambda box: land_cover_on(plan.ground.near(box).land_cover, box), science,
            flood_start=start, looks=least, elevation=plan.elevation,
        )  # fmt: skip
        for channel, classes in found.items():
            moved[channel] = {name: estimate for name, estimate in classes.items() if not estimate.reason}
            told += [_told(channel, name, estimate) for name, estimate in classes.items()]
    return moved, told


def _told(channel: str, name: str, estimate: SlopeEstimate) -> str:
    table = BACKSCATTER[name][channel].slope
    if estimate.reason:
        return f"slope of {name}, {channel}: {table:.2f} dB/° of the table, for {estimate.reason}"
    return f"slope of {name}, {channel}: {estimate.slope:.2f} ± {estimate.error:.2f} dB/° (table {table:.2f})"


def with_slopes(
    priors: Mapping[str, Mapping[str, Backscatter]],
    scene: Acquisition,
    moved: Mapping[str, Mapping[str, SlopeEstimate]],
) -> dict[str, dict[str, Backscatter]]:
    """The class priors of a scene, by polarization, with slopes that have moved.

    The mean stands: it holds at the reference angle.
    """
    found = {polarization: dict(classes) for polarization, classes in priors.items()}
    for channel, name in _channels(scene).items():
        for land, estimate in moved.get(channel, {}).items():
            classes = found.setdefault(name, {})
            classes[land] = replace(classes.get(land, BACKSCATTER[land][channel]), slope=estimate.slope)
    return found


def _usable(scene: Acquisition, flood_start: datetime) -> bool:
    told = scene.relative_orbit is not None and scene.angle_source not in (None, "mode")
    return scene.kind == "radar" and told and not scene.reference_only and scene.end < flood_start


def _look(scene: Acquisition, box: GeoBox, science: Science, elevation: Elevation) -> _Look | None:
    """sigma0 and angle of a scene, on the ground as it lies where that is known; None where its angle is not known.

    Masked pixels are NaN, also where the slopes are not for (`UNFIT`).
    """
    noise_db = {name: scene.noise_db.get(name, DEFAULT_NOISE_DB) for name in scene.polarizations}
    bundle = radar_bundle(scene, box, radar_power(scene, box, science, elevation), ONE_LOOK, noise_db)
    if bundle.angle is None or scene.relative_orbit is None:
        return None
    unfit = (bundle.reasons & np.uint16(UNFIT)) != 0
    degrees = np.where(unfit, np.nan, bundle.angle.astype(np.float64))
    sigma0 = {}
    for channel, name in _channels(scene).items():
        power, floor = bundle.power[name], 0.0 if bundle.denoised else bundle.noise[name]
        signal = np.where(power > 2.0 * floor, power - floor, np.nan)  # below, the floor is what is seen
        sigma0[channel] = signal if bundle.quantity == "sigma0" else sigma0_from_gamma0(signal, degrees)
    return _Look(scene.relative_orbit, sigma0, degrees)


def _channels(scene: Acquisition) -> dict[str, str]:
    """The scene's polarizations by channel, as far as the class table has them."""
    names = {f"{scene.band}-{name}": name for name in scene.polarizations}
    return {channel: name for channel, name in names.items() if channel in BACKSCATTER["forest"]}


def _box_samples(
    looks: Sequence[_Look], cover: Cover, speckle_looks: float
) -> dict[tuple[str, str], list[tuple[float, float, int]]]:
    """By channel and class: mean angle, level (linear mean, in dB) and orbit of each look over the same pixels."""
    found: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    for channel in sorted({channel for look in looks for channel in look.sigma0}):
        shown = [look for look in looks if channel in look.sigma0]
        for code, land in CLASSES.items():
            pixels = (cover == code) & _stable(shown, channel, BACKSCATTER[land][channel].slope, speckle_looks)
            if pixels.sum() >= LEAST_PIXELS:
                found[channel, land] = [
                    (float(look.angle[pixels].mean()), float(decibel(look.sigma0[channel][pixels].mean())), look.orbit)
                    for look in shown
                ]
    return found


def _stable(looks: Sequence[_Look], channel: str, slope: float, speckle_looks: float) -> NDArray[np.bool_]:
    """(y, x) True where every look saw the pixel and its level at 38.5 degrees, by the prior slope, kept still."""
    levels = [decibel(look.sigma0[channel]) - slope * (look.angle - REFERENCE_ANGLE) for look in looks]
    spread = np.std(levels, axis=0)  # NaN where one look did not see it
    return np.asarray(spread <= np.hypot(STABLE_DB, log_speckle_std(speckle_looks)))


def _estimate(
    samples: Sequence[tuple[float, float, float, float]], channel: str, land: str, cover_known: bool
) -> SlopeEstimate:
    prior = BACKSCATTER[land][channel].slope
    if not samples:
        missing = "no stable pixels of this land cover" if cover_known else "no land cover: classes are not known"
        return SlopeEstimate(prior, PRIOR_ERROR, missing)
    angle, level, ground, orbit = np.asarray(samples, dtype=np.float64).T
    return estimate_slope(angle, level, ground, orbit, prior)
