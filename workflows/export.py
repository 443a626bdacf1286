"""`overbank export`: what `map` does not write by itself: other formats, other methods, one file for all units."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from catalogs.publish import write_catalog
from pipeline.cog import write_cog_of
from pipeline.errors import RunError
from pipeline.gis.hand_over import FOLDER, write_hand_over, write_mosaics
from pipeline.gis.mosaic import Mosaic, mosaic_of, present_in, vrt
from pipeline.gis.polygons import SMALLEST_KM2, FloodPolygons, flood_polygons
from pipeline.gis.vector_files import (
    write_geojson,
    write_geopackage,
    write_geoparquet,
    write_kml,
    write_shapefile,
)
from pipeline.job import Job
from pipeline.ledger import appearing
from pipeline.network_item import network_item
from pipeline.networks import MapNetwork, experts_of, networks_of
from pipeline.run_folder import RunFolder, open_run
from pipeline.styles.files import write_styles

EXPORTS = "export"
"""Folder of the run that exports go to unless another is named."""
VECTORS: dict[str, tuple[str, Callable[[Path, FloodPolygons], None]]] = {
    "geoparquet": (".parquet", write_geoparquet),
    "geojson": (".geojson", write_geojson),
    "shapefile": (".shp", write_shapefile),
    "kml": (".kml", write_kml),
}
"""By format: suffix and writer; a GeoPackage wants the legend too."""
FORMATS = ("gpkg", *VECTORS, "geotiff", "vrt", "qgis", "mlm")


def export(
    run: Path,
    formats: Sequence[str],
    *,
    method: str = "",
    layers: Sequence[str] = (),
    out: Path | None = None,
    smallest_km2: float = SMALLEST_KM2,
) -> dict[str, list[Path]]:
    """Write a run in other formats; by format, the files written. Each file is whole or not there.

    Args:
        run: the `--out` folder of `overbank map`.
        formats: of `FORMATS`. Polygons: gpkg, geoparquet, geojson, shapefile, kml. Rasters over all units: geotiff (one
            COG a layer and zone), vrt. All that `map` writes for a GIS: qgis. The networks it used: mlm.
        method: whose polygons and raster; by default the delivered one's.
        layers: rasters for geotiff; by default the classes of the method.
        out: folder; by default `export` in the run's.
        smallest_km2: polygons under this are left out.

    RunError names what the run does not hold.
    """
    strange = [name for name in formats if name not in FORMATS]
    if strange:
        raise RunError(f"format {strange[0]!r} is not known; known: {', '.join(FORMATS)}")
    folder, target = open_run(run), run / EXPORTS if out is None else out
    target.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Path]] = {}
    wanted = [name for name in formats if name == "gpkg" or name in VECTORS]
    if wanted:
        polygons = flood_polygons(folder, method, smallest_km2)
        found |= {name: _polygons(name, polygons, folder.legend, target) for name in wanted}
    for name in [one for one in formats if one not in wanted]:
        found[name] = list(_others(name, folder, method, layers, target))
    return found


def _others(name: str, run: RunFolder, method: str, layers: Sequence[str], target: Path) -> Iterator[Path]:
    if name == "geotiff":
        for layer in layers or (f"methods/{method}" if method else "flood_class",):
            yield from _geotiffs(run, layer, target)
    elif name == "mlm":
        yield _networks(run, target)
    else:
        with appearing(target / (FOLDER if name == "qgis" else "vrt")) as draft:
            write_hand_over(run, draft, method) if name == "qgis" else write_mosaics(run, draft)
        yield target / (FOLDER if name == "qgis" else "vrt")


def _polygons(name: str, polygons: FloodPolygons, legend: str, target: Path) -> list[Path]:
    stem = f"flood_polygons-{polygons.method}"
    with _placed(target) as draft:
        if name == "gpkg":
            write_geopackage(draft / f"{stem}.gpkg", polygons, legend)
        else:
            suffix, write = VECTORS[name]
            write(draft / f"{stem}{suffix}", polygons)
        written = sorted(path.name for path in draft.iterdir())
    return [target / one for one in written]


def _geotiffs(run: RunFolder, layer: str, target: Path) -> Iterator[Path]:
    """One COG a zone, with its styles."""
    if layer not in run.layers:
        raise RunError(f"{run.path}: holds no layer {layer!r}; it holds {', '.join(run.layers)}")
    for zone in run.zones:
        mosaic = mosaic_of(run, layer, zone)
        if mosaic is not None:
            yield _geotiff(mosaic, target, f"-{zone.rpartition(':')[2]}" if len(run.zones) > 1 else "")


def _geotiff(mosaic: Mosaic, target: Path, zone: str) -> Path:
    name = f"{mosaic.name.replace('/', '-')}{zone}"
    with _placed(target) as draft, tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "mosaic.vrt"
        source.write_bytes(vrt(mosaic, source))
        write_cog_of(draft / f"{name}.tif", source, mosaic.kind, mosaic.box)
        write_styles(draft / f"{name}.tif", name, mosaic.kind, mosaic.bands, present_in(mosaic))
    return target / f"{name}.tif"


def _networks(run: RunFolder, target: Path) -> Path:
    """The networks of a run's maps as a catalog of their own, weights beside the items."""
    folders = {name: folder for network in networks_of(_job(run)) for name, folder in _checkpoints(network)}
    if not folders:
        raise RunError(f"{run.path}: no network took part in it; its maps are {', '.join(run.methods)}")
    with appearing(target / "networks") as draft:
        items = []
        for name, folder in folders.items():
            own = draft / "weights" / name
            shutil.copytree(folder, own)
            items.append(network_item(own, name))
        write_catalog(draft, items, "Networks of overbank")
    return target / "networks" / "catalog.json"


def _checkpoints(network: MapNetwork) -> Iterator[tuple[str, Path]]:
    """Name and folder of each checkpoint; of late fusion those of its experts."""
    experts = experts_of(network.weights)
    yield from ((f"late-{folder.name}", folder) for folder in experts)
    if not experts:
        yield network.map, network.weights


def _job(run: RunFolder) -> Job:
    """The job of a run, as its run.json tells it."""
    path = run.path / "run.json"
    try:
        return Job.model_validate(json.loads(path.read_text(encoding="utf-8"))["job"])
    except (FileNotFoundError, KeyError, ValueError, ValidationError) as problem:
        raise RunError(f"{path}: does not tell the job ({problem}); map the run again with this version") from None


@contextmanager
def _placed(target: Path) -> Iterator[Path]:
    """A folder to write into, whose files go to `target` by a rename each when all of them are whole."""
    with tempfile.TemporaryDirectory(dir=target, prefix=".partial-") as scratch:
        draft = Path(scratch)
        yield draft
        for path in sorted(draft.iterdir()):
            os.replace(path, target / path.name)


def export_record(found: dict[str, list[Path]]) -> dict[str, Any]:
    """By format, the files as text: what `--json` writes."""
    return {name: [str(path) for path in paths] for name, paths in found.items()}
