"""Job files, their area and the dated science parameters: what is understood, and what each mistake says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import geopandas
import pytest
import shapely
from pydantic import ValidationError

from models.contract import Join, Rule
from pipeline.area import job_area
from pipeline.errors import JobError
from pipeline.job import Job, load_job, with_choice
from pipeline.job_methods import DEFAULT_METHODS, Choice
from pipeline.job_windows import span
from pipeline.science import load_science
from pipeline.yaml_lines import read_yaml
from workflows.options import JoinName, RuleName

PLAIN = """name: A flood
area: [11.0, 44.0, 11.1, 44.1]
catalog: catalog/catalog.json
during: [2023-05-17, 2023-05-24]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "job.yaml"
    path.write_text(text)
    return path


def complaint(folder: Path, text: str) -> str:
    """What the analyst is told, without the path."""
    path = written(folder, text)
    with pytest.raises(JobError) as caught:
        load_job(path)
    return str(caught.value).replace(f"{path} ", "")


def test_four_fields_are_enough(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, PLAIN))
    assert job.sensors == ("sentinel-1", "alos-2", "sentinel-2")
    assert job.methods == DEFAULT_METHODS
    assert (job.before, job.reference_water, job.weights, job.deliver) == (None, None, None, None)
    assert (job.resolution, job.tile, job.science) == (10.0, 1024, "2026-11")
    assert job.delivered == "physics"


@pytest.mark.parametrize(
    ("methods", "best"),
    [
        (["ndwi"], "ndwi"),
        (["ndwi", "radar_threshold"], "radar_threshold"),
        (["ndwi", "early"], "early"),
        (["early", "physics"], "physics"),
    ],
)
def test_best_of_the_methods_is_delivered_unless_the_job_says_otherwise(methods: list[str], best: str) -> None:
    job = Job.model_validate(
        {"name": "a", "area": (0, 0, 1, 1), "catalog": "c", "during": ("2023-05-01", "2023-05-02"), "methods": methods}
    )
    assert job.delivered == best
    assert job.model_copy(update={"deliver": methods[0]}).delivered == methods[0]


def job_of(**told: object) -> Job:
    plain = {"name": "a", "area": (0, 0, 1, 1), "catalog": "c", "during": ("2023-05-01", "2023-05-02")}
    return Job.model_validate(plain | told)


def test_maps_are_named_by_method_and_by_the_joins_and_rules_that_are_named() -> None:
    assert job_of(methods=["ndwi", "intermediate", "late"]).maps == ("ndwi", "intermediate", "late-gate")
    told = job_of(methods=["late", "intermediate"], join="gated", rule=["mean", "vote"])
    assert told.maps == ("late-mean", "late-vote", "intermediate-gated")
    assert told.delivered == "intermediate-gated"
    assert job_of(methods=["late"], rule=["mean", "vote"], deliver="late").delivered == "late-mean"
    assert job_of(methods=["late"], rule=["mean", "vote"], deliver="late-vote").delivered == "late-vote"


def test_joins_and_rules_of_the_command_line_stand_in_place_of_the_jobs(tmp_path: Path) -> None:
    told = with_choice(
        job_of(methods=["late", "physics"], rule="vote"), Choice(("attention",), ("mean", "gate"), tmp_path)
    )
    assert told.maps == ("late-mean", "late-gate", "physics", "intermediate-attention")
    assert told.weights == tmp_path
    assert with_choice(told, Choice()) == told
    with pytest.raises(JobError, match="unknown rule 'magic'; known rules: mean, accuracy"):
        with_choice(told, Choice(rule=("magic",)))


def test_every_join_and_rule_can_be_asked_for_on_the_command_line() -> None:
    assert tuple(one.value for one in JoinName) == get_args(Join)
    assert tuple(one.value for one in RuleName) == get_args(Rule)


