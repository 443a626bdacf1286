"""The documentation against the code: every field, every verb, and every message that it quotes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pipeline.job import Job
from workflows.reference.job_fields import attribute_docstrings, job_page
from workflows.reference.verb_pages import verb_pages

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("catalogs", "harmonization", "models", "pipeline", "workflows")
QUOTED = re.findall(r"^### `(.+)`$", (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def words_of_the_code() -> list[str]:
    """Every string of the source, neighbours joined as the language joins them, without its backquotes."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    strings = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text.replace("`", "") for text in strings]


@pytest.mark.parametrize("message", QUOTED)
def test_every_quoted_message_is_one_of_the_code(message: str, words_of_the_code: list[str]) -> None:
    parts = [part.strip() for part in message.split("…") if part.strip(" ,.:;")]
    assert parts
    for part in parts:
        assert any(part in words for words in words_of_the_code), f"no message says {part!r}"


def test_there_are_messages_to_look_up() -> None:
    assert len(QUOTED) > 20


def test_every_field_of_a_job_is_told() -> None:
    told = attribute_docstrings(Job)
    assert set(told) == set(Job.model_fields)
    page = job_page()
    for name in Job.model_fields:
        assert f"| `{name}` |" in page
    assert "`sentinel-1`, `alos-2`, `sentinel-2`, `landsat`" in page
    assert "whole number, at least 64, at most 8192, a multiple of 16" in page


def test_every_verb_has_its_page() -> None:
    pages = verb_pages()
    assert {"plan", "map", "compare", "watch", "catalog check"} <= set(pages)
    assert "| `--every` | text | How often to ask: 90s, 15m, 1h, 1d. | `1h` |" in pages["watch"]
    assert "`auto`, `cpu`, `cuda`" in pages["map"]
    for name, page in pages.items():
        assert page.startswith(f"# overbank {name}\n\n")
        assert "|  |  |  |" not in page
