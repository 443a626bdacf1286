"""The layers a unit delivers: one table of what each is, and the arrays that fill it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harmonization.reasons import Reason

FLOOD_CLASSES: dict[int, tuple[str, str, str]] = {
    0: ("dry", "Dry", "#f5f1e6"),
    1: ("open_water_flood", "Open-water flood", "#2166ac"),
    2: ("flooded_vegetation", "Flooded vegetation", "#1b9e77"),
    3: ("reference_water", "Permanent or seasonal water", "#9ecae1"),
    4: ("not_observable", "Not observable by any sensor", "#bdbdbd"),
    255: ("outside", "Outside the area", "#00000000"),
}
"""Code → name, description, colour; the colours stay apart for colour-blind readers."""
WATER_CLASSES = FLOOD_CLASSES | {
    1: ("open_water", "Open water (flood or permanent: no reference was given)", "#2166ac"),
    2: ("flooded_vegetation", "Vegetation in water (flood or permanent: no reference was given)", "#1b9e77"),
}
"""The same codes where nothing tells flood from permanent water."""
AGREEMENT_CLASSES: dict[int, tuple[str, str, str]] = {
    0: ("both_dry", "Both dry", "#f5f1e6"),
    1: ("both_flood", "Both flood", "#2166ac"),
    2: ("only_rule", "Only the rule", "#e08214"),
    3: ("only_fused", "Only the fused map", "#8073ac"),
    255: ("not_compared", "Not observed by both", "#00000000"),
}
YES_NO: dict[int, tuple[str, str, str]] = {
    0: ("no", "No water", "#f5f1e6"),
    1: ("yes", "Water", "#2166ac"),
    255: ("not_observed", "Not observed", "#00000000"),
}
Classes = dict[int, tuple[str, str, str]]
OBSERVED_CLASSES: Classes = {
    0: ("none", "No sensor", "#bdbdbd"),
    1: ("c", "C band alone", "#e69f00"),
    2: ("l", "L band alone", "#56b4e9"),
    3: ("cl", "C and L band", "#009e73"),
    4: ("o", "Optical alone", "#f0e442"),
    5: ("co", "C band and optical", "#d55e00"),
    6: ("lo", "L band and optical", "#cc79a7"),
    7: ("clo", "All three", "#0072b2"),
}
"""Bits of `observed_by` during the flood (Okabe and Ito, 2008)."""
REASON_BITS = tuple((reason.name or "").lower() for reason in Reason)
"""Of `exclusion`, from the lowest bit."""
SEEN_BITS = ("c_band", "l_band", "optical", "", "c_band_before", "l_band_before", "optical_before")
"""Of `observed_by`; a bit without a name is not used."""


@dataclass(frozen=True)
class LayerKind:
    """What a layer is, whatever its values."""

    title: str
    dtype: Literal["uint8", "uint16", "int16"]
    nodata: int | None
    unit: str = ""
    scale: float = 1.0
    classes: Classes | None = None
    bits: tuple[str, ...] = ()
    """What each bit means, the lowest first."""
    overviews: Literal["mode", "average", "nearest"] = "average"
    role: str = "data"


@dataclass(frozen=True, eq=False)
class Layer:
    """One raster to be written."""

    kind: LayerKind
    values: NDArray[Any]
    """(bands, y, x) in the kind's type."""
    bands: tuple[str, ...]
    """Description of each band."""


@dataclass(frozen=True, eq=False)
class UnitLayers:
    """Everything a unit delivers, by file stem ("flood_class", "methods/ndwi")."""

    layers: dict[str, Layer]
    facts: dict[str, Any] = field(default_factory=dict)
    """What the item and the summary say beside the rasters."""


KINDS: dict[str, LayerKind] = {
    "flood_class": LayerKind(
        "Flood classes of the delivered method", "uint8", 255, classes=FLOOD_CLASSES, overviews="mode"
    ),
    "flood_probability": LayerKind("Probability of flood", "uint8", 255, unit="%"),
    "water_extent": LayerKind("All observed water", "uint8", 255, classes=YES_NO, overviews="mode"),
    "reference_water": LayerKind("Permanent or seasonal water", "uint8", 255, classes=YES_NO, overviews="mode"),
    "uncertainty": LayerKind("Standard deviation of the probability", "uint8", 255, unit="%"),
    "trust": LayerKind("Share of each sensor in the map", "uint8", 255, unit="%"),
    "evidence": LayerKind("Evidence by sensor, against dry", "int16", -32768, unit="nat", scale=0.01),
    "observed_by": LayerKind(
        "Sensors that saw: bits 1 C, 2 L, 4 optical during; 16 C, 32 L, 64 optical before",
        "uint8",
        None,
        bits=SEEN_BITS,
        overviews="nearest",
        role="metadata",
    ),
    "age": LayerKind("Hours between the last look and t*", "uint8", 255, unit="h", role="metadata"),
    "exclusion": LayerKind(
        "Why a sensor says nothing or less: bits of the reasons",
        "uint16",
        None,
        bits=REASON_BITS,
        overviews="nearest",
        role="metadata",
    ),
    "ndwi": LayerKind("Normalized difference water index", "int16", -32768, scale=0.0001),
    "harmonized": LayerKind(
        "C-VV-equivalent sigma0 at 38.5 degrees and its standard deviation, where valid",
        "int16",
        -32768,
        unit="dB",
        scale=0.01,
        overviews="nearest",  # decibels are never averaged
    ),
    "ndwi_water": LayerKind("Water by the NDWI rule", "uint8", 255, classes=YES_NO, overviews="mode"),
    "agreement": LayerKind(
        "NDWI rule against the delivered map", "uint8", 255, classes=AGREEMENT_CLASSES, overviews="mode"
    ),
}
"""By file stem; `methods/NAME` is of the kind "flood_class", `probability/NAME` of "flood_probability", `trust/NAME` of
"trust"."""


def layer(
    name: str, values: NDArray[Any], bands: tuple[str, ...] | None = None, kind: LayerKind | None = None
) -> Layer:
    """A layer of a known kind from (y, x) or (bands, y, x) values already in file units."""
    chosen = kind or KINDS[name]
    stack = values[None] if values.ndim == 2 else values
    return Layer(chosen, stack.astype(chosen.dtype), bands or (chosen.title,))


def to_file_units(values: NDArray[np.float32], kind: LayerKind, seen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Physical values as file integers: value/scale, clipped short of nodata; nodata where not seen."""
    assert kind.nodata is not None
    limit = np.iinfo(np.dtype(kind.dtype)).max
    scaled = np.clip(np.nan_to_num(values / kind.scale), -limit, limit)
    return np.where(seen, np.round(scaled), kind.nodata).astype(np.int32)
