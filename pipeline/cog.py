"""One layer to one valid Cloud-Optimized GeoTIFF: tiles, overviews, statistics, nodata, scale, colours, names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.io import DatasetWriter, MemoryFile
from rasterio.shutil import copy

from pipeline.layers import Layer, LayerKind

BLOCK = 256
"""Pixels a side of an internal tile: small areas still get an overview."""


def write_cog(path: Path, layer: Layer, box: GeoBox) -> None:
    """Write a layer; the folder must be there. The bytes depend on the values alone."""
    with MemoryFile() as memory:
        with memory.open(**_profile(layer, box)) as draft:
            draft.write(layer.values)
            _describe(draft, layer)
        with memory.open() as draft:
            copy(draft, path, driver="COG", **_options(layer.kind, box))


def write_cog_of(path: Path, source: Path, kind: LayerKind, box: GeoBox) -> None:
    """Write a raster on disk (a mosaic) of a kind of layer as a COG; read by blocks, whatever its size."""
    copy(source, path, driver="COG", **_options(kind, box))


def write_scene(path: Path, values: NDArray[np.generic], box: GeoBox, nodata: float | None) -> None:
    """Write one band of a scene (simulator) as a COG in its own number type."""
    profile = {"driver": "GTiff", "count": 1, "dtype": values.dtype.name, "nodata": nodata, **_place(box)}
    with MemoryFile() as memory:
        with memory.open(**profile) as draft:
            draft.write(values, 1)
        with memory.open() as draft:
            copy(draft, path, driver="COG", BLOCKSIZE=BLOCK, COMPRESS="DEFLATE", OVERVIEW_RESAMPLING="AVERAGE")


def _place(box: GeoBox) -> dict[str, object]:
    rows, columns = box.shape.yx
    return {"height": rows, "width": columns, "crs": str(box.crs), "transform": box.affine}


def _profile(layer: Layer, box: GeoBox) -> dict[str, object]:
    kind = layer.kind
    profile: dict[str, object] = {"driver": "GTiff", "count": len(layer.values), "dtype": kind.dtype}
    return profile | {"nodata": kind.nodata, **_place(box)}


def _describe(draft: DatasetWriter, layer: Layer) -> None:
    kind = layer.kind
    draft.descriptions = layer.bands
    draft.scales = (kind.scale,) * len(layer.bands)
    draft.units = (kind.unit,) * len(layer.bands)
    draft.update_tags(TITLE=kind.title)
    if kind.classes is not None:
        colours = {code: tuple(bytes.fromhex(row[2].removeprefix("#"))) for code, row in kind.classes.items()}
        draft.write_colormap(1, colours)
        draft.update_tags(1, **{f"CLASS_{code}": row[0] for code, row in kind.classes.items()})


def _options(kind: LayerKind, box: GeoBox) -> dict[str, object]:
    resampling = kind.overviews.upper()
    options: dict[str, object] = {
        "BLOCKSIZE": BLOCK,
        "COMPRESS": "DEFLATE",
        "PREDICTOR": "YES" if kind.dtype != "uint8" else "NO",
        "OVERVIEW_RESAMPLING": resampling,
        "STATISTICS": "YES",
        "BIGTIFF": "IF_SAFER",
    }
    if max(box.shape.yx) <= BLOCK:
        options["OVERVIEW_COUNT"] = 1
    return options


def read_statistics(path: Path) -> dict[str, str]:
    """The statistics tags of a layer's first band."""
    with rasterio.open(path) as source:
        return {key: value for key, value in source.tags(1).items() if key.startswith("STATISTICS")}
