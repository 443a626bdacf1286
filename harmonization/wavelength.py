"""Backscatter of any radar as C-VV sigma0 at 38.5 degrees: for the eye, for checks and as a network channel.

C minus L changes its sign with the class (+8.5 dB over smooth dry soil, -2.5 dB over flooded forest), so the level is
moved class by class and averaged over what the pixel may be, and it is valid only where that hardly matters. It never
enters a decision: that would count the class posterior twice, and the average loses the flood under the canopy, which
one band alone sees (docs/physics.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harmonization.bundle import Float, RadarBundle, copolar
from harmonization.classes import BACKSCATTER, STATES
from harmonization.incidence import class_mean
from harmonization.radar.evidence import class_log_likelihoods
from harmonization.radar.priors import class_prior
from harmonization.reasons import BLINDING, Reason

Mask = NDArray[np.bool_]
Real = NDArray[np.float64]

REFERENCE_CHANNEL = "C-VV"
HARMONIZED = ("open_water", "water_wind10", "bare_dry", "bare_wet", "bare_rough_wet", "grass_crop", "forest")
"""Classes that may be moved between the bands: open water, and dry bare soil, grass and crops, forest."""
MODEL_STD = 2.0
"""dB, error of the difference between two channels of one class: models of bare soil differ by as much [C]."""
MOST_FOREIGN = 0.1
"""Probability of flooded vegetation or town from which on a level has no harmonized form."""
MOST_STD = 4.0
"""dB of standard deviation from which on a level says too little."""
LEAST_ANGLE = 25.0
"""Degrees; below, quasi-specular return makes water bright and no slope of the table holds."""
UNFIT = BLINDING | Reason.URBAN | Reason.OUTSIDE_MODEL
"""Reasons that make the harmonized level invalid."""
STRIP_PIXELS = 2**18
"""Pixels at a time: seven classes in double precision would fill the memory of a large unit."""

STABLE_GAMMA0 = {"C-VV": -6.5, "C-VH": -12.5, "L-HH": -5.83}
"""dB of dense evergreen forest. L-HH -5.83 +- 0.23 [V] (JERS-1 over the Amazon, SMAP L1 radar ATBD table 14);
C +- 1 [M]."""
LARGEST_CONSTANT = 1.0
"""dB, most that a track is moved: three standard deviations of Sentinel-1's radiometric accuracy [V]."""
CONSTANT_PIXELS = 500
"""Stable pixels at which a track's own constant counts half [M]."""


@dataclass(frozen=True, eq=False)
class Harmonized:
    """A radar look in the terms of C-VV at the reference angle."""

    level: Float
    """(y, x) sigma0 in dB; NaN where not observed."""
    std: Float
    """(y, x) standard deviation in dB: of the models, of the class and of an unknown angle; NaN as `level`."""
    valid: Mask
    """(y, x) `harm_valid`: False where the level must not be compared with that of another sensor."""

    @classmethod
    def unseen(cls, shape: tuple[int, int]) -> Harmonized:
        """That of a radar without a scene."""
        nothing = np.full(shape, np.nan, dtype=np.float32)
        return cls(nothing, nothing, np.zeros(shape, dtype=np.bool_))


