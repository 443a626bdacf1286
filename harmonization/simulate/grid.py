"""Regular north-up grids and the exact average of one over the cells of another."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from harmonization.bundle import Float


@dataclass(frozen=True)
class Grid:
    """Square cells, north up, in metres of one projected coordinate system."""

    origin_x: float
    """Easting of the upper-left corner."""
    origin_y: float
    """Northing of the upper-left corner; rows go south."""
    pixel: float
    """Side of a cell, metres."""
    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.rows, self.columns

    def padded(self, cells: int) -> Grid:
        """The grid with `cells` more on every side (fewer where negative)."""
        return replace(
            self,
            origin_x=self.origin_x - cells * self.pixel,
            origin_y=self.origin_y + cells * self.pixel,
            rows=self.rows + 2 * cells,
            columns=self.columns + 2 * cells,
        )

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Easting (1, columns) and northing (rows, 1) of the cell centres."""
        easting = self.origin_x + (np.arange(self.columns) + 0.5) * self.pixel
        northing = self.origin_y - (np.arange(self.rows) + 0.5) * self.pixel
        return np.asarray(easting[None, :], np.float64), np.asarray(northing[:, None], np.float64)


def area_average(values: NDArray[np.floating], source: Grid, target: Grid) -> Float:
    """Mean of `values` on `source` over every cell of `target`, weighted by the area of overlap; (rows,
    columns).

    Exact for cells of any two sizes and offsets, so the mean is kept where cells nest. NaN where `source`
    does not cover the whole cell. Average linear power, never dB.
    """
    down = _overlap(-source.origin_y, source.pixel, source.rows, -target.origin_y, target.pixel, target.rows)
    across = _overlap(source.origin_x, source.pixel, source.columns, target.origin_x, target.pixel, target.columns)
    mean = (across @ (down @ values).T).T
    covered = np.outer(down.sum(axis=1), across.sum(axis=1)) > 1.0 - 1e-6
    return np.where(covered, mean, np.nan).astype(np.float32)


def _overlap(
    start: float, step: float, count: int, target_start: float, target_step: float, target_count: int
) -> sparse.csr_array:
    """Share of every target cell (row) that lies in every source cell (column) of one axis."""
    edges = (target_start + np.arange(target_count + 1) * target_step - start) / step
    first = np.floor(edges[:-1] + 1e-9).astype(np.int64)
    span = int(np.ceil(target_step / step)) + 1
    column = first[:, None] + np.arange(span)
    length = np.minimum(edges[1:, None], column + 1) - np.maximum(edges[:-1, None], column)
    share = np.clip(length, 0.0, None) * step / target_step
    row = np.broadcast_to(np.arange(target_count)[:, None], column.shape)
    inside = (column >= 0) & (column < count) & (share > 0.0)
    return sparse.csr_array((share[inside], (row[inside], column[inside])), shape=(target_count, count))
