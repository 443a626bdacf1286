"""What a radar look says about open water, flooded vegetation and dry land, in nats.

Each state is a mixture of classes; each class has its mean at the pixel's angle, its spread, and the noise floor
inside. Where the same sensor looked before the flood, the pixel's own past sharpens the dry state: the pair
(before, during) is judged at once, so change detection happens inside the likelihood and not beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Evidence, Float, RadarBundle
from harmonization.classes import BACKSCATTER, REFERENCE_ANGLE, STATES, Backscatter
from harmonization.incidence import angle_nodes, class_mean
from harmonization.likelihood import LikelihoodTable, likelihood_table
from harmonization.reasons import BLINDING, Reason
from harmonization.speckle import log_speckle_bias, log_speckle_std

CROSS_POLAR_WEIGHT = 0.5
"""Co- and cross-polar power share wind and moisture: counting both in full would count these twice."""
TEMPORAL_STD = {"bare_dry": 2.5, "bare_wet": 2.5, "bare_rough_wet": 2.5, "grass_crop": 1.5, "forest": 0.7, "urban": 0.7}
"""dB by which dry land of a class changes between two dates: moisture, growth [M]."""
ENHANCEMENT_STD = {"forest": 1.5}
"""dB by which the double bounce under one stand differs from the mean of its class: 2 to 3.3 dB at L-HH by depth of
the canopy [C], 3 to 10 dB published (Hess 1990). Classes left out keep no memory of their dry level."""
FLOODED_FORM = {"forest": "flooded_forest", "grass_crop": "flooded_marsh"}
"""What a vegetated class becomes with water under its canopy; the other classes drown and are open water."""
WATER_BEFORE = 0.3
"""Share of the water of a flood scene that was water before [M]."""
DRAINED = 0.01
"""Share of the dry land that was water before [M]: receding lakes, tides."""
OVERLAP = 0.8
"""Bhattacharyya coefficient of two priors above which a channel cannot part them: C-VV has 0.49, L-HH 0.96."""
_FLOOR_DB = -60.0

Vector = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Samples:
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

    def take(self, keep: NDArray[np.bool_]) -> _Samples:
        """The samples of some pixels."""
        level = {name: values[keep] for name, values in self.level.items()}
        signal = {name: values[keep] for name, values in self.signal.items()}
        angle = None if self.angle is None else self.angle[keep]
        flattening = None if self.flattening is None else self.flattening[keep]
        return _Samples(level, signal, angle, flattening, self.bundle)

    def mean(self, prior: Backscatter) -> Vector:
        """Mean level of a class at each pixel, dB; at the middle of the mode's range where the angle is unknown."""
        if self.angle is None or self.flattening is None:
            middle = class_mean(prior, np.mean(self.bundle.angle_range), self.bundle.quantity)
            return np.full(self.size, middle, dtype=np.float32)
        slope = np.float32(prior.slope)
        return self.flattening + slope * (self.angle - np.float32(REFERENCE_ANGLE)) + np.float32(prior.mean)

    @property
    def size(self) -> int:
        return next(iter(self.level.values())).size


def weigh_radar(sensor: str, during: RadarBundle, before: RadarBundle | None = None) -> Evidence:
    """Evidence of one radar acquisition, with the pixel's own past where `before` saw it.

    Nats of open water : dry and flooded vegetation : dry, (2, y, x); 0 where not observed. Pixels whose angle is
    unknown are marginalized over the mode's range and flagged; dark pixels that could be smooth dry ground too are
    flagged and carry evidence near zero. Source of the method: Bauer-Marschallinger 2022 (RS 14(15):3673) for the
    Bayesian water decision, widened here to three states, any band, speckle, noise and land-cover mixtures.
    """
    usable = _usable(during)
    reasons = during.reasons.copy()
    llr = np.zeros((2, *usable.shape), dtype=np.float32)
    for known in (True, False):
        pixels = usable & (_angle_known(during) == known)
        if not pixels.any():
            continue
        llr[:, pixels], smooth = _weigh_pixels(during, before, pixels, known)
        reasons[pixels] |= np.where(smooth, np.uint16(Reason.SMOOTH_DRY), np.uint16(0))
        if not known:
            reasons[pixels] |= np.uint16(Reason.UNKNOWN_ANGLE)
    # C band has next to nothing to say of a flooded stand; and without a past a whole town looks like one at L band.
    stand = during.cell if during.band == "L" and before is not None else 0
    return Evidence(sensor, llr, usable, reasons, during.time, during.cell, stand)


