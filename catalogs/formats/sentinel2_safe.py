"""Sentinel-2 Level-2A in SAFE: a folder with MTD_MSIL2A.xml and JPEG 2000 bands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pystac

from catalogs.errors import ProductError
from catalogs.formats.product_xml import only, read_metadata_of, texts
from catalogs.formats.sentinel2 import BANDS, COLLECTION, band_files
from catalogs.publish import SceneFile, scene_item
from catalogs.records import Record
from catalogs.times import utc

METADATA = "MTD_MSIL2A.xml"
TOP_OF_ATMOSPHERE = "MTD_MSIL1C.xml"
BAND_IDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Bands in the order of `band_id`."""

_URI = re.compile(r"^S2[A-D]_MSIL2A_\d{8}T\d{6}_N\d{4}_R\d{3}_T(?P<tile>\d{2}[A-Z]{3})_\d{8}T\d{6}$")


class SafeMetadata(Record):
    """What the metadata of a product says. Reflectance is (DN + offset) / quantification."""

    product: str
    """Name of the product, without ".SAFE"."""
    tile: str
    """MGRS tile, "33XWJ"."""
    start: datetime
    platform: str
    baseline: str
    """ "05.09"."""
    relative_orbit: int
    orbit_direction: str
    quantification: float
    offsets: dict[str, float]
    """By band, in DN; empty before baseline 04.00, whatever the date of the scene."""
    cloud_cover: float | None = None
    """Percent."""


def safe_folders(place: Path) -> Iterator[tuple[Path, ...]]:
    """A folder that is itself a SAFE of Sentinel-2."""
    if (place / METADATA).is_file() or (place / TOP_OF_ATMOSPHERE).is_file():
        yield (place,)


def safe_item(folder: Path) -> pystac.Item:
    """The item of a product; scale and offset are written to raster:bands. Raises `ProductError`."""
    if not (folder / METADATA).is_file():
        expected, remedy = "Level-2A (surface reflectance)", "Fetch the L2A product, or make it with sen2cor."
        raise ProductError(f"product {folder}", "Level-1C (top of the atmosphere)", expected, remedy)
    metadata = read_metadata(folder / METADATA)
    files = {band: _scene_file(band, path, metadata) for band, path in _image_files(folder).items()}
    item = scene_item(
        metadata.product, COLLECTION, files, start=metadata.start, properties=_properties(metadata)
    )  # fmt: skip
    source = pystac.Asset(str((folder / METADATA).absolute()), media_type="application/xml", roles=["metadata"])
    item.add_asset("metadata", source)
    return item


def read_metadata(path: Path) -> SafeMetadata:
    """The metadata of a product, of any baseline. Raises `ProductError` where something needed is missing."""
    return read_metadata_of(path, lambda root: _metadata(path, root), "Fetch the product again.")


def _metadata(path: Path, root: Element) -> SafeMetadata:
    product = only(path, root, "PRODUCT_URI").removesuffix(".SAFE")
    match = _URI.match(product)
    if match is None:
        raise ValueError(f"the product name {product!r}")
    cloud = texts(root, "Cloud_Coverage_Assessment")
    return SafeMetadata(
        product=product,
        tile=match["tile"],
        start=utc(datetime.fromisoformat(only(path, root, "PRODUCT_START_TIME"))),
        platform=only(path, root, "SPACECRAFT_NAME").lower(),
        baseline=only(path, root, "PROCESSING_BASELINE"),
        relative_orbit=int(only(path, root, "SENSING_ORBIT_NUMBER")),
        orbit_direction=only(path, root, "SENSING_ORBIT_DIRECTION").lower(),
        quantification=float(only(path, root, "BOA_QUANTIFICATION_VALUE")),
        offsets=_offsets(root),
        cloud_cover=float(cloud[0]) if cloud else None,
    )


def _offsets(root: Element) -> dict[str, float]:
    elements = root.iterfind(".//{*}BOA_ADD_OFFSET")
    return {BAND_IDS[int(element.get("band_id", ""))]: float(element.text or "") for element in elements}


def _image_files(folder: Path) -> Mapping[str, Path]:
    """Band → file, the finest resolution of each. Raises `ProductError` where green or NIR is not there."""
    granules = [path for path in sorted(folder.glob("GRANULE/*")) if (path / "IMG_DATA").is_dir()]
    if len(granules) != 1:
        found = f"{len(granules)} granules with IMG_DATA"
        raise ProductError(f"product {folder}", found, "one", "Fetch the product again, whole.")
    files: dict[str, Path] = {}
    for resolution in ("R10m", "R20m", "R60m"):
        place = granules[0] / "IMG_DATA" / resolution
        if place.is_dir():
            files = band_files(place) | files
    if not {"B03", "B08"} <= set(files):
        found = f"the bands {', '.join(sorted(files)) or 'none'}"
        raise ProductError(f"product {folder}", found, "B03 and B08 at least", "Fetch the product again, whole.")
    return dict(sorted(files.items()))


def _scene_file(band: str, path: Path, metadata: SafeMetadata) -> SceneFile:
    layer, common_name = BANDS[band]
    if layer == "mask":
        return SceneFile(path=path, title="Scene classification", roles=("data-mask",), nodata=0)
    return SceneFile(
        path=path,
        title=band,
        roles=("data", "reflectance"),
        scale=1.0 / metadata.quantification,
        offset=metadata.offsets.get(band, 0.0) / metadata.quantification,
        nodata=0,
        common_names=(common_name,),
    )


def _properties(metadata: SafeMetadata) -> dict[str, Any]:
    properties = {
        "platform": metadata.platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "eo:cloud_cover": metadata.cloud_cover,
        "sat:orbit_state": metadata.orbit_direction,
        "sat:relative_orbit": metadata.relative_orbit,
        "s2:processing_baseline": metadata.baseline,
        "s2:product_uri": f"{metadata.product}.SAFE",
        "s2:mgrs_tile": metadata.tile,
    }
    return {key: value for key, value in properties.items() if value is not None}