def test_a_folder_of_weights_by_method_is_relative_to_the_job(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, PLAIN + "methods: [early, late]\nweights: {early: mine, late: /far}\n"))
    assert job.weights == {"early": tmp_path / "mine", "late": Path("/far")}


def test_paths_are_relative_to_the_job_wherever_it_is_started_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "jobs"
    folder.mkdir()
    text = PLAIN.replace("[11.0, 44.0, 11.1, 44.1]", "area.geojson")
    written(folder, text + "reference_water: water.tif\nweights: /somewhere/else\n")
    monkeypatch.chdir(tmp_path)
    job = load_job(Path("jobs/job.yaml"))
    assert job.area == folder / "area.geojson"
    assert job.reference_water == folder / "water.tif"
    assert job.weights == Path("/somewhere/else")
    assert job.catalog == str(folder / "catalog" / "catalog.json")


def test_address_of_a_catalog_is_left_alone(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, PLAIN.replace("catalog/catalog.json", "https://a.example/catalog.json")))
    assert job.catalog == "https://a.example/catalog.json"


def test_own_science_file_is_relative_to_the_job_too(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, PLAIN + "science: mine.yaml\n"))
    assert job.science == str(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PLAIN + "sensorz: [sentinel-1]\n", "line 5: unknown field 'sensorz'; did you mean 'sensors'?"),
        (PLAIN + "colour: red\n", "line 5: unknown field 'colour'; known fields: name, area, catalog, during, before"),
        (
            PLAIN + "sensors:\n  - sentinel-1\n  - sentinel-9\n",
            "line 7: unknown sensor 'sentinel-9'; known sensors: sentinel-1, alos-2, sentinel-2, landsat",
        ),
        (
            PLAIN + "methods: [ndwi, magic]\n",
            "line 5: unknown method 'magic'; known methods: ndwi, radar_threshold, physics, early, intermediate, late",
        ),
        (
            PLAIN + "deliver: magic\n",
            "line 5: deliver: 'magic' is not among what the job maps, ndwi, radar",
        ),
        (
            PLAIN + "methods: [ndwi]\ndeliver: physics\n",
            "line 6: deliver: 'physics' is not among what the job maps, nd",
        ),
        (
            PLAIN + "methods: [late]\nrule: [gate, magic]\n",
            "line 6: unknown rule 'magic'; known rules: mean, accuracy, vote, median, inverse-variance, mini",
        ),
        (
            PLAIN + "methods: [intermediate]\njoin: magic\n",
            "line 6: unknown join 'magic'; known joins: concat, gated, attention, tensor",
        ),
        (PLAIN + "methods: [late]\nrule: [gate, gate]\n", "line 6: rule: 'gate' stands there twice; write it once"),
        (
            PLAIN + "methods: [early]\njoin: gated\n",
            "line 6: join: is of the method intermediate; add it to the m",
        ),
        (PLAIN + "weights: {physics: a}\n", "line 5: weights: 'physics' is no method with weights; those are early, i"),
        (PLAIN.replace("05-17", "06-17"), "line 4: during: 2023-06-17 is later than 2023-05-24; write the earlier day"),
        (
            PLAIN + "before: [2023-04-10, 2023-05-17]\n",
            "line 5: before: ends 2023-05-17, not before the flood window opens (2023-05-17)",
        ),
        (PLAIN + "before: [2023-04-10, 2023-04-01]\n", "line 5: before: 2023-04-10 is later than 2023-04-01"),
        (PLAIN.replace("11.1", "11.0"), "line 2: area: [11.0, 44.0, 11.0, 44.1] is empty; write west, south, east"),
        (PLAIN.replace("44.1", "94.1"), "line 2: area: [11.0, 44.0, 11.1, 94.1] is empty"),
        (
            PLAIN.replace("11.1", "211.1"),
            "line 2: area: [11.0, 44.0, 211.1, 44.1] spans 200.1° of longitude; write west, south",
        ),
        (PLAIN.replace("11.1", "411.1"), "line 2: area: 411.1 is not a box [west, south, east, north] in degrees"),
        (
            PLAIN.replace("11.1", "10.9"),
            "line 2: area: [11.0, 44.0, 10.9, 44.1] spans 359.9° of longitude, read across the antimeridian",
        ),
        (PLAIN.replace(", 44.1]", "]"), "line 2: area: [11.0, 44.0, 11.1] is not a box [west, south, east, north]"),
        (PLAIN.replace("name: A flood\n", ""), "line 1: the field 'name' is missing; add it"),
        (PLAIN + "resolution: 0\n", "line 5: resolution: input should be greater than 0 (found 0)"),
        (PLAIN + "tile: 100\n", "line 5: tile: input should be a multiple of 16 (found 100)"),
        (PLAIN + "sensors: []\n", "line 5: sensors: tuple should have at least 1 item"),
        (PLAIN.replace("2023-05-24", "soon"), "line 4: during: 'soon' is not a day; write it like 2023-05-18"),
        (
            PLAIN.replace("2023-05-24", "2023-05-3O"),
            "line 4: during: '2023-05-3O' is not a day; write it like 2023-05-18",
        ),
        (PLAIN + "at: noon\n", "line 5: at: 'noon' is not a moment; write it like 2023-05-18T05:10Z"),
        (PLAIN.replace("2023-05-24", "20230524"), "line 4: 20230524 is a number, not a day; write 2023-05-24"),
        (PLAIN.replace("2023-05-24", "'20230524'"), "line 4: 20230524 is a number, not a day; write 2023-05-24"),
        (PLAIN.replace("2023-05-24", "1.5"), "line 4: 1.5 is a number, not a day; write 2023-05-18"),
        (PLAIN + "before: [20230401, 2023-04-02]\n", "line 5: 20230401 is a number, not a day; write 2023-04-01"),
        (PLAIN + "elevation: 3\n", "line 5: elevation: 3 is neither a raster nor the id of a collection (cop-dem"),
        (PLAIN + "land_cover: 3\n", "line 5: land_cover: 3 is neither a raster nor the id of a collection (esa-w"),
        (PLAIN + "extra_layers: harmonized\n", "line 5: extra_layers: harmonized is no list; write [harmonized]"),
        (PLAIN + "before: 2023-04-01\n", "line 5: before: 2023-04-01 is no list; write [2023-04-01, 2023-04-01]"),
        (PLAIN + "drainage: computed\n", "line 5: drainage: is computed from elevation; add the field `elevation`"),
        (PLAIN + "drainage: 3\n", "line 5: drainage: 3 is neither a raster nor the id of a collection"),
        (PLAIN + "tile: 256\nname: B\n", "line 6: 'name' stands there a second time, and only the last would count"),
        (PLAIN + "catalog: b\n", "line 5: 'catalog' stands there a second time"),
    ],
)
def test_mistake_names_line_and_remedy(tmp_path: Path, text: str, told: str) -> None:
    assert complaint(tmp_path, text).startswith(told)


