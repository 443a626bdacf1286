"""Small synthetic scenes, bundles and looks for the tests of the pipeline: what is on disk is known by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import mapping

from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import Evidence, OpticalBundle, RadarBundle
from pipeline.grid import outline_lonlat
from pipeline.science import Science, load_science
from pipeline.weigh import SensorLook

NOON = datetime(2023, 5, 18, 12, tzinfo=UTC)
WEST, NORTH = 599_040.0, 4_999_680.0
"""Metres of UTM 32N: a corner of the lattice at every resolution that the tests use."""


def grid(
    rows: int = 32, columns: int = 32, resolution: float = 10.0, row: int = 0, column: int = 0, crs: str = "EPSG:32632"
) -> GeoBox:
    """A box whose first pixel lies `row`, `column` pixels off the corner."""
    origin = Affine(resolution, 0.0, WEST + column * resolution, 0.0, -resolution, NORTH - row * resolution)
    return GeoBox((rows, columns), origin, crs)


def write_tiff(path: Path, values: NDArray[Any], box: GeoBox, nodata: float | None = None) -> str:
    """Write (y, x) or (band, y, x) values and give the path back as an address."""
    stack = values if values.ndim == 3 else values[None]
    count, rows, columns = stack.shape
    place = {"height": rows, "width": columns, "transform": box.affine, "crs": str(box.crs) if box.crs else None}
    with rasterio.open(path, "w", driver="GTiff", count=count, dtype=stack.dtype, nodata=nodata, **place) as target:
        target.write(stack)
    return str(path)


def radar_scene(folder: Path, name: str, power: Mapping[str, NDArray[Any]], box: GeoBox, **changes: Any) -> Acquisition:
    """An acquisition of linear power on disk; `layers` of the changes are added to the polarizations."""
    layers = {
        polarization: RasterLayer(href=write_tiff(folder / f"{name}_{polarization}.tif", values, box), encoding="power")
        for polarization, values in power.items()
    } | changes.pop("layers", {})
    told: dict[str, Any] = {
        "id": name,
        "slices": (name,),
        "collection": "test",
        "sensor": "sentinel-1",
        "kind": "radar",
        "platform": "sentinel-1a",
        "start": NOON,
        "end": NOON,
        "quantity": "gamma0",
        "band": "C",
        "layers": {key: (raster.model_copy(update={"item": name}),) for key, raster in layers.items()},
        "angle_range": (30.0, 46.0),
        "noise_db": dict.fromkeys(power, -30.0),
        "footprint": mapping(outline_lonlat(box).geom),
    }
    return Acquisition(**told | changes)


def optical_scene(
    folder: Path, name: str, numbers: Mapping[str, NDArray[Any]], box: GeoBox, offset: float = 0.0, **changes: Any
) -> Acquisition:
    """An acquisition of digital numbers (reflectance is 1e-4·DN + offset) on disk."""
    layers = {
        band: RasterLayer(
            href=write_tiff(folder / f"{name}_{band}.tif", values, box), scale=1e-4, offset=offset, nodata=(0.0,)
        )
        for band, values in numbers.items()
    } | changes.pop("layers", {})
    told: dict[str, Any] = {
        "id": name,
        "slices": (name,),
        "collection": "test",
        "sensor": "sentinel-2",
        "kind": "optical",
        "platform": "sentinel-2a",
        "start": NOON,
        "end": NOON,
        "quantity": "surface_reflectance",
        "layers": {key: (raster.model_copy(update={"item": name}),) for key, raster in layers.items()},
        "footprint": mapping(outline_lonlat(box).geom),
    }
    return Acquisition(**told | changes)


def science(**changes: Any) -> Science:
    """The shipped parameters, changed as asked."""
    return load_science("2026-11").model_copy(update=changes)


def plain(shape: tuple[int, int], value: float) -> NDArray[np.float32]:
    """The same value everywhere."""
    return np.full(shape, value, dtype=np.float32)


def flags(shape: tuple[int, int], value: int = 0) -> NDArray[np.uint16]:
    """The same reasons everywhere."""
    return np.full(shape, value, dtype=np.uint16)


def radar_bundle(power: Mapping[str, NDArray[np.float32]], **changes: Any) -> RadarBundle:
    """A C-band look at 38 degrees, 12 looks and a floor of -30 dB, unless told otherwise."""
    shape = next(iter(power.values())).shape
    told: dict[str, Any] = {
        "band": "C",
        "power": power,
        "quantity": "gamma0",
        "angle": plain(shape, 38.0),
        "angle_range": (30.0, 46.0),
        "noise": dict.fromkeys(power, 1e-3),
        "denoised": False,
        "looks": 12.0,
        "reasons": flags(shape),
        "time": NOON,
    }
    return RadarBundle(**told | changes)


def optical_bundle(green: NDArray[np.float32], nir: NDArray[np.float32], **changes: Any) -> OpticalBundle:
    """A clear look in two bands with little haze."""
    told: dict[str, Any] = {
        "reflectance": {"green": green, "nir": nir},
        "haze": 0.01,
        "cloud_test": "scene-classification",
        "reasons": flags(green.shape),
        "time": NOON,
        "cell": 3,
    }
    return OpticalBundle(**told | changes)


def evidence_of(sensor: str, water: NDArray[np.float32], vegetation: float = 0.0, **changes: Any) -> Evidence:
    """Evidence of so many nats of water and of flooded vegetation; NaN water is not observed."""
    observed = np.isfinite(water)
    llr = np.stack([np.nan_to_num(water), np.where(observed, np.float32(vegetation), np.float32(0.0))])
    told: dict[str, Any] = {
        "sensor": sensor,
        "llr": llr.astype(np.float32),
        "observed": observed,
        "reasons": flags(water.shape),
        "time": NOON,
    }
    return Evidence(**told | changes)


def look_of(
    sensor: Any, bundle: RadarBundle | OpticalBundle, water: NDArray[np.float32], vegetation: float = 0.0, **told: Any
) -> SensorLook:
    """A look whose contribution is its evidence: neither doubted nor aged."""
    evidence = evidence_of(sensor, water, vegetation)
    values: dict[str, Any] = {
        "sensor": sensor,
        "evidence": evidence,
        "hours": np.where(evidence.observed, np.float32(0.0), np.float32(np.nan)),
        "chosen": np.where(evidence.observed, 0, -1),
        "bundle": bundle,
        "before": None,
        "before_evidence": None,
        "contribution": evidence.llr,
    }
    return SensorLook(**values | told)


def hours_ago(hours: float) -> datetime:
    """So many hours before noon."""
    return NOON - timedelta(hours=hours)
