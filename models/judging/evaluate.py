"""How good answers are on a data set: counts by chip, calibration, and an interval over groups of chips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.contract import sensor_of
from models.data.chips import UNKNOWN, Truth
from models.data.sources import ChipSource
from models.inputs import CONTEXT, ModelInput
from models.judging.calibrate import flood_probability
from models.judging.turns import Answer
from models.output import Float

Counts = NDArray[np.int64]
"""(…, 4): hits, false alarms, misses, correct dry pixels."""
Progress = Callable[[str], None]

BINS = 20
"""Of the reliability curve, with equal numbers of pixels each."""
DRAWS = 2000
"""Of the bootstrap."""
EACH = 8
"""Pixels from one that tells the share of flood in its group to the next: neighbours say the same."""
LEVEL = 0.95
"""Of its interval."""
_FINE, _REACH = 4000, 20.0
"""Log-odds are counted in so many steps between ± so many nats; beyond, probabilities differ by less than 1e-8."""


@dataclass(eq=False)
class CalibrationCount:
    """Pixels by what was said of them: small, however many pixels there are."""

    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_FINE, dtype=np.int64))
    floods: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_FINE, dtype=np.int64))
    said: NDArray[np.float64] = field(default_factory=lambda: np.zeros(_FINE))
    """Sum of the probabilities of each step."""

    def add(self, probability: Float, flooded: NDArray[np.bool_]) -> None:
        """Count pixels, both (n,)."""
        with np.errstate(divide="ignore"):
            log_odds = np.log(probability.astype(np.float64)) - np.log1p(-probability.astype(np.float64))
        step = np.clip((log_odds / _REACH + 1.0) * (_FINE / 2), 0, _FINE - 1).astype(np.int64)
        self.pixels += np.bincount(step, minlength=_FINE)
        self.floods += np.bincount(step[flooded], minlength=_FINE)
        self.said += np.bincount(step, weights=probability.astype(np.float64), minlength=_FINE)

    def curve(self, bins: int = BINS) -> list[tuple[float, float, int]]:
        """(mean probability said, share of flood found, pixels) of bins with about equal numbers of pixels.

        A bin is never cut within a step, so probabilities that many pixels share make one larger bin.
        """
        total = int(self.pixels.sum())
        middle = np.cumsum(self.pixels) - self.pixels / 2
        index = np.minimum((middle / max(total, 1) * bins).astype(np.int64), bins - 1)
        pixels, floods, said = (np.bincount(index, values, bins) for values in (self.pixels, self.floods, self.said))
        rows = zip(said, floods, pixels, strict=True)
        return [(float(s / n), float(f / n), int(n)) for s, f, n in rows if n]

    @property
    def error(self) -> float:
        """Expected calibration error: mean over pixels of |said - found| of their bin (Naeini et al. 2015, AAAI)."""
        curve = self.curve()
        total = sum(pixels for *_, pixels in curve)
        return sum(abs(said - found) * pixels for said, found, pixels in curve) / max(total, 1)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was found on the chips of a source under one condition."""

    names: Sequence[str]
    groups: Sequence[str]
    counts: Counts
    """(chip, 4)."""
    observed: float
    """Share of the known pixels that a sensor saw; the others count with the answer of the prior."""
    reliability: CalibrationCount

    @property
    def flood_iou(self) -> float:
        """Intersection over union of flood, of the pixels of all chips."""
        return float(flood_iou(self.counts.sum(axis=0)))

    @property
    def interval(self) -> tuple[float, float]:
        """`LEVEL` interval of the pooled flood IoU, see `bootstrap_interval`."""
        return bootstrap_interval(self.counts, resampled(self.groups, self.names))


def evaluate(
    source: ChipSource,
    answers: Mapping[str, Answer],
    without: Sequence[str] = (),
    say: Progress = lambda _: None,
    shifts: Mapping[str, Float] | None = None,
) -> dict[str, Evaluation]:
    """Let every answer map every chip and count, by name; each pixel with a known truth counts, observed or not.

    Flood is where the states together are likelier than dry. A chip is read once, and goes through all answers before
    the next, so that answers may share what they make of it. `without`: sensors that are hidden, with their earlier
    looks; what a chip does not have is hidden already. `shifts`: by group, (S,) nats by which its prior differs from
    that of the training data (`group_shifts`).
    """
    counts: dict[str, list[list[int]]] = {name: [] for name in answers}
    reliability = {name: CalibrationCount() for name in answers}
    known_pixels, seen_pixels = 0, 0
    for index, group in enumerate(source.groups):
        inputs, truth = source.read(index)
        inputs, known = inputs.without(dict.fromkeys(without, True)), truth != UNKNOWN
        for name, answer in answers.items():
            log_odds = answer(inputs).log_odds
            if shifts is not None:
                log_odds = log_odds + shifts[group][:, None, None]
            probability = flood_probability(log_odds)
            counts[name].append(count(probability > 0.5, truth))
            reliability[name].add(probability[known], truth[known] > 0)
        known_pixels += int(known.sum())
        seen_pixels += int((seen(inputs) & known).sum())
        if (index + 1) % 50 == 0:
            say(f"{index + 1} of {len(source)} chips")
    observed = seen_pixels / max(known_pixels, 1)
    return {
        name: Evaluation(source.names, source.groups, np.array(rows).reshape(-1, 4), observed, reliability[name])
        for name, rows in counts.items()
    }


