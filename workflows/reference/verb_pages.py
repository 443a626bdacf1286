"""Every verb of the command line as a page: its help, arguments and options, as `overbank VERB --help` has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from workflows.cli import app
from workflows.reference.job_fields import cell

Command = Any
"""A command of the command line's library, which each version of typer brings from elsewhere."""


def verb_pages() -> dict[str, str]:
    """By verb ("map", "catalog check"), its page in Markdown."""
    return {name: _page(name, command) for name, command in _commands(typer.main.get_command(app), "")}


def verbs_index(pages: dict[str, str]) -> str:
    """The page that lists them."""
    lines = ["# Verbs", "", "`overbank VERB --help` says the same on the command line.", ""]
    lines += [f"- [`overbank {name}`]({file_of(name)}): {_summary(page)}" for name, page in pages.items()]
    return "\n".join(lines) + "\n"


def file_of(name: str) -> str:
    """What a verb's page is called."""
    return f"{name.replace(' ', '-')}.md"


def _commands(group: Command, before: str) -> Iterator[tuple[str, Command]]:
    for name, command in sorted(group.commands.items()):
        full = f"{before} {name}".strip()
        if hasattr(command, "commands"):
            yield from _commands(command, full)
        else:
            yield full, command


def _page(name: str, command: Command) -> str:
    hints = get_type_hints(inspect.unwrap(command.callback))
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.name in hints]
    usage = " ".join(["overbank", name, *(_label(one) for one in arguments)])
    text = (
        f"# overbank {name}\n\n{(command.help or '').strip()}\n\n```sh\n{usage}{' [OPTIONS]' if options else ''}\n```\n"
    )
    for head, params in (("argument", arguments), ("option", options)):
        text += _table(head, params, hints) if params else ""
    return text


def _label(argument: Command) -> str:
    return str(argument.metavar or argument.name.upper())


def _table(head: str, params: list[Command], hints: dict[str, Any]) -> str:
    lines = ["", f"| {head} | takes | what | default |", "|---|---|---|---|"]
    for one in params:
        names = f"`{_label(one)}`" if head == "argument" else _names(one)
        shown = "**must be given**" if one.required else _default(one.default)
        row = (names, _takes(one, hints[one.name]), one.help or "", shown)
        lines.append("| " + " | ".join(cell(text) for text in row) + " |")
    return "\n".join(lines) + "\n"


def _names(option: Command) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _takes(one: Command, hint: Any) -> str:
    kinds = list(_kinds(hint))
    if bool in kinds:
        return ""
    choices = next((kind for kind in kinds if issubclass(kind, Enum)), None)
    if choices is not None:
        return ", ".join(f"`{choice.value}`" for choice in choices)
    meant = {Path: "a path", int: "a whole number", float: "a number"}
    return f"`{one.metavar}`" if one.metavar else next((meant[kind] for kind in kinds if kind in meant), "text")


def _kinds(hint: Any) -> Iterator[type]:
    """The plain types within `list[Path] | None` and the like."""
    if isinstance(hint, type) and not get_args(hint):
        yield hint
    for part in get_args(hint):
        yield from _kinds(part)


def _default(value: object) -> str:
    if value is None or value == () or value is False:
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _summary(page: str) -> str:
    return page.split("\n\n")[1].split("\n")[0]
