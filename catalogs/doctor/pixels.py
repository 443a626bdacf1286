"""What a layer is declared to hold, held against a coarse sample of its pixels. Pure: arrays in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from catalogs.collection import POLARIZATIONS, REFLECTANCES
from catalogs.doctor.findings import Correction, Finding
from catalogs.doctor.look import FileHeader, Look, Values
from catalogs.records import RasterLayer

FILLS = (0.0, -9999.0, -999.0, -99.0, -32768.0, -32767.0, 32767.0, 65535.0, 1e20, -1e20)
"""Values that products fill with, beside those that nothing measures."""
FILL_SHARE = 0.005
"""Share of a sample from which a repeated value is fill, not chance."""
MEASURED = (-100.0, 65534.0)
"""Between these a repeated number may be a measurement: dB, power, reflectance or digital numbers, of which a calm
lake or water that is clipped at the lowest number repeats one as often as any fill."""
ALL_BANDS = 0.9
"""Share of the zeros of any band that must be zero in all of them to be fill."""
FEW = 64
"""Samples below which nothing is judged."""
DECIBEL = (-60.0, 40.0)
"""Between these a number can be backscatter in dB."""
NEGATIVE = 0.6
"""Share of numbers below zero above which an image cannot be power or amplitude."""
LAND_DB, LAND_POWER, AMPLITUDE = -3.0, 3.0, 20.0
"""Medians: a scene in dB lies below the first, in power below the second, of amplitude numbers above the third."""
ANGLES = (5.0, 85.0)
"""Degrees between which radar looks down."""
DARKEST = 1.0
"""Percentile of reflectance that some pixel of a scene (water, shadow) brings near zero."""
TOO_DARK, TOO_BRIGHT = -0.03, (0.085, 0.13)
"""Reflectance of the darkest percentile where an offset of -0.1 was applied twice, and where none was applied."""
MASK_VALUES: Mapping[str, frozenset[int]] = {
    "palsar-mosaic": frozenset({0, 50, 100, 150, 255}),
    "palsar-scansar": frozenset(range(6)),
    "opera-rtc": frozenset({0, 1, 2, 3, 255}),
    "sentinel-2-scl": frozenset(range(12)),
}
"""By scheme; Landsat's QA is bits, of which each value is possible."""

RadarScale = Literal["power", "decibel", "amplitude"]


def check_pixels(thing: str, layer: str, raster: RasterLayer, look: Look, scheme: str | None = None) -> list[Finding]:
    """All findings of one layer's sample; `scheme` is that of a mask."""
    checks = _Checks(thing, layer, raster, look)
    if layer == "mask":
        return list(checks.mask(scheme))
    if layer == "angle":
        return list(checks.angle())
    return list(checks.measurement()) if layer in (*POLARIZATIONS, *REFLECTANCES) else []


def fill_values(values: Values) -> list[tuple[float, float]]:
    """(value, share) of every finite constant in a sample that is fill: repeated, and known as fill or no measurement.

    `values`: what no nodata declares, any shape. To take a lake for fill would lose the very thing that is looked for,
    so what could have been measured never counts.
    """
    finite = values[np.isfinite(values)]
    if finite.size < FEW:
        return []
    distinct, counts = np.unique(finite, return_counts=True)
    often = distinct[counts >= max(FILL_SHARE * values.size, 8)]
    return [(float(value), float((finite == value).mean())) for value in often if _is_fill(float(value))]


def _is_fill(value: float) -> bool:
    return value in FILLS or not MEASURED[0] <= value <= MEASURED[1]


