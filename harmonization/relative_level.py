"""Images that were stretched one by one, brought to one level: by the ground that did not change between them.

An absolute level cannot be had back; the change between two dates can, and how far a pixel stands out of its image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

Float = NDArray[np.float32]

SPECKLE_SIDE = 5
"""Pixels a side of the mean that both images are smoothed by before they are compared [M]."""
UNCHANGED = 2.0
"""Robust standard deviations of the difference within which ground counts as unchanged [M]."""
LEAST_GAIN, MOST_GAIN = 1.0 / 3.0, 3.0
"""Stretches of the same ground by its darkest and brightest pixel differ by no more [M]."""
LEAST_SPREAD = 1e-3
_ROUNDS = 8


class Match(NamedTuple):
    """`gain * value + offset` stands where the other image has the same ground."""

    gain: float
    offset: float


def match(image: Float, other: Float) -> Match:
    """Return what brings one image to the level of another of the same ground.

    Relative normalization by pseudo-invariant ground (Schott, Salvaggio & Volchok 1988, RSE 26(1)), found as what the
    fit itself leaves within `UNCHANGED` deviations; the slope is the ratio of spreads (reduced major axis), for both
    images have noise.

    Args:
        image: (y, x), NaN is not observed.
        other: the same shape. Where no pixel is seen in both, nothing is changed: gain 1, offset 0.
    """
    seen = np.isfinite(image) & np.isfinite(other)
    if not seen.any():
        return Match(1.0, 0.0)
    x, y = (_smoothed(one)[seen].astype(np.float64) for one in (image, other))
    unchanged = np.ones(len(x), dtype=np.bool_)
    found = Match(1.0, 0.0)
    for _ in range(_ROUNDS):
        gain = float(np.clip(_spread(y[unchanged]) / _spread(x[unchanged]), LEAST_GAIN, MOST_GAIN))
        found = Match(gain, float(np.median(y[unchanged] - gain * x[unchanged])))
        residual = np.abs(y - (found.gain * x + found.offset))
        now = residual <= UNCHANGED * 1.4826 * np.median(residual[unchanged]) + LEAST_SPREAD
        if (now == unchanged).all():
            break
        unchanged = now
    return found


def relative_level(after: Float, before: Float | None = None) -> tuple[Float, Float | None]:
    """Return both images in robust deviations of the image after from its median, the one before matched to it.

    Args:
        after: (y, x) of any linear stretch, NaN is not observed.
        before: the same ground in another stretch, or None.

    Returns:
        (y, x) each; unchanged ground has the same number in both, whatever the stretches were. NaN stays NaN.
    """
    middle = float(np.nanmedian(after)) if np.isfinite(after).any() else 0.0
    spread = 1.4826 * float(np.nanmedian(np.abs(after - middle))) if np.isfinite(after).any() else 1.0
    spread = max(spread, LEAST_SPREAD)
    level = ((after - middle) / spread).astype(np.float32)
    if before is None:
        return level, None
    gain, offset = match(before, after)
    return level, ((gain * before + offset - middle) / spread).astype(np.float32)


def _smoothed(image: Float) -> Float:
    """Local means of what was observed."""
    seen = np.isfinite(image)
    total = uniform_filter(np.where(seen, image, 0.0).astype(np.float64), SPECKLE_SIDE)
    weight = uniform_filter(seen.astype(np.float64), SPECKLE_SIDE)
    return np.asarray(total / np.maximum(weight, 1e-9), dtype=np.float32)


def _spread(values: NDArray[np.float64]) -> float:
    return max(float(values.std()), LEAST_SPREAD)
