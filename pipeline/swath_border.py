"""Border noise in a window of a Sentinel-1 GRD: read from the file's edge on, so that every unit finds the same."""

from __future__ import annotations

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from catalogs.formats.sentinel1 import swath_metadata
from catalogs.records import RasterLayer
from harmonization.border_noise import DEPTH, REACH, connected, empty_samples
from harmonization.calibration import believed_noise, calibrate, calibrate_with_noise
from pipeline.swath_tables import tables_of

Mask = NDArray[np.bool_]
Span = tuple[int, int]
"""First sample and the one behind the last."""


def border_in(layer: RasterLayer, source: rasterio.DatasetReader, spans: tuple[Span, Span]) -> Mask | None:
    """(lines, pixels) border noise in a window of an open file, and the fill that leads to it.

    None where the product has none, or not so far inside. `spans`: of lines and of pixels. What is read beside the
    window: its own lines from an edge of the file, and its own columns, where it lies within `DEPTH` samples of it.
    """
    if layer.encoding != "calibrated" or layer.swath is None or not swath_metadata(layer).before_ipf_2_9:
        return None
    found: Mask | None = None
    for axis in (0, 1):
        for from_end in (False, True):
            strip = _strip(source.shape[axis], spans[axis], from_end)
            if strip is None:
                continue
            wide = (strip, spans[1]) if axis == 0 else (spans[0], strip)
            run = connected(_empty(layer, source, wide), axis, from_end=from_end)
            found = np.zeros([stop - start for start, stop in spans], dtype=np.bool_) if found is None else found
            shared = max(strip[0], spans[axis][0]), min(strip[1], spans[axis][1])
            found[_part(spans[axis], shared, axis)] |= run[_part(strip, shared, axis)]
    return found


def _strip(length: int, span: Span, from_end: bool) -> Span | None:
    """Samples between an edge of a file and the far side of a window, along an axis; None beyond `DEPTH`."""
    start, stop = (max(span[0], length - DEPTH), length) if from_end else (0, min(span[1], DEPTH))
    near = span[1] > length - DEPTH if from_end else span[0] < DEPTH
    return (start, stop) if near else None


def _part(span: Span, shared: Span, axis: int) -> tuple[slice, ...]:
    """Where a shared stretch lies in an array that covers a span."""
    stretch = slice(shared[0] - span[0], shared[1] - span[0])
    return (stretch, slice(None)) if axis == 0 else (slice(None), stretch)


def _empty(layer: RasterLayer, source: rasterio.DatasetReader, spans: tuple[Span, Span]) -> Mask:
    """(lines, pixels) places without an image in a part of a file; read with the neighbours that decide."""
    (top, bottom), (left, right) = (
        (max(start - REACH, 0), min(stop + REACH, length))
        for (start, stop), length in zip(spans, source.shape, strict=True)
    )
    dn = source.read(layer.band, window=Window(left, top, right - left, bottom - top))
    tables = tables_of(swath_metadata(layer))
    if tables.noise is None:
        power = calibrate(dn, tables.gamma, (top, left))
        noise = np.full(power.shape, np.nan, dtype=np.float32)
    else:
        power, floor = calibrate_with_noise(dn, tables.gamma, tables.noise, tables.blocks, (top, left))
        noise = believed_noise(floor).astype(np.float32)
    empty = empty_samples(power, noise)
    return empty[spans[0][0] - top : spans[0][1] - top, spans[1][0] - left : spans[1][1] - left]
