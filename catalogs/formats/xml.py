"""XML of products, read with care: products are fetched from anywhere."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from catalogs.errors import ProductError

MAXIMUM_BYTES = 1_000_000


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a document type, and with it every entity that a file could define."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ElementTree.ParseError(f"a document type {name!r}")


def read_xml(path: Path, maximum: int = MAXIMUM_BYTES) -> ElementTree.Element:
    """The root of an XML file. Raises `ProductError` when it is not well-formed, too large, or has a document type."""
    expected = f"well-formed XML of at most {maximum} bytes, without a document type"
    try:
        if path.stat().st_size > maximum:
            raise ElementTree.ParseError(f"{path.stat().st_size} bytes")
        root: ElementTree.Element = ElementTree.parse(path, ElementTree.XMLParser(target=_NoDoctype())).getroot()
        return root
    except (ElementTree.ParseError, OSError, ValueError) as error:
        raise ProductError(f"metadata {path}", str(error), expected, "Fetch the product again.") from error


def texts(root: ElementTree.Element, tag: str) -> list[str]:
    """The texts of all elements of a name below `root`, in any namespace; empty ones are left out."""
    return [text for element in root.iterfind(f".//{{*}}{tag}") if (text := (element.text or "").strip())]


def common(root: ElementTree.Element, tag: str) -> str | None:
    """The one text that all elements of a name share, in lower case."""
    values = {text.lower() for text in texts(root, tag)}
    return values.pop() if len(values) == 1 else None


def only(path: Path, root: ElementTree.Element, tag: str) -> str:
    """The one text of a name. Raises `ProductError` where there is none, or several."""
    values = list(dict.fromkeys(texts(root, tag)))
    if len(values) != 1:
        found = ", ".join(values) if values else f"no {tag}"
        raise ProductError(f"metadata {path}", found, f"one {tag}", "Fetch the product again.")
    return values[0]
