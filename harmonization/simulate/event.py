"""A whole simulated event: one ground, six scenes, and the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Float
from harmonization.simulate.grid import Grid
from harmonization.simulate.ground import MARGIN, USUAL, GroundState, Variety, make_ground, truth_map
from harmonization.simulate.optical import simulate_sentinel2
from harmonization.simulate.radar import simulate_alos2, simulate_sentinel1
from harmonization.simulate.scene import Scene, Window

CRS = "EPSG:32633"
"""Coordinate system of every grid of an event."""

_Observe = Callable[[GroundState, Window, datetime, int], Scene]
_PASSES: tuple[tuple[_Observe, Window, datetime], ...] = (
    # Same track before and during: whole repeat cycles of 12, 14 and 10 days lie between. The optical pass of
    # the flood comes 19 hours before the latest radar pass, the L-band pass 7 hours.
    (simulate_sentinel2, "before", datetime(2024, 1, 12, 10, 0, tzinfo=UTC)),
    (simulate_alos2, "before", datetime(2024, 1, 14, 22, 10, tzinfo=UTC)),
    (simulate_sentinel1, "before", datetime(2024, 1, 19, 5, 10, tzinfo=UTC)),
    (simulate_sentinel2, "during", datetime(2024, 2, 11, 10, 0, tzinfo=UTC)),
    (simulate_alos2, "during", datetime(2024, 2, 11, 22, 10, tzinfo=UTC)),
    (simulate_sentinel1, "during", datetime(2024, 2, 12, 5, 10, tzinfo=UTC)),
)


@dataclass(frozen=True, eq=False)
class Event:
    """One flood, or a quiet window, as three sensors see it before and during."""

    grid: Grid
    """Of the area: what `truth` and `elevation` lie on, 10 m, in `CRS`."""
    ground: GroundState
    """The state behind everything, with a margin around the area."""
    truth: NDArray[np.uint8]
    """(size, size) codes of `Truth`: 0 dry, 1 open-water flood, 2 flooded vegetation, 3 permanent water."""
    elevation: Float
    """(size, size) metres, the usual water surface included, as elevation models have it."""
    scenes: tuple[Scene, ...]
    """Six, by time."""


def simulate_event(
    size: int, seed: int, flood: bool = True, cloud_cover: float | None = None, variety: Variety = USUAL
) -> Event:
    """Simulate an area of `size` x `size` cells of 10 m; the same `size` and `seed` give the same numbers.

    `flood` False keeps land and weather and leaves the river in its bed. The state is that of the peak in all
    three sensors of the flood window; clouds, wind and tracks differ. `size` from 32.
    `variety`: how far wind and class means may lie off as a whole.
    """
    if size < 32:
        raise ValueError(f"size is {size}: an event needs at least 32 cells a side")
    ground = make_ground(size, seed, flood, variety)
    scenes = tuple(
        simulate_sentinel2(ground, window, time, seed, cloud_cover)
        if observe is simulate_sentinel2 and window == "during"
        else observe(ground, window, time, seed)
        for observe, window, time in _PASSES
    )
    surface = ground.elevation + ground.before.depth
    return Event(
        grid=ground.grid.padded(-MARGIN),
        ground=ground,
        truth=truth_map(ground),
        elevation=surface[ground.inner].astype(np.float32),
        scenes=scenes,
    )
