"""A new version of a run, written whole or not at all, and the trail of who changed what."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogs.publish import write_json
from pipeline.errors import ReviewError, RunError
from pipeline.export import layer_assets, publish_run, write_layer
from pipeline.layers import Layer
from pipeline.ledger import UNITS, appearing, file_digest
from pipeline.review.package import FOLDER
from pipeline.review.remap import METHOD, Review, reviewed_layers
from pipeline.run_folder import RunFolder, UnitFolder
from pipeline.styles.files import MEDIA_TYPES

AUDIT, EDITED = "audit.json", "edited.gpkg"
_KEPT = ("prepared.json", "findings.json")
_MULTIHASH = "1220"
"""What a SHA-256 begins with in `file:checksum`."""


@dataclass(frozen=True)
class Origin:
    """What a version is made of, beside the run before it."""

    edited: Path
    digest: str
    """SHA-256 of the edited file."""
    key: str
    """SHA-256 of all that the maps depend on."""


def version_folder(run: Path, key: str) -> tuple[Path, bool]:
    """Where the version of this key lies or will lie, beside the run, and whether it is there: NAME-v2, NAME-v3 …"""
    run = run.resolve()
    stem, _, number = run.name.rpartition("-v")
    stem, first = (stem, int(number) + 1) if stem and number.isdigit() else (run.name, 2)
    while True:
        folder = run.with_name(f"{stem}-v{first}")
        if not folder.exists():
            return folder, False
        if key_of(folder) == key:
            return folder, True
        first += 1


def key_of(folder: Path) -> str | None:
    """The key of the review that made a version; None where it is none."""
    try:
        found = json.loads((folder / FOLDER / AUDIT).read_text(encoding="utf-8"))["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(found)


def write_version(target: Path, run: RunFolder, review: Review, origin: Origin, audit: Mapping[str, Any]) -> None:
    """Write a whole run into `target`, by one rename: every unit with its changed layers, the catalog, the audit.

    ReviewError where a layer of the run before is not the file that its item tells of. RunError where `target` is
    there already.
    """
    if target.exists():
        raise RunError(f"{target}: is there already; give another --out, or remove that folder")
    with appearing(target) as draft:
        layers: dict[str, Any] = {}
        items: dict[str, dict[str, Any]] = {}
        for unit in run.units:
            items[unit.id], layers[unit.id] = _write_unit(draft / UNITS / unit.id, unit, review, origin, target)
        publish_run(draft, items, str(run.units[0].facts.get("overbank:job", run.path.name)))
        _write_records(draft, run, origin)
        shutil.copyfile(origin.edited, draft / FOLDER / EDITED)
        write_json(draft / FOLDER / AUDIT, {**audit, "layers": layers})


def _write_unit(
    folder: Path, unit: UnitFolder, review: Review, origin: Origin, target: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The item of a unit of the new version, and the digests of its layers before and after."""
    changed = reviewed_layers(unit, review)
    item = copy.deepcopy(unit.item)
    trail: dict[str, Any] = {"item": {"before": file_digest(unit.path / f"{unit.id}.json")}}
    for name, asset in unit.item["assets"].items():
        source = unit.path / asset["href"]
        before = file_digest(source)
        if asset["file:checksum"] != _MULTIHASH + before:
            raise ReviewError(f"{source}: is not the file that its item tells of; map that unit again")
        trail[name] = {"before": before}
        if name.removesuffix(Path(name).suffix) not in changed:
            copied = folder / asset["href"]
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copied)
            trail[name]["after"] = before
    replace_layers(folder, item, changed, unit)
    for name in changed:
        for key in (name, *(f"{name}{suffix}" for suffix in MEDIA_TYPES)):
            trail.setdefault(key, {})["after"] = item["assets"][key]["file:checksum"].removeprefix(_MULTIHASH)
    _describe(item, unit, origin, target)
    write_json(folder / f"{unit.id}.json", item)
    trail["item"]["after"] = file_digest(folder / f"{unit.id}.json")
    return item, trail


def replace_layers(folder: Path, item: dict[str, Any], changed: Mapping[str, Layer], unit: UnitFolder) -> None:
    """Write layers on a unit's grid into a folder, and what they are into an item."""
    for name, made in changed.items():
        write_layer(folder, name, made, unit.box)
        item["assets"] |= {key: asset.to_dict() for key, asset in layer_assets(name, made, folder).items()}


def _describe(item: dict[str, Any], unit: UnitFolder, origin: Origin, target: Path) -> None:
    """What the item says of the review that made it, and the link to the unit before it."""
    facts = item["properties"]
    before = str(facts.get("overbank:fingerprint", ""))
    facts["overbank:delivered"] = METHOD
    facts["overbank:fingerprint"] = hashlib.sha256(f"{before} {origin.key}".encode()).hexdigest()
    facts["overbank:review"] = {"of": before, "delivered_before": unit.delivered, "verdicts": origin.digest}
    here = target / UNITS / unit.id
    link = os.path.relpath((unit.path / f"{unit.id}.json").resolve(), here)
    item["links"] = [one for one in item["links"] if one["rel"] != "predecessor-version"]
    item["links"].append({"rel": "predecessor-version", "href": Path(link).as_posix(), "type": "application/geo+json"})


def _write_records(draft: Path, run: RunFolder, origin: Origin) -> None:
    for name in _KEPT:
        if (run.path / name).is_file():
            shutil.copyfile(run.path / name, draft / name)
    try:
        told = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = {"units": sorted(unit.id for unit in run.units)}
    write_json(draft / "run.json", told | {"review": {"verdicts": origin.digest, "delivered": METHOD}})
    (draft / FOLDER).mkdir()
