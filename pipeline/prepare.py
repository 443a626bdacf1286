"""What is wider than a unit, found once for the whole job: looks, noise, radar thresholds, the event's prior.

Computed per unit it would differ from neighbour to neighbour, and the map would show its seams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.records import Acquisition
from harmonization.calibration import decibel
from harmonization.evidence import Belief, estimate_prior
from harmonization.speckle import equivalent_looks
from harmonization.thresholds import Threshold, water_threshold
from pipeline.clock import StageClock
from pipeline.decode import POLARIZATIONS, copolar, radar_power
from pipeline.grid import windows
from pipeline.observe import Prepared, observe
from pipeline.plan import Plan, Unit
from pipeline.read import seen_share
from pipeline.science import Science
from pipeline.swath import noise_on

Kind = TypeVar("Kind")

SAMPLE_BOXES = 8
SAMPLE_SIDE = 256
"""Pixels: the sample is at most half a million pixels, however large the area."""
SAMPLED_UNITS = 64
"""Units of a large area in which windows are looked for; a smaller one is sampled the same however it is tiled."""
CANDIDATES = 400
"""Windows looked at coarsely at most, to find where there is data."""
ENOUGH_SEEN = 0.5
THRESHOLD_TILE = 64
"""Pixels: small enough that a lake fills a tenth of one."""
DEFAULT_NOISE_DB = -28.0
"""Where neither product nor collection gives a noise floor [M]."""
DARKEST_SHARE = 1.0
"""Percentile of power taken for the noise floor where a product gives none and is darker than the default."""


def prepare(plan: Plan, science: Science, said: Callable[[str], None]) -> Prepared:
    """Read a sample of the area through every scene and find what all units share."""
    boxes = sample_boxes(plan)
    radar = [scene for scene in plan.during + plan.before if scene.kind == "radar"]
    looks, noise, thresholds, notes = {}, {}, {}, {}
    for scene in radar:
        said(f"looks and noise of {scene.id}")
        sampled = [radar_power(scene, box, science) for box in boxes]
        samples = [power for power, _ in sampled]
        looks[scene.id] = _looks(scene, samples, max(cell for _, cell in sampled), science)
        noise[scene.id] = _noise(scene, samples) | _product_noise(scene, boxes)
        if scene in plan.during:
            found = _threshold(scene, samples, science)
            thresholds[scene.id], notes[scene.id] = found.value, found.note
    start = Belief(science.prior.water, science.prior.vegetation, science.memory_hours, science.doubt)
    first = Prepared(
        looks=looks,
        noise_db=noise,
        thresholds=thresholds,
        threshold_notes=notes,
        water=start.water,
        vegetation=start.vegetation,
    )
    if not science.prior.estimate:
        return first
    said("the event's prior")
    belief = _estimated(plan, boxes, science, first, start)
    return first.model_copy(update={"water": belief.water, "vegetation": belief.vegetation})


def sample_boxes(plan: Plan) -> list[GeoBox]:
    """Up to `SAMPLE_BOXES` windows on the lattice, spread evenly over the part of the area that a scene covers.

    Mosaic tiles may be fill for the most part: windows are looked at coarsely first.
    """
    units = _spread(plan.units, SAMPLED_UNITS)
    found = windows((unit.box for unit in units), SAMPLE_SIDE)
    whole = [box for box in found if box.shape.y * box.shape.x >= SAMPLE_SIDE**2 / 4]  # rims are slivers
    candidates = _spread(whole or found, CANDIDATES)
    scene = next((scene for scene in plan.during if scene.kind == "radar"), plan.during[0])
    rasters = next(rasters for name, rasters in scene.layers.items() if name in (*POLARIZATIONS, "green"))
    seen = [window for window in candidates if sum(seen_share(raster, window) for raster in rasters) > ENOUGH_SEEN]
    return _spread(seen or candidates, SAMPLE_BOXES)


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


def _threshold(scene: Acquisition, samples: Sequence[Mapping[str, NDArray[np.float32]]], science: Science) -> Threshold:
    assert scene.band is not None
    co = copolar(samples[0])
    tiles = (values[np.isfinite(values)] for sample in samples for values in _tiles(decibel(sample[co])))
    return water_threshold(tiles, science.darkest_land_db[scene.band])


def _tiles(values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    rows, columns = values.shape
    return [
        values[top : top + THRESHOLD_TILE, left : left + THRESHOLD_TILE]
        for top in range(0, rows, THRESHOLD_TILE)
        for left in range(0, columns, THRESHOLD_TILE)
    ]


def _estimated(plan: Plan, boxes: Sequence[GeoBox], science: Science, prepared: Prepared, start: Belief) -> Belief:
    parts = []
    for box in boxes:
        sample = Unit("sample", box, plan.at, plan.during, plan.before)
        looks = observe(sample, science, prepared, StageClock()).compute(scheduler="threads")
        observed = np.any([look.evidence.observed for look in looks.values()], axis=0)
        parts.append(np.sum([look.contribution for look in looks.values()], axis=0)[:, observed])
    bounds = (science.prior.water, science.prior.highest)
    return estimate_prior(np.concatenate(parts, axis=1), start, bounds)
