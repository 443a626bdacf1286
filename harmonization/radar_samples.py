"""Pixels of a radar look as vectors, and how likely they are under one class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Float, RadarBundle
from harmonization.classes import BACKSCATTER, REFERENCE_ANGLE, Backscatter
from harmonization.incidence import angle_nodes, class_mean
from harmonization.likelihood import LikelihoodTable, likelihood_table

Vector = NDArray[np.float32]

CROSS_POLAR_WEIGHT = 0.5
"""Co- and cross-polar power share wind and moisture: counting both in full would count these twice."""
_FLOOR_DB = -60.0


@dataclass(frozen=True, eq=False)
class Samples:
    """Observed pixels of one bundle as vectors, with all that a table needs."""

    level: Mapping[str, Vector]
    """By polarization: intensity with its noise, dB."""
    signal: Mapping[str, Vector]
    """By polarization: intensity without noise, dB; NaN where the noise hides it."""
    angle: Vector | None
    """Degrees; None: marginalize."""
    flattening: Vector | None
    """dB from sigma0 to the quantity at that angle, the same for every class; None as `angle`."""
    bundle: RadarBundle

    def take(self, keep: NDArray[np.bool_]) -> Samples:
        """The samples of some pixels."""
        level = {name: values[keep] for name, values in self.level.items()}
        signal = {name: values[keep] for name, values in self.signal.items()}
        angle = None if self.angle is None else self.angle[keep]
        flattening = None if self.flattening is None else self.flattening[keep]
        return Samples(level, signal, angle, flattening, self.bundle)

    def mean(self, prior: Backscatter) -> Vector:
        """Mean level of a class at each pixel, dB; at the middle of the mode's range where the angle is unknown."""
        if self.angle is None or self.flattening is None:
            middle = class_mean(prior, np.mean(self.bundle.angle_range), self.bundle.quantity)
            return np.full(self.size, middle, dtype=np.float32)
        slope = np.float32(prior.slope)
        return self.flattening + slope * (self.angle - np.float32(REFERENCE_ANGLE)) + np.float32(prior.mean)

    @property
    def size(self) -> int:
        """Pixels."""
        return next(iter(self.level.values())).size


def samples_of(bundle: RadarBundle, pixels: NDArray[np.bool_], known: bool) -> Samples:
    """The samples of some pixels of a bundle, (y, x) mask; `known`: whether their angles are."""
    levels, signals = {}, {}
    for polarization, power in bundle.power.items():
        noise = _at(bundle.noise[polarization], pixels)
        value = power[pixels].astype(np.float64)
        raw = value + noise if bundle.denoised else value
        with np.errstate(invalid="ignore", divide="ignore"):
            levels[polarization] = np.where(
                raw > 0, 10 * np.log10(np.maximum(raw, 1e-6)), np.where(np.isnan(raw), np.nan, _FLOOR_DB)
            ).astype(np.float32)
            clear = raw > 2.0 * noise
            signals[polarization] = np.where(clear, 10 * np.log10(np.where(clear, raw - noise, 1.0)), np.nan).astype(
                np.float32
            )
    angle = bundle.angle[pixels] if known and bundle.angle is not None else None
    return Samples(levels, signals, angle, None if angle is None else _flattening(angle, bundle), bundle)


def _at(noise: Float | float, pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Noise of some pixels; a single value stays one."""
    values = np.asarray(noise, dtype=np.float64)
    return values[pixels] if values.ndim else values


def _flattening(angle: Vector, bundle: RadarBundle) -> Vector:
    if bundle.quantity == "sigma0":
        return np.zeros_like(angle)
    return np.asarray(-10.0 * np.log10(np.cos(np.deg2rad(angle))), dtype=np.float32)


def mixture(samples: Samples, shares: Mapping[str, float]) -> Vector:
    """ln p under a mixture of classes by their shares, (n,) nats."""
    return log_sum([np.log(share) + class_log_likelihood(samples, name) for name, share in shares.items()])


def log_sum(terms: list[Vector]) -> Vector:
    """ln of the sum of exponentials, term by term."""
    return np.asarray(reduce(np.logaddexp, terms), dtype=np.float32)


def class_log_likelihood(samples: Samples, name: str) -> Vector:
    """ln p of all polarizations under one class; an unknown angle is marginalized over the mode's range."""
    if samples.angle is not None:
        return _at_mean(samples, name, None)
    nodes, weights = angle_nodes(samples.bundle.angle_range)
    pairs = zip(nodes, weights, strict=True)
    return log_sum([np.float32(np.log(weight)) + _at_mean(samples, name, float(node)) for node, weight in pairs])


def _at_mean(samples: Samples, name: str, angle: float | None) -> Vector:
    """ln p at the pixels' own angles, or at one angle for all."""
    total = np.zeros(samples.size, dtype=np.float32)
    for polarization, level in samples.level.items():
        prior = class_prior(samples.bundle, polarization, name)
        if angle is None:
            mean = samples.mean(prior)
        else:
            mean = np.full(samples.size, class_mean(prior, angle, samples.bundle.quantity), dtype=np.float32)
        table = table_of(samples.bundle, polarization, prior, prior.std)
        total += polarization_weight(polarization) * np.nan_to_num(table(level, mean), nan=0.0)
    return total


def class_prior(bundle: RadarBundle, polarization: str, name: str) -> Backscatter:
    """Class prior of a channel; single-pol modes of the other kind borrow the closest channel of the band."""
    channel = {"C-HH": "C-VV", "C-HV": "C-VH", "L-VV": "L-HH", "L-VH": "L-HV"}
    key = f"{bundle.band}-{polarization}"
    if name in bundle.priors.get(polarization, {}):
        return bundle.priors[polarization][name]
    return BACKSCATTER[name][channel.get(key, key)]


def polarization_weight(polarization: str) -> float:
    """How far a polarization counts."""
    return 1.0 if polarization in ("VV", "HH") else CROSS_POLAR_WEIGHT


def table_of(bundle: RadarBundle, polarization: str, prior: Backscatter, std: float) -> LikelihoodTable:
    """The table whose means cover every angle of the mode and every remembered offset."""
    edges = class_mean(prior, np.asarray(bundle.angle_range), bundle.quantity)
    reach = 0.0 if std == prior.std else 8.0
    span = (float(edges.min()) - reach - 2.0, float(edges.max()) + reach + 2.0)
    noise = float(np.nanmedian(bundle.noise[polarization]))
    if np.ndim(bundle.noise[polarization]):
        noise = float(f"{noise:.1g}")  # coarse, so that units agree
    return likelihood_table(std, bundle.looks, noise, span)
