"""What a layer looks like, whatever the GIS: swatches of its classes, its bits, or its continuous scale."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harmonization.reasons import BLINDING, Reason
from pipeline.layers import OBSERVED_CLASSES, SEEN_BITS, LayerKind

NOTHING_SAID = "#ffffff00"
REASON_COLOURS: dict[Reason, str] = {
    Reason.CLOUD: "#969696",
    Reason.CLOUD_SHADOW: "#636363",
    Reason.RADAR_SHADOW: "#54278f",
    Reason.LAYOVER: "#807dba",
    Reason.SNOW_OR_FROZEN: "#bcbddc",
    Reason.BORDER_NOISE: "#252525",
    Reason.OUTSIDE_SWATH: "#cccccc",
    Reason.NO_SCENE: "#d9d9d9",
    Reason.URBAN: "#d7301f",
    Reason.DENSE_VEGETATION: "#238b45",
    Reason.SMOOTH_DRY: "#d8b365",
    Reason.WIND: "#6baed6",
    Reason.UNKNOWN_ANGLE: "#fa9fb5",
    Reason.SUN_GLINT: "#fee391",
    Reason.OUTSIDE_MODEL: "#c994c7",
    Reason.DARK: "#08519c",
}
"""Grey and violet: the sensor is blind; in colour: it says less."""


@dataclass(frozen=True)
class Swatch:
    """A value and how it is shown."""

    value: float
    colour: str
    """#rrggbb."""
    label: str
    alpha: int = 255


@dataclass(frozen=True)
class Symbology:
    """How one band of a layer is shown."""

    title: str
    swatches: tuple[Swatch, ...]
    continuous: bool
    """Whether the swatches are stops of a scale, in the layer's unit (scale and offset applied); else each stands for
    one file value."""
    unit: str = ""
    band: int = 1


def symbology(kind: LayerKind, band: int = 1, present: Collection[int] = (), title: str = "") -> Symbology:
    """How a band (from 1) of a kind of layer is shown.

    `present`: values that occur, of bit fields alone; each combination of bits has a swatch of its own.
    """
    about = title or kind.title
    if kind.classes is not None:
        shown = [_swatch(code, text, colour) for code, (_, text, colour) in kind.classes.items() if code != kind.nodata]
        return Symbology(about, tuple(shown), False, band=band)
    if kind.bits:
        return Symbology(about, tuple(_combination(kind, value) for value in sorted(present)), False, band=band)
    ramp = kind.ramps[(band - 1) % len(kind.ramps)]
    unit = f" {kind.unit}" if kind.unit else ""
    stops = tuple(Swatch(value, colour, f"{value:g}{unit}") for value, colour in ramp)
    return Symbology(about, stops, True, kind.unit, band)


def present_values(kind: LayerKind, values: NDArray[Any]) -> set[int]:
    """The file values that a bit field holds; of other layers none, they have their table."""
    return set(np.flatnonzero(np.bincount(values.ravel())).tolist()) if kind.bits else set()


def _swatch(value: int, label: str, colour: str) -> Swatch:
    alpha = int(colour[7:9], 16) if len(colour) == 9 else 255
    return Swatch(value, colour[:7], label, alpha)


def _combination(kind: LayerKind, value: int) -> Swatch:
    return _seen(value) if kind.bits == SEEN_BITS else _reasons(value)


def _seen(value: int) -> Swatch:
    """Coloured by the sensors that saw during the flood; the label tells those before too."""
    _, text, colour = OBSERVED_CLASSES[value & 0b111]
    before = OBSERVED_CLASSES[value >> 4 & 0b111][1]
    return _swatch(value, f"{text}; before: {before}", colour)


def _reasons(value: int) -> Swatch:
    """Coloured by the gravest of the reasons: one that blinds before one that weakens, then in the order of bits."""
    if value == 0:
        return _swatch(0, "Nothing against it", NOTHING_SAID)
    held = [reason for reason in Reason if reason & value]
    gravest = next((reason for reason in held if reason & BLINDING), held[0])
    label = " + ".join(str(reason.name).lower().replace("_", " ") for reason in held)
    return _swatch(value, label[0].upper() + label[1:], REASON_COLOURS[gravest])
