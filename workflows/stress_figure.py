"""Degradation curves as small multiples, one panel a stress."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from pipeline.stress import Point
from pipeline.stress_degrade import Stress
from workflows.stress_tables import scores

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Of networks (Okabe and Ito 2008): told apart by readers who see red and green alike."""
DASHES = ("-", "--", ":")
FIXED: dict[str, dict[str, Any]] = {
    "physics": {"color": "black", "linewidth": 2.0},
    "ndwi": {"color": "black", "linestyle": ":"},
    "radar_threshold": {"color": "black", "linestyle": "--"},
    "physics of c_band": {"color": "0.6", "linewidth": 1.0},
    "physics of l_band": {"color": "0.6", "linewidth": 1.0, "linestyle": "--"},
    "physics of optical": {"color": "0.6", "linewidth": 1.0, "linestyle": ":"},
}
ACROSS = 5
"""Panels a row."""


def draw_curves(path: Path, points: Sequence[Point], stresses: Sequence[Stress], networks: Sequence[str]) -> None:
    """Write the figure: flood IoU over level, every method in the same colour and dash everywhere."""
    down = -(-len(stresses) // ACROSS)
    figure = Figure(figsize=(3.0 * ACROSS, 2.9 * down + 1.2), layout="constrained")
    panels = figure.subplots(down, ACROSS, sharey=True, squeeze=False).ravel()
    for panel in panels[len(stresses) :]:
        panel.set_axis_off()
    for panel, stress in zip(panels, stresses, strict=False):
        for method, (levels, values) in scores(points, stress.name).items():
            panel.plot(levels, values, label=method, marker=".", markersize=4, **_style(method, networks))
        panel.set_title(stress.name, fontsize=10)
        panel.set_xlabel(stress.unit, fontsize=8)
        panel.set_ylim(0.0, 1.0)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.3)
    for row in range(down):
        panels[row * ACROSS].set_ylabel("flood IoU", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncol=6, fontsize=8, frameon=False)
    figure.savefig(path, dpi=110)


def _style(method: str, networks: Sequence[str]) -> dict[str, Any]:
    if method in FIXED:
        return FIXED[method]
    index = list(networks).index(method)
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index // len(COLOURS) % len(DASHES)]}
