"""`overbank simulate`: a flood whose truth is known, as a catalog of scenes like the public ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pystac
from affine import Affine
from odc.geo.geobox import GeoBox

from catalogs.formats.sentinel1_safe import safe_item
from catalogs.publish import SceneFile, scene_item, write_catalog
from harmonization.simulate.event import CRS, Event, simulate_event
from harmonization.simulate.grid import Grid
from harmonization.simulate.ground import USUAL, Variety
from harmonization.simulate.scene import Scene
from harmonization.simulate.swath import simulate_grd
from pipeline.cog import write_scene
from pipeline.grid import outline_lonlat
from pipeline.job_methods import AS_THE_JOB_SAYS, DEFAULT_METHODS, Choice
from workflows.simulate_safe import write_safe

COLLECTIONS = {"sentinel-1": "sentinel-1-rtc", "alos-2": "palsar2-scansar", "sentinel-2": "sentinel-2-l2a"}
Sentinel1 = Literal["rtc", "safe", "safe-2017"]
TRUTH = "truth.tif"
JOB = """\
# Map the simulated flood: two dates, three sensors, rules, physics and networks.
name: {name}
area: {folder}area.geojson
catalog: {folder}catalog.json
before: [2024-01-10, 2024-01-22]
during: [2024-02-10, 2024-02-13]
sensors: [sentinel-1, alos-2, sentinel-2]
methods: [{methods}]
tile: 512
"""


def simulate(
    out: Path,
    size: int,
    seed: int,
    flood: bool = True,
    sentinel1: Sentinel1 = "rtc",
    cloud_cover: float | None = None,
    variety: Variety = USUAL,
) -> Path:
    """Simulate `size` × `size` pixels of 10 m and write catalog, truth, elevation, area and job into `out`.

    The catalog's path. The same size and seed give the same files. `sentinel1` "safe" writes Sentinel-1 as GRD
    products in radar geometry instead of terrain-corrected rasters, "safe-2017" those of a processor before IPF 2.9.
    `cloud_cover`: share of the sky of the flood's optical look (None: the usual one). `variety`: how far wind and
    class means may lie off as a whole.
    """
    event = simulate_event(size, seed, flood, cloud_cover, variety)
    out.mkdir(parents=True, exist_ok=True)
    items = [
        _write_product(out, event, scene, seed, sentinel1 == "safe-2017")
        if sentinel1 != "rtc" and scene.sensor == "sentinel-1"
        else _write(out, scene, seed)
        for scene in event.scenes
    ]
    catalog = write_catalog(out, items, f"Simulated flood, size {size}, seed {seed}")
    _write_ground(out, event)
    (out / "job.yaml").write_text(job_text(seed, flood), encoding="utf-8")
    return catalog


def job_text(
    seed: int,
    flood: bool = True,
    folder: str = "",
    methods: Sequence[str] | None = None,
    elevation: bool = False,
    choice: Choice = AS_THE_JOB_SAYS,
) -> str:
    """A job file over a simulated catalog that lies in `folder` ("" or with a slash at its end).

    `methods`: by default those of every job. `elevation`: whether it names the elevation, by which high ground is held
    for drier. `choice`: what it says of networks.
    """
    asked = choice.methods(methods or DEFAULT_METHODS)
    name = f"simulated {'flood' if flood else 'quiet window'} {seed}"
    text = JOB.format(name=name, folder=folder, methods=", ".join(asked))
    for field, value in choice.fields.items():
        text += f"{field}: {json.dumps(str(value) if isinstance(value, Path) else value)}\n"
    return f"{text}elevation: {folder}elevation.tif\n" if elevation else text


def geobox(grid: Grid) -> GeoBox:
    """A simulator's grid as a GeoBox."""
    affine = Affine(grid.pixel, 0.0, grid.origin_x, 0.0, -grid.pixel, grid.origin_y)
    return GeoBox(grid.shape, affine, CRS)


def _write(out: Path, scene: Scene, seed: int) -> pystac.Item:
    name = f"{scene.sensor}_{scene.time:%Y%m%dT%H%M%S}_sim{seed}"
    folder = out / "scenes" / name
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for key, layer in scene.layers.items():
        path = folder / f"{key}.tif"
        write_scene(path, np.asarray(layer.values), geobox(layer.grid), layer.nodata)
        files[key] = SceneFile(path=path, media_type=pystac.MediaType.COG)
    return scene_item(name, COLLECTIONS[scene.sensor], files, start=scene.time, properties=_properties(scene))


def _write_product(out: Path, event: Event, scene: Scene, seed: int, old: bool) -> pystac.Item:
    """The same pass as a SAFE product, described as any product on disk is."""
    swath = simulate_grd(event.ground, scene.window, scene.time, seed, before_ipf_2_9=old)
    return safe_item(write_safe(out / "scenes", swath, seed))


def _properties(scene: Scene) -> dict[str, Any]:
    told = scene.metadata
    shared = {
        "platform": told["platform"],
        "sat:orbit_state": told["orbit_direction"],
        "sat:relative_orbit": told["relative_orbit"],
        "overbank:simulated": True,
    }
    if scene.sensor == "sentinel-2":
        return shared | {
            "eo:cloud_cover": round(told["cloud_cover"], 2),
            "s2:processing_baseline": told["processing_baseline"],
            "view:sun_elevation": told["sun_elevation"],
            "view:sun_azimuth": told["sun_azimuth"],
        }
    return shared | {
        "sar:instrument_mode": "IW" if scene.sensor == "sentinel-1" else "WD1",
        "sar:frequency_band": "C" if scene.sensor == "sentinel-1" else "L",
        "sar:polarizations": list(told["nesz_db"]),
        "sar:product_type": "RTC" if scene.sensor == "sentinel-1" else "NRB",
        "sar:observation_direction": told["look_side"],
        "overbank:noise_db": dict(told["nesz_db"]),
        "overbank:angle_range": list(told["angle_range"]),
        "overbank:denoised": told["denoised"],
    }


def _write_ground(out: Path, event: Event) -> None:
    box = geobox(event.grid)
    write_scene(out / TRUTH, event.truth, box, None)
    write_scene(out / "elevation.tif", event.elevation, box, np.nan)
    outline = {"type": "Feature", "properties": {}, "geometry": outline_lonlat(box).json}
    text = json.dumps({"type": "FeatureCollection", "features": [outline]})
    (out / "area.geojson").write_text(text, encoding="utf-8")
