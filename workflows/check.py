"""`overbank catalog check`: the doctor's findings of an item, a catalog or a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from catalogs.doctor.check import check_catalog, check_file
from catalogs.doctor.findings import SEVERITIES, Finding, ordered
from catalogs.endpoint import is_known
from catalogs.errors import SearchError, without_secrets
from catalogs.hrefs import is_web
from pipeline.examine import examine_scenes
from pipeline.yaml_lines import read_yaml
from workflows.plan import SeriesPlan, finding_record
from workflows.plan import plan as plan_scenes

Say = Callable[[str], None]
JOBS = (".yaml", ".yml")


def check(target: str | Path, deep: bool = True, say: Say = lambda _: None) -> tuple[Finding, ...]:
    """Findings of a job (by its suffix), an item or a catalog (a path or an address), the worst first.

    `deep` opens the files. Raises `JobError` or `SearchError` where the target is none of these, or is not there.
    """
    if not str(target):  # or the folder one happens to stand in would be checked
        raise SearchError("target ''", "nothing", "an item, a catalog or a job", "Give a path or an address.")
    if is_known(target):
        remedy = f"Check a job with `catalog: {target}`: the scenes over its area are held against their files."
        raise SearchError(f"endpoint {target}", "a catalog of the whole world", "an item, a catalog or a job", remedy)
    path = Path(target)
    if is_web(target) or _is_endpoint(path):
        return check_catalog(target, deep, say)
    return check_job(path, deep, say) if path.suffix in JOBS else check_file(path, deep, say)


def _is_endpoint(path: Path) -> bool:
    """Whether a YAML describes an endpoint: it has an address, and a job has none."""
    if path.suffix not in JOBS or not path.is_file():
        return False
    document, _ = read_yaml(path)
    return isinstance(document, dict) and "url" in document


def check_job(job_file: Path, deep: bool = True, say: Say = lambda _: None) -> tuple[Finding, ...]:
    """Findings of the scenes that a job would read, in all of its windows."""
    planned = plan_scenes(job_file)
    plans = list(planned.windows.values()) if isinstance(planned, SeriesPlan) else [planned]
    for problem in dict.fromkeys(problem for plan in plans for problem in plan.problems):
        say(f"left out: {problem}")
    found = [examine_scenes(plan, said=say).findings if deep else plan.findings for plan in plans]
    return ordered(dict.fromkeys(finding for findings in found for finding in findings))


def findings_record(target: str | Path, deep: bool, found: Sequence[Finding]) -> dict[str, Any]:
    """Findings as JSON values: what `--json` writes."""
    counts = Counter(finding.severity for finding in found)
    return {
        "target": without_secrets(str(target)),
        "deep": deep,
        "counts": {severity: counts[severity] for severity in reversed(SEVERITIES)},
        "findings": [finding_record(finding) for finding in found],
    }
