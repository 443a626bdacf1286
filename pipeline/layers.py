"""The layers a unit delivers: one table of what each is, and the arrays that fill it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
Ramp = tuple[tuple[float, str], ...]
"""Stops of a continuous scale: value in the layer's unit, colour; the lowest first."""
SHARE: Ramp = ((0, "#f7fbff"), (25, "#c6dbef"), (50, "#6baed6"), (75, "#2171b5"), (100, "#08306b"))
SPREAD: Ramp = ((0, "#fcfbfd"), (12.5, "#dadaeb"), (25, "#9e9ac8"), (37.5, "#6a51a3"), (50, "#3f007d"))
"""A standard deviation of a probability is 50 % at most."""
WEIGHT: Ramp = ((0, "#f7fcf5"), (25, "#c7e9c0"), (50, "#74c476"), (75, "#238b45"), (100, "#00441b"))
FOR_AND_AGAINST: Ramp = ((-8, "#8c510a"), (-3, "#d8b365"), (0, "#f5f5f5"), (3, "#5ab4ac"), (8, "#01665e"))
"""Nats: e³ is 20 to 1, e⁸ is 3000 to 1; brown against, green for."""
INDEX: Ramp = ((-1, "#8c510a"), (-0.3, "#d8b365"), (0, "#f5f5f5"), (0.3, "#67a9cf"), (1, "#2166ac"))
HOURS: Ramp = ((0, "#ffffd4"), (24, "#fed98e"), (72, "#fe9929"), (144, "#d95f0e"), (254, "#993404"))
DAYS: Ramp = ((0, "#ffffd9"), (3, "#c7e9b4"), (7, "#41b6c4"), (14, "#225ea8"), (30, "#081d58"))
TIMES: Ramp = ((0, "#f7fcf5"), (2, "#c7e9c0"), (4, "#74c476"), (8, "#238b45"), (16, "#00441b"))
LEVEL_DB: Ramp = ((-30, "#000000"), (0, "#ffffff"))
SPREAD_DB: Ramp = ((0, "#fcfbfd"), (3, "#9e9ac8"), (6, "#3f007d"))
"""Colours after Brewer (2003), colorbrewer2.org: safe for colour-blind readers; what lies beyond the ends has their
colour."""


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
    ramps: tuple[Ramp, ...] = ()
    """Of a continuous layer: how a GIS shows its bands, one after the other, from the first again where they end."""
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
    "flood_probability": LayerKind("Probability of flood", "uint8", 255, unit="%", ramps=(SHARE,)),
    "water_extent": LayerKind("All observed water", "uint8", 255, classes=YES_NO, overviews="mode"),
    "reference_water": LayerKind("Permanent or seasonal water", "uint8", 255, classes=YES_NO, overviews="mode"),
    "uncertainty": LayerKind("Standard deviation of the probability", "uint8", 255, unit="%", ramps=(SPREAD,)),
    "trust": LayerKind("Share of each sensor in the map", "uint8", 255, unit="%", ramps=(WEIGHT,)),
    "evidence": LayerKind(
        "Evidence by sensor, against dry", "int16", -32768, unit="nat", scale=0.01, ramps=(FOR_AND_AGAINST,)
    ),
    "observed_by": LayerKind(
        "Sensors that saw: bits 1 C, 2 L, 4 optical during; 16 C, 32 L, 64 optical before",
        "uint8",
        None,
        bits=SEEN_BITS,
        overviews="nearest",
        role="metadata",
    ),
    "age": LayerKind("Hours between the last look and t*", "uint8", 255, unit="h", ramps=(HOURS,), role="metadata"),
    "exclusion": LayerKind(
        "Why a sensor says nothing or less: bits of the reasons",
        "uint16",
        None,
        bits=REASON_BITS,
        overviews="nearest",
        role="metadata",
    ),
    "ndwi": LayerKind("Normalized difference water index", "int16", -32768, scale=0.0001, ramps=(INDEX,)),
    "harmonized": LayerKind(
        "C-VV-equivalent sigma0 at 38.5 degrees and its standard deviation, where valid",
        "int16",
        -32768,
        unit="dB",
        scale=0.01,
        ramps=(LEVEL_DB, SPREAD_DB),
        overviews="nearest",  # decibels are never averaged
    ),
    "ndwi_water": LayerKind("Water by the NDWI rule", "uint8", 255, classes=YES_NO, overviews="mode"),
    "agreement": LayerKind(
        "NDWI rule against the delivered map", "uint8", 255, classes=AGREEMENT_CLASSES, overviews="mode"
    ),
}
"""By file stem; what lies in a folder is of `kind_of`."""
FOLDERS = {
    "methods": ("flood_class", "Flood classes by {}"),
    "probability": ("flood_probability", "Probability of flood by {}"),
    "trust": ("trust", "Share of each sensor in the map by {}"),
}
"""By folder of a unit: the kind of the layers in it, one a method, and their titles."""


def kind_of(name: str, legend: str = "flood") -> LayerKind:
    """What a layer is, by its file stem: "flood_class", "methods/ndwi".

    `legend`: "water" where nothing tells flood from permanent water. Raises KeyError for a name that is none.
    """
    folder, _, method = name.rpartition("/")
    stem, title = FOLDERS[folder] if folder else (name, "")
    kind = KINDS[stem]
    if stem == "flood_class" and legend == "water":
        kind = replace(kind, title="Water classes (no reference)", classes=WATER_CLASSES)
    return replace(kind, title=title.format(method)) if folder else kind


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
