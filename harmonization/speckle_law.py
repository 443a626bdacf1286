"""The Gamma law of multilook speckle about one known mean, in closed form: what `likelihood` averages over a class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

Real = NDArray[np.float64]


def log_density(intensity: ArrayLike, mean: ArrayLike, looks: float) -> Real:
    """ln p(I | m) = L ln(L/m) + (L - 1) ln I - L I/m - ln Gamma(L), nats; linear powers above 0, noise inside both.

    Goodman 1976; of fully developed speckle, without texture. NaN where an intensity or a mean is not positive.
    """
    power, level = np.asarray(intensity, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        nats = looks * np.log(looks / level) + (looks - 1.0) * np.log(power) - looks * power / level - gammaln(looks)
    return np.where((power > 0.0) & (level > 0.0), nats, np.nan)


def log_ratio(intensity: ArrayLike, wet_mean: ArrayLike, dry_mean: ArrayLike, looks: float) -> Real:
    """ln p(I | wet)/p(I | dry) of two known means: L·[ln(m_dry/m_wet) - I·(1/m_wet - 1/m_dry)], nats.

    Linear powers, noise inside all three; the intensity may be 0 or, where noise was taken off and added back wrongly,
    below. A class with spread has less to say: `likelihood.log_density`.
    """
    power, wet, dry = (np.asarray(values, dtype=np.float64) for values in (intensity, wet_mean, dry_mean))
    return np.asarray(looks * (np.log(dry / wet) - power * (1.0 / wet - 1.0 / dry)))
