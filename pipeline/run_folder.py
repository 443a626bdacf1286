"""A run on disk as records: its units, their layers, and windows of them. Whatever comes after the map starts here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from pipeline.errors import RunError
from pipeline.ledger import UNITS, read_item

PREPARED = "prepared.json"
"""The file of a run that keeps what is wider than a unit: looks, noise floors, priors."""
BLOCK = 1024
"""Rows and columns of a window: memory does not grow with the unit."""


@dataclass(frozen=True, eq=False)
class UnitFolder:
    """A finished unit: where it lies, its grid, and what its item says."""

    path: Path
    item: dict[str, Any]

    @property
    def id(self) -> str:
        """Zone, row and column of its tile."""
        return str(self.item["id"])

    @property
    def facts(self) -> dict[str, Any]:
        """The item's properties."""
        told: dict[str, Any] = self.item["properties"]
        return told

    @property
    def box(self) -> GeoBox:
        """The grid of every layer of the unit."""
        return GeoBox(tuple(self.facts["proj:shape"]), Affine(*self.facts["proj:transform"]), self.facts["proj:code"])

    @property
    def at(self) -> datetime:
        """The instant t* that it maps."""
        return datetime.fromisoformat(self.facts["datetime"].replace("Z", "+00:00"))

    @property
    def legend(self) -> str:
        """Either "flood", or "water" where nothing tells flood from permanent water."""
        return str(self.facts["overbank:legend"])

    @property
    def delivered(self) -> str:
        """The method whose map `flood_class` is."""
        return str(self.facts.get("overbank:delivered", ""))

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of its rasters: "flood_class", "methods/ndwi", "probability/early" …"""
        return tuple(sorted(str(path.relative_to(self.path).with_suffix("")) for path in self.path.rglob("*.tif")))

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the maps below `methods/`."""
        return tuple(name.partition("/")[2] for name in self.layers if name.startswith("methods/"))

    @property
    def pixel_km2(self) -> float:
        """Area of a pixel of its grid."""
        return abs(self.box.affine.a * self.box.affine.e) / 1e6

    def has(self, layer: str) -> bool:
        """Whether the unit holds a layer."""
        return self.raster(layer).is_file()

    def raster(self, layer: str) -> Path:
        """Where a layer lies, or would lie."""
        return self.path / f"{layer}.tif"

    def read(self, layer: str, window: Window | None = None) -> NDArray[Any]:
        """(band, y, x) file values of a layer, or of a window of it; RunError where the unit does not hold it."""
        if not self.has(layer):
            raise RunError(f"{self.path}: holds no layer {layer!r}; it holds {', '.join(self.layers)}")
        with rasterio.open(self.raster(layer), driver="GTiff") as source:
            values: NDArray[Any] = source.read(window=window)
        return values

    def windows(self, side: int = BLOCK) -> Iterator[Window]:
        """Windows that cover the unit, row by row."""
        rows, columns = self.box.shape.yx
        for row in range(0, rows, side):
            for column in range(0, columns, side):
                yield Window(column, row, min(side, columns - column), min(side, rows - row))

    def box_of(self, window: Window) -> GeoBox:
        """The grid of a window."""
        top, left = int(window.row_off), int(window.col_off)
        return self.box[top : top + int(window.height), left : left + int(window.width)]


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run: the `--out` folder of `overbank map`."""

    path: Path
    units: tuple[UnitFolder, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Maps that any unit holds, sorted by name."""
        return tuple(sorted({name for unit in self.units for name in unit.methods}))

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers that any unit holds, sorted by name."""
        return tuple(sorted({name for unit in self.units for name in unit.layers}))

    @property
    def legend(self) -> str:
        """The legend of the run: "water" where any unit cannot tell flood from permanent water."""
        return "water" if any(unit.legend == "water" for unit in self.units) else "flood"

    @property
    def delivered(self) -> str:
        """The method whose map is delivered."""
        return self.units[0].delivered

    @property
    def at(self) -> datetime:
        """The latest instant that it maps."""
        return max(unit.at for unit in self.units)

    @property
    def zones(self) -> tuple[str, ...]:
        """CRS of its grids, "EPSG:…", sorted: one, or several where the area is wider than 6 degrees."""
        return tuple(sorted({str(unit.facts["proj:code"]) for unit in self.units}))


def open_run(run: Path) -> RunFolder:
    """Read the items of a run's finished units, no pixel; RunError where there is none."""
    found = [
        UnitFolder(path, item)
        for path in sorted((run / UNITS).glob("[!.]*"))
        if path.is_dir() and (item := read_item(path)) is not None
    ]
    if not found:
        within = [
            str(path.parent)
            for path in sorted(run.glob(f"*/{UNITS}"))
            if any(path.glob("[!.]*/*.json")) and path.parent.name != "series"
        ]
        hint = f"; did you mean {' or '.join(within[-3:])}?" if within else ""
        raise RunError(f"{run}: holds no finished unit; give the --out folder of `overbank map`{hint}")
    return RunFolder(run, tuple(found))


def finished_units(run: Path) -> list[Path]:
    """Folders of the run's units, each with its item; RunError if there are none."""
    return [unit.path for unit in open_run(run).units]
