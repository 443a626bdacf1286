"""Polygons that a person could judge, cut from the map, each with what makes it worth a look."""

from __future__ import annotations

from collections.abc import Iterator

import geopandas
import numpy as np
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.windows import Window

from pipeline.review.contested import CONTESTED, contest_of, frame_codes, pattern_of, wanted_codes
from pipeline.run_folder import RunFolder, UnitFolder
from pipeline.vectors import CODE, polygons_of

LEAST_PIXELS = 12
"""Of a polygon: what is smaller, a person cannot judge."""
Numbers = NDArray[np.uint32]


def candidates_of(run: RunFolder) -> geopandas.GeoDataFrame:
    """The frame of a review: disjoint polygons over all that the delivered map observes, contested or not.

    Returns:
        Columns `pattern` (of `contested`), `contested`, `area_km2`, `pixels`, `uncertainty` (mean standard deviation
        of flood yes or no), `disagreement` (mean, 0 to 1) and the geometry; in order of pattern and place.
    """
    found = polygons_of(run, frame_codes, wanted_codes())
    found["pattern"] = [pattern_of(code) for code in found[CODE]]
    found["contested"] = found["pattern"].isin(CONTESTED)
    found = found[found["area_km2"] >= (LEAST_PIXELS - 0.5) * run.units[0].pixel_km2]
    if len(run.zones) > 1:  # longitudes: what lies over the antimeridian, a pixel wide, would go around the world
        extent = found.geometry.bounds
        found = found[extent["maxx"] - extent["minx"] < 180.0]
    corners = found.geometry.bounds
    order = np.lexsort((corners["minx"], -corners["maxy"], found["pattern"]))
    found = found.iloc[order].reset_index(drop=True).drop(columns=CODE)
    return _with_means(run, found)


def _with_means(run: RunFolder, found: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    size = len(found) + 1
    pixels, uncertainty, disagreement = (np.zeros(size) for _ in range(3))
    for unit in run.units:
        for window, numbers in numbered(unit, found):
            contest = contest_of(unit, window)
            place = numbers.ravel()
            pixels += np.bincount(place, minlength=size)
            uncertainty += np.bincount(place, contest.uncertainty.ravel(), size)
            disagreement += np.bincount(place, contest.disagreement.ravel(), size)
    held = np.maximum(pixels[1:], 1.0)
    return found.assign(
        pixels=pixels[1:].astype(np.int64), uncertainty=uncertainty[1:] / held, disagreement=disagreement[1:] / held
    )


def numbered(unit: UnitFolder, polygons: geopandas.GeoDataFrame) -> Iterator[tuple[Window, Numbers]]:
    """Windows of a unit that hold polygons, each with (y, x) the polygon of every pixel: its row + 1, 0 for none."""
    on_grid = polygons.geometry.to_crs(unit.facts["proj:code"])
    index = on_grid.sindex
    for window in unit.windows():
        box = unit.box_of(window)
        here = np.sort(index.query(box.extent.geom, predicate="intersects"))
        if len(here):
            shapes = [(on_grid.iloc[row], int(row) + 1) for row in here]
            yield window, rasterize(shapes, out_shape=box.shape.yx, transform=box.affine, fill=0, dtype="uint32")
