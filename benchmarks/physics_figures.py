"""Figures of docs/physics.md: `python -m benchmarks.physics_figures` writes docs/figures/*.png."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from benchmarks.flooded_forest import BOTH, best_threshold, scores, smoothed, stand, wet_by_evidence
from harmonization.bundle import Band, RadarBundle
from harmonization.classes import BACKSCATTER, REFERENCE_ANGLE
from harmonization.dielectric import soil_permittivity, water_permittivity
from harmonization.evidence import Belief, doubt_states, relax_states
from harmonization.incidence import class_mean
from harmonization.radar.evidence import weigh_radar
from harmonization.reasons import Reason
from harmonization.scattering.canopy import OPAQUE_CROWN, LikePolarization, canopy
from harmonization.scattering.soil import oh_1992
from harmonization.scattering.two_scale import two_scale

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "figures"
FREQUENCY = {"C": 5.405, "L": 1.2575}
COLOURS = {
    "open_water": "#1f5fa8",
    "bare_dry": "#b5843c",
    "bare_wet": "#6d4a1f",
    "grass_crop": "#7fb04a",
    "forest": "#1e6b34",
    "flooded_forest": "#a0338f",
    "urban": "#777777",
}
CHANNELS: tuple[tuple[Band, str, float], ...] = (("C", "VV", -24.0), ("L", "HH", -28.0))
LEVELS = np.linspace(-30.0, 2.0, 321)


def backscatter_against_angle() -> Figure:
    """The class table at C-VV and L-HH, with the spread of water; dotted: the models that it came from."""
    figure, axes = paper(2, sharey=True)
    angle = np.linspace(27.0, 48.0, 64)
    for axis, (band, polarization, _) in zip(axes, CHANNELS, strict=True):
        channel = f"{band}-{polarization}"
        for name, colour in COLOURS.items():
            prior = BACKSCATTER[name][channel]
            mean = class_mean(prior, angle, "sigma0")
            axis.plot(angle, mean, color=colour, label=name.replace("_", " "))
            if name == "open_water":
                axis.fill_between(angle, mean - prior.std, mean + prior.std, color=colour, alpha=0.12, lw=0)
        for name, power in models(band, polarization, angle).items():
            axis.plot(angle, 10 * np.log10(power), ":", color=COLOURS[name])
        label(axis, channel, "incidence (degrees)", "sigma0 (dB)" if band == "C" else "")
    axes[0].set_ylim(-34, -1)
    axes[0].legend(fontsize=6, ncols=3, loc="lower left")
    return figure


def models(band: Band, polarization: str, angle: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """sigma0 of the forward models, linear, by the class that they stand for: two-scale water at 5 m/s, smooth soil
    dry and wet by Oh 1992, a stand of tau_L 0.4."""
    frequency = FREQUENCY[band]
    like: LikePolarization = "HH" if polarization == "HH" else "VV"
    stand = canopy(frequency, like, OPAQUE_CROWN[f"{band}-{polarization}"], 0.4, angle)
    return {
        "open_water": two_scale(frequency, water_permittivity(frequency, 20.0), 5.0, angle)[polarization],
        "bare_dry": oh_1992(frequency, soil_permittivity(frequency, 0.08), 0.01, angle)[polarization],
        "bare_wet": oh_1992(frequency, soil_permittivity(frequency, 0.35), 0.01, angle)[polarization],
        "forest": stand.dry,
        "flooded_forest": stand.flooded,
    }


def evidence_of_one_look() -> Figure:
    """Nats against the level of one look, ten looks, at the reference angle; grey: smooth dry ground."""
    figure, axes = paper(2, sharey=True)
    for axis, (band, polarization, noise_db) in zip(axes, CHANNELS, strict=True):
        told = weigh_radar("radar", one_row(band, polarization, noise_db))
        axis.plot(LEVELS, told.llr[0, 0], color=COLOURS["open_water"], label="open water : dry")
        axis.plot(LEVELS, told.llr[1, 0], color=COLOURS["flooded_forest"], label="flooded vegetation : dry")
        if told.ceiling is not None:
            axis.plot(LEVELS, told.held[0, 0], color=COLOURS["open_water"], ls=":", label="open water : dry, as used")
        smooth = (told.reasons[0] & Reason.SMOOTH_DRY) > 0
        axis.fill_between(LEVELS, -14, 14, where=smooth, color="#999999", alpha=0.35, lw=0, label="SMOOTH_DRY")
        axis.axhline(0.0, color="black", lw=0.5)
        axis.axvline(noise_db, color="black", lw=0.5, ls="--")
        axis.set_ylim(-10, 8)
        label(axis, f"{band}-{polarization}", "gamma0 with noise (dB)", "evidence (nat)" if band == "C" else "")
    axes[1].legend(fontsize=6, loc="lower left")
    return figure


def cap_of_aged_evidence() -> Figure:
    """The most that evidence can be worth by its age, wet and dry, with and without doubt."""
    figure, axes = paper(1)
    hours = np.linspace(0.0, 240.0, 121)
    sure = np.array([[1e4, -1e4], [-1e4, -1e4]], dtype=np.float32)
    belief = Belief(water=0.05, vegetation=1e-9)
    for crossover, style in ((0.0, ":"), (belief.doubt, "-")):
        told = np.stack([relax_states(doubt_states(sure, crossover), float(hour), belief)[0] for hour in hours])
        wet, dry = np.clip(told, -8, 8).T
        name = "doubt 0.02" if crossover else "no doubt"
        axes[0].plot(hours, wet, style, color=COLOURS["open_water"], label=f"was wet, {name}")
        axes[0].plot(hours, dry, style, color=COLOURS["bare_dry"], label=f"was dry, {name}")
    axes[0].axhline(0.0, color="black", lw=0.5)
    axes[0].set_ylim(-5, 7)
    axes[0].legend(fontsize=6)
    label(axes[0], "memory 72 h, prior of water 0.05", "age (hours)", "largest evidence (nat)")
    return figure


def flooded_forest_two_ways() -> Figure:
    """One simulated flood under trees: found by averaged decibels, and by the sum of evidence."""
    figure, axes = paper(2, sharey=True)
    one = stand(5)
    maps = {
        "averaged dB of C and L, 3 x 3 means,\nthreshold chosen by the truth": best_threshold(
            smoothed(one.averaged_db), one
        ),
        "evidence of C + evidence of L,\nwith the look before": wet_by_evidence(one.pair, BOTH),
    }
    colours = ListedColormap(["#f5f1e6", "#b9d3b0", "#1b7837", "#d6604d", "#e6ab02"])
    for axis, (title, found) in zip(axes, maps.items(), strict=True):
        codes = np.where(one.forest, np.select([one.flooded & found, one.flooded, found], [2, 3, 4], 1), 0)
        axis.imshow(codes, cmap=colours, vmin=-0.5, vmax=4.5, interpolation="nearest")
        recall, precision, union = scores(found, one.flooded, one.forest)
        axis.set_title(title, fontsize=8)
        axis.set_xlabel(f"recall {recall:.2f}, precision {precision:.2f}, IoU {union:.2f}", fontsize=7)
        axis.set_xticks([])
        axis.set_yticks([])
    names = ("no forest", "dry forest", "flooded, found", "flooded, missed", "dry, called flooded")
    marks = [Patch(color=colours(code), label=name) for code, name in enumerate(names)]
    figure.legend(handles=marks, fontsize=6, ncols=5, loc="outside lower center")
    return figure


def one_row(band: Band, polarization: str, noise_db: float) -> RadarBundle:
    shape = (1, LEVELS.size)
    power = (10.0 ** (LEVELS / 10.0)).astype(np.float32).reshape(shape)
    angle: NDArray[np.float32] = np.full(shape, REFERENCE_ANGLE, dtype=np.float32)
    noise = {polarization: float(10.0 ** (noise_db / 10.0))}
    time = datetime(2024, 1, 1, tzinfo=UTC)
    none = np.zeros(shape, dtype=np.uint16)
    return RadarBundle(band, {polarization: power}, "gamma0", angle, (30.0, 45.0), noise, False, 10.0, none, time)


def paper(columns: int, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(3.6 * columns, 3.0), layout="constrained")
    axes = figure.subplots(1, columns, sharey=sharey, squeeze=False)
    return figure, list(axes[0])


def label(axis: Axes, title: str, across: str, up: str) -> None:
    axis.set_title(title, fontsize=8)
    axis.set_xlabel(across, fontsize=7)
    axis.set_ylabel(up, fontsize=7)
    axis.tick_params(labelsize=7)
    axis.grid(lw=0.3)


def main() -> None:
    matplotlib.use("Agg")
    FOLDER.mkdir(parents=True, exist_ok=True)
    drawings = (backscatter_against_angle, evidence_of_one_look, cap_of_aged_evidence, flooded_forest_two_ways)
    for draw in drawings:
        path = FOLDER / f"{draw.__name__}.png"
        # No software name and version inside: the same figure is the same file.
        draw().savefig(path, dpi=110, metadata={"Software": None})
        print(f"docs/figures/{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
