"""Units with a known truth to chips: exactly what `map` would give the network, cut to squares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from dask.delayed import delayed
from numpy.typing import NDArray

from catalogs.records import RasterLayer
from models.data.chips import UNKNOWN, write_chip
from models.inputs import CHANNELS, with_earlier_looks
from pipeline.align import align
from pipeline.classify import FLOODED_VEGETATION, OPEN_WATER, REFERENCE_WATER
from pipeline.clock import StageClock
from pipeline.drainage import with_drainage
from pipeline.job import Job
from pipeline.methods import network_input
from pipeline.observe import observe
from pipeline.plan import Plan, Unit, make_plan
from pipeline.prepare import prepare
from pipeline.read import read_window
from pipeline.run import ground_of_unit
from pipeline.science import Science, load_science

CHIP_CHANNELS = with_earlier_looks(CHANNELS, 1)
"""What a chip holds, for networks of every strategy."""
TO_STATE = {0: 0, OPEN_WATER: 1, REFERENCE_WATER: 1, FLOODED_VEGETATION: 2}
"""Class of the truth → state of the network, which maps the water of the moment, permanent or not."""


def write_chips(job: Job, truth: Path, folder: Path, group: str, side: int) -> int:
    """Write the chips of every unit of a job, once with its "before" scenes and once without; how many.

    `truth`: raster of class codes; `group`: chips of one group are never split between training and validation.
    """
    science = load_science(job.science)
    with TemporaryDirectory() as basin:
        return _write_chips(_with_drainage(make_plan(job), science, Path(basin)), science, truth, folder, group, side)


def _with_drainage(plan: Plan, science: Science, folder: Path) -> Plan:
    ground = with_drainage(plan.job, plan.area, plan.ground, science, folder, lambda _: None)
    return replace(plan, ground=ground)


def _write_chips(plan: Plan, science: Science, truth: Path, folder: Path, group: str, side: int) -> int:
    prepared = prepare(plan, science, lambda _: None)
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    belief = prepared.belief(science)
    for unit in plan.units:
        states = _states(truth, unit)
        cover, terrain, prior = ground_of_unit(unit, plan.ground.near(unit.box), science, belief, StageClock())
        for name, variant in (("pair", unit), ("single", replace(unit, before=()))):
            looks = observe(variant, science, prepared, StageClock(), plan.elevation, cover)
            inputs = delayed(network_input)(looks, prior, terrain, CHIP_CHANNELS).compute(scheduler="threads")
            for row, column in _corners(unit, side):
                path = folder / f"{group}_{unit.id}_{name}_{row}_{column}.npz"
                write_chip(
                    path, inputs.window(row, column, side, side), states[row : row + side, column : column + side]
                )
                count += 1
    return count


def _states(truth: Path, unit: Unit) -> NDArray[np.uint8]:
    values = align(read_window(RasterLayer(href=str(truth.absolute())), unit.box), unit.box, "mask")
    states = np.full(values.shape, UNKNOWN, dtype=np.uint8)
    for code, state in TO_STATE.items():
        states[values == code] = state
    return states


def _corners(unit: Unit, side: int) -> Iterator[tuple[int, int]]:
    rows, columns = unit.box.shape.yx
    for row in range(0, rows - side + 1, side):
        for column in range(0, columns - side + 1, side):
            yield row, column
