"""What the simulator hands over: scenes as their public products would hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from numpy.typing import NDArray

from harmonization.simulate.grid import Grid

Window = Literal["before", "during"]
WINDOWS: tuple[Window, ...] = ("before", "during")


@dataclass(frozen=True, eq=False)
class SceneLayer:
    """One raster as a file would hold it."""

    values: NDArray[Any]
    """(rows, columns), in the type and units of the product."""
    grid: Grid
    nodata: float | None
    """File value that means "not observed"; None where every value counts."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One acquisition of one sensor."""

    sensor: Literal["sentinel-1", "alos-2", "sentinel-2"]
    window: Window
    time: datetime
    """UTC."""
    layers: Mapping[str, SceneLayer]
    """By the name the public product gives the file."""
    metadata: Mapping[str, Any]
    """What the product's metadata would say: orbit, noise, baseline, cloud cover."""
