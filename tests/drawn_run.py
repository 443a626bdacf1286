"""A finished run drawn by chance, without mapping: every kind of layer, any grids, any names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from pipeline.export import export_unit
from pipeline.layers import Layer, UnitLayers, layer
from pipeline.plan import Unit

AT = datetime(2024, 2, 12, 5, 10, tzinfo=UTC)
SENSORS = ("sentinel-1", "sentinel-2")
METHODS = ("ndwi", "physics", "late-mean")


def box_at(left: float, top: float, rows: int, columns: int, zone: str = "EPSG:32633", pixel: float = 10.0) -> GeoBox:
    """A grid whose upper left corner lies at (left, top)."""
    return GeoBox((rows, columns), Affine(pixel, 0, left, 0, -pixel, top), zone)


def drawn_run(folder: Path, boxes: Sequence[GeoBox], seed: int = 1, name: str = "a flood", **facts: Any) -> Path:
    """Write a run of these units; `facts` replace or add properties of the items ("legend" is "overbank:legend")."""
    random = np.random.default_rng(seed)
    for number, box in enumerate(boxes):
        unit = Unit(f"unit_+{number}", box, AT, (), ())
        told = _facts(box) | {f"overbank:{key}": value for key, value in facts.items()}
        layers = UnitLayers(_layers(random, box.shape.yx), told)
        export_unit(folder / "units" / unit.id, unit, layers, "drawn", name, "2026-11")
    return folder


def _facts(box: GeoBox) -> dict[str, Any]:
    rows, columns = box.shape.yx
    seen = {"observed_share": 0.5, "looks": 10.0, "smooth_dry_share": 0.0}
    return {
        "overbank:legend": "flood",
        "overbank:delivered": "physics",
        "overbank:inside_pixels": rows * columns,
        "overbank:reference_known_share": 1.0,
        "overbank:sensors": {"sentinel-1": seen, "sentinel-2": {"observed_share": 0.4, "cloud_test": "quality-bits"}},
        "overbank:scenes": {"during": [_scene()], "before": []},
    }


def _scene() -> dict[str, str]:
    return {"id": "scene-1", "sensor": "sentinel-1", "platform": "sentinel-1a", "time": "2024-02-12T05:10:00Z"}


def _layers(random: np.random.Generator, shape: tuple[int, int]) -> dict[str, Layer]:
    def pick(values: Sequence[int], bands: int = 1) -> np.ndarray[Any, Any]:
        return random.choice(np.array(values), size=(bands, *shape))

    percent = (0, 7, 50, 93, 100, 255)
    states = [f"{sensor} {state} : dry" for sensor in SENSORS for state in ("open water", "flooded vegetation")]
    made = {
        "flood_class": layer("flood_class", pick((0, 1, 2, 3, 4, 255))),
        "flood_probability": layer("flood_probability", pick(percent)),
        "uncertainty": layer("uncertainty", pick((0, 12, 50, 255), 2), ("aleatoric", "epistemic")),
        "evidence": layer("evidence", pick((-900, -1, 0, 345, 1200, -32768), 4), tuple(states)),
        "exclusion": layer("exclusion", pick((0, 1, 3, 64, 2048, 49152), 2), SENSORS),
        "observed_by": layer("observed_by", pick((0, 1, 3, 5, 7, 17, 119))),
        "age": layer("age", pick((0, 6, 254, 255))),
        "ndwi": layer("ndwi", pick((-10000, -1, 0, 1, 4321, 10000, -32768))),
        "ndwi_water": layer("ndwi_water", pick((0, 1, 255))),
        "water_extent": layer("water_extent", pick((0, 1, 255))),
        "agreement": layer("agreement", pick((0, 1, 2, 3, 255))),
    }
    for name in METHODS:
        made[f"methods/{name}"] = layer("flood_class", pick((0, 1, 2, 3, 4, 255)))
    made["probability/physics"] = layer("flood_probability", pick(percent))
    made["trust/late-mean"] = layer("trust", pick(percent, 2), ("c_band", "optical"))
    return made
