"""Forward models over a whole scene: open water from its table, bare soil from moisture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from benchmarks.stages import Stage
from harmonization.dielectric import soil_permittivity
from harmonization.scattering.soil import oh_1992
from harmonization.scattering.water_table import ANGLE, WIND, water_table

FREQUENCY = 5.405
"""GHz."""


def weather(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Wind in m/s and angle in degrees of every pixel."""
    stream = np.random.default_rng(0)
    wind = stream.uniform(2.0, 12.0, (side, side)).astype(np.float32)
    return wind, np.broadcast_to(np.linspace(30.0, 45.0, side, dtype=np.float32), (side, side)).copy()


def from_table(side: int) -> Callable[[], Any]:
    wind, angle = weather(side)
    table = water_table(FREQUENCY)
    return lambda: table.look_up("VV", wind, angle)


def from_table_plain(side: int) -> Callable[[], Any]:
    wind, angle = weather(side)
    decibel = water_table(FREQUENCY).decibel["VV"]

    def bilinear() -> NDArray[np.float32]:
        rows = np.log(wind / WIND[0]) / np.log(WIND[1] / WIND[0])
        columns = (angle - ANGLE[0]) / (ANGLE[1] - ANGLE[0])
        row = np.clip(rows.astype(np.int32), 0, len(WIND) - 2)
        column = np.clip(columns.astype(np.int32), 0, len(ANGLE) - 2)
        down, right = rows - row, columns - column
        above = decibel[row, column] * (1 - right) + decibel[row, column + 1] * right
        below = decibel[row + 1, column] * (1 - right) + decibel[row + 1, column + 1] * right
        power = 10.0 ** ((above * (1 - down) + below * down) / 10.0)
        known = (rows >= 0) & (rows <= len(WIND) - 1) & (columns >= 0) & (columns <= len(ANGLE) - 1)
        return np.where(known, power, np.nan).astype(np.float32)

    return bilinear


def from_table_scipy(side: int) -> Callable[[], Any]:
    wind, angle = weather(side)
    decibel = water_table(FREQUENCY).decibel["VV"]
    grid = RegularGridInterpolator((np.log(WIND), ANGLE), decibel, bounds_error=False)
    return lambda: (10.0 ** (grid((np.log(wind), angle)) / 10.0)).astype(np.float32)


def soil(side: int) -> Callable[[], Any]:
    stream = np.random.default_rng(0)
    moisture = stream.uniform(0.05, 0.4, (side, side))
    roughness = stream.uniform(0.005, 0.03, (side, side))
    return lambda: oh_1992(FREQUENCY, soil_permittivity(FREQUENCY, moisture), roughness, 38.5)


STAGES = [
    Stage("open water, two-scale, by its table", from_table, from_table_plain, ("scipy", from_table_scipy)),
    # Plain numpy is how it is written: no other way to hold it against.
    Stage("bare soil, Mironov 2009 and Oh 1992", soil),
]
