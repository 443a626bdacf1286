"""A JSON document becomes a STAC item, or an error that names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pystac
from pydantic import ValidationError

from catalogs.errors import ItemError, SearchError
from catalogs.records import first_problem

_FIELDS: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "collection": (str, type(None)),
    "properties": (dict,),
    "assets": (dict,),
    "links": (list, type(None)),
}
_CORRECT = "Correct the file, or take its link out of the catalog."


@contextmanager
def understood(item: pystac.Item) -> Iterator[None]:
    """While an item is read: whatever its fields lead to becomes an `ItemError` that names it."""
    try:
        yield
    except ValidationError as error:
        found = first_problem(error)
        raise ItemError(f"item {item.id}", found, "a value that fits", "Correct the item.") from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        found = f"a field of another type ({type(error).__name__}: {error})"
        raise ItemError(f"item {item.id}", found, "fields as STAC defines them", "Correct the item.") from error


def read_item(path: Path) -> pystac.Item:
    """A STAC item from a file, with its own place as self link. Raises `SearchError` when it is none.

    A self link in the file, where the item once came from, is put aside: relative assets lie beside the file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        raise SearchError(f"item file {path}", found, "a STAC item", _CORRECT) from error
    return item_from(data, str(path), f"item file {path}")


def item_from(data: Any, home: str, name: str, links: bool = True) -> pystac.Item:
    """The item of a JSON value, which is used up. `home` becomes its self link, the only one where not `links`.

    Raises `SearchError`, which names `name`.
    """
    try:
        if not isinstance(data, dict) or data.get("type") != "Feature":
            kind = data.get("type") if isinstance(data, dict) else type(data).__name__
            raise ValueError(f"type {kind!r}")
        for field, kinds in _FIELDS.items():
            if not isinstance(data.get(field), kinds):
                raise ValueError(f"{field} {data.get(field)!r}")
        kept = data.get("links") or () if links else ()
        data["links"] = [link for link in kept if link.get("rel") != "self"]
        data["links"].append({"rel": "self", "href": home})
        return pystac.Item.from_dict(data, migrate=False, preserve_dict=False)
    except Exception as error:  # pystac raises whatever the broken JSON leads to
        raise SearchError(name, f"{type(error).__name__}: {error}", "a STAC item", _CORRECT) from error
