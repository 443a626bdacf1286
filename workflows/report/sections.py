"""The tables of a report that tell of the scenes, of what was not seen, and of the time it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harmonization.reasons import BLINDING
from workflows.account import Account, SensorAccount
from workflows.report.markup import paragraph, table
from workflows.report.mosaic import Blindness
from workflows.tables import place_text

FEW = 0.0005
"""Share below which a reason is not worth a line."""


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
    if not rows:
        return ""
    told = "decode to export are summed over threads; map_wall is their wall-clock time."
    memory = f" Peak memory: {peak:.0f} MB." if peak is not None else ""
    return table("Seconds by stage", ("stage", "seconds"), rows) + paragraph(told + memory)
