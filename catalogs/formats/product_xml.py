"""Metadata of products in XML: the file, and the texts in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from xml.etree.ElementTree import Element

from catalogs.errors import ProductError
from catalogs.formats.safe_xml import named_xml

Metadata = TypeVar("Metadata")

MAXIMUM_BYTES = 1_000_000


def read_xml(path: Path) -> Element:
    """The root of an XML file. Raises `ProductError` when it is not well-formed, too large, or has a document type."""
    remedy = "Fetch the product again."
    try:
        with path.open("rb") as file:
            data = file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise ProductError(f"metadata {path}", str(error), "a file that can be read", remedy) from error
    return named_xml(data, MAXIMUM_BYTES, f"metadata {path}", ProductError, remedy)


def read_metadata_of(path: Path, parse: Callable[[Element], Metadata], remedy: str) -> Metadata:
    """What `parse` makes of an XML file. Raises `ProductError` where a time or a number in it cannot be read."""
    root = read_xml(path)
    try:
        return parse(root)
    except ValueError as error:
        expected = "times and numbers in their places"
        raise ProductError(f"metadata {path}", str(error), expected, remedy) from error


def texts(root: Element, tag: str) -> list[str]:
    """The texts of all elements of a name below `root`, in any namespace; empty ones are left out."""
    return [text for element in root.iterfind(f".//{{*}}{tag}") if (text := (element.text or "").strip())]


def common(root: Element, tag: str) -> str | None:
    """The one text that all elements of a name share, in lower case."""
    values = {text.lower() for text in texts(root, tag)}
    return values.pop() if len(values) == 1 else None


def only(path: Path, root: Element, tag: str) -> str:
    """The one text of a name. Raises `ProductError` where there is none, or several."""
    values = list(dict.fromkeys(texts(root, tag)))
    if len(values) != 1:
        found = ", ".join(values) if values else f"no {tag}"
        raise ProductError(f"metadata {path}", found, f"one {tag}", "Fetch the product again.")
    return values[0]
