"""Flood polygons of a run: area, probability, the sensors that saw them, and the time; speckle left out, and told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import geopandas
import numpy as np
import pandas
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window
from rasterio.windows import bounds as bounds_of

from pipeline.classify import FLOODED_VEGETATION, OPEN_WATER
from pipeline.errors import RunError
from pipeline.layers import SEEN_BITS, kind_of
from pipeline.run_folder import RunFolder, UnitFolder
from pipeline.styles.symbology import Swatch
from pipeline.vectors import CODE, LONGITUDE_LATITUDE, in_degrees, polygons_of

SMALLEST_KM2 = 0.001
"""km² under which a patch is speckle and no polygon: ten pixels of 10 m, two or three cells of what the radar resolves
[M]. What is left out is told as a sum."""
MOSTLY = 0.5
"""Share of a polygon's pixels from which on a sensor counts as one that saw it [M]."""
WET = (OPEN_WATER, FLOODED_VEGETATION)
SENSORS = SEEN_BITS[:3]
FIELDS = {
    "class": "Class (code)",
    "class_name": "Class",
    "area_km2": "Area, km²",
    "mean_probability": "Mean probability, 0 to 1",
    "sensors": "Sensors that saw at least half of it",
    **{f"{sensor}_share": f"Share seen by {sensor.replace('_', ' ')}" for sensor in SENSORS},
    "time": "Time mapped (UTC)",
    "method": "Method",
}
"""Columns of the polygons, and what they are called for people."""


@dataclass(frozen=True, eq=False)
class FloodPolygons:
    """The flood of one method as polygons, and what was left out of them."""

    frame: geopandas.GeoDataFrame
    """`FIELDS` and the geometry, the largest first."""
    method: str
    dropped: int
    """Patches smaller than `SMALLEST_KM2`."""
    dropped_km2: float

    @property
    def told(self) -> str:
        """What was left out, in a sentence."""
        area = float(self.frame["area_km2"].sum())
        return (
            f"{len(self.frame)} polygons, {area:.3f} km²; {self.dropped} patches under {SMALLEST_KM2:g} km² left out, "
            f"{self.dropped_km2:.3f} km² in all"
        )


def flood_polygons(run: RunFolder, method: str = "", smallest_km2: float = SMALLEST_KM2) -> FloodPolygons:
    """The polygons of open-water flood and flooded vegetation of a method, by default the delivered one.

    `mean_probability` is missing where the method has no probability (rules). RunError where the run has no such map.
    """
    chosen = method or run.delivered
    layer = f"methods/{chosen}" if method else "flood_class"
    if layer not in run.layers:
        raise RunError(f"{run.path}: has no map of {chosen!r}; it has {', '.join(run.methods)}")
    probability = f"probability/{chosen}" if method else "flood_probability"
    parts, dropped, dropped_km2 = [], 0, 0.0
    for one in _by_zone(run):
        found = polygons_of(one, lambda unit: _codes(unit, layer), WET)
        small = found["area_km2"] < smallest_km2
        parts.append(_described(found[~small].reset_index(drop=True), one, chosen, probability))
        dropped, dropped_km2 = dropped + int(small.sum()), dropped_km2 + float(found.loc[small, "area_km2"].sum())
    return FloodPolygons(parts[0] if len(parts) == 1 else _together(parts), chosen, dropped, dropped_km2)


def _by_zone(run: RunFolder) -> Iterator[RunFolder]:
    """The run in parts of one grid each, so that a polygon is held against the pixels it was made of."""
    for zone in run.zones:
        yield RunFolder(run.path, tuple(unit for unit in run.units if unit.facts["proj:code"] == zone))


def _together(parts: Sequence[geopandas.GeoDataFrame]) -> geopandas.GeoDataFrame:
    """Polygons of several zones in degrees; what lies where zones overlap, by a pixel and a half, is in both."""
    every = pandas.concat([in_degrees(part) for part in parts], ignore_index=True)
    found = geopandas.GeoDataFrame(every, crs=LONGITUDE_LATITUDE)
    return found.sort_values("area_km2", ascending=False, ignore_index=True, kind="stable")


def class_swatches(legend: str) -> tuple[Swatch, ...]:
    """Colours and names of the classes that become polygons; the map below shines through."""
    classes = kind_of("flood_class", legend).classes
    assert classes is not None
    return tuple(Swatch(code, classes[code][2], classes[code][1], 160) for code in WET)


def _codes(unit: UnitFolder, layer: str) -> NDArray[np.uint8]:
    if not unit.has(layer):
        return np.full(unit.box.shape.yx, 255, dtype=np.uint8)
    codes: NDArray[np.uint8] = unit.read(layer)[0]
    return codes


def _described(found: geopandas.GeoDataFrame, run: RunFolder, method: str, probability: str) -> geopandas.GeoDataFrame:
    sums = _sums(found, run, probability)
    classes = kind_of("flood_class", run.legend).classes
    assert classes is not None
    pixels = np.maximum(sums["pixels"], 1)
    with np.errstate(invalid="ignore"):
        told: dict[str, object] = {
            "class": found[CODE].astype("int32"),
            "class_name": [classes[code][1] for code in found[CODE]],
            "area_km2": found["area_km2"].round(6),
            "mean_probability": np.round(sums["probability"] / sums["judged"] / 100, 3),
        }
    shares = {sensor: np.round(sums[sensor] / pixels, 3) for sensor in SENSORS}
    told["sensors"] = [
        ", ".join(sensor for sensor in SENSORS if shares[sensor][row] >= MOSTLY) for row in range(len(found))
    ]
    told |= {f"{sensor}_share": share for sensor, share in shares.items()}
    told |= {"time": pandas.Timestamp(run.at).tz_convert("UTC"), "method": method}
    return geopandas.GeoDataFrame(told, geometry=found.geometry, crs=found.crs, index=found.index)


def _sums(found: geopandas.GeoDataFrame, run: RunFolder, probability: str) -> dict[str, NDArray[np.float64]]:
    """By polygon: its pixels, those with a probability and their sum in percent, those that each sensor saw."""
    sums = {name: np.zeros(len(found)) for name in ("pixels", "judged", "probability", *SENSORS)}
    for unit in run.units:
        rows = found.sindex.intersection(unit.box.extent.boundingbox)
        near = found.geometry.iloc[rows]
        for window in unit.windows():
            for name, added in _window_sums(near, unit, window, probability):
                sums[name][rows] += added
    return sums


def _window_sums(
    near: geopandas.GeoSeries, unit: UnitFolder, window: Window, probability: str
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """What a window adds to the sums of the polygons near its unit."""
    rows = near.sindex.intersection(bounds_of(window, unit.box.affine))
    if not len(rows):
        return
    shapes = ((geometry, row + 1) for row, geometry in zip(rows, near.iloc[rows], strict=True))
    box = unit.box_of(window)
    owner = rasterize(shapes, out_shape=box.shape.yx, transform=box.affine, dtype="int32").ravel()

    def total(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(owner, weights.ravel(), minlength=len(near) + 1)[1:].astype(np.float64)

    yield "pixels", total(np.ones(owner.size))
    if unit.has(probability):
        percent = unit.read(probability, window)[0].astype(np.float64)
        judged = percent != 255
        yield "judged", total(judged.astype(np.float64))
        yield "probability", total(np.where(judged, percent, 0.0))
    seen = unit.read("observed_by", window)[0]
    for bit, sensor in enumerate(SENSORS):
        yield sensor, total((seen >> bit & 1).astype(np.float64))
