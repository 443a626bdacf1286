"""What an optical look says about open water, flooded vegetation and dry land, in nats.

One compiled pass over pixels: indices, their haze errors, the Gaussians of all classes, the mixtures of the states.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numba
import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Cover, Evidence, Float, OpticalBundle
from harmonization.classes import INDICES, OPTICAL_STATES, Indices
from harmonization.land_cover import LandCover, shares
from harmonization.optical.indices import DARKEST_SUM, LEAST_LIGHT, haze_std
from harmonization.reasons import BLINDING

Real = NDArray[np.float64]

OPTICAL_CLASS = {
    "bare_dry": "bare",
    "bare_wet": "bare",
    "bare_rough_wet": "bare",
    "grass_crop": "grass_crops",
    "forest": "forest",
    "urban": "urban",
}
"""The optical class of each dry class of the radars, which tell soils apart that optics do not."""
_CLASSES = tuple(INDICES)
_WET = (_CLASSES.index("open_water"), _CLASSES.index("flooded_vegetation"))
_LARGEST_ERROR = 1.0
"""Of an index, whose range is -1 to 1."""


def weigh_optical(
    sensor: str, bundle: OpticalBundle, cover: Cover | None = None, indices: Mapping[str, Indices] = INDICES
) -> Evidence:
    """Evidence of one optical acquisition from NDWI and, where a SWIR band is, MNDWI: nats (2, y, x).

    Correlated class Gaussians over the two indices, the haze error added to their variance; 0 where clouded or not
    observed. `cover` (y, x): the dry state is then that of the pixel's own land cover, as far as land-cover maps are
    right, else the mixture of all.
    Raw: glint and darkness (`reasons`) lessen it only where evidence is summed. `indices`: of each class, for who asks
    what another table than the usual would say.
    """
    green, nir = bundle.reflectance["green"], bundle.reflectance["nir"]
    swir = bundle.reflectance.get("swir1", np.empty((0, 0), dtype=np.float32))
    blinded = (bundle.reasons & np.uint16(BLINDING)) != 0
    covers = np.zeros(green.shape, dtype=np.uint8) if cover is None else cover
    haze = haze_std(bundle.haze)
    errors = np.array([haze["green"], haze["nir"], haze["swir1"]])
    llr, observed = _weigh(green, nir, swir, blinded, covers, errors, _class_table(indices), _DRY_SHARES)
    return Evidence(sensor, llr, observed, bundle.reasons, bundle.time, bundle.cell)


def _class_table(indices: Mapping[str, Indices]) -> Real:
    """(class, 5) of mean NDWI, mean MNDWI, their variances, their covariance."""
    rows = [
        (*prior.mean, prior.std[0] ** 2, prior.std[1] ** 2, prior.correlation * prior.std[0] * prior.std[1])
        for prior in (indices[name] for name in _CLASSES)
    ]
    return np.array(rows, dtype=np.float64)


def dry_shares(cover: LandCover) -> dict[str, float]:
    """Shares of the optical classes in the dry state of a land cover, sum 1: those of the radars' classes."""
    found = dict.fromkeys(OPTICAL_STATES["dry"], 0.0)
    for name, share in shares("dry", cover).items():
        found[OPTICAL_CLASS[name]] += share
    return found


def _dry_share_table() -> Real:
    """(cover, class) shares of the dry state."""
    rows = [dry_shares(cover) for cover in LandCover]
    return np.array([[row.get(name, 0.0) for name in _CLASSES] for row in rows], dtype=np.float64)


_DRY_SHARES = _dry_share_table()


@numba.njit(cache=True, nogil=True)
def _weigh(
    green: Float,
    nir: Float,
    swir: Float,
    blinded: NDArray[np.bool_],
    covers: Cover,
    errors: Real,
    classes: Real,
    dry_shares: Real,
) -> tuple[Float, NDArray[np.bool_]]:
    """(2, y, x) nats and (y, x) observed; `swir` is empty where there is none."""
    rows, columns = green.shape
    two = swir.size > 0
    llr = np.zeros((2, rows, columns), dtype=np.float32)
    observed = np.zeros((rows, columns), dtype=np.bool_)
    logs = np.empty(classes.shape[0], dtype=np.float64)
    for y in range(rows):
        for x in range(columns):
            if blinded[y, x]:
                continue
            a, error_a = _index(green[y, x], nir[y, x], errors[0], errors[1])
            b, error_b = 0.0, 0.0
            if two:
                b, error_b = _index(green[y, x], swir[y, x], errors[0], errors[2])
            if math.isnan(a) or math.isnan(b):
                continue
            observed[y, x] = True
            best = -math.inf
            for name in range(classes.shape[0]):
                logs[name] = _log_gaussian(a, b, error_a, error_b, classes[name], two)
                if dry_shares[covers[y, x], name] > 0.0:
                    best = max(best, logs[name])
            dry = 0.0
            for name in range(classes.shape[0]):
                dry += dry_shares[covers[y, x], name] * math.exp(min(logs[name] - best, 0.0))
            log_dry = best + math.log(dry)
            llr[0, y, x] = logs[_WET[0]] - log_dry
            llr[1, y, x] = logs[_WET[1]] - log_dry
    return llr, observed


@numba.njit(cache=True, nogil=True, inline="always")
def _index(a: float, b: float, error_a: float, error_b: float) -> tuple[float, float]:
    """Normalized difference of two reflectances and the variance of its error; NaN as `normalized_difference` has."""
    total = np.float64(a) + b
    if not total > LEAST_LIGHT or math.isinf(total):
        return math.nan, 0.0
    index = min(max((np.float64(a) - b) / total, -1.0), 1.0)
    wide = max(total, DARKEST_SUM)
    error = min(2.0 * math.sqrt((b * error_a) ** 2 + (a * error_b) ** 2) / (wide * wide), _LARGEST_ERROR)
    return index, error * error


@numba.njit(cache=True, nogil=True, inline="always")
def _log_gaussian(a: float, b: float, error_a: float, error_b: float, prior: Real, two: bool) -> float:
    """ln N of one or two correlated indices; their haze errors are independent of the class spread."""
    da = a - prior[0]
    variance_a = prior[2] + error_a
    if not two:
        return float(-0.5 * (da * da / variance_a + math.log(2.0 * math.pi * variance_a)))
    db = b - prior[1]
    variance_b = prior[3] + error_b
    determinant = variance_a * variance_b - prior[4] * prior[4]
    distance = (variance_b * da * da - 2.0 * prior[4] * da * db + variance_a * db * db) / determinant
    return float(-0.5 * (distance + math.log(4.0 * math.pi * math.pi * determinant)))
