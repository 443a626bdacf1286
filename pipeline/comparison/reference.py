"""What maps are held against: a raster or polygons, of any CRS, that may know only a part of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from catalogs.errors import ReadError
from catalogs.records import RasterLayer
from pipeline.align import align
from pipeline.classify import FLOODED_VEGETATION, OPEN_WATER, REFERENCE_WATER
from pipeline.comparison.outlines import Outlines, is_vector
from pipeline.errors import PipelineError, ReferenceFileError
from pipeline.read import read_window

Mask = NDArray[np.bool_]
KNOWN = (0, OPEN_WATER, FLOODED_VEGETATION, REFERENCE_WATER)
UNDERSTOOD = (-1, *KNOWN, 4)
"""Values of a raster that have a meaning, -1 and 4 "not known"; 255 and others may mean flood to somebody."""
HULL = "within the convex hull of its polygons alone, because no extent was given (--reference-extent)"
RASTER = "where the raster holds 0 to 3"


class Reference(Protocol):
    """Truth, and where it is known."""

    @property
    def name(self) -> str:
        """Of the file."""

    @property
    def extent(self) -> str:
        """Where it is known, in words."""

    def on(self, box: GeoBox, legend: str) -> tuple[Mask, Mask]:
        """Flood and where it is known, (y, x) on a box."""

    def check(self) -> None:
        """After the last window: ReferenceFileError where nothing that was read could be meant as a reference."""


def open_reference(path: Path, extent: Path | None = None) -> Reference:
    """A reference from a raster of classes or a file of polygons; ReferenceFileError says what is wrong with it.

    `extent`: polygons of what its makers looked at; outside of it nothing is known. Without it a raster is known where
    it holds a value, polygons within their convex hull.
    """
    if not path.is_file():
        raise ReferenceFileError(f"{path}: is not there; give a raster of classes, or polygons")
    seen = None if extent is None else Outlines.read(extent)
    if is_vector(path):
        return PolygonReference(path, Outlines.read(path), seen)
    return RasterReference(path, seen)


@dataclass(eq=False)
class PolygonReference:
    """Polygons of flood; dry is what lies between them where somebody looked."""

    path: Path
    flood: Outlines
    seen: Outlines | None = None

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.name

    @property
    def extent(self) -> str:
        """Where it is known."""
        return HULL if self.seen is None else f"within {self.seen.path.name}"

    def on(self, box: GeoBox, legend: str) -> tuple[Mask, Mask]:
        """A pixel is what its middle is. All polygons are flood (or water), whatever the legend."""
        return self.flood.burnt(box), self.flood.hull_burnt(box) if self.seen is None else self.seen.burnt(box)

    def check(self) -> None:
        """Polygons were checked when they were read."""
        if self.seen is None and not len(self.flood.frame):
            told = "holds no polygon, so nothing tells where it was looked; give --reference-extent"
            raise ReferenceFileError(f"{self.path}: {told}")


@dataclass(eq=False)
class RasterReference:
    """A raster of classes: 0 dry, 1 flood, 2 flooded vegetation, 3 permanent water; all else is not known."""

    path: Path
    seen: Outlines | None = None
    dry: bool = field(default=False, init=False)
    wet: bool = field(default=False, init=False)
    strange: set[float] = field(default_factory=set, init=False)
    """Values that it holds and that have no meaning here."""

    @property
    def name(self) -> str:
        """Of the file."""
        return self.path.name

    @property
    def extent(self) -> str:
        """Where it is known."""
        return RASTER if self.seen is None else f"{RASTER}, within {self.seen.path.name}"

    def on(self, box: GeoBox, legend: str) -> tuple[Mask, Mask]:
        """Nearest value, so that a reference keeps its own borders."""
        values = _values(self.path, box)
        known = np.isin(values, KNOWN)
        odd = values[np.isfinite(values) & ~np.isin(values, UNDERSTOOD)]
        self.strange |= set(np.unique(odd[:1000]).tolist())
        self.dry |= bool((values == 0).any())
        self.wet |= bool((values[known] > 0).any())
        wet = (OPEN_WATER, FLOODED_VEGETATION) + ((REFERENCE_WATER,) if legend == "water" else ())
        within = known if self.seen is None else known & self.seen.burnt(box)
        return np.isin(values, wet), within

    def check(self) -> None:
        """A raster of 0 and 255 that never says 1 means flood by another number."""
        if self.strange and self.dry and not self.wet:
            found = sorted(self.strange)[:5]
            raise ReferenceFileError(f"{self.path}: holds 0 and {found}; write flood as 1")


def _values(path: Path, box: GeoBox) -> NDArray[np.float32]:
    try:
        return align(read_window(RasterLayer(href=str(path.absolute())), box), box, "mask")
    except (ReadError, PipelineError) as problem:
        found = problem.args[1] if isinstance(problem, ReadError) else problem
        raise ReferenceFileError(
            f"{path}: is not a raster that can be read ({found}); give a GeoTIFF of classes, or polygons"
        ) from None
