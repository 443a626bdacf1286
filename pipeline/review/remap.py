"""The maps of a unit after a review: the refitted method, the verdicts as witnesses, and the layers they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy.special import expit

from harmonization.evidence import binary_witness
from pipeline.classify import (
    DRY,
    FLOODED_VEGETATION,
    NOT_OBSERVABLE,
    OPEN_WATER,
    OUTSIDE,
    REFERENCE_WATER,
)
from pipeline.layers import KINDS, Layer, kind_of, layer
from pipeline.review.candidates import Numbers, numbered
from pipeline.review.experts import FLOOD, SENSOR, said_of
from pipeline.review.refit import Refit, Witness
from pipeline.run_folder import UnitFolder

Codes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

METHOD = "review"
"""Name of the map that is delivered after a review."""
SPREADS = ("aleatoric", "epistemic (what so few verdicts leave open)")


@dataclass(frozen=True, eq=False)
class Review:
    """All that a unit's maps depend on beside its own layers."""

    names: tuple[str, ...]
    """The experts, in the order of the refit's weights."""
    fitted: Refit
    witness: Witness
    polygons: geopandas.GeoDataFrame
    """Columns `id`, `verdict` and the geometry, of the usable verdicts."""


@dataclass(frozen=True, eq=False)
class _Window:
    """What is known of the pixels of a window (y, x)."""

    classes: Codes
    percent: Codes
    spread: NDArray[np.uint8]
    """(2, y, x)"""
    reference: Codes


def reviewed_layers(unit: UnitFolder, review: Review) -> dict[str, Layer]:
    """The layers of a unit that a review changes, by name: the delivered maps and `methods/review`."""
    shape = unit.box.shape.yx
    classes, percent, reference = (np.zeros(shape, dtype=np.uint8) for _ in range(3))
    spread = np.zeros((2, *shape), dtype=np.uint8)
    numbers = {(w.row_off, w.col_off): found for w, found in numbered(unit, review.polygons)}
    for window in unit.windows():
        rows, columns = window.toslices()
        found = _window(unit, window, numbers.get((window.row_off, window.col_off)), review)
        classes[rows, columns], percent[rows, columns] = found.classes, found.percent
        reference[rows, columns], spread[:, rows, columns] = found.reference, found.spread
    return _layers(unit, classes, percent, spread, reference)


def _window(unit: UnitFolder, window: Window, numbers: Numbers | None, review: Review) -> _Window:
    said = said_of(unit, review.names, window)
    verdict = _verdicts(numbers, said.present.shape, review.polygons)
    present, moves = said.present.astype(np.float64), said.moves.astype(np.float64)
    log_odds = review.fitted.log_odds(present, moves) + _nats(verdict, review.witness)
    codes = unit.read(f"methods/{unit.delivered}", window)[0]
    observed = ~np.isin(codes, (NOT_OBSERVABLE, OUTSIDE))
    reference = _reference(unit.read("reference_water", window)[0], verdict, observed)
    # Of reference water no probability is kept: where a verdict lifts it, the witness speaks over even odds.
    lifted = observed & ~said.observed & (reference != 1)
    log_odds = np.where(lifted, _nats(verdict, review.witness), log_odds)
    wet = np.where(reference == 1, 0.0, expit(log_odds))
    percent = np.where(observed, np.round(100.0 * wet), 255).astype(np.uint8)
    classes = np.full(codes.shape, DRY, dtype=np.uint8)
    flood = (log_odds > 0) & (reference != 1)
    classes[flood] = _states(unit, window, review.names, codes, verdict)[flood]
    classes[reference == 1] = REFERENCE_WATER
    classes[~observed] = codes[~observed]
    doubt = wet * (1.0 - wet)
    open_ = doubt * np.sqrt(review.fitted.variance(present, moves))
    spread = np.stack([np.sqrt(doubt), np.minimum(open_, np.sqrt(doubt))])
    return _Window(classes, percent, np.where(observed, np.round(100.0 * spread), 255).astype(np.uint8), reference)


def _verdicts(numbers: Numbers | None, shape: tuple[int, ...], polygons: geopandas.GeoDataFrame) -> NDArray[np.str_]:
    """(y, x) the verdict on each pixel, "" for none."""
    if numbers is None:
        return np.zeros(shape, dtype="U16")
    words = np.array(["", *polygons["verdict"]], dtype="U16")
    return np.asarray(words[numbers])


