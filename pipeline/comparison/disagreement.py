"""Where two maps of a run disagree: polygons ranked by area, each with its likeliest reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import geopandas
import numpy as np
import pandas
import shapely
from numpy.typing import NDArray
from scipy.ndimage import label

from pipeline.classify import DRY, NOT_OBSERVABLE, OUTSIDE, REFERENCE_WATER
from pipeline.comparison.polygon_sums import ONLY_FIRST, ONLY_SECOND, PolygonSums, add_unit, flood_of
from pipeline.comparison.reasons import reason_names
from pipeline.comparison.strata import exclusion_sensors
from pipeline.errors import RunError
from pipeline.run_folder import RunFolder, UnitFolder
from pipeline.vectors import CODE, LONGITUDE_LATITUDE, polygons_of

Codes = NDArray[np.uint8]

LEAST_KM2 = 0.01
"""A hectare, 100 pixels of 10 m [M]: what is smaller is speckle, or a shore a pixel apart; its area is told."""
OTHER_SAYS = {DRY: "dry", REFERENCE_WATER: "reference_water", NOT_OBSERVABLE: "not_observable"}
COLUMNS = (
    "rank", "area_km2", "only_in", "not_in", "other_says", "reason", "reason_share", "mean_probability_only_in",
    "mean_probability_not_in", "longitude", "latitude",
)  # fmt: skip
"""Of a polygon, beside its geometry; probabilities in 0 to 1, missing where the map has none."""


@dataclass(frozen=True, eq=False)
class Disagreement:
    """All of it, and those polygons that are large enough to look at."""

    between: tuple[str, str]
    least_km2: float
    polygons: geopandas.GeoDataFrame
    """`COLUMNS`, the largest first; in the CRS of the run's grid, in longitude and latitude where it has several."""
    only_km2: tuple[float, float]
    """Flood in the first or the second map alone, small pieces and all."""
    by_reason: dict[str, float]
    """km² of the polygons' pixels by reason, the most first."""

    def record(self) -> dict[str, Any]:
        """What the record of `compare` says of it."""
        drawn = float(self.polygons["area_km2"].sum())
        return {
            "between": list(self.between),
            "only_in_km2": dict(zip(self.between, (round(area, 4) for area in self.only_km2), strict=True)),
            "polygons": len(self.polygons),
            "polygons_km2": round(drawn, 4),
            "least_km2": self.least_km2,
            "below_least_km2": round(max(sum(self.only_km2) - drawn, 0.0), 4),
            "by_reason_km2": {name: round(area, 4) for name, area in self.by_reason.items()},
        }


def pair_of(run: RunFolder, names: Collection[str], between: tuple[str, str] | None) -> tuple[str, str] | None:
    """The two maps to hold against each other: those asked for, else the NDWI rule and the delivered map.

    Where one of these is not there, another map takes its place; None where the run has one map only. RunError for a
    map that the run does not hold.
    """
    if between is not None:
        strange = [name for name in between if name not in names]
        if strange or between[0] == between[1]:
            told = f"holds no map {', '.join(strange)}" if strange else f"--between names {between[0]} twice"
            raise RunError(f"{run.path}: {told}; name two of {', '.join(sorted(names))}")
        return between
    wanted = [name for name in ("ndwi", run.delivered, *sorted(names)) if name in names]
    both = list(dict.fromkeys(wanted))[:2]
    return (both[0], both[1]) if len(both) == 2 else None


def find_disagreement(run: RunFolder, between: tuple[str, str], least_km2: float = LEAST_KM2) -> Disagreement:
    """Where one map says flood and the other does not, whether it says dry or could not see.

    Pieces are 4-connected pixels of one side, whole across seams of units; those below `least_km2` become no polygon.
    Memory is that of one unit's layers; polygons of noise are never made.
    """
    names = reason_names(_sensors(run))
    areas = np.zeros(2)
    frames, reasons = [], np.zeros(len(names))
    for zone in run.zones:
        units = tuple(unit for unit in run.units if unit.facts["proj:code"] == zone)
        frame, only, told = _of_zone(RunFolder(run.path, units), between, least_km2, names)
        frames.append(frame)
        areas += only
        reasons += told
    polygons = _ranked(frames)
    by_reason = {names[index]: float(reasons[index]) for index in np.argsort(-reasons) if reasons[index] > 0}
    return Disagreement(between, least_km2, polygons, (float(areas[0]), float(areas[1])), by_reason)


