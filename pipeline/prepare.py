"""What is wider than a unit, found once for the whole job: looks, noise, radar thresholds, the event's prior.

Computed per unit it would differ from neighbour to neighbour, and the map would show its seams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from odc.geo import CRS
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import copolar
from harmonization.calibration import decibel
from harmonization.evidence import Belief, estimate_prior
from harmonization.speckle import equivalent_looks
from pipeline.clock import StageClock
from pipeline.decode_radar import POLARIZATIONS, AlignedPower, radar_bundle, radar_power
from pipeline.grid import windows
from pipeline.ground import factor_over, land_cover_on, terrain_on
from pipeline.observe import Prepared, observe
from pipeline.plan import Plan, Unit, touching
from pipeline.radar_noise import DEFAULT_NOISE_DB
from pipeline.read import seen_share
from pipeline.scene_water import SceneWater, scene_water
from pipeline.science import Science
from pipeline.slopes import moved_slopes, with_slopes
from pipeline.swath import noise_on
from pipeline.swath_terrain import datum_offset, swaths_of

Kind = TypeVar("Kind")

SAMPLE_BOXES = 8
SAMPLE_SIDE = 256
"""Pixels: the sample is at most half a million pixels, however large the area."""
SAMPLED_UNITS = 64
"""Units of a large area in which windows are looked for; a smaller one is sampled the same however it is tiled."""
CANDIDATES = 400
"""Windows looked at coarsely at most, to find where there is data."""
ENOUGH_SEEN = 0.5
DARKEST_SHARE = 1.0
"""Percentile of power taken for the noise floor where a product gives none and is darker than the default."""


def prepare(plan: Plan, science: Science, said: Callable[[str], None]) -> Prepared:
    """Read a sample of the area through every scene and find what all units share."""
    boxes = sample_boxes(plan)
    radar = [scene for scene in plan.during + plan.before if scene.kind == "radar"]
    looks, noise = {}, {}
    water: dict[str, SceneWater] = {}
    drawn: dict[GeoBox, None] = {}
    for scene in radar:
        said(f"looks and noise of {scene.id}")
        for told in _placing(scene, plan.elevation):
            said(told)
        own, sampled = _sampled(plan, scene, boxes, science)
        samples = [one.power for one in sampled]
        looks[scene.id] = _looks(scene, samples, max(one.cell for one in sampled), science)
        noise[scene.id] = _noise(scene, samples) | _product_noise(scene, own)
        water[scene.id] = _water(scene, own, sampled, looks[scene.id], noise[scene.id], science)
        said(f"{scene.id}: {water[scene.id].prior_note}")
        if scene in plan.during:
            drawn |= dict.fromkeys(own)
    slopes, slope_notes = moved_slopes(plan, boxes, looks, science)
    for told in slope_notes:
        said(told)
    priors = {scene.id: with_slopes(water[scene.id].priors, scene, slopes) for scene in radar}
    flooded = [scene for scene in radar if scene in plan.during]
    start = Belief(science.prior.water, science.prior.vegetation, science.memory_hours, science.doubt)
    first = Prepared(
        looks=looks,
        noise_db=noise,
        thresholds={scene.id: water[scene.id].threshold for scene in flooded},
        threshold_notes={scene.id: water[scene.id].threshold_note for scene in flooded},
        priors={name: found for name, found in priors.items() if found},
        prior_notes={name: found.prior_note for name, found in water.items()},
        slope_notes=tuple(slope_notes),
        water=start.water,
        vegetation=start.vegetation,
    )
    if not science.prior.estimate:
        return first
    windows = _spread(list(drawn or boxes), SAMPLE_BOXES)
    said(
        f"the event's prior, from the evidence in {len(windows)} windows: the first time tables of likelihood are made"
    )
    belief = _estimated(plan, windows, science, first, start)
    return first.model_copy(update={"water": belief.water, "vegetation": belief.vegetation})


def _placing(scene: Acquisition, elevation: tuple[RasterLayer, ...]) -> list[str]:
    """How the elevation places a scene in radar geometry, in a sentence; nothing of other scenes."""
    swaths = swaths_of(scene.layers[copolar(scene.layers)])
    if not swaths or not elevation:
        return []
    offset = datum_offset(swaths, elevation)
    if offset is None:
        why = "its tie points and the elevation cannot be brought together"
        return [f"{scene.id}: placed by its tie points alone, for {why}"]
    return [f"{scene.id}: placed and flattened by the elevation, {offset:+.0f} m to the surface of its tie points"]


def sample_boxes(plan: Plan, scene: Acquisition | None = None) -> list[GeoBox]:
    """Up to `SAMPLE_BOXES` windows on the lattices, spread evenly over the part of the area that a scene covers.

    `scene`: by default the first radar scene of the flood window, for all others to share. Mosaic tiles may be fill for
    the most part: windows are looked at coarsely first.
    """
    met = [unit for unit in plan.units if scene is None or any(one.id == scene.id for one in unit.scenes)]
    zones: dict[CRS | None, list[GeoBox]] = {}
    for unit in _spread(met, SAMPLED_UNITS):
        zones.setdefault(unit.box.crs, []).append(unit.box)
    found = [window for boxes in zones.values() for window in windows(boxes, SAMPLE_SIDE)]
    whole = [box for box in found if box.shape.y * box.shape.x >= SAMPLE_SIDE**2 / 4]  # rims are slivers
    candidates = _spread(whole or found, CANDIDATES)
    if scene is None:
        scene = next((scene for scene in plan.during if scene.kind == "radar"), plan.during[0])
    rasters = next(rasters for name, rasters in scene.layers.items() if name in (*POLARIZATIONS, "green"))
    seen = [window for window in candidates if sum(seen_share(raster, window) for raster in rasters) > ENOUGH_SEEN]
    return _spread(seen or candidates, SAMPLE_BOXES)


def _sampled(
    plan: Plan, scene: Acquisition, boxes: list[GeoBox], science: Science
) -> tuple[list[GeoBox], list[AlignedPower]]:
    """Windows and a scene's power in them: the shared ones, or, where these show little of it, windows of its own.

    An area may be larger than a pass, so that no window is seen by all of them.
    """
    shared = [radar_power(scene, box, science, plan.elevation) for box in boxes]
    if 2 * _shown(shared) >= len(boxes):
        return boxes, shared
    own = sample_boxes(plan, scene)
    if not own or own == boxes:
        return boxes, shared
    found = [radar_power(scene, box, science, plan.elevation) for box in own]
    return (own, found) if _shown(found) > _shown(shared) else (boxes, shared)


def _shown(samples: Sequence[AlignedPower]) -> int:
    """Windows in which a scene holds data for the most part."""
    return sum(float(np.isfinite(one.power[copolar(one.power)]).mean()) > ENOUGH_SEEN for one in samples)


def _spread(things: Sequence[Kind], count: int) -> list[Kind]:
    """At most so many, evenly through the list."""
    chosen = np.linspace(0, len(things) - 1, min(count, len(things))).round().astype(int)
    return [things[index] for index in sorted(set(chosen.tolist()))]


def _looks(
    scene: Acquisition, samples: Sequence[Mapping[str, NDArray[np.float32]]], cell: int, science: Science
) -> float:
    """Measured on the co-polarization, which the noise floor hides least; two significant figures.

    Pairs lie a cell apart: beyond the boxcar and the point spread. Texture passes for speckle there and only ever
    lowers the estimate, so the nominal looks are its floor.
    """
    assert scene.band is not None
    name = copolar(samples[0])
    noise = 10.0 ** (scene.noise_db.get(name, DEFAULT_NOISE_DB) / 10.0) if scene.denoised else 0.0
    measured = equivalent_looks([sample[name] + np.float32(noise) for sample in samples], cell)
    return float(f"{max(measured or 1.0, science.least_looks[scene.band]):.2g}")


def _noise(scene: Acquisition, samples: Sequence[Mapping[str, NDArray[np.float32]]]) -> dict[str, float]:
    """The product's noise floor; a default is lowered where the darkest water of the scene says less."""
    noise = {}
    for name in samples[0]:
        level = scene.noise_db.get(name, DEFAULT_NOISE_DB)
        if scene.noise_source == "default" and not scene.denoised:
            values = np.concatenate([sample[name].ravel() for sample in samples])
            values = values[np.isfinite(values) & (values > 0)]
            if values.size:
                level = min(level, float(decibel(np.percentile(values, DARKEST_SHARE))))
        noise[name] = round(level, 3)
    return noise