def class_log_likelihoods(bundle: RadarBundle, names: tuple[str, ...]) -> dict[str, Float]:
    """ln p(intensity | class) of each class as (y, x), NaN where not observed: what the evidence is made of."""
    usable = _usable(bundle)
    result = {name: np.full(usable.shape, np.nan, dtype=np.float32) for name in names}
    for known in (True, False):
        pixels = usable & (_angle_known(bundle) == known)
        if pixels.any():
            samples = _samples(bundle, pixels, known)
            for name in names:
                result[name][pixels] = _class_log_likelihood(samples, name)
    return result


def _usable(bundle: RadarBundle) -> NDArray[np.bool_]:
    """Pixels with at least one polarization seen and nothing that blinds."""
    seen = reduce(np.logical_or, (np.isfinite(power) for power in bundle.power.values()))
    usable: NDArray[np.bool_] = seen & ((bundle.reasons & np.uint16(BLINDING)) == 0)
    return usable


def _angle_known(bundle: RadarBundle) -> NDArray[np.bool_]:
    if bundle.angle is None:
        return np.zeros(bundle.reasons.shape, dtype=np.bool_)
    return np.isfinite(bundle.angle)


def _samples(bundle: RadarBundle, pixels: NDArray[np.bool_], known: bool) -> _Samples:
    levels, signals = {}, {}
    for polarization, power in bundle.power.items():
        noise = bundle.noise[polarization]
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
    return _Samples(levels, signals, angle, None if angle is None else _flattening(angle, bundle), bundle)


def _flattening(angle: Vector, bundle: RadarBundle) -> Vector:
    if bundle.quantity == "sigma0":
        return np.zeros_like(angle)
    return np.asarray(-10.0 * np.log10(np.cos(np.deg2rad(angle))), dtype=np.float32)


def _weigh_pixels(
    during: RadarBundle, before: RadarBundle | None, pixels: NDArray[np.bool_], known: bool
) -> tuple[Float, NDArray[np.bool_]]:
    """(2, n) ratios and (n,) smooth-dry flags of the chosen pixels, with and without a past."""
    now = _samples(during, pixels, known)
    past_seen = np.zeros(now.size, dtype=np.bool_)
    if before is not None:
        past_seen = (_usable(before) & (_angle_known(before) == known))[pixels]
    llr = np.empty((2, now.size), dtype=np.float32)
    smooth = np.empty(now.size, dtype=np.bool_)
    if not past_seen.all():
        llr[:, ~past_seen], smooth[~past_seen] = _single_look(now.take(~past_seen))
    if before is not None and past_seen.any():
        past = _samples(before, pixels, known).take(past_seen)
        llr[:, past_seen], smooth[past_seen] = _two_looks(now.take(past_seen), past)
    return llr, smooth


def _single_look(now: _Samples) -> tuple[Float, NDArray[np.bool_]]:
    dry_classes = {name: _class_log_likelihood(now, name) for name in STATES["dry"]}
    water = _mixture(now, STATES["open_water"])
    dry = _log_sum([np.log(share) + dry_classes[name] for name, share in STATES["dry"].items()])
    vegetation = _mixture(now, STATES["flooded_vegetation"])
    share = float(np.log(STATES["dry"]["bare_dry"]))
    return _ratios(now.bundle, water, vegetation, dry, dry_classes["bare_dry"], share)


