"""Megapixels a second and peak memory of every stage of the harmonization, beside plain numpy and libraries.

    python -m benchmarks.harmonization [--side 4096] [--only NAME]

Every figure comes from a process of its own: a warm run first (compiled kernels, tables), then the best of three.
Peak memory is what the process held above its inputs.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import resource
import subprocess
import sys
from time import perf_counter

import benchmarks.stages
from benchmarks.stages import Stage, Work

REPEATS = 3


def stages() -> list[Stage]:
    """The stages of all modules of `benchmarks.stages`, in the order of their names."""
    modules = sorted(module.name for module in pkgutil.iter_modules(benchmarks.stages.__path__))
    return [stage for name in modules for stage in importlib.import_module(f"benchmarks.stages.{name}").STAGES]


def ways(stage: Stage) -> dict[str, Work]:
    """The ways of a stage by their names."""
    found = {"ours": stage.ours}
    if stage.plain:
        found["plain numpy"] = stage.plain
    if stage.library:
        found[stage.library[0]] = stage.library[1]
    return found


def measure(work: Work, side: int) -> tuple[float, float]:
    """Seconds of the best run, and MiB above the inputs at the peak of this process."""
    call = work(side)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call()
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return min(times), (peak - before) / 1024.0


def _alone(name: str, way: str, side: int) -> tuple[float, float]:
    """`measure` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.harmonization", "--side", str(side), "--measure", name, way]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, memory = said.split()[-2:]
    return float(seconds), float(memory)


def main() -> None:
    """Print the table, or one figure for the process that prints it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--side", type=int, default=4096)
    arguments.add_argument("--only", help="stages whose name holds this")
    arguments.add_argument("--measure", nargs=2, metavar=("STAGE", "WAY"), help=argparse.SUPPRESS)
    told = arguments.parse_args()
    if told.measure:
        stage = next(stage for stage in stages() if stage.name == told.measure[0])
        print(*measure(ways(stage)[told.measure[1]], told.side))
        return
    print(f"{told.side} x {told.side} pixels, float32\n")
    print("| stage | way | Mpx/s | ratio to plain numpy | MiB above inputs |")
    print("|---|---|---|---|---|")
    for stage in stages():
        if told.only and told.only not in stage.name:
            continue
        found = {way: _alone(stage.name, way, told.side) for way in ways(stage)}
        plain = found.get("plain numpy")
        for way, (seconds, memory) in found.items():
            ratio = f"{plain[0] / seconds:.2f}" if plain else "–"
            print(f"| {stage.name} | {way} | {told.side**2 / 1e6 / seconds:.1f} | {ratio} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
