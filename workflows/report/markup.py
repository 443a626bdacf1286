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
        f'<div class="wide" tabindex="0" role="region" aria-label="{text(caption)}">'
        f"<table><caption>{text(caption)}</caption>"
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: Sequence[object]) -> str:
    first, *rest = row
    cells = "".join(f"<td>{text(cell)}</td>" for cell in rest)
    return f'<tr><th scope="row">{text(first)}</th>{cells}</tr>'


def figure(picture: Picture, name: str = "") -> str:
    """A picture with its title and legend; `name` is what a script finds it by."""
    known = f' id="{text(name)}"' if name else ""
    image = f'<img{known} src="data:image/png;base64,{text(picture.png)}" alt="{text(picture.alt)}">'
    return f"<figure>{image}<figcaption><strong>{text(picture.title)}</strong>{legend(picture)}</figcaption></figure>"


def legend(picture: Picture) -> str:
    """Colours and what they mean."""
    keys = "".join(f"<li>{_strip('key', (colour,))}{text(meaning)}</li>" for colour, meaning in picture.legend)
    keys = f'<ul class="legend">{keys}</ul>' if keys else ""
    if picture.ramp is None:
        return keys
    colours, low, high = picture.ramp
    return f'<span class="scale">{text(low)} {_strip("ramp", colours)} {text(high)}</span>{keys}'


def _strip(kind: str, colours: Sequence[str]) -> str:
    """Colours side by side, as attributes: the page's policy allows no style inside of an element."""
    parts = "".join(f'<rect x="{x}" width="1.02" height="1" fill="{text(one)}"/>' for x, one in enumerate(colours))
    box = f'viewBox="0 0 {len(colours)} 1" preserveAspectRatio="none" shape-rendering="crispEdges"'
    return f'<svg class="{text(kind)}" {box} aria-hidden="true">{parts}</svg>'


def gallery(pictures: Iterable[Picture], name: str = "") -> str:
    """Pictures side by side, as many as the page is wide; the first is found by `name`-0."""
    figures = (figure(one, f"{name}-{number}" if name else "") for number, one in enumerate(pictures))
    return '<div class="gallery">' + "".join(figures) + "</div>"


def options(titles: Iterable[object], chosen: int) -> str:
    """Choices of a list, numbered from 0."""
    return "".join(
        f'<option value="{number}"{" selected" if number == chosen else ""}>{text(title)}</option>'
        for number, title in enumerate(titles)
    )
