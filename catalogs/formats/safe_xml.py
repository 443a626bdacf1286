"""XML from outside, read without the traps of XML: no document type, no entities, a limit on the size."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from catalogs.errors import CatalogError

WELL_FORMED = "well-formed XML of at most {limit} bytes, without a document type"


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a document type, and with it every entity that a file could define."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ElementTree.ParseError(f"a document type {name!r}")


def parse_xml(data: bytes, limit: int) -> Element:
    """The root element. Raises `ElementTree.ParseError` where it is broken, too large or has a document type."""
    if len(data) > limit:
        raise ElementTree.ParseError(f"{len(data)} bytes")
    return ElementTree.fromstring(data, ElementTree.XMLParser(target=_NoDoctype()))


def named_xml(data: bytes, limit: int, name: str, error: type[CatalogError], remedy: str) -> Element:
    """The root element; what is wrong with it is told as an `error` that names the file."""
    try:
        return parse_xml(data, limit)
    except ElementTree.ParseError as problem:
        raise error(name, str(problem), WELL_FORMED.format(limit=limit), remedy) from problem
