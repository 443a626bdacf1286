"""Names of methods, layers and bits for people, one for each, wherever they are shown."""

from __future__ import annotations

from collections.abc import Iterable

TITLES = {
    "ndwi": "NDWI rule",
    "radar_threshold": "Radar threshold",
    "physics": "Physics (sum of evidence)",
    "early": "Early fusion",
    "intermediate": "Intermediate fusion",
    "late": "Late fusion",
    "review": "After review",
}
UNSEEN_BY_METHOD = "Not observed by this method's sensors"
"""Code 4 of a method's own map; of the delivered layers it is "not observable by any sensor"."""


def title_of(name: str) -> str:
    """A map's name for people: "Late fusion, inverse-variance" of "late-inverse-variance"."""
    method, _, option = name.partition("-")
    title = TITLES.get(method, method)
    return f"{title}, {option}" if option else title


def in_order(names: Iterable[str]) -> list[str]:
    """Maps as they are read: rules, physics, then the families of fusion; within a family by name."""
    known = list(TITLES)
    place = {name: known.index(method) if (method := name.partition("-")[0]) in known else len(known) for name in names}
    return sorted(place, key=lambda name: (place[name], name))


def words_of(name: str) -> str:
    """A code's name for people: "c band before" of "c_band_before"."""
    return name.replace("_", " ").lower()
