"""Who speaks of a pixel in a finished run, in nats: its methods, read from their layers, and its sensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from harmonization.evidence import doubt
from pipeline.classify import FLOODED_VEGETATION, NOT_OBSERVABLE, OPEN_WATER, OUTSIDE
from pipeline.layers import KINDS
from pipeline.run_folder import RunFolder, UnitFolder

Real = NDArray[np.float32]
Mask = NDArray[np.bool_]

SENSOR = "sensor:"
"""What the name of an expert begins with that is a sensor's evidence, not a method's map."""
FLOOD = (OPEN_WATER, FLOODED_VEGETATION)
LEAST_PERCENT = 0.25
"""Middle of what a byte of 0 % stands for: 0 to half a percent; 6 nats [C]."""
RULE_NATS = 2.2
"""What a rule's yes or no is worth: it is taken to be right nine times in ten [M]."""
SENSOR_DOUBT = 0.05
"""Crossover of a sensor's raw evidence: its layer is stored without any doubt [M]."""


@dataclass(frozen=True, eq=False)
class Said:
    """What the experts of a run say of the same pixels (…)."""

    present: Real
    """(…) log-odds of flood as the delivered map has it, nats; 0 where it does not observe."""
    moves: Real
    """(K, …) nats by which full trust in each other expert would move it; 0 where that expert is blind."""
    observed: Mask
    """(…) True where the delivered map observes and the ground is not reference water."""

    def at(self, chosen: NDArray[np.intp]) -> Said:
        """These pixels of the flattened rest, with one axis (n,)."""
        flat = self.moves.reshape(len(self.moves), -1)[:, chosen]
        return Said(self.present.ravel()[chosen], flat, self.observed.ravel()[chosen])


def expert_names(run: RunFolder) -> tuple[str, ...]:
    """The experts beside the delivered map: other methods by name, then sensors as "sensor:NAME"."""
    methods = [name for name in run.methods if name != run.delivered]
    return (*methods, *(f"{SENSOR}{name}" for name in _sensors(run.units[0])))


def _sensors(unit: UnitFolder) -> tuple[str, ...]:
    """Sensors of the evidence layer, in the order of its bands, two bands each."""
    bands = unit.item["assets"].get("evidence", {}).get("raster:bands", [])
    return tuple(str(band["description"]).partition(" ")[0] for band in bands[::2])


def said_of(unit: UnitFolder, names: tuple[str, ...], window: Window | None = None) -> Said:
    """What the experts say of a unit, or of a window of it; `names` as `expert_names` gives them."""
    present, observed = _by_method(unit, unit.delivered, window)
    present = np.where(observed, present, np.float32(0.0))
    moves = np.zeros((len(names), *present.shape), dtype=np.float32)
    sensors = _by_sensor(unit, window)
    for row, name in enumerate(names):
        if name.startswith(SENSOR):
            moves[row] = sensors.get(name, np.float32(0.0))
        elif unit.has(f"methods/{name}"):
            log_odds, heard = _by_method(unit, name, window)
            moves[row] = np.where(heard & observed, log_odds - present, np.float32(0.0))
    return Said(present, moves, observed & (unit.read("reference_water", window)[0] != 1))


def _by_method(unit: UnitFolder, name: str, window: Window | None) -> tuple[Real, Mask]:
    """Log-odds of flood (y, x) by a method, and where it observes."""
    codes = unit.read(f"methods/{name}", window)[0]
    observed = ~np.isin(codes, (NOT_OBSERVABLE, OUTSIDE))
    if not unit.has(f"probability/{name}"):
        nats = np.where(np.isin(codes, FLOOD), np.float32(RULE_NATS), np.float32(-RULE_NATS))
        return nats.astype(np.float32), observed
    percent = unit.read(f"probability/{name}", window)[0]
    seen: Mask = observed & (percent <= 100)
    return log_odds_of_percent(percent), seen


def log_odds_of_percent(percent: NDArray[np.uint8]) -> Real:
    """Nats of whole percent; 0 and 100 as the middle of what they stand for."""
    share = np.clip(percent.astype(np.float32), LEAST_PERCENT, 100.0 - LEAST_PERCENT) / 100.0
    return np.asarray(np.log(share / (1.0 - share)), dtype=np.float32)


def _by_sensor(unit: UnitFolder, window: Window | None) -> dict[str, Real]:
    """Nats of wet against dry (y, x) by sensor, both wet states equally likely beforehand; 0 where it saw nothing."""
    names = _sensors(unit)
    if not names:
        return {}
    kind, found = KINDS["evidence"], {}
    stack = unit.read("evidence", window)
    for row, name in enumerate(names):
        pair = stack[2 * row : 2 * row + 2]
        seen = (pair != kind.nodata).all(axis=0)
        water, plants = (band * kind.scale for band in pair.astype(np.float64))
        wet = np.logaddexp(water, plants) - np.log(2.0)
        found[f"{SENSOR}{name}"] = np.where(seen, doubt(wet, SENSOR_DOUBT), 0.0).astype(np.float32)
    return found
