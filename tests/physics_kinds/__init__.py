"""One function a kind of known answer: the inputs of a case in, all outputs of the project for them out.

A kind never looks at the id or the answers of a case. Where the reference is known to have been computed less exactly
than its tolerance says, a kind returns `Answer` with the error of the reference, found from the inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Inputs = dict[str, Any]
Kind = Callable[[Inputs], dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """A value, and by how much the reference is known to be off for these inputs, in the unit of its tolerance."""

    value: Any
    reference_error: float


def number(value: Any) -> complex | float:
    """A number of a case: complex ones are written {"re", "im"}."""
    return complex(value["re"], value["im"]) if isinstance(value, dict) else float(value)
