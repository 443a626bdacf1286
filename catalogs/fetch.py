"""Small files beside a raster (metadata), as bytes: behind the same allowlist as the rasters."""

from __future__ import annotations

from pathlib import Path

from catalogs.errors import ReadError
from catalogs.hrefs import check_href, is_web
from catalogs.records import OPEN, Access

LIMIT = 64 * 2**20
"""Bytes beyond which a file is not small."""


def fetch_bytes(href: str, access: Access = OPEN, limit_bytes: int = LIMIT) -> bytes:
    """The content of a file of at most `limit_bytes`.

    Raises `ReadError`, which names the address, for a file that is missing, refused or larger; `HrefError` for an
    address outside the allowlist.
    """
    check_href(href, catalog_root="/")  # the catalog was held against it; this keeps schemes out
    if is_web(href):
        raise ReadError(f"file {href}", "a web address", "a local file", "Download the product.")
    try:
        with Path(href).open("rb") as file:
            data = file.read(limit_bytes + 1)
    except OSError as problem:
        remedy = "Check the file, or ingest the product again."
        raise ReadError(f"file {href}", str(problem), "a file that can be read", remedy) from problem
    if len(data) > limit_bytes:
        raise ReadError(
            f"file {href}", "a file that is too large", f"at most {limit_bytes} bytes", "Check the address."
        )
    return data
