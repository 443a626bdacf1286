"""A run's methods against each other and against a reference, window by window."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from pipeline.area_interval import area_interval
from pipeline.comparison.packed import Packed, pack, packed_confusion
from pipeline.comparison.reference import Reference, open_reference
from pipeline.comparison.reliability import PercentCount
from pipeline.comparison.strata import UNKNOWN, Stratum, strata_of
from pipeline.comparison.tally import MapBits, Tally, map_bits
from pipeline.errors import ReferenceFileError, RunError
from pipeline.plausibility import Sums, add_sums, plausibility_scores
from pipeline.run_folder import RunFolder, UnitFolder, open_run
from pipeline.scores import Confusion

Mask = NDArray[np.bool_]
Truth = tuple[Mask, Mask]
"""Flood and where it is known, (y, x)."""


@dataclass(eq=False)
class Counts:
    """All that is counted of a run: small, however large the run."""

    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    pairs: dict[tuple[str, str], Confusion] = field(default_factory=lambda: defaultdict(Confusion))
    reliability: dict[str, PercentCount] = field(default_factory=lambda: defaultdict(PercentCount))
    parts: dict[str, dict[int, dict[str, Tally]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(Tally)))
    )
    """By stratum, code and map."""
    votes_km2: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    """By number of maps that say flood."""


def compare_run(
    run: Path,
    reference: Path | None,
    only: Mapping[str, Sequence[str]] | None = None,
    *,
    extent: Path | None = None,
    by: Collection[str] = (),
    land_cover: Path | None = None,
    intervals: Collection[str] = (),
) -> dict[str, Any]:
    """Areas, agreement between methods, and with a reference the scores and the calibration of probabilities.

    Where the job gave elevation also how plausible the water lies on it, by method (`plausibility_scores`).

    `reference`, `extent`: see `open_reference`. In a run without a before date or reference water, all water counts.
    `only`: by method ("late"), of its maps those of these options ("mean"); none named leaves all.
    `by`: strata whose parts are counted on their own, see `strata_of`; `land_cover`: a raster in place of the run's.
    `intervals`: methods whose area gets a 95 % interval from calibrated probability (`pipeline.area_interval`);
    it takes seconds each, and rules have none.
    RunError if the folder holds no finished unit, or no such map; ReferenceFileError if the reference is of no use.
    """
    folder = open_run(run)
    names = chosen_maps(folder, only or {})
    truth = None if reference is None else open_reference(reference, extent)
    strata = strata_of(folder, by, land_cover)
    counts, plausible = Counts(), _plausible(folder, names)
    for unit in folder.units:
        maps = [name for name in unit.methods if name in names]
        for window in unit.windows():
            _add_window(unit, window, maps, truth, strata, counts)
    if truth is not None:
        _check_reference(truth, reference, counts)
    return {
        "legend": folder.legend,
        "units": len(folder.units),
        "at": folder.at.isoformat(),
        "delivered": folder.delivered,
        "reference": None if truth is None else truth.name,
        "reference_extent": None if truth is None else truth.extent,
        "methods": _methods(folder, counts, truth is not None, intervals),
        "agreement": {f"{a} / {b}": _pair(found) for (a, b), found in counts.pairs.items()},
        "votes": [{"maps": number, "area_km2": round(area, 4)} for number, area in sorted(counts.votes_km2.items())],
        "by": _by(counts, strata, truth is not None),
        "plausibility": {name: plausibility_scores(sums) for name, sums in plausible.items()},
    }


def areas_with_intervals(run: RunFolder, methods: Collection[str]) -> dict[str, tuple[float, float]]:
    """The 95 % interval of a method's area in km², by method; rules, which have no probability, are left out."""
    found = {method: area_interval(run, method) for method in methods}
    return {method: (one.low, one.high) for method, one in found.items() if one is not None}


def chosen_maps(run: RunFolder, only: Mapping[str, Sequence[str]]) -> set[str]:
    """The maps of a run that are compared."""
    there = set(run.methods)
    for method, options in only.items():
        asked = {f"{method}-{option}" for option in options}
        if asked - there:
            missing, held = (", ".join(sorted(names)) for names in (asked - there, there))
            raise RunError(
                f"{run.path}: holds no map {missing}; it holds {held}. Map it first, or ask for one of these"
            )
        if asked:
            there = {name for name in there if name.partition("-")[0] != method} | asked
    return there


