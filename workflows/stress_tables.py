"""What a stress found, as tables: every point, the crossings, and a page to read."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.stress import Point, leads
from pipeline.stress_degrade import Stress

NEVER, ALWAYS = "never", "always"


def write_points(path: Path, points: Sequence[Point]) -> None:
    """One row a method, stress and level."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("stress", "level", "method", "flood_iou", "lowest_scene", "highest_scene", "answered"))
        for one in points:
            low, high = one.range or (None, None)
            row = (_number(value) for value in (one.flood_iou, low, high, one.answered))
            writer.writerow((one.stress, f"{one.level:g}", one.method, *row))


def write_crossings(path: Path, points: Sequence[Point], networks: Sequence[str]) -> None:
    """One row a network, what needs no weights, and stress: at which levels the latter is as good."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("stress", "network", "other", "as_good"))
        writer.writerows(_crossings(points, networks))


def write_report(
    path: Path, points: Sequence[Point], stresses: Sequence[Stress], networks: Sequence[str], scenes: int, size: int
) -> None:
    """A page: flood IoU by stress, then the crossings with physics and the rules."""
    lines = [
        "# Stress",
        "",
        f"Pooled flood IoU over {scenes} simulated floods of {size} x {size} pixels, clear sky and elevation known, "
        "over pixels that any sensor saw and that are not always water. Where a method has nothing to go by it says "
        "nothing, which counts as dry.",
    ]
    for stress in stresses:
        lines += ["", f"## {stress.name} ({stress.unit})", "", *_curves(points, stress)]
    lines += ["", "## When to trust which", "", *_when(points, stresses, networks)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def scores(points: Sequence[Point], stress: str) -> dict[str, tuple[list[float], list[float]]]:
    """By method, levels and flood IoU of one stress; a level without flood or sensor is left out."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for one in points:
        score = one.flood_iou
        if one.stress == stress and score is not None:
            levels, values = found.setdefault(one.method, ([], []))
            levels.append(one.level)
            values.append(score)
    return found


def _curves(points: Sequence[Point], stress: Stress) -> Iterator[str]:
    yield "| method | " + " | ".join(f"{level:g}" for level in stress.levels) + " |"
    yield "|---" * (len(stress.levels) + 1) + "|"
    for method, (levels, values) in scores(points, stress.name).items():
        told = dict(zip(levels, values, strict=True))
        cells = [f"{told[level]:.3f}" if level in told else "–" for level in stress.levels]
        yield f"| {method} | " + " | ".join(cells) + " |"


def _when(points: Sequence[Point], stresses: Sequence[Stress], networks: Sequence[str]) -> Iterator[str]:
    """At which levels something without weights is as good as each network."""
    if not networks:
        yield "No weights were given, so there is no network to overtake."
        return
    others = ("physics", "ndwi", "radar_threshold")
    yield "| stress | network | " + " | ".join(f"{name} is as good" for name in others) + " |"
    yield "|---" * (len(others) + 2) + "|"
    told = {(stress, network, other): level for stress, network, other, level in _crossings(points, networks)}
    for stress in stresses:
        for network in networks:
            cells = [told[stress.name, network, other] for other in others]
            yield f"| {stress.name} | {network} | " + " | ".join(cells) + " |"


def _crossings(points: Sequence[Point], networks: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    for stress in dict.fromkeys(one.stress for one in points):
        found = scores(points, stress)
        for network in networks:
            for other in found:
                if other not in networks:
                    levels, values = found[network]
                    yield stress, network, other, _told(levels, leads(levels, values, found[other][1]))


def _told(levels: Sequence[float], stretches: Sequence[tuple[float, float]]) -> str:
    """Where the other leads: "never", "always", or stretches of level; one without an end lasts to the last level."""
    if stretches == ((levels[0], levels[-1]),):
        return ALWAYS
    said = [f"from {start:.3g}" if end == levels[-1] else f"{start:.3g} to {end:.3g}" for start, end in stretches]
    return ", ".join(said) or NEVER


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
