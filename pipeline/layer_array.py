"""A layer of a run as one lazy array with labels: grid, CRS, units, classes."""

from __future__ import annotations

from typing import Any

import dask.array
import numpy as np
import rioxarray  # noqa: F401  # gives arrays their `.rio`
import xarray
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox, geobox_union_conservative
from rasterio.windows import Window

from pipeline.errors import RunError
from pipeline.run_folder import RunFolder, UnitFolder

CHUNK = 1024
"""Rows and columns that are read at a time."""


def layer_array(run: RunFolder, layer: str, zone: str | None = None, masked: bool = True) -> xarray.DataArray:
    """One layer over all units of a run; nothing is read until it is computed.

    Args:
        run: the run.
        layer: "flood_class", "methods/ndwi" …
        zone: CRS of one of the grids of a run that has several, "EPSG:…".
        masked: True gives float32 in the layer's own units (classes by their codes) and NaN where a pixel was not
            observed or lies outside of the run; False gives file values in their own type, with `_FillValue`,
            `scale_factor` and `add_offset`.

    Returns:
        (y, x), or (band, y, x) of a layer with several bands, with a CRS for `.rio`, `long_name`, `units`, and
        `flag_values` and `flag_meanings` of classes (CF conventions, section 3.5).

    Raises:
        RunError: the run holds no such layer or zone, or has several and none is named.
    """
    units = [unit for unit in _of_zone(run, zone) if unit.has(layer)]
    if not units:
        raise RunError(f"{run.path}: holds no layer {layer!r}; it holds {', '.join(run.layers)}")
    box = geobox_union_conservative([unit.box for unit in units])
    asset = units[0].item["assets"][layer]
    bands = asset["raster:bands"]
    fill = bands[0].get("nodata", 0)
    kind = np.dtype(bands[0]["data_type"])
    shape = (len(bands), *box.shape.yx)
    chunks = dask.array.core.normalize_chunks((len(bands), CHUNK, CHUNK), shape, dtype=kind)
    values = dask.array.map_blocks(_block, chunks=chunks, dtype=kind, units=units, layer=layer, box=box, fill=fill)
    labels = _labels(asset, masked, fill if "nodata" in bands[0] else None)
    found = xarray.DataArray(values, _coordinates(box, bands), ("band", "y", "x"), layer, labels)
    if masked:
        found = _in_units(found, bands[0])
    found = found if len(bands) > 1 else found.isel(band=0, drop=True)
    placed: xarray.DataArray = found.rio.write_crs(str(box.crs)).rio.write_transform(box.affine)
    return placed if masked or "nodata" not in bands[0] else placed.rio.write_nodata(fill)


def _of_zone(run: RunFolder, zone: str | None) -> list[UnitFolder]:
    zones = run.zones
    if (zone is None and len(zones) > 1) or (zone is not None and zone not in zones):
        found = "several grids" if zone is None else f"no grid {zone!r}"
        raise RunError(f"{run.path}: has {found}; name one of its zones: {', '.join(zones)}")
    return [unit for unit in run.units if zone is None or unit.facts["proj:code"] == zone]


def _coordinates(box: GeoBox, bands: list[dict[str, Any]]) -> dict[str, Any]:
    """Middles of pixels, metres, and the names of the bands."""
    rows, columns = box.shape.yx
    step = box.affine
    return {
        "band": [band.get("description", f"{number}") for number, band in enumerate(bands, start=1)],
        "y": step.f + step.e * (np.arange(rows) + 0.5),
        "x": step.c + step.a * (np.arange(columns) + 0.5),
    }


def _labels(asset: dict[str, Any], masked: bool, fill: float | None) -> dict[str, Any]:
    told: dict[str, Any] = {"long_name": asset["title"]}
    band = asset["raster:bands"][0]
    if band.get("unit"):
        told["units"] = band["unit"]
    classes = [one for one in asset.get("classification:classes", ()) if not masked or one["value"] != fill]
    if classes:
        told["flag_values"] = np.array([one["value"] for one in classes], np.uint8)
        told["flag_meanings"] = " ".join(one["name"] for one in classes)
    bits = asset.get("classification:bitfields", ())
    if bits:
        told["flag_masks"] = np.array([1 << one["offset"] for one in bits], band["data_type"])
        told["flag_meanings"] = " ".join(one["name"] for one in bits)
    return told if masked else told | {"scale_factor": band["scale"], "add_offset": band["offset"]}


def _in_units(found: xarray.DataArray, band: dict[str, Any]) -> xarray.DataArray:
    """Physical values, NaN where there is none; layers of bits have no nodata and stay what they are."""
    if "nodata" not in band:
        return found
    seen = found != band["nodata"]
    scaled = (found.astype(np.float32) * np.float32(band["scale"]) + np.float32(band["offset"])).where(seen)
    return scaled.assign_attrs(found.attrs)


def _block(units: list[UnitFolder], layer: str, box: GeoBox, fill: float, block_info: Any = None) -> NDArray[Any]:
    """File values of a chunk of the mosaic; `fill` where no unit is."""
    told = block_info[None]
    (top, bottom), (left, right) = told["array-location"][1:]
    part = box[top:bottom, left:right]
    values = np.full(told["chunk-shape"], fill, told["dtype"])
    for unit in units:
        row, column = _offset(unit.box, part)
        rows, columns = unit.box.shape.yx
        low, high = max(row, 0), min(row + rows, part.shape.y)
        near, far = max(column, 0), min(column + columns, part.shape.x)
        if low < high and near < far:
            window = Window(near - column, low - row, far - near, high - low)
            values[:, low:high, near:far] = unit.read(layer, window)
    return values


def _offset(box: GeoBox, part: GeoBox) -> tuple[int, int]:
    """Row and column of a part of the mosaic at which a unit begins; both lie on one lattice."""
    column, row = ~part.affine * (box.affine.c, box.affine.f)
    return round(row), round(column)
