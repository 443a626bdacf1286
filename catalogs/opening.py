"""The one place where a raster is opened: behind the allowlist, with what its catalog asks of a reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import rasterio

from catalogs.errors import ReadError
from catalogs.hrefs import check_href, driver_for
from catalogs.records import RasterLayer

Result = TypeVar("Result")

READ_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
}


def with_raster(raster: RasterLayer, action: Callable[[rasterio.DatasetReader], Result]) -> Result:
    """What `action` makes of the open file of a layer; it may be called again where reading failed on the way.

    Raises `ReadError`, which names the file, or `HrefError`.
    """
    check_href(raster.href, catalog_root="/")  # the catalog was held against it; this keeps drivers and schemes out
    try:
        with rasterio.Env(**READ_OPTIONS), rasterio.open(raster.href, driver=driver_for(raster.href)) as source:
            if raster.band > source.count:
                found = f"{source.count} bands"
                raise ReadError(f"file {raster.href}", found, f"band {raster.band}", "Correct the item's band.")
            return action(source)
    except rasterio.errors.RasterioError as problem:
        remedy = "Check the file, or ingest it again."
        raise ReadError(f"file {raster.href}", str(problem), "a raster that can be read", remedy) from problem
