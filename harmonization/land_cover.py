"""Land covers that a pixel may have before the flood, and what they say of the classes that it may be.

A map of land cover names one cover a pixel and is right for three quarters to four fifths of them (ESA WorldCover
2021: 76.7 % overall). So the mixture of classes is that of the named cover by `MAP_TRUST`, else that of no map at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from harmonization.classes import STATES


class LandCover(IntEnum):
    """Codes of a (y, x) uint8 land cover on the grid of a unit."""

    UNKNOWN = 0
    BARE = 1
    GRASS_CROPS = 2
    FOREST = 3
    URBAN = 4
    OPEN_WATER = 5
    WETLAND = 6
    SNOW_ICE = 7


MAP_TRUST = 0.8
"""Share of the named cover in the mixture of classes: overall accuracy of maps at 10 m [M]."""
DRY: Mapping[LandCover, Mapping[str, float]] = {
    LandCover.BARE: {"bare_dry": 0.5, "bare_wet": 0.35, "bare_rough_wet": 0.15},
    # Fields lie bare for part of the year.
    LandCover.GRASS_CROPS: {"grass_crop": 0.7, "bare_dry": 0.12, "bare_wet": 0.12, "bare_rough_wet": 0.06},
    LandCover.FOREST: {"forest": 1.0},
    LandCover.URBAN: {"urban": 0.75, "grass_crop": 0.25},
    # Water may be the normal state there; dry, it is a bed that fell dry.
    LandCover.OPEN_WATER: {"bare_wet": 0.5, "bare_dry": 0.2, "bare_rough_wet": 0.1, "grass_crop": 0.2},
    LandCover.WETLAND: {"grass_crop": 0.7, "bare_wet": 0.2, "forest": 0.1},
}
"""Classes of dry ground by cover [M]; covers left out say nothing."""
FLOODED_VEGETATION: Mapping[LandCover, Mapping[str, float]] = {
    LandCover.GRASS_CROPS: {"flooded_marsh": 0.85, "flooded_rice_row": 0.15},
    LandCover.FOREST: {"flooded_forest": 1.0},
    LandCover.WETLAND: {"flooded_marsh": 0.9, "flooded_forest": 0.1},
}
"""Classes of flooded vegetation by cover [M]; covers left out say nothing."""
SMOOTH_SHARE = 0.05
"""Share of smooth dry soil below which the cover itself tells it from water [M]: forest, town and wetland."""


def shares(state: str, cover: LandCover) -> dict[str, float]:
    """Shares of the classes of a hidden state in a pixel of a cover, sum 1; of `classes.STATES` where it says nothing.

    Open water looks the same whatever it covers.
    """
    prior = STATES[state]
    named = {"dry": DRY, "flooded_vegetation": FLOODED_VEGETATION}.get(state, {}).get(cover, prior)
    return {name: MAP_TRUST * named.get(name, 0.0) + (1.0 - MAP_TRUST) * share for name, share in prior.items()}
