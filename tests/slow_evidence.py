"""The radar evidence written down pixel by pixel and class by class, with the integral itself: slow and plain."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from harmonization.bundle import RadarBundle
from harmonization.incidence import angle_nodes, class_mean
from harmonization.land_cover import LandCover, shares
from harmonization.radar.class_lanes import held_covers
from harmonization.radar.class_tables import spread
from harmonization.radar.history import PixelHistory
from harmonization.radar.likelihood import log_density
from harmonization.radar.pair_laws import (
    DRAINED,
    ENHANCEMENT_STD,
    ENOUGH_DATES,
    FLOODED_FORM,
    SPREAD_DATES,
    TEMPORAL_STD,
    WATER_BEFORE,
)
from harmonization.radar.priors import class_prior, polarization_weight
from harmonization.speckle import log_speckle_bias, log_speckle_std

FLOOR = 2.0**-12
"""Intensity over noise below which every intensity is read as this."""


class Sample:
    """One pixel of one bundle."""

    def __init__(self, bundle: RadarBundle, at: tuple[int, int]) -> None:
        self.bundle = bundle
        self.raw, self.noise = {}, {}
        for name, power in bundle.power.items():
            noise = np.asarray(bundle.noise[name], dtype=np.float64)
            level = float(noise[at] if noise.ndim else noise)
            value = float(power[at]) + (level if bundle.denoised else 0.0)
            if math.isfinite(value) and math.isfinite(level):
                self.raw[name], self.noise[name] = max(value, FLOOR * level), level
        angle = math.nan if bundle.angle is None else float(bundle.angle[at])
        self.known = math.isfinite(angle)
        self.angle = angle if self.known else float(np.mean(bundle.angle_range))

    def mean(self, polarization: str, name: str, angle: float) -> float:
        return float(class_mean(class_prior(self.bundle, polarization, name), angle, self.bundle.quantity))

    def alone(self, polarization: str, name: str, angle: float) -> float:
        """ln p of one polarization under a class at an angle, times its weight."""
        std = spread(class_prior(self.bundle, polarization, name), angle)
        mean = self.mean(polarization, name, angle)
        nats = log_density(self.raw[polarization], mean, std, self.bundle.looks, self.noise[polarization])
        return polarization_weight(polarization) * nats

    def density(self, name: str) -> float:
        """ln p of all polarizations under a class."""
        nodes, weights = angle_nodes(self.bundle.angle_range) if not self.known else ([self.angle], [1.0])
        terms = [
            math.log(w) + sum(self.alone(p, name, a) for p in self.raw) for a, w in zip(nodes, weights, strict=True)
        ]
        return float(logsumexp(terms))

    def mixture(self, state: str, cover: LandCover) -> float:
        return float(logsumexp([math.log(s) + self.density(name) for name, s in shares(state, cover).items()]))


Told = tuple[float, float, bool, float]
"""Nats for open water and for flooded vegetation, the smooth-dry flag, and the held nats for open water."""


def ratios(water: float, vegetation: float, dry: float, bare: float, share: float, hold: bool) -> Told:
    ratio = water - dry
    alike = abs(ratio) < 2.0 and bare + math.log(share) > dry - math.log(2.0)
    held = min(ratio, max(water - bare, 0.0)) if hold else ratio
    return ratio, vegetation - dry, alike or ratio - held > 0.05, held


def one_look(during: RadarBundle, at: tuple[int, int], cover: LandCover = LandCover.UNKNOWN) -> Told:
    """What one look says of one pixel."""
    now = Sample(during, at)
    water, vegetation, dry = (now.mixture(state, cover) for state in ("open_water", "flooded_vegetation", "dry"))
    share = shares("dry", cover)["bare_dry"]
    return ratios(water, vegetation, dry, now.density("bare_dry"), share, bool(held_covers(during)[cover]))


def after(
    now: Sample, past: Sample, was: str, form: str, dates: int, at: tuple[int, int], history: PixelHistory | None
) -> float:
    """ln p of the later look, of a pixel that keeps its past offset from the class that it was."""
    total = 0.0
    for polarization in now.raw:
        raw, noise = past.raw.get(polarization, math.nan), past.noise.get(polarization, math.nan)
        if not raw > 2.0 * noise:
            total += now.alone(polarization, form, now.angle)
            continue
        std = class_prior(past.bundle, polarization, was).std
        looks = past.bundle.looks * dates
        speckle = log_speckle_std(looks) ** 2
        gain = std**2 / (std**2 + speckle)
        expected = past.mean(polarization, was, past.angle) + log_speckle_bias(looks)
        off = float(np.clip(10 * math.log10(raw - noise) - expected, -3 * std, 3 * std))
        change = TEMPORAL_STD[was] ** 2 if form == was else ENHANCEMENT_STD[was] ** 2
        if form == was and history is not None and dates >= ENOUGH_DATES:
            own = float(history.spread[polarization][at])
            weight = dates / (dates + SPREAD_DATES)
            change = (1.0 - weight) * change + weight * own**2 * (1.0 + 1.0 / dates)
        mean = now.mean(polarization, form, now.angle) + gain * off
        left = math.sqrt(std**2 * (1.0 - gain) + change)
        nats = log_density(now.raw[polarization], mean, left, now.bundle.looks, now.noise[polarization])
        total += polarization_weight(polarization) * nats
    return total


def two_looks(
    during: RadarBundle,
    before: RadarBundle,
    at: tuple[int, int],
    cover: LandCover = LandCover.UNKNOWN,
    history: PixelHistory | None = None,
) -> Told:
    """The same of a pair."""
    now, past = Sample(during, at), Sample(before, at)
    dates = 1 if history is None else int(history.count[at])
    dry_shares = shares("dry", cover)
    many = RadarBundle(**{**vars(before), "looks": before.looks * dates})
    then = Sample(many, at)
    was = {name: math.log(share) + then.density(name) for name, share in dry_shares.items()}
    stays = {name: after(now, past, name, name, dates, at, history) for name in dry_shares}
    water_before, dry_before = then.mixture("open_water", cover), float(logsumexp(list(was.values())))
    dry = float(
        logsumexp(
            [
                math.log1p(-DRAINED) + logsumexp([was[name] + stays[name] for name in was]),
                math.log(DRAINED) + water_before + now.mixture("dry", cover),
            ]
        )
    )
    water = now.mixture("open_water", cover) + float(
        logsumexp([math.log1p(-WATER_BEFORE) + dry_before, math.log(WATER_BEFORE) + water_before])
    )
    grown = math.log(sum(dry_shares[name] for name in FLOODED_FORM))
    flooded = {
        name: after(now, past, name, form, dates, at, history) if name in ENHANCEMENT_STD else now.density(form)
        for name, form in FLOODED_FORM.items()
    }
    vegetation = float(logsumexp([was[name] - grown + flooded[name] for name in FLOODED_FORM]))
    share = dry_shares["bare_dry"]
    bare = was["bare_dry"] - math.log(share) + stays["bare_dry"]
    return ratios(water, vegetation, dry, bare, share, bool(held_covers(during)[cover]))


def compared(got: NDArray[np.float32], want: list[Told]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(2, n) nats found, and expected."""
    return got.reshape(2, -1).astype(np.float64), np.array([[w[0] for w in want], [w[1] for w in want]])