def radar_scale(values: Values) -> RadarScale | None:
    """What the numbers of a radar image are by their range; None where it is not clear.

    `values`: finite, without fill. Denoised power dips below zero here and there, dB lies below it nearly everywhere;
    how far the darkest dB go down says nothing, for noise was clipped at any small power before the logarithm.
    """
    if values.size < FEW:
        return None
    middle = float(np.median(values))
    low, high = np.percentile(values, (1, 99))
    negative = float((values < 0).mean())
    if negative > NEGATIVE and DECIBEL[0] < middle < LAND_DB and high < DECIBEL[1]:
        return "decibel"
    if negative < 0.1 and 0 < middle < LAND_POWER and low > -0.1 and high < 1000:
        return "power"
    return "amplitude" if low >= 0 and middle > AMPLITUDE else None


def darkest(values: Values, raster: RasterLayer) -> float:
    """Reflectance of the darkest percentile of a sample without fill."""
    return float(np.percentile(values, DARKEST) * raster.scale + raster.offset)


class _Checks:
    """One layer under examination."""

    def __init__(self, thing: str, layer: str, raster: RasterLayer, look: Look) -> None:
        self._thing, self._layer, self._raster = thing, layer, raster
        self._header, self._all = look.header, look.values
        self._valid = valid_values(raster, look)

    def measurement(self) -> Iterator[Finding]:
        """Fill, then scale, for fill would pass for a scale."""
        fills = fill_values(self._valid)
        zeros = _share_of(0.0, fills)
        if zeros and self._layer in POLARIZATIONS:
            yield self._say("zero-filled", f"zero in {zeros:.1%} of the coarse look", "a nodata value")
        fills = [fill for fill in fills if fill[0] != 0.0]  # of optics only several bands together tell: `zero_filled`
        yield from self._fill(fills)
        values = without_fill(self._valid, fills)
        values = values[values != 0] if self._layer in POLARIZATIONS else values
        if not values.size:
            yield self._say("no-data-seen", "no pixel with data", "some")
        elif self._layer in POLARIZATIONS:
            yield from self._radar(values)
        else:
            yield from self._reflectance(values)

    def angle(self) -> Iterator[Finding]:
        """Degrees after scale and offset."""
        values = self._valid[self._valid != 0] * self._raster.scale + self._raster.offset
        if values.size < FEW:
            return
        inside = (values > ANGLES[0]) & (values < ANGLES[1])
        if inside.mean() < 0.9:
            found = f"{1 - inside.mean():.1%} beyond, median {np.median(values):.3g}"
            yield self._say("angle-out-of-range", found, f"degrees between {ANGLES[0]:g} and {ANGLES[1]:g}")

    def mask(self, scheme: str | None) -> Iterator[Finding]:
        """Codes of the scheme."""
        known = MASK_VALUES.get(scheme or "")
        if known is None:
            return
        strange = [float(value) for value in np.unique(self._valid) if value not in known]
        if strange:
            share = np.isin(self._valid, strange).mean()
            found = f"{', '.join(f'{value:g}' for value in strange[:6])} in {share:.1%} of the coarse look"
            expected = f"codes of {scheme}: {', '.join(str(value) for value in sorted(known))}"
            yield self._say("unknown-mask-values", found, expected, Correction(nodata=tuple(strange)))

    def _fill(self, fills: list[tuple[float, float]]) -> Iterator[Finding]:
        for value, share in fills:
            found = f"{value:g} in {share:.1%} of the coarse look"
            yield self._say("undeclared-fill", found, "a nodata value", Correction(nodata=(value,)))
        declared = self._header.nodata
        if declared is None or np.isnan(declared) or (self._all == declared).any():
            return
        others = [f"{value:g}" for value, _ in fills] + (["NaN"] if np.isnan(self._all).any() else [])
        if others:
            found = f"{' and '.join(others)}, and nowhere {declared:g}"
            yield self._say("nodata-never-occurs", found, f"{declared:g}, which the header declares")

    def _radar(self, values: Values) -> Iterator[Finding]:
        declared, held = self._raster.encoding, radar_scale(values)
        if (
            held is None
            and values.size >= FEW
            and not DECIBEL[0] < np.median(values)
            and (values < 0).mean() > NEGATIVE
        ):
            found = f"{(values < 0).mean():.1%} below zero, median {np.median(values):.3g}"
            yield self._say("unknown-scale", found, f"{declared}, as declared; hundredths of dB, perhaps")
        if held is None or held == declared or declared == "calibrated":
            return
        median, spread = np.median(values), np.percentile(values, (1, 99))
        found = f"{held} by its range (median {median:.3g}, {spread[0]:.3g} to {spread[1]:.3g})"
        code = {"decibel": "decibel-as-power", "power": "power-as-decibel", "amplitude": "amplitude-as-power"}[held]
        correction = None if held == "amplitude" else Correction(encoding=held, scale=1.0)
        yield self._say(code, found, f"{declared}, as declared", correction)

    def _reflectance(self, values: Values) -> Iterator[Finding]:
        low, high = np.percentile(values, (1, 99))
        whole = self._header.data_type.startswith(("int", "uint"))
        if not whole and self._raster.scale <= 0.01 and low > -0.3 and 0 < high < 2.5:
            found = f"{self._header.data_type} from {low:.3g} to {high:.3g}, declared with scale {self._raster.scale:g}"
            correction = Correction(scale=1.0, offset=0.0)
            yield self._say("scaled-reflectance", found, "digital numbers of that scale", correction)

    def _say(self, code: str, found: str, expected: str, correction: Correction | None = None) -> Finding:
        return Finding(
            code=code,
            thing=self._thing,
            layer=self._layer,
            href=self._raster.href,
            found=found,
            expected=expected,
            correction=correction,
        )


