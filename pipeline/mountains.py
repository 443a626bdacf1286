"""Flattening in mountains: gamma0 of the terrain by range and Doppler, through `sarsen`, once a scene.

Where facets share samples, only the sum over all facets that a sample holds is right (Small 2011, TGRS 49(8):3081); it
takes the orbit. The scenes come out map-projected and flattened, as any RTC product, and are read as such.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo import CRS
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from catalogs.formats.sentinel1_safe import MANIFEST
from catalogs.records import Acquisition, RasterLayer
from harmonization.bundle import copolar
from harmonization.calibration import decibel
from harmonization.reasons import Reason
from pipeline.errors import JobError, PipelineError
from pipeline.flatten import facets_on
from pipeline.ground import elevation_on
from pipeline.plan import Plan, with_scenes
from pipeline.swath import noise_on
from pipeline.swath_terrain import datum_offset, swaths_of

Array = NDArray[np.float32]
Said = Callable[[str], None]

PIXEL = 10.0
"""Metres of what comes out: of a GRD sample."""
FINER = 2
"""Pixels of the elevation to one that comes out. On a plane at 39° the weights of sarsen ripple by 6.0 % where they are
as wide as samples, by 0.8 % at half (standard deviation) [C]."""
MARGIN = 1280.0
"""Metres around the units of a scene: halos of the units, and facets at the rim."""
BLOCK = 1024
"""Pixels a side that are held at once."""
OVER, IN_SHADOW, NOTHING = 2, 1, 255
"""Values of the mask, those of the scheme "opera-rtc"."""


def flatten_plan(plan: Plan, folder: Path, said: Said) -> Plan:
    """The plan with every Sentinel-1 GRD scene flattened into `folder`, where an earlier run's are found again.

    JobError where sarsen is not installed, or a scene is not a whole product on this disk, or the elevation does not
    fit it; PipelineError, which names the product, where sarsen fails.
    """
    grd = [scene for scene in plan.during + plan.before if swaths_of(scene.layers[copolar(scene.layers)])]
    if not grd:
        said("nothing to do: no scene is Sentinel-1 GRD in radar geometry")
    if grd and importlib.util.find_spec("sarsen") is None:
        raise JobError("flattening: sarsen is not installed; pip install 'overbank[mountains]', or write facet")
    found = {scene.id: _flattened(scene, plan, folder, said) for scene in grd}
    during, before = (tuple(found.get(scene.id, scene) for scene in some) for some in (plan.during, plan.before))
    return with_scenes(plan, during, before)


def _flattened(scene: Acquisition, plan: Plan, folder: Path, said: Said) -> Acquisition:
    boxes = scene_boxes(plan, scene)
    if not boxes:
        return scene
    layers: dict[str, list[RasterLayer]] = {}
    for box in boxes:
        said(f"{scene.id}: range and Doppler over {box.shape.y} x {box.shape.x} pixels of {PIXEL:g} m")
        for name, raster in flatten_scene(scene, box, plan.elevation, folder).items():
            layers.setdefault(name, []).append(raster)
    return scene.model_copy(
        update={
            "layers": {name: tuple(rasters) for name, rasters in layers.items()},
            "mask_scheme": "opera-rtc",
            "quantity": "gamma0",
            "noise_source": "product",
            "noise_db": scene.noise_db | _noise(scene, boxes[0]),
        }
    )


def scene_boxes(plan: Plan, scene: Acquisition) -> list[GeoBox]:
    """By zone, a box of `PIXEL` metres around all units that read a scene."""
    bounds: dict[CRS | None, list[tuple[float, float, float, float]]] = {}
    for unit in plan.units:
        if any(one.id == scene.id for one in unit.scenes):
            bounds.setdefault(unit.box.crs, []).append(unit.box.extent.boundingbox.bbox)
    boxes = []
    for crs, corners in bounds.items():
        west, south = (np.floor((min(corner[i] for corner in corners) - MARGIN) / PIXEL) * PIXEL for i in (0, 1))
        east, north = (np.ceil((max(corner[i] for corner in corners) + MARGIN) / PIXEL) * PIXEL for i in (2, 3))
        boxes.append(GeoBox.from_bbox((west, south, east, north), crs, resolution=PIXEL))
    return boxes


def flatten_scene(
    scene: Acquisition, box: GeoBox, elevation: Sequence[RasterLayer], folder: Path
) -> dict[str, RasterLayer]:
    """By polarization linear gamma0 of the terrain, with its "angle" (local, degrees) and "mask", as rasters on a box.

    Errors as of `flatten_plan`.
    """
    swaths = swaths_of(scene.layers[copolar(scene.layers)])
    offset = datum_offset(swaths, tuple(elevation))
    if offset is None:
        raise JobError(f"flattening: the elevation does not fit the tie points of {scene.id}; give another, or facet")
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{scene.id}-{_key(scene, box, elevation)}"
    paths = {name: folder / f"{stem}-{name}.tif" for name in (*scene.polarizations, "angle", "mask")}
    if not all(path.is_file() for path in paths.values()):
        with TemporaryDirectory(dir=folder, prefix=".partial-") as draft:
            made = {name: Path(draft) / f"{name}.tif" for name in paths}
            _write_ground(scene, box, elevation, made["angle"], made["mask"])
            dem = _write_elevation(box, elevation, offset, Path(draft) / "dem.tif")
            for name in scene.polarizations:
                rasters = swaths_of(scene.layers[name])
                pieces = [
                    range_doppler(raster, name, dem, Path(draft) / f"{i}.tif") for i, raster in enumerate(rasters)
                ]
                _write_power(pieces, box, elevation, made[name])
            for name, path in made.items():
                path.replace(paths[name])
    return {
        name: RasterLayer(
            href=str(path), item=scene.id, encoding="power" if name in scene.polarizations else "linear",
            nodata=(float(NOTHING),) if name == "mask" else (),
        )
        for name, path in paths.items()
    }  # fmt: skip


def range_doppler(raster: RasterLayer, polarization: str, dem: Path, out: Path) -> Path:
    """gamma0 of the terrain of one measurement of a SAFE on the grid of a DEM (metres above the ellipsoid): `out`.

    sarsen's own way (`terrain_correction`, weights by "gamma_bilinear" over 3 x 3 samples); its rows run northward.
    """
    product = Path(raster.href).parents[1]
    if not (product / MANIFEST).is_file():
        raise JobError(
            f"flattening: sarsen reads whole SAFE products on this disk; {raster.href} is in none; use facet"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sarsen = importlib.import_module("sarsen")
        try:
            groups = sarsen.Sentinel1SarProduct(str(product)).all_measurement_groups()
            group = next(group for group in groups if group.endswith(f"/{polarization}"))
            sarsen.terrain_correction(
                sarsen.Sentinel1SarProduct(str(product), measurement_group=group),
                str(dem),
                output_urlpath=str(out),
                correct_radiometry="gamma_bilinear",
                interp_method="linear",
            )
        except (OSError, KeyError, ValueError, StopIteration) as problem:
            told = f"{type(problem).__name__}: {problem}"
            raise PipelineError(f"{product}: sarsen cannot flatten {polarization} ({told}); use facet") from problem
    return out


def _write_elevation(box: GeoBox, elevation: Sequence[RasterLayer], offset: float, path: Path) -> Path:
    """Heights above the ellipsoid on a grid `FINER` than the box; unknown ground lies at 0 of the model."""
    with _create(path, _finer(box), "float32") as target:
        for window, part in _blocks(_finer(box)):
            height = elevation_on(elevation, part)
            target.write(np.where(np.isnan(height), np.float32(0.0), height) + np.float32(offset), 1, window=window)
    return path


def _write_ground(scene: Acquisition, box: GeoBox, elevation: Sequence[RasterLayer], angle: Path, mask: Path) -> None:
    """Local incidence, layover and shadow, from the same elevation."""
    with _create(angle, box, "float32") as angles, _create(mask, box, "uint8") as masks:
        for window, part in _blocks(box):
            facets = facets_on(scene, part, elevation)
            assert facets is not None
            over, dark = ((facets.reasons & reason) != 0 for reason in (Reason.LAYOVER, Reason.RADAR_SHADOW))
            code = np.where(over, OVER, 0) + np.where(dark, IN_SHADOW, 0)
            angles.write(facets.angle, 1, window=window)
            masks.write(np.where(np.isnan(facets.angle), NOTHING, code).astype(np.uint8), 1, window=window)


def _write_power(pieces: Sequence[Path], box: GeoBox, elevation: Sequence[RasterLayer], path: Path) -> None:
    """Means over `FINER` pixels of what sarsen wrote, of the first slice that saw it; NaN where no ground is known."""
    with _create(path, box, "float32") as target:
        for window, part in _blocks(box):
            power = np.full(part.shape.yx, np.nan, np.float32)
            for piece in pieces:
                power = np.where(np.isnan(power), _mean_of(piece, window), power)
            power[np.isnan(elevation_on(elevation, part))] = np.nan
            target.write(power, 1, window=window)


def _mean_of(piece: Path, window: Window) -> Array:
    """A window, in pixels of the box, of a raster whose rows run northward; 0 and less, and infinity, are nothing."""
    with rasterio.open(piece) as source:
        rows, columns = window.height * FINER, window.width * FINER
        bottom = source.height - (window.row_off * FINER + rows)
        values = source.read(1, window=Window(window.col_off * FINER, bottom, columns, rows))[::-1]
    values = np.where(np.isfinite(values) & (values > 0), values, np.nan).astype(np.float32)
    cells = values.reshape(window.height, FINER, window.width, FINER)
    return np.asarray(cells.mean(axis=(1, 3), dtype=np.float32))


def _finer(box: GeoBox) -> GeoBox:
    rows, columns = box.shape.yx
    return GeoBox((rows * FINER, columns * FINER), box.affine * Affine.scale(1.0 / FINER), box.crs)


def _blocks(box: GeoBox) -> Iterator[tuple[Window, GeoBox]]:
    rows, columns = box.shape.yx
    for top in range(0, rows, BLOCK):
        for left in range(0, columns, BLOCK):
            part = box[top : min(top + BLOCK, rows), left : min(left + BLOCK, columns)]
            yield Window(left, top, part.shape.x, part.shape.y), part


def _create(path: Path, box: GeoBox, kind: str) -> rasterio.io.DatasetWriter:
    rows, columns = box.shape.yx
    place = {"height": rows, "width": columns, "crs": str(box.crs), "transform": box.affine}
    how = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "BIGTIFF": "IF_SAFER"}
    return partial(rasterio.open, path, "w", driver="GTiff", count=1, dtype=kind)(**place, **how)


def _noise(scene: Acquisition, box: GeoBox) -> dict[str, float]:
    """Noise floor by polarization in the middle of a box, dB: what sarsen leaves in the power."""
    rows, columns = (min(side, 256) for side in box.shape.yx)
    top, left = (box.shape.y - rows) // 2, (box.shape.x - columns) // 2
    middle = box[top : top + rows, left : left + columns]
    found = {}
    for name in scene.polarizations:
        levels = np.concatenate([noise_on(raster, middle).ravel() for raster in swaths_of(scene.layers[name])])
        if np.isfinite(levels).any():
            found[name] = round(float(decibel(np.nanmedian(levels))), 3)
    return found


def _key(scene: Acquisition, box: GeoBox, elevation: Sequence[RasterLayer]) -> str:
    """What changes when the pixels may."""
    stamps = [Path(raster.href).stat().st_mtime_ns for raster in elevation if Path(raster.href).is_file()]
    told = [record.model_dump_json() for record in (scene, *elevation)] + [str(box.crs), str(box.affine), str(stamps)]
    return sha256("\n".join([*told, version("overbank"), version("sarsen")]).encode()).hexdigest()[:12]
