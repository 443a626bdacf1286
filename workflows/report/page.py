"""A run and its comparison as one page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from catalogs.publish import write_text
from workflows.account import Account, account_of, caveats
from workflows.report import comparison
from workflows.report.maps import error_maps, method_maps, witnesses
from workflows.report.markup import bullets, gallery, options, paragraph, text
from workflows.report.mosaic import FINE, blindness_of, canvas_of
from workflows.report.pictures import Picture
from workflows.report.provenance import provenance
from workflows.report.reliability import reliability
from workflows.report.sections import blindness, findings, scenes, seconds, sensors
from workflows.titles import in_order, title_of

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
    "base-uri 'none'; form-action 'none'"
)
"""The page's own style and script run, known by their hash, and nothing else does; nothing is asked of any network."""
REPORT = "report.html"


def write_report(path: Path, summary: Mapping[str, Any], run: Path, truth: Path | None = None) -> Path:
    """Write a run as one page to `path`: maps, scores, what was not observable and why; the path.

    `summary`: what `compare_run` gives; `seconds` and `peak_rss_mb` may stand beside. `truth`: the raster that it was
    compared with. Whatever the page needs is in it: pictures, style, and the script of the swipe.
    """
    account = account_of(run)
    canvas, fine = canvas_of(run), canvas_of(run, FINE)
    methods = in_order(summary["methods"])
    summary = {**summary, "methods": {name: summary["methods"][name] for name in methods}}
    maps = list(method_maps(fine, account, methods, truth))
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "swipe.js"))
    parts = {
        "policy": POLICY.format(style=_hash(style), script=_hash(script)),
        "style": style,
        "script": script,
        "title": text(account.name),
        "event": _event(account, summary),
        "swipe": _swipe(maps, summary),
        "scores": _scores(summary),
        "maps": gallery(maps, "map"),
        "errors": _errors(list(error_maps(canvas, account, methods, truth))),
        "witnesses": witnesses(canvas, methods),
        "scenes": scenes(account),
        "sensors": sensors(account),
        "findings": findings(account),
        "blindness": blindness(blindness_of(run)),
        "seconds": seconds(summary),
        "provenance": provenance(account, summary, run),
        "footer": text(f"overbank {account.software}, Apache-2.0. The rasters of this page lie in {run.name}/units."),
    }
    page = Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(parts)
    write_text(path, page)
    return path


def _hash(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")


def _event(account: Account, summary: Mapping[str, Any]) -> str:
    west, south, east, north = account.bounds
    across = " across the antimeridian" if west > east else ""
    place = f"longitude {west:.3f}° to {east:.3f}°{across}, latitude {south:.3f}° to {north:.3f}°"
    what = "Flood" if account.legend == "flood" else "Water"
    headline = f"{what} at {_clock(account.instant)}: {_area(summary['methods'].get(account.delivered, {}))}"
    told = f"By the delivered method, {title_of(account.delivered)}. Area: {place}; {_count(account.units)}."
    if len(account.zones) > 1:
        told += f" Mapped on {len(account.zones)} UTM grids; the pictures show them together in one plain projection."
    warnings = caveats(account)
    notes = f'<div class="note">{bullets(warnings)}</div>' if warnings else ""
    return f'<p class="area"><strong>{text(headline)}</strong></p>{paragraph(told)}{notes}'


def _area(method: Mapping[str, Any]) -> str:
    if "area_km2" not in method:
        return "–"
    interval = comparison.interval_text(method)
    return f"{method['area_km2']:.2f} km²" + ("" if interval == "–" else f" (95 % interval {interval} km²)")


def _count(units: int) -> str:
    return "1 unit" if units == 1 else f"{units} units"


def _clock(instant: str) -> str:
    return instant.replace("T", " ").removesuffix("Z") + " UTC"


def _swipe(maps: Sequence[Picture], summary: Mapping[str, Any]) -> str:
    """Two lists, two pictures over each other and a slider; the script fills them with the page's own maps."""
    if len(maps) < 2:
        return paragraph("This run has one map; there is nothing to hold against it.")
    titles = [one.title for one in maps]
    delivered = next((n for n, title in enumerate(titles) if title.endswith("· delivered")), 1)
    first = titles.index(title_of("ndwi")) if title_of("ndwi") in titles else 0
    first = first if first != delivered else (0 if delivered else 1)
    lists = "".join(
        f'<label>{side.capitalize()} <select id="choose-{side}">{options(titles, chosen)}</select></label>'
        for side, chosen in (("left", first), ("right", delivered))
    )
    return (
        f'<section id="swipe" hidden aria-label="Swipe between two maps"><div class="choices">{lists}</div>'
        '<div class="swipe-field"><div><label for="swipe-range">Swipe: how much of the left map is shown</label>'
        '<input id="swipe-range" type="range" min="0" max="100" step="any" value="50">'
        '<div id="swipe-maps"><img id="swipe-right" alt=""><img id="swipe-left" alt=""></div></div>'
        '<div class="swipe-keys"><div id="keys-left"></div><div id="keys-right"></div></div></div></section>'
        "<noscript><p>The swipe needs scripts; the same maps stand side by side below.</p></noscript>"
    )


def _scores(summary: Mapping[str, Any]) -> str:
    curve = reliability(summary["methods"])
    pieces = [
        comparison.areas(summary),
        comparison.scores(summary),
        f"<h3>Reliability of the probabilities</h3>{curve}" if curve else "",
        comparison.agreement(summary),
        comparison.strata(summary),
        f'<div class="words">{comparison.disagreements(summary)}</div>',
        comparison.plausibility(summary),
    ]
    return "".join(pieces)


def _errors(pictures: Sequence[Picture]) -> str:
    return f"<h2>Where each method errs</h2>{gallery(pictures)}" if pictures else ""
