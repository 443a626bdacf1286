"""How plausible each method's water lies on the elevation: sums of a unit, and scores of a run made of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harmonization.hydrostatics import pair_losses, shorelines
from pipeline.crop import crop, crop_method
from pipeline.methods import MethodMap

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Sums = dict[str, float]


def plausibility_sums(methods: Mapping[str, MethodMap], elevation: Array, halo: int, inside: Mask) -> dict[str, Sums]:
    """By method, what a unit adds to the run's scores; nothing where no elevation is known.

    `methods` and `elevation` (y, x) with their halo, so that pairs across the unit's edge count once, in the unit of
    the higher pixel; `inside` without. A patch ends at the unit's edge: each unit judges its part of the shoreline.
    """
    if not np.isfinite(elevation).any():
        return {}
    excess, pairs = pair_losses(elevation, np.stack([_wet(found) for found in methods.values()]))
    own = crop(elevation, halo)
    return {
        name: {
            "pairs": int(crop(count, halo)[inside].sum()),
            "excess": float(crop(total, halo)[inside].sum()),
            **_shores(crop_method(found, halo), own, inside),
        }
        for (name, found), total, count in zip(methods.items(), excess, pairs, strict=True)
    }


def _wet(found: MethodMap) -> Array:
    """(y, x) probability of water, by a rule 0 or 1; NaN where not observed."""
    wet = (found.water | found.vegetation).astype(np.float32) if found.states is None else 1.0 - found.states[0]
    return np.where(found.observed, wet, np.float32(np.nan))


def _shores(own: MethodMap, elevation: Array, inside: Mask) -> Sums:
    shores = shorelines(own.water | own.vegetation, own.observed & inside, elevation)
    return {
        "judged_pixels": int(shores.pixels.sum()),
        "uneven_pixels": int(shores.pixels[shores.uneven].sum()),
        "shore_pixels": int(shores.shore.sum()),
        "shore_square_m": float((shores.shore * shores.off_plane**2).sum()),
    }


def add_sums(total: Sums, more: Mapping[str, float]) -> Sums:
    """Two units' sums as one."""
    return {name: total.get(name, 0) + value for name, value in more.items()} if more else total


def plausibility_scores(sums: Sums) -> dict[str, float | None]:
    """The scores of a run: None where it has nothing to judge.

    `hydrostatic`: mean relu(p_i - p_j)² over pairs in which i lies above j and its water could reach j; 0 is best.
    `shoreline_m`: root mean square of the shorelines' elevation about each patch's own plane, m.
    `uneven_share`: share of the judged water whose shoreline is further off its plane than an elevation model errs.
    """
    pairs, judged, shore = (sums.get(name, 0) for name in ("pairs", "judged_pixels", "shore_pixels"))
    return {
        "hydrostatic": sums["excess"] / pairs if pairs else None,
        "shoreline_m": (sums["shore_square_m"] / shore) ** 0.5 if shore else None,
        "uneven_share": sums["uneven_pixels"] / judged if judged else None,
    }
