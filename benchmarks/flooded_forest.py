"""A flood under trees, seen twice: by averaging decibels of both radars, and by adding their evidence.

`python -m benchmarks.flooded_forest` prints how much of the flooded forest of three simulated floods each way finds.
One ground, both radars on one grid of 30 m, a look before the flood and one during it. Scores are over the forest
alone, flooded and dry, which spares the averaged decibels all that is brighter than trees or darker. "Best threshold":
the one that the truth itself would choose, which nobody has on the night.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harmonization.bundle import Band, Evidence, RadarBundle, copolar
from harmonization.evidence import Belief, combine, contribution, state_probabilities
from harmonization.radar.evidence import weigh_radar
from harmonization.simulate.backscatter import BandName
from harmonization.simulate.fields import random_stream
from harmonization.simulate.grid import Grid, area_average
from harmonization.simulate.ground import GroundState, SimulatedCover, make_ground
from harmonization.simulate.radar import ALOS2_NOISE_DB, S1_NOISE_DB, alos2_pass, ground_gamma0, sentinel1_pass
from harmonization.simulate.scene import Window
from harmonization.wavelength import harmonize

SIZE, SEEDS = 384, (2, 3, 5)
"""Cells of 10 m a side, and the floods."""
BOTH: tuple[Band, ...] = ("C", "L")
PIXEL = 30.0
"""Metres."""
LOOKS = {"C": 9.0, "L": 15.0}
"""On 30 m: IW, 4.4 looks for each of two resolution cells; PALSAR-2, 5 x 3."""
ANGLES = {"C": (29.0, 46.0), "L": (25.0, 50.0)}
NOISE_DB = {"C": S1_NOISE_DB, "L": ALOS2_NOISE_DB}
BELIEF = Belief()
Mask = NDArray[np.bool_]
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Stand:
    """One simulated flood: its forest, and what the radars make of it, all (y, x)."""

    forest: Mask
    flooded: Mask
    averaged_db: Float
    """Mean over the bands of C-VV-equivalent sigma0, of the flood's looks."""
    averaged_change_db: Float
    """The same less that of the looks before."""
    l_change_db: Float
    """The change of L-HH alone."""
    pair: dict[str, Evidence]
    """Evidence by band, with the look before."""


