"""The dated file of science parameters: what may change a map without a change of the job."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from pydantic import Field, ValidationError

from harmonization.terrain import HALF_HEIGHT, HEIGHT_DOUBT, HEIGHT_WIDTH
from pipeline.errors import JobError
from pipeline.job import Record
from pipeline.yaml_lines import read_yaml


class Prior(Record):
    """What is believed before any sensor has spoken."""

    water: float = Field(gt=0, lt=0.5)
    """Probability of open water."""
    vegetation: float = Field(gt=0, lt=0.5)
    """Probability of flooded vegetation."""
    estimate: bool
    """Whether the shares are raised to what the evidence of the whole area speaks for."""
    highest: float = Field(lt=0.5)


class Drainage(Record):
    """How height above drainage lowers the prior."""

    upstream_km2: float = Field(default=1.0, gt=0)
    """Ground that drains through a place from which on it is a stream [M]."""
    half_height: float = Field(default=HALF_HEIGHT, ge=0)
    """m above drainage at which the prior is halved."""
    width: float = Field(default=HEIGHT_WIDTH, gt=0)
    """m over which it falls."""
    doubt: float = Field(default=HEIGHT_DOUBT, gt=0, lt=0.5)
    """Probability that the height says nothing."""


class Science(Record):
    """All parameters of one dated method file."""

    name: str
    prior: Prior
    memory_hours: float = Field(gt=0)
    doubt: float = Field(gt=0, lt=0.5)
    multilook: dict[str, int]
    """By radar band: boxcar before the likelihood, in native pixels of the sensor (odd)."""
    cloud_growth_m: float = Field(ge=0)
    """Metres by which cloud, shadow and snow grow."""
    ndwi_threshold: float
    drainage: Drainage = Drainage()
    darkest_land_db: dict[str, float]
    """By radar band: dB above which a lower mode is not water."""
    least_looks: dict[str, float]
    """By radar band: nominal looks after `multilook`; what is measured counts where it is more."""


def load_science(name: str) -> Science:
    """A dated method file of this distribution by its name, or any file by its path."""
    shipped = files("workflows").joinpath("methods")
    path = Path(name) if name.endswith((".yaml", ".yml")) else Path(str(shipped)) / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in Path(str(shipped)).glob("*.yaml")))
        raise JobError(f"science: {name!r} is not a method file; known: {known}")
    try:
        return Science.model_validate(read_yaml(path)[0])
    except ValidationError as problem:
        raise JobError(f"{path}: {problem.errors()[0]['loc']}: {problem.errors()[0]['msg']}") from None
