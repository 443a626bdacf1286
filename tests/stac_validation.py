"""STAC items against the schemas of the project's data folder, without a network."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

BUNDLED = "pystac_bundled/stac-spec/"
"""pystac's copies of the core schemas that schemas.stacspec.org serves."""


@cache
def schema_registry(schemas_root: Path) -> Registry[Any]:
    """Every schema below the folder, under its own id and under the address that its place stands for."""
    resources = []
    for path in sorted(schemas_root.rglob("*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        resource = Resource.from_contents(schema, default_specification=DRAFT7)
        names = {
            schema.get("$id"),
            f"https://{path.relative_to(schemas_root).as_posix()}",
            *_core_names(path),
        }
        resources += [(name.rstrip("#"), resource) for name in names if isinstance(name, str)]
    return Registry().with_resources(resources)


def validate_item(item: dict[str, Any], schemas_root: Path) -> list[str]:
    """What is wrong with an item, catalog or collection, by its core schema and every extension it declares.

    Empty when valid. Raises `referencing.exceptions.Unresolvable` for a schema that is not in the folder.
    """
    registry = schema_registry(schemas_root)
    kind = {"Feature": "item", "Catalog": "catalog", "Collection": "collection"}[item["type"]]
    core = f"https://schemas.stacspec.org/v{item['stac_version']}/{kind}-spec/json-schema/{kind}.json"
    return [
        f"{address}: {'/'.join(map(str, error.absolute_path))}: {error.message}"
        for address in (core, *item.get("stac_extensions", ()))
        for error in _validator(registry, address).iter_errors(item)
    ]


def _validator(registry: Registry[Any], address: str) -> Draft7Validator:
    schema = registry.get_or_retrieve(address.rstrip("#")).value.contents
    return Draft7Validator(schema, registry=registry, format_checker=Draft7Validator.FORMAT_CHECKER)


def _core_names(path: Path) -> list[str]:
    """Addresses of a bundled core schema: item.json lies beside common.json here, as it does on the web."""
    place = path.as_posix().partition(BUNDLED)[2]
    version, _, name = place.partition("/")
    folders = ("item-spec", "catalog-spec", "collection-spec")
    return [f"https://schemas.stacspec.org/{version}/{folder}/json-schema/{name}" for folder in folders if place]