def valid_values(raster: RasterLayer, look: Look) -> Values:
    """The sample's values that neither record nor header calls nodata, NaN left out; one-dimensional."""
    values = look.values[np.isfinite(look.values)]
    for nodata in (*raster.nodata, look.header.nodata):
        if nodata is not None and not np.isnan(nodata):
            values = values[values != _as_held(nodata, look.header)]
    return values


def _as_held(nodata: float, header: FileHeader) -> float:
    """A nodata value as a file of float32 holds it."""
    return float(np.float32(nodata)) if header.data_type == "float32" else nodata


def without_fill(values: Values, fills: list[tuple[float, float]]) -> Values:
    """A sample without its fill values."""
    return values[~np.isin(values, [value for value, _ in fills])]


def _share_of(value: float, fills: list[tuple[float, float]]) -> float:
    return next((share for known, share in fills if known == value), 0.0)


def zero_filled(values: Mapping[str, Values]) -> float:
    """Share of pixels that are zero in every band of an optical scene; 0.0 where zeros do not mean fill.

    `values`: (y, x) samples of the same places. Reflectance that was cut off at zero is zero over dark water too, but
    in one band and not in the other; fill is zero in all of them.
    """
    zeros = [sample == 0 for sample in values.values()]
    if len(zeros) < 2:
        return 0.0
    together, anywhere = np.logical_and.reduce(zeros), np.logical_or.reduce(zeros)
    share = float(together.mean())
    return share if share >= FILL_SHARE and together.sum() >= ALL_BANDS * anywhere.sum() else 0.0


def check_offset(thing: str, dark: Mapping[str, float], applied: bool) -> list[Finding]:
    """The offset of a scene's reflectance, from the darkest percentile of each band; `applied`: one is declared."""
    if not dark:
        return []
    name, value = min(dark.items(), key=lambda item: item[1])
    told = f"{value:.3f} in the darkest percentile of the darkest band, {name}"
    if value < TOO_DARK:
        return [Finding(code="offset-suspect", thing=thing, found=f"{told}: applied twice?", expected="0 or above")]
    if not applied and TOO_BRIGHT[0] < value < TOO_BRIGHT[1]:
        return [Finding(code="offset-suspect", thing=thing, found=f"{told}: not applied?", expected="below 0.08")]
    return []
