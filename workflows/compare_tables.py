"""What `overbank compare` shows: one screen of scores, agreement, parts, and where two maps differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from workflows.tables import ratio_text, say, show_comparison, table

POLYGONS_SHOWN = 5
SAMPLED = ("area_km2", "users_accuracy", "producers_accuracy")
METHODS_SHOWN = 6
"""Columns of a table of parts: the delivered map and the next ones."""


def show_compared(found: Mapping[str, Any], out: Console) -> None:
    """One run."""
    show_comparison(found, out)
    for name, method in found["methods"].items():
        if "area_interval_km2" in method:
            say(out, f"{name}: {_area(method)} km², 95 % interval, errors that a scene's pixels share included")
    if "samples" in found:
        _show_samples(found["samples"], out)
    for stratum, parts in found["by"].items():
        _show_parts(stratum, parts, found, out)
    if "disagreement" in found:
        _show_disagreement(found, out)


def _show_samples(found: Mapping[str, Any], out: Console) -> None:
    """Areas by reference samples, a row a class."""
    rows = [
        (name, f"{one['mapped_km2']:.2f}", *(_estimate(one[key]) for key in SAMPLED))
        for name, one in found["classes"].items()
    ]
    head = ("class", "mapped, km²", "by samples, km²", "user's accuracy", "producer's accuracy")
    out.print(table(f"Areas by {found['samples']} samples (95 % interval)", head, rows))


def _estimate(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return "–"
    low, high = found["interval"]
    return f"{found['value']:.2f} ({low:.2f} to {high:.2f})"


def show_runs(found: Mapping[str, Any], out: Console) -> None:
    """Several runs, a row each: dates or areas."""
    runs = sorted(found["runs"], key=lambda run: (run["at"], run["run"]))
    methods = list(dict.fromkeys(name for run in runs for name in run["methods"]))
    head = ("run", "t*, UTC", "delivered", *methods)
    out.print(table("Area by method, km²", head, [_run_row(run, methods, _area) for run in runs], words=3))
    if any(run["reference"] is not None for run in runs):
        names = ", ".join(sorted({run["reference"] for run in runs if run["reference"]}))
        rows = [_run_row(run, methods, _iou) for run in runs]
        out.print(table(f"IoU of flood (critical success index) against {names}", head, rows, words=3))
    if any(run["by"] for run in runs):
        say(out, "parts of each run (--by) are in its compare.json, or on the screen where one run is compared alone")


def _run_row(run: Mapping[str, Any], methods: Sequence[str], cell: Any) -> list[str]:
    told = [cell(run["methods"][name]) if name in run["methods"] else "–" for name in methods]
    return [run["run"], run["at"][:16].replace("T", " "), run["delivered"], *told]


def _area(method: Mapping[str, Any]) -> str:
    low, high = method.get("area_interval_km2", (None, None))
    return f"{method['area_km2']:.2f}" + ("" if low is None else f" ({low:.2f} to {high:.2f})")


def _iou(method: Mapping[str, Any]) -> str:
    return ratio_text(method.get("flood_iou"))


def _show_parts(stratum: str, parts: Mapping[str, Any], found: Mapping[str, Any], out: Console) -> None:
    """A row a part: the share of the run, and the IoU, or without a reference the area, by map."""
    scored = found["reference"] is not None
    methods = [found["delivered"], *(name for name in found["methods"] if name != found["delivered"])]
    methods = [name for name in methods if name in found["methods"]][:METHODS_SHOWN]
    rows = []
    for part, by_method in parts.items():
        cells = [(_iou if scored else _area)(by_method[name]) if name in by_method else "–" for name in methods]
        size = max(one["inside_km2"] for one in by_method.values())
        rows.append((part, f"{size:.2f}", *cells))
    what = "IoU of flood" if scored else "area in km²"
    out.print(table(f"By {stratum}: {what}", (stratum, "part, km²", *methods), rows))


def _show_disagreement(found: Mapping[str, Any], out: Console) -> None:
    one = found["disagreement"]
    (first, a), (second, b) = one["only_in_km2"].items()
    say(out, f"{first} and {second} differ: {a:.2f} km² only in {first}, {b:.2f} km² only in {second}")
    drawn = max(one["polygons_km2"], 1e-12)
    shares = {name: area / drawn for name, area in one["by_reason_km2"].items() if area >= 0.01 * drawn}
    reasons = ", ".join(f"{_words(name)} {share:.0%}" for name, share in list(shares.items())[:5])
    say(
        out,
        f"{one['polygons']} polygons of {one['least_km2']:g} km² or more ({one['polygons_km2']:.2f} km²) are in "
        f"disagreement.gpkg{': ' + reasons if reasons else ''}; {one['below_least_km2']:.2f} km² are smaller pieces",
    )
    rows = [
        (
            str(row["rank"]),
            row["only_in"],
            f"{_words(row['reason'])} ({row['reason_share']:.0%})",
            f"{row['area_km2']:.3f}",
            f"{row['latitude']:.4f}, {row['longitude']:.4f}",
        )
        for row in found["disagreements"][:POLYGONS_SHOWN]
    ]
    if rows:
        head = ("rank", "only in", "likeliest reason", "km²", "latitude, longitude")
        out.print(table("Largest disagreements", head, rows, words=3))


def _words(name: str) -> str:
    return name.replace("_", " ")
