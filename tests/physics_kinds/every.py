"""All kinds by name."""

from __future__ import annotations

from physics_kinds import (
    Kind,
    calibration,
    dielectric,
    evidence,
    geometry,
    incidence,
    optical,
    scattering,
    speckle,
    terrain,
)

ROOMS = (calibration, geometry, incidence, dielectric, scattering, speckle, evidence, optical, terrain)
KINDS: dict[str, Kind] = {name: kind for room in ROOMS for name, kind in room.KINDS.items()}
