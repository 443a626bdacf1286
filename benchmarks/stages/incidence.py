"""The angle of each pixel where no product gives it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from benchmarks.stages import Stage
from harmonization.orbit import ORBITS, Track, incidence_from_pass, reference_node
from pipeline.radar_track import incidence_on_track

TRACK = Track(ORBITS["sentinel-1"], "descending", "right", reference_node(ORBITS["sentinel-1"], 168) or 0.0)


def _box(side: int) -> GeoBox:
    return GeoBox((side, side), Affine(10.0, 0.0, 599_040.0, 0.0, -10.0, 4_999_680.0), 32632)


def on_the_lattice(side: int) -> Callable[[], NDArray[np.float32]]:
    """Asked every 16 pixels, linear in between."""
    box = _box(side)
    return lambda: incidence_on_track(TRACK, box)


def at_every_pixel(side: int) -> Callable[[], NDArray[np.float64]]:
    """The same, every pixel projected and asked."""
    box = _box(side)

    def work() -> NDArray[np.float64]:
        x, y = np.meshgrid(box.coordinates["x"].values, box.coordinates["y"].values)
        longitude, latitude = Transformer.from_crs(32632, 4326, always_xy=True).transform(x, y)
        return incidence_from_pass(TRACK, longitude, latitude)

    return work


STAGES = [Stage("incidence from the pass", on_the_lattice, at_every_pixel)]
