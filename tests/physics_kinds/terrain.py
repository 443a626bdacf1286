"""Kinds of known answers: terrain."""

from __future__ import annotations

from typing import Any

from harmonization.hydrostatics import hydrostatic_loss
from physics_kinds import Inputs, Kind


def hydrostatic(inputs: Inputs) -> dict[str, Any]:
    step = float(inputs.get("dz", 0.0))
    return {"loss": hydrostatic_loss(inputs["z"], inputs["p"], inputs["pairs_high_low"], step)}


KINDS: dict[str, Kind] = {"hydrostatic_loss": hydrostatic}
