"""A layer over all units of a zone as one file: a VRT that points to them, by relative paths."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS

from pipeline.layers import LayerKind, kind_of
from pipeline.run_folder import RunFolder, UnitFolder
from pipeline.styles.symbology import present_values
from pipeline.styles.xml import put, written

GDAL_TYPES = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16"}
BLOCK = 256
"""Pixels a side of a tile of the units' files."""


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A layer over all units of one zone."""

    name: str
    """File stem of the layer: "flood_class", "methods/ndwi"."""
    zone: str
    """CRS of its grid, "EPSG:…"."""
    kind: LayerKind
    bands: tuple[str, ...]
    """Descriptions, of every unit."""
    units: tuple[UnitFolder, ...]
    """Those that hold the layer."""
    texts: tuple[tuple[str, ...], ...]
    """Descriptions of the bands of each."""
    box: GeoBox
    """Around them."""

    def offset(self, unit: UnitFolder) -> tuple[int, int]:
        """Column and row of a unit's first pixel."""
        column, row = ~self.box.affine * (unit.box.affine.c, unit.box.affine.f)
        return round(column), round(row)


def mosaic_of(run: RunFolder, name: str, zone: str) -> Mosaic | None:
    """A layer over the units of a zone; None where none of them holds it."""
    units = tuple(unit for unit in run.units if unit.facts["proj:code"] == zone and unit.has(name))
    if not units:
        return None
    texts = tuple(band_texts(unit, name) for unit in units)
    bands = tuple(dict.fromkeys(text for one in texts for text in one))
    return Mosaic(name, zone, kind_of(name, run.legend), bands, units, texts, _around([unit.box for unit in units]))


def band_texts(unit: UnitFolder, name: str) -> tuple[str, ...]:
    """Descriptions of the bands of a unit's layer."""
    with rasterio.open(unit.raster(name), driver="GTiff") as source:
        return tuple(text or str(number) for number, text in enumerate(source.descriptions, start=1))


def present_in(mosaic: Mosaic) -> set[int]:
    """The values that a bit field holds anywhere; read by windows."""
    if not mosaic.kind.bits:
        return set()
    pieces = (unit.read(mosaic.name, window) for unit in mosaic.units for window in unit.windows())
    return {value for piece in pieces for value in present_values(mosaic.kind, piece)}


def vrt(mosaic: Mosaic, path: Path) -> bytes:
    """The mosaic as a VRT that will lie at `path`: nodata, scale, unit, names and colours as in the units' files."""
    rows, columns = mosaic.box.shape.yx
    root = Element("VRTDataset", rasterXSize=str(columns), rasterYSize=str(rows))
    put(root, "SRS", CRS.from_user_input(mosaic.zone).to_wkt("WKT2_2019"), dataAxisToSRSAxisMapping="1,2")
    put(root, "GeoTransform", ", ".join(f"{value!r}" for value in mosaic.box.affine.to_gdal()))
    put(put(root, "Metadata"), "MDI", mosaic.kind.title, key="TITLE")
    for number, text in enumerate(mosaic.bands, start=1):
        _band(root, mosaic, number, text, path)
    return written(root)


def _band(root: Element, mosaic: Mosaic, number: int, text: str, path: Path) -> None:
    kind = mosaic.kind
    band = put(root, "VRTRasterBand", dataType=GDAL_TYPES[kind.dtype], band=number, blockXSize=BLOCK, blockYSize=BLOCK)
    if kind.classes is not None and number == 1:
        names = put(band, "Metadata")
        for code, (name, _, _) in kind.classes.items():
            put(names, "MDI", name, key=f"CLASS_{code}")
    put(band, "Description", text)
    if kind.nodata is not None:
        put(band, "NoDataValue", str(kind.nodata))
    if kind.unit:
        put(band, "UnitType", kind.unit)
    if kind.scale != 1.0:
        put(band, "Scale", f"{kind.scale!r}")
    if kind.classes is not None:
        _colours(band, kind)
    for unit, texts in zip(mosaic.units, mosaic.texts, strict=True):
        if text in texts:
            _source(band, mosaic, unit, texts.index(text) + 1, path)


def _colours(band: Element, kind: LayerKind) -> None:
    assert kind.classes is not None
    put(band, "ColorInterp", "Palette")
    table = put(band, "ColorTable")
    for code in range(256):
        colour = kind.classes[code][2] if code in kind.classes else "#000000"
        red, green, blue, *alpha = bytes.fromhex(colour[1:])
        put(table, "Entry", c1=red, c2=green, c3=blue, c4=alpha[0] if alpha else 255)


def _source(band: Element, mosaic: Mosaic, unit: UnitFolder, number: int, path: Path) -> None:
    """The pixels of a band of a unit's file."""
    rows, columns = unit.box.shape.yx
    column, row = mosaic.offset(unit)
    relative = os.path.relpath(unit.raster(mosaic.name), path.parent)
    source = put(band, "SimpleSource")
    put(source, "SourceFilename", Path(relative).as_posix(), relativeToVRT=1)
    put(source, "SourceBand", str(number))
    size = {"RasterXSize": columns, "RasterYSize": rows, "BlockXSize": BLOCK, "BlockYSize": BLOCK}
    put(source, "SourceProperties", DataType=GDAL_TYPES[mosaic.kind.dtype], **size)
    put(source, "SrcRect", xOff=0, yOff=0, xSize=columns, ySize=rows)
    put(source, "DstRect", xOff=column, yOff=row, xSize=columns, ySize=rows)


def _around(boxes: Sequence[GeoBox]) -> GeoBox:
    """The smallest grid of the boxes' lattice that holds them all."""
    first = boxes[0].affine
    extents = np.array([(*(box.affine * (0, 0)), *(box.affine * box.shape.xy)) for box in boxes])
    left, top = extents[:, 0].min(), extents[:, 1].max()
    columns = math.ceil((extents[:, 2].max() - left) / first.a - 1e-6)
    rows = math.ceil((extents[:, 3].min() - top) / first.e - 1e-6)
    return GeoBox((rows, columns), Affine(first.a, 0.0, left, 0.0, first.e, top), boxes[0].crs)
