"""Stages of the harmonization, each with its own way, plain numpy and a library's, on one square of pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Work = Callable[[int], Callable[[], Any]]
"""A side in pixels to a call that does the work on inputs made beforehand (making them is not timed)."""


@dataclass(frozen=True)
class Stage:
    """One row of the table."""

    name: str
    ours: Work
    plain: Work | None = None
    """The same in plain numpy, as a careful reader would write it."""
    library: tuple[str, Work] | None = None
    """A library's name and its way; None where there is none."""
