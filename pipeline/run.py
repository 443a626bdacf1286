"""The flow: a planned unit becomes layers on disk, and a plan becomes a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from dask.delayed import Delayed, delayed
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from catalogs.records import RasterLayer, Sensor
from harmonization.bundle import Float
from harmonization.evidence import Belief
from harmonization.land_cover import LandCover
from pipeline.assemble import assemble_layers
from pipeline.classify import reference_from_before
from pipeline.clock import StageClock
from pipeline.crop import crop, crop_look, crop_method
from pipeline.export import export_unit
from pipeline.flatten import flattening_told
from pipeline.grid import SNAP, inside, lattice_origin
from pipeline.ground import Ground, elevation_on, ground_facts, land_cover_on, prior_over, terrain_on, water_on
from pipeline.infer import network_maps
from pipeline.job import Job
from pipeline.ledger import fingerprint, unit_folder
from pipeline.methods import MethodMap, by_ndwi, by_physics, by_radar_threshold
from pipeline.networks import MapNetwork
from pipeline.observe import Prepared, observe
from pipeline.plan import Unit
from pipeline.plausibility import plausibility_sums
from pipeline.science import Science
from pipeline.weigh import SensorLook


@dataclass(frozen=True, eq=False)
class Setting:
    """What every unit of a run shares."""

    job: Job
    area: BaseGeometry
    science: Science
    prepared: Prepared
    networks: tuple[MapNetwork, ...]
    """Of the job's methods, those that need weights."""
    device: str
    run: Path
    has_reference: bool
    """Whether "before" scenes or a raster tell flood from permanent water: one legend a run."""
    ground: Ground = field(default_factory=Ground)
    """Reference water, elevation, drainage and land cover."""

    @property
    def elevation(self) -> tuple[RasterLayer, ...]:
        """The rasters of elevation, metres; none where the job names none."""
        return self.ground.elevation_rasters

    @property
    def halo(self) -> int:
        """Pixels around a unit that its own pixels depend on: speckle and cloud windows, the networks' reach."""
        reach = max((SNAP, *(network.halo for network in self.networks)))
        return -(-reach // SNAP) * SNAP


def map_unit(unit: Unit, setting: Setting, clock: StageClock) -> Delayed:
    """One unit from scenes to files, as a small lazy graph that reads nothing until it is computed."""
    halo = setting.halo
    wide = replace(unit, box=unit.box.pad(halo))
    belief = setting.prepared.belief(setting.science)
    ground = setting.ground.near(wide.box)
    cover, terrain, prior = ground_of_unit(wide, ground, setting.science, belief, clock)
    looks = observe(wide, setting.science, setting.prepared, clock, setting.elevation, cover)
    maps = _maps(looks, wide, setting, (prior, terrain), clock)
    layers = delayed(clock.timed("classify", _layers), pure=False)(looks, maps, prior, cover, unit, halo, setting)
    write = delayed(clock.timed("export", export_unit), pure=False)
    print_ = unit_fingerprint(unit, setting)
    written: Delayed = write(
        unit_folder(setting.run, unit), unit, layers, print_, setting.job.name, setting.science.name
    )
    return written


def unit_fingerprint(unit: Unit, setting: Setting) -> str:
    """The content address of a unit in this run."""
    weights = " ".join(f"{network.map} {network.digest}" for network in setting.networks)
    near = setting.ground.near(unit.box.pad(setting.halo))
    # All of the elevation: its height over the tie points' surface is measured on the whole of it.
    ground = near.model_copy(update={"elevation": setting.ground.elevation})
    return fingerprint(unit, setting.job, setting.science, setting.prepared, weights, ground)


def ground_of_unit(
    unit: Unit, ground: Ground, science: Science, belief: Belief, clock: StageClock
) -> tuple[Delayed | None, Delayed, Delayed]:
    """Land cover (None where the job has none), terrain and prior (2, y, x) of a unit, not yet computed."""
    cover = None
    if ground.land_cover:
        cover = delayed(clock.timed("decode", land_cover_on), pure=False)(ground.land_cover, unit.box)
    terrain: Delayed = delayed(clock.timed("decode", terrain_on), pure=False)(ground, unit.box)
    prior: Delayed = delayed(clock.timed("decode", prior_over), pure=False)(terrain, belief, science.drainage, cover)
    return cover, terrain, prior


def _maps(
    looks: Delayed, unit: Unit, setting: Setting, ground: tuple[Delayed, Delayed], clock: StageClock
) -> dict[str, Delayed]:
    """What each of the job's methods makes of a unit, in the order of its maps. `ground`: prior and terrain."""
    prior, _ = ground
    shape = unit.box.shape.yx
    calls: dict[str, tuple[Callable[..., MethodMap], tuple[Any, ...]]] = {
        "ndwi": (by_ndwi, (setting.science.ndwi_threshold, shape)),
        "radar_threshold": (by_radar_threshold, (thresholds_of(unit, setting.prepared), shape)),
        "physics": (by_physics, (prior,)),
    }
    found: dict[str, Delayed] = {
        name: delayed(clock.timed(name, function), pure=False)(looks, *rest)
        for name, (function, rest) in calls.items()
        if name in setting.job.methods
    }
    place = (setting.device, lattice_origin(unit.box))
    found |= network_maps(setting.networks, looks, ground, place, clock)
    return {name: found[name] for name in setting.job.maps}


def thresholds_of(unit: Unit, prepared: Prepared) -> dict[str, list[float | None]]:
    """By radar sensor, the water threshold of each of its scenes, the newest first as `weigh` takes them."""
    found: dict[str, list[float | None]] = {}
    for scene in sorted(unit.during, key=lambda scene: scene.time, reverse=True):
        if scene.kind == "radar":
            found.setdefault(scene.sensor, []).append(prepared.thresholds.get(scene.id))
    return found


def _layers(
    looks: Mapping[Sensor, SensorLook],
    maps: Mapping[str, MethodMap],
    prior: Float,
    cover: NDArray[np.uint8] | None,
    unit: Unit,
    halo: int,
    setting: Setting,
) -> Any:
    belief = setting.prepared.belief(setting.science)
    wide = reference_from_before(looks, belief)  # with its halo: it asks neighbours too
    past = None if wide is None else (crop(wide[0], halo), crop(wide[1], halo))
    own = {sensor: crop_look(look, halo) for sensor, look in looks.items()}
    found = {name: crop_method(method, halo) for name, method in maps.items()}
    ground = setting.ground.near(unit.box)
    water = water_on(ground.water, unit.box) if setting.ground.water else None
    height = elevation_on(setting.elevation, unit.box.pad(halo)) if ground.elevation else None
    within = inside(setting.area, unit.box)
    own_prior = crop(prior, halo)
    made = assemble_layers(setting.job, own_prior, own, found, within, past, water, setting.has_reference, unit.at)
    facts: dict[str, Any] = made.facts | ground_facts(ground)
    if cover is not None:
        known = (crop(cover, halo) != LandCover.UNKNOWN) & within
        facts["overbank:land_cover_known_share"] = round(float(known.sum() / max(within.sum(), 1)), 4)
    radar = [scene for scene in unit.scenes if scene.kind == "radar"]
    facts["overbank:flattening"] = {scene.id: flattening_told(scene, unit.box, setting.elevation) for scene in radar}
    if height is not None:
        facts["overbank:plausibility"] = plausibility_sums(maps, height, halo, within)
    if setting.networks:
        facts["overbank:networks"] = {network.map: network.facts() for network in setting.networks}
    return replace(made, facts=facts)


def run_unit(unit: Unit, setting: Setting, threads: int) -> dict[str, float]:
    """Map one unit on the threads of this process; the seconds of each stage."""
    clock = StageClock()
    map_unit(unit, setting, clock).compute(scheduler="threads", num_workers=threads)
    return dict(clock.seconds)
