"""The maps of a report, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.classify import FLOODED_VEGETATION, OPEN_WATER, REFERENCE_WATER
from pipeline.layers import FLOOD_CLASSES, KINDS, OBSERVED_CLASSES, WATER_CLASSES, Classes
from workflows.account import Account
from workflows.report.markup import gallery, text
from workflows.report.mosaic import Canvas, band_names, paint, paint_reference
from workflows.report.pictures import (
    ERROR_CLASSES,
    Picture,
    agreement_picture,
    class_picture,
    error_codes,
    ramp_picture,
    scaled,
)
from workflows.titles import UNSEEN_BY_METHOD, title_of, words_of

UNSEEN: Classes = {4: ("not_observable", UNSEEN_BY_METHOD, "#bdbdbd")}
DURING = 0b111
"""Bits of `observed_by` for the flood window."""


def method_maps(canvas: Canvas, account: Account, methods: Sequence[str], truth: Path | None) -> Iterator[Picture]:
    """The truth, then the class map of each method."""
    classes = FLOOD_CLASSES if account.legend == "flood" else WATER_CLASSES
    if truth is not None:
        yield class_picture("Truth", "True classes", paint_reference(canvas, truth), classes)
    for name in methods:
        values = paint(canvas, f"methods/{name}")
        if values is not None:
            title = title_of(name) + (" · delivered" if name == account.delivered else "")
            yield class_picture(title, f"Classes by {name}", values[0], classes | UNSEEN)


def error_maps(canvas: Canvas, account: Account, methods: Sequence[str], truth: Path | None) -> Iterator[Picture]:
    """Where each method is right, misses and errs."""
    if truth is None:
        return
    true = paint_reference(canvas, truth)
    wet = (OPEN_WATER, FLOODED_VEGETATION) + ((REFERENCE_WATER,) if account.legend == "water" else ())
    for name in methods:
        values = paint(canvas, f"methods/{name}")
        if values is not None:
            codes = error_codes(values[0], true, wet)
            yield class_picture(title_of(name), f"{name} against the truth", codes, ERROR_CLASSES)


def witnesses(canvas: Canvas, methods: Sequence[str]) -> str:
    """What lies behind the maps, each kind of picture under a heading of its own."""
    parts = {
        "Probability and uncertainty": [*_probabilities(canvas, methods), *_uncertainties(canvas)],
        "Who saw what": list(_sights(canvas)),
        "Evidence by sensor, against dry": list(_evidence(canvas)),
        "What each sensor counts for": [one for name in methods for one in _trust(canvas, name)],
    }
    return "".join(f"<h3>{text(title)}</h3>{gallery(pictures)}" for title, pictures in parts.items() if pictures)


def _probabilities(canvas: Canvas, methods: Sequence[str]) -> Iterator[Picture]:
    for name in methods:
        values = paint(canvas, f"probability/{name}")
        if values is not None:
            title = f"Probability of flood, {title_of(name)}"
            yield ramp_picture(title, title, scaled(values[0], 255, 1.0), "cividis", 0, 100, " %")


def _uncertainties(canvas: Canvas) -> Iterator[Picture]:
    spread = paint(canvas, "uncertainty")
    if spread is None:
        return
    for name, values in zip(band_names(canvas, "uncertainty"), spread, strict=True):
        about = f"Standard deviation of the probability, {name}"
        yield ramp_picture(f"Uncertainty, {name}", about, scaled(values, 255, 1.0), "cividis", 0, 50, " %")


def _sights(canvas: Canvas) -> Iterator[Picture]:
    """Who observed, the water index, and the rule against the delivered map."""
    observed = paint(canvas, "observed_by")
    if observed is not None:
        yield class_picture("Observed by, during the flood", "Sensors that saw", observed[0] & DURING, OBSERVED_CLASSES)
    index = paint(canvas, "ndwi")
    if index is not None:
        kind = KINDS["ndwi"]
        yield ramp_picture("NDWI", "Water index", scaled(index[0], kind.nodata or 0, kind.scale), "BrBG", -1, 1)
    agreement = paint(canvas, "agreement")
    if agreement is not None:
        yield agreement_picture(agreement[0])


def _evidence(canvas: Canvas) -> Iterator[Picture]:
    """Log-likelihood ratios of each sensor: for water at the one end, for dry at the other."""
    values, kind = paint(canvas, "evidence"), KINDS["evidence"]
    if values is None:
        return
    for name, nats in zip(band_names(canvas, "evidence"), values, strict=True):
        yield ramp_picture(name, f"Evidence, {name}", scaled(nats, kind.nodata or 0, kind.scale), "BrBG", -8, 8, " nat")


def _trust(canvas: Canvas, name: str) -> Iterator[Picture]:
    """What each sensor counts for in a method's map, where the method weighs them."""
    values = paint(canvas, f"trust/{name}")
    if values is None:
        return
    for sensor, share in zip(band_names(canvas, f"trust/{name}"), values, strict=True):
        title = f"Share of {words_of(sensor)}, {title_of(name)}"
        yield ramp_picture(title, title, scaled(share, 255, 1.0), "cividis", 0, 100, " %")
