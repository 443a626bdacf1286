"""The tables of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harmonization.reasons import BLINDING
from workflows.account import Account, SensorAccount
from workflows.report.markup import paragraph, table
from workflows.report.mosaic import Blindness
from workflows.tables import SCORES, pairs_shown, place_text, ratio_text

FEW = 0.0005
"""Share below which a reason is not worth a line."""


def scores(summary: Mapping[str, Any]) -> str:
    """Areas and scores by method, agreement by pair."""
    scored = summary["reference"] is not None
    head = ["method", f"{summary['legend']}, km²", "observed"]
    head += ["true, km²", *SCORES.values(), "IoU where observed"] if scored else []
    rows = []
    for name, method in summary["methods"].items():
        row = [name, f"{method['area_km2']:.2f}", f"{method['observed_share']:.1%}"]
        if scored:
            row += [f"{method['true_area_km2']:.2f}", *(ratio_text(method[score]) for score in SCORES)]
            row.append(ratio_text(method["where_observed"]["flood_iou"]))
        rows.append(row)
    caption = f"Against {summary['reference']}" if scored else "No reference was given"
    told = "What a method could not observe counts as not flood, except in the last column." if scored else ""
    return table(caption, head, rows) + (paragraph(told) if told else "") + _agreement(summary)


def _agreement(summary: Mapping[str, Any]) -> str:
    rows = [
        (pair, ratio_text(one["agreement"]), ratio_text(one["flood_iou"]), f"{one['pixels']:,}")
        for pair, one in pairs_shown(summary).items()
    ]
    if not rows:
        return ""
    head = ("methods", "same class", f"IoU of {summary['legend']}", "pixels both observed")
    return table("Agreement of the methods; neither is the truth", head, rows)


def scenes(account: Account) -> str:
    """Every scene with its time."""
    rows = [
        (
            scene["sensor"],
            scene["window"],
            scene["time"].replace("T", " ").removesuffix("Z"),
            scene["platform"],
            scene["id"],
        )
        for scene in account.scenes
    ]
    return table("Scenes", ("sensor", "window", "time, UTC", "satellite", "scene"), rows)


def findings(account: Account) -> str:
    """What was odd about the scenes and their files, and what was done about it."""
    if not account.findings:
        return paragraph("Items, headers and pixels of all scenes agree with each other.")
    rows = [
        (f.severity, f.code, place_text(f), f"{f.found}; expected {f.expected}", f.kind.action)
        for f in account.findings
    ]
    return table("Findings, the worst first", ("severity", "finding", "of", "found", "what was done about it"), rows)


def sensors(account: Account) -> str:
    """What each sensor saw of the area during the flood."""
    rows = [_sensor_row(sensor, one) for sensor, one in account.sensors.items()]
    head = ("sensor", "observed", "looks", "angle unknown", "smooth dry", "cloud test")
    return table("During the flood", head, rows)


def _sensor_row(sensor: str, one: SensorAccount) -> tuple[str, ...]:
    if one.cloud_tests:
        return sensor, f"{one.observed_share:.1%}", "–", "–", "–", ", ".join(sorted(one.cloud_tests))
    looks = f"{sum(one.looks) / len(one.looks):.1f}" if one.looks else "–"
    flags = (f"{one.share(name):.1%}" for name in ("unknown_angle_share", "smooth_dry_share"))
    return sensor, f"{one.observed_share:.1%}", looks, *flags, "–"


def blindness(found: Blindness) -> str:
    """Reasons by sensor, as shares of the area."""
    inside = max(found.inside, 1)
    rows = [
        (sensor, reason.name.lower().replace("_", " "), f"{count / inside:.1%}", _effect(reason))
        for sensor, counts in found.reasons.items()
        for reason, count in counts.most_common()
        if reason.name and count / inside > FEW
    ]
    told = f"{found.nowhere / inside:.1%} of the area was not observable by any sensor."
    if not rows:
        return paragraph(told)
    head = ("sensor", "reason", "share of the area", "effect")
    return paragraph(told) + table("Reasons by sensor (a pixel may have several)", head, rows)


def _effect(reason: int) -> str:
    return "says nothing there" if reason & BLINDING else "says less there"


def seconds(summary: Mapping[str, Any]) -> str:
    """Seconds by stage and peak memory."""
    rows = [(stage, f"{value:.2f}") for stage, value in summary.get("seconds", {}).items()]
    peak = summary.get("peak_rss_mb")
    told = "decode to export are summed over threads; map_wall is their wall-clock time."
    memory = f" Peak memory: {peak:.0f} MB." if peak is not None else ""
    return table("Seconds by stage", ("stage", "seconds"), rows) + paragraph(told + memory)
