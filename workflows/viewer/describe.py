"""A run as the viewer's page needs it: its grids, its layers, and how each band is painted. Reads items, no pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import matplotlib
import numpy as np

from catalogs.lonlat import bbox_around
from harmonization.reasons import BLINDING
from pipeline.classify import NOT_OBSERVABLE
from pipeline.layers import OBSERVED_CLASSES, REASON_BITS
from pipeline.run_folder import RunFolder, UnitFolder
from workflows.titles import UNSEEN_BY_METHOD, in_order, title_of, words_of

Record = dict[str, Any]
DURING = 0b111
"""Bits of `observed_by` for the flood window."""
SAYS = {0: ("No reason", "#f5f1e6"), 1: ("Says less", "#e69f00"), 2: ("Says nothing", "#4d4d4d")}
"""`exclusion`, in the three degrees that matter to a reader."""
RAMPS = {
    "flood_probability": ("cividis", 0.0, 100.0),
    "uncertainty": ("cividis", 0.0, 50.0),
    "trust": ("cividis", 0.0, 100.0),
    "evidence": ("BrBG", -8.0, 8.0),
    "ndwi": ("BrBG", -1.0, 1.0),
    "age": ("cividis_r", 0.0, 240.0),
    "harmonized": ("gray", -25.0, 0.0),
}
"""By kind of layer: colours (of matplotlib), and the values of their ends, in the layer's unit."""
GROUPS = {
    "flood_class": "Delivered",
    "methods": "Flood classes by method",
    "probability": "Probability of flood",
    "evidence": "Evidence by sensor",
    "trust": "Share of each sensor",
    "exclusion": "Why a sensor says nothing or less",
}
"""Where a layer stands in the list of the page; everything else stands under "Other layers"."""
OTHER = "Other layers"
KIND_OF = {"probability": "flood_probability", "trust": "trust", "methods": "flood_class"}


def describe(run: RunFolder) -> Record:
    """The record that the page is drawn from.

    `units`: grid and zone of each. `layers`: one entry a band, with the numbers of the units that hold it, each with
    its band there, counted from 0; `paint` says what its file values mean and how they look.
    """
    first = run.units[0].facts
    return {
        "name": str(first.get("overbank:job", run.path.name)),
        "legend": run.legend,
        "delivered": run.delivered,
        "at": run.at.strftime("%Y-%m-%d %H:%M UTC"),
        "zones": list(run.zones),
        "plain": _plain(run),
        "units": [_unit(unit) for unit in run.units],
        "layers": list(_layers(run)),
    }


def _unit(unit: UnitFolder) -> Record:
    return {
        "id": unit.id,
        "zone": str(unit.facts["proj:code"]),
        "shape": list(unit.box.shape.yx),
        "transform": list(unit.box.affine)[:6],
    }


def _plain(run: RunFolder) -> Record:
    """Middle of the run in degrees: several zones are shown on metres east and north of it."""
    west, south, east, north = bbox_around([unit.item["bbox"] for unit in run.units])
    east += 360.0 if east < west else 0.0
    return {"longitude": (west + east) / 2, "latitude": (south + north) / 2}


