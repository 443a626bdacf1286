"""beta0, sigma0 and gamma0 on the ellipsoid, in linear power; angles in degrees.

sigma0 = beta0·sin(theta), gamma0 = sigma0/cos(theta): Small 2011 (TGRS 49(8):3081), section II.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def sigma0_from_beta0(beta0: ArrayLike, incidence: ArrayLike) -> NDArray[np.float64]:
    """Backscatter per ground area from radar brightness."""
    return np.asarray(beta0, dtype=np.float64) * np.sin(np.deg2rad(incidence))


def gamma0_from_sigma0(sigma0: ArrayLike, incidence: ArrayLike) -> NDArray[np.float64]:
    """Backscatter per area seen from the radar."""
    return np.asarray(sigma0, dtype=np.float64) / np.cos(np.deg2rad(incidence))


def sigma0_from_gamma0(gamma0: ArrayLike, incidence: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `gamma0_from_sigma0` (JAXA mosaics: sigma0 = gamma0·cos(local incidence))."""
    return np.asarray(gamma0, dtype=np.float64) * np.cos(np.deg2rad(incidence))
