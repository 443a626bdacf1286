"""Layers to files: valid COGs that a GIS understands, an item, and folders that are whole or not there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rio_cogeo import cog_validate
from scenes import NOON, grid, plain, radar_scene, science
from stac_validation import validate_item

from catalogs.records import Ancillary, RasterLayer
from harmonization.classes import Backscatter
from harmonization.reasons import BLINDING, Reason
from pipeline.assemble import OBSERVED_BITS
from pipeline.cog import read_statistics, write_cog, write_scene
from pipeline.errors import RunError
from pipeline.export import export_unit, publish_run
from pipeline.ground import Ground
from pipeline.job import Job
from pipeline.layers import AGREEMENT_CLASSES, FLOOD_CLASSES, KINDS, WATER_CLASSES, UnitLayers, layer, to_file_units
from pipeline.ledger import alone_in, appearing, clear_leftovers, fingerprint, is_done, read_item, unit_folder
from pipeline.observe import Prepared
from pipeline.plan import Unit


def some_values(name: str, rows: int, columns: int, bands: int = 1) -> Any:
    """Values that the kind can hold, nodata among them."""
    kind = KINDS[name]
    rng = np.random.default_rng(0)
    if kind.classes is not None:
        return rng.choice(list(kind.classes), (bands, rows, columns))
    values = rng.integers(0, 100, (bands, rows, columns))
    if kind.nodata is not None:
        values[:, :5, :5] = kind.nodata
    return values


def write(folder: Path, name: str, rows: int = 100, columns: int = 100, bands: int = 1) -> Path:
    path = folder / f"{name}.tif"
    names = tuple(f"band {index}" for index in range(bands))
    write_cog(path, layer(name, some_values(name, rows, columns, bands), names), grid(rows, columns))
    return path


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize(("rows", "columns"), [(100, 100), (600, 300)])
def test_every_kind_is_a_strict_cog_with_an_overview(tmp_path: Path, name: str, rows: int, columns: int) -> None:
    path = write(tmp_path, name, rows, columns)
    valid, errors, warnings = cog_validate(path, strict=True)
    assert valid, (errors, warnings)
    with rasterio.open(path) as source:
        assert source.overviews(1)
        assert source.block_shapes[0] == (256, 256)
        assert source.crs.to_epsg() == 32632
        assert source.transform == grid().affine
        assert source.nodata == KINDS[name].nodata
        assert source.dtypes[0] == KINDS[name].dtype
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        np.testing.assert_array_equal(source.read(), some_values(name, rows, columns))


def test_two_bands_have_their_names_scales_and_units(tmp_path: Path) -> None:
    path = write(tmp_path, "evidence", bands=2)
    with rasterio.open(path) as source:
        assert source.descriptions == ("band 0", "band 1")
        assert source.scales == (0.01, 0.01)
        assert source.units == ("nat", "nat")
        assert source.tags()["TITLE"] == "Evidence by sensor, against dry"


def test_statistics_leave_nodata_out(tmp_path: Path) -> None:
    """One pixel of 10 %, one of 30 %, the rest not observed: mean 20, and 2 of 10,000 pixels are valid."""
    values = np.full((100, 100), 255)
    values[50, 50:52] = (10, 30)
    path = tmp_path / "a.tif"
    write_cog(path, layer("flood_probability", values), grid(100, 100))
    found = read_statistics(path)
    assert float(found["STATISTICS_MINIMUM"]) == 10
    assert float(found["STATISTICS_MAXIMUM"]) == 30
    assert float(found["STATISTICS_MEAN"]) == 20
    assert float(found["STATISTICS_VALID_PERCENT"]) == pytest.approx(0.02)


def test_layer_without_a_valid_pixel_is_written_too(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_cog(path, layer("ndwi", np.full((64, 64), -32768)), grid(64, 64))
    assert cog_validate(path, strict=True)[0]


def test_classes_have_colours_and_names(tmp_path: Path) -> None:
    with rasterio.open(write(tmp_path, "flood_class")) as source:
        colours, tags = source.colormap(1), source.tags(1)
    for code, (name, _, colour) in FLOOD_CLASSES.items():
        assert tags[f"CLASS_{code}"] == name
        if code != 255:
            assert colours[code] == (*bytes.fromhex(colour[1:]), 255)
    assert len({colours[code] for code in FLOOD_CLASSES}) == len(FLOOD_CLASSES)


def test_overviews_of_classes_hold_only_classes(tmp_path: Path) -> None:
    """Dry and not observable in stripes: their mean, 2, is flooded vegetation."""
    values = np.zeros((100, 100))
    values[:, ::2] = 4
    path = tmp_path / "a.tif"
    write_cog(path, layer("flood_class", values), grid(100, 100))
    with rasterio.open(path, overview_level=0) as source:
        assert set(np.unique(source.read())) <= {0, 4}


def test_overviews_of_bits_hold_only_bits_that_are_there(tmp_path: Path) -> None:
    """1 (C band) and 4 (optics) in stripes: a mean of 2.5 would be L band."""
    values = np.ones((100, 100))
    values[:, ::2] = 4
    path = tmp_path / "a.tif"
    write_cog(path, layer("observed_by", values), grid(100, 100))
    with rasterio.open(path, overview_level=0) as source:
        assert set(np.unique(source.read())) <= {1, 4}


@pytest.mark.parametrize("name", ["flood_class", "evidence", "exclusion", "flood_probability"])
def test_bytes_depend_on_the_values_alone(tmp_path: Path, name: str) -> None:
    first = write(tmp_path, name, 300, 200).read_bytes()
    (tmp_path / "elsewhere").mkdir()
    assert write(tmp_path / "elsewhere", name, 300, 200).read_bytes() == first


def test_scene_of_the_simulator_keeps_its_own_type(tmp_path: Path) -> None:
    values = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    write_scene(tmp_path / "a.tif", values, grid(100, 100), 0)
    with rasterio.open(tmp_path / "a.tif") as source:
        assert (source.dtypes[0], source.nodata) == ("uint16", 0)
        np.testing.assert_array_equal(source.read(1), values)


def test_file_units_are_rounded_clipped_short_of_nodata_and_nodata_where_unseen() -> None:
    """1/100 nat in int16: 1.234 -> 123; ±400 -> ±32767, never -32768; NaN under a seen pixel -> 0."""
    values = np.array([[1.234, 400.0, -400.0, np.nan, 5.0]], dtype=np.float32)
    seen = np.array([[True, True, True, True, False]])
    np.testing.assert_array_equal(to_file_units(values, KINDS["evidence"], seen), [[123, 32767, -32767, 0, -32768]])


def test_layer_kinds_and_legends_belong_together() -> None:
    assert WATER_CLASSES.keys() == FLOOD_CLASSES.keys() == {0, 1, 2, 3, 4, 255}
    assert AGREEMENT_CLASSES.keys() == {0, 1, 2, 3, 255}
    made = layer("uncertainty", np.zeros((2, 4, 4)), ("a", "b"))
    assert (made.values.dtype, made.values.shape, made.bands) == (np.uint8, (2, 4, 4), ("a", "b"))
    assert layer("age", np.zeros((4, 4))).bands == (KINDS["age"].title,)
    with pytest.raises(KeyError):
        layer("no_such_layer", np.zeros((4, 4)))


# ---- ledger


def test_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "units" / "a"
    with appearing(target) as draft:
        (draft / "sub").mkdir()
        (draft / "sub" / "file").write_text("x")
        assert not target.exists()
        assert draft.parent == target.parent, "a rename must not cross file systems"
    assert (target / "sub" / "file").read_text() == "x"
    assert os.listdir(target.parent) == ["a"]
    assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_folder_that_fails_leaves_what_was(tmp_path: Path, before: bool, error: type[BaseException]) -> None:
    target = tmp_path / "units" / "a"
    if before:
        target.mkdir(parents=True)
        (target / "old").write_text("old")

    def interrupted() -> None:
        with appearing(target) as draft:
            (draft / "new").write_text("new")
            raise error

    with pytest.raises(error):
        interrupted()
    assert target.exists() == before
    assert os.listdir(target.parent) == (["a"] if before else [])
    if before:
        assert os.listdir(target) == ["old"]


def test_folder_replaces_the_one_that_was(tmp_path: Path) -> None:
    target = tmp_path / "units" / "a"
    target.mkdir(parents=True)
    (target / "old").write_text("old")
    with appearing(target) as draft:
        (draft / "new").write_text("new")
    assert os.listdir(target) == ["new"]
    assert os.listdir(target.parent) == ["a"]


def test_leftovers_are_cleared_and_finished_units_are_not(tmp_path: Path) -> None:
    assert clear_leftovers(tmp_path) == 0
    for name in (".partial-x", ".partial-y", "32632_a"):
        (tmp_path / "units" / name / "methods").mkdir(parents=True)
    assert clear_leftovers(tmp_path) == 2
    assert os.listdir(tmp_path / "units") == ["32632_a"]
    assert clear_leftovers(tmp_path) == 0


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    """A unit of 64 pixels with a C-band scene during and one before."""
    box = grid(64, 64)
    (tmp_path / "scenes").mkdir()
    during = radar_scene(tmp_path / "scenes", "now", {"VV": plain((64, 64), 0.1)}, box, version="1")
    return Unit(
        "32632_+0937_-31250",
        box,
        NOON,
        (during,),
        (during.model_copy(update={"id": "then+1", "slices": ("then", "and")}),),
    )


JOB = Job(name="a", area=(11.0, 44.0, 11.1, 44.1), catalog="c", during=(date(2023, 5, 1), date(2023, 5, 2)))
PREPARED = Prepared(
    looks={"now": 12.0},
    noise_db={"now": {"VV": -30.0}},
    thresholds={"now": -16.0},
    threshold_notes={"now": ""},
    priors={"now": {"VV": {"open_water": Backscatter(-17.0, 2.0, -0.394)}}},
    prior_notes={"now": ""},
    water=0.04,
    vegetation=0.01,
)


def test_fingerprint_changes_with_whatever_may_change_a_pixel(tmp_path: Path, unit: Unit) -> None:
    parameters = science()
    base = fingerprint(unit, JOB, parameters, PREPARED, "w")
    assert base == fingerprint(unit, JOB, parameters, PREPARED, "w")
    newer = unit.during[0].model_copy(update={"version": "2"})
    dem = Ancillary(id="a", collection="jrc-gsw", theme="surface-water", raster=RasterLayer(href="a"), footprint={})
    water = tmp_path / "water.tif"
    water.write_bytes(b"1")
    others = {
        "resolution": fingerprint(unit, JOB.model_copy(update={"resolution": 20.0}), parameters, PREPARED, "w"),
        "methods": fingerprint(unit, JOB.model_copy(update={"methods": ("ndwi",)}), parameters, PREPARED, "w"),
        "delivered": fingerprint(unit, JOB.model_copy(update={"deliver": "ndwi"}), parameters, PREPARED, "w"),
        "sensors": fingerprint(unit, JOB.model_copy(update={"sensors": ("alos-2",)}), parameters, PREPARED, "w"),
        "area": fingerprint(unit, JOB.model_copy(update={"area": (11.0, 44.0, 11.1, 44.2)}), parameters, PREPARED, "w"),
        "reference": fingerprint(unit, JOB.model_copy(update={"reference_water": water}), parameters, PREPARED, "w"),
        "elevation": fingerprint(unit, JOB.model_copy(update={"elevation": water}), parameters, PREPARED, "w"),
        "drainage": fingerprint(unit, JOB.model_copy(update={"drainage": "none"}), parameters, PREPARED, "w"),
        "land cover": fingerprint(unit, JOB.model_copy(update={"land_cover": water}), parameters, PREPARED, "w"),
        "tile of drainage": fingerprint(unit, JOB, parameters, PREPARED, "w", Ground(drainage=(dem, dem, dem))),
        "tile": fingerprint(unit, JOB, parameters, PREPARED, "w", Ground(water=(dem,))),
        "newer tile": fingerprint(
            unit, JOB, parameters, PREPARED, "w", Ground(water=(dem.model_copy(update={"version": "2"}),))
        ),
        "tile of elevation": fingerprint(unit, JOB, parameters, PREPARED, "w", Ground(elevation=(dem, dem))),
        "scene": fingerprint(replace(unit, during=(newer,)), JOB, parameters, PREPARED, "w"),
        "no past": fingerprint(replace(unit, before=()), JOB, parameters, PREPARED, "w"),
        "box": fingerprint(replace(unit, box=grid(64, 48)), JOB, parameters, PREPARED, "w"),
        "science": fingerprint(unit, JOB, science(doubt=0.03), PREPARED, "w"),
        "prior": fingerprint(unit, JOB, parameters, PREPARED.model_copy(update={"water": 0.05}), "w"),
        "looks": fingerprint(unit, JOB, parameters, PREPARED.model_copy(update={"looks": {"now": 9.0}}), "w"),
        "priors": fingerprint(unit, JOB, parameters, PREPARED.model_copy(update={"priors": {}}), "w"),
        "weights": fingerprint(unit, JOB, parameters, PREPARED, "v"),
    }
    assert len({base, *others.values()}) == len(others) + 1
    again = fingerprint(unit, JOB.model_copy(update={"name": "b", "catalog": "d"}), parameters, PREPARED, "w")
    assert again == base, "a name, or the place of the catalog, changes no pixel"


def test_fingerprint_follows_what_the_files_of_the_job_hold_and_not_where_they_lie(tmp_path: Path, unit: Unit) -> None:
    def of(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        job = JOB.model_copy(update={"area": path, "reference_water": path})
        return fingerprint(unit, job, science(), PREPARED, "w")

    assert of("a.geojson", b"one") == of("b.geojson", b"one") != of("b.geojson", b"two")


def test_unit_is_done_when_its_item_is_there_and_of_this_fingerprint(tmp_path: Path, unit: Unit) -> None:
    folder = unit_folder(tmp_path, unit)
    assert folder == tmp_path / "units" / unit.id
    assert not is_done(tmp_path, unit, "p")
    folder.mkdir(parents=True)
    assert not is_done(tmp_path, unit, "p")
    path = folder / f"{unit.id}.json"
    path.write_text('{"properties": {"overbank:fing')
    assert not is_done(tmp_path, unit, "p"), "half an item is none"
    (folder / "a.tif").write_bytes(b"abc")
    assets = {"a": {"href": "./a.tif", "file:size": 3}}
    path.write_text(json.dumps({"properties": {"overbank:fingerprint": "p"}, "assets": assets}))
    assert is_done(tmp_path, unit, "p")
    assert not is_done(tmp_path, unit, "q")
    (folder / "a.tif").unlink()
    assert not is_done(tmp_path, unit, "p"), "a file of it is gone"


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with alone_in(tmp_path / "run"):
        holder = next((tmp_path / "run").glob(".being*")).read_text()
        (tmp_path / "run" / ".being-mapped").write_text(f"1@{holder.partition('@')[2]}")
        with pytest.raises(RunError, match="is being mapped by process 1@"), alone_in(tmp_path / "run"):
            pass
    assert not list((tmp_path / "run").iterdir())


def test_folder_of_a_dead_run_is_taken_over(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / ".being-mapped").write_text(f"{gone.pid}@{socket.gethostname()}")
    with alone_in(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_dead_run_in_another_container_is_taken_over(tmp_path: Path) -> None:
    with alone_in(tmp_path):
        _, _, boot = next(tmp_path.glob(".being*")).read_text().partition(" ")
    (tmp_path / ".being-mapped").write_text(f"1@another-container {boot}")
    with alone_in(tmp_path):
        pass
    (tmp_path / ".being-mapped").write_text("1@another-machine of-another-start")
    with pytest.raises(RunError, match="is being mapped by process 1@another-machine;"), alone_in(tmp_path):
        pass


def test_of_many_that_take_over_from_a_dead_run_one_gets_it(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / ".being-mapped").write_text(f"{gone.pid}@{socket.gethostname()}")
    held, refused, all_others = list[int](), list[str](), threading.Event()

    def take(number: int) -> None:
        try:
            with alone_in(tmp_path):
                held.append(number)
                assert all_others.wait(30)
        except RunError as problem:
            refused.append(str(problem))
            if len(refused) == 7:
                all_others.set()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, range(8)))
    assert len(held) == 1


# ---- export


def layers_of(names: tuple[str, ...] = tuple(sorted(KINDS))) -> UnitLayers:
    made = {name: layer(name, some_values(name, 64, 64)) for name in names}
    made["methods/ndwi"] = layer("ndwi", some_values("flood_class", 64, 64), ("NDWI",), KINDS["flood_class"])
    made["uncertainty"] = layer("uncertainty", some_values("uncertainty", 64, 64, 2), ("aleatoric", "epistemic"))
    return UnitLayers(made, {"overbank:legend": "flood"})


def test_the_docs_tell_every_bit_and_whether_it_blinds() -> None:
    text = (Path(__file__).parents[1] / "docs" / "jobs.md").read_text(encoding="utf-8")
    for reason in Reason:
        effect = "silences" if reason in BLINDING else "does not silence"
        assert f"| {reason.value} | `{(reason.name or '').lower()}` | {effect} |" in text, reason


def test_item_is_valid_and_its_files_are_there(tmp_path: Path, unit: Unit, shared: Path) -> None:
    folder = unit_folder(tmp_path, unit)
    export_unit(folder, unit, layers_of(), "print", "A flood", "2026-11")
    item = read_item(folder)
    assert item is not None
    assert validate_item(item, shared / "data" / "stac" / "schemas") == []
    styles = {name for name, asset in item["assets"].items() if asset["roles"] == ["style"]}
    assert set(item["assets"]) - styles == set(layers_of().layers)
    assert styles == {f"{name}{suffix}" for name in layers_of().layers for suffix in (".qml", ".sld")}
    bits = {bit["name"]: 1 << bit["offset"] for bit in item["assets"]["exclusion"]["classification:bitfields"]}
    assert bits == {reason.name.lower(): reason.value for reason in Reason if reason.name}
    seen = {bit["name"]: 1 << bit["offset"] for bit in item["assets"]["observed_by"]["classification:bitfields"]}
    assert {seen[name]: seen[f"{name}_before"] for name in OBSERVED_BITS} == {1: 16, 2: 32, 4: 64}
    for asset in item["assets"].values():
        assert asset["href"].startswith("./")
        data = (folder / asset["href"]).read_bytes()
        assert asset["file:size"] == len(data)
        assert asset["file:checksum"] == "1220" + sha256(data).hexdigest(), "multihash: 0x12 sha2-256, 0x20 bytes"
    assert is_done(tmp_path, unit, "print")


def test_item_says_where_when_from_what_and_how_the_numbers_are_meant(tmp_path: Path, unit: Unit) -> None:
    folder = unit_folder(tmp_path, unit)
    export_unit(folder, unit, layers_of(), "print", "A flood", "2026-11")
    item = json.loads((folder / f"{unit.id}.json").read_text())
    properties = item["properties"]
    assert properties["datetime"] == "2023-05-18T12:00:00Z"
    assert properties["proj:code"] == "EPSG:32632"
    assert properties["proj:shape"] == [64, 64]
    assert properties["proj:transform"] == [10.0, 0.0, 599040.0, 0.0, -10.0, 4999680.0]
    assert (properties["overbank:job"], properties["overbank:science"]) == ("A flood", "2026-11")
    assert properties["overbank:legend"] == "flood"
    assert [scene["id"] for scene in properties["overbank:scenes"]["during"]] == ["now"]
    sources = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    assert sources == ["urn:stac:test:now", "urn:stac:test:then", "urn:stac:test:and"], "every slice"
    evidence = item["assets"]["evidence"]["raster:bands"][0]
    assert (evidence["scale"], evidence["unit"], evidence["nodata"]) == (0.01, "nat", -32768)
    assert "nodata" not in item["assets"]["observed_by"]["raster:bands"][0], "no bit means: seen by none"
    assert [band["description"] for band in item["assets"]["uncertainty"]["raster:bands"]] == ["aleatoric", "epistemic"]
    codes = {one["value"]: one["name"] for one in item["assets"]["flood_class"]["classification:classes"]}
    assert codes == {code: row[0] for code, row in FLOOD_CLASSES.items()}
    west, south, east, north = item["bbox"]
    assert west < 10.264 < east
    assert south < 45.141 < north


def test_export_that_fails_half_way_leaves_nothing(tmp_path: Path, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def breaks(path: Path, *rest: Any) -> None:
        if len(written) == 3:
            raise OSError("disk full")
        written.append(path)
        write_cog(path, *rest)

    monkeypatch.setattr("pipeline.export.write_cog", breaks)
    with pytest.raises(OSError, match="disk full"):
        export_unit(unit_folder(tmp_path, unit), unit, layers_of(), "print", "A flood", "2026-11")
    assert len(written) == 3
    assert os.listdir(tmp_path / "units") == []


def test_run_is_published_with_relative_links(tmp_path: Path, unit: Unit, shared: Path) -> None:
    folder = unit_folder(tmp_path, unit)
    export_unit(folder, unit, layers_of(("flood_class",)), "print", "A flood", "2026-11")
    item = read_item(folder)
    assert item is not None
    publish_run(tmp_path, {unit.id: item}, "A flood")
    schemas = shared / "data" / "stac" / "schemas"
    collection = json.loads((tmp_path / "collection.json").read_text())
    catalog = json.loads((tmp_path / "catalog.json").read_text())
    assert validate_item(collection, schemas) == []
    assert validate_item(catalog, schemas) == []
    assert collection["extent"]["spatial"]["bbox"] == [item["bbox"]]
    for holder, links in ((tmp_path, collection["links"]), (tmp_path, catalog["links"]), (folder, item["links"])):
        for link in links:
            if link["rel"] != "derived_from":
                assert (holder / link["href"]).is_file(), link
