"""What every layer of a unit says of one pixel, in numbers and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import rasterio
from pyproj import Transformer
from rasterio.windows import Window

from pipeline.layers import SEEN_BITS
from pipeline.run_folder import UnitFolder
from workflows.titles import words_of
from workflows.viewer.describe import GROUPS, OTHER, class_text, label_of, reasons_in

Row = dict[str, Any]
SILENT = "not observed"
LAT_LON = "EPSG:4326"


def values_at(unit: UnitFolder, row: int, column: int) -> dict[str, Any]:
    """What is known of a pixel, read at full resolution.

    Returns `longitude`, `latitude` of the pixel's centre and `sections`, each with a `title` and `rows` of `label`,
    `text`, and beside them `layer`, `band` (from 0) and `value`: the number of the file. IndexError outside of it.
    """
    height, width = unit.box.shape.yx
    if not (0 <= row < height and 0 <= column < width):
        raise IndexError(f"{unit.id}: has {height} x {width} pixels, none at row {row}, column {column}")
    x, y = unit.box.affine * (column + 0.5, row + 0.5)
    longitude, latitude = Transformer.from_crs(str(unit.box.crs), LAT_LON, always_xy=True).transform(x, y)
    sections: dict[str, list[Row]] = {}
    for layer, asset in unit.item["assets"].items():
        if unit.has(layer):
            group = GROUPS.get(layer.partition("/")[0], OTHER)
            sections.setdefault(group, []).extend(_rows(unit, layer, asset, Window(column, row, 1, 1)))
    order = [*GROUPS.values(), OTHER]
    return {
        "unit": unit.id,
        "row": row,
        "column": column,
        "longitude": longitude,
        "latitude": latitude,
        "sections": [{"title": title, "rows": sections[title]} for title in order if sections.get(title)],
    }


def _rows(unit: UnitFolder, layer: str, asset: Mapping[str, Any], pixel: Window) -> Iterator[Row]:
    with rasterio.open(unit.raster(layer), driver="GTiff") as source:
        values, names = source.read(window=pixel)[:, 0, 0], source.descriptions
    bands = asset.get("raster:bands", [{}] * len(values))
    for index, (value, band, name) in enumerate(zip(values, bands, names, strict=True)):
        label = label_of(layer, asset, str(name or "") if len(values) > 1 else "")
        text = _text(layer, int(value), asset, band)
        yield {"layer": layer, "band": index, "value": int(value), "label": label, "text": text}


def _text(layer: str, value: int, asset: Mapping[str, Any], band: Mapping[str, Any]) -> str:
    """A file value in words: a class, the names of its bits, or a number with its unit."""
    if layer == "exclusion":
        return ", ".join(reasons_in(value)) or "no reason"
    if layer == "observed_by":
        seen = [words_of(name) for bit, name in enumerate(SEEN_BITS) if name and value >> bit & 1]
        return ", ".join(seen) or "no sensor"
    for one in asset.get("classification:classes", ()):
        if one["value"] == value:
            return class_text(layer, one)
    if value == band.get("nodata"):
        return SILENT
    scale, unit = float(band.get("scale", 1.0)), str(band.get("unit", ""))
    number = f"{value * scale:.{_decimals(scale)}f}"
    return f"{number} {unit}".rstrip()


def _decimals(scale: float) -> int:
    """Decimals that a stored step is worth: 0 of 1, 2 of 0.01, 4 of 0.0001."""
    return max(0, len(f"{scale:.10f}".rstrip("0").partition(".")[2]))