def _layers(run: RunFolder) -> Iterator[Record]:
    """One record a band, in the order in which the page lists them."""
    places: dict[tuple[str, str], list[list[int]]] = {}
    told: dict[tuple[str, str], tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for number, unit in enumerate(run.units):
        for layer, asset, index, band in _bands(unit):
            key = layer, str(band.get("description", ""))
            places.setdefault(key, []).append([number, index])
            told.setdefault(key, (asset, band))
    groups, methods = [*GROUPS.values(), OTHER], in_order(run.methods)
    place = {name: number for number, name in enumerate(methods)}
    records = [_layer(key, *told[key], places[key]) for key in places]
    yield from sorted(
        records, key=lambda one: (groups.index(one["group"]), place.get(one["file"].partition("/")[2], 0))
    )


def _bands(unit: UnitFolder) -> Iterator[tuple[str, Mapping[str, Any], int, Mapping[str, Any]]]:
    """Layer, its asset, and each band of it, of the rasters that are really there."""
    for layer, asset in unit.item["assets"].items():
        if unit.has(layer):
            for index, band in enumerate(asset.get("raster:bands", [{}])):
                yield layer, asset, index, band


def _layer(
    key: tuple[str, str],
    asset: Mapping[str, Any],
    band: Mapping[str, Any],
    units: list[list[int]],
) -> Record:
    layer, description = key
    family = layer.partition("/")[0]
    return {
        "key": f"{layer}:{units[0][1]}",
        "file": layer,
        "title": title_of_layer(layer, asset, description),
        "group": GROUPS.get(family, OTHER),
        "units": units,
        "paint": paint_of(layer, asset, band),
    }


def title_of_layer(layer: str, asset: Mapping[str, Any], band: str) -> str:
    """A band's name where nothing else tells what kind of layer it is."""
    label = label_of(layer, asset, band)
    family = layer.partition("/")[0]
    before = {"probability": "Probability of flood, ", "evidence": "Evidence, ", "exclusion": "Reasons, "}
    return before.get(family, "") + label


def label_of(layer: str, asset: Mapping[str, Any], band: str) -> str:
    """A band's name for people; `band` is its description, empty where the layer has one band alone."""
    family, _, method = layer.partition("/")
    name = title_of(method) if method else str(asset.get("title", layer)).partition(":")[0]
    if not band:
        return name
    return f"{words_of(band)}: {name}" if family == "trust" else band if family in GROUPS else f"{name}: {band}"


def paint_of(layer: str, asset: Mapping[str, Any], band: Mapping[str, Any]) -> Record:
    """How a band's file values become colours: classes, bits brought to classes, or a ramp in the band's unit.

    `nodata` is transparent; `classes` is [code, meaning, colour].
    """
    family = layer.partition("/")[0]
    kind = KIND_OF.get(family, family)
    nodata = band.get("nodata")
    if kind == "observed_by":
        return {
            "kind": "mask",
            "mask": DURING,
            "nodata": None,
            "classes": [[code, *told[1:]] for code, told in OBSERVED_CLASSES.items()],
        }
    if kind == "exclusion":
        blinding = int(BLINDING)
        classes = [[code, *told] for code, told in SAYS.items()]
        return {"kind": "reasons", "blinding": blinding, "nodata": None, "classes": classes}
    if "classification:classes" in asset:
        return {"kind": "classes", "nodata": nodata, "classes": _classes(layer, asset, nodata)}
    name, low, high = RAMPS.get(kind, ("cividis", *_range(band)))
    scale, unit = float(band.get("scale", 1.0)), str(band.get("unit", ""))
    ramp = {"kind": "ramp", "nodata": nodata, "scale": scale, "unit": unit, "low": low, "high": high}
    return ramp | {"stops": list(_stops(name))}


def _classes(layer: str, asset: Mapping[str, Any], nodata: Any) -> list[list[Any]]:
    return [
        [one["value"], class_text(layer, one), f"#{one.get('color_hint', '000000').lower()}"]
        for one in asset["classification:classes"]
        if one["value"] != nodata
    ]


def class_text(layer: str, one: Mapping[str, Any]) -> str:
    """What a class means in a layer."""
    if layer.startswith("methods/") and one["value"] == NOT_OBSERVABLE:
        return UNSEEN_BY_METHOD
    return str(one.get("description") or one["name"])


def _range(band: Mapping[str, Any]) -> tuple[float, float]:
    """Ends of a ramp for a layer that this version does not know: what its type can hold."""
    found = np.iinfo(np.dtype(band.get("data_type", "uint8")))
    scale = float(band.get("scale", 1.0))
    return found.min * scale, found.max * scale


@lru_cache(maxsize=16)
def _stops(name: str) -> tuple[str, ...]:
    """33 colours along a perceptually even scale; the page draws between them."""
    scale = matplotlib.colormaps[name]
    return tuple(matplotlib.colors.to_hex(scale(step)) for step in np.linspace(0, 1, 33))


def reasons_in(flags: int) -> list[str]:
    """Names of the reasons whose bits are set."""
    return [words_of(name) for bit, name in enumerate(REASON_BITS) if flags >> bit & 1]
