"""What makes an item invalid by the schemas it declares, and harms nothing: to be told, not to be refused.

The schemas themselves lie on the web; the few rules here are those that real catalogs break.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SENTINEL2 = "sentinel-2/v1.0.0/schema.json"
_SENTINEL2_PERCENTAGES = (
    "water", "snow_ice", "vegetation", "thin_cirrus", "cloud_shadow", "nodata_pixel", "unclassified",
    "not_vegetated", "degraded_msi_data", "high_proba_clouds", "medium_proba_clouds", "saturated_defective_pixel",
    "dark_features",
)  # fmt: skip
SENTINEL2_FIELDS = frozenset(
    {f"s2:{name}_percentage" for name in _SENTINEL2_PERCENTAGES}
    | {
        "s2:tile_id", "s2:granule_id", "s2:datatake_id", "s2:product_uri", "s2:datastrip_id", "s2:product_type",
        "s2:datatake_type", "s2:generation_time", "s2:processing_baseline", "s2:mean_solar_zenith",
        "s2:mean_solar_azimuth", "s2:reflectance_conversion_factor", "s2:mgrs_tile",
    }
)  # fmt: skip
"""The fields of the Sentinel-2 extension 1.0.0, whose schema allows no other `s2:` field."""

_TYPES: dict[str, tuple[type, ...]] = {
    "eo:cloud_cover": (int, float),
    "sat:relative_orbit": (int,),
    "sat:absolute_orbit": (int,),
    "sat:orbit_state": (str,),
    "sar:polarizations": (list,),
    "platform": (str,),
    "s2:processing_baseline": (str,),
}


def schema_findings(item: Mapping[str, Any]) -> list[str]:
    """Fields of an item's JSON that its schemas forbid; empty for most items."""
    properties = item.get("properties")
    if not isinstance(properties, Mapping):
        return ["properties: none, or no object"]
    findings = [
        f"property {name}: {value!r} is no {' or '.join(kind.__name__ for kind in kinds)}"
        for name, kinds in _TYPES.items()
        if (value := properties.get(name)) is not None and (not isinstance(value, kinds) or isinstance(value, bool))
    ]
    extensions = item.get("stac_extensions")
    if isinstance(extensions, list) and any(str(extension).endswith(SENTINEL2) for extension in extensions):
        unknown = sorted(name for name in properties if name.startswith("s2:") and name not in SENTINEL2_FIELDS)
        findings += [f"property {name}: not a field of the Sentinel-2 extension 1.0.0" for name in unknown]
    return findings
