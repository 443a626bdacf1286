"""The allowlist of addresses: items are not trusted, and GDAL opens far more than files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from catalogs.errors import HrefError

OpenDriver = Literal["GTiff", "JP2OpenJPEG"]
OPEN_DRIVERS: tuple[OpenDriver, ...] = ("GTiff", "JP2OpenJPEG")
"""GDAL drivers a scene may be read with (a COG is read by GTiff). Neither can point to another file."""

_WEB_SCHEMES = ("http", "https")
_PREFIX = re.compile(r"^([A-Za-z][A-Za-z0-9+._-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ALLOWED = "a plain local path of a local catalog, or an http(s) address"


def check_href(href: str, catalog_root: str | Path | None) -> str:
    """Give back `href` unchanged when it may be opened.

    `catalog_root` is where the catalog itself lies, a local path or an address: a remote catalog must not
    point into this machine's files. None means that the origin is unknown, and counts as remote.
    Raises `HrefError` for everything outside the allowlist.
    """
    reason = _refusal(href, catalog_root)
    if reason is not None:
        raise HrefError(f"address {href!r}", reason[0], _ALLOWED, reason[1])
    return href


def is_web(href: str | Path) -> bool:
    """Whether an address is http or https."""
    return isinstance(href, str) and urlsplit(href).scheme.lower() in _WEB_SCHEMES


def driver_for(href: str) -> OpenDriver:
    """The one GDAL driver to open a scene with: `rasterio.open(href, driver=driver_for(href))`.

    rasterio 1.4 takes one driver, not a list; the file's name decides between the two, its content cannot.
    """
    name = urlsplit(href).path if is_web(href) else href
    return "JP2OpenJPEG" if name.lower().endswith((".jp2", ".j2k")) else "GTiff"


def _refusal(href: str, catalog_root: str | Path | None) -> tuple[str, str] | None:
    """(what was found, remedy), or None when the address is allowed."""
    if not href or _CONTROL.search(href):
        return "an empty address or one with control characters", "Correct the asset's href in the item."
    name = urlsplit(href).path if is_web(href) else href
    if name.lower().endswith(".vrt"):
        return "a VRT, which can point to any other file", "Give the GeoTIFFs behind it as assets."
    if name.lower().startswith("/vsi"):
        return "a GDAL virtual path", "Give the plain path or the http(s) address; GDAL finds the rest."
    return None if is_web(href) else _local_refusal(href, catalog_root)


def _local_refusal(href: str, catalog_root: str | Path | None) -> tuple[str, str] | None:
    prefix = _PREFIX.match(href)
    if prefix and prefix[1].lower() == "s3":
        return "an s3 address", "Use the bucket's https address, or download the files; s3 is not read yet."
    if prefix:
        return (
            f"the scheme or driver prefix {prefix[1]!r}",
            "Give a plain path (write './' before a file name with a colon) or an http(s) address.",
        )
    if catalog_root is None or is_web(catalog_root):
        return (
            "a local path from a catalog that is not local",
            "Only a catalog on this disk may name its files.",
        )
    return None