def _plausible(run: RunFolder, names: Collection[str]) -> dict[str, Sums]:
    found: dict[str, Sums] = defaultdict(dict)
    for unit in run.units:
        for name, sums in unit.facts.get("overbank:plausibility", {}).items():
            if name in names:
                found[name] = add_sums(found[name], sums)
    return found


def _add_window(
    unit: UnitFolder,
    window: Window,
    names: Sequence[str],
    reference: Reference | None,
    strata: Mapping[str, Stratum],
    counts: Counts,
) -> None:
    """Count one window of all maps of a unit."""
    maps = {name: map_bits(unit.read(f"methods/{name}", window)[0], unit.legend) for name in names}
    truth = None if reference is None else reference.on(unit.box_of(window), unit.legend)
    packed = None if truth is None else (pack(truth[0]), pack(truth[1]))
    _add_maps(unit, maps, packed, _everywhere(window), counts.tallies)
    for first, second in combinations(sorted(maps), 2):
        a, b = maps[first], maps[second]
        counts.pairs[first, second] += packed_confusion(a.flood, b.flood, a.observed & b.observed)
    _add_votes(unit, maps, window, counts)
    if truth is not None:
        _add_percents(unit, window, names, truth, counts)
    for stratum, parted in strata.items():
        codes = parted.codes(unit, window)
        for code in np.unique(codes):
            _add_maps(unit, maps, packed, pack(codes == code), counts.parts[stratum][int(code)])


def _everywhere(window: Window) -> Packed:
    return pack(np.ones((int(window.height), int(window.width)), dtype=np.bool_))


def _add_maps(
    unit: UnitFolder,
    maps: Mapping[str, MapBits],
    truth: tuple[Packed, Packed] | None,
    part: Packed,
    tallies: dict[str, Tally],
) -> None:
    for name, found in maps.items():
        tallies[name].add(found, maps.get(unit.delivered), truth, unit.pixel_km2, part)


def _add_votes(unit: UnitFolder, maps: Mapping[str, MapBits], window: Window, counts: Counts) -> None:
    size = int(window.height) * int(window.width)
    said = np.zeros(size, dtype=np.uint8)
    for found in maps.values():
        said += np.unpackbits(found.flood.view(np.uint8), count=size)
    for number, pixels in enumerate(np.bincount(said)[1:], start=1):
        counts.votes_km2[number] += float(pixels) * unit.pixel_km2


def _add_percents(unit: UnitFolder, window: Window, names: Sequence[str], truth: Truth, counts: Counts) -> None:
    for name in names:
        if unit.has(f"probability/{name}"):
            counts.reliability[name].add(unit.read(f"probability/{name}", window)[0], *truth)


def _check_reference(reference: Reference, path: Path | None, counts: Counts) -> None:
    reference.check()
    if not any(tally.against.total for tally in counts.tallies.values()):
        raise ReferenceFileError(
            f"{path}: covers no pixel of the run ({reference.extent}); check its coordinates, and the values 0 to 3 of "
            "a raster"
        )


def _methods(run: RunFolder, counts: Counts, has_reference: bool, intervals: Collection[str]) -> dict[str, Any]:
    found = {name: tally.summary(has_reference) for name, tally in counts.tallies.items()}
    for name, count in counts.reliability.items():
        calibration = count.summary()
        if calibration is not None:
            found[name]["calibration"] = calibration
    for name, interval in areas_with_intervals(run, [name for name in intervals if name in found]).items():
        found[name]["area_interval_km2"] = [round(end, 4) for end in interval]
    return found


def _by(counts: Counts, strata: Mapping[str, Stratum], has_reference: bool) -> dict[str, Any]:
    return {
        name: {
            parted.named(code): {method: tally.part_summary(has_reference) for method, tally in tallies.items()}
            for code, tallies in sorted(counts.parts[name].items(), key=lambda part: (part[0] == UNKNOWN, part[0]))
            if any(tally.inside_pixels for tally in tallies.values())
        }
        for name, parted in strata.items()
    }


def _pair(found: Confusion) -> dict[str, float | int | None]:
    """How two methods agree where both observed; neither is the truth."""
    return {
        "pixels": found.total,
        "agreement": found.agreement,
        "flood_iou": found.flood_iou,
        "only_first": found.false_alarm,
        "only_second": found.miss,
    }
