"""Parts of a run by what the ground is, how steep it lies, and what could see it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from catalogs.collection import ancillary_collections
from catalogs.errors import CatalogError
from catalogs.records import Acquisition, RasterLayer
from harmonization.land_cover import LandCover
from harmonization.reasons import Reason
from pipeline.align import align
from pipeline.comparison.records import ground_of_run, scenes_of_run
from pipeline.errors import PipelineError, RunError
from pipeline.ground import land_cover_on, slope_on
from pipeline.job import RADARS
from pipeline.layers import SEEN_BITS
from pipeline.radar_angle import angle_on
from pipeline.read import read_window
from pipeline.run_folder import RunFolder, UnitFolder

Codes = NDArray[np.int16]
UNKNOWN = -1
SLOPE_EDGES = (1.0, 2.0, 5.0, 10.0, 15.0)
"""Degrees. From 15 on facets no longer flatten the radar (docs/physics.md)."""
ANGLE_EDGES = (25.0, 30.0, 35.0, 40.0, 45.0)
"""Degrees of incidence: Sentinel-1 looks at 29 to 46, ScanSAR of ALOS-2 at 25 to 50."""
CLOUD = ("clear", "cloud", "cloud_shadow", "no_optical_look")
MOST_VALUES = 64
"""Of a land cover: more is a raster of something else."""


@dataclass(frozen=True, eq=False)
class Stratum:
    """A way to part a run."""

    codes: Callable[[UnitFolder, Window], Codes]
    """(y, x) of a window; `UNKNOWN` where it is not known."""
    named: Callable[[int], str]
    """What a code is called in the record."""


def strata_of(run: RunFolder, by: Collection[str], land_cover: Path | None = None) -> dict[str, Stratum]:
    """The strata that were asked for, by name; RunError for one that is not known or that this run cannot tell."""
    strange = [name for name in by if name not in STRATA]
    if strange:
        raise RunError(f"--by: {', '.join(strange)} is not a stratum; known are {', '.join(STRATA)}")
    if land_cover is not None and "landcover" in by:
        return {name: _of_file(land_cover) if name == "landcover" else STRATA[name](run) for name in by}
    return {name: STRATA[name](run) for name in by}


def _sensor(run: RunFolder) -> Stratum:
    """By the combination of what observed during the flood."""
    _require(run, "observed_by", "sensor")
    during = len(SEEN_BITS[:3])

    def codes(unit: UnitFolder, window: Window) -> Codes:
        return np.asarray(unit.read("observed_by", window)[0] & (2**during - 1), dtype=np.int16)

    def named(code: int) -> str:
        return "+".join(name for bit, name in enumerate(SEEN_BITS[:during]) if code >> bit & 1) or "none"

    return Stratum(codes, named)


def _cloud(run: RunFolder) -> Stratum:
    """By what optics met: of several optical sensors one that saw is enough."""
    _require(run, "exclusion", "cloud")
    _require(run, "observed_by", "cloud")

    def codes(unit: UnitFolder, window: Window) -> Codes:
        optical = [row for row, name in enumerate(exclusion_sensors(unit)) if name not in RADARS]
        bits = unit.read("exclusion", window)[optical]
        clear = unit.read("observed_by", window)[0] & 4 != 0
        clouded, shaded = (((bits & np.uint16(bit)) != 0).any(axis=0) for bit in (Reason.CLOUD, Reason.CLOUD_SHADOW))
        return np.select([clear, clouded, shaded], [0, 1, 2], 3).astype(np.int16)

    return Stratum(codes, lambda code: CLOUD[code])


def exclusion_sensors(unit: UnitFolder) -> tuple[str, ...]:
    """The sensor of each band of a unit's `exclusion`."""
    with rasterio.open(unit.raster("exclusion"), driver="GTiff") as source:
        return tuple(str(name) for name in source.descriptions)


def _slope(run: RunFolder) -> Stratum:
    """By the slope of the elevation that the run used."""
    ground = ground_of_run(run)
    if not ground.elevation:
        raise RunError(f"{run.path}: was mapped without elevation, so --by slope has nothing to part it by")

    def codes(unit: UnitFolder, window: Window) -> Codes:
        box = unit.box_of(window)
        near = ground.near(box).elevation_rasters
        return binned(slope_on(near, box), SLOPE_EDGES) if near else _unknown(box)

    return Stratum(codes, lambda code: bin_name(code, SLOPE_EDGES))


