"""Sums by zone over the windows of a run: each pixel weighs its area, its people, its share of a building."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from rasterio.windows import Window

from pipeline.area_interval import NOT_OBSERVED, FloodSums, FloodWindow, flood_window
from pipeline.run_folder import RunFolder, UnitFolder
from pipeline.scene_draws import unit_draws
from pipeline.zones.exposure import Exposure, features_on, on_box
from pipeline.zones.shapes import Zones

Real = NDArray[np.float64]
Pixels = NDArray[np.int64]
LARGEST_FEATURE = 64
"""Pixels a side up to which a feature is looked at; of a larger one, the part around its middle."""
UNSEEN, SEEN = -1.0, 0.0


@dataclass(eq=False)
class ZoneSums:
    """What was found of one zone: all sums have the weights (km2, then one an exposure)."""

    flood: FloodSums
    unknown_km2: Real
    """(exposure,) area inside of the run for which its raster says nothing."""


def zone_sums(
    run: RunFolder, method: str, zones: Zones, exposures: Sequence[Exposure], said: Callable[[str], None]
) -> list[ZoneSums]:
    """Sums of every zone, in their order. Memory is that of a window and of the zones' shapes.

    Where the run has several grids, their units overlap by a pixel and a half: what lies there counts twice.
    """
    found = [ZoneSums(FloodSums(1 + len(exposures)), np.zeros(len(exposures))) for _ in range(len(zones.frame))]
    for crs in run.zones:
        shapes = zones.on_grid(run, crs)
        tree = shapely.STRtree(shapes.to_numpy())
        units = [unit for unit in run.units if str(unit.facts["proj:code"]) == crs]
        for unit in units:
            said(f"zones: unit {unit.id}")
            _add_unit(run, unit, method, (shapes, tree), exposures, found)
    return found


def _add_unit(
    run: RunFolder,
    unit: UnitFolder,
    method: str,
    shapes: tuple[geopandas.GeoSeries, shapely.STRtree],
    exposures: Sequence[Exposure],
    found: list[ZoneSums],
) -> None:
    draws = unit_draws(run, unit) if unit.has(f"probability/{method}") else None
    outlines, tree = shapes
    for window in unit.windows():
        box = unit.box_of(window)
        outline = box.extent.geom
        near = [number for number in tree.query(outline) if outlines.iloc[number].intersects(outline)]
        if not near:
            continue
        flood = flood_window(unit, method, window, draws)
        weights = _weights(unit, window, flood, exposures)
        for number in sorted(near):
            pixels = pixels_of(outlines.iloc[number], box)
            _add(found[number], flood, pixels, weights[:, pixels])


def _add(sums: ZoneSums, flood: FloodWindow, pixels: Pixels, weights: Real) -> None:
    unknown = np.isnan(weights[1:]) & flood.inside[pixels]
    sums.unknown_km2 += unknown.sum(axis=1) * flood.pixel_km2
    flood.add(sums.flood, pixels, np.nan_to_num(weights))


def pixels_of(outline: shapely.Geometry, box: GeoBox) -> Pixels:
    """Places (row · width + column) of the pixels of a box whose centre lies in a polygon."""
    left, bottom, right, top = outline.bounds
    columns, rows = ~box.affine @ np.array([[left, right], [top, bottom]])
    first, last = np.floor([rows[0], columns[0]]), np.ceil([rows[1], columns[1]])
    row, column = np.clip(first, 0, box.shape.yx).astype(int)
    end_row, end_column = np.clip(last, 0, box.shape.yx).astype(int)
    if end_row <= row or end_column <= column:
        return np.zeros(0, dtype=np.int64)
    part = box[row:end_row, column:end_column]
    burnt = rasterize([outline], out_shape=part.shape.yx, transform=part.affine, dtype="uint8")
    y, x = np.nonzero(burnt)
    return np.asarray((y + row) * box.shape.x + (x + column), dtype=np.int64)


def _weights(unit: UnitFolder, window: Window, flood: FloodWindow, exposures: Sequence[Exposure]) -> Real:
    """(1 + exposure, y · x) what each pixel weighs."""
    box = unit.box_of(window)
    rows = [np.full(flood.percent.size, flood.pixel_km2)]
    for exposure in exposures:
        if exposure.kind == "features":
            rows.append(feature_weights(features_on(exposure, box), box, flood))
        else:
            rows.append(on_box(exposure, box).ravel())
    return np.stack(rows)


def feature_weights(features: geopandas.GeoSeries, box: GeoBox, flood: FloodWindow) -> Real:
    """(y · x,) how many features stand on each pixel, each on one: that of those it touches which is likeliest flooded.

    A building is hit where the flood touches it anywhere. It belongs to the window that its inner point lies in, so
    that none counts twice; of what it touches beyond the window's edge nothing is known here.
    """
    weights = np.zeros(box.shape.y * box.shape.x)
    likely = np.where(flood.percent == NOT_OBSERVED, UNSEEN, flood.percent.astype(np.float64) + 1000.0 * flood.flood)
    for feature in features:
        point = feature.representative_point()
        column, row = (int(np.floor(value)) for value in ~box.affine @ (point.x, point.y))
        if not (0 <= row < box.shape.y and 0 <= column < box.shape.x):
            continue
        here = row * box.shape.x + column
        touched = np.append(_touched(feature, box, row, column), here)
        weights[touched[np.argmax(likely[touched])]] += 1.0
    return weights


def _touched(feature: shapely.Geometry, box: GeoBox, row: int, column: int) -> Pixels:
    """Places of the pixels that a feature touches, near its inner point."""
    half = LARGEST_FEATURE // 2
    top, left = max(row - half, 0), max(column - half, 0)
    part = box[top : min(row + half, box.shape.y), left : min(column + half, box.shape.x)]
    burnt = rasterize([feature], out_shape=part.shape.yx, transform=part.affine, all_touched=True, dtype="uint8")
    y, x = np.nonzero(burnt)
    return np.asarray((y + top) * box.shape.x + (x + left), dtype=np.int64)
