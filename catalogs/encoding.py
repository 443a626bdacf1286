"""How the numbers of one asset are encoded: what the item says, and its collection where it is silent."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from catalogs.collection import REFLECTANCES, Collection, LayerName, LayerRule
from catalogs.errors import ItemError

OFFSET_BASELINE = (4, 0)
"""The first Sentinel-2 processing baseline whose digital numbers are shifted."""
BASELINE_OFFSET = -0.1
"""BOA_ADD_OFFSET / QUANTIFICATION_VALUE = -1000 / 10000, from baseline 04.00 on (ESA, January 2022)."""

_APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_BASELINE = ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version")
_PRODUCT = ("s2:product_uri", "sentinel:product_id")
_PRODUCT_BASELINE = re.compile(r"_N(\d{2})(\d{2})_")

Fields = Mapping[str, Any]


def band_fields(asset: Fields, band: int) -> dict[str, Any]:
    """nodata, scale and offset that an asset states for a band (from 1), as far as it does.

    Reads `raster:bands` (raster extension 1), and `bands` or the asset itself (STAC 1.1 with raster 2).
    """
    found: dict[str, Any] = {}
    for fields in (asset, band_entry(asset.get("bands"), band), band_entry(asset.get("raster:bands"), band)):
        for name in ("nodata", "scale", "offset"):
            value = fields.get(name, fields.get(f"raster:{name}"))
            if value is not None:
                found[name] = value
    return found


def nodata_values(rule: LayerRule, fields: Fields) -> tuple[float, ...]:
    """The collection's and the item's nodata values together; NaN is left out, it always counts."""
    stated = [float(fields["nodata"])] if "nodata" in fields else []
    values = dict.fromkeys((*map(float, rule.nodata), *stated))
    return tuple(value for value in values if not math.isnan(value))


def scale_and_offset(
    collection: Collection, layer: LayerName, rule: LayerRule, fields: Fields, properties: Fields
) -> tuple[float, float]:
    """Scale and offset of a linear layer; `fields` comes from `band_fields`.

    What the product says of itself wins, but for one case: where Earth Search says that it has already
    applied the Sentinel-2 offset to the pixels, the offset of its own raster:bands must not be applied again
    (Element84/earth-search issues 24, 66). Raises `ItemError` when nothing tells the offset.
    """
    scale = float(fields.get("scale", rule.scale))
    if not collection.offset_by_baseline or layer not in REFLECTANCES:
        return scale, float(fields.get("offset", rule.offset))
    if any(properties.get(name) is True for name in _APPLIED):
        return scale, 0.0
    if "offset" in fields:
        return scale, float(fields["offset"])
    return scale, BASELINE_OFFSET if baseline(properties) >= OFFSET_BASELINE else 0.0


def baseline(properties: Fields) -> tuple[int, int]:
    """Sentinel-2 processing baseline as (4, 0), from the properties or the product's name."""
    for name in _BASELINE:
        match = re.fullmatch(r"0?(\d{1,2})\.(\d{2})", str(properties.get(name)))
        if match:
            return int(match[1]), int(match[2])
    for name in _PRODUCT:
        match = _PRODUCT_BASELINE.search(str(properties.get(name)))
        if match:
            return int(match[1]), int(match[2])
    raise ItemError(
        "Sentinel-2 item",
        "no processing baseline",
        "s2:processing_baseline, for the offset of its numbers depends on it",
        "Add s2:processing_baseline, or state scale and offset in raster:bands.",
    )


def band_entry(bands: object, band: int) -> Fields:
    """The fields of one band; a single entry stands for all bands."""
    if not isinstance(bands, list) or not bands:
        return {}
    entry = bands[0] if len(bands) == 1 else bands[band - 1] if band <= len(bands) else {}
    return entry if isinstance(entry, dict) else {}
