"""Sen1Floods11: hand-labelled chips of Sentinel-1 and Sentinel-2, in the units and evidence of the flow.

Bonafilia et al. 2020, CVPR workshops: 446 chips of 512 × 512 pixels from 11 floods. What the chips do not say is
marginalized, as it is in the flow: they come without incidence angle, noise floor and scene classification.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from catalogs.records import Sensor
from harmonization.bundle import Bundle, Float, OpticalBundle, RadarBundle
from harmonization.calibration import power_from_decibel
from harmonization.evidence import Belief, estimate_prior
from harmonization.optical.clouds import spectral_reasons
from harmonization.optical.reflectance import NOMINAL_SUN_ZENITH, TOP_HAZE, without_rayleigh
from harmonization.reasons import Reason
from harmonization.speckle import equivalent_looks, multilook
from models.data.chips import UNKNOWN, Truth, write_chip
from models.inputs import ModelInput
from pipeline.decode_optical import OPTICAL_CELL_M
from pipeline.decode_radar import DECIBEL_RANGE, POINT_SPREAD
from pipeline.errors import DatasetError
from pipeline.methods import network_input
from pipeline.radar_angle import UNKNOWN_RANGE
from pipeline.radar_noise import DEFAULT_NOISE_DB
from pipeline.scene_water import scene_water
from pipeline.science import Science, load_science
from pipeline.training import CHIP_CHANNELS
from pipeline.weigh import SensorLook, settle, weigh

PIXEL_M = 10.0
"""Metres; the chips are in degrees, so a pixel is narrower from west to east, by the cosine of the latitude."""
RADAR_BANDS = {"VV": 1, "VH": 2}
OPTICAL_BANDS = {"blue": 2, "green": 3, "red": 4, "nir": 8, "cirrus": 11, "swir1": 12, "swir2": 13}
REFLECTANCE_SCALE = 1e-4
KINDS = ("S1Hand", "S2Hand", "LabelHand")
METADATA = "Sen1Floods11_Metadata.geojson"
UNDATED = datetime(2020, 1, 1, tzinfo=UTC)
"""Of both sensors where the metadata is missing: the chips were chosen for looks at most two days apart."""
ALL = "all"


class Sen1Floods11Source:
    """The hand-labelled chips, a group an event; each is weighed when it is read (seconds)."""

    def __init__(self, root: Path, split: str = ALL, science: str = "2026-11") -> None:
        """Find the chips, in the official folders (`S1Hand`, `S2Hand`, `LabelHand`) or side by side.

        Args:
            root: the folder that holds them, at any depth.
            split: "train", "valid", "test" or "bolivia" of the official lists (`flood_SPLIT_data.csv` below `root`);
                "all" for every chip.
            science: the method file.

        Raises:
            DatasetError: no chip, or no list of that split.
        """
        self.root, self.science = root, load_science(science)
        self.files: dict[str, dict[str, Path]] = {}
        for kind in KINDS:
            for path in sorted(root.rglob(f"*_{kind}.tif")):
                self.files.setdefault(path.name.removesuffix(f"_{kind}.tif"), {})[kind] = path
        chosen = None if split == ALL else _official(root, split)
        seen = (name for name, paths in sorted(self.files.items()) if set(paths) & {"S1Hand", "S2Hand"})
        self.names = [name for name in seen if chosen is None or name in chosen]
        if not self.names:
            raise DatasetError(
                f"{root}: holds no chip of the split {split!r}; looked for EVENT_NUMBER_S1Hand.tif and _S2Hand.tif"
            )
        self.groups = [name.partition("_")[0] for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def dates(self) -> dict[str, tuple[datetime, datetime]]:
        """By event, when Sentinel-1 and Sentinel-2 saw it, to the day."""
        path = next(iter(sorted(self.root.rglob(METADATA))), None)
        rows = [] if path is None else json.loads(path.read_text(encoding="utf-8"))["features"]
        told = [row["properties"] for row in rows]
        return {row["location"]: (_day(row["s1_date"]), _day(row["s2_date"])) for row in told}

    def read(self, index: int) -> tuple[ModelInput, Truth]:
        """Weigh one chip; in the truth 1 is water of any kind, 255 unknown (all of it where there is no label)."""
        paths, group = self.files[self.names[index]], self.groups[index]
        times = self.dates.get(group, (UNDATED, UNDATED))
        bundles: dict[Sensor, Bundle] = {}
        if "S1Hand" in paths:
            bundles["sentinel-1"] = radar_chip(_bands(paths["S1Hand"], RADAR_BANDS), self.science, times[0])
        if "S2Hand" in paths:
            bundles["sentinel-2"] = optical_chip(_bands(paths["S2Hand"], OPTICAL_BANDS), self.science, times[1])
        inputs = chip_input(bundles, self.science)
        return inputs, _truth(paths.get("LabelHand"), inputs.shape)


def write_sen1floods11_chips(root: Path, folder: Path, split: str = ALL, side: int = 256) -> int:
    """Write all chips to `folder`, cut into squares of `side` pixels, as a network learns from; return how many."""
    source, count = Sen1Floods11Source(root, split), 0
    for index, name in enumerate(source.names):
        inputs, truth = source.read(index)
        for row in range(0, inputs.shape[0] - side + 1, side):
            for column in range(0, inputs.shape[1] - side + 1, side):
                known = truth[row : row + side, column : column + side]
                if (known != UNKNOWN).any():
                    path = folder / f"{name}_{row}_{column}.npz"
                    write_chip(path, inputs.window(row, column, side, side), known)
                    count += 1
    if not count:
        raise DatasetError(f"{root}: no chip of {len(source)} has a label; look for EVENT_NUMBER_LabelHand.tif")
    return count


def radar_chip(decibels: Mapping[str, Float], science: Science, time: datetime) -> RadarBundle:
    """The bundle of (y, x) backscatter in dB by polarization: sigma0 of the ellipsoid, noise removed, angle unknown.

    The looks are measured, and the prior of open water is moved by the chip's own pixels, as `pipeline.prepare` does
    for a whole scene.
    """
    width, noise = science.multilook["C"], 10.0 ** (DEFAULT_NOISE_DB / 10.0)
    power = {name: multilook(_power(values), width) for name, values in decibels.items()}
    measured = equivalent_looks([power["VV"] + np.float32(noise)], width + POINT_SPREAD)
    dark = np.logical_and.reduce([np.isnan(values) for values in power.values()])
    told = RadarBundle(
        band="C",
        power=power,
        quantity="sigma0",
        angle=None,
        angle_range=UNKNOWN_RANGE,
        noise=dict.fromkeys(power, noise),
        denoised=True,
        looks=max(measured or 1.0, science.least_looks["C"]),
        reasons=np.where(dark, np.uint16(Reason.OUTSIDE_SWATH), np.uint16(0)).astype(np.uint16),
        time=time,
        cell=width + POINT_SPREAD,
    )
    priors = scene_water([told], science.darkest_land_db["C"]).priors
    return RadarBundle(**{**vars(told), "priors": priors})


def optical_chip(counts: Mapping[str, Float], science: Science, time: datetime) -> OpticalBundle:
    """The bundle of (y, x) top-of-atmosphere counts by band, 0 where unseen; clouds by the spectral test."""
    reflectance = {
        name: np.where(values > 0, values * np.float32(REFLECTANCE_SCALE), np.float32(np.nan))
        for name, values in counts.items()
    }
    reasons = spectral_reasons(reflectance, round(science.cloud_growth_m / PIXEL_M))
    clear = without_rayleigh(reflectance, NOMINAL_SUN_ZENITH)
    return OpticalBundle(clear, TOP_HAZE, "spectral", reasons, time, round(OPTICAL_CELL_M / PIXEL_M))


def chip_input(bundles: Mapping[Sensor, Bundle], science: Science) -> ModelInput:
    """Bundles of one grid to the input of a network, with the prior that the evidence itself speaks for."""
    at = next(iter(bundles.values())).time
    start = Belief(science.prior.water, science.prior.vegetation, science.memory_hours, science.doubt)
    weighed = {sensor: weigh(sensor, [bundle], [], at) for sensor, bundle in bundles.items()}
    looks: Mapping[Sensor, SensorLook] = settle(weighed, start)
    belief = start
    if science.prior.estimate:
        observed = np.any([look.evidence.observed for look in looks.values()], axis=0)
        parts = np.sum([look.contribution for look in looks.values()], axis=0)[:, observed]
        belief = estimate_prior(parts, start, (science.prior.water, science.prior.highest))
    return network_input(looks, belief.log_odds, channels=CHIP_CHANNELS)


def _bands(path: Path, bands: Mapping[str, int]) -> dict[str, Float]:
    with rasterio.open(path) as source:
        if source.count < max(bands.values()):
            raise DatasetError(f"{path}: has {source.count} bands, {max(bands.values())} are expected")
        return {name: source.read(number).astype(np.float32) for name, number in bands.items()}


def _power(decibels: Float) -> Float:
    """Linear power; NaN where a sample cannot be backscatter, exact 0 included."""
    with np.errstate(invalid="ignore"):
        real = (decibels != 0) & (decibels > DECIBEL_RANGE[0]) & (decibels < DECIBEL_RANGE[1])
    return np.where(real, power_from_decibel(np.where(real, decibels, 0.0)), np.nan).astype(np.float32)


def _truth(path: Path | None, shape: tuple[int, int]) -> Truth:
    if path is None:
        return np.full(shape, UNKNOWN, dtype=np.uint8)
    with rasterio.open(path) as source:
        labels: NDArray[np.int16] = source.read(1)
    return np.where(np.isin(labels, (0, 1)), labels, UNKNOWN).astype(np.uint8)


def _official(root: Path, split: str) -> set[str]:
    """Chips of a list whose rows begin with "EVENT_NUMBER_S1Hand.tif"."""
    path = next(iter(sorted(root.rglob(f"flood_{split}_data.csv"))), None)
    if path is None:
        raise DatasetError(f"{root}: has no flood_{split}_data.csv; give the official lists, or the split {ALL!r}")
    with path.open(newline="", encoding="utf-8") as file:
        return {Path(row[0]).name.removesuffix("_S1Hand.tif") for row in csv.reader(file) if row}


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y/%m/%d").replace(tzinfo=UTC)
