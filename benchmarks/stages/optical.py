"""Optics: the water index and its evidence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks.stages import Stage
from harmonization.bundle import Float, OpticalBundle
from harmonization.classes import INDICES
from harmonization.optical.evidence import weigh_optical
from harmonization.optical.indices import ndwi

TIME = datetime(2026, 11, 21, tzinfo=UTC)


def bands(side: int) -> dict[str, Float]:
    """Green, near and short-wave infrared of a scene half of which is water."""
    rng = np.random.default_rng(1)
    return {name: rng.uniform(0.02, 0.3, (side, side)).astype(np.float32) for name in ("green", "nir", "swir1")}


def index(side: int) -> Callable[[], Any]:
    made = bands(side)
    return lambda: ndwi(made["green"], made["nir"])


def plain_index(side: int) -> Callable[[], Any]:
    made = bands(side)
    return lambda: (made["green"] - made["nir"]) / (made["green"] + made["nir"])


def evidence(side: int) -> Callable[[], Any]:
    made = bands(side)
    flags = np.zeros((side, side), dtype=np.uint16)
    bundle = OpticalBundle(made, 0.01, "none", flags, TIME)
    return lambda: weigh_optical("sentinel-2", bundle)


def plain_evidence(side: int) -> Callable[[], Any]:
    """Water against one dry class, two independent Gaussians each: far less than the evidence knows."""
    made = bands(side)

    def distance(x: Float, y: Float, name: str) -> Float:
        prior = INDICES[name]
        return ((x - prior.mean[0]) / prior.std[0]) ** 2 + ((y - prior.mean[1]) / prior.std[1]) ** 2

    def call() -> Float:
        x = (made["green"] - made["nir"]) / (made["green"] + made["nir"])
        y = (made["green"] - made["swir1"]) / (made["green"] + made["swir1"])
        return 0.5 * (distance(x, y, "grass_crops") - distance(x, y, "open_water"))

    return call


STAGES = [
    Stage("NDWI", index, plain_index),
    Stage("optical evidence: 2 states from 6 classes of two indices", evidence, plain_evidence),
]
