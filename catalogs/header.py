"""What a raster's header says, read once with the allowed drivers only."""

from __future__ import annotations

import warnings
from pathlib import Path

import rasterio
from pydantic import Field
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from catalogs.errors import ProductError
from catalogs.hrefs import driver_for
from catalogs.records import Record


class Header(Record):
    """Grid and type of one raster file."""

    crs: str
    """EPSG code as "EPSG:32631" where there is one, else WKT."""
    bounds: tuple[float, float, float, float]
    """Left, bottom, right, top in the raster's own system."""
    shape: tuple[int, int]
    """Rows, columns."""
    transform: tuple[float, float, float, float, float, float]
    """Affine from (column, row) to coordinates."""
    dtypes: tuple[str, ...]
    nodata: tuple[float | None, ...]
    """By band."""
    tags: dict[str, str] = Field(default_factory=dict)


def read_header(path: Path) -> Header:
    """The header of a GeoTIFF or JPEG 2000. Raises `ProductError` when unreadable or without a CRS."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # said better below
            with rasterio.open(path, driver=driver_for(str(path))) as source:
                return _header(path, source)
    except RasterioIOError as error:
        remedy = "Check the file; other formats can be converted with `gdal_translate -of COG`."
        raise ProductError(f"file {path}", str(error), "a GeoTIFF or JPEG 2000", remedy) from error


def _header(path: Path, source: rasterio.DatasetReader) -> Header:
    if source.crs is None:
        remedy = "Give it one (gdal_edit -a_srs); of Sentinel-1 GRD ingest the whole .SAFE folder."
        raise ProductError(f"file {path}", "no coordinate reference system", "a georeferenced raster", remedy)
    code = source.crs.to_epsg()
    return Header(
        crs=f"EPSG:{code}" if code else source.crs.to_wkt(),
        bounds=tuple(source.bounds),
        shape=source.shape,
        transform=tuple(source.transform)[:6],
        dtypes=source.dtypes,
        nodata=source.nodatavals,
        tags=source.tags(),
    )
