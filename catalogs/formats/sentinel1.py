"""Sentinel-1 GRD in radar geometry: where the metadata of a measurement lie, and what they say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
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
from catalogs.hrefs import is_remote
from catalogs.records import Access, RasterLayer, Swath

_MEASUREMENT = re.compile(r"^(?P<root>.*/)measurement/(?P<stem>[^/]+)\.tiff?$", re.IGNORECASE)
"""…/measurement/iw-vv.tiff (Planetary Computer, AWS), …/measurement/s1a-iw-grd-vv-…-001[-cog].tiff (SAFE)."""


@dataclass(frozen=True)
class _Role:
    """One of the three metadata files of a measurement."""

    key: str
    """Of the asset, before "-vv"."""
    place: str
    """In the product."""
    pattern: re.Pattern[str]
    """What the path of the right file ends in; its "pol" is the polarization."""


_STEM = r"(?:[a-z0-9-]+-)?(?:iw|ew|s\d)-(?:grd-)?(?P<pol>vv|vh|hh|hv)(?:-[a-z0-9-]+)?"
ROLES = {
    "annotation": _Role("schema-product", "annotation/{}.xml", re.compile(rf"/annotation/{_STEM}\.xml$")),
    "calibration": _Role(
        "schema-calibration", "annotation/calibration/calibration-{}.xml", re.compile(rf"/calibration-{_STEM}\.xml$")
    ),
    "noise": _Role("schema-noise", "annotation/calibration/noise-{}.xml", re.compile(rf"/noise-{_STEM}\.xml$")),
}
"""By field of `Swath`."""
FIRST_IPF_2_9 = datetime(2018, 3, 13, tzinfo=UTC)
"""Day from which products are of IPF 2.9 [V]."""
_KEPT_PRODUCTS = 64
"""Measurements whose metadata a process keeps: about 1 MB each."""


@dataclass(frozen=True, eq=False)
class SwathMetadata:
    """What the three XML files of one measurement say."""

    annotation: Annotation
    calibration: Calibration
    noise: Noise | None

    @property
    def before_ipf_2_9(self) -> bool:
        """Whether the product is of a processor that left noise at the borders of the image.

        Told by the form of the noise file, which changed with the same version; without one by the day: archives are
        processed anew, so the day of a pass alone says less.
        """
        return self.noise.before_ipf_2_9 if self.noise else self.annotation.start < FIRST_IPF_2_9


def swath_of(measurement: str, assets: Mapping[str, str], polarization: str) -> Swath:
    """The metadata files of a measurement: by the item's assets where these lead to the right kind of file, else
    beside the measurement.

    In Planetary Computer and Earth Search `schema-product-vv` often leads to annotation/rfi/rfi-iw-vv.xml, which holds
    no geometry (`stray_assets` tells); every product has the layout of a SAFE, with its own names or with short ones.
    `assets`: absolute address by key. Raises `ItemError` where neither leads anywhere.
    """
    return Swath(**{name: _found(name, measurement, assets, polarization) for name in ROLES})


def stray_assets(assets: Mapping[str, str], polarization: str) -> list[str]:
    """Keys of a GRD item's metadata assets that lead to another kind of file: one beside the measurement is read."""
    keys = {name: _key(name, polarization) for name in ROLES}
    return [key for name, key in keys.items() if key in assets and not _fits(name, assets[key], polarization)]


def _found(name: str, measurement: str, assets: Mapping[str, str], polarization: str) -> str:
    asset = assets.get(_key(name, polarization))
    if asset is not None and _fits(name, asset, polarization):
        return asset
    parts = urlsplit(measurement)
    match = _MEASUREMENT.match(parts.path)
    if match is None:
        expected = f"an asset {_key(name, polarization)}, or …/measurement/NAME.tiff with its XML files in …/annotation"
        remedy = "Keep the layout of the SAFE product: without annotation and calibration it cannot be calibrated."
        raise ItemError(f"Sentinel-1 GRD measurement {measurement}", "another layout", expected, remedy)
    return urlunsplit(parts._replace(path=match["root"] + ROLES[name].place.format(match["stem"])))


def _key(name: str, polarization: str) -> str:
    return f"{ROLES[name].key}-{polarization.lower()}"


def _fits(name: str, address: str, polarization: str) -> bool:
    match = ROLES[name].pattern.search(urlsplit(address).path.lower())
    return match is not None and match["pol"] == polarization.lower()


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


def check_shape(layer: RasterLayer, metadata: SwathMetadata, shape: tuple[int, int]) -> None:
    """Raises `ReadError` where a raster of so many lines and pixels is not the one that its annotation describes."""
    lines, pixels = metadata.annotation.shape
    if layer.swath is not None and shape != (lines, pixels):
        found, expected = f"{shape[0]} lines of {shape[1]} pixels", f"{lines} lines of {pixels} pixels"
        expected += f", as {layer.swath.annotation} says"
        raise ReadError(f"file {layer.href}", found, expected, "Use the whole measurement as it was delivered.")


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
    path = Path(href) if href and not is_remote(href) else None
    return path.stat().st_mtime if path is not None and path.is_file() else None
