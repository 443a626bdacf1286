"""Which pass an item belongs to, and which piece of it: read from properties, else from the product's name.

Catalogs name the same pass in different ways; the orbit and the piece are what they have in common.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pystac.utils import str_to_datetime

from catalogs.records import Sensor
from catalogs.times import utc

Fields = Mapping[str, Any]

CYCLE_START = {"sentinel-1a": 73, "sentinel-1b": 27, "sentinel-1c": 172}
"""Absolute orbit that is relative orbit 1 (ESA); 175 orbits are a cycle."""
CYCLE = 175

_SHORT = re.compile(r"s([12])([a-d])")
_SATELLITE = re.compile(r"(?:^|_)S([12])([A-D])_")
_SENTINEL1_ORBIT = re.compile(r"^S1[A-D]_.*?_(\d{6})_[0-9A-F]{6}(?:_|$)")
_OPERA = re.compile(r"_T(?P<track>\d{3})-(?P<number>\d{6})-(?P<swath>IW\d)_")
_OPERA_VERSION = re.compile(r"_v(\d+\.\d+)$")
_SENTINEL2_ORBIT = re.compile(r"_R(\d{3})_")
_DATATAKE_ORBIT = re.compile(r"^GS2[A-D]_\d{8}T\d{6}_(\d{6})_")
_SENTINEL2_TILE = re.compile(r"(?:_T|MGRS-|^S2[A-D]_)(\d{1,2}[C-X][A-Z]{2})(?:_|$)")
_LANDSAT = re.compile(r"^L[A-Z]\d{2}_L\w{3}_(\d{3})(\d{3})_")
_ALOS2 = re.compile(r"^ALOS2(\d{5})(\d{4})-\d{6}")
_MOSAIC_TILE = re.compile(r"^([NS]\d{2}[EW]\d{3})_\d{2}_")
_PRODUCT_NAMES = ("s2:product_uri", "sentinel:product_id")
_CHANGED = ("updated", "created", "s2:generation_time", "processing:datetime")


def platform_of(item_id: str, properties: Fields, otherwise: str) -> str:
    """The satellite itself, "sentinel-1a"; from the id where the item names only the mission or nothing."""
    named = str(properties.get("platform") or "").strip().lower().replace(" ", "-").replace("_", "-")
    short = _SHORT.fullmatch(named)
    if short:
        return f"sentinel-{short[1]}{short[2]}"
    match = _SATELLITE.search(item_id)
    if match and named in ("", f"sentinel-{match[1]}"):
        return f"sentinel-{match[1]}{match[2].lower()}"
    return named or otherwise


def orbits_of(item_id: str, sensor: Sensor, properties: Fields, platform: str) -> tuple[Any, Any]:
    """Relative and absolute orbit, None where nothing tells; what the item states is passed on unchecked."""
    relative, absolute = properties.get("sat:relative_orbit"), properties.get("sat:absolute_orbit")
    if absolute is None:
        absolute = _absolute_orbit(item_id, sensor, properties)
    if relative is None:
        relative = _relative_orbit(item_id, sensor, properties)
    if relative is None and isinstance(absolute, int) and platform in CYCLE_START:
        relative = (absolute - CYCLE_START[platform]) % CYCLE + 1
    return relative, absolute


def part_of(item_id: str, sensor: Sensor, properties: Fields) -> str:
    """The piece of the pass: burst, tile, path and row, or frame; empty where the name does not tell."""
    if sensor == "sentinel-1":
        match = _OPERA.search(item_id)
        return f"T{match['track']}-{match['number']}-{match['swath']}" if match else ""
    if sensor == "sentinel-2":
        return _tile(item_id, properties)
    if sensor == "landsat":
        path, row = properties.get("landsat:wrs_path"), properties.get("landsat:wrs_row")
        match = _LANDSAT.match(item_id)
        return f"{int(path):03d}{int(row):03d}" if path and row else "".join(match.groups()) if match else ""
    match = _MOSAIC_TILE.match(item_id)
    if match:
        return match[1]
    match = _ALOS2.match(item_id)
    return match[2] if match else ""


def baseline_of(item_id: str, properties: Fields) -> str:
    """Version of the processor as the item states it, "05.11" or "1.0"; empty where it does not."""
    stated = properties.get("s2:processing_baseline") or properties.get("sentinel:processing_baseline")
    stated = stated or properties.get("processing:version")
    match = _OPERA_VERSION.search(item_id)
    return str(stated) if stated else match[1] if match else ""


def updated_of(properties: Fields) -> datetime | None:
    """When the item, or the product behind it, was last made anew."""
    for name in _CHANGED:
        try:
            return utc(str_to_datetime(str(properties[name])))
        except (KeyError, ValueError):
            continue
    return None


def _relative_orbit(item_id: str, sensor: Sensor, properties: Fields) -> int | None:
    if sensor == "sentinel-2":
        names = [str(properties.get(name, "")) for name in _PRODUCT_NAMES] + [item_id]
        matches = [match for name in names if (match := _SENTINEL2_ORBIT.search(name))]
        return int(matches[0][1]) if matches else None
    if sensor == "landsat":
        part = part_of(item_id, sensor, properties)
        return int(part[:3]) if part else None
    match = _OPERA.search(item_id)
    return int(match["track"]) if match else None


def _absolute_orbit(item_id: str, sensor: Sensor, properties: Fields) -> int | None:
    pattern = {"sentinel-1": _SENTINEL1_ORBIT, "sentinel-2": _DATATAKE_ORBIT, "alos-2": _ALOS2}.get(sensor)
    name = str(properties.get("s2:datatake_id", "")) if sensor == "sentinel-2" else item_id
    match = pattern.match(name) if pattern else None
    return int(match[1]) if match else None


def _tile(item_id: str, properties: Fields) -> str:
    """The MGRS tile of a Sentinel-2 item, "20EPT"."""
    names = [str(properties.get(name, "")) for name in ("grid:code", "s2:mgrs_tile", *_PRODUCT_NAMES)] + [item_id]
    for name in names:
        match = _SENTINEL2_TILE.search(name if not re.fullmatch(r"\d{1,2}[C-X][A-Z]{2}", name) else f"_T{name}")
        if match:
            return match[1].zfill(5)
    return ""
