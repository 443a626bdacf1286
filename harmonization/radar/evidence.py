"""What a radar look says about open water, flooded vegetation and dry land, in nats.

Each state is a mixture of classes by the land cover of the pixel; each class has its mean at the pixel's angle, its
spread, and the noise floor inside. Where the same sensor looked before the flood, the pixel's own past sharpens the dry
state: the pair (before, during) is judged at once, so change detection happens inside the likelihood and not beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Cover, Evidence, Float, RadarBundle
from harmonization.incidence import class_mean_valid
from harmonization.land_cover import LandCover
from harmonization.radar.channels import channels_of, filled
from harmonization.radar.class_lanes import BARE_LANE, GROUPS, LANE_NAMES, held_covers, log_shares
from harmonization.radar.class_tables import LANES, node_angles
from harmonization.radar.history import PixelHistory
from harmonization.radar.kernel import class_densities, weigh_one_look
from harmonization.radar.pair_kernel import weigh_two_looks
from harmonization.radar.pair_laws import (
    ENOUGH_DATES,
    FORMED,
    FORMS,
    LOG_CHANGE,
    MOST_LOOKS,
    flattening,
    law_planes,
    laws_of,
    log_grown,
    no_planes,
    own_planes,
)
from harmonization.radar.priors import polarization_weight
from harmonization.reasons import BLINDING, Reason
from harmonization.speckle import LOOKS_RANGE

KINDS = {1: True, 2: False}
"""Kinds of pixels, and whether their angle is known; 0 is not observed."""
DATES = (1, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32)
"""Looks before the flood that are told apart: what lies between counts as the lower."""
Codes = NDArray[np.uint8]


def weigh_radar(
    sensor: str,
    during: RadarBundle,
    before: RadarBundle | None = None,
    cover: Cover | None = None,
    history: PixelHistory | None = None,
    threads: int = 1,
) -> Evidence:
    """Evidence of one radar acquisition, with the pixel's own past where `before` saw it.

    Nats of open water : dry and flooded vegetation : dry, (2, y, x); 0 where not observed. `cover`: (y, x) codes of
    `LandCover`; None: the mixtures of no map. `history`: how many looks `before` is the mean of, and how they varied;
    None: it is one look. Pixels whose angle is unknown are marginalized over the mode's range and flagged; dark pixels
    that could be smooth dry ground too are flagged, and their evidence has a ceiling near zero; angles outside of 27 to
    48 degrees are flagged, and there the classes are the wider the farther out. `threads` share the pixels; the result
    is the same bytes for any number. Source of the method: Bauer-Marschallinger 2022 (RS 14(15):3673) for the Bayesian
    water decision, widened here to three states, any band, speckle, noise and land-cover mixtures.
    """
    kind = _kinds(during, threads)
    weighing = _Weighing(during, _codes(cover), threads)
    if before is None:
        weighing.single(kind)
    else:
        dates = _dates(before, history, kind)
        weighing.single(kind * (dates == 0))
        for count in np.unique(dates[dates > 0]):
            weighing.pair(before, history, int(count), kind * (dates == count))
    reasons = during.reasons | weighing.smooth.reshape(kind.shape) * np.uint16(Reason.SMOOTH_DRY)
    if (kind == 2).any():
        reasons |= (kind == 2) * np.uint16(Reason.UNKNOWN_ANGLE)
    outside = _outside_model(during)
    if outside.any():
        reasons |= ((kind == 1) & outside) * np.uint16(Reason.OUTSIDE_MODEL)
    # C band has next to nothing to say of a flooded stand; and without a past a whole town looks like one at L band.
    stand = during.cell if during.band == "L" and before is not None else 0
    llr = weighing.llr.reshape(2, *kind.shape)
    ceiling = weighing.ceiling.reshape(kind.shape) if weighing.holds.any() else None
    return Evidence(sensor, llr, kind > 0, reasons, during.time, during.cell, stand, ceiling)


def class_log_likelihoods(bundle: RadarBundle, names: tuple[str, ...]) -> dict[str, Float]:
    """ln p(intensity | class) of each class as (y, x), NaN where not observed: what the evidence is made of."""
    kind = _kinds(bundle)
    result: dict[str, Float] = {}
    for start in range(0, len(names), LANES):
        part = names[start : start + LANES]
        nats = np.full((len(part), kind.size), np.nan, dtype=np.float32)
        for wanted, known in KINDS.items():
            if (kind == wanted).any():
                look = (*channels_of(bundle, part, known), bundle.denoised)
                class_densities(look, len(part), kind.ravel(), wanted, kind.shape[1], 0, kind.shape[0], nats)
        result |= {name: values.reshape(kind.shape) for name, values in zip(part, nats, strict=True)}
    return result


class _Weighing:
    """One look being weighed: what all its pixels share, and where their evidence goes."""

    def __init__(self, during: RadarBundle, codes: Codes, threads: int) -> None:
        self.during, self.codes, self.threads = during, codes, threads
        self.holds = held_covers(during)
        size = during.reasons.size
        self.llr = np.zeros((2, size), dtype=np.float32)
        self.smooth = np.zeros(size, dtype=np.bool_)
        # Read and written only where a cover holds.
        self.ceiling = np.full(size if self.holds.any() else 1, np.inf, dtype=np.float32)

    def single(self, kind: Codes) -> None:
        """Weigh the pixels by this look alone."""
        for wanted, known in KINDS.items():
            if (kind == wanted).any():
                now = (*channels_of(self.during, LANE_NAMES, known, self.threads), self.during.denoised)
                fixed = (now, (GROUPS, BARE_LANE), log_shares(), self.holds, self.codes)
                self._run(weigh_one_look, (*fixed, kind.ravel(), wanted))

    def pair(self, before: RadarBundle, history: PixelHistory | None, dates: int, kind: Codes) -> None:
        """Weigh the pixels whose past is a mean of so many dates by both looks."""
        during = self.during
        past = replace(before, looks=min(before.looks * dates, LOOKS_RANGE[1]))
        names, others, looks = tuple(during.power), tuple(past.power), round(during.looks, 3)
        own = history is not None and dates >= ENOUGH_DATES and looks <= MOST_LOOKS
        laws = np.stack([laws_of(during, before, name, dates, own) for name in names])
        planes = filled(tuple(law_planes(one, looks) for one in laws)), own_planes(looks) if own else no_planes()
        weights = np.array([polarization_weight(name) for name in names], dtype=np.float32)
        partners = np.array([others.index(name) if name in others else -1 for name in names])
        spreads = filled(tuple(_spread(history, name, kind.size) for name in names))
        bends = np.stack([flattening(bundle, node_angles()) for bundle in (during, past)])
        memory = (*planes, laws, FORMS, weights, partners, spreads, bends)
        land = log_grown(), LOG_CHANGE
        fixed = memory, (GROUPS, FORMED, BARE_LANE), log_shares(), land, self.holds, self.codes
        for wanted, known in KINDS.items():
            if (kind == wanted).any():
                now = (*channels_of(during, LANE_NAMES, known, self.threads), during.denoised)
                then = (*channels_of(past, LANE_NAMES, known, self.threads), past.denoised)
                self._run(weigh_two_looks, (now, then, *fixed, kind.ravel(), wanted))

    def _run(self, kernel: Callable[..., None], shared: tuple[object, ...]) -> None:
        found = self.llr, self.smooth, self.ceiling
        lines, width = self.during.reasons.shape
        in_parts(lambda begin, end: kernel(*shared, width, begin, end, *found), lines, self.threads)


def in_parts(task: Callable[[int, int], None], size: int, threads: int) -> None:
    """Run a task over [begin, end) parts of `size` lines, several at once; a caller on a thread asks for one."""
    if threads == 1:
        task(0, size)
        return
    edges = np.linspace(0, size, 4 * threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(task, edges[:-1].tolist(), edges[1:].tolist()))


def _kinds(bundle: RadarBundle, threads: int = 1) -> Codes:
    """(y, x) 1 where seen with a known angle, 2 without, 0 where nothing is seen or something blinds."""
    kind = np.empty(bundle.reasons.shape, dtype=np.uint8)

    def some(begin: int, end: int) -> None:
        lines = slice(begin, end)
        floors = {name: np.broadcast_to(noise, kind.shape)[lines] for name, noise in bundle.noise.items()}
        told = (np.isfinite(power[lines]) & np.isfinite(floors[name]) for name, power in bundle.power.items())
        seen = reduce(np.logical_or, told) & ((bundle.reasons[lines] & np.uint16(BLINDING)) == 0)
        unknown = np.ones(seen.shape, np.bool_) if bundle.angle is None else ~np.isfinite(bundle.angle[lines])
        kind[lines] = seen.view(np.uint8) + (seen & unknown)

    in_parts(some, len(kind), threads)
    return kind


def _dates(before: RadarBundle, history: PixelHistory | None, kind: Codes) -> NDArray[np.uint8]:
    """(y, x) looks of the past that the pixel is judged with; 0 without one, or with one of the other kind of angle."""
    alike = (_kinds(before) == kind) & (kind > 0)
    if history is None:
        return np.asarray(alike, dtype=np.uint8)
    steps = np.array((0, *DATES), dtype=np.uint8)
    place = np.searchsorted(steps, history.count, side="right") - 1
    return np.asarray(steps[place] * alike, dtype=np.uint8)


def _codes(cover: Cover | None) -> Codes:
    """(pixel,) codes that the tables know, (1,) without a map; a code of no cover is "unknown"."""
    if cover is None:
        return np.zeros(1, dtype=np.uint8)
    return np.where(cover < len(LandCover), cover, 0).astype(np.uint8).ravel()


def _spread(history: PixelHistory | None, polarization: str, size: int) -> Float:
    """(pixel,) dB of a pixel's own change between dates; NaN where nothing is known of it, (1,) without a history."""
    if history is None:
        return np.full(1, np.nan, dtype=np.float32)
    if polarization not in history.spread:
        return np.full(size, np.nan, dtype=np.float32)
    return np.ascontiguousarray(history.spread[polarization], dtype=np.float32).ravel()


def _outside_model(bundle: RadarBundle) -> NDArray[np.bool_]:
    """(y, x) where the straight lines of the class means were not fitted."""
    if bundle.angle is None:
        return np.zeros(bundle.reasons.shape, dtype=np.bool_)
    return np.asarray(np.isfinite(bundle.angle) & ~class_mean_valid(bundle.angle))
