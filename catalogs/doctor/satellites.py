"""Acquisitions beside each other: satellites that are mixed. Products found twice: `catalogs.passes`."""

from __future__ import annotations

from collections.abc import Iterable

from catalogs.doctor.findings import Finding
from catalogs.records import Acquisition


def mixed_satellites(acquisitions: Iterable[Acquisition], window: str) -> tuple[Finding, ...]:
    """A finding for each radar whose acquisitions of a window come from several satellites."""
    found: dict[str, set[str]] = {}
    for scene in acquisitions:
        if scene.kind == "radar":
            found.setdefault(scene.sensor, set()).add(scene.platform)
    return tuple(
        Finding(
            code="mixed-satellites",
            thing=f"{sensor} {window} the flood",
            found=" and ".join(sorted(platforms)),
            expected="one satellite",
        )
        for sensor, platforms in sorted(found.items())
        if len(platforms) > 1
    )