def _nats(verdict: NDArray[np.str_], witness: Witness) -> NDArray[np.float64]:
    """(y, x) nats of the witness: yes, no, or nothing said."""
    yes, no = binary_witness(witness.sensitivity, witness.specificity)
    flood = np.isin(verdict, ("flood", "vegetation"))
    return np.where(flood, yes, np.where(verdict == "dry", no, 0.0))


def _reference(before: Codes, verdict: NDArray[np.str_], observed: Mask) -> Codes:
    """Reference water after the verdicts: added where one says so, lifted where one says flood or dry."""
    after = np.where(verdict == "permanent water", 1, before)
    lifted = np.isin(verdict, ("flood", "dry", "vegetation")) & (before == 1)
    return np.where(observed, np.where(lifted, 0, after), before).astype(np.uint8)


def _states(
    unit: UnitFolder, window: Window, names: tuple[str, ...], delivered: Codes, verdict: NDArray[np.str_]
) -> Codes:
    """(y, x) which kind of flood it would be: of the delivered map, else of most other maps, else by the evidence."""
    votes = np.zeros(delivered.shape, dtype=np.int64)
    for name in names:
        if not name.startswith(SENSOR) and unit.has(f"methods/{name}"):
            codes = unit.read(f"methods/{name}", window)[0]
            votes += (codes == FLOODED_VEGETATION).astype(np.int64) - (codes == OPEN_WATER)
    plants = np.where(votes == 0, _plants_by_evidence(unit, window), votes > 0)
    plants = np.where(np.isin(delivered, FLOOD), delivered == FLOODED_VEGETATION, plants)
    plants |= verdict == "vegetation"
    return np.where(plants, FLOODED_VEGETATION, OPEN_WATER).astype(np.uint8)


def _plants_by_evidence(unit: UnitFolder, window: Window) -> Mask:
    """Where all sensors together speak rather for flooded vegetation than for open water."""
    stack = unit.read("evidence", window).astype(np.int64)
    seen = stack != KINDS["evidence"].nodata
    held = np.where(seen, stack, 0)
    return np.asarray(held[1::2].sum(axis=0) > held[0::2].sum(axis=0))


def _layers(
    unit: UnitFolder, classes: Codes, percent: Codes, spread: NDArray[np.uint8], reference: Codes
) -> dict[str, Layer]:
    kind = kind_of("flood_class", unit.legend)
    own = kind_of(f"methods/{METHOD}", unit.legend)
    observed = ~np.isin(classes, (NOT_OBSERVABLE, OUTSIDE))
    flood = np.isin(classes, FLOOD)
    made = {
        "flood_class": layer("flood_class", classes, kind=kind),
        "flood_probability": layer("flood_probability", percent),
        "uncertainty": layer("uncertainty", spread, SPREADS),
        "water_extent": layer("water_extent", np.where(observed, flood | (reference == 1), 255)),
        "reference_water": layer("reference_water", reference),
        f"methods/{METHOD}": layer(METHOD, classes, kind=own),
        f"probability/{METHOD}": layer(METHOD, percent, kind=kind_of(f"probability/{METHOD}")),
    }
    if unit.has("agreement"):
        made["agreement"] = _agreement(unit, flood, observed)
    return made


def _agreement(unit: UnitFolder, flood: Mask, observed: Mask) -> Layer:
    """NDWI against the map after the review: 0 both dry, 1 both flood, 2 only the rule, 3 only the map."""
    codes = unit.read("methods/ndwi")[0]
    rule = np.isin(codes, FLOOD)
    seen = observed & ~np.isin(codes, (NOT_OBSERVABLE, OUTSIDE))
    found = np.select([rule & flood, rule, flood], [1, 2, 3], 0)
    return layer("agreement", np.where(seen, found, 255))


def parameters_of(names: tuple[str, ...], fitted: Refit) -> Mapping[str, object]:
    """The refit in words, for the audit."""
    return {
        "own_weight": round(1.0 + fitted.own, 6),
        "weights": {name: round(float(value), 6) for name, value in zip(names, fitted.weights, strict=True)},
        "prior_shift_nats": round(fitted.shift, 6),
        "temperature": round(fitted.temperature, 6),
        "calibration_shift_nats": round(fitted.level, 6),
    }
