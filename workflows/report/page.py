"""A run and its scores as one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from workflows.account import Account, account_of, caveats
from workflows.report.maps import error_maps, method_maps, witness_maps
from workflows.report.markup import bullets, gallery, paragraph, text
from workflows.report.mosaic import blindness_of, canvas_of
from workflows.report.provenance import provenance
from workflows.report.sections import blindness, findings, scenes, scores, seconds, sensors

PAGE = Path(__file__).with_name("page.html")
REPORT = "report.html"


def write_report(folder: Path, summary: Mapping[str, Any], run: Path, truth: Path | None = None) -> Path:
    """Write `report.html` into `folder`: maps, scores, what was not observable and why; the file's path.

    `summary`: what `compare_run` gives, with `seconds` and `peak_rss_mb` beside. `truth`: the raster that it was
    compared with. The page holds its pictures and runs no script.
    """
    account = account_of(run)
    canvas = canvas_of(run)
    methods = list(summary["methods"])
    parts = {
        "title": text(account.name),
        "event": _event(account, summary),
        "scores": scores(summary),
        "maps": gallery(method_maps(canvas, account, methods, truth)),
        "errors": _errors(gallery(error_maps(canvas, account, methods, truth)), truth),
        "witnesses": gallery(witness_maps(canvas, methods)),
        "scenes": scenes(account),
        "sensors": sensors(account),
        "findings": findings(account),
        "blindness": blindness(blindness_of(run)),
        "seconds": seconds(summary),
        "provenance": provenance(account, summary, run),
        "footer": text(f"overbank {account.software}, Apache-2.0. The rasters of this page lie in {run.name}/units."),
    }
    page = Template(PAGE.read_text(encoding="utf-8")).substitute(parts)
    path = folder / REPORT
    path.write_text(page, encoding="utf-8")
    return path


def _event(account: Account, summary: Mapping[str, Any]) -> str:
    west, south, east, north = account.bounds
    across = " across the antimeridian" if west > east else ""
    place = f"longitude {west:.3f}° to {east:.3f}°{across}, latitude {south:.3f}° to {north:.3f}°"
    what = "Flood" if account.legend == "flood" else "Water"
    area = summary["methods"].get(account.delivered, {}).get("area_km2")
    headline = f"{what} at {_clock(account.instant)}: " + ("–" if area is None else f"{area:.2f} km²")
    told = f"{headline} by the delivered method ({account.delivered}). Area: {place}; {_count(account.units)}."
    if len(account.zones) > 1:
        told += f" Mapped on {len(account.zones)} UTM grids; the pictures show them together in one plain projection."
    warnings = caveats(account)
    notes = f'<div class="note">{bullets(warnings)}</div>' if warnings else ""
    return paragraph(told) + notes


def _count(units: int) -> str:
    return "1 unit" if units == 1 else f"{units} units"


def _clock(instant: str) -> str:
    return instant.replace("T", " ").removesuffix("Z") + " UTC"


def _errors(pictures: str, truth: Path | None) -> str:
    if truth is None:
        return ""
    return f"<h2>Where each method errs</h2>{pictures}"
