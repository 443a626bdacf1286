"""How often the 95 % interval of flooded area covers the truth: ours, and that of a pixel bootstrap.

    OMP_NUM_THREADS=1 python -m benchmarks.area_intervals --root DIR [--floods 200] [--first-seed 30000] [--size 256]

Simulated floods, physics alone, both radars and optics under clouds. Wind is drawn evenly from 2 to 8 m/s, for each
window of each flood; what the plants and soil of a class have in common in one area varies by 0.71 of the class's
spread (half of its variance). A finished flood is kept as one line of DIR/floods.jsonl and not made again, so the
command can be stopped and started. Seeds from 30000 on are for reporting alone: nothing was chosen by them.

The pixel bootstrap draws the pixels of the map anew, with replacement (Efron 1979), once as it is classified and once
as its probabilities say. Its interval asks how much the area would vary if each pixel erred on its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonization.simulate.ground import Variety
from pipeline.area_interval import area_interval
from pipeline.run_folder import RunFolder, open_run
from workflows.compare import compare
from workflows.map import map_flood
from workflows.simulate import TRUTH, job_text, simulate

METHOD = "physics"
VARIETY = Variety(wind=(2.0, 8.0), class_offset=0.71)
DRAWN = 400
"""Draws of the bootstrap."""
DONE = "floods.jsonl"
WAYS = {
    "scene's shared errors (`area_interval`)": "ours",
    "pixel bootstrap of classes": "classes",
    "pixel bootstrap of probabilities": "probabilities",
}


def bootstrap(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    """95 % interval of the sum of some pixels, drawn anew with replacement.

    Values of few levels are drawn by how often each level comes (the same law, without drawing each pixel).
    """
    levels, counts = np.unique(values, return_counts=True)
    stream = np.random.default_rng(seed)
    sums = stream.multinomial(values.size, counts / values.size, DRAWN) @ levels
    low, high = np.percentile(sums, [2.5, 97.5])
    return float(low), float(high)


def one_flood(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Simulate and map one flood, and the intervals of its area."""
    catalog, run = folder / "catalog", folder / "run"
    simulate(catalog, size, seed, variety=VARIETY)
    job = folder / "job.yaml"
    job.write_text(job_text(seed, folder="catalog/", methods=[METHOD]), encoding="utf-8")
    map_flood(job, run)
    found = compare(run, catalog / TRUTH)["methods"][METHOD]
    opened = open_run(run)
    ours = area_interval(opened, METHOD)
    assert ours is not None
    flood, probability = _pixels(opened)
    km2 = opened.units[0].pixel_km2
    return {
        "seed": seed,
        "size": size,
        "true": found["true_area_km2"],
        "mapped": found["area_km2"],
        "mean": ours.mean,
        "ours": [ours.low, ours.high],
        "classes": [km2 * end for end in bootstrap(flood, seed)],
        "probabilities": [km2 * end for end in bootstrap(probability, seed)],
    }


def _pixels(run: RunFolder) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whether each observed pixel is mapped as flooded, and its probability of it."""
    flood, probability = [], []
    for unit in run.units:
        percent = unit.read(f"probability/{METHOD}")[0]
        seen = percent != 255
        flood.append(np.isin(unit.read(f"methods/{METHOD}")[0][seen], (1, 2)).astype(np.float64))
        probability.append(percent[seen] / 100.0)
    return np.concatenate(flood), np.concatenate(probability)


def table(floods: Sequence[Mapping[str, Any]]) -> str:
    """Share of intervals that hold the truth, by way, and how wide they are."""
    lines = [
        "| interval | floods | holds the truth | too low | too high | median width, share of the truth |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    true = np.array([flood["true"] for flood in floods])
    for name, key in WAYS.items():
        low, high = np.array([flood[key] for flood in floods]).T
        below, above = true > high, true < low
        shares = [1.0 - (below | above).mean(), below.mean(), above.mean()]
        cells = [f"{100.0 * share:.1f} %" for share in shares] + [f"{np.median((high - low) / true):.2f}"]
        lines.append(f"| {name} | {true.size} | {' | '.join(cells)} |")
    ratio = np.array([flood["mapped"] for flood in floods]) / true
    spread = ", ".join(f"{value:.2f}" for value in np.percentile(ratio, [2.5, 50, 97.5]))
    return "\n".join(lines) + f"\n\nMapped area over true area, 2.5, 50 and 97.5 percentile: {spread}\n"


def finished(path: Path) -> list[dict[str, Any]]:
    """What earlier runs of the command made; a line that was cut off does not count."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--floods", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=30000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--keep", action="store_true", help="keep the runs")
    told = parser.parse_args()
    told.root.mkdir(parents=True, exist_ok=True)
    done = told.root / DONE
    wanted = range(told.first_seed, told.first_seed + told.floods)
    there = {(flood["seed"], flood["size"]) for flood in finished(done)}
    for seed in wanted:
        if (seed, told.size) in there:
            continue
        folder = told.root / f"{told.size}_{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        flood = one_flood(folder, told.size, seed)
        with done.open("a", encoding="utf-8") as file:
            file.write(json.dumps(flood) + "\n")
        print({name: np.round(value, 3) for name, value in flood.items()}, flush=True)
        if not told.keep:
            shutil.rmtree(folder)
    print(table([flood for flood in finished(done) if flood["seed"] in wanted and flood["size"] == told.size]))


if __name__ == "__main__":
    main()