def _two_looks(now: _Samples, past: _Samples) -> tuple[Float, NDArray[np.bool_]]:
    """Joint evidence of the pair: which class the pixel was tells what its dry and its flooded form look like now."""
    shares = STATES["dry"]
    was = {name: np.log(share) + _class_log_likelihood(past, name) for name, share in shares.items()}
    stays = {name: _dry_again(now, past, name) for name in shares}
    dry_before = _log_sum(list(was.values()))
    water_before = _mixture(past, STATES["open_water"])
    water_now = _mixture(now, STATES["open_water"])
    single_dry = _mixture(now, shares)
    dry = np.logaddexp(
        np.log1p(-DRAINED) + _log_sum([was[name] + stays[name] for name in shares]),
        np.log(DRAINED) + water_before + single_dry,
    )
    water = water_now + np.logaddexp(np.log1p(-WATER_BEFORE) + dry_before, np.log(WATER_BEFORE) + water_before)
    grown = sum(shares[name] for name in FLOODED_FORM)
    vegetation = _log_sum(
        [was[name] - np.log(grown) + _flooded_now(now, past, name, form) for name, form in FLOODED_FORM.items()]
    )
    share = float(np.log(shares["bare_dry"]))
    return _ratios(now.bundle, water, vegetation, dry, was["bare_dry"] - share + stays["bare_dry"], share)


def _ratios(
    bundle: RadarBundle, water: Vector, vegetation: Vector, dry: Vector, bare: Vector, log_share: float
) -> tuple[Float, NDArray[np.bool_]]:
    """(2, n) ratios against dry, and the dark pixels that water and smooth dry ground explain alike.

    Where a channel cannot part the two (L-HH), only the share of smooth ground could decide, and no radar knows it:
    positive evidence is held to what water has over smooth ground alone (physics.md section 2: "near 0, not positive").
    """
    ratio = water - dry
    alike: NDArray[np.bool_] = (np.abs(ratio) < 2.0) & (bare + log_share > dry + np.log(0.5))
    if _parts_water_from_smooth_ground(bundle):
        return np.stack([ratio, vegetation - dry]).astype(np.float32), alike
    held = np.minimum(ratio, np.maximum(water - bare, 0.0))
    return np.stack([held, vegetation - dry]).astype(np.float32), alike | (ratio - held > 0.05)


def _parts_water_from_smooth_ground(bundle: RadarBundle) -> bool:
    """Whether some polarization keeps the two priors apart: Bhattacharyya coefficient below `OVERLAP`."""
    coefficients = []
    for polarization in bundle.power:
        water, bare = (_prior(bundle, polarization, name) for name in ("open_water", "bare_dry"))
        spread = water.std**2 + bare.std**2
        root = np.sqrt(2.0 * water.std * bare.std / spread)
        coefficients.append(float(root * np.exp(-0.25 * (water.mean - bare.mean) ** 2 / spread)))
    return min(coefficients) < OVERLAP


def _mixture(samples: _Samples, shares: Mapping[str, float]) -> Vector:
    return _log_sum([np.log(share) + _class_log_likelihood(samples, name) for name, share in shares.items()])


def _log_sum(terms: list[Vector]) -> Vector:
    return np.asarray(reduce(np.logaddexp, terms), dtype=np.float32)


def _class_log_likelihood(samples: _Samples, name: str) -> Vector:
    """ln p of all polarizations under one class; an unknown angle is marginalized over the mode's range."""
    if samples.angle is not None:
        return _at_mean(samples, name, None)
    nodes, weights = angle_nodes(samples.bundle.angle_range)
    pairs = zip(nodes, weights, strict=True)
    return _log_sum([np.float32(np.log(weight)) + _at_mean(samples, name, float(node)) for node, weight in pairs])


