"""What is flooded, with a 95 % interval that knows what the pixels of a scene have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from harmonization.area_draws import drawn_sums
from harmonization.bundle import Float
from harmonization.terrain import HEIGHT_DOUBT
from pipeline.classify import DRY, FLOODED_VEGETATION, NOT_OBSERVABLE, OPEN_WATER, OUTSIDE
from pipeline.run_folder import RunFolder, UnitFolder
from pipeline.scene_draws import DRAWS, UnitDraws, unit_draws

Real = NDArray[np.float64]
Mask = NDArray[np.bool_]

CONFIDENCE = 0.95
SAMPLED = 16_384
"""Pixels of a window on which draws are made, evenly through it; the mean is that of all pixels."""
NOT_OBSERVED = 255
"""Of probability layers."""
HALF_COUNT = 0.005
"""Half of the step in which probabilities are written."""
UNDER_HALF_COUNT = HALF_COUNT * (1.0 - HEIGHT_DOUBT) / -np.log(HEIGHT_DOUBT)
"""Probability of a pixel that is written as 0 %, where the evidence alone would say more: its ground lowered it, by up
to ln 50 nats (docs/physics.md, section 7). Mean over that range, even in log-odds [C]."""


@dataclass(frozen=True)
class Interval:
    """A quantity with its 95 % interval."""

    low: float
    mean: float
    high: float
    """Without what nobody saw; `FloodSums.interval` says what becomes of that."""


@dataclass(eq=False)
class FloodSums:
    """Weighted sums over the pixels of one place: square kilometres, people, buildings. All are (weight,)."""

    weights: int = 1
    draws: int = DRAWS
    total: Real = field(init=False)
    """All pixels inside of the run's area."""
    unseen: Real = field(init=False)
    """Those that the method could not observe."""
    mapped: Real = field(init=False)
    """Those that its map has as flooded."""
    expected: Real = field(init=False)
    """Weight times probability of flood."""
    variance: Real = field(init=False)
    """Weight squared times p(1 - p): what the pixels vary by on their own."""
    drawn: Real = field(init=False)
    """(draw, weight) `expected` with each draw's errors, of evidence and of shores."""

    def __post_init__(self) -> None:
        self.total, self.unseen, self.mapped, self.expected, self.variance = np.zeros((5, self.weights))
        self.drawn = np.zeros((self.draws, self.weights))

    def interval(self, weight: int = 0) -> Interval:
        """What of the observed part is flooded: mean and quantiles of the draws, each pixel's own chance added."""
        own = np.random.default_rng(2).standard_normal(self.draws) * np.sqrt(self.variance[weight])
        sums = np.clip(self.drawn[:, weight] + own, 0.0, self.total[weight] - self.unseen[weight])
        tail = 50.0 * (1.0 - CONFIDENCE)
        low, high = np.percentile(sums, [tail, 100.0 - tail])
        return Interval(float(low), float(sums.mean()), float(high))


@dataclass(frozen=True, eq=False)
class FloodWindow:
    """A window of a unit by one method: what is flooded in it, and how likely."""

    draws: UnitDraws | None
    """None of methods that tell no probability: nothing is drawn."""
    pixel_km2: float
    percent: NDArray[np.uint8]
    """(y · x,) 255 where not observed."""
    flood: Mask
    """(y · x,) as mapped."""
    inside: Mask
    never: Mask
    """(y · x,) reference water: no flood, whatever is drawn."""
    evidence: NDArray[np.int16]
    """(band, y · x) file values."""
    shore: Float
    """(y · x,) length of the shore along a dry pixel, in sides of a pixel."""

    def add(self, sums: FloodSums, pixels: NDArray[np.int64], weights: Real) -> None:
        """Add pixels of the window, by their place in it, with (weight, pixel) weights, to the sums of a place."""
        kept = self.inside[pixels]
        pixels, weights = pixels[kept], weights[:, kept]
        seen = self.percent[pixels] != NOT_OBSERVED
        sums.total += weights.sum(axis=1)
        sums.unseen += weights[:, ~seen].sum(axis=1)
        sums.mapped += weights[:, self.flood[pixels]].sum(axis=1)
        open_to_flood = seen & ~self.never[pixels]
        if self.draws is not None and open_to_flood.any():
            self._draw(self.draws, sums, pixels[open_to_flood], weights[:, open_to_flood])

    def _draw(self, draws: UnitDraws, sums: FloodSums, pixels: NDArray[np.int64], weights: Real) -> None:
        counted = self.percent[pixels] / 100.0
        some = np.unique(np.linspace(0, pixels.size - 1, min(SAMPLED, pixels.size)).astype(np.int64))
        scale = pixels.size / some.size
        log_odds, like = draws.weigh(self.evidence[:, pixels[some]])
        log_odds = as_mapped(log_odds, counted[some])
        chosen = weights[:, some] * scale
        wet = 1.0 / (1.0 + np.exp(-np.logaddexp(*log_odds.astype(np.float64))))
        # The mean of all pixels: the written counts, and what they leave out by the sample.
        expected = weights @ counted + chosen @ (wet - counted[some])
        base = chosen @ wet
        drawn = drawn_sums(log_odds, like, draws.moves, draws.prior, chosen.astype(np.float32))
        sums.expected += expected
        sums.drawn += drawn * np.divide(expected, base, out=np.ones_like(base), where=base > 0.0)
        side = 1000.0 * np.sqrt(self.pixel_km2)
        sums.drawn += np.outer(draws.shore / side, weights @ self.shore[pixels])
        sums.variance += (weights[:, some] ** 2 * scale) @ (wet * (1.0 - wet))


