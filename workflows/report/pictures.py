"""Arrays to pictures with legends; colours that stay apart for colour-blind readers and in print."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.layers import AGREEMENT_CLASSES, Classes

Values = NDArray[Any]
Bytes = NDArray[np.uint8]
TRANSPARENT, PAPER = "#00000000", "#ffffff"
SHADES = 64
"""Colours of a continuous picture: as many as an eye tells apart, and a fraction of the bytes."""
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
    return Picture(title, alt, _png(codes, table), legend)


def ramp_picture(
    title: str, about: str, values: Values, colours: str, low: float, high: float, unit: str = ""
) -> Picture:
    """Numbers (y, x), NaN where there are none, on a perceptually even scale of 64 shades."""
    scale = matplotlib.colormaps[colours]
    seen = np.isfinite(values)
    shades = np.round((SHADES - 1) * np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1))
    table = np.zeros((SHADES + 1, 4), dtype=np.uint8)
    table[:SHADES] = scale(np.linspace(0, 1, SHADES), bytes=True)
    steps = tuple(matplotlib.colors.to_hex(scale(step)) for step in np.linspace(0, 1, 33))
    mean = f"mean {np.nanmean(values):.3g}{unit} over {seen.mean():.1%} of the picture" if seen.any() else "no value"
    legend = () if seen.all() else ((PAPER, f"Not observed ({1 - seen.mean():.1%})"),)
    png = _png(np.where(seen, shades, SHADES).astype(np.uint8), table)
    return Picture(title, f"{about}: {mean}", png, legend, (steps, f"{low:g}{unit}", f"{high:g}{unit}"))


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


def _png(codes: Bytes, table: Bytes) -> str:
    """Codes (y, x) and the colour (code, RGBA) of each as a PNG with a palette, base64.

    The codes are numbered anew, so that a picture of few colours takes few bits a pixel.
    """
    used, numbered = np.unique(codes, return_inverse=True)
    picture = Image.fromarray(numbered.reshape(codes.shape).astype(np.uint8))
    picture.putpalette(table[used, :3].tobytes())
    file = BytesIO()
    picture.save(file, format="PNG", optimize=True, transparency=bytes(table[used, 3]))
    return base64.b64encode(file.getvalue()).decode("ascii")
