"""Stages of the radar evidence: from digital numbers and look-up tables, and from power alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence_speed import look, plain
from benchmarks.stages import Stage
from harmonization.bundle import RadarBundle
from harmonization.calibration import LookUpTable, calibrate_with_noise, look_up
from harmonization.radar.evidence import weigh_radar

Array = NDArray[np.float32]
THREADS = os.cpu_count() or 1


def swath(side: int) -> tuple[dict[str, NDArray[np.uint16]], LookUpTable, dict[str, LookUpTable], RadarBundle]:
    """Digital numbers of two polarizations, the calibration, the noise (per polarization), and the look itself."""
    seen = look(side, 0.3, 1)
    lines, pixels = np.linspace(0.0, side - 1.0, 27), np.linspace(0.0, side - 1.0, 655)
    factor = LookUpTable(lines, pixels, np.broadcast_to(np.linspace(500.0, 620.0, 655), (27, 655)).copy())
    shape = 10 ** (0.15 * np.cos(np.linspace(0.0, 9.0, 655)) + 0.01 * np.arange(27)[:, None] / 27)
    noise = {
        name: LookUpTable(lines, pixels, float(floor) * shape * factor.values**2) for name, floor in seen.noise.items()
    }
    amplitude = look_up(factor, np.arange(side)[:, None], np.arange(side)).astype(np.float32)
    numbers = {name: np.rint(np.sqrt(power) * amplitude).astype(np.uint16) for name, power in seen.power.items()}
    return numbers, factor, noise, seen


def chain(side: int) -> Callable[[], Any]:
    """DN + look-up tables → evidence of two states from two polarizations, noise floor by pixel."""
    numbers, factor, noise, seen = swath(side)

    def run() -> Any:
        with ThreadPoolExecutor(THREADS) as pool:
            told = list(pool.map(lambda name: calibrate_with_noise(numbers[name], factor, noise[name]), numbers))
        power, floors = ({name: pair[k] for name, pair in zip(numbers, told, strict=True)} for k in (0, 1))
        return weigh_radar("radar", replace(seen, power=power, noise=floors), threads=THREADS)

    return run


def plain_chain(side: int) -> Callable[[], Any]:
    """The same numbers through numpy: calibrated alike, then two Gaussians in dB."""
    numbers, factor, _, seen = swath(side)

    def run() -> Array:
        amplitude = look_up(factor, np.arange(side)[:, None], np.arange(side)).astype(np.float32)
        power = {name: (values / amplitude) ** 2 for name, values in numbers.items()}
        return plain(replace(seen, power=power))

    return run


def one_look(side: int) -> Callable[[], Any]:
    """Power → evidence, one noise floor."""
    seen = look(side, 0.3, 1)
    return lambda: weigh_radar("radar", seen, threads=THREADS)


def two_looks(side: int) -> Callable[[], Any]:
    """Power of two dates → joint evidence."""
    seen, past = look(side, 0.3, 1), look(side, 0.05, 2)
    return lambda: weigh_radar("radar", seen, past, threads=THREADS)


def plain_one_look(side: int) -> Callable[[], Any]:
    seen = look(side, 0.3, 1)
    return lambda: plain(seen)


STAGES = [
    Stage("radar chain: DN + LUTs → evidence, 2 states, 2 polarizations", chain, plain_chain),
    Stage("radar evidence, one look, 2 polarizations", one_look, plain_one_look),
    Stage("radar evidence, pair of looks, 2 polarizations", two_looks),
]
