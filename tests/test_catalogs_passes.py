"""Each product once, and the slices of a pass as one acquisition, whatever the order of the search."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pystac
import pytest
from shapely.geometry import box, mapping, shape

from catalogs.acquisition import to_acquisition
from catalogs.passes import passes
from catalogs.records import Acquisition, RasterLayer

NOON = datetime(2024, 5, 18, 12, tzinfo=UTC)
RTC, GRD, OPERA = "sentinel-1-rtc", "sentinel-1-grd", "OPERA_L2_RTC-S1_V1_1"


def frame(name: str, south: float = 0.0, seconds: float = 0.0, **changes: Any) -> Acquisition:
    """A frame of Sentinel-1, two degrees wide and two high, that begins so many seconds after noon."""
    pieces = changes.pop("names", ("VV", "VH"))
    encoding = changes.pop("encoding", "power")
    start = NOON + timedelta(seconds=seconds)
    told: dict[str, Any] = {
        "id": name,
        "slices": (name,),
        "collection": RTC,
        "sensor": "sentinel-1",
        "kind": "radar",
        "platform": "sentinel-1a",
        "start": start,
        "end": start + timedelta(seconds=25),
        "quantity": "gamma0",
        "band": "C",
        "layers": {key: (RasterLayer(href=f"/{name}_{key}.tif", encoding=encoding),) for key in pieces},
        "angle_range": (30.0, 46.0),
        "noise_db": dict.fromkeys(pieces, -24.0),
        "orbit_direction": "descending",
        "relative_orbit": 51,
        "footprint": mapping(box(0.0, south, 2.0, south + 2.0)),
        "bytes": 100,
        "version": f"v{name}",
    }
    return Acquisition(**told | changes)


def tile(name: str, west: float = 0.0, **changes: Any) -> Acquisition:
    """A tile of Sentinel-2 over one degree."""
    told: dict[str, Any] = {
        "sensor": "sentinel-2",
        "kind": "optical",
        "collection": "sentinel-2-l2a",
        "platform": "sentinel-2b",
        "quantity": "surface_reflectance",
        "band": None,
        "noise_db": {},
        "names": ("green", "nir", "mask"),
        "encoding": "linear",
        "orbit_direction": None,
        "part": name,
        "footprint": mapping(box(west, 0.0, west + 1.0, 1.0)),
    }
    return frame(name, **told | changes)


def ids(acquisitions: tuple[Acquisition, ...]) -> list[str]:
    return [scene.id for scene in acquisitions]


def test_slices_become_one_acquisition() -> None:
    found, notes = passes([frame("b", 2.0, 25), frame("a"), frame("c", 4.0, 50, names=("VV",), bytes=50)])
    (whole,) = found
    assert (whole.id, whole.slices, notes) == ("a+2", ("a", "b", "c"), ())
    assert [raster.href for raster in whole.layers["VV"]] == ["/a_VV.tif", "/b_VV.tif", "/c_VV.tif"]
    assert [raster.href for raster in whole.layers["VH"]] == ["/a_VH.tif", "/b_VH.tif"], "each slice what it has"
    assert (whole.start, whole.end) == (NOON, NOON + timedelta(seconds=75))
    assert whole.bytes == 250
    assert shape(whole.footprint).equals(box(0, 0, 2, 6))
    changed = passes([frame("a"), frame("b", 2.0, 25, version="other"), frame("c", 4.0, 50)])[0][0]
    assert whole.version != changed.version != ""


def test_unknown_sizes_stay_unknown_and_floors_hold_everywhere() -> None:
    (whole,) = passes(
        [frame("a", bytes=None), frame("b", 2.0, 25, noise_db={"VV": -22.0, "VH": -26.0}, angle_range=(29.0, 45.0))]
    )[0]
    assert whole.bytes is None
    assert whole.noise_db == {"VV": -22.0, "VH": -24.0}
    assert whole.angle_range == (29.0, 46.0)


@pytest.mark.parametrize(
    "other",
    [
        frame("b", 2.0, 25, platform="sentinel-1c"),
        frame("b", 2.0, 25, orbit_direction="ascending"),
        frame("b", 2.0, 25, relative_orbit=52),
        frame("b", 2.0, 25, look_side="left"),
        frame("b", 2.0, 25, denoised=True),
        frame("b", 2.0, 25, encoding="decibel"),
        frame("b", 2.0, 25, names=("HH", "HV"), noise_db={}),
        frame("b", 2.0, 25, collection=GRD),
        frame("b", 2.0, 12 * 24 * 3600),
        frame("b", 2.0, 99 * 60),
        frame("b", 2.0, 25, relative_orbit=None, absolute_orbit=None),
    ],
    ids=["satellite", "direction", "track", "side", "noise", "encoding", "co-polarization", "collection", "cycle",
         "next orbit", "unknown orbit"],
)  # fmt: skip
def test_what_never_mixes(other: Acquisition) -> None:
    found, notes = passes([frame("a"), other])
    assert (ids(found), notes) == (["a", "b"], ())


def test_scenes_of_unknown_orbit_stand_alone() -> None:
    alone = {"relative_orbit": None, "absolute_orbit": None}
    found, notes = passes([frame("a", **alone), frame("b", 2.0, **alone)])
    assert (ids(found), notes) == (["a", "b"], ())


def test_a_pass_over_midnight_is_one() -> None:
    late = (timedelta(hours=12) - timedelta(seconds=10)).total_seconds()
    found, _ = passes([frame("a", 0.0, late), frame("b", 2.0, late + 25)])
    assert ids(found) == ["a+1"]


def test_frames_in_two_collections_are_read_once() -> None:
    found, notes = passes(
        [
            frame("grd1", 0.02, collection=GRD),
            frame("rtc1"),
            frame("grd2", 2.02, 25, collection=GRD),
            frame("rtc2", 2.0, 25),
            frame("grd3", 4.02, 50, collection=GRD),
        ]
    )
    assert ids(found) == ["rtc1+1", "grd3"], "no corrected product of the third frame: it is read as it is"
    why = "which is read in its place: collection sentinel-1-rtc is read before sentinel-1-grd"
    assert [(note.code, note.thing, note.found) for note in notes] == [
        ("duplicate-pass", "grd1", f"the pass of rtc1 of sentinel-1-rtc, {why}"),
        ("duplicate-pass", "grd2", f"the pass of rtc2 of sentinel-1-rtc, {why}"),
    ]


def test_bursts_give_way_to_the_frames_that_cover_them() -> None:
    """OPERA's bursts know the track but not the direction; three lie in the frames, one goes beyond."""
    bursts = [
        frame(f"burst{number}", south, collection=OPERA, part=f"T051-{number}-IW1", orbit_direction=None,
              footprint=mapping(box(0.2, south, 1.0, south + 0.3)))
        for number, south in enumerate((0.1, 1.9, 3.6, 4.1))
    ]  # fmt: skip
    found, notes = passes([*bursts, frame("a"), frame("b", 2.0, 25)])
    assert ids(found) == ["a+1", "burst3"]
    assert len(notes) == 3