def test_misspelt_field_is_told_once_not_as_missing_too(tmp_path: Path) -> None:
    said = complaint(tmp_path, PLAIN.replace("during", "durring"))
    assert said == "line 4: unknown field 'durring'; did you mean 'during'?"


def test_day_that_is_none_is_told_once(tmp_path: Path) -> None:
    assert len(complaint(tmp_path, PLAIN.replace("2023-05-24", "soon")).splitlines()) == 1


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    said = complaint(tmp_path, PLAIN + "resolution: -1\ntile: 100\n").splitlines()
    assert [line.split(":")[0] for line in said] == ["line 5", "line 6"]


@pytest.mark.parametrize(
    ("text", "water", "elevation"),
    [
        ("reference_water: jrc-gsw\nelevation: cop-dem-glo-30\n", "jrc-gsw", "cop-dem-glo-30"),
        ("reference_water: water.tif\nelevation: sub/dem\n", "FOLDER/water.tif", "FOLDER/sub/dem"),
        ("reference_water: /a/water.tif\nelevation: ./dem\n", "/a/water.tif", "FOLDER/dem"),
    ],
)
def test_ground_is_a_raster_or_the_id_of_a_collection(tmp_path: Path, text: str, water: str, elevation: str) -> None:
    job = load_job(written(tmp_path, PLAIN + text))
    assert str(job.reference_water) == water.replace("FOLDER", str(tmp_path))
    assert str(job.elevation) == elevation.replace("FOLDER", str(tmp_path))
    assert isinstance(job.reference_water, Path) is (water != "jrc-gsw")
    assert Job.model_validate(job.model_dump(mode="json")) == job, "as run.json keeps it"


