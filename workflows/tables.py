"""Plans and comparisons as tables for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from catalogs.doctor.findings import Finding
from pipeline.plan import Plan, area_km2
from workflows.plan import SeriesPlan, unit_bytes, windowed

SCORES = {
    "flood_iou": "IoU",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "kappa": "kappa",
    "overall_accuracy": "accuracy",
}
UNITS_SHOWN = 20
PAIRS_SHOWN = 15
LOG_WIDTH = 120


def console() -> Console:
    """Standard output; wide and plain where it is no terminal."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=LOG_WIDTH)


def units_text(count: int) -> str:
    """The number of units, in words."""
    return f"{count} unit{'' if count == 1 else 's'}"


def size_text(count: int | None) -> str:
    """Bytes for people."""
    if count is None:
        return "unknown"
    value = float(count)
    for name in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {name}" if name == "B" else f"{value:.1f} {name}"
        value /= 1000
    return f"{value:.1f} TB"


def ratio_text(value: float | None) -> str:
    """A score; a dash where there is none to give."""
    return "–" if value is None else f"{value:.3f}"


def show_plan(plan: Plan | SeriesPlan, out: Console) -> None:
    """Job, scenes, units, and what is missing; of several flood windows one after the other."""
    if isinstance(plan, SeriesPlan):
        say(out, f"{plan.job.name}: {len(plan.windows)} flood windows, a map each")
        for one in plan.windows.values():
            show_plan(one, out)
        for name, told in plan.missing.items():
            say(out, f"{name}: not mapped: {told}")
        return
    say(
        out,
        f"{plan.job.name}: {area_km2(plan):.1f} km² in {units_text(len(plan.units))}, {plan.job.resolution:g} m pixels",
    )
    say(out, f"maps the state of {plan.at:%Y-%m-%d %H:%M} UTC (t*: the latest radar pass of the flood window, if any)")
    say(out, f"methods {', '.join(plan.job.maps)}; delivers {plan.job.delivered}; science {plan.job.science}")
    rows = [
        (window, scene.sensor, scene.platform, f"{scene.time:%Y-%m-%d %H:%M}", scene.id, size_text(scene.bytes))
        for window, scene in windowed(plan)
    ]
    out.print(table("Scenes", ("window", "sensor", "platform", "time, UTC", "id", "size"), rows, words=5))
    out.print(_units_table(plan))
    if len(plan.units) > UNITS_SHOWN:
        say(out, f"… and {len(plan.units) - UNITS_SHOWN} more units; --json FILE lists all")
    say(out, f"to read at most: {size_text(plan.bytes)}")
    for window, sensors in plan.missing.items():
        say(out, f"missing {window} the flood: {', '.join(sensors)}")
    for note in plan.notes:
        say(out, f"note: {note}")
    for problem in plan.problems:
        say(out, f"catalog: {problem}")
    show_findings(plan.findings, out)


def show_findings(findings: Sequence[Finding], out: Console) -> None:
    """Findings of the doctor, the worst first; nothing where there are none."""
    if not findings:
        return
    rows = [(f.severity, f.code, place_text(f), f"{f.found}; expected {f.expected}", f.kind.action) for f in findings]
    head = ("severity", "finding", "of", "found", "what the pipeline does")
    out.print(table("Findings", head, rows, words=len(head)))


def place_text(finding: Finding) -> str:
    """What a finding is about: item or acquisition, and its layer."""
    return f"{finding.thing}, {finding.layer}" if finding.layer else finding.thing


def _units_table(plan: Plan) -> Table:
    rows = []
    for unit in plan.units[:UNITS_SHOWN]:
        counts = [
            " / ".join(str(sum(scene.sensor == sensor for scene in scenes)) for scenes in (unit.before, unit.during))
            for sensor in plan.job.sensors
        ]
        height, width = unit.box.shape.yx
        rows.append((unit.id, f"{height} × {width}", *counts, size_text(unit_bytes(unit))))
    head = ("unit", "pixels", *plan.job.sensors, "scenes' size")
    return table("Units: scenes of each sensor, before / during", head, rows)


