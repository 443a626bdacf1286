"""A plan for a large area: units, seconds, memory.

    python -m benchmarks.large_area 10

A catalog of 200 scenes of about 250 km × 220 km over a square of so many degrees, at 10 m in tiles of 1024 pixels.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pystac
import rasterio
import shapely
from affine import Affine

from catalogs.publish import write_catalog
from pipeline.job import Job
from pipeline.plan import area_km2, make_plan

WEST, SOUTH = 5.0, 40.0
START = datetime(2023, 5, 1, tzinfo=UTC)


def catalog(folder: Path, side: float, count: int) -> Path:
    """Items whose footprints are spread over the square; all of one small raster."""
    raster = folder / "vv.tif"
    with rasterio.open(
        raster, "w", driver="GTiff", width=4, height=4, count=1, dtype="float32", crs="EPSG:32632",
        transform=Affine(10, 0, 500_000, 0, -10, 5_000_000),
    ) as target:  # fmt: skip
        target.write(np.ones((1, 4, 4), np.float32))
    rng = np.random.default_rng(0)
    items = []
    for number in range(count):
        west, south = WEST + rng.uniform(-1, side), SOUTH + rng.uniform(-1, side)
        swath = shapely.affinity.skew(shapely.box(west, south, west + 3, south + 2), 10)
        shape, moment = shapely.geometry.mapping(swath), START + timedelta(hours=number % 90)
        item = pystac.Item(f"S1A_{number}", shape, list(swath.bounds), moment, {}, collection="sentinel-1-rtc")
        item.add_asset("vv", pystac.Asset(str(raster)))
        items.append(item)
    return write_catalog(folder, items, "a large area")


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    side = float(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        path = catalog(Path(folder), side, 200)
        job = Job(
            name="large",
            area=(WEST, SOUTH, WEST + side, SOUTH + side),
            catalog=str(path),
            during=(date(2023, 5, 1), date(2023, 5, 5)),
        )
        before, start = peak_mb(), time.perf_counter()
        plan = make_plan(job)
        seconds = time.perf_counter() - start
    zones = sorted({unit.id.split("_")[0] for unit in plan.units})
    scenes = np.mean([len(unit.during) for unit in plan.units])
    print(
        f"{side:g}° × {side:g}°, {area_km2(plan):,.0f} km²: {len(plan.units)} units in zones {', '.join(zones)}, "
        f"{len(plan.during)} scenes ({scenes:.1f} a unit), {seconds:.1f} s, {peak_mb() - before:.0f} MB more"
    )


if __name__ == "__main__":
    main()
