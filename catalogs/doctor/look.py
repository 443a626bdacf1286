"""One look at a file: what its header says, and a coarse sample of its pixels, in one open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from catalogs.opening import with_raster
from catalogs.records import RasterLayer, Record

SAMPLE = 512
"""Pixels a side of the coarse look at most."""
PLAIN = 2048
"""Pixels a side up to which a file without overviews is read whole; a larger one through small windows."""
WINDOWS, CODE_WINDOWS, WINDOW = 4, 2, 128
"""So many windows along each side, of measurements and of codes, each at most so many pixels wide."""

Values = NDArray[np.float64]


class FileHeader(Record):
    """What a raster's header says of itself and of one band."""

    crs: str | None
    """EPSG code as "EPSG:32631" where there is one, else WKT; None where there is none."""
    shape: tuple[int, int]
    """Rows, columns."""
    transform: tuple[float, float, float, float, float, float]
    control_points: int
    data_type: str
    nodata: float | None
    """Of the band; NaN where that is what the header says."""
    tiled: bool
    overviews: bool


@dataclass(frozen=True, eq=False)
class Look:
    """A file's header and sample."""

    header: FileHeader
    values: Values
    """(y, x) file values as they are, nodata included; at most `SAMPLE`² of them, and not always neighbours."""


def look_at(raster: RasterLayer, classes: bool = False) -> Look:
    """Open a file once: header, coarse sample, and its last block, for a file cut short ends before it.

    `classes`: the values are codes, which averaged overviews would mix; a few windows of full pixels are read.
    Raises `ReadError` or `HrefError`.
    """

    def look(source: rasterio.DatasetReader) -> Look:
        header = _header(source, raster.band)
        values = _sample(source, raster.band, classes).astype(np.float64)
        source.read(raster.band, window=Window(source.width - 1, source.height - 1, 1, 1))
        return Look(header, values)

    return with_raster(raster, look)


def header_of(raster: RasterLayer) -> FileHeader:
    """The header alone. Raises `ReadError` or `HrefError`."""
    return with_raster(raster, lambda source: _header(source, raster.band))


def read_piece(raster: RasterLayer, row: int, column: int, side: int) -> Values:
    """(y, x) values of a square of full pixels, cropped to the file."""

    def read(source: rasterio.DatasetReader) -> Values:
        height, width = min(side, source.height - row), min(side, source.width - column)
        found = source.read(raster.band, window=Window(column, row, width, height))
        return np.asarray(found, dtype=np.float64)

    return with_raster(raster, read)


def _header(source: rasterio.DatasetReader, band: int) -> FileHeader:
    crs = source.crs
    code = crs.to_epsg() if crs else None
    return FileHeader(
        crs=f"EPSG:{code}" if code else crs.to_wkt() if crs else None,
        shape=source.shape,
        transform=tuple(source.transform)[:6],
        control_points=len(source.gcps[0]),
        data_type=source.dtypes[band - 1],
        nodata=source.nodatavals[band - 1],
        tiled=source.block_shapes[band - 1][1] < source.width or source.width <= PLAIN,
        overviews=bool(source.overviews(band)) or max(source.shape) <= PLAIN,
    )


def _sample(source: rasterio.DatasetReader, band: int, classes: bool) -> NDArray[np.generic]:
    rows, columns = min(source.height, SAMPLE), min(source.width, SAMPLE)
    small = max(source.shape) <= PLAIN
    if small and classes:
        return np.asarray(source.read(band))[:: -(-source.height // rows), :: -(-source.width // columns)]
    if small or (source.overviews(band) and not classes):
        return np.asarray(source.read(band, out_shape=(rows, columns)))
    return _windows(source, band, CODE_WINDOWS if classes else WINDOWS)


def _windows(source: rasterio.DatasetReader, band: int, side: int) -> NDArray[np.generic]:
    """`side` × `side` small windows of full pixels spread evenly over the file, side by side."""
    height, width = source.block_shapes[band - 1]
    tops, lefts = _starts(source.height, height, side), _starts(source.width, width, side)
    rows, columns = min(WINDOW, source.height), min(WINDOW, source.width)
    pieces = [[source.read(band, window=Window(left, top, columns, rows)) for left in lefts] for top in tops]
    return np.block(pieces)


def _starts(length: int, block: int, count: int) -> list[int]:
    """First pixels of so many windows, evenly through the file, each within one block where a block holds it."""
    starts = [round(length * (number + 0.5) / count) - WINDOW // 2 for number in range(count)]
    if block >= WINDOW:
        starts = [min(start, (start // block + 1) * block - WINDOW) for start in starts]
    return [max(0, min(start, length - WINDOW)) for start in starts]
