"""Small helpers to build XML: whatever comes from a data set is escaped by the library that writes it."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


def put(parent: Element, tag: str, text: str | None = None, /, **attributes: object) -> Element:
    """Add an element with text and attributes."""
    child = SubElement(parent, tag, {name: clean(str(value)) for name, value in attributes.items()})
    if text is not None:
        child.text = clean(text)
    return child


def clean(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return NOT_XML.sub("\ufffd", text)


def written(root: Element, doctype: str = "") -> bytes:
    """A document as UTF-8, indented."""
    ElementTree.indent(root, "  ")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n' if not doctype else f"{doctype}\n"
    return (head + ElementTree.tostring(root, encoding="unicode") + "\n").encode()
