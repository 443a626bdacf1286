"""A run's methods against each other and against a reference, unit by unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.errors import ReadError
from catalogs.records import RasterLayer
from pipeline.align import align
from pipeline.classify import FLOODED_VEGETATION, NOT_OBSERVABLE, OPEN_WATER, OUTSIDE, REFERENCE_WATER
from pipeline.errors import PipelineError, ReferenceFileError, RunError
from pipeline.ledger import read_item
from pipeline.plausibility import Sums, add_sums, plausibility_scores
from pipeline.read import read_window
from pipeline.run_folder import finished_units
from pipeline.scores import Confusion, confusion

Mask = NDArray[np.bool_]
Codes = NDArray[np.uint8]


@dataclass(eq=False)
class Tally:
    """Counts of one method over all units so far."""

    flood_pixels: int = 0
    observed_pixels: int = 0
    inside_pixels: int = 0
    area_km2: float = 0.0
    true_area_km2: float = 0.0
    against: Confusion = field(default_factory=Confusion)
    """Every pixel of the reference: what the method could not observe counts as "not flood"."""
    against_observed: Confusion = field(default_factory=Confusion)
    """Only the pixels that the method observed."""


def compare_run(run: Path, reference: Path | None, only: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """Areas, agreement between methods, and with a reference IoU, F1, precision, recall.

    Where the job gave elevation also how plausible the water lies on it, by method (`plausibility_scores`).

    `reference`: a raster of any CRS with 1 (or 2, flooded vegetation) flood, 3 permanent water, 0 dry; everything else
    is "not in the reference". In a run without a before date or reference water, all water counts.
    `only`: by method ("late"), of its maps those of these options ("mean"); none named leaves all.
    RunError if the folder holds no finished unit, or no such map.
    """
    folders = finished_units(run)
    names = _chosen(run, folders, only or {})
    tallies: dict[str, Tally] = defaultdict(Tally)
    pairs: dict[tuple[str, str], Confusion] = defaultdict(Confusion)
    plausible: dict[str, Sums] = defaultdict(dict)
    legends, delivered = set(), ""
    for folder in folders:
        item = read_item(folder)
        assert item is not None
        legends.add(item["properties"]["overbank:legend"])
        delivered = item["properties"].get("overbank:delivered", "")
        _add_unit(folder, names, item["properties"]["overbank:legend"], reference, tallies, pairs)
        for name, sums in item["properties"].get("overbank:plausibility", {}).items():
            if name in names:
                plausible[name] = add_sums(plausible[name], sums)
    if reference is not None and not any(_total(tally.against) for tally in tallies.values()):
        raise ReferenceFileError(
            f"{reference}: covers no pixel of the run; check its coordinates and its values 0 to 3"
        )
    return {
        "legend": "water" if "water" in legends else "flood",
        "units": len(folders),
        "delivered": delivered,
        "reference": None if reference is None else reference.name,
        "methods": {name: _summary(tally, reference is not None) for name, tally in tallies.items()},
        "agreement": {f"{a} / {b}": _pair(found) for (a, b), found in pairs.items()},
        "plausibility": {name: plausibility_scores(sums) for name, sums in plausible.items()},
    }


def _chosen(run: Path, folders: Sequence[Path], only: Mapping[str, Sequence[str]]) -> set[str]:
    """The maps of a run that are compared."""
    there = {path.stem for folder in folders for path in (folder / "methods").glob("*.tif")}
    for method, options in only.items():
        asked = {f"{method}-{option}" for option in options}
        if asked - there:
            missing, held = (", ".join(sorted(names)) for names in (asked - there, there))
            raise RunError(f"{run}: holds no map {missing}; it holds {held}. Map it first, or ask for one of these")
        if asked:
            there = {name for name in there if name.partition("-")[0] != method} | asked
    return there


def _add_unit(
    folder: Path,
    names: Collection[str],
    legend: str,
    reference: Path | None,
    tallies: dict[str, Tally],
    pairs: dict[tuple[str, str], Confusion],
) -> None:
    paths = sorted(path for path in (folder / "methods").glob("*.tif") if path.stem in names)
    classes = {path.stem: _read(path) for path in paths}
    flood = {name: np.isin(codes, (OPEN_WATER, FLOODED_VEGETATION)) for name, (codes, _) in classes.items()}
    observed = {name: ~np.isin(codes, (NOT_OBSERVABLE, OUTSIDE)) for name, (codes, _) in classes.items()}
    box = next(iter(classes.values()))[1]
    truth = None if reference is None else read_reference(reference, box, legend)
    for name, (codes, _) in classes.items():
        pixel_km2 = abs(box.affine.a * box.affine.e) / 1e6
        tally = tallies[name]
        tally.flood_pixels += int(flood[name].sum())
        tally.observed_pixels += int(observed[name].sum())
        tally.inside_pixels += int((codes != OUTSIDE).sum())
        tally.area_km2 += float(flood[name].sum() * pixel_km2)
        if truth is not None:
            true, known = truth
            mapped = flood[name] | ((codes == REFERENCE_WATER) & (legend == "water"))
            within = known & (codes != OUTSIDE)
            tally.true_area_km2 += float((true & within).sum() * pixel_km2)
            tally.against += confusion(mapped, true, within)
            tally.against_observed += confusion(mapped, true, within & observed[name])
    for first, second in combinations(sorted(classes), 2):
        both = observed[first] & observed[second]
        pairs[first, second] += confusion(flood[first], flood[second], both)


def _read(path: Path) -> tuple[Codes, GeoBox]:
    with rasterio.open(path, driver="GTiff") as source:
        return source.read(1), GeoBox((source.height, source.width), source.transform, source.crs)


def read_reference(path: Path, box: GeoBox, legend: str) -> tuple[Mask, Mask]:
    """Truth and where it is known, (y, x) on a box; nearest value, so a reference keeps its own borders."""
    if not path.is_file():
        raise ReferenceFileError(f"{path}: is not there; give a raster of classes")
    try:
        values = align(read_window(RasterLayer(href=str(path.absolute())), box), box, "mask")
    except (ReadError, PipelineError) as problem:
        raise ReferenceFileError(
            f"{path}: is not a raster that can be read ({problem}); give a GeoTIFF of classes"
        ) from None
    strange = np.unique(values[np.isfinite(values) & ~np.isin(values, (-1, 0, 1, 2, 3, 4))])
    if strange.size and not np.isin(values, (1, 2, 3)).any() and (values == 0).any():
        raise ReferenceFileError(f"{path}: holds 0 and {strange[:5].tolist()}; write flood as 1")
    known = np.isin(values, (0, OPEN_WATER, FLOODED_VEGETATION, REFERENCE_WATER))
    wet = (OPEN_WATER, FLOODED_VEGETATION) + ((REFERENCE_WATER,) if legend == "water" else ())
    return np.isin(values, wet), known


def _total(found: Confusion) -> int:
    return found.hit + found.false_alarm + found.miss + found.correct_dry


def _summary(tally: Tally, has_reference: bool) -> dict[str, Any]:
    inside = max(tally.inside_pixels, 1)
    summary: dict[str, Any] = {
        "area_km2": round(tally.area_km2, 4),
        "flood_share": tally.flood_pixels / inside,
        "observed_share": tally.observed_pixels / inside,
    }
    if not has_reference:
        return summary
    return (
        summary
        | _scores(tally.against)
        | {
            "true_area_km2": round(tally.true_area_km2, 4),
            "where_observed": _scores(tally.against_observed),
        }
    )


def _scores(found: Confusion) -> dict[str, float | None]:
    return {name: getattr(found, name) for name in ("flood_iou", "f1", "precision", "recall")}


def _pair(found: Confusion) -> dict[str, float | int | None]:
    """How two methods agree where both observed; neither is the truth."""
    return {
        "pixels": _total(found),
        "agreement": found.agreement,
        "flood_iou": found.flood_iou,
        "only_first": found.false_alarm,
        "only_second": found.miss,
    }
