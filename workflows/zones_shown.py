"""The table of zones on the screen."""

from __future__ import annotations

import math

import geopandas
from rich.console import Console

from workflows.tables import say
from workflows.tables import table as framed


def show_zones(table: geopandas.GeoDataFrame, console: Console, most: int) -> None:
    """The zones with most flood first: each quantity with its interval, and what was not observed."""
    quantities = [
        str(name).removesuffix("_known_share") for name in table.columns if str(name).endswith("_known_share")
    ]
    head = ("zone", "inside the run", "not observed", "flooded, km²", *(_head(table, name) for name in quantities))
    rows = []
    for _, row in table.sort_values("flooded_km2", ascending=False, kind="stable").head(most).iterrows():
        cells = [_amount(row, "flooded", "_km2")]
        cells += [_amount(row, name, "_km2" if f"{name}_km2" in row else "") for name in quantities]
        rows.append((str(row["zone"]), _share(row["inside_share"]), _share(row["not_observed_share"]), *cells))
    console.print(framed("Zones, those with most flood first", head, rows))
    say(
        console,
        "in brackets 95 %; its upper end counts what was not observed as flooded; of each zone its part in the run",
    )
    if len(table) > most:
        say(console, f"{len(table) - most} more zones are in the files")


def _head(table: geopandas.GeoDataFrame, name: str) -> str:
    return f"{name}, km²" if f"{name}_km2" in table.columns else name


def _amount(row: geopandas.GeoSeries, name: str, end: str) -> str:
    value = row[f"{name}{end}"]
    if math.isnan(value):
        return "–"
    digits = ".3f" if end else ",.0f"
    if f"{name}_low{end}" not in row:
        return f"{value:{digits}}"
    return f"{value:{digits}} ({row[f'{name}_low{end}']:{digits}} to {row[f'{name}_high{end}']:{digits}})"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}"
