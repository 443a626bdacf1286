"""A radar bundle as the compiled kernels read it: rows of pixels, tables and axes of each polarization."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Float, RadarBundle
from harmonization.incidence import angle_nodes
from harmonization.radar.class_tables import channel_table
from harmonization.radar.likelihood import FloatAxis, Table

Kind = TypeVar("Kind")

SLOTS = 2


class Channel(NamedTuple):
    """One polarization: the compiled code takes it apart by position."""

    power: Float
    """(pixel,) linear."""
    noise: Float
    """(pixel,) or (1,) linear."""
    values: Table
    plane: NDArray[np.int32]
    limits: tuple[np.float32, np.float32]
    """Intensity over noise between which the table is read."""
    axis: tuple[int, int, int]
    """Shift and first number of the intensities; intensities of a plane."""


class Channels(NamedTuple):
    """All polarizations of a bundle at known angles, or at the nodes that stand for an unknown one."""

    polarizations: int
    """How many."""
    channels: tuple[Channel, ...]
    """As many, filled up to `SLOTS` with the last: compiled code is then the same for one polarization and two."""
    angle: Float
    """(pixel,) degrees, or (1,) the middle of the mode's range where it is unknown."""
    nodes: Float
    """(n,) ln of the weights of the angles that stand for an unknown one; empty where angles are known."""


def channels_of(bundle: RadarBundle, names: tuple[str, ...], known: bool, threads: int = 1) -> Channels:
    """The polarizations of a bundle with their tables of the named classes; `threads` share the polarizations."""
    angles: Sequence[float] | None = None
    logs = np.zeros(0, dtype=np.float32)
    if known:
        assert bundle.angle is not None
        angle = np.ascontiguousarray(bundle.angle, dtype=np.float32).ravel()
    else:
        nodes, weights = angle_nodes(bundle.angle_range)
        angles, logs = tuple(nodes.tolist()), np.log(weights).astype(np.float32)
        angle = np.full(1, np.mean(bundle.angle_range), dtype=np.float32)
    with ThreadPoolExecutor(threads) as pool:
        channels = tuple(pool.map(lambda name: _channel(bundle, name, names, angle, angles), bundle.power))
    return Channels(len(channels), filled(channels), angle, logs)


def filled(things: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """A tuple filled up to `SLOTS`, or to twice as many, with its last."""
    slots = SLOTS if len(things) <= SLOTS else 2 * SLOTS
    return things + (slots - len(things)) * things[-1:]


def _channel(
    bundle: RadarBundle, polarization: str, names: tuple[str, ...], angle: Float, nodes: Sequence[float] | None
) -> Channel:
    table = channel_table(bundle, polarization, names, angle, nodes)
    power = np.ascontiguousarray(bundle.power[polarization], dtype=np.float32).ravel()
    axis = table.intensities
    return Channel(power, table.noise, table.values, table.plane, limits(axis), (axis.shift, axis.first, axis.size))


def limits(axis: FloatAxis) -> tuple[np.float32, np.float32]:
    """Values between which an axis is read: below its last node, so that there is always a next one."""
    return np.float32(2.0**axis.low), np.nextafter(np.float32(2.0**axis.high), np.float32(0.0))
