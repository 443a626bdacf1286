"""Every sensor's look at a unit, as a small lazy graph: decode each scene, then weigh each sensor."""

from __future__ import annotations

from dask.delayed import Delayed, delayed

from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import Cover
from harmonization.classes import Backscatter
from harmonization.evidence import Belief
from pipeline.clock import StageClock
from pipeline.decode import decode
from pipeline.job import Record
from pipeline.plan import Unit
from pipeline.science import Science
from pipeline.weigh import settle, weigh


class Prepared(Record):
    """The findings, kept beside the run and part of every unit's fingerprint."""

    looks: dict[str, float]
    """By scene: equivalent looks after multilooking, on the unit's grid."""
    noise_db: dict[str, dict[str, float]]
    """By scene and polarization: noise floor in dB."""
    thresholds: dict[str, float | None]
    """By radar scene of the flood window: dB of the water threshold; None: no water here."""
    threshold_notes: dict[str, str]
    priors: dict[str, dict[str, dict[str, Backscatter]]]
    """By radar scene, polarization and class: what the scene's own pixels make of the class table, where they do."""
    prior_notes: dict[str, str]
    """By radar scene: how its open water differs from the class table's."""
    slope_notes: tuple[str, ...] = ()
    """What the scenes before the flood say of slopes with the angle; empty where they come from too few orbits."""
    water: float
    vegetation: float
    """Prior probabilities of the wet states."""

    def belief(self, science: Science) -> Belief:
        """What holds before any sensor has spoken."""
        return Belief(self.water, self.vegetation, science.memory_hours, science.doubt)

    def class_priors(self, scene: str) -> dict[str, dict[str, Backscatter]]:
        """By polarization and class, the priors of a scene's bundles, the same in every unit."""
        return self.priors.get(scene, {})


def observe(
    unit: Unit,
    science: Science,
    prepared: Prepared,
    clock: StageClock,
    elevation: tuple[RasterLayer, ...] = (),
    cover: Delayed | Cover | None = None,
) -> Delayed:
    """By sensor that has a scene of the flood window: its `SensorLook` over the unit's box, not yet computed.

    `elevation`: all rasters of the job's elevation, by which scenes in radar geometry are placed. `cover`: land
    cover codes (y, x) of the unit's box, where the job has them.
    """
    belief = prepared.belief(science)
    read = delayed(clock.timed("decode", decode), pure=False)
    judge = delayed(clock.timed("evidence", weigh), pure=False)

    def bundle(scene: Acquisition) -> Delayed:
        looks, noise = prepared.looks.get(scene.id, 1.0), prepared.noise_db.get(scene.id, {})
        decoded: Delayed = read(scene, unit.box, science, looks, noise, elevation, prepared.class_priors(scene.id))
        return decoded

    looks = {}
    for sensor in dict.fromkeys(scene.sensor for scene in unit.during):
        now = [bundle(scene) for scene in unit.during if scene.sensor == sensor]
        past = [bundle(scene) for scene in unit.before if scene.sensor == sensor]
        looks[sensor] = judge(sensor, now, past, unit.at, cover)
    settled: Delayed = delayed(clock.timed("evidence", settle), pure=False)(looks, belief)
    return settled