@pytest.mark.parametrize(
    ("kept", "dropped", "why"),
    [
        ({"collection": "sentinel-2-c1-l2a"}, {"baseline": "05.11"}, "collection sentinel-2-c1-l2a is read before"),
        ({"baseline": "05.10"}, {"baseline": "02.14", "updated": NOON}, "processing baseline is 05.10, not 02.14"),
        ({"updated": NOON}, {"updated": NOON - timedelta(days=9)}, "updated later"),
        ({"updated": NOON}, {}, "updated later"),
        ({"id": "z"}, {"id": "y"}, "order of their ids"),
    ],
)
def test_which_of_two_is_read(kept: dict[str, Any], dropped: dict[str, Any], why: str) -> None:
    pair = [tile("kept", part="33UUP", **kept), tile("dropped", part="33UUP", **dropped)] if "id" not in kept else [
        tile(name, part="33UUP") for name in "zy"
    ]  # fmt: skip
    for order in permutations(pair):
        found, (note,) = passes(order)
        assert ids(found) == [pair[0].id]
        assert why in note.found
        assert note.thing == pair[1].id
        assert note.found.startswith(f"the pass of {pair[0].id} of ")


def test_the_same_item_twice_is_read_once() -> None:
    found, notes = passes([frame("a"), frame("a", version="other copy")])
    assert ids(found) == ["a"]
    assert len(notes) == 1


