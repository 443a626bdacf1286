"""What an item says of a file's header: the projection extension of an asset, else of its item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs.encoding import band_entry
from catalogs.records import Stated

Fields = Mapping[str, Any]
SIX = 6
"""Numbers of an affine; a row of 0, 0, 1 may follow."""


def stated_of(properties: Fields, asset: Fields, band: int) -> Stated:
    """Grid and number type as stated; None each where nothing, or nothing of the right form, is stated."""
    return Stated(
        crs=_crs(asset) or _crs(properties),
        shape=_shape(asset, properties),
        transform=_transform(asset, properties),
        data_type=_data_type(asset, band),
    )


def numbers(value: object, count: int) -> tuple[float, ...] | None:
    """The first `count` numbers of a list; None where there are not that many, or other things among them."""
    if not isinstance(value, list | tuple) or len(value) < count:
        return None
    plain = all(isinstance(number, int | float) and not isinstance(number, bool) for number in value[:count])
    return tuple(float(number) for number in value[:count]) if plain else None


def _crs(fields: Fields) -> str | None:
    """proj:code, else proj:epsg, both as "EPSG:32631"."""
    code, epsg = fields.get("proj:code"), fields.get("proj:epsg")
    if isinstance(code, str):
        return code
    return f"EPSG:{epsg}" if isinstance(epsg, int) else None


def _shape(asset: Fields, properties: Fields) -> tuple[int, int] | None:
    found = numbers(asset.get("proj:shape", properties.get("proj:shape")), 2)
    return None if found is None else (int(found[0]), int(found[1]))


def _transform(asset: Fields, properties: Fields) -> tuple[float, float, float, float, float, float] | None:
    found = numbers(asset.get("proj:transform", properties.get("proj:transform")), SIX)
    return None if found is None else (found[0], found[1], found[2], found[3], found[4], found[5])


def _data_type(asset: Fields, band: int) -> str | None:
    entries = (band_entry(asset.get("raster:bands"), band), band_entry(asset.get("bands"), band), asset)
    found = next((entry["data_type"] for entry in entries if "data_type" in entry), None)
    return found if isinstance(found, str) else None
