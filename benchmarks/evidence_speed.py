"""Speed of the radar evidence: `python -m benchmarks.evidence_speed [--sides 1024 2048] [--repeats 3]`.

Dual-polarization C band with a known angle, one look and a pair of looks, tables warm; as a yardstick the same run
takes the plain thing: two Gaussians in dB, two polarizations, in numpy float32. Wall time is the
median of the repeats; processor time, which a busy machine disturbs less, the least of them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import RadarBundle
from harmonization.radar.evidence import weigh_radar

LEVELS = {"VV": (0.08, 0.012), "VH": (0.016, 0.0006)}
"""Mean power of land and water."""
NOISE = {"VV": 0.004, "VH": 0.003}
LOOKS = 36.0


def look(side: int, water_share: float, seed: int) -> RadarBundle:
    """A square of land and water, pixel by pixel."""
    rng = np.random.default_rng(seed)
    wet = rng.random((side, side)) < water_share
    power = {
        name: ((np.where(wet, water, land) + NOISE[name]) * rng.gamma(LOOKS, 1 / LOOKS, (side, side))).astype(
            np.float32
        )
        for name, (land, water) in LEVELS.items()
    }
    angle = np.broadcast_to(np.linspace(32.0, 42.0, side, dtype=np.float32), (side, side)).copy()
    reasons = np.zeros((side, side), dtype=np.uint16)
    return RadarBundle(
        "C",
        power,
        "gamma0",
        angle,
        (30.0, 45.0),
        NOISE,
        False,
        LOOKS,
        reasons,
        datetime(2024, 1, 1, tzinfo=UTC),
    )


def plain(bundle: RadarBundle) -> NDArray[np.float32]:
    """Log-likelihood ratio of two Gaussians in dB, summed over the polarizations: what plain numpy costs."""
    assert bundle.angle is not None
    total = np.zeros(bundle.angle.shape, dtype=np.float32)
    for name, water, dry in (("VV", -18.2, -10.0), ("VH", -34.0, -17.0)):
        level = np.float32(10.0) * np.log10(bundle.power[name]) + np.float32(0.2) * (bundle.angle - np.float32(38.5))
        total += ((level - np.float32(dry)) ** 2 - (level - np.float32(water)) ** 2) / np.float32(12.5)
    return total


def seconds(task: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Wall time of a run, the median of the repeats, and processor time of all threads, the least of them."""
    task()
    taken, worked = [], []
    for _ in range(repeats):
        start, begun = time.perf_counter(), time.process_time()
        task()
        taken.append(time.perf_counter() - start)
        worked.append(time.process_time() - begun)
    return statistics.median(taken), min(worked)


def by_pixel(bundle: RadarBundle) -> RadarBundle:
    """The same with a noise floor that goes from -1 to +1 dB along the lines."""
    side = bundle.reasons.shape[1]
    slope = np.broadcast_to(10 ** (0.1 * np.linspace(-1.0, 1.0, side)), (side, side))
    noise = {name: (slope * floor).astype(np.float32) for name, floor in bundle.noise.items()}
    return replace(bundle, noise=noise)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2048])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for side in options.sides:
        now, past = look(side, 0.3, 1), look(side, 0.05, 2)
        varied = by_pixel(now)
        tasks: dict[str, Callable[[], object]] = {
            "plain numpy, two Gaussians": partial(plain, now),
            "one look": partial(weigh_radar, "radar", now),
            "one look, two threads": partial(weigh_radar, "radar", now, threads=2),
            "one look, noise by pixel": partial(weigh_radar, "radar", varied),
            "pair of looks": partial(weigh_radar, "radar", now, past),
            "pair of looks, two threads": partial(weigh_radar, "radar", now, past, threads=2),
        }
        for name, task in tasks.items():
            wall, worked = seconds(task, options.repeats)
            pixels = side * side
            print(
                f"{side:5d}² {name:28s} {pixels / wall / 1e6:7.2f} Mpx/s {1e9 * worked / pixels:6.0f} ns of CPU a pixel"
            )


if __name__ == "__main__":
    main()
