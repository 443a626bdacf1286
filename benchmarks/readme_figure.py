"""The picture of the README from a demo's folder: truth, the methods, and what the sensors saw.

python -m benchmarks.readme_figure demo docs/figures/demo.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import rasterio
from matplotlib.colors import BoundaryNorm, ListedColormap
from rasterio.merge import merge

from pipeline.layers import FLOOD_CLASSES

PANELS = (
    ("truth", "truth"),
    ("methods/ndwi", "NDWI rule"),
    ("methods/radar_threshold", "radar threshold"),
    ("methods/physics", "physics: sum of evidence"),
    ("methods/early", "early fusion network"),
    ("observed", "sensors that saw: 1, 2 or 3"),
)
SIDE = 360
"""Pixels a side of a panel."""


def mosaic(demo: Path, layer: str) -> np.ndarray:
    """One layer of all units, decimated by nearest value."""
    paths = sorted(demo.glob(f"run/units/*/{layer}.tif"))
    with rasterio.open(paths[0]) as first:
        step = first.transform.a
    values, _ = merge(paths, res=step)
    return values[0]


def panel(demo: Path, key: str) -> np.ndarray:
    if key == "truth":
        with rasterio.open(demo / "catalog" / "truth.tif") as source:
            return source.read(1)
    if key == "observed":
        bits = mosaic(demo, "observed_by")
        return (bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1)
    return mosaic(demo, key)


def main() -> None:
    demo, out = Path(sys.argv[1]), Path(sys.argv[2])
    codes = [code for code in FLOOD_CLASSES if code != 255]
    colours = ListedColormap([FLOOD_CLASSES[code][2] for code in codes])
    norm = BoundaryNorm(np.arange(len(codes) + 1) - 0.5, len(codes))
    figure, axes = plt.subplots(2, 3, figsize=(9, 6.6))
    for axis, (key, title) in zip(axes.ravel(), PANELS, strict=True):
        values = panel(demo, key)
        small = values[:: max(1, len(values) // SIDE), :: max(1, len(values) // SIDE)]
        if key == "observed":
            axis.imshow(small, cmap="cividis", vmin=0, vmax=3, interpolation="nearest")
        else:
            axis.imshow(np.where(small > 4, 4, small), cmap=colours, norm=norm, interpolation="nearest")
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    handles = [plt.Rectangle((0, 0), 1, 1, color=FLOOD_CLASSES[code][2]) for code in codes]
    figure.legend(
        handles, [FLOOD_CLASSES[code][1] for code in codes], ncol=3, loc="lower center", fontsize=8, frameon=False
    )
    figure.subplots_adjust(left=0.01, right=0.99, top=0.95, bottom=0.09, wspace=0.03, hspace=0.12)
    figure.savefig(out, dpi=90)


if __name__ == "__main__":
    main()