def test_two_halves_of_a_tile_from_two_data_strips_are_both_read() -> None:
    west, east = (mapping(box(left, 0.0, left + 0.52, 1.0)) for left in (0.0, 0.48))
    found, notes = passes([tile("a", part="33UUP", footprint=west), tile("b", part="33UUP", footprint=east)])
    assert (ids(found), notes) == (["a+1"], ())


def test_neighbouring_tiles_are_never_taken_for_one_another() -> None:
    sliver = mapping(box(0.95, 0.0, 1.0, 1.0))  # the rim of the swath, all of it in the overlap of two tiles
    found, notes = passes([tile("33UUP"), tile("33UVP", 0.9, footprint=sliver)])
    assert (ids(found), notes) == (["33UUP+1"], ())


def test_tiles_of_one_mosaic_by_year() -> None:
    def mosaic(name: str, year: int, months: tuple[int, int] = (1, 12)) -> Acquisition:
        first, last = months
        told = {"start": datetime(year, first, 1, tzinfo=UTC), "end": datetime(year, last, 28, tzinfo=UTC)}
        return frame(
            name, part=name[:7], sensor="alos-2", platform="alos-2", relative_orbit=None, reference_only=True,
            names=("HH", "date"), noise_db={}, **told,
        )  # fmt: skip

    tiles = [mosaic("N23W161_20", 2020), mosaic("N23W160_20", 2020, (5, 6)), mosaic("N23W161_21", 2021)]
    tiles.append(mosaic("N23W159_20", 2020, (8, 9)))  # made of other passes than its neighbour
    found, notes = passes(tiles)
    assert (ids(found), notes) == (["N23W161_20+2", "N23W161_21"], ())


def test_the_order_of_the_search_does_not_matter() -> None:
    scenes = [frame("a"), frame("b", 2.0, 25), frame("g", 2.0, 25, collection=GRD), tile("33UUP"), tile("33UUQ", 1.0)]
    results = {json.dumps([s.model_dump(mode="json") for s in passes(order)[0]]) for order in permutations(scenes)}
    assert len(results) == 1


def test_broken_footprints_do_not_end_the_search() -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}
    found, _ = passes([frame("a", footprint=bow), frame("b", footprint={}, seconds=25), frame("c", 2.0, 50)])
    assert ids(found) == ["a+2"]


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("sentinel-1-rtc", "S1A_IW_GRDH_1SDV_20240419T045749_20240419T045814_053498_067DF2_rtc+3"),
        ("sentinel-2-l2a", "S2B_MSIL2A_20240419T095549_R122_T46XER_20240419T124342+3"),
        ("landsat-c2-l2", "LC09_L2SP_089087_20240417_02_T2+3"),
    ],
)
def test_real_four_in_a_row_are_one_pass(shared: Path, name: str, whole: str) -> None:
    content = json.loads((shared / f"data/stac/items/planetary-computer/{name}-four-in-a-row.json").read_text())
    scenes = [to_acquisition(pystac.Item.from_dict(data, migrate=False)) for data in content]
    (found,), notes = passes(scenes)
    assert (found.id, notes) == (whole, ())
    assert len(found.rasters) == 4 * len(scenes[0].rasters)


def test_real_pass_in_three_collections_is_read_from_the_newest(shared: Path) -> None:
    folder = shared / "data/stac/items/earth-search"
    names = ("sentinel-2-l2a", "sentinel-s2-l2a-cogs", "sentinel-2-c1-l2a")
    paths = [path for name in names for path in sorted((folder / name).glob("*.json"))]
    scenes = [to_acquisition(pystac.Item.from_dict(json.loads(path.read_text()), migrate=False)) for path in paths]
    (found,), notes = passes(scenes)
    assert found.collection == "sentinel-2-c1-l2a"
    assert len(found.slices) == 6
    assert len(notes) == 7
