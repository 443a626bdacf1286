"""What the site has beside the files of docs/: pages read off the code, examples, decisions, and a home page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from workflows.reference.job_fields import job_page
from workflows.reference.verb_pages import file_of, verb_pages, verbs_index

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = "../workflows/jobs/"
VERBS = "reference/verbs"
FETCHED = re.compile(
    r"<(?:script|img|iframe)\b[^>]*\ssrc=[\"']?(?:https?:)?//[^>]*>"
    r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preload|preconnect|icon))[^>]*\bhref=[\"']?(?:https?:)?//[^>]*>"
)
"""What a browser fetches of its own accord from another host; links that a reader follows are no such thing."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Keep of the nav what is there, and add a page for each verb and each decision."""
    docs = Path(config.docs_dir)
    nav = _kept(config.nav or [], docs)
    for section in nav:
        if "Reference" in section:
            section["Reference"][-1] = {"Verbs": [f"{VERBS}/index.md", *_verb_files()]}
        if "House" in section:
            decisions = sorted(f"decisions/{path.name}" for path in docs.glob("decisions/*.md"))
            section["House"].append({"Decisions": decisions})
    config.nav = nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    pages = verb_pages()
    made = {"index.md": _home(), "reference/job.md": job_page(), f"{VERBS}/index.md": verbs_index(pages)}
    made |= {f"{VERBS}/{file_of(name)}": page for name, page in pages.items()}
    made |= {f"examples/{path.name}": path.read_text("utf-8") for path in (ROOT / "workflows/jobs").glob("*.yaml")}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links to example jobs lead to their copies on the site."""
    return markdown.replace(f"]({EXAMPLES}", "](examples/") if page.file.src_uri == "jobs.md" else markdown


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """No page may fetch anything from elsewhere when it opens."""
    fetched = FETCHED.search(output)
    if fetched:
        raise PluginError(f"{page.file.src_uri}: fetches from elsewhere: {fetched[0][:200]}")
    return output


def _verb_files() -> list[str]:
    return [f"{VERBS}/{file_of(name)}" for name in verb_pages()]


def _kept(nav: list[Any], docs: Path) -> list[Any]:
    """The nav without the pages that are not there; generated ones are."""
    kept: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            kept += [{title: _kept(below, docs)} for title, below in entry.items()]
        elif entry == "index.md" or entry.startswith("reference/") or (docs / entry).is_file():
            kept.append(entry)
    return kept


def _home() -> str:
    """The README, its links as they are from docs/."""
    text = (ROOT / "README.md").read_text("utf-8")
    text = re.sub(r"\]\(docs/decisions/\)", "](decisions/0001-decode-before-align.md)", text)
    text = re.sub(r"\]\(docs/", "](", text)
    return re.sub(r"\[(CONTRIBUTING|CHANGELOG)\.md\]\(\1\.md\)", r"`\1.md`", text)
