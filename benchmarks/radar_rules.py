"""Which threshold, filter and class prior map simulated open water best, by wind.

    python -m benchmarks.radar_rules

The ground of the simulator with the wind of the flood window set everywhere; C-VV, 4.4 looks, 3 × 3 averages; four
seeds of 512 × 512 pixels. Truth: open water, usual or flood. Mean over the seeds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from scipy.special import expit

from harmonization.bimodality import BimodalTiles, bimodal_tiles
from harmonization.bundle import RadarBundle
from harmonization.calibration import decibel
from harmonization.class_means import intensity_level, power_level, water_priors
from harmonization.classes import BACKSCATTER, STATES, Backscatter
from harmonization.incidence import class_mean
from harmonization.radar.evidence import weigh_radar
from harmonization.simulate.ground import make_ground, truth_map
from harmonization.simulate.radar import S1_LOOKS, S1_NOISE_DB, ground_gamma0, sentinel1_pass
from harmonization.speckle import multilook
from harmonization.speckle_filters import lee_filter, refined_lee_filter
from harmonization.thresholds import bayes_threshold, kittler_illingworth_threshold, otsu_threshold

SIDE, HALF, LOOKS, SEEDS, DARKEST = 512, 256, 36.0, range(4), -16.0
WINDS = (2.0, 5.0, 8.0, 10.0)
NOISE = 10.0 ** (S1_NOISE_DB["VV"] / 10.0)


def scene(seed: int, wind: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Single-pixel power, local angle, and open water."""
    ground = make_ground(SIDE, seed)
    calm = replace(ground.during, wind_speed=np.full_like(ground.during.wind_speed, wind))
    ground = replace(ground, during=calm)
    gamma0, angle = ground_gamma0(ground, "during", "C", sentinel1_pass(seed), seed)
    speckle = np.random.default_rng(seed).gamma(S1_LOOKS, 1.0 / S1_LOOKS, angle.shape)
    power = ((gamma0["VV"] + NOISE) * speckle - NOISE).astype(np.float32)
    return power[ground.inner], angle[ground.inner].astype(np.float32), np.isin(truth_map(ground), (1, 3))


def bundle(power: np.ndarray, angle: np.ndarray, window: tuple[slice, slice]) -> RadarBundle:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    flags = np.zeros(power[window].shape, dtype=np.uint16)
    return RadarBundle(
        "C", {"VV": power[window]}, "gamma0", angle[window], (29.0, 46.0), {"VV": NOISE}, True, LOOKS, flags, at, 5
    )


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def thresholds(tiles: BimodalTiles) -> dict[str, float]:
    low, high = (tiles.modes.low_mean, tiles.modes.low_std), (tiles.modes.high_mean, tiles.modes.high_std)
    splits = {
        "Otsu": otsu_threshold(tiles.counts),
        "Kittler-Illingworth": kittler_illingworth_threshold(tiles.counts),
        "Bayes of the fitted modes": bayes_threshold(low, high, tiles.modes.low_share),
    }
    return {name: float(np.nanmedian(values)) for name, values in splits.items()}


def judged(whole: RadarBundle, truth: np.ndarray) -> tuple[float, float]:
    """Overlap, and calibration error in 20 bins of equal count, at the true share."""
    odds = weigh_radar("s", whole).llr[0].astype(np.float64) + np.log(truth.mean() / (1.0 - truth.mean()))
    believed, happened = expit(odds).ravel(), truth.ravel()
    parts = np.array_split(np.argsort(believed, kind="stable"), 20)
    error = sum(part.size * abs(believed[part].mean() - happened[part].mean()) for part in parts) / truth.size
    return overlap(odds > 0, truth), float(error)


def dry_too(tiles: BimodalTiles, angle: float) -> dict[str, Backscatter]:
    """What is not done: every dry class moved by the shrunk difference of the upper modes to the mixture's mean."""
    pixels = tiles.counts.sum(axis=-1) * (1.0 - tiles.modes.low_share)
    table = {name: BACKSCATTER[name]["C-VV"] for name in STATES["dry"]}
    expected = sum(share * float(class_mean(table[name], angle, "gamma0")) for name, share in STATES["dry"].items())
    samples = pixels.sum() / 25.0
    shift = samples / (samples + 500.0) * (np.average(tiles.modes.high_mean, weights=pixels) - expected)
    return {name: replace(prior, mean=prior.mean + float(np.clip(shift, -2.5, 2.5))) for name, prior in table.items()}


def rows(seed: int, wind: float) -> dict[str, tuple[float, ...]]:
    raw, angle, truth = scene(seed, wind)
    power = multilook(raw, 3)
    halves = [slice(0, HALF), slice(HALF, SIDE)]
    windows = [bundle(power, angle, (row, column)) for row in halves for column in halves]
    images = {"3 × 3": power, "3 × 3, then Lee": lee_filter(power, LOOKS), "Lee": lee_filter(raw, S1_LOOKS)}
    images["refined Lee"] = refined_lee_filter(raw, S1_LOOKS)
    found: dict[str, tuple[float, ...]] = {}
    for name, image in images.items():
        levels = [power_level(bundle(image, angle, (row, column)), "VV") for row in halves for column in halves]
        tiles = bimodal_tiles(levels, DARKEST)
        splits = thresholds(tiles) if len(tiles) else {"Otsu": np.nan}
        for split, limit in splits.items() if name == "3 × 3" else [("Otsu", splits["Otsu"])]:
            found[f"rule, {name}, {split}"] = (overlap(image < 10.0 ** (limit / 10.0), truth), limit)
    whole = bundle(power, angle, (slice(None), slice(None)))
    tiles = bimodal_tiles([intensity_level(window, "VV") for window in windows], float(decibel(10**-1.6 + NOISE)))
    water = {"open_water": water_priors(windows, tiles)["VV"]} if len(tiles) else {}
    found["evidence, class table"] = judged(whole, truth)
    found["evidence, water of the scene"] = judged(replace(whole, priors={"VV": water}), truth)
    both = water | dry_too(tiles, float(np.nanmean(angle))) if len(tiles) else water
    found["evidence, dry land too"] = judged(replace(whole, priors={"VV": both}), truth)
    return found


def main() -> None:
    print("rule: IoU (threshold in dB); evidence: IoU (expected calibration error)\n")
    print("| way | " + " | ".join(f"{wind:g} m/s" for wind in WINDS) + " |")
    print("|---" * (len(WINDS) + 1) + "|")
    table = {wind: [rows(seed, wind) for seed in SEEDS] for wind in WINDS}
    for way in table[WINDS[0]][0]:
        cells = []
        for wind in WINDS:
            values = np.array([row[way] for row in table[wind] if way in row])
            mean = np.nanmean(values, axis=0) if np.isfinite(values).any() else (np.nan, np.nan)
            cells.append(f"{mean[0]:.3f} ({mean[1]:.{2 if way.startswith('rule') else 4}f})")
        print(f"| {way} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
