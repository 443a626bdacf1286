"""Pieces of HTML. Whatever comes from data passes through one of these, and each of them escapes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from workflows.report.pictures import Picture


def text(value: object) -> str:
    """Any value as text that cannot be mistaken for markup."""
    return escape(str(value), quote=True)


def paragraph(value: object) -> str:
    """A paragraph."""
    return f"<p>{text(value)}</p>"


def bullets(values: Iterable[object]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{text(value)}</li>" for value in values) + "</ul>"


def table(caption: str, head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table whose first column names its rows; numbers stand on the right."""
    top = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    body = "".join(_row(row) for row in rows)
    return (
        f'<div class="wide"><table><caption>{text(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: Sequence[object]) -> str:
    first, *rest = row
    cells = "".join(f"<td>{text(cell)}</td>" for cell in rest)
    return f'<tr><th scope="row">{text(first)}</th>{cells}</tr>'


def figure(picture: Picture) -> str:
    """A picture with its title and legend."""
    image = f'<img src="data:image/png;base64,{text(picture.png)}" alt="{text(picture.alt)}">'
    return f"<figure>{image}<figcaption><strong>{text(picture.title)}</strong>{_legend(picture)}</figcaption></figure>"


def _legend(picture: Picture) -> str:
    keys = "".join(_key(colour, meaning) for colour, meaning in picture.legend)
    keys = f'<ul class="legend">{keys}</ul>' if keys else ""
    if picture.ramp is not None:
        colours, low, high = picture.ramp
        stops = ", ".join(text(colour) for colour in colours)
        bar = f'<span class="ramp" style="background:linear-gradient(to right, {stops})"></span>'
        return f'<span class="scale">{text(low)} {bar} {text(high)}</span>' + keys
    return keys


def _key(colour: str, meaning: str) -> str:
    return f'<li><span class="key" style="background:{text(colour)}"></span>{text(meaning)}</li>'


def gallery(pictures: Iterable[Picture]) -> str:
    """Pictures side by side, as many as the page is wide."""
    return '<div class="gallery">' + "".join(figure(picture) for picture in pictures) + "</div>"
