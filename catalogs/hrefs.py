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

_WEB = re.compile(r"^https?:", re.IGNORECASE)
_LOGIN = re.compile(r"^(\w+://)[^/]*@")
_PREFIX = re.compile(r"^([A-Za-z][A-Za-z0-9+._-]*):")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_S3 = re.compile(r"^s3://[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]/[^?#\\\\]+$", re.IGNORECASE)
_ALLOWED = "a plain local path of a local catalog, an http(s) address, or s3://bucket/key"
_OTHER_CLOUDS = ("gs", "gcs", "az", "abfs", "abfss", "adl", "swift", "oss")


def check_href(href: str, catalog_root: str | Path | None) -> str:
    """Give back `href` unchanged when it may be opened.

    `catalog_root` is where the catalog itself lies, a local path or an address: a remote catalog must not
    point into this machine's files. None means that the origin is unknown, and counts as remote.
    Raises `HrefError` for everything outside the allowlist.
    """
    reason = _refusal(href, catalog_root)
    if reason is not None:
        raise HrefError(f"address {shown(href)!r}", reason[0], _ALLOWED, reason[1])
    return href


def shown(href: str) -> str:
    """An address as it may be shown: without its query, which may be a signature, and without a name or password."""
    return _LOGIN.sub(r"\1", _name(href)) if is_web(href) else href


def is_web(href: str | Path) -> bool:
    """Whether an address is http or https."""
    return isinstance(href, str) and _WEB.match(href) is not None


def is_s3(href: str | Path) -> bool:
    """Whether an address is one of an S3 bucket."""
    return isinstance(href, str) and href[:5].lower() == "s3://"


def is_remote(href: str | Path) -> bool:
    """Whether an address leads off this disk."""
    return is_web(href) or is_s3(href)


def driver_for(href: str) -> OpenDriver:
    """The one GDAL driver to open a scene with: `rasterio.open(href, driver=driver_for(href))`.

    rasterio 1.4 takes one driver, not a list; the file's name decides between the two, its content cannot.
    """
    name = _name(href)
    return "JP2OpenJPEG" if name.lower().endswith((".jp2", ".j2k")) else "GTiff"


def _refusal(href: str, catalog_root: str | Path | None) -> tuple[str, str] | None:
    """(what was found, remedy), or None when the address is allowed."""
    if not href or _CONTROL.search(href):
        return "an empty address or one with control characters", "Correct the asset's href in the item."
    name = _name(href)
    if name.lower().endswith(".vrt"):
        return "a VRT, which can point to any other file", "Give the GeoTIFFs behind it as assets."
    if name.lower().startswith("/vsi"):
        return "a GDAL virtual path", "Give the plain path or the http(s) address; GDAL finds the rest."
    if is_web(href):
        return _web_refusal(href)
    return _s3_refusal(href) if is_s3(href) else _local_refusal(href, catalog_root)


def _web_refusal(href: str) -> tuple[str, str] | None:
    try:
        host = urlsplit(href).hostname
    except ValueError:
        host = None
    if host is None:
        return "an address without a host that can be read", "Write it as https://host/path."
    if _LOGIN.match(href):
        return "a name or a password in an address", "Take it out; a catalog's access names an environment variable."
    return None


def _name(href: str) -> str:
    """An address without its query."""
    return re.split(r"[?#]", href, maxsplit=1)[0] if is_web(href) else href


def _s3_refusal(href: str) -> tuple[str, str] | None:
    key = href[5:].partition("/")[2]
    if _S3.match(href) and not {"", ".", ".."} & set(key.split("/")):
        return None
    return "an s3 address that is not a bucket and a plain key", "Write it as s3://bucket/folder/file.tif."


def _local_refusal(href: str, catalog_root: str | Path | None) -> tuple[str, str] | None:
    prefix = _PREFIX.match(href)
    if prefix and prefix[1].lower() in _OTHER_CLOUDS:
        return f"the scheme {prefix[1]!r}, which is not read", "Give the file's https address; most clouds have one."
    if prefix:
        return (
            f"the scheme or driver prefix {prefix[1]!r}",
            "Give a plain path (write './' before a file name with a colon), an http(s) or an s3 address.",
        )
    if catalog_root is None or is_remote(catalog_root):
        return (
            "a local path from a catalog that is not local",
            "Only a catalog on this disk may name its files.",
        )
    return None
