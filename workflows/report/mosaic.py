"""A run's units as one small array: what the pictures of a report are painted from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.vrt import WarpedVRT

from harmonization.reasons import Reason
from pipeline.compare import finished_units
from pipeline.ledger import read_item

LONGEST = 640
"""Pixels of a picture's longer side; memory does not grow with the run."""


@dataclass(frozen=True)
class Canvas:
    """The extent of all units on the run's grid, and by how much a picture is coarser."""

    crs: str
    affine: Affine
    """Of the full-resolution grid."""
    rows: int
    columns: int
    coarser: float
    """Grid pixels to one pixel of the picture, 1 or more."""
    units: tuple[tuple[Path, int, int, int, int], ...]
    """Folder, first row and column on the grid, height, width."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return max(1, round(self.rows / self.coarser)), max(1, round(self.columns / self.coarser))


def canvas_of(run: Path) -> Canvas:
    """The canvas over all finished units of a run; RunError if there are none."""
    folders = finished_units(run)
    told: list[dict[str, Any]] = [item["properties"] for folder in folders if (item := read_item(folder))]
    grids = [Affine(*one["proj:transform"]) for one in told]
    shapes = [one["proj:shape"] for one in told]
    step = grids[0].a
    west, north = min(grid.c for grid in grids), max(grid.f for grid in grids)
    places = [(round((north - grid.f) / step), round((grid.c - west) / step)) for grid in grids]
    rows = max(row + shape[0] for (row, _), shape in zip(places, shapes, strict=True))
    columns = max(column + shape[1] for (_, column), shape in zip(places, shapes, strict=True))
    units = tuple(
        (folder, row, column, shape[0], shape[1])
        for folder, (row, column), shape in zip(folders, places, shapes, strict=True)
    )
    affine = Affine(step, 0.0, west, 0.0, -step, north)
    return Canvas(told[0]["proj:code"], affine, rows, columns, max(1.0, max(rows, columns) / LONGEST), units)


def paint(canvas: Canvas, layer: str) -> NDArray[Any] | None:
    """A layer over the whole run, (bands, y, x) file values from its overviews; None where no unit has it.

    Where a unit is missing, the layer's nodata (or 0).
    """
    found: NDArray[Any] | None = None
    for folder, row, column, height, width in canvas.units:
        path = folder / f"{layer}.tif"
        if not path.is_file():
            continue
        top, bottom, left, right = (
            round(edge / canvas.coarser) for edge in (row, row + height, column, column + width)
        )
        with rasterio.open(path, driver="GTiff") as source:
            values = source.read(out_shape=(source.count, max(bottom - top, 1), max(right - left, 1)))
            if found is None:
                found = np.full((source.count, *canvas.shape), source.nodata or 0, dtype=values.dtype)
        spot = found[:, top:bottom, left:right]
        spot[:] = values[:, : spot.shape[1], : spot.shape[2]]
    return found


def paint_raster(canvas: Canvas, path: Path) -> NDArray[Any]:
    """Any raster's first band brought to the canvas by nearest value; 255 where it says nothing."""
    rows, columns = canvas.shape
    coarse = canvas.affine * Affine.scale(canvas.columns / columns, canvas.rows / rows)
    grid = {"crs": canvas.crs, "transform": coarse, "width": columns, "height": rows}
    with rasterio.open(path) as source:
        nodata = 255 if source.nodata is None else source.nodata
        with WarpedVRT(source, **grid, nodata=nodata) as warped:
            values: NDArray[Any] = warped.read(1)
    return np.where(values == nodata, 255, values)


@dataclass
class Blindness:
    """Why sensors said nothing, or less, of a run; in pixels at full resolution."""

    inside: int
    nowhere: int
    """Not observable by any sensor."""
    reasons: dict[str, Counter[Reason]]
    """By sensor."""


def blindness_of(run: Path) -> Blindness:
    """Count the exclusion layers of a run, unit by unit."""
    found = Blindness(0, 0, {})
    for classes, sensors, reasons in _exclusions(run):
        inside = classes != 255
        found.inside += int(inside.sum())
        found.nowhere += int((classes == 4).sum())
        for sensor, flags in zip(sensors, reasons, strict=True):
            counts = found.reasons.setdefault(sensor, Counter())
            for reason in Reason:
                counts[reason] += int((((flags & reason.value) != 0) & inside).sum())
    return found


def _exclusions(run: Path) -> Iterator[tuple[NDArray[Any], tuple[str, ...], NDArray[Any]]]:
    for folder in finished_units(run):
        with rasterio.open(folder / "flood_class.tif", driver="GTiff") as source:
            classes = source.read(1)
        with rasterio.open(folder / "exclusion.tif", driver="GTiff") as source:
            yield classes, tuple(str(name) for name in source.descriptions), source.read()
