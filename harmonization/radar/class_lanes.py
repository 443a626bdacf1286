"""The classes of the three hidden states as lanes of the tables, and their shares by land cover."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harmonization.bundle import Float, RadarBundle
from harmonization.classes import OVERLAP, STATES, overlap
from harmonization.land_cover import SMOOTH_SHARE, LandCover, shares
from harmonization.radar.class_tables import LANES
from harmonization.radar.priors import class_prior

STATE_ORDER = ("open_water", "flooded_vegetation", "dry")
LANE_NAMES = tuple(name for state in STATE_ORDER for name in STATES[state])
"""The class of each lane, state after state."""
GROUPS = tuple(int(edge) for edge in np.cumsum([0, *(len(STATES[state]) for state in STATE_ORDER)]))
"""First lane of water, of flooded vegetation, of dry ground, and the end."""
BARE_LANE = LANE_NAMES.index("bare_dry")
_NEVER = -1e30


@lru_cache(maxsize=1)
def log_shares() -> Float:
    """(cover, lane) ln of the share of each class in its state."""
    result = np.full((len(LandCover), LANES), _NEVER, dtype=np.float32)
    for cover in LandCover:
        for state in STATE_ORDER:
            for name, share in shares(state, cover).items():
                result[cover, LANE_NAMES.index(name)] = np.log(share)
    result.setflags(write=False)
    return result


def held_covers(bundle: RadarBundle) -> NDArray[np.bool_]:
    """(cover,) where a dark pixel may as well be smooth dry soil: nowhere if a polarization parts it from water."""
    if _parts_water_from_smooth_ground(bundle):
        return np.zeros(len(LandCover), dtype=np.bool_)
    return np.array([shares("dry", cover)["bare_dry"] >= SMOOTH_SHARE for cover in LandCover])


def _parts_water_from_smooth_ground(bundle: RadarBundle) -> bool:
    """Whether some polarization keeps the two priors apart: Bhattacharyya coefficient below `OVERLAP`."""
    pairs = ([class_prior(bundle, name, land) for land in ("open_water", "bare_dry")] for name in bundle.power)
    return min(overlap(*pair) for pair in pairs) < OVERLAP
