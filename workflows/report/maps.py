"""The maps of a report, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.classify import FLOODED_VEGETATION, OPEN_WATER, REFERENCE_WATER
from pipeline.layers import FLOOD_CLASSES, KINDS, OBSERVED_CLASSES, WATER_CLASSES, Classes
from workflows.account import Account
from workflows.report.mosaic import Canvas, band_names, paint, paint_raster
from workflows.report.pictures import (
    ERROR_CLASSES,
    Picture,
    agreement_picture,
    class_picture,
    error_codes,
    ramp_picture,
    scaled,
)

TITLES = {
    "ndwi": "NDWI rule",
    "radar_threshold": "Radar threshold",
    "physics": "Physics (sum of evidence)",
    "early": "Early fusion",
    "intermediate": "Intermediate fusion",
    "late": "Late fusion",
}
UNSEEN: Classes = {4: ("not_observable", "Not observed by this method's sensors", "#bdbdbd")}
DURING = 0b111
"""Bits of `observed_by` for the flood window."""


def title_of(name: str) -> str:
    """A map's name for people: "Late fusion, inverse-variance" of "late-inverse-variance"."""
    method, _, option = name.partition("-")
    title = TITLES.get(method, method)
    return f"{title}, {option}" if option else title


def method_maps(canvas: Canvas, account: Account, methods: Sequence[str], truth: Path | None) -> Iterator[Picture]:
    """The truth, then the class map of each method."""
    classes = FLOOD_CLASSES if account.legend == "flood" else WATER_CLASSES
    if truth is not None:
        yield class_picture("Truth", "True classes", paint_raster(canvas, truth), classes)
    for name in methods:
        values = paint(canvas, f"methods/{name}")
        if values is not None:
            title = title_of(name) + (" · delivered" if name == account.delivered else "")
            yield class_picture(title, f"Classes by {name}", values[0], classes | UNSEEN)


def error_maps(canvas: Canvas, account: Account, methods: Sequence[str], truth: Path | None) -> Iterator[Picture]:
    """Where each method is right, misses and errs."""
    if truth is None:
        return
    true = paint_raster(canvas, truth)
    wet = (OPEN_WATER, FLOODED_VEGETATION) + ((REFERENCE_WATER,) if account.legend == "water" else ())
    for name in methods:
        values = paint(canvas, f"methods/{name}")
        if values is not None:
            codes = error_codes(values[0], true, wet)
            yield class_picture(title_of(name), f"{name} against the truth", codes, ERROR_CLASSES)


def _trust_maps(canvas: Canvas, name: str) -> Iterator[Picture]:
    """What each sensor counts for in a method's map, where the method weighs them."""
    values = paint(canvas, f"trust/{name}")
    if values is None:
        return
    for sensor, share in zip(band_names(canvas, f"trust/{name}"), values, strict=True):
        title = f"Share of {sensor}, {title_of(name)}"
        yield ramp_picture(title, title, scaled(share, 255, 1.0), "cividis", 0, 100, " %")


def witness_maps(canvas: Canvas, methods: Sequence[str]) -> Iterator[Picture]:
    """Probability, trust, uncertainty, NDWI, who observed, and agreement of rule and delivered map."""
    for name in methods:
        values = paint(canvas, f"probability/{name}")
        if values is not None:
            title = f"Probability of flood, {title_of(name)}"
            yield ramp_picture(title, title, scaled(values[0], 255, 1.0), "cividis", 0, 100, " %")
        yield from _trust_maps(canvas, name)
    spread = paint(canvas, "uncertainty")
    if spread is not None:
        title = "Uncertainty (aleatoric)"
        yield ramp_picture(
            title, "Standard deviation of the probability", scaled(spread[0], 255, 1.0), "cividis", 0, 50, " %"
        )
    index = paint(canvas, "ndwi")
    if index is not None:
        kind = KINDS["ndwi"]
        yield ramp_picture("NDWI", "Water index", scaled(index[0], kind.nodata or 0, kind.scale), "BrBG", -1, 1)
    observed = paint(canvas, "observed_by")
    if observed is not None:
        yield class_picture("Observed by, during the flood", "Sensors that saw", observed[0] & DURING, OBSERVED_CLASSES)
    agreement = paint(canvas, "agreement")
    if agreement is not None:
        yield agreement_picture(agreement[0])