def test_key_of_a_nested_mapping_that_stands_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a:\n  - b: 1\n    b: 2\nc: {b: 1}\n")
    with pytest.raises(JobError, match=r"a\.yaml line 3: 'b' stands there a second time"):
        read_yaml(path)


@pytest.mark.parametrize("text", [PLAIN.replace(", 44.1]", "]"), PLAIN.replace(", 2023-05-24", "")])
def test_list_that_is_too_short_is_not_called_a_missing_field(tmp_path: Path, text: str) -> None:
    assert "is missing" not in complaint(tmp_path, text)


@pytest.mark.parametrize(("text", "line"), [(PLAIN + "tile: [1,\n", 6), (PLAIN + "  tile: 1\n", 5)])
def test_broken_yaml_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    said = complaint(tmp_path, text)
    assert said.startswith(f"line {line}: ")
    assert "indentation and quotes" in said


def test_day_that_does_not_exist_is_a_mistake_in_the_job(tmp_path: Path) -> None:
    assert complaint(tmp_path, PLAIN.replace("2023-05-24", "2023-06-31")).startswith("line 4")


def test_file_that_is_not_text_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(JobError):
        load_job(tmp_path / "job.yaml")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "only words\n"])
def test_file_without_fields_is_told_what_a_job_holds(tmp_path: Path, text: str) -> None:
    assert "holds no job; it wants fields such as name, area" in complaint(tmp_path, text)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"nowhere\.yaml: cannot be read .*give the path of a job file"):
        load_job(tmp_path / "nowhere.yaml")


def test_lines_of_nested_values(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb:\n  - x\n  - y: 2\n    z: 3\n")
    document, lines = read_yaml(path)
    assert document == {"a": 1, "b": ["x", {"y": 2, "z": 3}]}
    assert lines == {(): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "y"): 4, ("b", 1, "z"): 5}


def test_job_is_frozen(tmp_path: Path) -> None:
    job = load_job(written(tmp_path, PLAIN))
    with pytest.raises(ValidationError):
        job.tile = 64  # type: ignore[misc]


def test_window_of_days_ends_with_the_last_instant_of_the_last_day() -> None:
    start, end = span((date(2023, 5, 17), date(2023, 5, 18)))
    assert start == datetime(2023, 5, 17, tzinfo=UTC)
    assert end == datetime(2023, 5, 18, 23, 59, 59, 999999, tzinfo=UTC)


def test_window_of_instants_is_taken_as_utc_and_brought_to_it() -> None:
    local = datetime.fromisoformat("2023-05-17T14:00:00+02:00")
    start, end = span((local, datetime(2023, 5, 17, 13)))
    assert start == datetime(2023, 5, 17, 12, tzinfo=UTC)
    assert end == datetime(2023, 5, 17, 13, tzinfo=UTC)


# ---- area


def job_with(area: Path | tuple[float, float, float, float]) -> Job:
    return Job(name="a", area=area, catalog="c", during=(date(2023, 5, 1), date(2023, 5, 2)))