def _product_noise(scene: Acquisition, boxes: Sequence[GeoBox]) -> dict[str, float]:
    """By polarization whose product describes its noise: the median over the sampled windows, in dB."""
    found = {}
    for name in scene.polarizations:
        rasters = [raster for raster in scene.layers[name] if raster.swath and raster.swath.noise]
        levels = np.concatenate([noise_on(raster, box).ravel() for raster in rasters for box in boxes] or [np.empty(0)])
        if np.isfinite(levels).any():
            found[name] = round(float(decibel(np.nanmedian(levels))), 3)
    return found


def _water(
    scene: Acquisition,
    boxes: Sequence[GeoBox],
    sampled: Sequence[AlignedPower],
    looks: float,
    noise_db: Mapping[str, float],
    science: Science,
) -> SceneWater:
    """The threshold and the class priors by the sampled windows, masks of the product applied."""
    assert scene.band is not None
    pairs = zip(boxes, sampled, strict=True)
    windows = [radar_bundle(scene, box, read, looks, noise_db) for box, read in pairs]
    return scene_water(windows, science.darkest_land_db[scene.band])


def _estimated(plan: Plan, boxes: Sequence[GeoBox], science: Science, prepared: Prepared, start: Belief) -> Belief:
    parts, factors = [], []
    now, past = touching(plan.during), touching(plan.before)
    for box in boxes:
        sample = Unit("sample", box, plan.at, now(box), past(box))
        if not sample.during:
            continue
        ground = plan.ground.near(box)
        cover = land_cover_on(ground.land_cover, box) if plan.ground.land_cover else None
        looks = observe(sample, science, prepared, StageClock(), plan.elevation, cover).compute(scheduler="threads")
        observed = np.any([look.evidence.observed for look in looks.values()], axis=0)
        parts.append(np.sum([look.contribution for look in looks.values()], axis=0)[:, observed])
        factors.append(factor_over(terrain_on(ground, box), science.drainage, cover)[observed])
    if not parts:
        return start
    bounds = (science.prior.water, science.prior.highest)
    factor = np.concatenate(factors) if plan.ground.drainage else None
    return estimate_prior(np.concatenate(parts, axis=1), start, bounds, factor=factor)
