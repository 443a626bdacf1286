"""Small runs on disk for what comes after the map: known layers in known units, published like any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scenes import NOON, grid

from harmonization.reasons import Reason
from pipeline.assemble import SPREADS
from pipeline.export import export_unit, publish_run
from pipeline.layers import UnitLayers, kind_of, layer
from pipeline.ledger import read_item
from pipeline.plan import Unit

SIDE = 48
JOB = 'Flood <b>"A & B"</b> \x07'
"""A name that wants escaping, and holds what XML cannot write."""


def blobs(rows: int, columns: int, seed: int) -> NDArray[np.uint8]:
    """Flood classes in patches of several pixels, some of them a single one; all codes occur."""
    generator = np.random.default_rng(seed)
    coarse = generator.choice([0, 1, 2, 3, 4, 255], (rows // 6, columns // 6), p=[0.4, 0.25, 0.1, 0.1, 0.1, 0.05])
    codes = np.kron(coarse, np.ones((6, 6))).astype(np.uint8)
    codes[generator.random(codes.shape) < 0.02] = 1
    return codes


def layers_of(codes: NDArray[np.uint8], seed: int, legend: str = "flood", optics: bool = True) -> UnitLayers:
    """Layers of a unit around its flood classes."""
    generator = np.random.default_rng(seed)
    percent = np.where(codes < 4, generator.integers(0, 101, codes.shape), 255)
    water = np.select([codes >= 4, np.isin(codes, (1, 2, 3))], [255, 1], 0)
    nats = np.where(codes < 4, generator.integers(-900, 900, codes.shape), -32768)
    seen = np.where(codes < 4, generator.choice([1, 3, 7, 23, 119], codes.shape), 0)
    why = generator.choice([0, Reason.CLOUD, Reason.CLOUD | Reason.WIND, Reason.SMOOTH_DRY], codes.shape)
    names = ("sentinel-1", "sentinel-2") if optics else ("sentinel-1",)
    made = {
        "flood_class": layer("flood_class", codes, kind=kind_of("flood_class", legend)),
        "flood_probability": layer("flood_probability", percent),
        "water_extent": layer("water_extent", water),
        "uncertainty": layer("uncertainty", np.stack([percent, percent]), SPREADS),
        "evidence": layer(
            "evidence", np.stack([nats] * len(names)), tuple(f"{name} open water : dry" for name in names)
        ),
        "exclusion": layer("exclusion", np.stack([why] * len(names)), names),
        "observed_by": layer("observed_by", seen),
    }
    for name, said in (("physics", codes), ("ndwi", np.where(codes == 2, 0, codes))):
        stem = f"methods/{name}"
        made[stem] = layer(stem, said, kind=kind_of(stem, legend))
    made["probability/physics"] = layer("p", percent, kind=kind_of("probability/physics"))
    if optics:
        made["ndwi"] = layer("ndwi", nats)
    return UnitLayers(made, {"overbank:legend": legend, "overbank:delivered": "physics"})


def write_run(run: Path, boxes: Sequence[GeoBox], legend: str = "flood", seed: int = 1) -> list[NDArray[np.uint8]]:
    """A published run of a unit a box; the flood classes of each. The last unit has no optics."""
    items, found = {}, []
    for number, box in enumerate(boxes):
        codes = blobs(*box.shape.yx, seed + number)
        unit = Unit(f"{box.crs.to_epsg()}_+{number:04d}_+0000", box, NOON, (), ())
        layers = layers_of(codes, seed + number, legend, optics=number < len(boxes) - 1 or number == 0)
        export_unit(run / "units" / unit.id, unit, layers, f"print-{seed}-{number}", JOB, "2026-11")
        item = read_item(run / "units" / unit.id)
        assert item is not None
        items[unit.id] = item
        found.append(codes)
    publish_run(run, items, JOB)
    return found


def four_boxes() -> list[GeoBox]:
    """Two by two units, row by row."""
    whole = grid(2 * SIDE, 2 * SIDE)
    return [whole[row : row + SIDE, column : column + SIDE] for row in (0, SIDE) for column in (0, SIDE)]


def boxes_across_the_antimeridian() -> list[GeoBox]:
    """A unit of the last zone and one of the first, both across 180°, at 10° north."""
    north = 1_105_600.0
    return [
        GeoBox((SIDE, SIDE), Affine(10.0, 0.0, x, 0.0, -10.0, north), crs)
        for x, crs in ((828_600.0, "EPSG:32660"), (170_700.0, "EPSG:32601"))
    ]
