"""`overbank zones`: what is flooded in each administrative zone, with its interval and what nobody saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas

from pipeline.area_interval import has_probability
from pipeline.errors import RunError
from pipeline.run_folder import RunFolder, open_run
from pipeline.zones.exposure import exposures_of
from pipeline.zones.shapes import read_zones
from pipeline.zones.table import write_zones, zone_table
from pipeline.zones.tally import zone_sums

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class ZoneReport:
    """What `overbank zones` found and where it wrote it."""

    table: geopandas.GeoDataFrame
    """One row a zone: see `pipeline.zones.table.zone_table`."""
    notes: tuple[str, ...]
    csv: Path
    gpkg: Path


def zones(
    run: Path,
    zones_file: Path,
    exposure: Sequence[str] = (),
    method: str | None = None,
    out: Path | None = None,
    name: str | None = None,
    say: Say = lambda _: None,
) -> ZoneReport:
    """Write `zones.csv` and `zones.gpkg` into the run, or into the folder `out`.

    `exposure`: files as `pipeline.zones.exposure.exposure_of` takes them. `method`: whose map counts; by default the
    delivered one. `name`: the column that names a zone. RunError, ZoneError where something cannot be counted.
    """
    opened = open_run(run)
    chosen = _method(opened, method)
    exposed = exposures_of(exposure)
    shapes = read_zones(zones_file, name)
    sums = zone_sums(opened, chosen, shapes, exposed, say)
    table = zone_table(shapes, sums, exposed, has_probability(opened, chosen))
    notes = [*shapes.notes, *_outside(table)]
    folder = run if out is None else out
    csv, gpkg = folder / "zones.csv", folder / "zones.gpkg"
    write_zones(table, csv, gpkg)
    return ZoneReport(table, tuple(notes), csv, gpkg)


def _method(run: RunFolder, asked: str | None) -> str:
    chosen = asked or run.delivered
    if chosen not in run.methods:
        raise RunError(f"{run.path}: holds no map by {chosen!r}; it holds {', '.join(run.methods)}")
    return chosen


def _outside(table: geopandas.GeoDataFrame) -> list[str]:
    missed = table.loc[table["inside_share"] == 0.0, "zone"].tolist()
    if not missed:
        return []
    told = ", ".join(missed[:5]) + (" …" if len(missed) > 5 else "")
    return [f"{len(missed)} of {len(table)} zones lie outside of the run and stay empty: {told}"]
