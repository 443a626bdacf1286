"""When a job is: one flood window, or several with names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

SERIES = "series"
"""Folder of what several windows say together, beside theirs."""


def _no_number(value: object) -> object:
    """Seconds since 1970, which pydantic would make of 20230518, are never meant."""
    text = str(value).strip()
    if isinstance(value, int | float) or (isinstance(value, str) and text.replace(".", "").isdigit()):
        digits = text.replace("_", "")
        day = f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdigit() else "2023-05-18"
        raise ValueError(f"{text} is a number, not a day; write {day}")
    return value


def _folder_name(value: object) -> str:
    """YAML reads a bare day or number as such; as a name it is text."""
    name = str(value)
    if name.lower() == SERIES:
        raise ValueError(f"during: {name!r} is the folder of what the windows say together; name the window otherwise")
    if not name[:1].isalnum() or not all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in name):
        raise ValueError(f"during: {name!r} names a folder; write letters, digits, - and _, such as crest")
    return name


Moment = Annotated[date | datetime, BeforeValidator(_no_number)]
Window = tuple[Moment, Moment]
"""First and last day, or instant; the last one included."""
WindowName = Annotated[str, Field(max_length=64), BeforeValidator(_folder_name)]
Windows = Annotated[dict[WindowName, Window], Field(min_length=1)]


def _kind(value: Any) -> str:
    return "windows" if isinstance(value, dict) else "window"


During = Annotated[Annotated[Window, Tag("window")] | Annotated[Windows, Tag("windows")], Discriminator(_kind)]
"""One window, or several by name."""


def span(window: Window | Windows) -> tuple[datetime, datetime]:
    """First and last instant (UTC) of a window of days or instants; of several, of all together."""
    if isinstance(window, dict):
        spans = [span(one) for one in window.values()]
        return min(start for start, _ in spans), max(end for _, end in spans)
    first, last = window
    start = first if isinstance(first, datetime) else datetime.combine(first, time.min)
    end = last if isinstance(last, datetime) else datetime.combine(last, time.max)
    return _utc(start), _utc(end)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def windows_of(during: Window | Windows) -> Iterator[tuple[str, Window]]:
    """Each window with what a message calls it."""
    if isinstance(during, dict):
        yield from ((f"during {name}", window) for name, window in during.items())
    else:
        yield "during", during


def require_order(during: Window | Windows, before: Window | None) -> None:
    """ValueError where a window ends before it begins, names differ by case alone, or `before` reaches into a flood."""
    for name, window in (*windows_of(during), *([("before", before)] if before is not None else [])):
        if span(window)[0] > span(window)[1]:
            raise ValueError(f"{name}: {window[0]} is later than {window[1]}; write the earlier day first")
    if isinstance(during, dict) and len({name.lower() for name in during}) < len(during):
        raise ValueError("during: two windows have names that differ by capitals alone; some disks take them for one")
    if before is not None and span(before)[1] >= span(during)[0]:
        opens = min((window for _, window in windows_of(during)), key=span)[0]
        raise ValueError(f"before: ends {before[1]}, not before the flood window opens ({opens})")