def sides(unit: UnitFolder, between: tuple[str, str]) -> Codes:
    """(y, x) `ONLY_FIRST`, `ONLY_SECOND` or 0 of a unit; 0 all over where it lacks one of the maps."""
    found = np.zeros(unit.box.shape.yx, dtype=np.uint8)
    if not all(unit.has(f"methods/{name}") for name in between):
        return found
    for window in unit.windows():
        first, second = (unit.read(f"methods/{name}", window)[0] for name in between)
        inside = (first != OUTSIDE) & (second != OUTSIDE)
        a, b = flood_of(first), flood_of(second)
        found[window.toslices()] = np.select([inside & a & ~b, inside & b & ~a], [ONLY_FIRST, ONLY_SECOND], 0)
    return found


def without_small(codes: Codes, least: int) -> Codes:
    """The same codes without pieces of fewer than `least` pixels; what touches the border may go on, and stays."""
    kept = np.zeros_like(codes)
    for code in (ONLY_FIRST, ONLY_SECOND):
        pieces, _ = label(codes == code)
        keep = np.bincount(pieces.ravel()) >= least
        for border in (pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]):
            keep[border] = True
        keep[0] = False
        kept[keep[pieces]] = code
    return kept


def _of_zone(
    run: RunFolder, between: tuple[str, str], least_km2: float, names: tuple[str, ...]
) -> tuple[geopandas.GeoDataFrame, NDArray[np.float64], NDArray[np.float64]]:
    """Polygons with their attributes, km² of each side, km² by reason: of the units of one grid."""
    only = np.zeros(2)

    def codes_of(unit: UnitFolder) -> Codes:
        found = sides(unit, between)
        only[:] += np.bincount(found.ravel(), minlength=3)[1:] * unit.pixel_km2
        return without_small(found, int(np.ceil(least_km2 / unit.pixel_km2 - 1e-9)))

    frame = polygons_of(run, codes_of, (ONLY_FIRST, ONLY_SECOND))
    frame = frame[frame["area_km2"] >= least_km2 * (1 - 1e-9)].reset_index(drop=True)
    sums = PolygonSums(len(frame), names)
    for unit in run.units:
        add_unit(unit, between, frame, sums)
    return _described(frame, between, sums), only, sums.reason_km2


def _sensors(run: RunFolder) -> tuple[str, ...]:
    """Every sensor of the run's witnesses, as its units name them."""
    return tuple(dict.fromkeys(name for unit in run.units if unit.has("exclusion") for name in exclusion_sensors(unit)))


def _described(frame: geopandas.GeoDataFrame, between: tuple[str, str], sums: PolygonSums) -> geopandas.GeoDataFrame:
    """The polygons of a grid with `COLUMNS`, not ranked yet."""
    first = frame[CODE].to_numpy() == ONLY_FIRST
    best = sums.reasons.argmax(axis=1) if len(frame) else np.zeros(0, dtype=np.int64)
    total = np.maximum(sums.reasons.sum(axis=1), 1)
    share = np.take_along_axis(sums.reasons, best[:, None], axis=1)[:, 0] / total
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums.percent / sums.percents / 100.0
    points = geopandas.GeoSeries(shapely.point_on_surface(frame.geometry.values), crs=frame.crs).to_crs(
        LONGITUDE_LATITUDE
    )
    told = {
        "rank": np.zeros(len(frame), dtype=np.int64),
        "area_km2": frame["area_km2"].to_numpy(),
        "only_in": np.where(first, *between),
        "not_in": np.where(first, *between[::-1]),
        "other_says": [OTHER_SAYS.get(int(code), "") for code in sums.other.argmax(axis=1)],
        "reason": [sums.names[index] for index in best],
        "reason_share": share,
        "mean_probability_only_in": np.where(first, *means),
        "mean_probability_not_in": np.where(first, *means[::-1]),
        "longitude": points.x.to_numpy(),
        "latitude": points.y.to_numpy(),
    }
    return geopandas.GeoDataFrame(told, geometry=frame.geometry.values, crs=frame.crs)


def _ranked(frames: list[geopandas.GeoDataFrame]) -> geopandas.GeoDataFrame:
    """All zones together, the largest first."""
    if len(frames) > 1:
        frames = [frame.to_crs(LONGITUDE_LATITUDE) for frame in frames]
    full = [frame for frame in frames if len(frame)] or frames[:1]
    every = geopandas.GeoDataFrame(pandas.concat(full, ignore_index=True), crs=frames[0].crs)
    found = every.sort_values("area_km2", ascending=False, ignore_index=True, kind="stable")
    found["rank"] = np.arange(1, len(found) + 1)
    return found


def told(found: Disagreement, most: int) -> list[dict[str, Any]]:
    """The largest polygons as the record lists them, without their outlines."""
    table = found.polygons.head(most)[list(COLUMNS)]
    return [
        {"methods": list(found.between)} | {name: _plain(value) for name, value in row.items()}
        for row in table.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    """A number that JSON can hold; None where there is none."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
