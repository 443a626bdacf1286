"""What item and collection say, held against the file's header. Pure: no file is opened here."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rasterio.crs import CRS
from rasterio.errors import CRSError

from catalogs.doctor.findings import Finding
from catalogs.doctor.look import FileHeader
from catalogs.records import RasterLayer, Stated

SAME = 0.01
"""Pixels by which two transforms of the same grid may differ: digits lost in JSON."""
HALF = 0.05
"""Pixels around one half that count as one half."""
PIXEL = 1e-4
"""Share by which the sizes of a pixel may differ, so that a file of 10 000 pixels ends within one of them."""


def check_header(thing: str, layer: str, raster: RasterLayer, header: FileHeader) -> Iterator[Finding]:
    """All findings of one file's header; `thing` and `layer` name it."""

    def say(code: str, found: str, expected: str) -> Finding:
        return Finding(code=code, thing=thing, layer=layer, href=raster.href, found=found, expected=expected)

    yield from (say(*told) for told in _place(raster, header))
    yield from (say(*told) for told in _numbers(raster, header))
    if not (header.tiled and header.overviews):
        lacks = [name for name, there in (("tiles", header.tiled), ("overviews", header.overviews)) if not there]
        yield say("slow-file", f"no {' and no '.join(lacks)}", "a Cloud-Optimized GeoTIFF")


Told = tuple[str, str, str]
"""Code, found, expected."""


def _place(raster: RasterLayer, header: FileHeader) -> Iterator[Told]:
    """Where the file lies."""
    stated = raster.stated
    if header.crs is None:
        yield from _without_crs(raster, header)
        return
    if stated.crs is not None and not same_crs(stated.crs, header.crs):
        yield "wrong-crs", f"{stated.crs} in the item", f"{_short(header.crs)} as in the file"
        return  # coordinates of two systems cannot be compared
    yield from _grid(stated, header)


def _without_crs(raster: RasterLayer, header: FileHeader) -> Iterator[Told]:
    if not header.control_points:
        yield "no-crs", "no coordinate reference system and no control points", "one of the two"
        return
    points = f"{header.control_points} control points and no projection"
    if raster.stated.transform is not None:
        yield "invented-transform", f"{points}, but proj:transform in the item", "no proj:transform"
    if raster.swath is None:
        yield "no-annotation", points, "annotation and calibration beside the file"
    else:
        yield "radar-geometry", points, "a map projection, or the annotation, which is there"


def _grid(stated: Stated, header: FileHeader) -> Iterator[Told]:
    if stated.shape is not None and stated.shape != header.shape:
        yield "stale-shape", f"{_size(stated.shape)} in the item", f"{_size(header.shape)} as in the file"
    if stated.transform is None:
        return
    columns, rows = offset_pixels(stated.transform, header.transform)
    scaled = _pixel_change(stated.transform, header.transform) > PIXEL
    if max(abs(columns), abs(rows)) <= SAME and not scaled:
        return
    if not scaled and _is_half(columns) and _is_half(rows):
        yield "half-pixel-grid", f"{_shift(columns, rows)} in the item", "the origin of the file"
        return
    width, height = abs(header.transform[0]), abs(header.transform[4])
    far = f"{_shift(columns, rows)} ({_plain(columns * width)}, {_plain(rows * height)} in units of the system)"
    x, y = header.transform[2], header.transform[5]
    size = f"; pixels of {abs(stated.transform[0]):g} instead of {width:g}" if scaled else ""
    yield "stale-transform", f"{far}{size} in the item", f"the origin {_plain(x)}, {_plain(y)}"


def same_crs(first: str, second: str) -> bool:
    """Whether two names or texts mean the same coordinate reference system; False for one that means none."""
    if first.upper() == second.upper():
        return True
    try:
        return bool(CRS.from_user_input(first) == CRS.from_user_input(second))
    except CRSError:
        return False


def offset_pixels(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[float, float]:
    """By how many pixels of `second` (columns, rows) the origin of `first` lies off."""
    a, b, c, d, e, f = second
    x, y = first[2] - c, first[5] - f
    determinant = a * e - b * d
    return (e * x - b * y) / determinant, (a * y - d * x) / determinant


def _pixel_change(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    size = math.hypot(second[0], second[3])
    return max(abs(first[index] - second[index]) for index in (0, 1, 3, 4)) / size


def _is_half(pixels: float) -> bool:
    return abs(abs(pixels) - 0.5) <= HALF


def _numbers(raster: RasterLayer, header: FileHeader) -> Iterator[Told]:
    """How the file's numbers are to be read."""
    stated = raster.stated.data_type
    if stated is not None and stated != header.data_type:
        yield "type-differs", f"{stated} in the item", f"{header.data_type} as in the file"
    if header.nodata is None and not raster.nodata:
        yield "missing-nodata", "none in file, item and collection", "a nodata value"
    elif header.nodata is not None and raster.nodata and not _named(header.nodata, raster.nodata):
        named = ", ".join(f"{value:g}" for value in raster.nodata)
        yield "nodata-differs", f"{header.nodata:g} in the file", f"{named} as item or collection say"


def _named(value: float, values: tuple[float, ...]) -> bool:
    return math.isnan(value) or value in values


def _short(crs: str) -> str:
    return crs if len(crs) < 40 else f"{crs[:40]}…"


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} × {shape[1]}"


def _shift(columns: float, rows: float) -> str:
    return f"{_plain(columns)} columns and {_plain(rows)} rows off"


def _plain(value: float) -> str:
    """A number to a thousandth at most: no exponent, no zero with a sign; more digits of degrees."""
    digits = 3 if abs(value) >= SAME else 6
    return f"{round(value, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")
