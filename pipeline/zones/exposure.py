"""What may be exposed to a flood: people, cropland, buildings; what each pixel or feature of it counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import geopandas
import numpy as np
import pyogrio
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import Geod, Transformer
from rasterio.enums import Resampling
from rasterio.errors import RasterioIOError
from rasterio.vrt import WarpedVRT

from pipeline.errors import ZoneError

Real = NDArray[np.float64]
Kind = Literal["count", "share", "percent", "class", "features"]

KINDS: dict[str, str] = {
    "count": "a number in each pixel (people): kept in sum, a pixel flooded in part counts in part",
    "share": "0 to 1 of each pixel (cropland): gives km2",
    "percent": "0 to 100 of each pixel: gives km2",
    "class": "class=40 or class=40,41: gives km2 of these codes",
    "features": "polygons or points (buildings): how many touch the flood",
}
"""By word after the colon."""
COUNTED = re.compile(r"pop|people|person|inhabitant|ghs_pop", re.IGNORECASE)
"""Names of rasters that are counts if nothing else is said."""
EARTH = Geod(ellps="WGS84")
_SPEC = re.compile(r"^(?:(?P<name>[A-Za-z][A-Za-z0-9_]*)=)?(?P<path>.+?)(?::(?P<kind>[a-z]+)(?:=(?P<codes>[\d,]+))?)?$")
LARGEST_NAME = 40


@dataclass(frozen=True)
class Exposure:
    """One file of what may be exposed."""

    name: str
    """Of its columns."""
    path: Path
    kind: Kind
    codes: tuple[int, ...] = ()
    """Of kind "class"."""

    @property
    def unit(self) -> str:
        """What it is counted in: "" (people, features) or "km2"."""
        return "" if self.kind in ("count", "features") else "km2"


def exposure_of(text: str) -> Exposure:
    """An exposure as it is asked for: `[NAME=]PATH[:KIND]`, the kinds are `KINDS`.

    Without a kind: a vector file is features; a raster whose name says people (pop, people, person) is a count; one of
    values from 0 to 1 is a share. Anything else is refused, for a guess would be off by a hundred. Without a name the
    file's own stands for it. ZoneError says what to write.
    """
    told = _SPEC.match(text)
    assert told is not None  # whatever is not empty is a path
    kind, path = told["kind"], Path(told["path"])
    if kind is not None and kind not in KINDS:
        if Path(text.partition("=")[2] or text).exists():  # a colon of the path itself
            kind, path = None, Path(text.partition("=")[2] or text)
        else:
            known = "; ".join(f":{word} {what}" for word, what in KINDS.items())
            raise ZoneError(f"exposure {text!r}: kind {kind!r} is not known. {known}")
    if not path.is_file() and not path.is_dir():
        raise ZoneError(f"exposure {text!r}: {path} is not there")
    name = told["name"] or re.sub(r"\W+", "_", path.stem).strip("_").lower()[:LARGEST_NAME] or "exposure"
    if kind == "class" and not told["codes"]:
        raise ZoneError(f"exposure {text!r}: say which codes, for example {name}={path}:class=40")
    codes = tuple(int(code) for code in (told["codes"] or "").split(",") if code)
    chosen = kind or _guessed(text, name, path)
    _require_readable(text, path, chosen)
    return Exposure(name, path, chosen, codes)  # type: ignore[arg-type]


def exposures_of(texts: Sequence[str]) -> tuple[Exposure, ...]:
    """All exposures; ZoneError where two have one name."""
    found = tuple(exposure_of(text) for text in texts)
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ZoneError(f"exposure: two are called {name!r}; name them, as in {name}_2={found[-1].path}")
    return found


def _is_vector(path: Path) -> bool:
    try:
        return len(pyogrio.list_layers(path)) > 0
    except (DataSourceError, DataLayerError):
        return False


def _guessed(text: str, name: str, path: Path) -> str:
    try:
        with rasterio.open(path) as source:
            look = source.read(1, masked=True, out_shape=(min(source.height, 512), min(source.width, 512)))
    except RasterioIOError:
        if _is_vector(path):
            return "features"
        raise ZoneError(f"exposure {text!r}: {path} is no raster and no vector layer that can be read") from None
    if COUNTED.search(name) or COUNTED.search(path.stem):
        return "count"
    values = look.compressed()
    values = values[np.isfinite(values)]
    if values.size and values.min() >= 0 and values.max() <= 1:
        return "share"
    raise ZoneError(
        f"exposure {text!r}: is it a count, a share, percent or classes? Write {name}={path}:count, :share, :percent "
        "or :class=40"
    )


def _require_readable(text: str, path: Path, kind: str) -> None:
    if kind == "features":
        if not _is_vector(path) or pyogrio.read_info(path)["crs"] is None:
            raise ZoneError(f"exposure {text!r}: {path} is no vector layer with a coordinate system")
        return
    try:
        with rasterio.open(path) as source:
            known = source.crs is not None
    except RasterioIOError:
        raise ZoneError(f"exposure {text!r}: {path} is no raster that can be read; of vectors say :features") from None
    if not known:
        raise ZoneError(f"exposure {text!r}: {path} says no coordinate system")


def on_box(exposure: Exposure, box: GeoBox) -> Real:
    """(y, x) what each pixel of a box counts: people, or km2; NaN where the raster says nothing.

    Counts become a density by the area of the raster's own cells, so their sum is kept whichever grid is finer: a pixel
    of 10 m in a cell of 100 m has a hundredth of its people.
    """
    pixel_km2 = abs(box.affine.a * box.affine.e) / 1e6
    with rasterio.open(exposure.path) as source:
        cells = _cell_km2(source.crs.to_wkt(), source.transform, box) / _cell_km2(str(box.crs), box.affine, box)
        if exposure.kind == "class":
            return pixel_km2 * _class_share(source, exposure.codes, box)
        values = _warped(source, box, Resampling.average if cells < 1.0 else Resampling.nearest)
    if exposure.kind == "count":
        return np.maximum(values, 0.0) / cells
    scale = 0.01 if exposure.kind == "percent" else 1.0
    return pixel_km2 * np.clip(scale * values, 0.0, 1.0)


def _warped(source: rasterio.DatasetReader, box: GeoBox, resampling: Resampling) -> Real:
    """(y, x) float values, NaN where nodata or beyond the raster."""
    rows, columns = box.shape.yx
    plan = {"crs": str(box.crs), "transform": box.affine, "height": rows, "width": columns}
    with WarpedVRT(source, **plan, resampling=resampling, dtype="float64", nodata=np.nan) as target:
        values: Real = target.read(1)
    return values


def _class_share(source: rasterio.DatasetReader, codes: Sequence[int], box: GeoBox) -> Real:
    """(y, x) 1 where the nearest code is one of them."""
    values = _warped(source, box, Resampling.nearest)
    return np.where(np.isnan(values), np.nan, np.isin(values, list(codes)))


def _cell_km2(crs: str, cells: Affine, box: GeoBox) -> float:
    """Area on the ellipsoid of a cell of some grid at the middle of a box, whatever its plane does to areas."""
    x, y = box.affine @ (0.5 * box.shape.x, 0.5 * box.shape.y)
    middle = Transformer.from_crs(str(box.crs), crs, always_xy=True).transform(x, y)
    column, row = ~cells @ middle
    corners = np.array([cells @ (column + a, row + b) for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))])
    degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(corners[:, 0], corners[:, 1])
    area, _ = EARTH.polygon_area_perimeter(*degrees)
    return float(abs(area) / 1e6)


def features_on(exposure: Exposure, box: GeoBox) -> geopandas.GeoSeries:
    """The features that touch a box, on its plane, by a window of the file."""
    crs = pyogrio.read_info(exposure.path)["crs"]
    left, bottom, right, top = box.boundingbox
    bounds = Transformer.from_crs(str(box.crs), crs, always_xy=True).transform_bounds(left, bottom, right, top)
    found = geopandas.read_file(exposure.path, bbox=tuple(bounds), columns=[])
    kept = found.geometry[~(found.geometry.is_empty | found.geometry.isna())]
    return kept.to_crs(str(box.crs))