def harmonize(bundle: RadarBundle, log_odds: ArrayLike) -> Harmonized:
    """C-VV-equivalent sigma0 at 38.5 degrees of the co-polarization of one look, with its uncertainty and validity.

    For each class c of `HARMONIZED`: y + M_c(C-VV, 38.5) - M_c(own channel, angle), noise floor inside the own level
    and its model; their mean by the posterior P(c), variance sum P(c)·[u_c² + (y_c - mean)²] (reference note, 5.5).
    An unknown angle is taken as the middle of the mode, and (slope·range/sqrt(12))² added to u_c².

    `log_odds` (2,) or (2, y, x): prior of open water and flooded vegetation against dry. HH at C band is read as VV, as
    the class table does. Not for flooded vegetation, towns, frozen ground, angles below 25 degrees: see
    `harmonized_valid`.
    """
    posterior = class_posteriors(bundle, log_odds)
    level, std = np.empty((2, *bundle.reasons.shape), dtype=np.float32)
    step = max(1, STRIP_PIXELS // bundle.reasons.shape[1])
    for start in range(0, level.shape[0], step):
        rows = slice(start, start + step)
        moved, errors = _moved(bundle, rows)
        level[rows], std[rows] = class_average(moved, errors, np.stack([posterior[name][rows] for name in HARMONIZED]))
    return Harmonized(level, std, harmonized_valid(bundle, posterior, std))


def _moved(bundle: RadarBundle, rows: slice) -> tuple[Real, Real]:
    """Of some rows, (class, y, x): the level in the terms of C-VV if the pixel is of that class, and its variance."""
    polarization = copolar(bundle.power)
    angle, angle_std = (values[rows] for values in _angles(bundle))
    noise = np.broadcast_to(bundle.noise[polarization], bundle.reasons.shape)[rows].astype(np.float64)
    measured = bundle.power[polarization][rows] + (noise if bundle.denoised else 0.0)
    decibels = 10.0 * np.log10(np.maximum(measured, 1e-6))
    moved, errors = [], []
    for name in HARMONIZED:
        own = class_prior(bundle, polarization, name)
        expected = 10.0 ** (class_mean(own, angle, bundle.quantity) / 10.0) + noise
        moved.append(decibels + BACKSCATTER[name][REFERENCE_CHANNEL].mean - 10.0 * np.log10(expected))
        errors.append(MODEL_STD**2 + (own.slope * angle_std) ** 2)
    return np.stack(moved), np.stack(errors)


def harmonized_valid(bundle: RadarBundle, posterior: dict[str, Float], std: Float) -> Mask:
    """Where `harmonize` holds, (y, x): P(flooded vegetation) + P(town) < 0.1, std < 4 dB, angle >= 25°, not masked.

    Of an unknown angle the near end of the mode's range must hold.
    """
    foreign = sum(values for name, values in posterior.items() if name not in HARMONIZED)
    angle, angle_std = _angles(bundle)
    least = np.where(angle_std > 0.0, bundle.angle_range[0], angle)
    fit = (bundle.reasons & np.uint16(UNFIT)) == 0
    # Comparisons with NaN are false: what was not observed is not valid.
    return np.asarray(fit & (foreign < MOST_FOREIGN) & (std < MOST_STD) & (least >= LEAST_ANGLE))


def class_posteriors(bundle: RadarBundle, log_odds: ArrayLike) -> dict[str, Float]:
    """P(class | look) of every class of the three states, (y, x), sum 1; NaN where not observed."""
    odds = np.asarray(log_odds, dtype=np.float32)
    states = {"dry": np.float32(0.0), "open_water": odds[0], "flooded_vegetation": odds[1]}
    shares = {name: (state, share) for state, classes in STATES.items() for name, share in classes.items()}
    told = class_log_likelihoods(bundle, tuple(shares))
    priors = {name: states[state] + np.float32(np.log(share)) for name, (state, share) in shares.items()}
    terms = np.stack([told[name] + priors[name] for name in shares])
    terms -= terms.max(axis=0)
    weights = np.exp(terms, out=terms)
    weights /= weights.sum(axis=0)
    return dict(zip(shares, weights, strict=True))


def class_average(levels: ArrayLike, variances: ArrayLike, weights: ArrayLike) -> tuple[Float, Float]:
    """Mean and standard deviation (dB) over classes, the first axis, by weights that need not sum to 1.

    `variances` broadcasts over the pixels. NaN where a level or a weight is NaN, or no class has weight.
    """
    values, errors = np.asarray(levels, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    shares = np.asarray(weights, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        shares = shares / shares.sum(axis=0)
    mean = (shares * values).sum(axis=0)
    errors = errors.reshape(*errors.shape, *[1] * (values.ndim - errors.ndim))
    variance = (shares * (errors + (values - mean) ** 2)).sum(axis=0)
    return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)


def _angles(bundle: RadarBundle) -> tuple[Real, Real]:
    """(y, x) degrees of incidence, and their standard deviation: 0 where known, that of the mode's range elsewhere."""
    near, far = bundle.angle_range
    given = np.full(bundle.reasons.shape, np.nan) if bundle.angle is None else bundle.angle.astype(np.float64)
    known = np.isfinite(given)
    return np.where(known, given, (near + far) / 2.0), np.where(known, 0.0, (far - near) / np.sqrt(12.0))


def track_constant(measured: ArrayLike, expected: ArrayLike, stable: ArrayLike) -> float:
    """dB to add to a track so that its stable targets meet their prior: median of expected - measured over `stable`.

    Held to +-1 dB and shrunk by n/(n + 500), n the stable pixels observed; 0 without any. `measured` in dB (NaN not
    observed), `expected` in dB of the same channel and quantity (`STABLE_GAMMA0`), `stable` a mask of dense evergreen
    forest in months that do not change. Never over the scene of a flood at large: matching its histogram would erase
    the flood. Reference note, section 5.5.
    """
    level, prior, chosen = np.broadcast_arrays(np.asarray(measured, dtype=np.float64), expected, stable)
    gaps = (prior - level)[chosen.astype(np.bool_) & np.isfinite(level)]
    if gaps.size == 0:
        return 0.0
    limited = float(np.clip(np.median(gaps), -LARGEST_CONSTANT, LARGEST_CONSTANT))
    return float(limited * gaps.size / (gaps.size + CONSTANT_PIXELS))
