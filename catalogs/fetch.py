"""Small files beside a raster (metadata), as bytes: behind the same allowlist as the rasters."""

from __future__ import annotations

from pathlib import Path

from catalogs.errors import ReadError
from catalogs.hrefs import check_href, is_web
from catalogs.records import Access


def fetch_bytes(href: str, access: Access, limit: int) -> bytes:
    """The content of a file of at most `limit` bytes.

    Raises `ReadError`, which names the address, for a file that is missing, refused or larger; `HrefError` for an
    address outside the allowlist.
    """
    check_href(href, catalog_root="/")  # the catalog was held against it; this keeps schemes out
    if is_web(href):
        raise ReadError(f"file {href}", "a web address", "a local file", "Download the product.")
    try:
        with Path(href).open("rb") as file:
            data = file.read(limit + 1)
    except OSError as problem:
        remedy = "Check the file, or ingest the product again."
        raise ReadError(f"file {href}", str(problem), "a file that can be read", remedy) from problem
    if len(data) > limit:
        raise ReadError(f"file {href}", f"more than {limit} bytes", f"at most {limit}", "Check the address.")
    return data
