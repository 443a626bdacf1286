"""What the pixels of each polygon of disagreement say: its reasons, what the other map has there, probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window
from scipy.ndimage import binary_dilation

from pipeline.classify import FLOODED_VEGETATION, OPEN_WATER
from pipeline.comparison.reasons import Witnesses, pixel_reasons, reason_names
from pipeline.comparison.strata import exclusion_sensors
from pipeline.layers import KINDS
from pipeline.run_folder import UnitFolder
from pipeline.vectors import CODE

Codes = NDArray[np.uint8]
Table = NDArray[np.int64]
ONLY_FIRST, ONLY_SECOND = 1, 2
"""Codes of a polygon: flood in the first map of a pair alone, or in the second."""
MOST_CODE = 8
"""Class codes within the area lie below."""


class PolygonSums:
    """Sums over the pixels of each of n polygons, whose number is their row."""

    def __init__(self, polygons: int, names: tuple[str, ...]) -> None:
        self.names = names
        """Of the reasons of all units."""
        self.reasons: Table = np.zeros((polygons, len(names)), dtype=np.int64)
        self.other: Table = np.zeros((polygons, MOST_CODE), dtype=np.int64)
        """By class code of the map that does not say flood."""
        self.percent: Table = np.zeros((2, polygons), dtype=np.int64)
        self.percents: Table = np.zeros((2, polygons), dtype=np.int64)
        """By map of the pair: sum of the probabilities in percent, and how many there are."""
        self.reason_km2 = np.zeros(len(names))


@dataclass(frozen=True, eq=False)
class _Pixels:
    """Some pixels of a window."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    polygon: NDArray[np.int64]
    side: NDArray[np.int64]
    edge: NDArray[np.bool_]

    def of(self, values: NDArray[Any]) -> NDArray[Any]:
        """Their values in (…, y, x), as (…, n)."""
        return values[..., self.rows, self.columns]


def flood_of(codes: Codes) -> NDArray[np.bool_]:
    """Open water or flooded vegetation."""
    return np.asarray((codes == OPEN_WATER) | (codes == FLOODED_VEGETATION))


def add_unit(unit: UnitFolder, between: tuple[str, str], polygons: geopandas.GeoDataFrame, sums: PolygonSums) -> None:
    """Add the pixels of a unit to the polygons they lie in; `polygons` are on its grid, with their `code`."""
    near = np.sort(polygons.sindex.query(unit.box.extent.geom, predicate="intersects"))
    if not near.size:
        return
    shapes = zip(polygons.geometry.iloc[near], (near + 1).tolist(), strict=True)
    numbers = rasterize(shapes, unit.box.shape.yx, transform=unit.box.affine, fill=0, dtype="int32")
    edge, side = _edge(unit, between), polygons[CODE].to_numpy()
    for window in unit.windows():
        here = numbers[window.toslices()]
        rows, columns = np.nonzero(here)
        if rows.size:
            polygon = here[rows, columns].astype(np.int64) - 1
            beside = edge[window.toslices()][rows, columns]
            _add_pixels(unit, between, window, _Pixels(rows, columns, polygon, side[polygon], beside), sums)


def _edge(unit: UnitFolder, between: tuple[str, str]) -> NDArray[np.bool_]:
    """(y, x) pixels beside one that is flood in both maps; what lies beyond the unit is not looked at."""
    both = np.zeros(unit.box.shape.yx, dtype=np.bool_)
    for window in unit.windows():
        first, second = (flood_of(unit.read(f"methods/{name}", window)[0]) for name in between)
        both[window.toslices()] = first & second
    return np.asarray(binary_dilation(both))


def _add_pixels(unit: UnitFolder, between: tuple[str, str], window: Window, some: _Pixels, sums: PolygonSums) -> None:
    codes = [some.of(unit.read(f"methods/{name}", window)[0]) for name in between]
    witnesses = _witnesses(unit, window, some)
    to_run = np.array([sums.names.index(name) for name in reason_names(witnesses.sensors)])
    for number in (ONLY_FIRST, ONLY_SECOND):
        mine = some.side == number
        said, other, other_map = codes[number - 1][mine], codes[2 - number][mine], between[2 - number]
        reasons = to_run[pixel_reasons(said, other, other_map, some.edge[mine], witnesses.at(mine))]
        np.add.at(sums.reasons, (some.polygon[mine], reasons), 1)
        np.add.at(sums.other, (some.polygon[mine], other), 1)
        sums.reason_km2 += np.bincount(reasons, minlength=len(sums.names)) * unit.pixel_km2
    for row, name in enumerate(between):
        if unit.has(f"probability/{name}"):
            percent = some.of(unit.read(f"probability/{name}", window)[0])
            seen = percent <= 100
            np.add.at(sums.percent[row], some.polygon[seen], percent[seen])
            np.add.at(sums.percents[row], some.polygon[seen], 1)


def _witnesses(unit: UnitFolder, window: Window, some: _Pixels) -> Witnesses:
    """What the sensors say of some pixels of a window; no sensor where the unit lacks the layers."""
    number = len(some.rows)
    if not unit.has("exclusion") or not unit.has("evidence"):
        return Witnesses((), np.zeros((0, number), dtype=np.uint16), np.zeros((0, 2, number), dtype=np.float32))
    kind, sensors = KINDS["evidence"], exclusion_sensors(unit)
    stored = some.of(unit.read("evidence", window))
    nats = np.where(stored == kind.nodata, np.nan, stored * kind.scale).astype(np.float32)
    return Witnesses(sensors, some.of(unit.read("exclusion", window)), nats.reshape(len(sensors), 2, number))