def group_shifts(
    source: ChipSource, answer: Answer, shift_of: Callable[[Float], Float], without: Sequence[str] = ()
) -> dict[str, Float]:
    """Return by group what `shift_of` makes of its answers: (S, n) log-odds to (S,) nats; no truth is looked at.

    A group is a scene: one event, with one share of flood. Every `EACH`-th pixel of both axes is taken, where a sensor
    saw it.
    """
    told: dict[str, list[Float]] = {}
    for index, group in enumerate(source.groups):
        inputs = source.read(index)[0].without(dict.fromkeys(without, True))
        log_odds = answer(inputs).log_odds[:, ::EACH, ::EACH]
        told.setdefault(group, []).append(log_odds[:, seen(inputs)[::EACH, ::EACH]])
    return {group: shift_of(np.concatenate(found, axis=1)) for group, found in told.items()}


def state_shares(source: ChipSource, states: int) -> tuple[float, ...]:
    """Return the shares of dry and each state among the known pixels of a source: the prior it teaches."""
    pixels = np.zeros(states + 1, dtype=np.int64)
    for index in range(len(source)):
        truth = source.read(index)[1]
        pixels += np.bincount(np.minimum(truth[truth != UNKNOWN], states), minlength=states + 1)
    return tuple((pixels / max(int(pixels.sum()), 1)).tolist())


def seen(inputs: ModelInput) -> NDArray[np.bool_]:
    """(y, x) True where a sensor of the moment observed: earlier looks and terrain alone say nothing of now."""
    masks = [inputs.presence[name] for name in inputs.modalities if name == sensor_of(name) and name not in CONTEXT]
    anywhere: NDArray[np.bool_] = np.logical_or.reduce([np.zeros(inputs.shape, np.bool_), *masks])
    return anywhere


def count(mapped: NDArray[np.bool_], truth: Truth) -> list[int]:
    """Hits, false alarms, misses and correct dry pixels where the truth is known; every state of it is flood."""
    known, flooded = truth != UNKNOWN, (truth > 0) & (truth != UNKNOWN)
    hit, alarm = int((mapped & flooded).sum()), int((mapped & known & ~flooded).sum())
    miss = int(flooded.sum()) - hit
    return [hit, alarm, miss, int(known.sum()) - hit - alarm - miss]


def flood_iou(counts: Counts) -> NDArray[np.float64]:
    """(…, 4) to (…): intersection over union of flood; 1 where there is none and none was mapped."""
    hit, alarm, miss, _ = np.moveaxis(counts, -1, 0)
    return _ratio(hit, hit + alarm + miss)


def two_class_miou(counts: Counts) -> NDArray[np.float64]:
    """(…, 4) to (…): mean of the IoU of flood and of background, each 1 where it is empty in truth and map.

    The mean of this over chips is what the papers on OMBRIA call IoU; it is larger than the pooled flood IoU.
    """
    hit, alarm, miss, dry = np.moveaxis(counts, -1, 0)
    return (_ratio(hit, hit + alarm + miss) + _ratio(dry, dry + alarm + miss)) / 2.0


def resampled(groups: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    """What a bootstrap draws: groups, or chips where all are of one group (then the interval is too narrow)."""
    return groups if len(set(groups)) > 1 else names


def bootstrap_interval(counts: Counts, groups: Sequence[str], draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """Interval of the pooled flood IoU when groups are drawn with replacement (percentiles; Efron 1979).

    Neighbouring chips are one event: drawn one by one they would feign more places than there are.
    """
    names = sorted(set(groups))
    index = np.array([names.index(group) for group in groups])
    sums = np.stack([np.bincount(index, counts[:, column], len(names)) for column in range(4)], axis=-1)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=draws)
    drawn = flood_iou(np.rint(weights @ sums).astype(np.int64))
    low, high = np.quantile(drawn, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return float(low), float(high)


def _ratio(part: Counts, whole: Counts) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), 1.0)


def scores_of(found: Evaluation) -> dict[str, Any]:
    """The scores of one condition as they are written down.

    `pooled`: over the pixels of all chips; `per_chip`: means over chips with a known pixel; `ece`: expected
    calibration error of the flood probability; `interval`: of the pooled IoU; `reliability`: (said, found, pixels) a
    bin.
    """
    pooled = found.counts.sum(axis=0)
    judged = found.counts[found.counts.any(axis=1)]
    hit, alarm, miss, dry = (int(value) for value in pooled)
    drawn = "groups" if len(set(found.groups)) > 1 else "chips"
    right = judged[:, [0, 3]].sum(axis=1)
    return {
        "pooled": {
            "flood_iou": found.flood_iou,
            "flood_f1": 2 * hit / (2 * hit + alarm + miss) if hit + alarm + miss else 1.0,
            "flood_share": (hit + miss) / max(hit + alarm + miss + dry, 1),
        },
        "per_chip": {
            "two_class_miou": float(two_class_miou(judged).mean()),
            "pixel_accuracy": float(_ratio(right, judged.sum(axis=1)).mean()),
        },
        "ece": found.reliability.error,
        "interval": {"flood_iou": list(found.interval), "level": LEVEL, "drawn": drawn},
        "chips": len(found.names),
        "groups": len(set(found.groups)),
        "observed": found.observed,
        "reliability": found.reliability.curve(),
    }
