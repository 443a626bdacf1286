"""The table of zones on the screen."""

from __future__ import annotations

import math

import geopandas
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show_zones(table: geopandas.GeoDataFrame, console: Console, most: int) -> None:
    """The zones with most flood first: each quantity with its interval, and what was not observed."""
    quantities = [
        str(name).removesuffix("_known_share") for name in table.columns if str(name).endswith("_known_share")
    ]
    shown = Table(title="Zones (95 % interval; its upper end counts what was not observed as flooded)")
    for head in ("zone", "inside", "not observed", "flooded km2", *quantities):
        shown.add_column(head, justify="left" if head == "zone" else "right")
    for _, row in table.sort_values("flooded_km2", ascending=False, kind="stable").head(most).iterrows():
        cells = [_amount(row, "flooded", "_km2")]
        cells += [_amount(row, name, "_km2" if f"{name}_km2" in row else "") for name in quantities]
        shown.add_row(escape(str(row["zone"])), _share(row["inside_share"]), _share(row["not_observed_share"]), *cells)
    console.print(shown)
    if len(table) > most:
        console.print(f"{len(table) - most} more zones are in the files")


def _amount(row: geopandas.GeoSeries, name: str, end: str) -> str:
    value = row[f"{name}{end}"]
    if math.isnan(value):
        return "–"
    digits = ".3f" if end else ",.0f"
    if f"{name}_low{end}" not in row:
        return f"{value:{digits}}"
    return f"{value:{digits}} ({row[f'{name}_low{end}']:{digits}} to {row[f'{name}_high{end}']:{digits}})"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{100.0 * value:.0f} %"
