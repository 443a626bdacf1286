"""A large finished run, and what it costs to compare it: seconds and peak memory.

    python -m benchmarks.large_run FOLDER 16384

Makes the run (units of 4096 pixels; all layers that `overbank map` writes; floods of every size, a noisy rule, clouds,
a swath's edge), compares it in a process of its own against a raster and against polygons, and prints what each took.
The folder stays; remove it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window
from scipy.ndimage import gaussian_filter, map_coordinates
from shapely.geometry import mapping

from catalogs.lonlat import bbox
from catalogs.publish import write_json
from harmonization.reasons import Reason
from pipeline.cog import write_cog
from pipeline.grid import outline_lonlat
from pipeline.layers import KINDS, Layer, layer

SENSORS = ("sentinel-1", "alos-2", "sentinel-2")
RULES, NETWORKS = ("ndwi", "radar_threshold"), ("physics", "early", "intermediate", "late")
COARSE = 32
"""Pixels between the values of a smooth field: lakes of some hundred metres to kilometres. Less makes them smaller."""
CRS, WEST, NORTH, PIXEL = "EPSG:32633", 300_000.0, 5_500_000.0, 10.0
CLOUD = np.uint16(Reason.CLOUD)
SWATH = np.uint16(Reason.OUTSIDE_SWATH)
Array = NDArray[np.float32]
Layers = dict[str, Layer]


def make_run(folder: Path, side: int, unit: int = 4096, seed: int = 1, coarse: int = COARSE) -> Path:
    """A finished run of `side` pixels a side in units of `unit`, and `truth.tif` beside it; the run's folder.

    All layers of a run with three sensors and six maps, as COGs. Fields are smooth over the whole run, so that floods
    go on across seams.
    """
    fields = _Fields(side, seed, coarse)
    run = folder / "run"
    for row in range(0, side, unit):
        for column in range(0, side, unit):
            _write_unit(run, fields, row, column, min(unit, side - row), min(unit, side - column), seed)
    _write_truth(folder / "truth.tif", fields, side)
    return run


class _Fields:
    """Smooth fields over the whole run, coarse: wetness, clouds, plants."""

    def __init__(self, side: int, seed: int, coarse: int) -> None:
        generator = np.random.default_rng(seed)
        self.coarse, cells = coarse, side // coarse + 2
        self.wet, self.cloud, self.plants = (
            _standard(gaussian_filter(generator.standard_normal((cells, cells)), width)) for width in (2.0, 8.0, 3.0)
        )

    def on(self, name: str, row: int, column: int, rows: int, columns: int) -> Array:
        """A field on a window, interpolated linearly."""
        down = (row + np.arange(rows)) / self.coarse
        across = (column + np.arange(columns)) / self.coarse
        grid = np.meshgrid(down, across, indexing="ij")
        return np.asarray(map_coordinates(getattr(self, name), grid, order=1), dtype=np.float32)


def _standard(values: NDArray[np.float64]) -> Array:
    return np.asarray((values - values.mean()) / values.std(), dtype=np.float32)


def _write_unit(run: Path, fields: _Fields, row: int, column: int, rows: int, columns: int, seed: int) -> None:
    box = GeoBox((rows, columns), Affine(PIXEL, 0, WEST + column * PIXEL, 0, -PIXEL, NORTH - row * PIXEL), CRS)
    name = f"32633_{row:+06d}_{column:+06d}"
    folder = run / "units" / name
    place = (row, column, rows, columns)
    generator = np.random.default_rng([seed, row, column])
    layers = _layers(fields, place, generator)
    for stem, one in layers.items():
        (folder / stem).parent.mkdir(parents=True, exist_ok=True)
        write_cog(folder / f"{stem}.tif", one, box)
    outline = outline_lonlat(box).geom
    facts = {
        "proj:code": CRS,
        "proj:shape": [rows, columns],
        "proj:transform": list(box.affine)[:6],
        "datetime": "2024-02-12T05:10:00Z",
        "overbank:legend": "flood",
        "overbank:delivered": "physics",
        "overbank:inside_pixels": rows * columns,
        "overbank:sensors": {sensor: {"observed_share": 1.0} for sensor in SENSORS},
        "overbank:scenes": {"during": [], "before": []},
        "overbank:fingerprint": "made by benchmarks.large_run",
        "overbank:job": "a large run",
        "overbank:science": "2026-11",
        "processing:software": {"overbank": "0"},
    }
    files = {stem: {"href": f"./{stem}.tif", "file:size": (folder / f"{stem}.tif").stat().st_size} for stem in layers}
    item = {"type": "Feature", "id": name, "geometry": mapping(outline), "bbox": bbox(outline), "properties": facts}
    write_json(folder / f"{name}.json", item | {"assets": files})


def _layers(fields: _Fields, place: tuple[int, int, int, int], generator: np.random.Generator) -> Layers:
    """Every layer of a unit but `trust`."""
    wet, cloud, plants = (fields.on(name, *place) for name in ("wet", "cloud", "plants"))
    shape, clouded, unswathed = wet.shape, cloud > 0.8, plants + cloud > 3.0
    reference = wet > 1.9
    noisy = {name: wet + _noise(generator, shape, 0.05 if name in NETWORKS else 0.25) for name in RULES + NETWORKS}
    blind = {"ndwi": clouded, "radar_threshold": unswathed}
    blind |= dict.fromkeys(NETWORKS, clouded & unswathed)
    codes = {name: _codes(noisy[name], plants, reference, blind[name], name in NETWORKS) for name in noisy}
    layers = {f"methods/{name}": layer("flood_class", one, (name,)) for name, one in codes.items()}
    for name in NETWORKS:
        layers[f"probability/{name}"] = layer("flood_probability", _percent(noisy[name], codes[name]))
    layers |= {"flood_class": layers["methods/physics"], "flood_probability": layers["probability/physics"]}
    layers |= _witnesses(wet, plants, clouded, unswathed)
    flood = {name: (one == 1) | (one == 2) for name, one in codes.items()}
    layers["reference_water"] = layer("reference_water", reference)
    layers["water_extent"] = layer("water_extent", flood["physics"] | reference)
    layers["ndwi"] = layer("ndwi", np.where(clouded, -32768, np.clip(noisy["ndwi"], -3, 3) * 3000))
    layers["ndwi_water"] = layer("ndwi_water", np.where(clouded, 255, flood["ndwi"]))
    compared = flood["ndwi"] * np.uint8(2) + flood["physics"] - np.uint8(2) * (flood["ndwi"] & flood["physics"])
    layers["agreement"] = layer("agreement", np.where(clouded, 255, np.array([0, 3, 2, 1], np.uint8)[compared]))
    return layers


def _noise(generator: np.random.Generator, shape: tuple[int, ...], width: float) -> Array:
    return generator.standard_normal(shape, dtype=np.float32) * np.float32(width)


def _codes(wet: Array, plants: Array, reference: Any, blind: Any, sees_plants: bool) -> NDArray[np.uint8]:
    codes = (wet > 1.0).astype(np.uint8)
    under = (wet > 0.8) & (plants > 1.0)
    codes[under] = 2 if sees_plants else 0
    codes[reference] = 3
    codes[blind] = 4
    return codes


def _percent(wet: Array, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    percent = np.round(100.0 / (1.0 + np.exp(-(wet - 1.0) * 8.0))).astype(np.uint8)
    percent[codes == 3] = 0
    percent[codes == 4] = 255
    return percent


def _witnesses(wet: Array, plants: Array, clouded: Any, unswathed: Any) -> Layers:
    nodata = KINDS["evidence"].nodata
    missing = {"sentinel-1": np.zeros_like(clouded), "alos-2": unswathed, "sentinel-2": clouded}
    bits = {"sentinel-1": np.uint16(0), "alos-2": SWATH, "sentinel-2": CLOUD}
    nats = []
    for sensor in SENSORS:
        for state in (wet, np.where(plants > 1.0, wet, wet - 2.0)):
            said = np.round((state - 1.0) * 12) * 25  # in quarters of a nat, which are written fast
            nats.append(np.where(missing[sensor], nodata, np.clip(said, -3000, 3000)))
    names = tuple(f"{one} {state} : dry" for one in SENSORS for state in ("open water", "flooded vegetation"))
    observed = np.uint8(1 + 16 + 32 + 64) + np.uint8(2) * ~unswathed + np.uint8(4) * ~clouded
    spread = np.stack([np.full(wet.shape, 20), np.full(wet.shape, 10)])
    return {
        "evidence": layer("evidence", np.stack(nats), names),
        "exclusion": layer("exclusion", np.stack([missing[one] * bits[one] for one in SENSORS]), SENSORS),
        "observed_by": layer("observed_by", observed),
        "age": layer("age", np.zeros(wet.shape)),
        "uncertainty": layer("uncertainty", spread, ("aleatoric", "epistemic")),
    }


def _write_truth(path: Path, fields: _Fields, side: int) -> None:
    """0 dry, 1 flood, 2 under plants, 3 permanent water, over the western three quarters of the run."""
    known = side * 3 // 4
    place = {"height": side, "width": known, "crs": CRS, "transform": Affine(PIXEL, 0, WEST, 0, -PIXEL, NORTH)}
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "tiled": True, "compress": "deflate"}
    with rasterio.open(path, "w", **profile, **place) as target:
        for row in range(0, side, 512):
            rows = min(512, side - row)
            wet, plants = (fields.on(name, row, 0, rows, known) for name in ("wet", "plants"))
            codes = _codes(wet, plants, wet > 1.9, np.zeros(wet.shape, np.bool_), True)
            target.write(codes, 1, window=Window(0, row, known, rows))


def measure(command: list[str]) -> tuple[float, float, float]:
    """Seconds by the clock, seconds of processor and peak memory in MB of a child process.

    RuntimeError where it fails; what it says goes to standard error.
    """
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("folder", type=Path)
    reader.add_argument("side", type=int, nargs="?", default=16384)
    reader.add_argument("--unit", type=int, default=4096)
    asked = reader.parse_args()
    run, truth = asked.folder / "run", asked.folder / "truth.tif"
    if not truth.is_file():
        start = time.perf_counter()
        make_run(asked.folder, asked.side, asked.unit)
        print(f"made: {time.perf_counter() - start:.0f} s, {_megabytes(asked.folder):.0f} MB on disk", flush=True)
    verb = [sys.executable, "-m", "workflows.cli", "compare", str(run)]
    told = asked.folder / "compare.json"
    for name, more in {
        "compare": [],
        "compare, with a reference, by cloud and sensor": ["--reference", str(truth), "--by", "cloud,sensor"],
    }.items():
        seconds, processor, peak = measure([*verb, *more, "--json", str(told)])
        found = json.loads(told.read_text())["disagreement"]
        told_time = f"{seconds:.0f} s ({processor:.0f} s of processor)"
        print(f"{name}: {told_time}, peak {peak:.0f} MB, {found['polygons']} polygons", flush=True)


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
