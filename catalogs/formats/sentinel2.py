"""A folder of Sentinel-2 band files with the item of the product they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pystac

from catalogs.collection import Collection, LayerName, known_collections
from catalogs.encoding import band_fields, scale_and_offset
from catalogs.errors import CatalogError, ProductError
from catalogs.items import read_item
from catalogs.publish import SceneFile, scene_item

COLLECTION = "sentinel-2-l2a"

_BAND = re.compile(r"(?:^|_)(?P<band>B\d{2}|B8A|SCL)(?:_\d{2}m)?\.(?:tiff?|jp2)$", re.IGNORECASE)
BANDS: dict[str, tuple[LayerName, str]] = {
    "B02": ("blue", "blue"),
    "B03": ("green", "green"),
    "B04": ("red", "red"),
    "B08": ("nir", "nir"),
    "B11": ("swir1", "swir16"),
    "B12": ("swir2", "swir22"),
    "SCL": ("mask", "scl"),
}
"""Band → our layer, and the name that Earth Search uses for its asset."""
_KEPT = (
    "platform",
    "constellation",
    "instruments",
    "eo:cloud_cover",
    "sat:orbit_state",
    "sat:relative_orbit",
    "view:sun_azimuth",
    "view:sun_elevation",
    "view:off_nadir",
    "view:incidence_angle",
    "view:azimuth",
    "updated",
)
_KEPT_PREFIXES = ("s2:", "earthsearch:boa", "sentinel:boa", "sentinel:processing", "sentinel:product")


def band_files(folder: Path) -> dict[str, Path]:
    """Band name → file, of the bands we read; the finest where a band is there more than once."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _BAND.search(path.name)
        if match and match["band"].upper() in BANDS and path.is_file():
            files.setdefault(match["band"].upper(), path)
    return files


def band_folders(place: Path) -> Iterator[tuple[Path, ...]]:
    """The band files of Sentinel-2 in a folder, and the items beside them, if there are any."""
    if band_files(place):
        bands = [path for path in sorted(place.iterdir()) if _BAND.search(path.name) and path.is_file()]
        yield (*bands, *sorted(place.glob("*.json")))


def band_folder_item(folder: Path) -> pystac.Item:
    """The item of a band folder: grid from the files, times, baseline and cloud cover from the folder's item.

    Scale and offset are settled here and written to raster:bands. Raises `ProductError` without an item.
    """
    source = _source_item(folder)
    collection = known_collections()[COLLECTION]
    if not isinstance(collection, Collection):
        raise TypeError(f"{COLLECTION} must be an ordinary collection")
    files = {band: _scene_file(band, path, source, collection) for band, path in band_files(folder).items()}
    if source.datetime is None:
        raise ProductError(f"item of {folder}", "no datetime", "one", "Add it to the item.")
    properties = {key: value for key, value in source.properties.items() if _is_kept(key)}
    return scene_item(source.id, COLLECTION, files, start=source.datetime, properties=properties)


def beside(band: Path) -> pystac.Item:
    """The item of the band folder that a file lies in."""
    return band_folder_item(band.parent)


def _source_item(folder: Path) -> pystac.Item:
    """The one Sentinel-2 item of a folder."""
    items = []
    for path in sorted(folder.glob("*.json")):
        try:
            items.append(read_item(path))
        except CatalogError:
            continue
    items = [item for item in items if str(item.properties.get("platform", "")).lower().startswith("sentinel-2")]
    if len(items) != 1:
        remedy = "Put the STAC item of the product beside its bands, or describe the files in overbank.yaml."
        raise ProductError(f"band folder {folder}", f"{len(items)} Sentinel-2 items (*.json)", "one", remedy)
    return items[0]


def _scene_file(band: str, path: Path, source: pystac.Item, collection: Collection) -> SceneFile:
    layer, common_name = BANDS[band]
    if layer == "mask":
        return SceneFile(path=path, title="Scene classification", roles=("data-mask",), nodata=0)
    key = next((key for key in (band, common_name) if key in source.assets), None)
    fields: dict[str, Any] = band_fields(source.assets[key].extra_fields, 1) if key else {}
    scale, offset = scale_and_offset(collection, layer, collection.layers[layer], fields, source.properties)
    return SceneFile(
        path=path, title=band, roles=("data", "reflectance"), scale=scale, offset=offset, nodata=0,
        common_names=(common_name,),
    )  # fmt: skip


def _is_kept(key: str) -> bool:
    return key in _KEPT or key.startswith(_KEPT_PREFIXES)
