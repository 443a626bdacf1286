"""The tables of a comparison: areas, scores, agreement, strata, and where the methods disagree most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.report.markup import paragraph, table
from workflows.tables import SCORES, pairs_shown, ratio_text
from workflows.titles import title_of, words_of

Found = Mapping[str, Any]
MORE_SCORES = {"kappa": "kappa", "overall_accuracy": "overall accuracy"}
"""Shown where the comparison gives them."""
SHOWN = 20
"""Rows of a list that may be long; the rest is in the files."""


def areas(found: Found) -> str:
    """Area by method, with its interval where there is one."""
    methods, scored = found["methods"], found["reference"] is not None
    interval = any(method.get("area_interval_km2") for method in methods.values())
    head = ["method", f"{found['legend']}, km²", *(["95 % interval, km²"] if interval else []), "observed"]
    rows = []
    for name, method in methods.items():
        row = [_name(name, found), f"{method['area_km2']:.2f}"]
        row += [interval_text(method)] if interval else []
        row += [f"{method['observed_share']:.1%}"]
        rows.append(row + ([f"{method['true_area_km2']:.2f}"] if scored else []))
    return table(f"Area of {found['legend']} by method", head + (["true, km²"] if scored else []), rows)


def interval_text(method: Found) -> str:
    """ "4.10 to 5.32", or a dash where the method gives no interval."""
    ends = method.get("area_interval_km2")
    return "–" if not ends else f"{ends[0]:.2f} to {ends[1]:.2f}"


def scores(found: Found) -> str:
    """Scores by method against the reference, where there is one."""
    if found["reference"] is None:
        return paragraph("No reference was given: which method is right cannot be told from this page alone.")
    methods = found["methods"]
    names = SCORES | {key: told for key, told in MORE_SCORES.items() if any(key in one for one in methods.values())}
    rows = [
        (
            _name(name, found),
            *(ratio_text(method.get(key)) for key in names),
            ratio_text(method["where_observed"]["flood_iou"]),
        )
        for name, method in methods.items()
    ]
    told = "What a method could not observe counts as not flood, except in the last column."
    head = ("method", *names.values(), "IoU where observed")
    return table(f"Against {found['reference']}", head, rows) + paragraph(told)


def agreement(found: Found) -> str:
    """Agreement by pair of methods."""
    rows = [
        (_pair(pair), ratio_text(one["agreement"]), ratio_text(one["flood_iou"]), f"{one['pixels']:,}")
        for pair, one in pairs_shown(found).items()
    ]
    if not rows:
        return ""
    head = ("methods", "same class", f"IoU of {found['legend']}", "pixels both observed")
    return table("Agreement of the methods; neither is the truth", head, rows)


def strata(found: Found) -> str:
    """By land cover, slope and whatever else was asked for: one table each."""
    return "".join(_stratum(name, values) for name, values in (found.get("by") or {}).items())


def _stratum(name: str, values: Mapping[str, Found]) -> str:
    methods = list(dict.fromkeys(method for one in values.values() for method in one))
    score = "flood_iou" if any("flood_iou" in one[m] for one in values.values() for m in one) else "flood_share"
    rows = [
        (words_of(value), *(ratio_text(one.get(method, {}).get(score)) for method in methods))
        for value, one in values.items()
    ]
    told = "flood IoU" if score == "flood_iou" else "share of flood"
    return table(f"By {words_of(name)}: {told}", (words_of(name), *(title_of(method) for method in methods)), rows)


def disagreements(found: Found) -> str:
    """Where methods disagree, the largest first, and why."""
    listed: Sequence[Found] = found.get("disagreements") or ()
    if not listed:
        return ""
    rows = [(one["rank"], f"{one['area_km2']:.3f}", *_difference(one), _place(one)) for one in listed[:SHOWN]]
    more = f"The {SHOWN} largest of {len(listed)}; all of them are in disagreement.gpkg." if len(listed) > SHOWN else ""
    head = ("rank", "km²", "flood by", "the other says", "likeliest reason", "latitude, longitude")
    pair = " and ".join(title_of(name) for name in listed[0]["methods"])
    return table(f"Where {pair} disagree, the largest first", head, rows) + (paragraph(more) if more else "")


def _difference(one: Found) -> tuple[str, str, str]:
    """Who says flood, what the other says, and why, with the share of the polygon that has this reason."""
    share = one.get("reason_share")
    reason = words_of(one["reason"]) + ("" if share is None else f" ({share:.0%})")
    return title_of(one.get("only_in", "–")), words_of(one.get("other_says", "–")), reason


def _place(one: Found) -> str:
    return f"{one['latitude']:.4f}, {one['longitude']:.4f}" if "latitude" in one else "–"


def plausibility(found: Found) -> str:
    """How the water lies on the elevation."""
    told = found.get("plausibility") or {}
    rows = [
        (title_of(name), *("–" if value is None else f"{value:.2g}" for value in one.values()))
        for name, one in told.items()
    ]
    head = ("method", "wet above dry", "shoreline off level, m", "uneven share")
    return table("Water on the elevation: less is more plausible", head, rows) if rows else ""


def _name(name: str, found: Found) -> str:
    return title_of(name) + (" · delivered" if name == found.get("delivered") else "")


def _pair(names: str) -> str:
    return " / ".join(title_of(name) for name in names.split(" / "))
