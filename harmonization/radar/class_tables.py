"""Tables of all classes of a channel at once: what one pass over the pixels reads.

A plane holds ln p(I | class) at one angle and one noise floor, intensity by class, the class innermost: a pixel reads a
row of all classes at each of the nodes around it. Planes lie on one lattice of angle and noise, whatever part of a
scene is asked for, so that neighbouring units agree to the byte; only those are made that pixels fall between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Float, Quantity, RadarBundle
from harmonization.classes import EXTRAPOLATION_STD, FITTED_ANGLES, Backscatter
from harmonization.incidence import class_mean
from harmonization.radar.likelihood import FloatAxis, Table, class_columns, intensity_axis
from harmonization.radar.priors import class_prior, polarization_weight

LANES = 16
"""Classes that a row has room for: one cache line of float32."""
ANGLE_STEP = 0.5
"""Degrees between nodes: straight lines miss water at L-HH, the steepest, by 0.002 nat [C]."""
ANGLES = (5.0, 85.0)
"""Degrees between which an angle is taken at its word."""
NOISE_AXIS = FloatAxis(-17, 0, bits=4)
"""Linear noise floors, -51 to 0 dB; below, no class feels it."""

Index = NDArray[np.int32]

_STEP = np.float32(ANGLE_STEP)
_FIRST_ANGLE, _LAST_ANGLE = np.float32(ANGLES[0]), np.float32(ANGLES[1])
_ANGLE_COUNT = round((ANGLES[1] - ANGLES[0]) / ANGLE_STEP) + 1
_NOISE_SHIFT, _NOISE_FIRST, _NOISE_COUNT = NOISE_AXIS.shift, NOISE_AXIS.first, NOISE_AXIS.size
_NOISE_LOW, _NOISE_HIGH = NOISE_AXIS.low, NOISE_AXIS.high
_RUN = 256
"""Pixels whose cells are taken together: along a line they hardly differ."""
_TIGHT = 8
"""Cells between the first and the last of a run up to which all between them count as used."""


@dataclass(frozen=True, eq=False)
class ChannelTable:
    """The planes of one polarization that some pixels need."""

    values: Table
    """(plane · intensity, class) nats."""
    plane: Index
    """(angle, noise) number of the plane; -1 where no pixel needs it."""
    noise: Float
    """(y · x,) linear, or (1,) where it is the same everywhere."""
    intensities: FloatAxis


def channel_table(
    bundle: RadarBundle, polarization: str, names: tuple[str, ...], angle: Float, nodes: Sequence[float] | None = None
) -> ChannelTable:
    """The table of one polarization of a bundle for the named classes, at most `LANES` of them.

    `angle` (y · x,) degrees, NaN where unknown. `nodes`: planes at these angles instead, for pixels without one.
    """
    given = bundle.noise[polarization]
    noise = np.ravel(np.asarray(given, dtype=np.float32))
    floors = NOISE_AXIS.nodes()
    if np.ndim(given) == 0:
        noise = np.clip(noise, np.float32(floors[0]), np.float32(floors[-1]))
        floors = noise.astype(np.float64)
    angles = node_angles() if nodes is None else np.asarray(nodes)
    used = _cells_used(angle if nodes is None else np.full(1, ANGLES[0], np.float32), noise)
    used = used[:, : floors.size] if nodes is None else np.repeat(used[:1, : floors.size], len(angles), axis=0)
    plane = np.where(used, np.cumsum(used).reshape(used.shape) - 1, -1).astype(np.int32)
    priors = tuple(class_prior(bundle, polarization, name) for name in names)
    fixed = priors, bundle.quantity, round(bundle.looks, 3), polarization_weight(polarization)
    planes = [_plane(*fixed, float(angles[row]), float(floors[column])) for row, column in np.argwhere(used)]
    values = _joined(planes)
    return ChannelTable(values, plane, noise, intensity_axis(bundle.looks))


def _joined(planes: Sequence[Table]) -> Table:
    """Planes one after the other, each row in one cache line; one empty row where there is none."""
    rows = max(sum(plane.shape[0] for plane in planes), 1)
    room = np.zeros(rows * LANES + LANES, dtype=np.float32)
    start = -(room.ctypes.data // room.itemsize) % LANES
    values = room[start : start + rows * LANES].reshape(rows, LANES)
    if planes:
        np.concatenate(planes, out=values)
    return values


def node_angles() -> NDArray[np.float64]:
    """Degrees of the lattice."""
    return np.asarray(ANGLES[0] + ANGLE_STEP * np.arange(_ANGLE_COUNT), dtype=np.float64)


@lru_cache(maxsize=2048)
def _plane(
    priors: tuple[Backscatter, ...], quantity: Quantity, looks: float, weight: float, angle: float, noise: float
) -> Table:
    """(intensity, LANES) nats of the classes at one angle and noise floor, times the weight of the polarization."""
    means, stds = np.zeros(LANES), np.full(LANES, min(prior.std for prior in priors))
    for lane, prior in enumerate(priors):
        means[lane] = class_mean(prior, angle, quantity) - 10.0 * np.log10(noise)
        stds[lane] = spread(prior, angle)
    # Always all lanes: the sums are then taken in one way, whatever the classes.
    columns = class_columns(means, stds, min(prior.std for prior in priors), looks) - np.float32(np.log(noise))
    columns[:, len(priors) :] = 0.0
    return np.asarray(np.float32(weight) * columns, dtype=np.float32)


def spread(prior: Backscatter, angle: float) -> float:
    """Spread of a class at an angle, dB: wider by what is not known of its mean outside of the fitted angles."""
    outside = max(FITTED_ANGLES[0] - angle, angle - FITTED_ANGLES[1], 0.0)
    return float(np.hypot(prior.std, EXTRAPOLATION_STD * outside))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _cells_used(angle: Float, noise: Float) -> NDArray[np.bool_]:
    """(angle, noise) nodes around the pixels, run by run; only the first noise where it is the same everywhere."""
    used = np.zeros((_ANGLE_COUNT, _NOISE_COUNT), dtype=np.bool_)
    size, same_angle, same_noise = max(angle.size, noise.size), angle.size == 1, noise.size == 1
    rows, columns = np.empty(_RUN, dtype=np.int32), np.empty(_RUN, dtype=np.int32)
    for start in range(0, size, _RUN):
        count = min(_RUN, size - start)
        _rows_of(angle if same_angle else angle[start : start + count], rows)
        first_row, last_row = _ends(rows[: 1 if same_angle else count], _ANGLE_COUNT)
        _columns_of(noise if same_noise else noise[start : start + count], columns)
        first_column, last_column = _ends(columns[: 1 if same_noise else count], _NOISE_COUNT)
        if same_noise:
            first_column, last_column = 0, -1
        if (last_row - first_row) * (last_column - first_column) <= _TIGHT:
            used[first_row : last_row + 2, first_column : last_column + 2] = last_row >= 0
            continue
        for index in range(count):
            row, column = rows[0 if same_angle else index], columns[index]
            if row >= 0:
                used[row : row + 2, column : column + 2] = True
    return used


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _rows_of(angle: Float, rows: Index) -> None:
    """Nodes before some angles; -1 where one is unknown."""
    for index in range(angle.size):
        theta = angle[index]
        place = np.int32((min(max(theta, _FIRST_ANGLE), _LAST_ANGLE) - _FIRST_ANGLE) / _STEP)
        rows[index] = place if theta == theta else np.int32(-1)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _columns_of(noise: Float, columns: Index) -> None:
    """Nodes before some noise floors; the first where one is unknown."""
    low, high = np.float32(2.0**_NOISE_LOW), np.float32(2.0**_NOISE_HIGH)
    floors = columns.view(np.float32)
    for index in range(noise.size):
        floors[index] = min(noise[index], high) if noise[index] > low else low
    for index in range(noise.size):
        columns[index] = (columns[index] >> np.int32(_NOISE_SHIFT)) - np.int32(_NOISE_FIRST)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _ends(nodes: Index, beyond: int) -> tuple[int, int]:
    """First and last of some nodes, leaving out -1; (beyond, -1) where there is none."""
    first, last = np.int32(beyond), np.int32(-1)
    for index in range(nodes.size):
        node = nodes[index]
        first = min(first, node if node >= 0 else np.int32(beyond))
        last = max(last, node)
    return int(first), int(last)
