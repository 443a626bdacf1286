"""Which scenes a job reads: mosaics of the flood's own year by the date of their pixels, products found twice once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import yaml
from rich.console import Console
from scenes import grid, write_tiff

from catalogs.publish import SceneFile, scene_item, write_catalog
from pipeline.grid import outline_lonlat
from pipeline.job import load_job
from pipeline.plan import Plan, make_plan
from workflows.plan import plan_record
from workflows.tables import show_plan

BOX = grid(32, 32)
YEAR = (datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC))


def item(folder: Path, name: str, collection: str, keys: tuple[str, ...], *span: datetime, **told: Any) -> pystac.Item:
    """An item whose rasters hold the same number everywhere."""
    files = {}
    for key in keys:
        path = Path(write_tiff(folder / f"{name}_{key}.tif", np.full((32, 32), 3000, dtype=np.uint16), BOX))
        files[key] = SceneFile(path=path)
    start, end = span if len(span) == 2 else (span[0], None)
    return scene_item(name, collection, files, start=start, end=end, properties=told)


def mosaic(folder: Path, keys: tuple[str, ...] = ("HH", "HV", "date"), year: int = 2023) -> pystac.Item:
    span = [moment.replace(year=year) for moment in YEAR]
    return item(folder, f"N45E010_{year - 2000}_MOS", "alos-palsar-mosaic", keys, *span, platform="ALOS-2")


def planned(folder: Path, *items: pystac.Item, **changes: Any) -> Plan:
    """The plan of a flood on 2023-05-18 with a look of ALOS-2 on that day, and what else is given."""
    flood = item(folder, "ALOS2437590500-230518_X", "palsar2-scansar", ("HH", "HV"),
                 datetime(2023, 5, 18, 12, tzinfo=UTC), platform="ALOS-2")  # fmt: skip
    told = {
        "name": "flood",
        "area": [round(value, 6) for value in outline_lonlat(BOX).boundingbox.bbox],
        "catalog": str(write_catalog(folder / "catalog", [flood, *items], "test")),
        "before": ["2023-05-01", "2023-05-10"],
        "during": ["2023-05-18", "2023-05-18"],
        "sensors": ["alos-2", "sentinel-2"],
        "methods": ["physics"],
    }
    (folder / "job.yaml").write_text(yaml.safe_dump(told | changes))
    return make_plan(load_job(folder / "job.yaml"))


def test_a_mosaic_of_the_floods_year_is_read_up_to_the_end_of_before(tmp_path: Path) -> None:
    plan = planned(tmp_path, mosaic(tmp_path))
    (scene,) = plan.before
    assert scene.usable_until == datetime(2023, 5, 10, 23, 59, 59, 999999, UTC)
    assert plan.during[0].usable_until is None
    assert plan.problems == ()


def test_a_mosaic_that_ended_before_is_read_whole(tmp_path: Path) -> None:
    for keys in (("HH", "date"), ("HH",)):
        (scene,) = planned(tmp_path, mosaic(tmp_path, keys, 2021)).before
        assert scene.usable_until is None


def test_an_undated_mosaic_of_the_floods_year_is_left_out_and_told(tmp_path: Path) -> None:
    plan = planned(tmp_path, mosaic(tmp_path, ("HH", "HV")))
    assert plan.before == ()
    (problem,) = plan.problems
    assert problem.startswith("N45E010_23_MOS: goes on after 2023-05-10")
    assert plan.missing["before"] == ["alos-2", "sentinel-2"]


def test_a_mosaic_that_begins_after_before_is_not_asked_for(tmp_path: Path) -> None:
    plan = planned(tmp_path, mosaic(tmp_path, year=2024))
    assert (plan.before, plan.problems) == ((), ())


def test_a_product_found_twice_is_told_once_and_only_where_it_matters(tmp_path: Path) -> None:
    """The same tile in two baselines, on the day of the flood and three years ago."""
    twice = [
        item(tmp_path, f"S2B_MSIL2A_{year}0518T100000_R022_T32TQR_{made}", "sentinel-2-l2a", ("B03", "B08"),
             datetime(year, 5, 18, 10, tzinfo=UTC), **{"s2:processing_baseline": baseline, "platform": "sentinel-2b"})
        for year in (2020, 2023) for made, baseline in (("1", "02.14"), ("2", "05.00"))
    ]  # fmt: skip
    plan = planned(tmp_path, *twice)
    used = [scene.id for scene in plan.during if scene.sensor == "sentinel-2"]
    assert used == ["S2B_MSIL2A_20230518T100000_R022_T32TQR_2"]
    (note,) = [finding for finding in plan.findings if finding.code == "duplicate-pass"]
    assert note.thing == "S2B_MSIL2A_20230518T100000_R022_T32TQR_1"
    assert plan.problems == ()
    (told,) = [one for one in plan_record(plan)["findings"] if one["code"] == "duplicate-pass"]
    assert told["thing"] == note.thing
    told = Console(width=400, record=True)
    with told.capture() as captured:
        show_plan(plan, told)
    assert note.thing in captured.get()


@pytest.mark.parametrize("window", ["during", "before"])
def test_a_mosaic_is_never_during(tmp_path: Path, window: str) -> None:
    plan = planned(tmp_path, mosaic(tmp_path, year=2022))
    assert [scene.reference_only for scene in getattr(plan, window)] == [window == "before"]
