"""What makes an item invalid by the schemas it declares, and harms nothing: to be told, not to be refused.

The schemas themselves lie on the web; the few rules here are those that real catalogs break.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

_NUMBER: tuple[type, ...] = (int, float)
TYPES: Mapping[str, tuple[type, ...]] = {
    "proj:epsg": (int,),
    "proj:code": (str,),
    "proj:shape": (list, tuple),
    "proj:transform": (list, tuple),
    "proj:bbox": (list, tuple),
    "platform": (str,),
    "gsd": _NUMBER,
    "eo:cloud_cover": _NUMBER,
    "sat:orbit_state": (str,),
    "sat:relative_orbit": (int,),
    "sat:absolute_orbit": (int,),
    "sar:polarizations": (list, tuple),
    "sar:observation_direction": (str,),
    "view:incidence_angle": _NUMBER,
    "view:sun_elevation": _NUMBER,
    "s2:processing_baseline": (str,),
}
"""By property, what its extension's schema wants, of the properties that are read here."""


def schema_faults(properties: Mapping[str, Any], extensions: Iterable[object]) -> list[tuple[str, str]]:
    """(found, expected) of each property that its schema forbids; empty for most items."""
    faults = []
    for name, kinds in TYPES.items():
        value = properties.get(name)
        if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            faults.append((f"{name} {value!r}, a {type(value).__name__}", f"a {wanted}"))
    if any(str(extension).endswith(SENTINEL2) for extension in extensions):
        unknown = sorted(name for name in properties if name.startswith("s2:") and name not in SENTINEL2_FIELDS)
        faults += [(f"{name}, no field of the Sentinel-2 extension 1.0.0", "only its fields") for name in unknown]
    return faults
