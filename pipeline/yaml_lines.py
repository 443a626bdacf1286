"""YAML with line numbers, so that a mistake can be pointed at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from pipeline.errors import JobError

Lines = dict[tuple[str | int, ...], int]


def read_yaml(path: Path) -> tuple[Any, Lines]:
    """The document of a YAML file and the line (from 1) of each value by its path of keys.

    JobError if the file is missing, is not YAML, or names a key twice: YAML itself would silently take the last.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise JobError(f"{path}: is not UTF-8 text ({problem.reason}); save it as UTF-8") from problem
    except OSError as problem:
        raise JobError(f"{path}: cannot be read ({problem.strerror}); give the path of a job file") from problem
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        twice = None if node is None else _second_key(node)
        if twice is not None:
            told = f"{twice.value!r} stands there a second time, and only the last would count; take one out"
            raise JobError(f"{path} line {twice.start_mark.line + 1}: {told}")
        return yaml.safe_load(text), {} if node is None else _lines(node, ())
    except ValueError as problem:  # PyYAML makes dates itself
        line = _line_of_bad_date(node)
        raise JobError(f"{path} line {line}: there is no such day ({problem}); correct the date") from problem
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        reason = getattr(problem, "problem", None) or "not YAML"
        raise JobError(f"{path}{where}: {reason}; check the indentation and quotes there") from problem


def _lines(node: yaml.Node, path: tuple[str | int, ...]) -> Lines:
    found: Lines = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            found.update(_lines(value, (*path, str(key.value))))
            found[(*path, str(key.value))] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            found.update(_lines(value, (*path, index)))
    return found


def _second_key(node: yaml.Node) -> yaml.ScalarNode | None:
    """The first key of a mapping that stands there before already."""
    children: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                return key
            seen.add(str(key.value))
            children.append(value)
    return next((found for child in children if (found := _second_key(child)) is not None), None)


def _line_of_bad_date(node: yaml.Node | None) -> int:
    """Line of the first date of a document that no calendar has."""
    maker = SafeConstructor()
    waiting = [] if node is None else [node]
    while waiting:
        here = waiting.pop(0)
        if isinstance(here, yaml.MappingNode):
            waiting += [value for _, value in here.value]
        elif isinstance(here, yaml.SequenceNode):
            waiting += here.value
        elif isinstance(here, yaml.ScalarNode) and here.tag == "tag:yaml.org,2002:timestamp":
            try:
                maker.construct_yaml_timestamp(here)
            except ValueError:
                return here.start_mark.line + 1
    return 1
