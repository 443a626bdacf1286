"""The draws of a unit: how each scene's shared errors move the evidence of the sensors that mapped it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from harmonization.bundle import Float
from harmonization.classes import Backscatter
from harmonization.evidence import Belief, doubt_states, relax_states
from harmonization.optical.reflectance import SURFACE_HAZE
from harmonization.scene_errors import EvidenceCloud, RadarLook, optical_cloud, radar_cloud, shore_shift
from pipeline.errors import RunError
from pipeline.run_folder import PREPARED, RunFolder, UnitFolder

DRAWS = 128
"""Of the 95 % interval: its ends lie between the third and the fourth of them."""
CELL_M: Mapping[str, float] = {"sentinel-1": 30.0, "alos-2": 75.0}
"""Metres of the cell whose mean power a pixel is judged by: of Sentinel-1 three samples (the science file's boxcar), of
ScanSAR its resolution. Optics: `OPTICAL_CELL_M`."""
OPTICAL_CELL_M = 10.0
"""What `map` found for the whole run, in its folder."""
BAND_OF: Mapping[str, Any] = {"sentinel-1": "C", "alos-2": "L"}
WATER_PRIOR_STD = 0.7
"""nats of the event's prior of open water: the share found is right within 0.01 on mixtures that the table describes
(docs/physics.md, section 7), and off by about twice where it does not [M]."""
VEGETATION_RATIO_STD = 1.5
"""nats of flooded vegetation's prior against that of open water: radar cannot tell a tenth from nothing, so the ratio
is kept at that of the science file, and may be off by twenty times either way (two standard deviations) [M]."""


@dataclass(frozen=True, eq=False)
class LookDraws:
    """One sensor of a unit."""

    band: int
    """Of its evidence for open water in the layer `evidence`; that for flooded vegetation follows."""
    hours: float
    """Between its scene and t*."""
    tree: Any
    """Of the cloud's samples in the plane of doubted evidence."""
    moves: Float
    """(draw, 2, sample) nats, doubted and aged."""


@dataclass(frozen=True, eq=False)
class UnitDraws:
    """All that pixels of one unit share."""

    belief: Belief
    looks: tuple[LookDraws, ...]
    prior: Float
    """(draw, 2) nats."""
    shore: Float
    """(draw,) metres by which a shore lies too far inside the water."""

    @property
    def moves(self) -> Float:
        """(look, draw, 2, sample) nats."""
        return np.stack([look.moves for look in self.looks])

    def weigh(self, evidence: NDArray[np.int16]) -> tuple[Float, NDArray[np.int32]]:
        """(2, pixel) log-odds of physics, and (look, pixel) the sample that each pixel is like.

        `evidence` (band, pixel): file values of the layer.
        """
        total = np.repeat(self.belief.log_odds[:, None], evidence.shape[1], axis=1)
        like = np.full((len(self.looks), evidence.shape[1]), -1, dtype=np.int32)
        for row, look in enumerate(self.looks):
            raw = evidence[look.band : look.band + 2]
            seen = (raw != np.int16(-32768)).all(axis=0)
            doubted = doubt_states(raw[:, seen].astype(np.float32) * np.float32(0.01), self.belief.doubt)
            like[row, seen] = look.tree.query(doubted.T)[1]
            total[:, seen] += relax_states(doubted, np.float32(look.hours), self.belief)
        return total, like


def unit_draws(run: RunFolder, unit: UnitFolder, draws: int = DRAWS) -> UnitDraws:
    """What the pixels of a unit share; the same scene moves alike in every unit of a run.

    RunError where the unit tells too little: no evidence layer, no scene that spoke.
    """
    if not unit.has("evidence"):
        raise RunError(f"{unit.path}: holds no layer 'evidence', by which an interval is drawn; map the run again")
    prepared = _prepared(run.path)
    belief = Belief(prepared["water"], prepared["vegetation"])
    looks = []
    for number, sensor in enumerate(unit.facts["overbank:sensors"]):
        scene = _newest(unit, sensor)
        if scene is not None:
            cloud = _cloud(sensor, scene["id"], unit.facts["overbank:sensors"][sensor], prepared, draws)
            hours = abs((unit.at - _moment(scene["time"])).total_seconds()) / 3600.0
            looks.append(_look(2 * number, hours, cloud, belief))
    if not looks:
        raise RunError(f"{unit.path}: its item names no scene of the flood window; map the run again")
    stream = np.random.default_rng(1)
    water = WATER_PRIOR_STD * stream.standard_normal(draws)
    ratio = VEGETATION_RATIO_STD * stream.standard_normal(draws)
    return UnitDraws(
        belief,
        tuple(looks),
        prior=np.stack([water, water + ratio], axis=1).astype(np.float32),
        shore=_shore(unit, draws, stream).astype(np.float32),
    )


def _shore(unit: UnitFolder, draws: int, stream: np.random.Generator) -> NDArray[np.float64]:
    """Metres: evidence is summed, so the shore of the map lies anywhere between those of the finest radar and of the
    coarsest; of optics where no radar looked."""
    seen = sorted((CELL_M[sensor], sensor) for sensor in CELL_M if _newest(unit, sensor) is not None)
    if not seen:
        return OPTICAL_CELL_M * shore_shift(None, draws, stream)
    (finest, sensor), (coarsest, _) = seen[0], seen[-1]
    return stream.uniform(finest, coarsest, draws) * shore_shift(BAND_OF[sensor], draws, stream)


def _look(band: int, hours: float, cloud: EvidenceCloud, belief: Belief) -> LookDraws:
    def settled(llr: Float) -> Float:
        return relax_states(doubt_states(llr, belief.doubt), np.float32(hours), belief)

    flat = np.moveaxis(cloud.drawn, 0, 1)  # states first, as evidence is
    moves = np.moveaxis(settled(np.ascontiguousarray(flat)), 1, 0) - settled(cloud.table)
    return LookDraws(band, hours, cKDTree(doubt_states(cloud.table, belief.doubt).T), np.ascontiguousarray(moves))


def _cloud(sensor: str, scene: str, told: Mapping[str, Any], prepared: Mapping[str, Any], draws: int) -> EvidenceCloud:
    if sensor not in BAND_OF:
        return _optical(scene, draws)
    noise = prepared["noise_db"].get(scene, {})
    priors = prepared["priors"].get(scene, {})
    paired = bool(told.get("change_detection", False))
    return _radar(sensor, scene, float(told["looks"]), paired, json.dumps(noise), json.dumps(priors), draws)


@lru_cache(maxsize=32)
def _radar(sensor: str, scene: str, looks: float, paired: bool, noise: str, priors: str, draws: int) -> EvidenceCloud:
    classes = {
        polarization: {name: Backscatter(**prior) for name, prior in found.items()}
        for polarization, found in json.loads(priors).items()
    }
    look = RadarLook(BAND_OF[sensor], looks, json.loads(noise), paired, classes)
    return radar_cloud(look, draws, np.random.default_rng(crc32(scene.encode())))


@lru_cache(maxsize=32)
def _optical(scene: str, draws: int) -> EvidenceCloud:
    return optical_cloud(SURFACE_HAZE, draws, np.random.default_rng(crc32(scene.encode())))


def _newest(unit: UnitFolder, sensor: str) -> dict[str, str] | None:
    """The scene of a sensor that most of its pixels are of: the newest of the flood window."""
    scenes = [scene for scene in unit.facts["overbank:scenes"]["during"] if scene["sensor"] == sensor]
    return max(scenes, key=lambda scene: str(scene["time"]), default=None)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _prepared(run: Path) -> dict[str, Any]:
    """The findings of `map`."""
    try:
        found: dict[str, Any] = json.loads((run / PREPARED).read_text(encoding="utf-8"))["prepared"]
    except (OSError, ValueError, KeyError):
        raise RunError(f"{run / PREPARED}: cannot be read, and intervals rest on it; map the run again") from None
    return found
