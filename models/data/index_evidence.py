"""What a water index alone says of a flood, in nats: the physics of images without physical units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Float = NDArray[np.float32]

WATER_ABOVE = 0.0
"""MNDWI above which there is water (Xu 2006, IJRS 27(14)) [M]."""
INDEX_WIDTH = 0.15
"""Index units over which land becomes water: mixed pixels, turbid water, haze [M]."""
WATER_BEFORE = 0.1
"""Share of ground that is water anyway, where no look before says [M]."""
MOST_NATS = 3.0
"""An index is wrong once in twenty even where it is clear: cloud shadow, wet roofs, algae [M]."""


def index_evidence(after: Float, before: Float | None = None) -> Float:
    """Log-likelihood ratio of flood : no flood, where a flood is water now that was not there before.

    ln[q/(1 - q)] with q = w(after)·(1 - w(before)), w the logistic of the index around `WATER_ABOVE`, held within
    ±`MOST_NATS`. Valid for an index of reflectances in a fixed scale; not for images stretched one by one.

    Args:
        after: (y, x) MNDWI: turbid water is bright in the near infrared, so that NDWI misses floods; NaN is unknown.
        before: the same before the event, NaN or None where there was no look.

    Returns:
        (y, x) nats; 0 where nothing is known of after.
    """
    now = _water(after)
    past = np.full_like(now, WATER_BEFORE) if before is None else _water(before)
    flooded = now * (1.0 - np.where(np.isfinite(past), past, np.float32(WATER_BEFORE)))
    nats = np.clip(logit(flooded), -MOST_NATS, MOST_NATS)
    return np.where(np.isfinite(now), nats, np.float32(0.0)).astype(np.float32)


def _water(index: Float) -> Float:
    """(y, x) probability of water; NaN where the index is unknown."""
    share: Float = expit((index - np.float32(WATER_ABOVE)) / np.float32(INDEX_WIDTH))
    return share