def show_comparison(found: Mapping[str, Any], out: Console) -> None:
    """Areas and scores by method, agreement by pair."""
    scored = found["reference"] is not None
    head = ["method", f"{found['legend']}, km²", "observed"]
    head += [*SCORES.values(), "IoU where\nobserved", "ECE"] if scored else []
    rows = [_method_row(name, method, scored) for name, method in found["methods"].items()]
    title = f"Against {found['reference']}" if scored else f"Area of {found['legend']} by method"
    out.print(table(title, head, rows))
    if scored:
        true = max(method["true_area_km2"] for method in found["methods"].values())
        say(out, f"{true:.2f} km² of {found['legend']} in the reference, known {found['reference_extent']}")
        say(out, "IoU of flood is also called critical success index; ECE is the expected calibration error")
    pairs = [
        (
            pair,
            ratio_text(one["agreement"]),
            ratio_text(one["flood_iou"]),
            f"{one['only_first']}",
            f"{one['only_second']}",
        )
        for pair, one in pairs_shown(found).items()
    ]
    if pairs:
        head = ["methods", "same class", f"IoU of {found['legend']}", "only first, px", "only second, px"]
        out.print(table("Agreement where both observed", head, pairs))
    if len(pairs) < len(found["agreement"]):
        say(out, f"… and {len(found['agreement']) - len(pairs)} more pairs; --json FILE lists all")
    if found["plausibility"]:
        lying = [
            (name, *("–" if value is None else f"{value:.2g}" for value in scores.values()))
            for name, scores in found["plausibility"].items()
        ]
        head = ["method", "wet above dry", "shoreline off level, m", "uneven share"]
        out.print(table("Water on the elevation: less is more plausible", head, lying))


def pairs_shown(found: Mapping[str, Any]) -> dict[str, Any]:
    """Agreement by pair of maps; of many maps only the pairs with the delivered one."""
    pairs: dict[str, Any] = found["agreement"]
    if len(pairs) <= PAIRS_SHOWN:
        return pairs
    return {pair: one for pair, one in pairs.items() if found.get("delivered") in pair.split(" / ")} or pairs


def _method_row(name: str, method: Mapping[str, Any], scored: bool) -> list[str]:
    row = [name, f"{method['area_km2']:.2f}", f"{method['observed_share']:.1%}"]
    if scored:
        row += [ratio_text(method[score]) for score in SCORES]
        row.append(ratio_text(method["where_observed"]["flood_iou"]))
        row.append(ratio_text(method.get("calibration", {}).get("ece")))
    return row


def say(out: Console, text: str) -> None:
    """One line, however long, its text taken as it is."""
    out.print(escape(text), soft_wrap=True)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> Table:
    """A table for a terminal: the first `words` columns hold words and stand on the left, the others numbers."""
    made = Table(title=escape(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for number, name in enumerate(head):
        # ids of one pass differ in their last letters alone, so what is too long is folded, never cut off
        justify: Literal["left", "right"] = "left" if number < words else "right"
        made.add_column(escape(name), justify=justify, no_wrap=number == 0, overflow="fold")
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    return made


def show_scores(scores: Mapping[str, Any], out: Console) -> None:
    """Scores of `overbank evaluate`."""
    low, high = scores["interval"]["flood_iou"]
    rows = [
        ("flood IoU, pooled", f"{scores['pooled']['flood_iou']:.3f} ({low:.3f} to {high:.3f})"),
        ("flood F1, pooled", ratio_text(scores["pooled"]["flood_f1"])),
        ("two-class mean IoU, by chip", ratio_text(scores["per_chip"]["two_class_miou"])),
        ("pixel accuracy, by chip", ratio_text(scores["per_chip"]["pixel_accuracy"])),
        ("calibration error", ratio_text(scores["ece"])),
        ("flood share of the truth", ratio_text(scores["pooled"]["flood_share"])),
        ("observed share", ratio_text(scores["observed"])),
    ]
    title = f"{scores['chips']} chips in {scores['groups']} groups"
    out.print(table(title, ("score", "value"), rows, words=2))
    interval = scores["interval"]
    say(out, f"the interval holds {interval['level']:.0%} of bootstrap draws of {interval['drawn']}")


def show_series(found: Mapping[str, Any], out: Console) -> None:
    """Extent by date, and the largest extent of all dates together."""
    rows = [_extent_row(date["name"], date["instant"][:16].replace("T", " "), date) for date in found["dates"]]
    rows.append(_extent_row("any date", "maximum extent", found["maximum_extent"]))
    head = ("window", "instant, UTC", f"{found['legend']}, km²", "observed")
    out.print(table(f"Extent of {found['legend']} by date", head, rows, words=2))
    for name, told in found["missing"].items():
        say(out, f"{name}: not mapped: {told}")


def _extent_row(name: str, instant: str, extent: Mapping[str, float]) -> tuple[str, ...]:
    return name, instant, f"{extent['flooded_km2']:.2f}", f"{extent['observed_share']:.1%}"
