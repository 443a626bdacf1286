"""Arrays to pictures with legends; colours that stay apart for colour-blind readers and in print."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from pipeline.layers import AGREEMENT_CLASSES, Classes

Values = NDArray[Any]
TRANSPARENT, PAPER = "#00000000", "#ffffff"
ERROR_CLASSES: Classes = {
    0: ("dry", "Dry in both", "#f5f1e6"),
    1: ("hit", "Found", "#2166ac"),
    2: ("miss", "Missed", "#e08214"),
    3: ("false", "False alarm", "#8073ac"),
    4: ("unseen", "Missed because not observed", "#4d4d4d"),
    255: ("unknown", "No reference", TRANSPARENT),
}
"""The same hues as the agreement of two maps."""


@dataclass(frozen=True)
class Picture:
    """One map of the report."""

    title: str
    alt: str
    png: str
    """Base64."""
    legend: tuple[tuple[str, str], ...] = ()
    """Colour and meaning of each class that occurs."""
    ramp: tuple[tuple[str, ...], str, str] | None = None
    """Colours of a continuous scale, its low and its high end."""


def class_picture(title: str, about: str, values: Values, classes: Classes) -> Picture:
    """Codes (y, x) in their colours; the legend and the alt text tell the share of each."""
    table = np.zeros((256, 4), dtype=np.uint8)
    for code, (_, _, colour) in classes.items():
        table[code] = _rgba(colour)
    codes = values.astype(np.uint8)
    shares = {code: float((codes == code).mean()) for code in classes}
    shown = [code for code in classes if shares[code] > 0]
    legend = tuple((_key_colour(classes[code][2]), f"{classes[code][1]} ({shares[code]:.1%})") for code in shown)
    alt = f"{about}: " + "; ".join(text for _, text in legend)
    return Picture(title, alt, _png(table[codes]), legend)


def ramp_picture(
    title: str, about: str, values: Values, colours: str, low: float, high: float, unit: str = ""
) -> Picture:
    """Numbers (y, x), NaN where there are none, on a perceptually even scale."""
    scale = matplotlib.colormaps[colours]
    seen = np.isfinite(values)
    rgba = scale(np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1), bytes=True)
    rgba[~seen] = 0
    steps = tuple(matplotlib.colors.to_hex(scale(step)) for step in np.linspace(0, 1, 9))
    mean = f"mean {np.nanmean(values):.3g}{unit} over {seen.mean():.1%} of the picture" if seen.any() else "no value"
    legend = () if seen.all() else ((PAPER, f"Not observed ({1 - seen.mean():.1%})"),)
    return Picture(title, f"{about}: {mean}", _png(rgba), legend, (steps, f"{low:g}{unit}", f"{high:g}{unit}"))


def error_codes(mapped: Values, truth: Values, wet: tuple[int, ...]) -> Values:
    """Where a class map is right, misses and errs against a truth of the same codes."""
    said, true = np.isin(mapped, wet), np.isin(truth, wet)
    codes = np.select([said & true, true & (mapped == 4), true, said], [1, 4, 2, 3], 0)
    return np.where((mapped == 255) | (truth == 255), 255, codes).astype(np.uint8)


def agreement_picture(values: Values) -> Picture:
    """The NDWI rule against the delivered map."""
    return class_picture("Agreement", "NDWI rule against the delivered map", values, AGREEMENT_CLASSES)


def scaled(values: Values, nodata: int, scale: float) -> NDArray[np.float32]:
    """File values as numbers, NaN for nodata."""
    return np.where(values == nodata, np.nan, values * scale).astype(np.float32)


def _key_colour(colour: str) -> str:
    return PAPER if colour == TRANSPARENT else colour


def _rgba(colour: str) -> tuple[int, ...]:
    channels = tuple(bytes.fromhex(colour.removeprefix("#")))
    return channels if len(channels) == 4 else (*channels, 255)


def _png(rgba: Values) -> str:
    file = BytesIO()
    imsave(file, rgba, format="png", pil_kwargs={"optimize": True})
    return base64.b64encode(file.getvalue()).decode("ascii")
