"""One place of known truth, its looks in memory: what a stress degrades, and what the flow then makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from catalogs.records import Acquisition, RasterLayer, Sensor
from harmonization.bundle import Bundle, Float, RadarBundle
from harmonization.evidence import Belief, estimate_prior
from harmonization.reasons import BLINDING
from pipeline.align import align
from pipeline.decode import decode
from pipeline.drainage import with_drainage
from pipeline.ground import factor_over, prior_over, terrain_on
from pipeline.job import Job
from pipeline.methods import Mask
from pipeline.plan import make_plan
from pipeline.prepare import prepare
from pipeline.read import read_window
from pipeline.scene_water import scene_water
from pipeline.science import Science
from pipeline.weigh import SensorLook, Weighed, settle, weigh


@dataclass(frozen=True, eq=False)
class Site:
    """A unit of known truth before evidence: one look a sensor during the flood, one or none before it."""

    during: Mapping[Sensor, Bundle]
    before: Mapping[Sensor, Bundle]
    at: datetime
    """t*."""
    terrain: Float
    """(2, y, x) metres above drainage and degrees of slope, NaN where not known."""
    truth: NDArray[np.uint8]
    """(y, x) codes of `pipeline.classify`: dry, open-water flood, flooded vegetation, reference water."""
    wind: Float
    """(y, x) m/s at the surface of water, NaN on land."""
    seed: int
    """Of what a stress draws."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.truth.shape
        return rows, columns

    def changed(self, bundles: Mapping[Sensor, Bundle]) -> Site:
        """The same with other looks of the flood window for some sensors."""
        return replace(self, during={**self.during, **bundles})


@dataclass(frozen=True, eq=False)
class Observed:
    """What the flow makes of a site: all that any method asks for."""

    looks: Mapping[Sensor, SensorLook]
    prior: Float
    """(2, y, x) log-odds."""
    terrain: Float
    thresholds: Mapping[str, list[float | None]]
    """dB by radar sensor, as `by_radar_threshold` takes them."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.prior.shape[1]), int(self.prior.shape[2])


def site_of(job: Job, science: Science, truth: Path, wind: Float, seed: int) -> Site:
    """Read the one unit of a job whose truth is a raster of class codes.

    `wind`: (y, x) m/s over the unit's water, NaN on land. ValueError where the job has more units than one.
    """
    plan = make_plan(job)
    if len(plan.units) != 1:
        raise ValueError(f"{job.name!r} has {len(plan.units)} units, a site is one: take a smaller area.")
    with TemporaryDirectory() as basin:
        plan = replace(plan, ground=with_drainage(job, plan.area, plan.ground, science, Path(basin), lambda _: None))
        prepared = prepare(plan, science, lambda _: None)
        unit = plan.units[0]
        terrain = terrain_on(plan.ground, unit.box)

    def read(scenes: Sequence[Acquisition]) -> dict[Sensor, Bundle]:
        looks, noise = prepared.looks, prepared.noise_db
        return {
            scene.sensor: decode(
                scene, unit.box, science, looks.get(scene.id, 1.0), noise.get(scene.id, {}), plan.elevation
            )
            for scene in scenes
        }

    codes = align(read_window(RasterLayer(href=str(truth.absolute())), unit.box), unit.box, "mask")
    return Site(read(unit.during), read(unit.before), unit.at, terrain, codes.astype(np.uint8), wind, seed)


def observed(site: Site, science: Science) -> Observed:
    """Weigh and settle a site as `map` does, what prepare finds in the scenes included: thresholds, water, prior.

    A sensor that shows nothing has no look.
    """
    seen = {sensor: bundle for sensor, bundle in site.during.items() if _seen(bundle).any()}
    found = {
        sensor: scene_water([bundle], science.darkest_land_db[bundle.band])
        for sensor, bundle in seen.items()
        if isinstance(bundle, RadarBundle)
    }
    past = {sensor: [_with_own_water(site.before[sensor], science)] for sensor in seen if sensor in site.before}
    weighed = {}
    for sensor, bundle in seen.items():
        now = replace(bundle, priors=found[sensor].priors) if isinstance(bundle, RadarBundle) else bundle
        weighed[sensor] = weigh(sensor, [now], past.get(sensor, []), site.at)
    belief = _belief(weighed, site, science)
    return Observed(
        looks=settle(weighed, belief),
        prior=prior_over(site.terrain, belief, science.drainage),
        terrain=site.terrain,
        thresholds={sensor: [one.threshold] for sensor, one in found.items()},
    )


def _with_own_water(bundle: Bundle, science: Science) -> Bundle:
    if not isinstance(bundle, RadarBundle):
        return bundle
    return replace(bundle, priors=scene_water([bundle], science.darkest_land_db[bundle.band]).priors)


def _belief(weighed: Mapping[Sensor, Weighed], site: Site, science: Science) -> Belief:
    """The event's prior by the evidence itself, as the prepare stage estimates it."""
    start = Belief(science.prior.water, science.prior.vegetation, science.memory_hours, science.doubt)
    if not science.prior.estimate or not weighed:
        return start
    looks = settle(weighed, start)
    told = np.logical_or.reduce([look.evidence.observed for look in looks.values()])
    parts = np.sum([look.contribution for look in looks.values()], axis=0)[:, told]
    known = np.isfinite(site.terrain[0]).any()
    factor = factor_over(site.terrain, science.drainage)[told] if known else None
    return estimate_prior(parts, start, (science.prior.water, science.prior.highest), factor=factor)


def _seen(bundle: Bundle) -> Mask:
    return np.asarray((bundle.reasons & np.uint16(BLINDING)) == 0)