def as_mapped(log_odds: Float, probability: Real) -> Float:
    """(2, pixel) log-odds of physics moved, both states alike, to the probability of flood that a method gave.

    Probabilities are written in steps of 1 %: within its step that log-odds is taken which is nearest to physics. A
    pixel that is written as 0 % although its evidence says more was lowered by its ground: `UNDER_HALF_COUNT`.
    """
    physics = np.logaddexp(*log_odds.astype(np.float64))
    low = _logit(np.maximum(probability - HALF_COUNT, 1e-9))
    high = _logit(np.minimum(probability + HALF_COUNT, 1.0 - 1e-9))
    wanted = np.clip(physics, low, high)
    wanted = np.where((probability == 0.0) & (physics > high), _logit(UNDER_HALF_COUNT), wanted)
    return np.asarray(log_odds + (wanted - physics), dtype=np.float32)


def _logit(share: Real | float) -> Real:
    return np.asarray(np.log(share) - np.log1p(-np.asarray(share)))


def flood_window(unit: UnitFolder, method: str, window: Window, draws: UnitDraws | None) -> FloodWindow:
    """Read what a method says of a window, and the evidence that it rests on; without `draws` its classes alone."""
    classes = unit.read(f"methods/{method}", window)[0]
    codes = classes.ravel()
    flood = np.isin(classes, (OPEN_WATER, FLOODED_VEGETATION))
    if draws is None:
        percent, evidence = 100 * flood.ravel(), np.zeros((0, *classes.shape), dtype=np.int16)
    else:
        percent, evidence = unit.read(f"probability/{method}", window)[0].ravel(), unit.read("evidence", window)
    reference = unit.read("reference_water", window)[0].ravel()
    return FloodWindow(
        draws=draws,
        pixel_km2=unit.pixel_km2,
        percent=np.where(codes == NOT_OBSERVABLE, NOT_OBSERVED, percent).astype(np.uint8),
        flood=flood.ravel(),
        inside=codes != OUTSIDE,
        never=reference == 1,
        evidence=evidence.reshape(evidence.shape[0], codes.size),
        shore=shore_length(flood, classes == DRY).ravel(),
    )


def shore_length(flood: Mask, dry: Mask) -> Float:
    """(y, x) length of the shore along each dry pixel, in sides of a pixel: pi/4 of its edges towards flood.

    Edges of pixels are longer than the line they follow by 4/pi, over all directions. The window's own rim is no shore.
    """
    edges = np.zeros(flood.shape, dtype=np.float32)
    for axis in (0, 1):
        wet, land = np.moveaxis(flood, axis, 0), np.moveaxis(dry, axis, 0)
        count = np.moveaxis(edges, axis, 0)
        count[1:] += wet[:-1] & land[1:]
        count[:-1] += wet[1:] & land[:-1]
    return np.asarray(np.float32(np.pi / 4.0) * edges)


def has_probability(run: RunFolder, method: str) -> bool:
    """Whether a method tells probabilities in every unit: rules do not, and have no interval."""
    return all(unit.has(f"probability/{method}") for unit in run.units)


def area_interval(run: RunFolder, method: str) -> Interval | None:
    """Flooded area of a run in km² by a method, without a reference: low, mean and high of 95 %; None of rules.

    Of what the method observed; what it did not is nobody's to tell (`overbank zones` counts it into the upper end).
    From the calibrated probability, with the errors that all pixels of a scene share drawn `DRAWS` times
    (`scene_draws`): the interval does not shrink with the number of pixels. Memory is that of a window.
    """
    if not has_probability(run, method):
        return None
    sums = FloodSums()
    for unit in run.units:
        draws = unit_draws(run, unit)
        for window in unit.windows():
            flood = flood_window(unit, method, window, draws)
            pixels = np.arange(flood.percent.size)
            flood.add(sums, pixels, np.full((1, pixels.size), unit.pixel_km2))
    return sums.interval()
