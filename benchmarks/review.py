"""What fifty verdicts are worth on simulated floods whose delivered network is biased.

    python -m benchmarks.review --root DIR [--events 8] [--first-seed 301] [--size 256] [--draws 3] [--out FILE]

Events are simulated and mapped below `--root` by rules, physics and the early network (kept, and used again). Then the
network is biased: its log-odds are shifted or scaled everywhere, or over one land cover of the simulated ground, and
its map is the one delivered. Verdicts are the commonest class of the truth in each polygon. Held against each other:
the map as it was; fifty polygons as `overbank review export` chooses them, forty by what they are worth and ten at
random; the same without weighing for the selection; fifty drawn at random by area. IoU of flood over the whole map, and
the calibration error of its probability over all that it observed: both by the truth, which no refit saw. Beside them,
the IoU that the verdicts left out told of.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import geopandas
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.special import expit

from harmonization.simulate.ground import SimulatedCover, make_ground
from models.judging.calibrate import expected_calibration_error
from pipeline.layers import KINDS, layer
from pipeline.ledger import appearing
from pipeline.review.candidates import candidates_of
from pipeline.review.experts import FLOOD, expert_names, log_odds_of_percent
from pipeline.review.judged import judged_pixels, judged_polygons
from pipeline.review.learn import learned
from pipeline.review.package import export_record
from pipeline.review.remap import Review, reviewed_layers
from pipeline.review.selection import inclusion, selected, systematic
from pipeline.review.verdicts import Verdicts
from pipeline.review.version import replace_layers
from pipeline.run_folder import RunFolder, UnitFolder, open_run
from workflows.map import map_flood
from workflows.review import BELIEVED
from workflows.simulate import TRUTH, job_text, simulate

NETWORK = "early"
BUDGET, AT_RANDOM = 50, 10
AS_IT_WAS = "as it was"
WORDS = ("dry", "flood", "vegetation", "permanent water")
"""Verdicts by codes of the truth."""
Real = NDArray[np.float32]
Codes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Place:
    """A biased run and its truth."""

    run: RunFolder
    truth: Codes
    """(y, x) on the grid of the run's one unit."""

    @property
    def unit(self) -> UnitFolder:
        (only,) = self.run.units
        return only


@dataclass(frozen=True)
class Score:
    """Of a whole map, by its truth."""

    iou: float
    ece: float
    told: float = np.nan
    """IoU as the verdicts that were left out tell it."""


BIASES: dict[str, Callable[[Real, Codes], Real]] = {
    "none": lambda nats, _: nats,
    "+1.5 nats": lambda nats, _: nats + 1.5,
    "−2 nats": lambda nats, _: nats - 2.0,
    "too sure (× 2) and +1": lambda nats, _: 2.0 * nats + 1.0,
    "too shy (× 0.5) and −1": lambda nats, _: 0.5 * nats - 1.0,
    "+2.5 nats on crops": lambda nats, cover: nats + 2.5 * (cover == SimulatedCover.CROP),
    "−2.5 nats in forest": lambda nats, cover: nats - 2.5 * (cover == SimulatedCover.FOREST),
}


def mapped(root: Path, seed: int, size: int) -> Path:
    """The folder of an event: its catalog and its run."""
    folder = root / f"event-{seed}"
    if not (folder / "run" / "run.json").is_file():
        if not (folder / "catalog").is_dir():
            with appearing(folder / "catalog") as draft:
                simulate(draft, size, seed)
        methods = ["ndwi", "radar_threshold", "physics", NETWORK]
        (folder / "job.yaml").write_text(job_text(seed, folder="catalog/", methods=methods, elevation=True))
        map_flood(folder / "job.yaml", folder / "run", device="cpu")
    return folder


@cache
def _cover(seed: int, size: int) -> Codes:
    ground = make_ground(size, seed, True)
    return ground.land_cover[ground.inner]


def biased(folder: Path, seed: int, size: int, name: str) -> Place:
    """The event's run with the network's map biased, and delivered."""
    target = folder / "biased"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder / "run", target)
    (unit,) = open_run(target).units
    with rasterio.open(folder / "catalog" / TRUTH) as source:
        truth, affine = source.read(1), source.transform
    place = np.s_[
        round((unit.box.affine.f - affine.f) / affine.e) :, round((unit.box.affine.c - affine.c) / affine.a) :
    ]
    rows, columns = unit.box.shape.yx
    truth, cover = (whole[place][:rows, :columns] for whole in (truth, _cover(seed, size)))
    _bias(unit, lambda nats: BIASES[name](nats, cover))
    return Place(open_run(target), truth)


def _bias(unit: UnitFolder, change: Callable[[Real], Real]) -> None:
    percent, codes = unit.read(f"probability/{NETWORK}")[0], unit.read(f"methods/{NETWORK}")[0]
    seen = (percent <= 100) & (unit.read("reference_water")[0] != 1)
    new = np.where(seen, np.round(100.0 * expit(change(log_odds_of_percent(percent)))), percent).astype(np.uint8)
    judged = np.isin(codes, (0, *FLOOD))
    classes = np.where(judged, np.where(new > 50, np.maximum(codes, 1), 0), codes)
    kind, share = KINDS["flood_class"], KINDS["flood_probability"]
    made = {
        f"methods/{NETWORK}": layer(NETWORK, classes, kind=kind),
        f"probability/{NETWORK}": layer(NETWORK, new, kind=share),
        "flood_class": layer("flood_class", classes, kind=kind),
        "flood_probability": layer("flood_probability", new, kind=share),
    }
    item = json.loads(json.dumps(unit.item))
    item["properties"]["overbank:delivered"] = NETWORK
    replace_layers(unit.path, item, made, unit)
    (unit.path / f"{unit.id}.json").write_text(json.dumps(item), encoding="utf-8")


