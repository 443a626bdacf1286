"""The reliability curve: of what a method calls so and so probable, how much the reference confirms. Drawn as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workflows.report.markup import text
from workflows.titles import title_of

SIDE, MARGIN = 300, 44
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
"""Okabe and Ito (2008)."""
DASHES = ("", "7 3", "2 3", "9 3 2 3")
"""Lines are told apart without colour as well."""
HOW_TO_READ = "On the diagonal a method keeps its word; below it is too sure of flood, above not sure enough."
FEWEST = 30
"""Pixels below which a point says little and is not drawn."""


def reliability(methods: Mapping[str, Mapping[str, Any]]) -> str:
    """One curve for every method with `calibration.bins` of `predicted`, `observed`, `pixels`; empty where none has."""
    known = {name: bins for name, method in methods.items() if (bins := _drawn(method))}
    if not known:
        return ""
    curves = "".join(_curve(number, bins) for number, bins in enumerate(known.values()))
    told = "; ".join(f"{title_of(name)}: {_told(bins)}" for name, bins in known.items())
    keys = "".join(_key(number, name, methods[name]) for number, name in enumerate(known))
    size = SIDE + 2 * MARGIN
    box = f'viewBox="0 0 {size} {size}" role="img" aria-label="{text(told)}"'
    caption = f'<figcaption>{HOW_TO_READ}<ul class="legend">{keys}</ul></figcaption>'
    return f'<figure class="reliability"><svg class="chart" {box}>{_frame()}{curves}</svg>{caption}</figure>'


def _drawn(method: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    bins = (method.get("calibration") or {}).get("bins", ())
    return [one for one in bins if one["pixels"] >= FEWEST and None not in (one["predicted"], one["observed"])]


def _told(bins: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['predicted']:.0%} said, {one['observed']:.0%} found" for one in bins)


def _place(one: Mapping[str, Any]) -> tuple[float, float]:
    return MARGIN + SIDE * float(one["predicted"]), MARGIN + SIDE * (1 - float(one["observed"]))


def _curve(number: int, bins: Sequence[Mapping[str, Any]]) -> str:
    places = [_place(one) for one in bins]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places)
    return f'<g fill="{_colour(number)}"><polyline points="{line}" {_pen(number)}/>{dots}</g>'


def _key(number: int, name: str, method: Mapping[str, Any]) -> str:
    error = method["calibration"].get("ece")
    told = "" if error is None else f", calibration error {float(error):.3f}"
    sample = f'<svg class="pen" viewBox="0 0 40 10" aria-hidden="true"><path d="M0 5H40" {_pen(number)}/></svg>'
    return f"<li>{sample}{text(title_of(name) + told)}</li>"


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _pen(number: int) -> str:
    dash = DASHES[number // len(COLOURS) % len(DASHES)] if number >= len(COLOURS) else DASHES[number % len(DASHES)]
    return f'fill="none" stroke="{_colour(number)}" stroke-width="2" stroke-dasharray="{dash or "none"}"'


def _frame() -> str:
    low, high = MARGIN, MARGIN + SIDE
    return (
        f'<rect x="{low}" y="{low}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#555"/>'
        f'<path d="M{low} {high}L{high} {low}" stroke="#888" stroke-dasharray="3 4"/>'
        + "".join(_ticks(low, high))
        + f'<text x="{(low + high) / 2}" y="{high + 36}" text-anchor="middle">'
        "probability of flood that was given</text>"
        f'<text transform="translate({low - 34} {(low + high) / 2}) rotate(-90)" text-anchor="middle">'
        "share that is flood by the reference</text>"
    )


def _ticks(low: int, high: int) -> Iterator[str]:
    for percent in (0, 25, 50, 75, 100):
        along = SIDE * percent / 100
        yield f'<text x="{low + along}" y="{high + 16}" text-anchor="middle">{percent} %</text>'
        yield f'<text x="{low - 5}" y="{high - along + 4}" text-anchor="end">{percent}</text>'
