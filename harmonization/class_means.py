"""Open water as a scene shows it: its mean and spread moved from the class table towards the scene's own dark modes.

Wind of the day moves all of a scene's water together: inland water at C-VV by some 3 dB about the class table. Where
tiles of the scene are truly bimodal, their lower modes tell where it stands (empirical Bayes; reference note,
section 8). Dry land stays as the table has it: the upper mode of a tile beside water is whatever grows there, and a
difference to the mean of the mixture speaks of land cover and not of the scene (docs/physics.md, section 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harmonization.bimodality import BimodalTiles
from harmonization.bundle import RadarBundle, copolar
from harmonization.calibration import decibel, power_from_decibel
from harmonization.classes import OVERLAP, Backscatter, overlap
from harmonization.incidence import class_mean
from harmonization.radar.priors import class_prior
from harmonization.reasons import BLINDING
from harmonization.speckle import log_speckle_bias, log_speckle_std

Real = NDArray[np.float64]

WATER = "open_water"
ENOUGH = 500.0
"""Independent samples that weigh as much as the class table: shrinkage n/(n + 500) (reference note, section 8 [M])."""
FARTHEST = 2.0
"""Standard deviations of the table by which a scene may move a mean: beyond, the mode is of something else."""
NARROWEST = 0.6
"""Share of the table's spread that stays at least: tiles that pass the gate show the calmer part of the water [C]."""
FAINTEST = 0.25
"""Share of the noise floor below which a mean signal is not told from none."""


@dataclass(frozen=True)
class SeenWater:
    """What the lower modes of a scene's bimodal tiles say of open water in one polarization."""

    mean: float
    """sigma0 in dB at the reference angle, noise and the bias of speckle taken off."""
    spread: float
    """dB within and between tiles, speckle taken off."""
    samples: float
    """Independent ones: pixels over those of a resolution cell."""


def power_level(bundle: RadarBundle, polarization: str) -> Real:
    """(y, x) dB of the power as delivered; NaN where not observed, blinded (layover, shadow) or not above zero."""
    return _level(bundle, bundle.power[polarization])


def intensity_level(bundle: RadarBundle, polarization: str) -> Real:
    """(y, x) dB of the intensity with its noise inside; NaN as in `power_level`."""
    noise = np.asarray(bundle.noise[polarization]) if bundle.denoised else 0.0
    return _level(bundle, bundle.power[polarization] + noise)


def _level(bundle: RadarBundle, power: NDArray[np.floating]) -> Real:
    return decibel(np.where((bundle.reasons & np.uint16(BLINDING)) == 0, power, np.nan))


def water_priors(bundles: Sequence[RadarBundle], tiles: BimodalTiles) -> dict[str, Backscatter]:
    """By polarization, open water as the windows of one scene show it; only where they do.

    `bundles`: windows of one scene, the images in whose co-polar `intensity_level` the `tiles` were found. Without
    tiles, and in channels whose class table does not tell water from smooth dry soil (L band), nothing is said: the
    dark mode could be either, and the table stands.
    """
    found: dict[str, Backscatter] = {}
    for polarization in bundles[0].power if len(tiles) else ():
        prior = class_prior(bundles[0], polarization, WATER)
        if overlap(prior, class_prior(bundles[0], polarization, "bare_dry")) <= OVERLAP:
            found[polarization] = shrunk(prior, seen_water(bundles, tiles, polarization, prior))
    return found


def shrunk(prior: Backscatter, seen: SeenWater) -> Backscatter:
    """The table's class moved towards what was seen by n/(n + 500); the slope is the table's.

    The mean by at most `FARTHEST` of its deviations. The spread loses what the scene has in common, and never falls
    below what was seen nor below `NARROWEST` of the table's.
    """
    weight = seen.samples / (seen.samples + ENOUGH)
    shift = float(np.clip(weight * (seen.mean - prior.mean), -FARTHEST * prior.std, FARTHEST * prior.std))
    variance = weight * seen.spread**2 + (1.0 - weight) * prior.std**2
    std = max(float(np.sqrt(variance)), NARROWEST * prior.std)
    return Backscatter(round(prior.mean + shift, 3), round(std, 3), prior.slope)


def seen_water(bundles: Sequence[RadarBundle], tiles: BimodalTiles, polarization: str, prior: Backscatter) -> SeenWater:
    """The lower modes of all tiles in one polarization, each brought to the reference angle by the slope of the class.

    Which pixels are of the mode the co-polarization says. Where the noise hides the signal (mean below `FAINTEST` of
    its floor) it only says that water is no brighter than that.
    """
    modes = np.array([_mode(bundles[tiles.image[tile]], tiles, tile, polarization) for tile in range(len(tiles))])
    level, std, angle, noise, pixels = modes.T
    bundle = bundles[0]
    floor = FAINTEST * noise
    signal = power_from_decibel(level - log_speckle_bias(bundle.looks)) - noise
    mean = decibel(np.maximum(signal, floor)) - (class_mean(prior, angle, bundle.quantity) - prior.mean)
    mean = np.where(signal < floor, np.minimum(mean, prior.mean), mean)
    middle = float(np.average(mean, weights=pixels))
    clear = np.maximum(signal, floor) / (np.maximum(signal, floor) + noise)  # a signal's dB count so much in the sum's
    within = np.maximum(std**2 - log_speckle_std(bundle.looks) ** 2, 0.0) / clear**2
    within = np.where(signal < floor, prior.std**2, within)
    variance = float(np.average(within + (mean - middle) ** 2, weights=pixels))
    return SeenWater(middle, float(np.sqrt(variance)), float(pixels.sum()) / bundle.cell**2)


def _mode(bundle: RadarBundle, tiles: BimodalTiles, tile: int, polarization: str) -> tuple[float, ...]:
    """Of one tile's lower mode: mean and deviation of the intensity in dB, angle, noise (linear), and pixels."""
    top, left, side = tiles.top[tile], tiles.left[tile], tiles.side[tile]
    window = (slice(top, top + side), slice(left, left + side))
    share = tiles.modes.low_probability(intensity_level(bundle, copolar(bundle.power))[window], tile)
    level = intensity_level(bundle, polarization)[window]
    share = np.where(np.isfinite(level), share, 0.0)
    pixels = max(float(share.sum()), 1e-9)
    mean = float((share * np.nan_to_num(level)).sum()) / pixels
    variance = float((share * (np.nan_to_num(level) - mean) ** 2).sum()) / pixels
    angles = np.full(1, np.nan) if bundle.angle is None else bundle.angle[window]
    seen = angles[np.isfinite(angles)]
    angle = float(np.median(seen)) if seen.size else float(np.mean(bundle.angle_range))
    noise = np.asarray(bundle.noise[polarization])
    floor = float(np.nanmedian(noise[window] if noise.ndim else noise))
    return mean, float(np.sqrt(variance)), angle, floor, pixels