def at_random(candidates: geopandas.GeoDataFrame, seed: int) -> geopandas.GeoDataFrame:
    """Fifty polygons drawn by area alone."""
    chance = inclusion(candidates["area_km2"].to_numpy(dtype=np.float64), BUDGET)
    rows = systematic(chance, np.random.default_rng(seed).random())
    return candidates.iloc[rows].assign(score=0.0, stratum="random", probability=chance[rows])


def judged_by_truth(place: Place, drawn: geopandas.GeoDataFrame) -> Verdicts:
    """The commonest class of the truth in each polygon."""
    record = export_record(place.run, drawn, {"observed_km2": 0.0, "frame_km2": 0.0, "candidates": 0}, (BUDGET, 0, 0))
    said = {}
    for name, shape in zip(record.polygons, drawn.geometry, strict=True):
        inside = rasterize([shape], out_shape=place.truth.shape, transform=place.unit.box.affine, fill=0)
        said[name] = WORDS[np.bincount(place.truth[inside == 1], minlength=4)[:4].argmax()]
    return Verdicts(record, said, {}, (), (), "")


def scores(place: Place, classes: Codes, percent: Codes) -> Score:
    """IoU of flood and calibration error over all that was observed."""
    true, seen, found = np.isin(place.truth, FLOOD), percent <= 100, np.isin(classes, FLOOD)
    union = (found | true).sum()
    error = expected_calibration_error(percent[seen] / 100.0, true[seen])
    return Score(float((found & true).sum() / union) if union else 1.0, float(error))


def ways(place: Place, draws: int) -> Iterator[tuple[str, Score]]:
    """Scores of each way, a draw at a time."""
    unit = place.unit
    yield AS_IT_WAS, scores(place, unit.read("flood_class")[0], unit.read("flood_probability")[0])
    candidates = candidates_of(place.run)
    for seed in range(draws):
        chosen = judged_by_truth(place, selected(candidates, BUDGET, AT_RANDOM, seed))
        yield "40 chosen + 10 random", after(place, chosen, weighed=True)
        yield "the same, not weighed", after(place, chosen, weighed=False)
        yield "50 random", after(place, judged_by_truth(place, at_random(candidates, seed)), weighed=True)


def after(place: Place, verdicts: Verdicts, weighed: bool) -> Score:
    """Scores of the map after a review."""
    names, polygons = expert_names(place.run), judged_polygons(verdicts)
    judged, _ = judged_pixels(place.run, names, polygons, verdicts)
    if not weighed:
        judged = replace(judged, stands_for=np.ones_like(judged.stands_for))
    fitted, lesson = learned(judged, BELIEVED)
    made = reviewed_layers(place.unit, Review(names, fitted, BELIEVED, polygons))
    told = lesson["scores_left_out"]["map"]["after" if lesson["refitted"] else "before"]
    found = scores(place, made["flood_class"].values[0], made["flood_probability"].values[0])
    return replace(found, told=np.nan if told["flood_iou"] is None else told["flood_iou"])


def table(root: Path, seeds: range, size: int, draws: int) -> Iterator[str]:
    """Rows of the table, Markdown."""
    yield "| bias of the network | way | IoU | IoU rose in | ECE | IoU told by verdicts left out |"
    yield "|---|---|---|---|---|---|"
    for name in BIASES:
        found: dict[str, list[list[Score]]] = defaultdict(list)
        for seed in seeds:
            place = biased(mapped(root, seed, size), seed, size, name)
            here: dict[str, list[Score]] = defaultdict(list)
            for way, score in ways(place, draws):
                here[way].append(score)
            for way, several in here.items():
                found[way].append(several)
        before = np.array([events[0].iou for events in found[AS_IT_WAS]])
        yield from (_row(name, way, events, before) for way, events in found.items())


def _row(name: str, way: str, events: list[list[Score]], before: NDArray[np.float64]) -> str:
    def mean(part: str) -> NDArray[np.float64]:
        return np.array([np.mean([getattr(one, part) for one in several]) for several in events])

    iou, ece, told = mean("iou"), mean("ece"), mean("told")
    row = f"| {name} | {way} | {iou.mean():.3f} |"
    if way == AS_IT_WAS:
        return f"{row} | {ece.mean():.3f} | |"
    off = np.nanmean(np.abs(told - iou))
    rose = f"{(iou > before).sum()} of {len(before)}"
    return f"{row} {rose} | {ece.mean():.3f} | {np.nanmean(told):.3f}, off by {off:.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--events", type=int, default=8)
    parser.add_argument("--first-seed", type=int, default=301)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--draws", type=int, default=3, help="Draws of polygons an event; scores are their mean.")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    lines = []
    for line in table(given.root, range(given.first_seed, given.first_seed + given.events), given.size, given.draws):
        print(line, flush=True)
        lines.append(line)
    if given.out is not None:
        given.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
