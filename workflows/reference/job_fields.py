"""Every field of a job as a page: from the record, its docstrings and its schema."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from pydantic import BaseModel

from pipeline.job import Job

MEANT = {"date": "a day", "date-time": "an instant", "path": "a path"}
HEAD = """\
# Job reference

Every field of a job file, as the record `pipeline.job.Job` holds it. What the fields mean together is told in
[Jobs and local products](../jobs.md). A field that is not in this table is a mistake, and so is one written twice.

"""


def job_page() -> str:
    """The page, in Markdown."""
    return HEAD + fields_table(Job)


def fields_table(record: type[BaseModel]) -> str:
    """Field, meaning, what it takes and its default, a row each."""
    told, schema = attribute_docstrings(record), record.model_json_schema()
    rows = ["| field | what | takes | default |", "|---|---|---|---|"]
    for name, field in record.model_fields.items():
        takes = taken(schema["properties"][name], schema.get("$defs", {}))
        default = "**must be given**" if field.is_required() else shown(field.get_default(call_default_factory=True))
        rows.append("| " + " | ".join(cell(text) for text in (f"`{name}`", told.get(name, ""), takes, default)) + " |")
    return "\n".join(rows) + "\n"


def attribute_docstrings(record: type[BaseModel]) -> dict[str, str]:
    """The strings that stand below the fields of a record, by field."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            assert isinstance(below.value, ast.Constant)
            found[field.target.id] = inspect.cleandoc(str(below.value.value))
    return found


def taken(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What a field takes, in words, from its JSON schema."""
    if "$ref" in schema:
        return taken(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        named = [taken(one, definitions) for one in choices if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(named))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    return _of_type(schema, definitions)


def _of_type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array" and "prefixItems" in schema:
        parts = [taken(one, definitions) for one in schema["prefixItems"]]
        return f"list of {len(parts)}: {parts[0]}" if len(set(parts)) == 1 else f"[{', '.join(parts)}]"
    if kind == "array":
        return f"list of {taken(schema['items'], definitions)}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"by name: {taken(values, definitions)}" if isinstance(values, dict) else "by name"
    if kind in ("number", "integer"):
        return _number(schema)
    return MEANT.get(schema.get("format", ""), "an id" if "pattern" in schema else "text")


def _number(schema: dict[str, Any]) -> str:
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
        "multipleOf": "a multiple of",
    }
    told = [f"{words} {schema[name]:g}" for name, words in limits.items() if name in schema]
    return ", ".join(["number" if schema["type"] == "number" else "whole number", *told])


def shown(default: object) -> str:
    """A default as a job file would say it."""
    if default is None or default == ():
        return "none"
    return ", ".join(f"`{one}`" for one in default) if isinstance(default, tuple) else f"`{default}`"


def cell(text: str) -> str:
    """Text within one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
