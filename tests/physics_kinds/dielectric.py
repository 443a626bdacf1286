"""Kinds of known answers: dielectric."""

from __future__ import annotations

from typing import Any

from harmonization.dielectric import (
    soil_permittivity,
    soil_permittivity_dobson,
    soil_permittivity_topp,
    vegetation_permittivity,
    water_permittivity,
    water_permittivity_klein_swift,
)
from physics_kinds import Inputs, Kind


def permittivity_water(given: Inputs) -> dict[str, Any]:
    state = (given["f_GHz"], given["T_C"], given["S_psu"])
    return {
        "eps": complex(water_permittivity(*state)),
        "klein_swift": complex(water_permittivity_klein_swift(*state)),
    }


def permittivity_soil(given: Inputs) -> dict[str, Any]:
    frequency, moisture = given["f_GHz"], given["mv"]
    mixed = soil_permittivity_dobson(frequency, moisture, given["sand"], given["clay"], given["T_C"], given["rho_b"])
    return {
        "mironov2009": complex(soil_permittivity(frequency, moisture, given["clay_pct"])),
        "topp1980_real": float(soil_permittivity_topp(moisture)),
        "dobson_peplinski": complex(mixed),
    }


def permittivity_vegetation(given: Inputs) -> dict[str, Any]:
    return {"eps": complex(vegetation_permittivity(given["f_GHz"], given["Mg"], given["sigma_Sm"]))}


KINDS: dict[str, Kind] = {
    "permittivity_water": permittivity_water,
    "permittivity_soil": permittivity_soil,
    "permittivity_vegetation": permittivity_vegetation,
}
