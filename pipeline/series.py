"""What the runs of several dates say together: extent by date, and for each pixel when it was wet."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely.geometry import mapping

from catalogs.lonlat import bbox
from catalogs.publish import EXTENSIONS, write_json
from pipeline.classify import DRY, FLOODED_VEGETATION, NOT_OBSERVABLE, OPEN_WATER, OUTSIDE, REFERENCE_WATER
from pipeline.errors import RunError
from pipeline.export import COLLECTION, layer_assets, publish_run, write_layer
from pipeline.grid import outline_lonlat
from pipeline.layers import DAYS, KINDS, TIMES, WATER_CLASSES, Layer, LayerKind
from pipeline.ledger import UNITS, appearing
from pipeline.run_folder import RunFolder, UnitFolder, open_run
from pipeline.wet_history import GAPS, NEVER, WetHistory, wet_history

RECORD, TABLE = "series.json", "extent.csv"
BLOCK = 512
"""Rows and columns that are read of a date at a time."""
AGE_CAP = 254
"""Hours at which `age` ends."""
_DAYS = LayerKind("", "uint16", NEVER, unit="d", overviews="nearest", ramps=(DAYS,))
_TIMES = LayerKind("", "uint16", NEVER, overviews="nearest", ramps=(TIMES,), role="metadata")
_USED = ("projection", "raster", "classification", "processing", "file")


@dataclass(frozen=True, eq=False)
class Dated:
    """The run of one date and what it is called."""

    name: str
    run: RunFolder

    @property
    def at(self) -> datetime:
        """The instant that it maps."""
        return self.run.at


def write_series(runs: Mapping[str, Path], out: Path, title: str, missing: Mapping[str, str]) -> dict[str, Any]:
    """Write what the runs of the same units on several dates say together into the folder `out`, all of it or nothing.

    A folder that was made of the very same maps is left as it is.

    Args:
        runs: by name of the date, the folder of a run.
        out: folder to write; one of the same name is replaced.
        title: of the job.
        missing: by name, why there is no run of a date.

    Returns:
        What `series.json` holds: dates with area and observed share, the rule of gaps, the maximum extent.

    Raises:
        RunError: there is no run, or runs are not of the same units and grids.
    """
    dated = sorted((Dated(name, open_run(path)) for name, path in runs.items()), key=lambda one: (one.at, one.name))
    _require_same_units(dated)
    made_of = _digest(dated, missing)
    known = read_series(out)
    if known is not None and known["made_of"] == made_of:
        return known
    with appearing(out) as draft:
        units = [_write_unit(draft, dates) for dates in zip(*(one.run.units for one in dated), strict=True)]
        publish_run(draft, {str(item["id"]): item for item, _, _ in units}, f"{title}: {len(dated)} dates")
        record = _record(dated, missing, made_of, units) | {"job": title}
        _write_table(draft / TABLE, record["dates"])
        write_json(draft / RECORD, record)
    return record


def read_series(folder: Path) -> dict[str, Any] | None:
    """What `series.json` of a folder holds; None where there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return found


def _require_same_units(dated: Sequence[Dated]) -> None:
    if not dated:
        raise RunError("a series: found no run; expected one date at least. Map a window first.")
    first = dated[0]
    for other in dated[1:]:
        if [_grid(unit) for unit in first.run.units] != [_grid(unit) for unit in other.run.units]:
            raise RunError(
                f"{other.run.path}: its units are not those of {first.run.path}, and a series needs one grid; "
                "map the dates with the same area, resolution and tile"
            )


def _grid(unit: UnitFolder) -> tuple[Any, ...]:
    return unit.id, str(unit.facts["proj:code"]), *unit.facts["proj:shape"], *unit.facts["proj:transform"]


def _digest(dated: Sequence[Dated], missing: Mapping[str, str]) -> str:
    told = [[one.name, [unit.facts.get("overbank:fingerprint") for unit in one.run.units]] for one in dated]
    return hashlib.sha256(json.dumps([told, dict(missing)], sort_keys=True).encode()).hexdigest()


def _days(moments: Sequence[datetime]) -> list[int]:
    """Calendar days (UTC) since the first."""
    days = [moment.astimezone(UTC).date() for moment in moments]
    return [(day - days[0]).days for day in days]


_Counts = list[dict[int, int]]
"""By date, pixels of each class."""


def _write_unit(series: Path, units: Sequence[UnitFolder]) -> tuple[dict[str, Any], _Counts, dict[int, int]]:
    """The rasters and the item of one unit over all dates; the item, and counts by date and of the maximum."""
    history, counts = _history(units)
    origin = units[0].at.astimezone(UTC).date()
    water = any(unit.legend == "water" for unit in units)
    folder = series / UNITS / units[0].id
    folder.mkdir(parents=True)
    item = _item(units, "water" if water else "flood")
    for name, layer in _layers(history, f"{origin}", water).items():
        write_layer(folder, name, layer, units[0].box)
        for key, asset in layer_assets(name, layer, folder).items():
            item.add_asset(key, asset)
    told: dict[str, Any] = item.to_dict(include_self_link=False, transform_hrefs=False)
    write_json(folder / f"{item.id}.json", told)
    return told, counts, _count(history.maximum)


def _history(units: Sequence[UnitFolder]) -> tuple[WetHistory, _Counts]:
    days = _days([unit.at for unit in units])
    rows, columns = units[0].box.shape.yx
    whole: dict[str, NDArray[Any]] = {}
    counts: _Counts = [{} for _ in units]
    for window in units[0].windows(BLOCK):
        for name, part in vars(wet_history(_read(units, window, counts), days)).items():
            where = whole.setdefault(name, np.zeros((rows, columns), part.dtype))
            top, left = int(window.row_off), int(window.col_off)
            where[top : top + part.shape[0], left : left + part.shape[1]] = part
    return WetHistory(**whole), counts