def _angle(run: RunFolder) -> Stratum:
    """By the incidence angle of the newest radar look that tells one, read again from the run's scenes."""
    scenes = {scene.id: scene for scene in scenes_of_run(run) if scene.kind == "radar"}

    def codes(unit: UnitFolder, window: Window) -> Codes:
        box = unit.box_of(window)
        angle = np.full(box.shape.yx, np.nan, dtype=np.float32)
        for scene in _radar_looks(unit, scenes):
            found = angle_on(scene, box)
            angle = angle if found is None else np.where(np.isnan(angle), found, angle)
        return binned(angle, ANGLE_EDGES)

    return Stratum(codes, lambda code: bin_name(code, ANGLE_EDGES))


def _radar_looks(unit: UnitFolder, scenes: dict[str, Acquisition]) -> list[Acquisition]:
    """The radar scenes of a unit during the flood, the newest first; RunError where one is no longer to be found."""
    told = [one for one in unit.facts["overbank:scenes"]["during"] if one["sensor"] in RADARS]
    gone = [one["id"] for one in told if one["id"] not in scenes]
    if gone:
        told_gone = f"its catalog no longer has {', '.join(gone)}, which alone tells the angle"
        raise RunError(f"{unit.path}: {told_gone}; leave `angle` out of --by")
    return sorted((scenes[one["id"]] for one in told), key=lambda scene: scene.time, reverse=True)


def _land_cover(run: RunFolder) -> Stratum:
    """By the land cover that the run used."""
    ground = ground_of_run(run)
    if not ground.land_cover:
        raise RunError(f"{run.path}: was mapped without land cover; give one with --landcover FILE")

    def codes(unit: UnitFolder, window: Window) -> Codes:
        box = unit.box_of(window)
        found = land_cover_on(ground.near(box).land_cover, box).astype(np.int16)
        return np.where(found == LandCover.UNKNOWN, np.int16(UNKNOWN), found)

    return Stratum(codes, _cover_name)


def _of_file(path: Path) -> Stratum:
    """By a raster of classes: those of this project, ESA WorldCover's, or any others by their number."""
    if not path.is_file():
        raise RunError(f"{path}: is not there; give a raster of land cover")
    met: set[int] = set()

    def codes(unit: UnitFolder, window: Window) -> Codes:
        box = unit.box_of(window)
        try:
            values = align(read_window(RasterLayer(href=str(path.absolute())), box), box, "classes")
        except (CatalogError, PipelineError) as problem:
            raise RunError(f"{path}: is not a raster of land cover that can be read ({problem})") from None
        found = np.where(np.isfinite(values) & (values > 0) & (values < 1000), values, UNKNOWN).astype(np.int16)
        met.update(np.unique(found).tolist())
        if len(met) > MOST_VALUES:
            raise RunError(f"{path}: holds more than {MOST_VALUES} values; give a raster of land cover classes")
        return found

    return Stratum(codes, _cover_name)


def _cover_name(code: int) -> str:
    if code == UNKNOWN:
        return "unknown"
    if code in set(LandCover):
        return LandCover(code).name.lower()
    world = ancillary_collections("land-cover")["esa-worldcover"].legend
    return f"{world[code]}_{code}" if code in world else f"class_{code}"


def binned(values: NDArray[np.float32], edges: tuple[float, ...]) -> Codes:
    """(y, x) number of the bin of each value, 0 below the first edge; `UNKNOWN` where it is NaN."""
    found = np.digitize(values, edges).astype(np.int16)
    return np.where(np.isnan(values), np.int16(UNKNOWN), found)


def bin_name(code: int, edges: tuple[float, ...]) -> str:
    """Of a bin, in degrees: "<25", "25-30", ">=45"."""
    if code == UNKNOWN:
        return "unknown"
    if code == 0:
        return f"<{edges[0]:g}"
    return f">={edges[-1]:g}" if code == len(edges) else f"{edges[code - 1]:g}-{edges[code]:g}"


def _unknown(box: GeoBox) -> Codes:
    return np.full(box.shape.yx, UNKNOWN, dtype=np.int16)


def _require(run: RunFolder, layer: str, by: str) -> None:
    lacking = next((unit for unit in run.units if not unit.has(layer)), None)
    if lacking is not None:
        raise RunError(f"{lacking.path}: holds no layer {layer!r}, which --by {by} needs; map the run again")


STRATA: dict[str, Callable[[RunFolder], Stratum]] = {
    "landcover": _land_cover,
    "slope": _slope,
    "cloud": _cloud,
    "angle": _angle,
    "sensor": _sensor,
}
