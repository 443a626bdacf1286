"""What a radar scene's own water says, found once for the whole job: the rule's threshold, and the class's prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harmonization.bimodality import BimodalTiles, bimodal_tiles
from harmonization.bundle import RadarBundle, copolar
from harmonization.calibration import decibel, power_from_decibel
from harmonization.class_means import WATER, intensity_level, power_level, water_priors
from harmonization.classes import Backscatter
from harmonization.radar.priors import class_prior
from harmonization.thresholds import otsu_threshold


@dataclass(frozen=True)
class SceneWater:
    """The findings on one scene."""

    threshold: float | None
    """dB of the power as delivered, below which the rule says water; None: no water here."""
    threshold_note: str
    priors: Mapping[str, Mapping[str, Backscatter]]
    """By polarization and class, where the scene moves the class table."""
    prior_note: str


def scene_water(windows: Sequence[RadarBundle], darkest_land: float) -> SceneWater:
    """Threshold and class priors from windows of one scene; `darkest_land` in dB of the power as delivered.

    Both rest on the tiles of the windows whose histogram of co-polar level has two modes. The rule's level is that of
    the power as delivered; the class's has its noise inside, for there calm water is a mode too, where power without
    noise scatters about zero.
    """
    name = copolar(windows[0].power)
    threshold, note = _threshold(
        bimodal_tiles([power_level(window, name) for window in windows], darkest_land), darkest_land
    )
    noise = np.concatenate([np.ravel(window.noise[name]) for window in windows])
    added = float(np.nanmedian(noise)) if windows[0].denoised else 0.0
    darkest = float(decibel(power_from_decibel(darkest_land) + added))
    tiles = bimodal_tiles([intensity_level(window, name) for window in windows], darkest)
    water = water_priors(windows, tiles)
    priors = {polarization: {WATER: prior} for polarization, prior in water.items()}
    return SceneWater(threshold, note, priors, _told(windows[0], water, len(tiles)))


def _threshold(tiles: BimodalTiles, darkest: float) -> tuple[float | None, str]:
    """The median of Otsu's over the tiles; never a threshold through land alone.

    Otsu's: on mixtures of land it lies closer to the best threshold than Kittler and Illingworth's or the Bayes split
    of the fitted modes, whose two Gaussians are not the land's (docs/physics.md, section 7).
    """
    if len(tiles):
        found = f"median of {_many(len(tiles))}; {tiles.looked_at} of the smallest looked at"
        return float(np.median(otsu_threshold(tiles.counts))), found
    if tiles.dark > 0.5:
        return darkest, f"all of {tiles.looked_at} tiles dark: no second mode because nearly all is water"
    return None, f"no water here: none of {tiles.looked_at} tiles has a dark second mode"


def _told(window: RadarBundle, water: Mapping[str, Backscatter], tiles: int) -> str:
    """How the scene's water differs from the class table's, in a sentence."""
    if not water:
        return "open water as in the class table"
    said = []
    for polarization, prior in water.items():
        table = class_prior(window, polarization, WATER)
        said.append(f"{polarization} {prior.mean:.1f} ± {prior.std:.1f} dB (table {table.mean:.1f} ± {table.std:.1f})")
    return f"open water by {_many(tiles)}: {', '.join(said)}"


def _many(tiles: int) -> str:
    return f"{tiles} bimodal tile{'' if tiles == 1 else 's'}"
