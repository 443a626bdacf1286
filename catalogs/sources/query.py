"""What is looked for, and what every kind of catalog gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import combinations
from typing import Any, NamedTuple

import shapely
from shapely.geometry.base import BaseGeometry

from catalogs.records import OPEN, Access

Box = tuple[float, float, float, float]

MARGIN = timedelta(hours=1)
"""Servers compare an item's `datetime`, which is some instant of the pass; what they give is held against the dates."""
YEAR = timedelta(days=366)
MOST_BOXES = 4
"""Searches that one area may cost."""
MANY = 32
"""Parts of an area above which its two halves, east and west, are boxes enough."""
WASTE = 1.5
"""How much larger than the boxes of its parts a common box may be."""


@dataclass(frozen=True)
class Query:
    """What a search wants. A source may give more than that, never less: `catalogs.search` looks at every item."""

    region: BaseGeometry
    """Longitude and latitude, in parts within ±180."""
    start: datetime
    end: datetime
    """UTC."""
    passes: tuple[str, ...]
    """Collections, by our ids, whose items must overlap start … end."""
    references: tuple[str, ...]
    """Collections of products over months and of ground data: also what ended before `start` is wanted."""


class Entry(NamedTuple):
    """One item as found, before it is understood."""

    name: str
    """How a problem with it is named: its file or address."""
    data: Any
    """The item's JSON; anything at all where the catalog is broken."""
    home: str
    """Path or address that its relative addresses start at, and whose origin it shares."""
    access: Access = OPEN


def boxes(region: BaseGeometry) -> list[Box]:
    """West, south, east, north of one to four boxes that cover a region and waste little; none crosses ±180°."""
    found = [_bounds(part) for part in shapely.get_parts(region)]
    if len(found) > MANY:
        halves = [[box for box in found if (box[0] < 0) == west] for west in (True, False)]
        found = [reduce(_around, half) for half in halves if half]
    while len(found) > 1:
        growth, first, second = min(
            (_area(_around(one, two)) / max(_area(one) + _area(two), 1e-9), i, j)
            for (i, one), (j, two) in combinations(enumerate(found), 2)
        )
        if len(found) <= MOST_BOXES and growth > WASTE:
            break
        together = _around(found[first], found[second])
        found = [box for index, box in enumerate(found) if index not in (first, second)] + [together]
    return sorted(found)


def interval(query: Query, references: bool) -> str:
    """The dates of a query as an API wants them, a margin wider; open at the start for references."""
    form = "%Y-%m-%dT%H:%M:%SZ"
    if references:
        return f"../{(query.end + YEAR):{form}}"
    return f"{(query.start - MARGIN):{form}}/{(query.end + MARGIN):{form}}"


def renamed(data: Any, ours: Mapping[str, str]) -> Any:
    """An item's JSON with our id of its collection (`ours`: the catalog's id → ours)."""
    name = data.get("collection") if isinstance(data, dict) else None
    if isinstance(name, str) and name in ours:
        data["collection"] = ours[name]
    return data


def _bounds(part: BaseGeometry) -> Box:
    west, south, east, north = part.bounds
    return west, south, east, north


def _around(one: Box, two: Box) -> Box:
    return min(one[0], two[0]), min(one[1], two[1]), max(one[2], two[2]), max(one[3], two[3])


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
