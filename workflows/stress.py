"""`overbank stress`: simulated floods made worse step by step; which method holds, and where a rule overtakes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from harmonization.simulate.ground import make_ground
from pipeline.job import load_job
from pipeline.science import Science, load_science
from pipeline.stress import Point, curves, ways_of
from pipeline.stress_degrade import STRESSES, Stress
from pipeline.stress_site import Site, site_of
from workflows.simulate import TRUTH, job_text, simulate
from workflows.stress_figure import draw_curves
from workflows.stress_tables import write_crossings, write_points, write_report

FIRST_SEED = 3000
"""Away from the seeds of training, demos and tests."""


def stress(
    weights: Sequence[Path],
    out: Path,
    *,
    scenes: int = 5,
    size: int = 256,
    first_seed: int = FIRST_SEED,
    stresses: Sequence[Stress] = STRESSES,
    rules: Sequence[str] = (),
    device: str = "auto",
    say: Callable[[str], None] = lambda _: None,
) -> list[Point]:
    """Write `curves.csv crossings.csv stress.md stress.png` into `out`; the points of all curves.

    Args:
        weights: checkpoints: of a network or, with `late.json`, of experts and the rules that join them.
        out: folder.
        scenes: simulated floods, seeds from `first_seed` on.
        size: pixels of 10 m a side.
        stresses: those that are tried.
        rules: of late fusion; none is all of them.
        device: where networks run.
        say: takes a line of progress.
    """
    science = load_science("2026-11")
    ways = ways_of(weights, science, device, rules)
    sites = []
    for seed in range(first_seed, first_seed + scenes):
        say(f"simulate: seed {seed}")
        sites.append(simulated_site(seed, size, science))
    points: list[Point] = []
    for point in curves(sites, stresses, ways, science):
        if not points or (point.stress, point.level) != (points[-1].stress, points[-1].level):
            say(f"{point.stress}: {point.level:g}")
        points.append(point)
    out.mkdir(parents=True, exist_ok=True)
    write_points(out / "curves.csv", points)
    networks = [name for way in ways if way.learned for name in way.names]
    write_crossings(out / "crossings.csv", points, networks)
    write_report(out / "stress.md", points, stresses, networks, scenes, size)
    draw_curves(out / "stress.png", points, stresses, networks)
    return points


def simulated_site(seed: int, size: int, science: Science) -> Site:
    """A simulated flood under a clear sky, elevation known, as bundles."""
    ground = make_ground(size, seed)
    surface = ground.during
    wind = np.where(surface.depth > 0.0, surface.wind_speed * (1.0 - ground.canopy_fraction), np.nan)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        simulate(folder, size, seed, cloud_cover=0.0)
        job = folder / "stress.yaml"
        job.write_text(job_text(seed, elevation=True), encoding="utf-8")
        return site_of(load_job(job), science, folder / TRUTH, wind[ground.inner].astype(np.float32), seed)
