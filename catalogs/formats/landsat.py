"""Landsat Collection 2 Level-2: a folder with GeoTIFFs and MTL metadata (JSON, XML or text)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pystac

from catalogs.errors import ProductError
from catalogs.formats.product_xml import MAXIMUM_BYTES, read_xml
from catalogs.publish import SceneFile, scene_item
from catalogs.records import Record
from catalogs.times import utc

COLLECTION = "landsat-c2-l2"
OLI = {"blue": 2, "green": 3, "red": 4, "nir08": 5, "swir16": 6, "swir22": 7}
"""Asset key → number of the band; Landsat 8 and 9."""
TM = {"blue": 1, "green": 2, "red": 3, "nir08": 4, "swir16": 5, "swir22": 7}
"""Landsat 4, 5 (TM) and 7 (ETM+)."""
BANDS = {"OLI_TIRS": OLI, "OLI": OLI, "TM": TM, "ETM": TM}
"""By SENSOR_ID of the metadata."""

_SCENE = re.compile(r"^(?P<scene>L[COTEM]0[4-9]_L\d[A-Z]{2}_\d{6}_\d{8}_\d{8}_\d{2}_[A-Z0-9]{2})_")
_FORMATS = (".json", ".xml", ".txt")

Groups = Mapping[str, Mapping[str, str]]
"""The metadata: group → field → text."""


class BandFile(Record):
    """One band of surface reflectance: scale · DN + offset."""

    name: str
    scale: float
    offset: float


class LandsatMetadata(Record):
    """What the metadata of a scene says."""

    product: str
    platform: str
    instruments: tuple[str, ...]
    time: datetime
    bands: dict[str, BandFile]
    """By asset key."""
    quality: str
    """Name of the QA_PIXEL file."""
    path: int
    row: int
    tier: str
    cloud_cover: float | None
    """Percent; None where the metadata says -1."""
    sun_azimuth: float
    sun_elevation: float


def landsat_scenes(place: Path) -> Iterator[tuple[Path, ...]]:
    """The files of each Landsat scene in a folder that has reflectance or metadata."""
    scenes: dict[str, list[Path]] = {}
    for path in sorted(place.iterdir()):
        if path.is_file() and (match := _SCENE.match(path.name)) and path.suffix.lower() in (".tif", *_FORMATS):
            scenes.setdefault(match["scene"], []).append(path)
    yield from (tuple(files) for files in scenes.values())


def landsat_item(files: Sequence[Path]) -> pystac.Item:
    """The item of one scene from its files. Raises `ProductError` without metadata, green or NIR."""
    metadata = read_metadata(_metadata_file(files))
    there = {path.name: path for path in files}
    assets = {
        key: SceneFile(
            path=there[band.name],
            title=f"{key} surface reflectance",
            roles=("data", "reflectance"),
            scale=band.scale,
            offset=band.offset,
            nodata=0,
            common_names=(key,),
        )
        for key, band in metadata.bands.items()
        if band.name in there
    }
    if not {"green", "nir08"} <= set(assets):
        wanted = ", ".join(metadata.bands[key].name for key in ("green", "nir08"))
        found = f"the bands {', '.join(assets) or 'none'}"
        raise ProductError(f"scene {metadata.product}", found, wanted, "Fetch the missing files of the scene.")
    if metadata.quality in there:
        assets["qa_pixel"] = SceneFile(
            path=there[metadata.quality], title="Pixel quality, bits", roles=("data-mask",), nodata=1
        )
    return scene_item(metadata.product, COLLECTION, assets, start=metadata.time, properties=_properties(metadata))


def _metadata_file(files: Sequence[Path]) -> Path:
    """The metadata in the format that is easiest to read."""
    for suffix in _FORMATS:
        for path in files:
            if path.name.endswith(f"_MTL{suffix}"):
                return path
    found = ", ".join(path.name for path in files[:5])
    remedy = "Fetch the scene's MTL file; scale and offset are in it."
    raise ProductError(f"Landsat scene in {files[0].parent}", found, "*_MTL.json, .xml or .txt", remedy)


def read_metadata(path: Path) -> LandsatMetadata:
    """The MTL metadata of a scene. Raises `ProductError` where it is broken or not Collection 2 Level-2."""
    groups = read_groups(path)
    try:
        _check_kind(path, groups)
        return _metadata(groups)
    except KeyError as error:
        raise ProductError(f"metadata {path}", f"no {error.args[0]}", "it", "Fetch the scene again.") from error
    except ValueError as error:
        expected = "times and numbers in their places"
        raise ProductError(f"metadata {path}", str(error), expected, "Fetch the scene again.") from error


def read_groups(path: Path) -> Groups:
    """Group → field → text of an MTL file in JSON, XML or text; the three say the same. Raises `ProductError`."""
    try:
        if path.suffix.lower() == ".xml":
            return {group.tag: {field.tag: (field.text or "").strip() for field in group} for group in read_xml(path)}
        if path.stat().st_size > MAXIMUM_BYTES:
            raise ValueError(f"{path.stat().st_size} bytes")
        text = path.read_text(encoding="utf-8")
        return _from_json(text) if path.suffix.lower() == ".json" else _from_text(text)
    except (OSError, ValueError, AttributeError) as error:
        found, expected = f"{type(error).__name__}: {error}", "LANDSAT_METADATA_FILE with its groups"
        raise ProductError(f"metadata {path}", found, expected, "Fetch the scene again.") from error


def _from_json(text: str) -> Groups:
    root = json.loads(text).get("LANDSAT_METADATA_FILE", {})
    return {group: {name: str(value) for name, value in fields.items()} for group, fields in root.items()}


def _from_text(text: str) -> Groups:
    """The text format: GROUP = NAME, NAME = value, END_GROUP = NAME."""
    groups: dict[str, dict[str, str]] = {}
    here: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = (part.strip() for part in line.partition("="))
        if name == "GROUP":
            here = groups.setdefault(value, {})
        elif value and name != "END_GROUP":
            here[name] = value.strip('"')
    return groups


def _check_kind(path: Path, groups: Groups) -> None:
    contents, image = groups["PRODUCT_CONTENTS"], groups["IMAGE_ATTRIBUTES"]
    level, collection, sensor = contents["PROCESSING_LEVEL"], contents["COLLECTION_NUMBER"], image["SENSOR_ID"]
    if level not in ("L2SP", "L2SR") or int(collection) != 2:
        expected, remedy = "Collection 2 Level-2 (L2SP, L2SR)", "Fetch the Level-2 scene: it holds surface reflectance."
        raise ProductError(f"metadata {path}", f"Collection {collection} {level}", expected, remedy)
    if sensor not in BANDS:
        remedy = "Describe its files in overbank.yaml."
        raise ProductError(f"metadata {path}", f"the sensor {sensor}", f"one of {', '.join(BANDS)}", remedy)


def _metadata(groups: Groups) -> LandsatMetadata:
    contents, image = groups["PRODUCT_CONTENTS"], groups["IMAGE_ATTRIBUTES"]
    cloud = float(image["CLOUD_COVER"])
    return LandsatMetadata(
        product=contents["LANDSAT_PRODUCT_ID"],
        platform=image["SPACECRAFT_ID"].lower().replace("_", "-"),
        instruments=tuple(image["SENSOR_ID"].lower().split("_")),
        time=utc(datetime.fromisoformat(f"{image['DATE_ACQUIRED']}T{image['SCENE_CENTER_TIME']}")),
        bands={key: _band(groups, number) for key, number in BANDS[image["SENSOR_ID"]].items()},
        quality=contents["FILE_NAME_QUALITY_L1_PIXEL"],
        path=int(image["WRS_PATH"]),
        row=int(image["WRS_ROW"]),
        tier=contents["COLLECTION_CATEGORY"],
        cloud_cover=None if cloud < 0 else cloud,
        sun_azimuth=float(image["SUN_AZIMUTH"]),
        sun_elevation=float(image["SUN_ELEVATION"]),
    )


def _band(groups: Groups, number: int) -> BandFile:
    """Of the surface reflectance: the Level-1 groups have fields of the same names."""
    factors = groups["LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"]
    return BandFile(
        name=groups["PRODUCT_CONTENTS"][f"FILE_NAME_BAND_{number}"],
        scale=float(factors[f"REFLECTANCE_MULT_BAND_{number}"]),
        offset=float(factors[f"REFLECTANCE_ADD_BAND_{number}"]),
    )


def _properties(metadata: LandsatMetadata) -> dict[str, Any]:
    properties = {
        "platform": metadata.platform,
        "constellation": "landsat",
        "instruments": list(metadata.instruments),
        "eo:cloud_cover": metadata.cloud_cover,
        "view:sun_azimuth": metadata.sun_azimuth,
        "view:sun_elevation": metadata.sun_elevation,
        "landsat:wrs_path": f"{metadata.path:03d}",
        "landsat:wrs_row": f"{metadata.row:03d}",
        "landsat:collection_category": metadata.tier,
    }
    return {key: value for key, value in properties.items() if value is not None}
