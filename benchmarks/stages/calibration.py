"""Stages of the calibration of Sentinel-1 GRD: a whole window, tables as coarse as those of a real product."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.stages import Stage
from harmonization.border_noise import border_noise
from harmonization.calibration import (
    LookUpTable,
    NoiseBlock,
    calibrate,
    calibrate_with_noise,
    noise_equivalent,
    subtract_noise,
)

Real = NDArray[np.float64]
LINES, PIXELS = 667, 40
"""Samples between the vectors of a table, and between the values of one."""
AZIMUTH = 10
"""Lines between the values of the azimuth noise."""


def inputs(side: int) -> tuple[NDArray[np.float32], LookUpTable, LookUpTable, list[NoiseBlock]]:
    """Amplitude numbers, the table of gamma0, that of the noise and its blocks, as IW GRDH has them."""
    stream = np.random.default_rng(0)
    lines, pixels = np.arange(0.0, side + LINES, LINES), np.arange(0.0, side + PIXELS, PIXELS)
    across = np.linspace(614.0, 470.0, pixels.size)
    factor = LookUpTable(lines, pixels, across * stream.uniform(0.999, 1.001, (lines.size, 1)))
    noise = LookUpTable(lines, pixels, np.linspace(2400.0, 900.0, pixels.size) * np.ones((lines.size, 1)))
    along = np.arange(0.0, side + AZIMUTH, AZIMUTH)
    edges = np.linspace(0, side, 4).astype(int)
    blocks = [
        NoiseBlock(0, side - 1, int(first), int(last) - 1, along, stream.uniform(0.9, 1.1, along.size))
        for first, last in pairwise(edges)
    ]
    dn = np.sqrt(stream.gamma(4.4, 20_000.0 / 4.4, (side, side)).astype(np.float32)).round()
    return dn, factor, noise, blocks


def power(side: int) -> Callable[[], Any]:
    dn, factor, _, _ = inputs(side)
    return lambda: calibrate(dn, factor)


def _grid(table: LookUpTable, side: int) -> NDArray[np.float32]:
    """A table at every sample: across once a row, then along."""
    rows = np.stack([np.interp(np.arange(side), table.pixels, row) for row in table.values]).astype(np.float32)
    line = np.arange(side)
    node = np.clip(np.searchsorted(table.lines, line, side="right") - 1, 0, table.lines.size - 2)
    down = ((line - table.lines[node]) / np.diff(table.lines)[node]).astype(np.float32)[:, None]
    upper = rows[node]
    return upper + down * (rows[node + 1] - upper)


def plain_power(side: int) -> Callable[[], Any]:
    dn, factor, _, _ = inputs(side)

    def work() -> NDArray[np.float32]:
        found = np.square(dn / _grid(factor, side))
        found[dn == 0] = np.nan
        return found

    return work


def library_power(side: int) -> Callable[[], Any]:
    """xarray-sentinel: the same arithmetic in xarray, given the table and the axes of the image."""
    import xarray
    from xarray_sentinel import calibrate_intensity

    dn, factor, _, _ = inputs(side)
    axes = {"line": np.arange(side), "pixel": np.arange(side)}
    image = xarray.DataArray(dn, axes, ("line", "pixel"))
    table = xarray.DataArray(
        factor.values.astype(np.float32), {"line": factor.lines, "pixel": factor.pixels}, ("line", "pixel")
    )
    return lambda: calibrate_intensity(image, table).values


def power_and_noise(side: int) -> Callable[[], Any]:
    dn, factor, noise, blocks = inputs(side)
    return lambda: calibrate_with_noise(dn, factor, noise, blocks)


def plain_power_and_noise(side: int) -> Callable[[], Any]:
    dn, factor, noise, blocks = inputs(side)

    def work() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        squared = np.square(_grid(factor, side))
        found = np.square(dn) / squared
        found[dn == 0] = np.nan
        floor = _grid(noise, side) / squared
        for block in blocks:
            lines = np.arange(block.first_line, block.last_line + 1)
            along = np.interp(lines, block.lines, block.factor).astype(np.float32)[:, None]
            floor[lines[0] : lines[-1] + 1, block.first_pixel : block.last_pixel + 1] *= along
        return found, floor

    return work


def noise_at_places(side: int) -> Callable[[], Any]:
    """NESZ where the pixels of a map lie in the image: turned by 12 degrees."""
    _, factor, noise, blocks = inputs(side)
    turn = np.radians(12.0)
    down, across = np.mgrid[0:side, 0:side] - side / 2.0
    line = np.clip(down * np.cos(turn) - across * np.sin(turn) + side / 2.0, 0, side - 1)
    pixel = np.clip(down * np.sin(turn) + across * np.cos(turn) + side / 2.0, 0, side - 1)
    return lambda: noise_equivalent(noise, blocks, factor, line, pixel)


def border(side: int) -> Callable[[], Any]:
    dn, factor, noise, blocks = inputs(side)
    dn[:, :300] = 3.0
    found, floor = calibrate_with_noise(dn, factor, noise, blocks)
    return lambda: border_noise(found, floor)


def without_noise(side: int) -> Callable[[], Any]:
    found, floor = calibrate_with_noise(*inputs(side))
    return lambda: subtract_noise(found, floor)


STAGES = [
    Stage("calibration of Sentinel-1: DN to gamma0", power, plain_power, ("xarray-sentinel", library_power)),
    Stage("calibration of Sentinel-1: DN to gamma0 and NESZ", power_and_noise, plain_power_and_noise),
    Stage("NESZ on the grid of a map", noise_at_places),
    Stage("border noise, whole image", border),
    Stage("noise taken off", without_noise),
]