def _read(units: Sequence[UnitFolder], window: Window, counts: _Counts) -> Iterator[NDArray[np.uint8]]:
    for unit, last, count in zip(units, (None, *units[:-1]), counts, strict=True):
        codes = _seen_anew(unit, last, window)
        for code, pixels in _count(codes).items():
            count[code] = count.get(code, 0) + pixels
        yield codes


def _seen_anew(unit: UnitFolder, last: UnitFolder | None, window: Window) -> NDArray[np.uint8]:
    """The classes of a date; "not observable" where its last look is one that the date before had already.

    Two dates may read the same scene, as those of `overbank watch` do: it is no second observation.
    """
    codes: NDArray[np.uint8] = unit.read("flood_class", window)[0]
    if last is None or not _scenes(unit) & _scenes(last):
        return codes
    age = unit.read("age", window)[0]
    old = min(round((unit.at - last.at).total_seconds() / 3600), AGE_CAP)
    stale = (age >= old) & (age <= AGE_CAP) & (codes != OUTSIDE)
    return np.where(stale, np.uint8(NOT_OBSERVABLE), codes)


def _scenes(unit: UnitFolder) -> set[str]:
    return {scene["id"] for scene in unit.facts["overbank:scenes"]["during"]}


def _count(codes: NDArray[np.uint8]) -> dict[int, int]:
    found, pixels = np.unique(codes, return_counts=True)
    return dict(zip(found.tolist(), pixels.tolist(), strict=True))


def _layers(history: WetHistory, origin: str, water: bool) -> dict[str, Layer]:
    classes = replace(
        KINDS["flood_class"],
        title="The wettest class seen on any date",
        classes=WATER_CLASSES if water else KINDS["flood_class"].classes,
    )
    outside = history.maximum == OUTSIDE

    def days(title: str, *bands: NDArray[np.uint16], names: tuple[str, ...] = ()) -> Layer:
        return Layer(replace(_DAYS, title=title), np.stack(bands), names or (title,))

    def times(title: str, count: NDArray[np.uint16]) -> Layer:
        return Layer(replace(_TIMES, title=title), np.where(outside, np.uint16(NEVER), count)[None], (title,))

    spells = ("days under water, at least", "days under water, at most")
    return {
        "first_wet": days(f"First day seen wet, days since {origin}", history.first_wet),
        "last_wet": days(f"Last day seen wet, days since {origin}", history.last_wet),
        "duration": days("Days under water", history.at_least, history.at_most, names=spells),
        "maximum_extent": Layer(classes, history.maximum[None], (classes.title,)),
        "times_observed": times("Dates on which it was observed", history.observed),
        "times_wet": times("Dates on which it was seen wet", history.wet),
    }


def _item(units: Sequence[UnitFolder], legend: str) -> pystac.Item:
    first, last = units[0], units[-1]
    outline = outline_lonlat(first.box).geom
    item = pystac.Item(
        id=first.id,
        geometry=mapping(outline),
        bbox=bbox(outline),
        datetime=last.at,
        start_datetime=first.at,
        end_datetime=last.at,
        properties={name: first.facts[name] for name in ("proj:code", "proj:shape", "proj:transform")}
        | {name: first.facts[name] for name in ("processing:level", "processing:software") if name in first.facts}
        | {"overbank:legend": legend, "overbank:delivered": last.delivered, "overbank:gaps": GAPS},
        collection=COLLECTION,
        stac_extensions=[EXTENSIONS[name] for name in _USED],
    )
    for relation, href in (("collection", "collection"), ("root", "catalog"), ("parent", "collection")):
        item.add_link(pystac.Link(relation, f"../../{href}.json", media_type=pystac.MediaType.JSON))
    return item


def _record(
    dated: Sequence[Dated],
    missing: Mapping[str, str],
    made_of: str,
    units: Sequence[tuple[dict[str, Any], _Counts, dict[int, int]]],
) -> dict[str, Any]:
    pixels = [unit.pixel_km2 for unit in dated[0].run.units]
    by_date = [
        _extent([(counts[index], km2) for (_, counts, _), km2 in zip(units, pixels, strict=True)])
        for index in range(len(dated))
    ]
    largest = _extent([(maximum, km2) for (_, _, maximum), km2 in zip(units, pixels, strict=True)])
    return {
        "made_of": made_of,
        "legend": "water" if any(one.run.legend == "water" for one in dated) else "flood",
        "origin": str(dated[0].at.astimezone(UTC).date()),
        "gaps": GAPS,
        "dates": [
            {"name": one.name, "instant": one.at.isoformat(), "delivered": one.run.delivered} | extent
            for one, extent in zip(dated, by_date, strict=True)
        ],
        "maximum_extent": largest,
        "missing": dict(missing),
    }


def _extent(parts: Sequence[tuple[Mapping[int, int], float]]) -> dict[str, float]:
    """Flooded km² and observed share from counts by class and km² a pixel. What is not observed is neither."""

    def km2(*codes: int) -> float:
        return sum(counts.get(code, 0) * pixel for counts, pixel in parts for code in codes)

    flooded, dry = km2(OPEN_WATER, FLOODED_VEGETATION), km2(DRY, REFERENCE_WATER)
    inside = flooded + dry + km2(NOT_OBSERVABLE)
    return {
        "flooded_km2": round(flooded, 6),
        "open_water_km2": round(km2(OPEN_WATER), 6),
        "flooded_vegetation_km2": round(km2(FLOODED_VEGETATION), 6),
        "observed_share": round((flooded + dry) / inside, 6) if inside else 0.0,
    }


def _write_table(path: Path, dates: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dates[0]))
        writer.writeheader()
        writer.writerows(dates)