def stand(seed: int, size: int = SIZE) -> Stand:
    """A simulated flood of `size` cells of 10 m a side, on the common grid."""
    ground = make_ground(size, seed)
    inner = ground.grid.padded(-64)
    grid = Grid(inner.origin_x, inner.origin_y, PIXEL, size // 3, size // 3)
    looks = {
        window: [radar(ground, grid, band, window, seed) for band in ("C", "L")] for window in ("before", "during")
    }
    means = {
        window: np.mean([harmonize(look, BELIEF.log_odds).level for look in pair], axis=0)
        for window, pair in looks.items()
    }
    forest = area_average((ground.land_cover == SimulatedCover.FOREST).astype(float), ground.grid, grid) > 0.99
    wet = area_average((ground.during.depth > 0.0).astype(float), ground.grid, grid)
    seen = np.isfinite(means["during"] + means["before"]) & ((wet < 0.01) | (wet > 0.99))
    return Stand(
        forest & seen,
        forest & seen & (wet > 0.99),
        means["during"],
        means["during"] - means["before"],
        decibels(looks["during"][1]) - decibels(looks["before"][1]),
        {
            now.band: weigh_radar(now.band, now, past)
            for now, past in zip(looks["during"], looks["before"], strict=True)
        },
    )


def radar(ground: GroundState, grid: Grid, band: BandName, window: Window, seed: int) -> RadarBundle:
    """One look of one band on the common grid: gamma0 with noise and speckle."""
    track = (sentinel1_pass if band == "C" else alos2_pass)(seed)
    gamma0, angle = ground_gamma0(ground, window, band, track, seed)
    stream = random_stream(seed, f"flooded forest {band} {window}")
    power, noise = {}, {}
    for name, values in gamma0.items():
        noise[name] = float(10.0 ** (NOISE_DB[band][name] / 10.0))
        mean = area_average(values, ground.grid, grid) + noise[name]
        power[name] = (mean * stream.gamma(LOOKS[band], 1.0 / LOOKS[band], grid.shape)).astype(np.float32)
    reasons = np.zeros(grid.shape, dtype=np.uint16)
    angles = area_average(angle, ground.grid, grid)
    time = datetime(2024, 2, 12, tzinfo=UTC)
    return RadarBundle(band, power, "gamma0", angles, ANGLES[band], noise, False, LOOKS[band], reasons, time)


def decibels(look: RadarBundle) -> Float:
    return np.asarray(10.0 * np.log10(look.power[copolar(look.power)]), dtype=np.float32)


def summed(evidence: dict[str, Evidence], bands: tuple[Band, ...], neighbours: bool = True) -> Float:
    """(2, y, x) log-odds by the prior and the doubted evidence of some bands; without neighbours pixel by pixel."""
    told = [evidence[band] if neighbours else replace(evidence[band], stand=0) for band in bands]
    return combine(BELIEF.log_odds[:, None, None], [contribution(one, 0.0, BELIEF, 0.0) for one in told])


def wet_by_evidence(evidence: dict[str, Evidence], bands: tuple[Band, ...], neighbours: bool = True) -> Mask:
    """Where wet is likelier than dry."""
    return np.asarray(state_probabilities(summed(evidence, bands, neighbours))[0] < 0.5)


def scores(found: Mask, flooded: Mask, forest: Mask) -> tuple[float, float, float]:
    """Recall, precision and intersection over union of the flooded forest, over the forest."""
    hit = float((found & flooded).sum())
    told, union = float((found & forest).sum()), float(((found & forest) | flooded).sum())
    return hit / float(flooded.sum()), hit / told if told else 0.0, hit / union


def ways(one: Stand) -> Iterator[tuple[str, Mask]]:
    """Every way to a map of flooded forest, by name."""
    yield "averaged dB, below -16 dB", one.averaged_db < -16.0
    for name, level in levels(one).items():
        yield f"{name}, best threshold", best_threshold(level, one)
        yield f"{name}, 3 x 3 means, best threshold", best_threshold(smoothed(level), one)
    yield "evidence of C + L, pixel by pixel, best threshold", best_threshold(summed(one.pair, BOTH, False)[1], one)
    yield "evidence of C + L, pixel by pixel", wet_by_evidence(one.pair, BOTH, False)
    for chosen in (("C",), ("L",), BOTH):
        yield f"evidence of {' + '.join(chosen)}, with neighbours", wet_by_evidence(one.pair, chosen)


def levels(one: Stand) -> dict[str, Float]:
    return {
        "averaged dB": one.averaged_db,
        "change of averaged dB": one.averaged_change_db,
        "change of L-HH dB alone": one.l_change_db,
    }


def smoothed(level: Float) -> Float:
    return np.asarray(ndimage.uniform_filter(np.nan_to_num(level, nan=-40.0), 3), dtype=np.float32)


def best_threshold(level: Float, one: Stand) -> Mask:
    """The map of the threshold, above or below, that the truth itself would choose."""
    limits = np.quantile(level[one.forest], np.linspace(0.005, 0.995, 199))
    maps = [sign * level > sign * limit for limit in limits for sign in (1.0, -1.0)]
    return max(maps, key=lambda found: scores(found, one.flooded, one.forest)[2])


def table() -> dict[str, NDArray[np.float64]]:
    """Mean recall, precision and IoU of every way over the simulated floods."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in SEEDS:
        one = stand(seed)
        for name, wet in ways(one):
            found.setdefault(name, []).append(scores(wet, one.flooded, one.forest))
    return {name: np.mean(rows, axis=0) for name, rows in found.items()}


def main() -> None:
    print(f"mean of {len(SEEDS)} simulated floods, {SIZE // 3}² pixels of {PIXEL:.0f} m, forest only\n")
    print("| way | recall | precision | IoU |\n|---|---|---|---|")
    for name, row in table().items():
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


if __name__ == "__main__":
    main()