def _at_mean(samples: _Samples, name: str, angle: float | None) -> Vector:
    """ln p at the pixels' own angles, or at one angle for all."""
    total = np.zeros(samples.size, dtype=np.float32)
    for polarization, level in samples.level.items():
        prior = _prior(samples.bundle, polarization, name)
        if angle is None:
            mean = samples.mean(prior)
        else:
            mean = np.full(samples.size, class_mean(prior, angle, samples.bundle.quantity), dtype=np.float32)
        table = _table(samples.bundle, polarization, prior, prior.std)
        total += _weight(polarization) * np.nan_to_num(table(level, mean), nan=0.0)
    return total


def _dry_again(now: _Samples, past: _Samples, name: str) -> Vector:
    """ln p(now | dry before and now, class, the pixel's own past level): the past shrunk to the class mean."""
    return _after(now, past, name, name, TEMPORAL_STD[name])


def _flooded_now(now: _Samples, past: _Samples, name: str, form: str) -> Vector:
    """ln p(now | flooded form of a dry class): a stand brighter than its class when dry is so when flooded."""
    if name not in ENHANCEMENT_STD:
        return _class_log_likelihood(now, form)
    return _after(now, past, name, form, ENHANCEMENT_STD[name])


def _after(now: _Samples, past: _Samples, name: str, form: str, change_std: float) -> Vector:
    """ln p(now) under a class that kept this pixel's past offset from the mean of the class that it was."""
    total = np.zeros(now.size, dtype=np.float32)
    for polarization, level in now.level.items():
        prior = _prior(now.bundle, polarization, form)
        mean = now.mean(prior)
        nats = _table(now.bundle, polarization, prior, prior.std)(level, mean)
        if polarization in past.signal:
            shift, left = _remembered(past, polarization, name)
            table = _table(now.bundle, polarization, prior, float(np.hypot(left, change_std)))
            nats = np.where(np.isfinite(shift), table(level, mean + np.nan_to_num(shift)), nats)
        total += _weight(polarization) * np.nan_to_num(nats, nan=0.0)
    return total


def _remembered(past: _Samples, polarization: str, name: str) -> tuple[Vector, float]:
    """By how many dB this pixel lies off its class mean, as far as one past look can tell, and what is left unknown.

    Normal shrinkage: K = s²/(s² + v), v the speckle of the past look; left sqrt(s²·(1 - K)). NaN where the noise hid
    the past signal.
    """
    prior = _prior(past.bundle, polarization, name)
    expected = past.mean(prior) + np.float32(log_speckle_bias(past.bundle.looks))
    speckle = log_speckle_std(past.bundle.looks) ** 2
    gain = prior.std**2 / (prior.std**2 + speckle)
    off = np.clip(past.signal[polarization] - expected, -3 * prior.std, 3 * prior.std)
    return (gain * off).astype(np.float32), prior.std * float(np.sqrt(1.0 - gain))


def _prior(bundle: RadarBundle, polarization: str, name: str) -> Backscatter:
    """Class prior of a channel; single-pol modes of the other kind borrow the closest channel of the band."""
    channel = {"C-HH": "C-VV", "C-HV": "C-VH", "L-VV": "L-HH", "L-VH": "L-HV"}
    key = f"{bundle.band}-{polarization}"
    return BACKSCATTER[name][channel.get(key, key)]


def _weight(polarization: str) -> float:
    return 1.0 if polarization in ("VV", "HH") else CROSS_POLAR_WEIGHT


def _table(bundle: RadarBundle, polarization: str, prior: Backscatter, std: float) -> LikelihoodTable:
    """The table whose means cover every angle of the mode and every remembered offset."""
    edges = class_mean(prior, np.asarray(bundle.angle_range), bundle.quantity)
    reach = 0.0 if std == prior.std else 8.0
    span = (float(edges.min()) - reach - 2.0, float(edges.max()) + reach + 2.0)
    return likelihood_table(std, bundle.looks, bundle.noise[polarization], span)
