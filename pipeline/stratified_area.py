"""Area with a 95 % interval from reference samples: the stratified estimator, the map's classes as its strata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
from numpy.typing import NDArray
from pyogrio.errors import DataSourceError
from rasterio.windows import Window

from pipeline.classify import DRY, FLOODED_VEGETATION, OPEN_WATER, REFERENCE_WATER
from pipeline.errors import ReferenceFileError
from pipeline.layers import FLOOD_CLASSES
from pipeline.run_folder import RunFolder, UnitFolder

Real = NDArray[np.float64]
Z95 = 1.96
"""Standard errors on either side of a 95 % interval, as Olofsson et al. round it."""
STRATA = (DRY, OPEN_WATER, FLOODED_VEGETATION, REFERENCE_WATER)
"""Codes of the map that are strata: what was not observable has no map to be corrected."""
NAMES = {FLOOD_CLASSES[code][0]: code for code in STRATA} | {"open_water": OPEN_WATER}
FEWEST = 2
"""Samples of a stratum, without which it has no variance."""
NONE = -1


@dataclass(frozen=True, eq=False)
class StratifiedArea:
    """Estimates by class, each with half of its 95 % interval; NaN where nothing tells it."""

    area_km2: Real
    area_half: Real
    users: Real
    """Share of what the map has as a class that is it (precision)."""
    users_half: Real
    producers: Real
    """Share of a class on the ground that the map has as it (recall)."""
    producers_half: Real
    overall: float
    overall_half: float


def stratified_area(counts: NDArray[np.integer], mapped_km2: Sequence[float]) -> StratifiedArea:
    """Olofsson et al. 2014, Remote Sensing of Environment 148:42-57, equations 1 to 11.

    Args:
        counts: (class, class) samples by class of the map (rows, the strata) and of the reference (columns).
        mapped_km2: area of each class of the map. A class that the map does not have (0) needs no samples.

    Raises:
        ValueError: a stratum with area and fewer than two samples.
    """
    area = np.asarray(mapped_km2, dtype=np.float64)
    drawn = counts.sum(axis=1).astype(np.float64)
    short = np.flatnonzero((area > 0.0) & (drawn < FEWEST))
    if short.size:
        raise ValueError(f"stratum {int(short[0])} has {int(drawn[short[0]])} samples; {FEWEST} are the fewest")
    weight = area / area.sum()
    share = np.divide(counts, drawn[:, None], out=np.zeros(counts.shape), where=drawn[:, None] > 0.0)
    cell = weight[:, None] * share
    column = cell.sum(axis=0)  # equation 8, 9
    variance = share * (1.0 - share) / np.maximum(drawn - 1.0, 1.0)[:, None]
    spread = np.sqrt((weight[:, None] ** 2 * variance).sum(axis=0))  # equation 10
    users = np.where(drawn > 0.0, np.diag(share), np.nan)
    producers = np.divide(np.diag(cell), column, out=np.full(column.shape, np.nan), where=column > 0.0)
    users_variance = np.where(drawn > 0.0, np.diag(variance), np.nan)  # equation 6
    others = weight[:, None] ** 2 * variance
    np.fill_diagonal(others, 0.0)
    own = weight**2 * (1.0 - producers) ** 2 * np.diag(variance)
    producers_variance = np.divide(  # equation 7
        own + producers**2 * others.sum(axis=0), column**2, out=np.full(column.shape, np.nan), where=column > 0.0
    )
    return StratifiedArea(
        area_km2=area.sum() * column,
        area_half=Z95 * area.sum() * spread,
        users=users,
        users_half=Z95 * np.sqrt(users_variance),
        producers=producers,
        producers_half=Z95 * np.sqrt(producers_variance),
        overall=float(np.diag(cell).sum()),
        overall_half=float(Z95 * np.sqrt((weight**2 * np.diag(variance)).sum())),  # equation 5
    )


def sampled_area(run: RunFolder, method: str, samples: Path) -> dict[str, Any]:
    """Areas and accuracies of a method's map by reference samples: what `overbank compare` writes of them.

    `samples`: points of any vector file, or a table of columns lon, lat; with a column `class`: a code of
    `flood_class` (0 to 3) or its name. A probability sample, drawn within the classes of this very map: chosen by hand
    they tell nothing. Samples outside of the run, or where the method observed nothing, are left out and counted.
    ReferenceFileError where the file does not say so, or a class of the map has fewer than two samples.
    """
    points, classes = read_samples(samples)
    found = mapped_classes(run, method, points)
    used = np.isin(found, STRATA)
    if not used.any():
        raise ReferenceFileError(f"{samples}: none of its {len(points)} samples lies where {method} observed the run")
    counts = np.zeros((len(STRATA), len(STRATA)), dtype=np.int64)
    np.add.at(counts, (found[used], classes[used]), 1)
    area = _mapped_km2(run, method)
    try:
        estimate = stratified_area(counts, area.tolist())
    except ValueError:
        short = [
            f"{FLOOD_CLASSES[code][0]} has {int(counts[code].sum())}"
            for code in STRATA
            if area[code] > 0.0 and counts[code].sum() < FEWEST
        ]
        raise ReferenceFileError(
            f"{samples}: every class of the map needs {FEWEST} samples or more; {', '.join(short)}. Draw more there"
        ) from None
    by_class = {FLOOD_CLASSES[code][0]: _told(estimate, code, float(area[code]), counts) for code in STRATA}
    return {
        "samples": int(used.sum()),
        "left_out": int((~used).sum()),
        "classes": by_class,
        "overall_accuracy": _pair(estimate.overall, estimate.overall_half),
        "source": "Olofsson et al. 2014, RSE 148:42-57",
    }


def _told(estimate: StratifiedArea, code: int, mapped: float, counts: NDArray[np.integer]) -> dict[str, Any]:
    return {
        "samples": int(counts[code].sum()),
        "mapped_km2": round(mapped, 4),
        "area_km2": _pair(float(estimate.area_km2[code]), float(estimate.area_half[code])),
        "users_accuracy": _pair(float(estimate.users[code]), float(estimate.users_half[code])),
        "producers_accuracy": _pair(float(estimate.producers[code]), float(estimate.producers_half[code])),
    }


def _pair(value: float, half: float) -> dict[str, float | list[float] | None]:
    if not np.isfinite(value):
        return {"value": None, "interval": None}
    return {"value": round(value, 4), "interval": [round(max(value - half, 0.0), 4), round(value + half, 4)]}


def read_samples(path: Path) -> tuple[geopandas.GeoSeries, NDArray[np.int64]]:
    """Points with their CRS, and their class codes."""
    frame = _table(path)
    column = next((name for name in frame.columns if name.lower() == "class"), None)
    if column is None:
        told = ", ".join(str(name) for name in frame.columns)
        raise ReferenceFileError(f"{path}: has no column 'class' (it has {told}); write 0 to 3 or the class's name")
    values = frame[column].astype(str).str.strip().str.lower().str.removesuffix(".0")
    known = {str(code): code for code in STRATA} | NAMES
    strange = sorted(set(values) - set(known))
    if strange:
        raise ReferenceFileError(f"{path}: class {strange[0]!r} is not known; known: {', '.join(sorted(known))}")
    return frame.geometry, values.map(known).to_numpy(dtype=np.int64)


def _table(path: Path) -> geopandas.GeoDataFrame:
    try:
        if path.suffix.lower() == ".csv":
            table = pandas.read_csv(path)
            names = {str(name).lower(): name for name in table.columns}
            if not {"lon", "lat"} <= names.keys():
                raise ReferenceFileError(f"{path}: has no columns lon and lat; it has {', '.join(map(str, names))}")
            points = geopandas.points_from_xy(table[names["lon"]], table[names["lat"]], crs="EPSG:4326")
            return geopandas.GeoDataFrame(table, geometry=points)
        frame = geopandas.read_file(path)
    except (OSError, DataSourceError, UnicodeDecodeError, ValueError, pandas.errors.ParserError) as problem:
        told = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise ReferenceFileError(f"{path}: cannot be read as samples ({told})") from None
    if not isinstance(frame, geopandas.GeoDataFrame) or frame.crs is None or set(frame.geom_type) != {"Point"}:
        raise ReferenceFileError(f"{path}: is not a layer of points with a coordinate system")
    return frame


def mapped_classes(run: RunFolder, method: str, points: geopandas.GeoSeries) -> NDArray[np.int64]:
    """(point,) code of a method's map at each point, -1 outside of the run; one pixel is read a point."""
    found = np.full(len(points), NONE, dtype=np.int64)
    by_zone = {zone: points.to_crs(zone) for zone in run.zones}
    for unit in run.units:
        places = by_zone[str(unit.facts["proj:code"])]
        columns, rows = ~unit.box.affine @ np.stack([places.x, places.y])
        inside = (rows >= 0) & (rows < unit.box.shape.y) & (columns >= 0) & (columns < unit.box.shape.x)
        for number in np.flatnonzero(inside & (found == NONE)):
            window = Window(int(columns[number]), int(rows[number]), 1, 1)
            code = int(unit.read(f"methods/{method}", window)[0, 0, 0])
            found[number] = code if code in STRATA else NONE
    return found


def _mapped_km2(run: RunFolder, method: str) -> Real:
    area = np.zeros(len(STRATA))
    for unit in run.units:
        area += _unit_km2(unit, method)
    return area


def _unit_km2(unit: UnitFolder, method: str) -> Real:
    count = np.zeros(256, dtype=np.int64)
    for window in unit.windows():
        count += np.bincount(unit.read(f"methods/{method}", window).ravel(), minlength=256)
    return np.asarray(count[list(STRATA)] * unit.pixel_km2, dtype=np.float64)
