"""Stages of the radar evidence: from digital numbers and look-up tables, and from power alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence_speed import look, plain
from benchmarks.stages import Stage
from harmonization.bundle import RadarBundle
from harmonization.calibration import LookUpTable, look_up
from harmonization.radar.evidence import in_parts, weigh_radar

Array = NDArray[np.float32]
THREADS = os.cpu_count() or 1
STRIP = 32
"""Lines calibrated together: they stay in cache."""


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


def lines_of(table: LookUpTable, side: int) -> Array:
    """The lines of a table at every pixel: what is left is one straight line between two of them."""
    return look_up(table, table.lines[:, None], np.arange(side)).astype(np.float32)


def calibrated(
    numbers: NDArray[np.uint16],
    factor: tuple[Array, Array],
    noise: tuple[Array, Array],
    lines: Array,
    begin: int,
    end: int,
) -> None:
    """Power and noise floor of some lines, DN²/A² and eta/A², into two arrays."""
    rows, eta = factor[0], noise[0]
    for start in range(begin, end, STRIP):
        stop = min(start + STRIP, end)
        place = lines[start:stop]
        row = np.minimum(place.astype(int), rows.shape[0] - 2)
        share = (place - row)[:, None]
        amplitude = rows[row] + share * (rows[row + 1] - rows[row])
        scale = 1.0 / (amplitude * amplitude)
        values = numbers[start:stop].astype(np.float32)
        factor[1][start:stop] = values * values * scale
        noise[1][start:stop] = (eta[row] + share * (eta[row + 1] - eta[row])) * scale


def chain(side: int) -> Callable[[], Any]:
    """DN + look-up tables → evidence of two states from two polarizations, noise floor by pixel."""
    numbers, factor, noise, seen = swath(side)
    lines = np.linspace(0.0, 26.0, side, dtype=np.float32)

    def run() -> Any:
        rows = lines_of(factor, side)
        power, floors = {}, {}
        for name, values in numbers.items():
            power[name], floors[name] = np.empty((2, side, side), dtype=np.float32)
            into, eta = (rows, power[name]), (lines_of(noise[name], side), floors[name])
            in_parts(lambda a, b, v=values, f=into, n=eta: calibrated(v, f, n, lines, a, b), side, THREADS)  # type: ignore[misc]
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
