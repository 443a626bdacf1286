"""`overbank compare`: the methods of a run against each other and against a reference."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas

from catalogs.publish import write_json
from pipeline.compare import chosen_maps, compare_run
from pipeline.comparison.disagreement import LEAST_KM2, find_disagreement, pair_of, told
from pipeline.errors import RunError
from pipeline.run_folder import RunFolder, open_run
from pipeline.stratified_area import sampled_area

COMPARED = "compare.json"
DISAGREEMENT = "disagreement.gpkg"
DELIVERED = "delivered"
"""Stands for the name of the delivered method."""
MOST_TOLD = 100
"""Polygons that the record lists; the GeoPackage holds all."""


def compare(
    run: Path,
    reference: Path | None = None,
    json_file: Path | None = None,
    join: Sequence[str] = (),
    rule: Sequence[str] = (),
    *,
    extent: Path | None = None,
    by: Sequence[str] = (),
    land_cover: Path | None = None,
    between: tuple[str, str] | None = None,
    least_km2: float = LEAST_KM2,
    intervals: Sequence[str] = (),
    samples: Path | None = None,
) -> dict[str, Any]:
    """Area and agreement of a run's maps, their scores with a reference, and the polygons in which two of them differ.

    Writes `RUN/compare.json`, the same into `json_file` if given, and `RUN/disagreement.gpkg`. The names of the
    record are in docs/compare.md.

    `reference`, `extent`: a raster or polygons, and polygons of what was looked at. `join`, `rule`: of a run's maps by
    intermediate and late fusion these alone. `by`: parts of the run to count on their own (landcover, slope, cloud,
    angle, sensor); `land_cover`: a raster in place of the run's. `between`: the two maps whose disagreement is drawn,
    `least_km2`: its smallest polygon. `intervals`: methods whose area gets a 95 % interval ("delivered":
    the delivered one). `samples`: points of known class, drawn within the classes of the delivered map.
    RunError or ReferenceFileError says what is wrong with the folder or the file.
    """
    only = {"intermediate": join, "late": rule}
    folder = open_run(run)
    pair = pair_of(folder, chosen_maps(folder, only), between)
    wanted = [folder.delivered if name == DELIVERED else name for name in intervals]
    _require_maps(folder, wanted)
    found = {"run": run.resolve().name} | compare_run(
        run, reference, only, extent=extent, by=by, land_cover=land_cover, intervals=wanted
    )
    if samples is not None:
        found |= {"samples": sampled_area(folder, folder.delivered, samples)}
    if pair is not None:
        differing = find_disagreement(folder, pair, least_km2)
        write_polygons(run / DISAGREEMENT, differing.polygons)
        found |= {"disagreement": differing.record(), "disagreements": told(differing, MOST_TOLD)}
    for path in filter(None, (run / COMPARED, json_file)):
        write_json(path, found)
    return found


def _require_maps(run: RunFolder, names: Sequence[str]) -> None:
    strange = sorted(set(names) - set(run.methods))
    if strange:
        raise RunError(f"{run.path}: holds no map {', '.join(strange)}; it holds {', '.join(run.methods)}")


def compare_runs(runs: Sequence[Path], json_file: Path | None = None, **options: Any) -> dict[str, Any]:
    """Several runs, dates or areas, each as `compare` would: `runs`, in the order given.

    A run is told by the name of its folder, and by as many folders above it as tell it from the others.
    """
    found = {
        "runs": [compare(run, **options) | {"run": name} for run, name in zip(runs, told_apart(runs), strict=True)]
    }
    if json_file is not None:
        write_json(json_file, found)
    return found


def told_apart(runs: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths by which different folders differ."""
    parts = [run.resolve().parts for run in runs]
    longest = max(map(len, parts), default=1)
    ends = ([Path(*one[-count:]).as_posix() for one in parts] for count in range(1, longest + 1))
    return next(names for names in ends if len(set(names)) == len(set(parts)))


def write_polygons(path: Path, polygons: geopandas.GeoDataFrame) -> None:
    """A GeoPackage of one layer, named as the file; it appears whole, in the place of an older one."""
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as draft:
        written = Path(draft) / path.name
        polygons.to_file(written, driver="GPKG", layer=path.stem, geometry_type="Polygon")
        os.replace(written, path)