def geojson(path: Path, *geometries: shapely.Geometry | None) -> Path:
    features = [
        {"type": "Feature", "properties": {"kind": "flood"}, "geometry": one and json.loads(shapely.to_geojson(one))}
        for one in geometries
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


SQUARE = shapely.box(11.0, 44.0, 11.1, 44.1)


def test_area_of_a_box() -> None:
    assert job_area(job_with((11.0, 44.0, 11.1, 44.1))).equals(SQUARE)


def test_area_of_geojson_joins_its_polygons_and_leaves_the_rest_out(tmp_path: Path) -> None:
    beside = shapely.box(11.1, 44.0, 11.2, 44.1)
    path = geojson(tmp_path / "a.geojson", SQUARE, beside, shapely.Point(0, 0), None)
    assert job_area(job_with(path)).equals(shapely.box(11.0, 44.0, 11.2, 44.1))


def test_area_of_a_geopackage_in_another_crs_comes_in_degrees(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    geopandas.GeoDataFrame(geometry=[SQUARE], crs=4326).to_crs(32632).to_file(path)
    found = job_area(job_with(path))
    assert found.bounds == pytest.approx(SQUARE.bounds, abs=1e-9)


def test_area_without_a_coordinate_system_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    with pytest.warns(UserWarning, match="crs"):
        geopandas.GeoDataFrame(geometry=[SQUARE]).to_file(path)
    with pytest.raises(JobError, match=r"a\.gpkg has no coordinate system; set one"):
        job_area(job_with(path))


@pytest.mark.parametrize("geometries", [(), (shapely.Point(11, 44),), (shapely.LineString([(0, 0), (1, 1)]),), (None,)])
def test_area_without_a_polygon_is_refused(tmp_path: Path, geometries: tuple[shapely.Geometry | None, ...]) -> None:
    path = geojson(tmp_path / "a.geojson", *geometries)
    with pytest.raises(JobError, match=rf"holds no polygon with an area \({len(geometries)} features\); draw one"):
        job_area(job_with(path))


def test_area_that_is_missing_broken_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"a\.geojson is not there; give a box"):
        job_area(job_with(tmp_path / "a.geojson"))
    (tmp_path / "a.shp").write_text("")
    with pytest.raises(JobError, match=r"a\.shp is not one of \.geojson, \.json, \.gpkg"):
        job_area(job_with(tmp_path / "a.shp"))
    (tmp_path / "b.geojson").write_text("not a map")
    with pytest.raises(JobError, match=r"b\.geojson cannot be read .* give a GeoJSON or GeoPackage"):
        job_area(job_with(tmp_path / "b.geojson"))


def test_area_that_crosses_itself_is_mended(tmp_path: Path) -> None:
    bow = shapely.Polygon([(11.0, 44.0), (11.2, 44.2), (11.2, 44.0), (11.0, 44.1)])
    assert job_area(job_with(geojson(tmp_path / "a.geojson", bow))).is_valid


# ---- science


def test_shipped_science_is_read_by_its_name() -> None:
    science = load_science("2026-11")
    assert science.name == "2026-11"
    assert science.multilook["C"] % 2 == 1
    with pytest.raises(ValidationError):
        science.doubt = 0.1  # type: ignore[misc]


def test_unknown_science_lists_what_is_known() -> None:
    with pytest.raises(JobError, match=r"science: '1999-01' is not a method file; known: .*2026-11"):
        load_science("1999-01")


def test_science_of_a_file_with_a_mistake_names_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nprior: {water: 2}\n")
    with pytest.raises(JobError, match=r"mine\.yaml: .*prior"):
        load_science(str(path))


def test_broken_science_file_is_a_mistake_in_the_job(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: [\n")
    with pytest.raises(JobError):
        load_science(str(path))


def test_the_id_of_a_known_endpoint_is_no_path(tmp_path: Path) -> None:
    assert load_job(written(tmp_path, PLAIN.replace("catalog/catalog.json", "earth-search"))).catalog == "earth-search"
    mine = load_job(written(tmp_path, PLAIN.replace("catalog/catalog.json", "./earth-search"))).catalog
    assert Path(mine) == tmp_path.resolve() / "earth-search"
