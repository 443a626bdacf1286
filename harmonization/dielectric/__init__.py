"""Relative permittivity of water, soil and vegetation, written eps' - j eps''.

Every model has a companion `<model>_valid` that is True where its published range holds.
"""

from harmonization.dielectric.arrays import Complex, Real
from harmonization.dielectric.soil import (
    soil_permittivity,
    soil_permittivity_dobson,
    soil_permittivity_dobson_valid,
    soil_permittivity_topp,
    soil_permittivity_topp_valid,
    soil_permittivity_valid,
)
from harmonization.dielectric.vegetation import vegetation_permittivity, vegetation_permittivity_valid
from harmonization.dielectric.water import (
    water_permittivity,
    water_permittivity_klein_swift,
    water_permittivity_klein_swift_valid,
    water_permittivity_valid,
)

__all__ = [
    "Complex",
    "Real",
    "soil_permittivity",
    "soil_permittivity_dobson",
    "soil_permittivity_dobson_valid",
    "soil_permittivity_topp",
    "soil_permittivity_topp_valid",
    "soil_permittivity_valid",
    "vegetation_permittivity",
    "vegetation_permittivity_valid",
    "water_permittivity",
    "water_permittivity_klein_swift",
    "water_permittivity_klein_swift_valid",
    "water_permittivity_valid",
]
