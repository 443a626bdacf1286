"""What is learned of experts for the late rules: numbers a person can read, and the arrays of the stacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from models.contract import BOUND, Record, Training
from models.judging.calibrate import Affine

Arrays = dict[str, NDArray[Any]]
Matrix = tuple[tuple[float, ...], ...]


class Learned(Record):
    """Of M experts on S states, K = S + 1 with dry, from held-out chips."""

    experts: tuple[str, ...]
    """Their order in everything below."""
    digests: dict[str, str] = Field(default_factory=dict)
    """By expert: of what decides its output (`late_checkpoint.expert_digest`)."""
    states: tuple[str, ...]
    form: Literal["bounded", "free"] = "bounded"
    bound: PositiveFloat = BOUND
    calibration: dict[str, Affine] = Field(default_factory=dict)
    """By expert; one that is left out stays as it is."""
    accuracy: Matrix
    """(M, S) balanced accuracy of each expert in telling the state from dry."""
    error_moments: tuple[Matrix, ...]
    """(S, M, M) mean product of two experts' errors in the probability of state : dry, where both are present."""
    confusion: tuple[Matrix, ...]
    """(M, K, K) share of the pixels in true state j that the expert takes for state k, [expert][j][k]."""
    failure: tuple[float, ...]
    """(M,) probability that a pixel's opinion has nothing to do with the ground."""
    sharpness: tuple[float, ...]
    """(M,) what the evidence of each is raised to: experts share terrain and context, and their sum counts it twice."""
    hidden_variance: tuple[float, ...] = ()
    """(M,) nats² of error that each expert's own variance leaves out: what it cannot see, it does not doubt. Empty is 0
    each."""
    rule_calibration: dict[str, dict[str, Affine]] = Field(default_factory=dict)
    """By rule, then by the experts that are present ("c_band+optical"). One alone comes calibrated."""
    calibration_error: dict[str, dict[str, float]] = Field(default_factory=dict)
    """By rule: expected calibration error "before" and "after" its calibration, on the chips that it was fitted to."""
    training: Training = Training()
    sha256: str = ""
    """Of the file of the stacks."""

    @property
    def bound_or_none(self) -> float | None:
        """B in nats; None in the free form."""
        return self.bound if self.form == "bounded" else None


@dataclass(frozen=True, eq=False)
class Fitted:
    """What `fuse` needs for the rules that learn."""

    learned: Learned
    stacks: dict[str, tuple[Arrays, ...]] = field(default_factory=dict)
    """By rule ("stack-logistic", …): the arrays of each state."""
