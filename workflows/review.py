"""`overbank review`: hand out the polygons most worth a human look, and let what a person says correct the map."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.errors import ReviewError
from pipeline.ledger import file_digest
from pipeline.review.candidates import candidates_of
from pipeline.review.contested import frame_of
from pipeline.review.experts import expert_names
from pipeline.review.judged import judged_pixels, judged_polygons
from pipeline.review.learn import learned, share_by_verdicts
from pipeline.review.package import FILE, FOLDER, as_told, export_record, keep_record, write_package
from pipeline.review.refit import Witness, unchanged
from pipeline.review.remap import Review, parameters_of
from pipeline.review.selection import selected
from pipeline.review.verdicts import Verdicts, read_verdicts
from pipeline.review.version import AUDIT, Origin, key_of, version_folder, write_version
from pipeline.run_folder import open_run

BELIEVED = Witness(sensitivity=0.95, specificity=0.95)
"""A person who looks at good pictures, and polygons that are a little mixed [M]."""


def review_export(
    run: Path, budget: int = 50, at_random: int = 10, seed: int = 0, out: Path | None = None
) -> dict[str, Any]:
    """Write the polygons most worth a look as a GeoPackage with an empty `verdict`; what was handed out.

    `at_random` of the `budget` are drawn from what nobody doubts. By default into RUN/review/review.gpkg; the record
    that an edited file is held against stays in RUN/review/exports. ReviewError where verdicts would be lost, or the
    run holds nothing to judge.
    """
    if not 0 <= at_random <= budget or budget < 1:
        raise ReviewError(f"--random {at_random} of --budget {budget}: give at least 1, and no more at random than all")
    folder = open_run(run)
    candidates = candidates_of(folder)
    if candidates.empty:
        raise ReviewError(f"{run}: no polygon is wide enough to be judged; was anything observed?")
    drawn = selected(candidates, budget, at_random, seed)
    frame = {
        "observed_km2": frame_of(folder),
        "frame_km2": float(candidates["area_km2"].sum()),
        "candidates": len(candidates),
    }
    record = export_record(folder, drawn, frame, (budget, at_random, seed))
    target = out or run / FOLDER / FILE
    write_package(target, record, drawn)
    keep_record(run, record)
    return as_told(record) | {"file": str(target)}


def review_apply(
    run: Path,
    edited: Path,
    reviewer: str | None = None,
    witness: Witness = BELIEVED,
    out: Path | None = None,
) -> dict[str, Any]:
    """Write a new version of a run that verdicts have corrected, beside it; its audit. The run itself is not touched.

    With no verdict that says anything nothing is written, and `version` is None. The same file gives the same version:
    applied again, it is found. ReviewError says what in the edited file does not fit.
    """
    folder = open_run(run)
    verdicts = read_verdicts(edited, folder)
    told = _told(verdicts)
    if not verdicts.usable:
        return {"version": None, "usable": 0, **told}
    who = reviewer or _user()
    key = _key(verdicts, who, witness)
    target, done = _target(run, out, key)
    if done:
        audit: dict[str, Any] = json.loads((target / FOLDER / AUDIT).read_text(encoding="utf-8"))
        return audit | {"done_before": True, "path": str(target)}
    names = expert_names(folder)
    polygons = judged_polygons(verdicts)
    judged, samples = judged_pixels(folder, names, polygons, verdicts)
    fitted, lesson = learned(judged, witness)
    audit = {
        "version": target.name,
        "of": run.resolve().name,
        "key": key,
        "run": verdicts.record.run,
        "edited": {"name": edited.name, "sha256": verdicts.digest},
        "reviewer": who,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "overbank": version("overbank"),
        "export": as_told(verdicts.record),
        "audit_before": _digest_or_none(run / FOLDER / AUDIT),
        "witness": {"sensitivity": witness.sensitivity, "specificity": witness.specificity},
        "usable": len(verdicts.usable),
        "in_refit": len(samples),
        **told,
        **lesson,
        "parameters": {
            "before": parameters_of(names, unchanged(len(names))),
            "after": parameters_of(names, fitted),
        },
        "flood_share": share_by_verdicts(judged),
        "verdicts": _verdicts_told(verdicts, samples),
    }
    origin = Origin(edited, verdicts.digest, key)
    write_version(target, folder, Review(names, fitted, witness, polygons), origin, audit)
    return audit | {"done_before": False, "path": str(target)}


def _told(verdicts: Verdicts) -> dict[str, Any]:
    return {
        "notes": list(verdicts.told),
        "missing": list(verdicts.missing),
        "not_judged": list(verdicts.empty),
        "unsure": [name for name, verdict in verdicts.said.items() if verdict == "unsure"],
    }


def _verdicts_told(verdicts: Verdicts, samples: tuple[str, ...]) -> dict[str, Any]:
    """By id, what was said, how the polygon came to be asked, and whether the refit learned of it."""
    asked = verdicts.record.polygons
    return {
        name: {
            "verdict": verdict,
            "note": verdicts.notes.get(name, ""),
            "stratum": asked[name].stratum,
            "probability": asked[name].probability,
            "in_refit": name in samples,
        }
        for name, verdict in verdicts.said.items()
    }


def _target(run: Path, out: Path | None, key: str) -> tuple[Path, bool]:
    if out is None:
        return version_folder(run, key)
    target = out.resolve()
    if target == run.resolve():
        raise ReviewError(f"{out}: is the run itself, which a review never changes; give another --out")
    return target, key_of(target) == key


def _key(verdicts: Verdicts, reviewer: str, witness: Witness) -> str:
    told = [
        verdicts.record.run,
        verdicts.record.export,
        verdicts.digest,
        reviewer,
        witness.sensitivity,
        witness.specificity,
        version("overbank"),
    ]
    return sha256(json.dumps(told).encode()).hexdigest()


def _digest_or_none(path: Path) -> str | None:
    return file_digest(path) if path.is_file() else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unnamed"
