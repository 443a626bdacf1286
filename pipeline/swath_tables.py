"""The tables of a Sentinel-1 measurement as the physics takes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from catalogs.formats.sentinel1 import SwathMetadata
from harmonization.calibration import LookUpTable, NoiseBlock, noise_without_gaps


@dataclass(frozen=True, eq=False)
class SwathTables:
    """Calibration and noise of one measurement, by line and pixel."""

    gamma: LookUpTable
    """A of gamma0."""
    noise: LookUpTable | None
    """Along the range, in the units of DN², without gaps; None where the product has none."""
    blocks: tuple[NoiseBlock, ...]
    """Along the track; none before IPF 2.9."""


@lru_cache(maxsize=64)
def tables_of(metadata: SwathMetadata) -> SwathTables:
    """The tables that a measurement's files hold."""
    table, noise = metadata.calibration, metadata.noise
    return SwathTables(
        gamma=LookUpTable(table.lines, table.pixels, table.gamma),
        noise=noise_without_gaps(LookUpTable(noise.lines, noise.pixels, noise.power)) if noise else None,
        blocks=tuple(
            NoiseBlock(one.first_line, one.last_line, one.first_pixel, one.last_pixel, one.lines, one.factor)
            for one in (noise.blocks if noise else ())
        ),
    )
