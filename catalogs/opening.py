"""The one place where a raster is opened: behind the allowlist, with what its catalog asks of a reader.

Local files are opened as they are; http(s) and s3 by GDAL's own readers (/vsicurl, /vsis3), which fetch the byte ranges
that a window needs. GDAL repeats a single range by itself; what it cannot mend is asked for again as a whole, here.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import rasterio
from rasterio.errors import RasterioError
from rasterio.session import DummySession
from requests.utils import requote_uri

from catalogs.errors import ReadError
from catalogs.fetch import first_byte
from catalogs.hrefs import check_href, driver_for, is_remote, is_s3, shown
from catalogs.records import Access, RasterLayer
from catalogs.web import faults
from catalogs.web.access import bearer_token
from catalogs.web.attempts import until_read
from catalogs.web.faults import Fault
from catalogs.web.http import Patience, patience
from catalogs.web.s3 import Credentials

Result = TypeVar("Result")
Action = Callable[[rasterio.DatasetReader], Result]

EXPECTED = "a raster that can be read"
GDAL_RETRIES = 2
"""How often GDAL repeats one range that failed with 429, 5xx or a cut connection; it does not heed Retry-After."""
SLOWEST = 100
"""Bytes a second below which a connection counts as silent."""
REMOTE_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # asks for no neighbours of the file
    # The headers of most scenes in one request: 64 kB are the tile offsets of 25 000² pixels.
    "GDAL_INGESTED_BYTES_AT_OPEN": "65536",
    # Else GDAL takes a tile whose offset could not be fetched for one that was never written, and gives zeros for it.
    "GTIFF_USE_DEFER_STRILE_LOADING": "NO",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_TCP_KEEPALIVE": "YES",
    "CPL_VSIL_CURL_AUTHORIZATION_HEADER_ALLOWED_IF_REDIRECT": "IF_SAME_HOST",
    "CPL_DEBUG": "OFF",  # its messages hold whole addresses
}

_failed: set[str] = set()
"""Paths that could not be read: GDAL remembers a failure as long as the process lives, and must be told to ask."""


def with_raster(raster: RasterLayer, action: Action[Result]) -> Result:
    """What `action` makes of the open file of a layer; it is called again where reading failed on the way.

    Raises `AccessError` (credentials missing, refused or expired), `ReadError` (gone, broken, or a server that failed
    as often as `patience()` allows), both of which name the file, or `HrefError`. What `action` itself raises passes.
    """
    check_href(raster.href, catalog_root="/")  # the catalog was held against it; this keeps drivers and schemes out
    if not is_remote(raster.href):
        return _local(raster, action)
    return _apart(lambda: until_read(raster.href, raster.access, EXPECTED, lambda at: _attempt(raster, at, action)))


def _local(raster: RasterLayer, action: Action[Result]) -> Result:
    try:
        with rasterio.Env(session=DummySession(), GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
            return _opened(raster.href, raster, action)
    except RasterioError as problem:
        remedy = "Check the file, or ingest it again."
        raise ReadError(f"file {raster.href}", _told(problem)[-1], EXPECTED, remedy) from problem


def _attempt(raster: RasterLayer, address: str, action: Action[Result]) -> Result | Fault:
    """What `action` makes of the file at a signed address, or why it could not be read."""
    path = _path(address)
    plain = path.partition("?")[0]
    options = _options(raster.access, raster.href, patience())
    if plain in _failed:
        options["CPL_VSIL_CURL_NON_CACHED"] = plain
    session = Credentials(raster.access) if is_s3(raster.href) else DummySession()
    with rasterio.Env(session=session, **options), faults.listening() as messages:
        try:
            result = _opened(path, raster, action)
            problem = None
        except Exception as error:
            if not isinstance(error, RasterioError) and faults.lost(messages) is None:
                raise
            problem = error
    missing = faults.lost(messages)
    if problem is None and missing is None:
        _failed.discard(plain)
        return result
    _failed.add(plain)
    text = "\n".join([*messages, *_told(problem)])
    return faults.of_reading(text, raster.href, raster.access, lambda: first_byte(address, raster.href, raster.access))


def _opened(path: str, raster: RasterLayer, action: Action[Result]) -> Result:
    with rasterio.open(path, driver=driver_for(raster.href)) as source:
        if raster.band > source.count:
            found = f"{source.count} bands"
            raise ReadError(f"file {shown(raster.href)}", found, f"band {raster.band}", "Correct the item's band.")
        return action(source)


def _options(access: Access, href: str, limits: Patience) -> dict[str, str]:
    seconds = str(math.ceil(limits.timeout))
    options = REMOTE_OPTIONS | {
        "GDAL_HTTP_CONNECTTIMEOUT": str(math.ceil(limits.connect)),
        "GDAL_HTTP_LOW_SPEED_TIME": seconds,
        "GDAL_HTTP_LOW_SPEED_LIMIT": str(SLOWEST),
        "GDAL_HTTP_MAX_RETRY": str(GDAL_RETRIES),
        "GDAL_HTTP_RETRY_DELAY": str(limits.backoff),
    }
    token = bearer_token(access, href)
    return options | ({} if token is None else {"GDAL_HTTP_HEADERS": f"Authorization: Bearer {token}"})


def _path(address: str) -> str:
    """GDAL's name for an address."""
    return f"/vsis3/{address[len('s3://') :]}" if is_s3(address) else f"/vsicurl/{requote_uri(address)}"


def _told(problem: BaseException | None) -> list[str]:
    """The messages of an error and of what caused it, the cause last."""
    told = []
    while problem is not None:
        told.append(str(problem))
        problem = problem.__cause__
    return told


def _apart(read: Callable[[], Result]) -> Result:
    """Read, but never in the main thread: what rasterio configures there, a token too, holds for all threads."""
    if threading.current_thread() is not threading.main_thread():
        return read()
    return _reader(os.getpid()).submit(read).result()


@cache
def _reader(process: int) -> ThreadPoolExecutor:
    """The thread that reads for the main thread of a process; it keeps its connections."""
    return ThreadPoolExecutor(1, thread_name_prefix="overbank-reader")
