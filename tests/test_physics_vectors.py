"""Every known answer of a vectors file, through the project's own functions.

The file is ../shared/physics_vectors.json or the one named by OVERBANK_PHYSICS_VECTORS. A case is dispatched on its
kind; an unknown kind, and an output that the kind does not give, fail.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from physics_kinds import Answer
from physics_kinds.every import KINDS

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "physics_vectors.json"
FILE = Path(os.environ.get("OVERBANK_PHYSICS_VECTORS", DEFAULT))
DIGITS = 7
"""Significant digits that the reference prints: half a unit of the last is its rounding, added to every tolerance."""


def cases() -> list[Any]:
    if not FILE.is_file():
        if "OVERBANK_PHYSICS_VECTORS" in os.environ:
            raise FileNotFoundError(f"OVERBANK_PHYSICS_VECTORS names {FILE}, which is not there")
        return [pytest.param({}, marks=pytest.mark.skip(reason=f"no known answers: {FILE} is not on this machine"))]
    return [pytest.param(case, id=case["id"]) for case in json.loads(FILE.read_text())["cases"]]


@pytest.mark.parametrize("case", cases())
def test_known_answer(case: dict[str, Any]) -> None:
    check(case)


def check(case: dict[str, Any]) -> None:
    kind = case["kind"]
    assert kind in KINDS, f"{case['id']}: no function for the kind {kind!r}; known: {', '.join(sorted(KINDS))}"
    assert case["outputs"], f"{case['id']}: names no output, so nothing would be compared"
    found = KINDS[kind](case["inputs"])
    compare(f"{case['id']}", found, case["outputs"], case["tol"], case["tol_kind"])


def compare(where: str, found: Any, expected: Any, tolerance: float, tolerance_kind: str) -> None:
    """Fail, naming the output, where something of `expected` is missing in `found` or off by more than allowed."""
    reference_error = 0.0
    if isinstance(found, Answer):
        found, reference_error = found.value, found.reference_error
    if isinstance(expected, dict) and set(expected) == {"re", "im"}:
        expected = complex(expected["re"], expected["im"])
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert isinstance(found, dict), f"{where}: expected named outputs, found {found!r}"
            assert name in found, f"{where}: the kind gives no output {name!r}, only {', '.join(map(str, found))}"
            compare(f"{where}.{name}", found[name], value, tolerance, tolerance_kind)
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{where}: {len(found)} values, expected {len(expected)}"
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            compare(f"{where}[{index}]", one, other, tolerance, tolerance_kind)
    elif isinstance(expected, bool | str):
        assert type(expected)(found) == expected, f"{where}: {found!r}, expected {expected!r}"
    elif expected is None:
        assert found is None or math.isnan(found), f"{where}: {found!r}, expected nothing"
    else:
        allowed = allowance(expected, tolerance, tolerance_kind) + reference_error
        assert abs(found - expected) <= allowed, f"{where}: {found!r}, expected {expected!r} within {allowed:.3g}"


def allowance(expected: complex | float, tolerance: float, tolerance_kind: str) -> float:
    """The stated tolerance, and the rounding of the printed reference."""
    if tolerance_kind not in ("abs", "abs_dB", "rel"):
        raise AssertionError(f"unknown kind of tolerance {tolerance_kind!r}")
    stated = tolerance * abs(expected) if tolerance_kind == "rel" else tolerance
    largest = max(abs(expected.real), abs(expected.imag))
    rounding = 0.5 * 10.0 ** (math.floor(math.log10(largest)) + 1 - DIGITS) if largest > 0 else 0.0
    return float(stated + rounding)


def test_an_unknown_kind_and_an_unknown_output_fail() -> None:
    case = {"id": "made up", "kind": "no such kind", "inputs": {}, "outputs": {"a": 1.0}, "tol": 0.0, "tol_kind": "abs"}
    with pytest.raises(AssertionError, match="no function for the kind"):
        check(case)
    with pytest.raises(AssertionError, match="names no output"):
        check(case | {"kind": "db_mean", "outputs": {}})
    with pytest.raises(AssertionError, match="gives no output 'b'"):
        compare("made up", {"a": 1.0}, {"b": 1.0}, 1.0, "abs")


@pytest.mark.parametrize(
    ("found", "expected", "tolerance_kind", "right"),
    [
        (1.0011, 1.0, "abs", False),
        (1.0009, 1.0, "abs", True),
        (100.05, 100.0, "rel", True),
        (100.05, 100.0, "abs", False),
        (float("nan"), 1.0, "abs", False),
        (float("nan"), None, "abs", True),
        (0.0, None, "abs", False),
        (True, False, "abs", False),
        ([1.0], [1.0, 2.0], "abs", False),
        (3.0 + 4.0j, {"re": 3.0, "im": 4.0}, "abs", True),
        (3.0 - 4.0j, {"re": 3.0, "im": 4.0}, "abs", False),
    ],
)
def test_the_comparison_can_fail(found: Any, expected: Any, tolerance_kind: str, right: bool) -> None:
    if right:
        compare("made up", found, expected, 1e-3, tolerance_kind)
    else:
        with pytest.raises(AssertionError):
            compare("made up", found, expected, 1e-3, tolerance_kind)
