"""Every way to fuse on simulated floods that no network has seen: with all sensors, and with each one missing.

    python -m benchmarks.simulated_floods --root DIR [--events 8] [--first-seed 5000] [--every N] [--weights DIR …]

Chips are made below `--root` by the flow that maps (kept, and used again). `--weights` are checkpoints and folders of
late fusion; by default all that are shipped. All pixels of known truth count, the same for every way: where a way has
nothing to go by, it answers with its prior. Pooled IoU of flood (open water and flooded vegetation) and, with all
sensors, of flooded vegetation alone; calibration error of P(flood) in twenty bins of equal counts; and the most nats by
which a way moved the physics of all sensors, where it fuses them. A second table tells what the bound costs: the IoU of
what each fused way aims at, and the most that any way can reach within the bound.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.ombria_folds import SharedExperts
from models.contract import BOUND, CONTRACT, LATE, Rule, shipped, shipped_names
from models.data.chips import UNKNOWN
from models.data.sources import ChipSource, FolderSource, Subset
from models.early import SENSORS
from models.judging.answers import answer_of
from models.judging.baselines import index_rule, physics_alone
from models.judging.calibrate import flood_probability, unbounded
from models.judging.evaluate import CalibrationCount
from models.judging.turns import Answer
from workflows.training_data import QUIET_EVERY, make_event_chips

SIZE = 512
VEGETATION = 2
LIMIT = "the truth, held within the bound"
CONDITIONS: dict[str, tuple[str, ...]] = {"all": (), **{f"without {name}": (name,) for name in SENSORS}}


@dataclass
class Tally:
    """What one way made of the pixels so far."""

    flood: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, dtype=np.int64))
    """Intersection and union."""
    vegetation: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, dtype=np.int64))
    aim: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, dtype=np.int64))
    """Of flood, were what the way aims at not held within the bound about the physics."""
    reliability: CalibrationCount = field(default_factory=CalibrationCount)
    furthest: float = 0.0
    """Most nats by which a log-odds was moved from the physics of all sensors."""

    def add(self, log_odds: NDArray[np.float32], physics: NDArray[np.float32], truth: NDArray[np.uint8]) -> None:
        known = truth != UNKNOWN
        probability = flood_probability(log_odds)
        likeliest = np.concatenate([np.zeros((1, *truth.shape)), log_odds]).argmax(axis=0)
        self.flood += _overlap(probability > 0.5, truth > 0, known)
        aim = unbounded(physics.astype(np.float64), log_odds.astype(np.float64), BOUND)
        self.aim += _overlap(flood_probability(aim) > 0.5, truth > 0, known)
        self.vegetation += _overlap(likeliest == VEGETATION, truth == VEGETATION, known)
        self.reliability.add(probability[known], truth[known] > 0)
        self.furthest = max(self.furthest, float(np.abs(log_odds - physics).max()))


def _overlap(found: NDArray[np.bool_], true: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.array([(found & true & known).sum(), ((found | true) & known).sum()])


def chips_of(root: Path, first_seed: int, events: int) -> ChipSource:
    for seed in range(first_seed, first_seed + events):
        make_event_chips(root, root / "chips", seed, SIZE, flood=seed % QUIET_EVERY != 0)
    return FolderSource(root / "chips")


def ways(weights: Sequence[Path], device: str) -> Iterator[tuple[str, Answer]]:
    """Rules, physics, and every network of the folders; the rules of late fusion share its experts."""
    yield "NDWI", index_rule("optical", "ndwi")
    yield "physics", physics_alone
    for folder in weights:
        if not (folder / LATE).is_file():
            yield folder.name, answer_of([folder], device=device)
            continue
        for expert in sorted(path.parent for path in folder.glob(f"*/{CONTRACT}")):
            yield f"expert {expert.name}", answer_of([expert], device=device)
        rules = get_args(Rule)
        shared = SharedExperts(folder, rules, device)
        for rule in rules:
            yield f"late {rule}", shared.answer(rule)


def truth_within_bound(physics: NDArray[np.float32], truth: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(S, y, x) the flood that nobody can better: all states moved by the whole bound to where the truth lies."""
    return np.where(truth > 0, physics + BOUND, physics - BOUND).astype(np.float32)


def tallies(source: ChipSource, answers: Mapping[str, Answer], hidden: Sequence[str]) -> dict[str, Tally]:
    found = {name: Tally() for name in (*answers, LIMIT)}
    for index in range(len(source)):
        inputs, truth = source.read(index)
        inputs = inputs.without(dict.fromkeys(hidden, True))
        for name, answer in answers.items():
            found[name].add(answer(inputs).log_odds, inputs.physics, truth)
        found[LIMIT].add(truth_within_bound(inputs.physics, truth), inputs.physics, truth)
    return found


def table(found: Mapping[str, Mapping[str, Tally]]) -> str:
    heads = [
        "way",
        *(f"IoU {name}" for name in found),
        "IoU flooded vegetation",
        "calibration error",
        "moved by ≤ nats",
    ]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name, whole in found["all"].items():
        ious = [tallies[name].flood for tallies in found.values()] + [whole.vegetation]
        cells = [f"{over / max(total, 1):.3f}" for over, total in ious]
        fuses = name != "NDWI" and not name.startswith("expert")
        cells += [f"{whole.reliability.error:.3f}", f"{whole.furthest:.3f}" if fuses else "–"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def bound_table(found: Mapping[str, Mapping[str, Tally]]) -> str:
    """What the bound costs: flood IoU of each fused way as it is, and of what it aims at."""
    heads = ["way", *(f"{name}: {what}" for name in found for what in ("held", "aim"))]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name in found["all"]:
        if name in ("NDWI", "physics") or name.startswith("expert"):
            continue
        pairs = [pair for tallies in found.values() for pair in (tallies[name].flood, tallies[name].aim)]
        lines.append(f"| {name} | " + " | ".join(f"{over / max(total, 1):.3f}" for over, total in pairs) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--events", type=int, default=8)
    parser.add_argument("--first-seed", type=int, default=5000)
    parser.add_argument("--weights", type=Path, nargs="*", help="by default what comes with the package")
    parser.add_argument("--conditions", default=",".join(CONDITIONS))
    parser.add_argument("--every", type=int, default=1, help="one chip in so many, to be done sooner")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", default="auto")
    told = parser.parse_args()
    chips = chips_of(told.root, told.first_seed, told.events)
    source = Subset(chips, range(0, len(chips), told.every))
    answers = dict(ways(told.weights or [shipped(name) for name in shipped_names()], told.device))
    asked = {name: CONDITIONS[name] for name in told.conditions.split(",")}
    found = {name: tallies(source, answers, hidden) for name, hidden in asked.items()}
    text = f"{table(found)}\n{bound_table(found)}"
    print(f"{len(source)} chips of {told.events} events from seed {told.first_seed} on\n\n{text}")
    if told.out is not None:
        told.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
