"""The table of zones: what is flooded in each, between which ends, and what nobody saw; as CSV and GeoPackage."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np

from pipeline.zones.exposure import Exposure
from pipeline.zones.shapes import Zones
from pipeline.zones.tally import ZoneSums

LAYER = "zones"
AREA = "flooded"


def zone_table(
    zones: Zones, sums: Sequence[ZoneSums], exposures: Sequence[Exposure], with_interval: bool
) -> geopandas.GeoDataFrame:
    """One row a zone. Columns: `zone`, `zone_km2`, `inside_share`, `not_observed_share`, then for the flooded area and
    each exposure `X` (mapped), `X_low`, `X_mean`, `X_high` (95 %), `X_not_observed`, `X_inside`.

    `X` is what the map shows: a lower bound where something was not observed. `X_high` counts all that nobody saw as
    flooded. Empty (NaN), never 0, where a zone lies outside of the run, and the interval of methods that tell no
    probability.
    """
    frame = zones.frame
    table = geopandas.GeoDataFrame({"zone": frame["zone"], "zone_km2": frame["km2"].round(4)}, geometry=frame.geometry)
    totals = np.array([one.flood.total[0] for one in sums])
    there = totals > 0.0
    table["inside_share"] = np.minimum(totals / frame["km2"].to_numpy(), 1.0).round(4)
    unseen = np.array([one.flood.unseen[0] for one in sums])
    table["not_observed_share"] = _only(there, np.divide(unseen, totals, out=np.zeros_like(totals), where=there), 4)
    for weight, (name, unit) in enumerate([(AREA, "km2"), *((one.name, one.unit) for one in exposures)]):
        end = f"_{unit}" if unit else ""
        for part, values in _columns(sums, weight, with_interval).items():
            table[f"{name}{part}{end}"] = _only(there, values, 4 if unit else 1)
        if weight:
            unknown = np.array([one.unknown_km2[weight - 1] for one in sums])
            known = 1.0 - np.divide(unknown, totals, out=np.zeros_like(totals), where=there)
            table[f"{name}_known_share"] = _only(there, known, 4)
    return table


def _columns(sums: Sequence[ZoneSums], weight: int, with_interval: bool) -> dict[str, np.ndarray]:
    flood = [one.flood for one in sums]
    found = {"": np.array([one.mapped[weight] for one in flood])}
    if with_interval:
        ends = [one.interval(weight) for one in flood]
        unseen = np.array([one.unseen[weight] for one in flood])
        found["_low"] = np.array([end.low for end in ends])
        found["_mean"] = np.array([end.mean for end in ends])
        found["_high"] = np.array([end.high for end in ends]) + unseen
    found["_not_observed"] = np.array([one.unseen[weight] for one in flood])
    found["_inside"] = np.array([one.total[weight] for one in flood])
    return found


def _only(there: np.ndarray, values: np.ndarray, digits: int) -> np.ndarray:
    return np.where(there, np.round(values, digits), np.nan)


def write_zones(table: geopandas.GeoDataFrame, csv: Path, gpkg: Path) -> None:
    """Write both files, each by one rename: a reader never sees half of one."""
    csv.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".zones-", dir=csv.parent) as draft:
        plain, layered = Path(draft) / "zones.csv", Path(draft) / "zones.gpkg"
        table.drop(columns="geometry").to_csv(plain, index=False, lineterminator="\n")
        table.to_file(layered, layer=LAYER, driver="GPKG", engine="pyogrio")
        for made, target in ((plain, csv), (layered, gpkg)):
            os.replace(made, target)
