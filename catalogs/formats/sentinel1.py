"""Sentinel-1 GRD in radar geometry: where the metadata of a measurement lie, and what they say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from catalogs.errors import ItemError, ReadError
from catalogs.fetch import fetch_bytes
from catalogs.formats.sentinel1_annotation import (
    MAXIMUM_XML_BYTES,
    Annotation,
    Calibration,
    Noise,
    parse_annotation,
    parse_calibration,
    parse_noise,
)
from catalogs.records import Access, RasterLayer, Swath

_MEASUREMENT = re.compile(r"^(?P<root>.*/)measurement/(?P<stem>[^/]+)\.tiff?$", re.IGNORECASE)
"""…/measurement/iw-vv.tiff (Planetary Computer, AWS), …/measurement/s1a-iw-grd-vv-…-001[-cog].tiff (SAFE)."""
ROLES = {
    "annotation": ("schema-product", "annotation/{stem}.xml"),
    "calibration": ("schema-calibration", "annotation/calibration/calibration-{stem}.xml"),
    "noise": ("schema-noise", "annotation/calibration/noise-{stem}.xml"),
}
"""By field of `Swath`: the start of the asset's key, and where the file lies in the product."""
_KEPT_PRODUCTS = 16
"""Products whose metadata a process keeps: 2 MB each."""


@dataclass(frozen=True, eq=False)
class SwathMetadata:
    """What the three XML files of one measurement say."""

    annotation: Annotation
    calibration: Calibration
    noise: Noise | None


def swath_of(measurement: str) -> Swath:
    """The metadata files of a measurement, by its own address.

    The assets of an item are not asked: in Planetary Computer and Earth Search `schema-product-vv` often leads to
    annotation/rfi/rfi-iw-vv.xml, which holds no geometry (`stray_assets` tells). Every product has the layout of a
    SAFE, with its own names or with short ones. Raises `ItemError` for an address outside of it.
    """
    parts = urlsplit(measurement)
    match = _MEASUREMENT.match(parts.path)
    if match is None:
        expected = "…/measurement/NAME.tiff, with its XML files in …/annotation"
        remedy = "Keep the layout of the SAFE product: without annotation and calibration it cannot be calibrated."
        raise ItemError(f"Sentinel-1 GRD measurement {measurement}", "another layout", expected, remedy)
    stem = match["stem"]
    places = {name: match["root"] + path.format(stem=stem) for name, (_, path) in ROLES.items()}
    return Swath(**{name: urlunsplit(parts._replace(path=path)) for name, path in places.items()})


def stray_assets(assets: Mapping[str, str], measurement: str, polarization: str) -> list[str]:
    """What to know of a GRD item whose metadata assets do not lead to the product's own files.

    `assets`: key → address. One sentence each; empty where all is as it should be.
    """
    swath = swath_of(measurement)
    found = []
    for name, (start, _) in ROLES.items():
        key = f"{start}-{polarization.lower()}"
        right = str(getattr(swath, name))
        if key in assets and urlsplit(assets[key]).path != urlsplit(right).path:
            found.append(f"asset {key} leads to {assets[key]}, which is no {name}; {right} is read in its place")
    return found


def swath_metadata(layer: RasterLayer) -> SwathMetadata:
    """Annotation, calibration and noise of a layer with a `swath`, kept by the process.

    Raises `ReadError`, which names the file that is missing or broken, or says that the layer cannot be calibrated.
    """
    if layer.swath is None:
        found = "a raster in radar geometry without annotation and calibration"
        remedy = "Ingest the whole SAFE product, or use a map-projected one."
        raise ReadError(f"file {layer.href}", found, "a product that can be calibrated", remedy)
    files = (layer.swath.annotation, layer.swath.calibration, layer.swath.noise)
    return _read(layer.swath, layer.access, tuple(_stamp(href) for href in files))


@lru_cache(maxsize=_KEPT_PRODUCTS)
def _read(swath: Swath, access: Access, stamps: tuple[float | None, ...]) -> SwathMetadata:
    """`stamps` renew what is kept where a local file has changed."""

    def content(href: str) -> bytes:
        return fetch_bytes(href, access, MAXIMUM_XML_BYTES)

    return SwathMetadata(
        annotation=parse_annotation(content(swath.annotation), swath.annotation),
        calibration=parse_calibration(content(swath.calibration), swath.calibration),
        noise=parse_noise(content(swath.noise), swath.noise) if swath.noise else None,
    )


def _stamp(href: str | None) -> float | None:
    """Time of change of a local file; None of any other."""
    path = Path(href) if href and "://" not in href else None
    return path.stat().st_mtime if path is not None and path.is_file() else None
