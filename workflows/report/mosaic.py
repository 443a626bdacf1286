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
from odc.geo.geobox import GeoBox
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from catalogs.lonlat import bbox_around
from harmonization.reasons import Reason
from pipeline.classify import NOT_OBSERVABLE, OUTSIDE
from pipeline.comparison.outlines import is_vector
from pipeline.comparison.reference import open_reference
from pipeline.ledger import read_item
from pipeline.run_folder import finished_units, open_run

FINE, COARSE = 1024, 512
"""Pixels of a picture's longer side, of class maps and of all others; memory does not grow with the run."""


@dataclass(frozen=True)
class Canvas:
    """The extent of all units on the run's grid, and by how much a picture is coarser.

    Units of several zones are shown together on an equirectangular grid about their middle.
    """

    crs: str
    affine: Affine
    """Of the full-resolution grid."""
    rows: int
    columns: int
    coarser: float
    """Grid pixels to one pixel of the picture, 1 or more."""
    units: tuple[tuple[Path, int, int, int, int], ...]
    """Folder, first row and column on the grid, height, width."""
    one_zone: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return max(1, round(self.rows / self.coarser)), max(1, round(self.columns / self.coarser))


def canvas_of(run: Path, longest: int = COARSE) -> Canvas:
    """The canvas over all finished units of a run; RunError if there are none."""
    folders = finished_units(run)
    items: list[dict[str, Any]] = [item for folder in folders if (item := read_item(folder))]
    told: list[dict[str, Any]] = [item["properties"] for item in items]
    codes = {one["proj:code"] for one in told}
    one_zone = len(codes) == 1
    crs = str(told[0]["proj:code"]) if one_zone else _common_crs(items)
    step = Affine(*told[0]["proj:transform"]).a
    frames = [_bounds(one, crs) for one in told]
    west, north = min(frame[0] for frame in frames), max(frame[3] for frame in frames)
    edges = [
        (
            round((north - top) / step),
            round((left - west) / step),
            round((top - low) / step),
            round((right - left) / step),
        )
        for left, low, right, top in frames
    ]
    rows, columns = max(row + height for row, _, height, _ in edges), max(left + width for _, left, _, width in edges)
    units = tuple((folder, *edge) for folder, edge in zip(folders, edges, strict=True))
    affine = Affine(step, 0.0, west, 0.0, -step, north)
    return Canvas(crs, affine, rows, columns, max(1.0, max(rows, columns) / longest), units, one_zone)


def _common_crs(items: list[dict[str, Any]]) -> str:
    """Metres east and north of the middle, true along its parallel; longitudes run on across the antimeridian."""
    west, south, east, north = bbox_around([item["bbox"] for item in items])
    middle = (west + (east if east >= west else east + 360.0)) / 2
    return f"+proj=eqc +lon_0={middle:.4f} +lat_ts={(south + north) / 2:.4f} +datum=WGS84 +units=m"


def _bounds(told: dict[str, Any], crs: str) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of a unit in a CRS."""
    (height, width), grid = told["proj:shape"], Affine(*told["proj:transform"])
    own = (grid.c, grid.f + height * grid.e, grid.c + width * grid.a, grid.f)
    if told["proj:code"] == crs:
        return own
    left, bottom, right, top = transform_bounds(told["proj:code"], crs, *own)
    return left, bottom, right, top


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
            fill = source.nodata or 0
            if found is None:
                found = np.full((source.count, *canvas.shape), fill, dtype=source.dtypes[0])
            spot = found[:, top : max(bottom, top + 1), left : max(right, left + 1)]
            if canvas.one_zone:
                values = source.read(out_shape=(source.count, max(bottom - top, 1), max(right - left, 1)))
                spot[:] = values[:, : spot.shape[1], : spot.shape[2]]
            elif spot.size:
                grid = _coarse(canvas) * Affine.translation(left, top)
                _paint_over(spot, source, {"crs": canvas.crs, "transform": grid}, fill)
    return found


def band_names(canvas: Canvas, layer: str) -> tuple[str, ...]:
    """What a layer's bands are called, by the first unit that has it; none where no unit has it."""
    paths = (folder / f"{layer}.tif" for folder, *_ in canvas.units)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return ()
    with rasterio.open(path, driver="GTiff") as source:
        return tuple(str(name) for name in source.descriptions)


def _paint_over(spot: NDArray[Any], source: rasterio.DatasetReader, grid: dict[str, Any], fill: float) -> None:
    """A unit of any zone onto its spot by nearest value; units overlap there, and what one leaves out stays."""
    height, width = spot.shape[1:]
    with WarpedVRT(source, **grid, height=height, width=width, add_alpha=True) as warped:
        *values, seen = warped.read()
    told = np.stack(values)
    np.copyto(spot, told, where=(seen > 0) & (told != fill))


def _coarse(canvas: Canvas) -> Affine:
    rows, columns = canvas.shape
    return canvas.affine * Affine.scale(canvas.columns / columns, canvas.rows / rows)


def paint_reference(canvas: Canvas, path: Path) -> NDArray[Any]:
    """A reference on the canvas: a raster's first band by nearest value, or polygons as 1 in 0; 255 where not known."""
    if is_vector(path):
        box = GeoBox(canvas.shape, _coarse(canvas), canvas.crs)
        flood, known = open_reference(path).on(box, "flood")
        return np.where(known, flood.astype(np.uint8), np.uint8(255))
    rows, columns = canvas.shape
    grid = {"crs": canvas.crs, "transform": _coarse(canvas), "width": columns, "height": rows}
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
    """Count the exclusion layers of a run, window by window."""
    found = Blindness(0, 0, {})
    for classes, sensors, reasons in _exclusions(run):
        inside = classes != OUTSIDE
        found.inside += int(inside.sum())
        found.nowhere += int((classes == NOT_OBSERVABLE).sum())
        for sensor, flags in zip(sensors, reasons, strict=True):
            _count(found.reasons.setdefault(sensor, Counter()), flags[inside])
    return found


def _count(counts: Counter[Reason], flags: NDArray[np.uint16]) -> None:
    """Each combination of reasons is counted once, then told to its reasons: there are few of them."""
    together = np.bincount(flags)
    for combination in np.flatnonzero(together):
        for reason in Reason:
            if combination & reason.value:
                counts[reason] += int(together[combination])


def _exclusions(run: Path) -> Iterator[tuple[NDArray[Any], tuple[str, ...], NDArray[Any]]]:
    for unit in open_run(run).units:
        with (
            rasterio.open(unit.raster("flood_class"), driver="GTiff") as classes,
            rasterio.open(unit.raster("exclusion"), driver="GTiff") as exclusion,
        ):
            sensors = tuple(str(name) for name in exclusion.descriptions)
            for window in unit.windows():
                yield classes.read(1, window=window), sensors, exclusion.read(window=window)
