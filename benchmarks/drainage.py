"""Processor seconds and peak memory of the height above drainage of a basin, in a process of its own for each size.

    python -m benchmarks.drainage [--sides 1024 2048 4000]

The ground is smooth random relief of 30 m cells. 4000 cells a side are the most that one basin has.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from time import process_time

import numpy as np
from affine import Affine
from scipy import ndimage

from pipeline.drainage import PIXEL, height_above_drainage

GRID = Affine(PIXEL, 0.0, 0.0, 0.0, -PIXEL, 0.0)
KNOT = 64
"""Cells between the knots of the relief."""


def relief(side: int) -> np.ndarray:
    """(side, side) elevation in m, float32."""
    knots = np.random.default_rng(0).normal(200.0, 60.0, (side // KNOT + 2,) * 2).astype(np.float32)
    return np.asarray(ndimage.zoom(knots, KNOT, order=1)[:side, :side])


def main() -> None:
    """Print the table, or the figures of one size."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sides", type=int, nargs="+", default=[1024, 2048, 4000])
    arguments.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    told = arguments.parse_args()
    if told.measure:
        height_above_drainage(relief(256), GRID, 1.0)  # compiles
        elevation = relief(told.measure)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = process_time()
        height_above_drainage(elevation, GRID, 1.0)
        print(process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024.0)
        return
    print("| cells a side | processor seconds | million cells a second | MiB above the elevation |\n|---|---|---|---|")
    for side in told.sides:
        command = [sys.executable, "-m", "benchmarks.drainage", "--measure", str(side)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds, memory = (float(text) for text in said.split())
        print(f"| {side} | {seconds:.1f} | {side**2 / seconds / 1e6:.2f} | {memory:.0f} |", flush=True)


if __name__ == "__main__":
    main()
