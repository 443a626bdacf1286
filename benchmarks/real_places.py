"""Real scenes from the command line: ingest → plan → map → compare, and a table of what came out.

    python -m benchmarks.real_places ../shared/data OUT

Four places with one radar and one optical date, a real flood in Spain, and a PALSAR-2 tile with L band alone. One date
and no reference: so "water", not "flood".
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import yaml
from rasterio.warp import transform_bounds

HERE = Path(__file__).parent / "descriptions"
PLACES = {
    "282D_485L_3_3": ("coast with lagoon", "2021-07-21"),
    "38D_378R_2_3": ("savanna", "2023-06-10"),
    "609U_541L_3_0": ("snow and ice", "2020-01-11"),
    "637U_59R_1_3": ("farmland", "2017-10-30"),
}


def overbank(*words: str | Path) -> None:
    """Run one verb as a user would; its output is kept out of the table."""
    command = [sys.executable, "-m", "workflows.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")


def box_of(path: Path) -> list[float]:
    with rasterio.open(path) as source:
        return [round(value, 6) for value in transform_bounds(source.crs, 4326, *source.bounds)]


def map_place(name: str, out: Path, job: dict[str, Any]) -> dict[str, Any]:
    """plan → map → compare of one place; the comparison with the run's seconds."""
    path = out / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, **job}))
    overbank("plan", path)
    start = time.perf_counter()
    overbank("map", path, "--out", out / name)
    seconds = time.perf_counter() - start
    overbank("compare", out / name, "--json", out / f"{name}.json")
    return json.loads((out / f"{name}.json").read_text()) | {"seconds": seconds}


def report(title: str, found: dict[str, Any], run: Path) -> None:
    print(f"\n{title}: legend {found['legend']}, {found['seconds']:.1f} s with start-up")
    for name, row in found["methods"].items():
        print(f"  {name:16s} {row['area_km2']:8.3f} km²  observed {row['observed_share']:.0%}")
    for pair, row in found["agreement"].items():
        if "ndwi" in pair and row["agreement"] is not None:
            overlap = "-" if row["flood_iou"] is None else f"{row['flood_iou']:.3f}"
            print(f"  {pair:28s} agree {row['agreement']:.3f}  water IoU {overlap}  ({row['pixels']} pixels)")
    item = json.loads(next(run.glob("units/*/*.json")).read_text())
    for sensor, fact in item["properties"]["overbank:sensors"].items():
        print(f"  {sensor}: {fact}")


def palsar(data: Path, out: Path) -> None:
    overbank("catalog", "ingest", data / "palsar2" / "mosaic", "--out", out / "palsar")
    job = {
        "area": [-161.0, 22.0, -160.0, 23.0],
        "catalog": str(out / "palsar" / "catalog.json"),
        "during": ["2020-09-09", "2020-09-09"],
        "sensors": ["alos-2"],
        "resolution": 25,
    }
    found = map_place("niihau", out, job)
    report("PALSAR-2 mosaic tile N23W161, L band alone", found, out / "niihau")
    evidence = np.concatenate([_seen(path) for path in sorted((out / "niihau").glob("units/*/evidence.tif"))])
    print(f"  evidence open water : dry, observed pixels: median {np.median(evidence):.2f} nat")


def _seen(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        values = source.read(1)
    return values[values != -32768] / 100.0


def main() -> None:
    data, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    for name in ("terramind", "sen1floods11"):
        overbank("catalog", "ingest", data / name, "--out", out / name, "--description", HERE / f"{name}.yaml")
    for name, (title, day) in PLACES.items():
        area = box_of(data / "terramind" / "S1RTC" / f"{name}.tif")
        job = {"area": area, "catalog": str(out / "terramind" / "catalog.json"), "during": [day, day]}
        report(f"{name} ({title})", map_place(name, out, job), out / name)
    area = box_of(data / "sen1floods11" / "Spain_7370579_S1Hand.tif")
    job = {
        "area": area,
        "catalog": str(out / "sen1floods11" / "catalog.json"),
        "during": ["2019-09-17", "2019-09-18"],
    }
    report("Spain 7370579 (flood)", map_place("spain", out, job), out / "spain")
    palsar(data, out)


if __name__ == "__main__":
    main()
