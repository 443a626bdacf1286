"""A Sentinel-1 GRD product as delivered (a .SAFE folder) → its item, from the manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import antimeridian
import pystac
import shapely

from catalogs.errors import ProductError
from catalogs.formats.safe_xml import named_xml
from catalogs.formats.sentinel1 import ROLES, swath_of
from catalogs.formats.sentinel1_annotation import Annotation, parse_annotation, parse_calibration, parse_noise
from catalogs.publish import EXTENSIONS
from catalogs.times import utc

COLLECTION = "sentinel-1-grd"
MANIFEST = "manifest.safe"
MAXIMUM_MANIFEST_BYTES = 4_000_000

_FOLDER = re.compile(r"^S1[A-D]_[A-Z0-9]{2}_[A-Z]{3}.*\.SAFE$", re.IGNORECASE)
_ZIP = re.compile(r"^S1[A-D]_[A-Z0-9]{2}_[A-Z]{3}.*\.zip$", re.IGNORECASE)
_NAMESPACES = {
    "safe": "http://www.esa.int/safe/sentinel-1.0",
    "s1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1",
    "s1sarl1": "http://www.esa.int/safe/sentinel-1.0/sentinel-1/sar/level-1",
    "gml": "http://www.opengis.net/gml",
}
_MEASUREMENT_SCHEMA = "s1Level1MeasurementSchema"
_POLARIZATION = re.compile(r"-(?P<pol>vv|vh|hh|hv)-")
_DOWNLOAD = "Download the product again."


@dataclass(frozen=True)
class Manifest:
    """What the manifest says of a product."""

    platform: str
    """For example "sentinel-1a"."""
    product_type: str
    mode: str
    start: datetime
    stop: datetime
    absolute_orbit: int
    relative_orbit: int
    direction: str
    footprint: tuple[tuple[float, float], ...]
    """Corners in longitude and latitude."""
    processor: str
    """Version of the Instrument Processing Facility, for example "003.31"."""
    measurements: Mapping[str, str]
    """By polarization, the path of the raster within the product."""


def safe_products(place: Path) -> Iterator[tuple[Path, ...]]:
    """A folder that is itself a Sentinel-1 product, and the archives of such products in it."""
    if _FOLDER.match(place.name):
        yield (place,)
    yield from ((path,) for path in sorted(place.iterdir()) if path.is_file() and _ZIP.match(path.name))


def safe_item(folder: Path) -> pystac.Item:
    """The item of an unpacked GRD product: its rasters are in radar geometry, so it has no proj:* fields.

    All metadata files are read through once. Raises `ProductError` for an archive, for a product of another type, and
    for files that are missing, empty or broken.
    """
    if not folder.is_dir():
        remedy = "Unpack it and ingest the folder."
        raise ProductError(f"archive {folder}", "a zipped product", "an unpacked .SAFE folder", remedy)
    folder = folder.absolute()
    manifest = read_manifest(folder / MANIFEST)
    if manifest.product_type != "GRD":
        remedy = "Use the GRD product of the same pass."
        raise ProductError(f"product {folder}", f"type {manifest.product_type}", "type GRD", remedy)
    item = _bare_item(folder, manifest)
    for polarization, path in manifest.measurements.items():
        annotation = _add_assets(item, folder, polarization, path)
        item.properties["sar:pixel_spacing_range"] = annotation.range_spacing
        item.properties["sar:pixel_spacing_azimuth"] = annotation.azimuth_spacing
        item.properties["s1:shape"] = list(annotation.shape)
    item.add_asset("safe-manifest", _asset(folder / MANIFEST, "application/xml", "metadata", "Manifest"))
    return item


def read_manifest(path: Path) -> Manifest:
    """The manifest of a product. Raises `ProductError` where it is missing, broken or of something else."""
    if not path.is_file():
        raise ProductError(f"product {path.parent}", f"no {path.name}", "an unpacked .SAFE folder", _DOWNLOAD)
    with path.open("rb") as file:
        data = file.read(MAXIMUM_MANIFEST_BYTES + 1)
    root = named_xml(data, MAXIMUM_MANIFEST_BYTES, f"manifest {path}", ProductError, _DOWNLOAD)
    try:
        return _manifest(root)
    except ValueError as problem:
        raise ProductError(f"manifest {path}", str(problem), "that of a Sentinel-1 product", _DOWNLOAD) from problem


def _manifest(root: Element) -> Manifest:
    number = _text(root, ".//safe:platform/safe:number")
    return Manifest(
        platform=f"sentinel-1{number.lower()}",
        product_type=_text(root, ".//s1sarl1:productType"),
        mode=_text(root, ".//s1sarl1:instrumentMode/s1sarl1:mode"),
        start=utc(datetime.fromisoformat(_text(root, ".//safe:acquisitionPeriod/safe:startTime"))),
        stop=utc(datetime.fromisoformat(_text(root, ".//safe:acquisitionPeriod/safe:stopTime"))),
        absolute_orbit=int(_text(root, ".//safe:orbitReference/safe:orbitNumber[@type='start']")),
        relative_orbit=int(_text(root, ".//safe:orbitReference/safe:relativeOrbitNumber[@type='start']")),
        direction=_text(root, ".//s1:orbitProperties/s1:pass").lower(),
        footprint=_corners(_text(root, ".//safe:footPrint/gml:coordinates")),
        processor=_processor(root),
        measurements=_measurements(root),
    )


def _corners(text: str) -> tuple[tuple[float, float], ...]:
    """ "lat,lon lat,lon …" as (longitude, latitude)."""
    pairs = [pair.split(",") for pair in text.split()]
    corners = tuple((float(longitude), float(latitude)) for latitude, longitude in pairs)
    if len(corners) < 3:
        raise ValueError(f"a footprint of {len(corners)} corners")
    return corners


def _processor(root: Element) -> str:
    software = root.find(".//safe:processing/safe:facility/safe:software", _NAMESPACES)
    return "" if software is None else software.get("version", "")


def _measurements(root: Element) -> dict[str, str]:
    """By polarization, VV before VH; paths must stay within the product."""
    found = {}
    for entry in root.iterfind(".//dataObject"):
        location = entry.find("byteStream/fileLocation")
        if entry.get("repID") != _MEASUREMENT_SCHEMA or location is None:
            continue
        path = location.get("href", "").removeprefix("./")
        match = _POLARIZATION.search(path.lower())
        if match is None or path.startswith("/") or ".." in Path(path).parts or ":" in path:
            raise ValueError(f"the measurement {path!r}")
        found[match["pol"].upper()] = path
    if not found:
        raise ValueError("no measurement")
    return {name: found[name] for name in ("VV", "VH", "HH", "HV") if name in found}


def _bare_item(folder: Path, manifest: Manifest) -> pystac.Item:
    geometry = _geometry(manifest.footprint)
    item = pystac.Item(
        id=folder.name[: -len(".SAFE")],
        geometry=geometry,
        bbox=list(shapely.geometry.shape(geometry).bounds),
        datetime=manifest.start + (manifest.stop - manifest.start) / 2,
        start_datetime=manifest.start,
        end_datetime=manifest.stop,
        properties=_properties(manifest),
        collection=COLLECTION,
    )
    item.stac_extensions = [EXTENSIONS[name] for name in ("sar", "sat", "file", "processing")]
    return item


def _geometry(corners: tuple[tuple[float, float], ...]) -> dict[str, Any]:
    """GeoJSON of a footprint, split where it crosses the antimeridian."""
    ring = [*corners, corners[0]] if corners[0] != corners[-1] else list(corners)
    fixed: dict[str, Any] = antimeridian.fix_shape({"type": "Polygon", "coordinates": [ring]}, fix_winding=True)
    return fixed


def _properties(manifest: Manifest) -> dict[str, Any]:
    return {
        "platform": manifest.platform,
        "constellation": "sentinel-1",
        "instruments": ["c-sar"],
        "sar:instrument_mode": manifest.mode,
        "sar:frequency_band": "C",
        "sar:center_frequency": 5.405,
        "sar:product_type": "GRD",
        "sar:polarizations": list(manifest.measurements),
        "sar:observation_direction": "right",
        "sat:orbit_state": manifest.direction,
        "sat:absolute_orbit": manifest.absolute_orbit,
        "sat:relative_orbit": manifest.relative_orbit,
        "processing:software": {"Sentinel-1 IPF": manifest.processor},
    }


def _add_assets(item: pystac.Item, folder: Path, polarization: str, path: str) -> Annotation:
    """Raster and metadata of one polarization, each looked into; the annotation."""
    raster = folder / path
    _require(raster)
    swath = swath_of(str(raster), {}, polarization)
    parse = {"annotation": parse_annotation, "calibration": parse_calibration, "noise": parse_noise}
    name = polarization.lower()
    item.add_asset(name, _asset(raster, "image/tiff; application=geotiff", "data", f"{polarization} amplitude"))
    found: Any = None
    for role in ROLES:
        file = Path(str(getattr(swath, role)))
        _require(file)
        content = parse[role](file.read_bytes(), str(file), ProductError)
        found = content if role == "annotation" else found
        item.add_asset(f"{ROLES[role].key}-{name}", _asset(file, "application/xml", "metadata", role.capitalize()))
    annotation: Annotation = found
    return annotation


def _require(path: Path) -> None:
    """Refuse a file of the product that is missing or empty."""
    if not path.is_file() or path.stat().st_size == 0:
        found = "an empty file" if path.is_file() else "no such file"
        raise ProductError(f"file {path}", found, "a file of a complete product", _DOWNLOAD)


def _asset(path: Path, media_type: str, role: str, title: str) -> pystac.Asset:
    size = path.stat().st_size
    return pystac.Asset(str(path), title, media_type=media_type, roles=[role], extra_fields={"file:size": size})


def _text(root: Element, path: str) -> str:
    element = root.find(path, _NAMESPACES)
    text = "" if element is None else (element.text or "").strip()
    if not text:
        raise ValueError(f"no {path.rpartition(':')[2]}")
    return text
