"""What a radar look says about open water, flooded vegetation and dry land, in nats.

Each state is a mixture of classes; each class has its mean at the pixel's angle, its spread, and the noise floor
inside. Where the same sensor looked before the flood, the pixel's own past sharpens the dry state: the pair
(before, during) is judged at once, so change detection happens inside the likelihood and not beside it.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Cover, Evidence, Float, RadarBundle
from harmonization.classes import STATES
from harmonization.radar_samples import (
    Samples,
    Vector,
    class_log_likelihood,
    class_prior,
    log_sum,
    mixture,
    polarization_weight,
    samples_of,
    table_of,
)
from harmonization.reasons import BLINDING, Reason
from harmonization.speckle import log_speckle_bias, log_speckle_std

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


def weigh_radar(
    sensor: str, during: RadarBundle, before: RadarBundle | None = None, cover: Cover | None = None
) -> Evidence:
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
            samples = samples_of(bundle, pixels, known)
            for name in names:
                result[name][pixels] = class_log_likelihood(samples, name)
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


def _weigh_pixels(
    during: RadarBundle, before: RadarBundle | None, pixels: NDArray[np.bool_], known: bool
) -> tuple[Float, NDArray[np.bool_]]:
    """(2, n) ratios and (n,) smooth-dry flags of the chosen pixels, with and without a past."""
    now = samples_of(during, pixels, known)
    past_seen = np.zeros(now.size, dtype=np.bool_)
    if before is not None:
        past_seen = (_usable(before) & (_angle_known(before) == known))[pixels]
    llr = np.empty((2, now.size), dtype=np.float32)
    smooth = np.empty(now.size, dtype=np.bool_)
    if not past_seen.all():
        llr[:, ~past_seen], smooth[~past_seen] = _single_look(now.take(~past_seen))
    if before is not None and past_seen.any():
        past = samples_of(before, pixels, known).take(past_seen)
        llr[:, past_seen], smooth[past_seen] = _two_looks(now.take(past_seen), past)
    return llr, smooth


def _single_look(now: Samples) -> tuple[Float, NDArray[np.bool_]]:
    dry_classes = {name: class_log_likelihood(now, name) for name in STATES["dry"]}
    water = mixture(now, STATES["open_water"])
    dry = log_sum([np.log(share) + dry_classes[name] for name, share in STATES["dry"].items()])
    vegetation = mixture(now, STATES["flooded_vegetation"])
    share = float(np.log(STATES["dry"]["bare_dry"]))
    return _ratios(now.bundle, water, vegetation, dry, dry_classes["bare_dry"], share)


def _two_looks(now: Samples, past: Samples) -> tuple[Float, NDArray[np.bool_]]:
    """Joint evidence of the pair: which class the pixel was tells what its dry and its flooded form look like now."""
    shares = STATES["dry"]
    was = {name: np.log(share) + class_log_likelihood(past, name) for name, share in shares.items()}
    stays = {name: _dry_again(now, past, name) for name in shares}
    dry_before = log_sum(list(was.values()))
    water_before = mixture(past, STATES["open_water"])
    water_now = mixture(now, STATES["open_water"])
    single_dry = mixture(now, shares)
    dry = np.logaddexp(
        np.log1p(-DRAINED) + log_sum([was[name] + stays[name] for name in shares]),
        np.log(DRAINED) + water_before + single_dry,
    )
    water = water_now + np.logaddexp(np.log1p(-WATER_BEFORE) + dry_before, np.log(WATER_BEFORE) + water_before)
    grown = sum(shares[name] for name in FLOODED_FORM)
    vegetation = log_sum(
        [was[name] - np.log(grown) + _flooded_now(now, past, name, form) for name, form in FLOODED_FORM.items()]
    )
    share = float(np.log(shares["bare_dry"]))
    return _ratios(now.bundle, water, vegetation, dry, was["bare_dry"] - share + stays["bare_dry"], share)


def _ratios(
    bundle: RadarBundle, water: Vector, vegetation: Vector, dry: Vector, bare: Vector, log_share: float
) -> tuple[Float, NDArray[np.bool_]]:
    """(2, n) ratios against dry, and the dark pixels that water and smooth dry ground explain alike.

    Where a channel cannot part the two (L-HH), only the share of smooth ground could decide, and no radar knows it:
    positive evidence is held to what water has over smooth ground alone.
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
        water, bare = (class_prior(bundle, polarization, name) for name in ("open_water", "bare_dry"))
        spread = water.std**2 + bare.std**2
        root = np.sqrt(2.0 * water.std * bare.std / spread)
        coefficients.append(float(root * np.exp(-0.25 * (water.mean - bare.mean) ** 2 / spread)))
    return min(coefficients) < OVERLAP


def _dry_again(now: Samples, past: Samples, name: str) -> Vector:
    """ln p(now | dry before and now, class, the pixel's own past level): the past shrunk to the class mean."""
    return _after(now, past, name, name, TEMPORAL_STD[name])


def _flooded_now(now: Samples, past: Samples, name: str, form: str) -> Vector:
    """ln p(now | flooded form of a dry class): a stand brighter than its class when dry is so when flooded."""
    if name not in ENHANCEMENT_STD:
        return class_log_likelihood(now, form)
    return _after(now, past, name, form, ENHANCEMENT_STD[name])


def _after(now: Samples, past: Samples, name: str, form: str, change_std: float) -> Vector:
    """ln p(now) under a class that kept this pixel's past offset from the mean of the class that it was."""
    total = np.zeros(now.size, dtype=np.float32)
    for polarization, level in now.level.items():
        prior = class_prior(now.bundle, polarization, form)
        mean = now.mean(prior)
        nats = table_of(now.bundle, polarization, prior, prior.std)(level, mean)
        if polarization in past.signal:
            shift, left = _remembered(past, polarization, name)
            table = table_of(now.bundle, polarization, prior, float(np.hypot(left, change_std)))
            nats = np.where(np.isfinite(shift), table(level, mean + np.nan_to_num(shift)), nats)
        total += polarization_weight(polarization) * np.nan_to_num(nats, nan=0.0)
    return total


def _remembered(past: Samples, polarization: str, name: str) -> tuple[Vector, float]:
    """By how many dB this pixel lies off its class mean, as far as one past look can tell, and what is left unknown.

    Normal shrinkage: K = s²/(s² + v), v the speckle of the past look; left sqrt(s²·(1 - K)). NaN where the noise hid
    the past signal.
    """
    prior = class_prior(past.bundle, polarization, name)
    expected = past.mean(prior) + np.float32(log_speckle_bias(past.bundle.looks))
    speckle = log_speckle_std(past.bundle.looks) ** 2
    gain = prior.std**2 / (prior.std**2 + speckle)
    off = np.clip(past.signal[polarization] - expected, -3 * prior.std, 3 * prior.std)
    return (gain * off).astype(np.float32), prior.std * float(np.sqrt(1.0 - gain))
