"""Networks in the flow: which weights a job means, and what a network says as the layers of a unit."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from dask import compute
from dask.delayed import delayed
from numpy.typing import NDArray
from scenes import NOON, look_of, optical_bundle, plain, radar_bundle

from harmonization.evidence import Belief
from models.checkpoint import save
from models.contract import CONTRACT, LATE, Architecture, Contract, read_contract
from models.early import early_contract
from models.inputs import ModelInput
from models.networks import STRATEGIES, build
from models.output import Prediction
from models.predict import predict
from models.receptive import with_halo
from pipeline import infer as infer_module
from pipeline import networks as networks_module
from pipeline.assemble import assemble_layers
from pipeline.classify import network_uncertainty
from pipeline.clock import StageClock
from pipeline.crop import crop_method
from pipeline.errors import JobError, RunError
from pipeline.infer import by_network, from_prediction, network_maps
from pipeline.job import Job
from pipeline.job_methods import Choice
from pipeline.methods import MethodMap, by_physics, network_input
from pipeline.networks import MapNetwork, networks_of
from workflows.compare import compare
from workflows.map import map_flood
from workflows.report import write_report
from workflows.report.mosaic import canvas_of, paint
from workflows.simulate import simulate

TINY = Architecture(encoder="resnet18", depth=2, decoder_channels=(12, 8))
SIDE = 64
PRIOR = np.ascontiguousarray(
    np.broadcast_to(Belief(water=0.04, vegetation=0.01).log_odds[:, None, None], (2, SIDE, SIDE))
)
TERRAIN = np.stack([plain((SIDE, SIDE), 3.0), plain((SIDE, SIDE), 1.0)])
RULES = Choice(rule=("mean", "vote"))
DOUBTS = ("aleatoric", "epistemic")
SENSORS = ("c_band", "l_band", "optical")


@cache
def tiny(*sensors: str) -> Contract:
    """A small contract; its halo is measured, so each is made once."""
    return early_contract(architecture=TINY, sensors=sensors or SENSORS)


CHANNELS = tiny().channel_names


def job_of(**told: object) -> Job:
    plain_job = {"name": "a", "area": (0, 0, 1, 1), "catalog": "c", "during": ("2023-05-01", "2023-05-02")}
    return Job.model_validate(plain_job | told)


def contract_of(strategy: str, **changes: object) -> Contract:
    """A small contract of any strategy that there is."""
    early = tiny("c_band") if strategy == "expert" else tiny()
    if strategy in ("early", "expert"):
        return early.model_copy(update=changes)
    joined = TINY.model_copy(update={"join": "gated", "window": 2})
    contract = early.model_copy(
        update={"name": strategy, "strategy": strategy, "architecture": joined, "stride": 8} | changes
    )
    return with_halo(contract, build(contract))


def wild(folder: Path, contract: Contract) -> Path:
    """A checkpoint of random weights, its head too: far from the physics."""
    torch.manual_seed(3)
    network = build(contract)
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    save(folder, network, contract)
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Random weights of every strategy that is built."""
    folder = tmp_path_factory.mktemp("weights")
    return {strategy: wild(folder / strategy, contract_of(strategy)) for strategy in STRATEGIES}


def looks_of(*sensors: str, clear: float = 1.0) -> dict[Any, Any]:
    """Looks with evidence of all signs; optics see the western `clear` part of the window."""
    random = np.random.default_rng(1)
    nats = random.normal(0.0, 3.0, (3, SIDE, SIDE)).astype(np.float32)
    power = random.gamma(4.0, 0.02, (SIDE, SIDE)).astype(np.float32)
    nats[2, :, int(clear * SIDE) :] = np.nan
    made = {
        "sentinel-1": look_of("sentinel-1", radar_bundle({"VV": power, "VH": power / 5}), nats[0]),
        "alos-2": look_of("alos-2", radar_bundle({"HH": power * 2}, band="L", cell=7), nats[1]),
        "sentinel-2": look_of("sentinel-2", optical_bundle(power, power * 1.5), nats[2]),
    }
    return {name: made[name] for name in sensors}


def map_of(weights: Path, looks: dict[Any, Any], shares: bool = False) -> MethodMap:
    inputs = network_input(looks, PRIOR, TERRAIN, CHANNELS)
    return by_network(looks, inputs, weights, "cpu", (0, 0), shares)


# ---- what a network says of a unit


MAPPED = [strategy for strategy in STRATEGIES if strategy != "expert"]


@pytest.mark.parametrize("strategy", MAPPED)
def test_without_the_optical_scene_the_map_stays_within_the_bound_of_the_physics(
    checkpoints: dict[str, Path], strategy: str
) -> None:
    """A missing sensor: log-odds differ from the physics of those that are there, by ln 9 at most."""
    looks = looks_of("sentinel-1", "alos-2")
    found, physics = map_of(checkpoints[strategy], looks), by_physics(looks, PRIOR)
    assert found.states is not None
    assert physics.states is not None
    moved = [
        np.log(one.states[1:].astype(float)) - np.log(one.states[0].astype(float))  # type: ignore[index]
        for one in (found, physics)
    ]
    gap = np.abs(moved[0] - moved[1])
    assert 0.1 < gap.max() <= np.log(9.0) + 1e-3
    np.testing.assert_array_equal(found.observed, physics.observed)


@pytest.mark.parametrize("strategy", MAPPED)
def test_two_units_meet_where_optics_end(checkpoints: dict[str, Path], strategy: str) -> None:
    """Optics see the west alone; two windows with the network's halo give what the whole gives, at that border too."""
    weights = checkpoints[strategy]
    looks = looks_of("sentinel-1", "sentinel-2", clear=0.5)
    inputs = network_input(looks, PRIOR, TERRAIN, CHANNELS)
    whole = predict(weights, inputs, "cpu")
    halo = MapNetwork(strategy, weights).halo
    half = SIDE // 2
    for column in (0, half):
        part = inputs.window(-halo, column - halo, SIDE + 2 * halo, half + 2 * halo)
        own = predict(weights, part, "cpu", origin=(-halo, column - halo), margin=halo)
        np.testing.assert_allclose(own.log_odds, whole.log_odds[:, :, column : column + half], atol=1e-4)


def test_pixels_that_no_sensor_of_the_network_saw_are_not_observed(tmp_path: Path) -> None:
    """A network of C band alone, where optics alone saw the east."""
    expert = wild(tmp_path / "c", contract_of("expert"))
    looks = looks_of("sentinel-1", "sentinel-2")
    nats = looks["sentinel-1"].evidence.llr[0].copy()
    nats[:, SIDE // 2 :] = np.nan
    looks["sentinel-1"] = look_of("sentinel-1", looks["sentinel-1"].bundle, nats)
    found = map_of(expert, looks)
    assert found.observed[:, : SIDE // 2].all()
    assert not found.observed[:, SIDE // 2 :].any()
    assert not (found.water | found.vegetation)[:, SIDE // 2 :].any()


def small_map(wet: float, vegetation: float, variances: tuple[float, float]) -> MethodMap:
    """One observed pixel beside one that is not; `variances`: aleatoric and epistemic, of both states."""
    states = np.array([[[1 - wet - vegetation] * 2], [[wet] * 2], [[vegetation] * 2]], dtype=np.float32)
    seen = np.array([[True, False]])
    variance = np.stack([np.full((2, 1, 2), value, dtype=np.float32) for value in variances])
    trust = np.array([[[0.75, 0.0]], [[0.25, 0.0]]], dtype=np.float32)
    return MethodMap(seen, ~seen & seen, seen, states, variance, trust, ("c_band", "optical"))


def test_doubt_of_the_log_odds_becomes_a_spread_of_the_probability() -> None:
    """Against drawn log-odds: p = 0.6 + 0.1, standard deviations of 0.3 and 0.1 nats in each state."""
    found = network_uncertainty(small_map(0.6, 0.1, (0.09, 0.01)), np.ones((1, 2), dtype=bool))
    assert found is not None
    random = np.random.default_rng(0)
    centre = np.log(np.array([0.6, 0.1]) / 0.3)
    for band, spread in enumerate((0.3, 0.1)):
        odds = np.exp(centre + random.normal(0.0, spread, (200_000, 2))).sum(axis=1)
        assert found[band, 0, 0] == pytest.approx(100.0 * (odds / (1.0 + odds)).std(), abs=0.6)
    assert (found[:, 0, 1] == 255).all()


def test_spread_of_a_probability_ends_where_it_must() -> None:
    """However large the variance, p = 0.5 spreads by half at most; p = 0.99 by a tenth."""
    for wet, most in ((0.5, 50), (0.99, 10)):
        found = network_uncertainty(small_map(wet, 0.0, (1e6, 0.0)), np.ones((1, 2), dtype=bool))
        assert found is not None
        assert found[0, 0, 0] == most
        assert found[1, 0, 0] == 0


JOB = job_of(methods=["ndwi", "physics", "late"], rule="mean", deliver="late")


def layers_of(found: MethodMap) -> Any:
    shape = found.observed.shape
    silent = MethodMap(np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape, bool), None)
    maps = {"ndwi": silent, "physics": replace(found, variance=None, trust=None, sensors=()), "late-mean": found}
    prior = PRIOR[:, : shape[0], : shape[1]]
    return assemble_layers(JOB, prior, {}, maps, np.ones(shape, bool), None, None, False, NOON)


def test_layers_tell_a_networks_own_doubt_and_what_each_sensor_counts_for() -> None:
    made = layers_of(small_map(0.6, 0.1, (0.09, 0.01))).layers
    assert made["uncertainty"].bands == ("aleatoric (told by the network)", "epistemic (told by the network)")
    shares = made["trust/late-mean"]
    assert (shares.bands, shares.kind.unit, shares.kind.nodata) == (("c_band", "optical"), "%", 255)
    np.testing.assert_array_equal(shares.values[:, 0], [[75, 255], [25, 255]])
    assert "late-mean" in shares.kind.title
    assert "trust/physics" not in made


def test_halo_comes_off_doubt_and_shares_too() -> None:
    wide = np.arange(6 * 8, dtype=np.float32).reshape(6, 8)
    seen = wide >= 0
    found = MethodMap(seen, seen, seen, None, np.stack([np.stack([wide, wide])] * 2), np.stack([wide] * 3), ("a",) * 3)
    cut = crop_method(found, 2)
    assert cut.variance is not None
    assert cut.trust is not None
    np.testing.assert_array_equal(cut.variance[1, 1], wide[2:4, 2:6])
    np.testing.assert_array_equal(cut.trust[2], wide[2:4, 2:6])
    assert cut.sensors == ("a",) * 3


def test_shares_are_kept_only_where_the_network_weighs_its_sensors() -> None:
    looks = looks_of("sentinel-1")
    still = np.zeros((2, SIDE, SIDE), dtype=np.float32)
    said = Prediction(still, still, still, np.ones((1, SIDE, SIDE), dtype=np.float32), ("c_band",))
    assert from_prediction(said, looks, shares=False).trust is None
    assert from_prediction(said, looks, shares=True).trust is not None


# ---- late fusion, its experts run once


def fake_late(monkeypatch: pytest.MonkeyPatch, called: list[str]) -> None:
    """Late fusion that adds what a rule is called to the log: its border, without what it learns."""

    def experts_say(
        folder: Path, learned: str, inputs: ModelInput, device: str, *, origin: tuple[int, int]
    ) -> ModelInput:
        called.append(f"experts {folder.name} {learned} {device} {origin}")
        return inputs

    def fuse(rule: str, opinions: ModelInput, fitted: Any) -> Prediction:
        called.append(f"{rule} {fitted.learned}")
        physics = opinions.physics + {"mean": 0.0, "vote": 20.0}[rule]
        shares = np.ones((1, *opinions.shape), dtype=np.float32)
        return Prediction(physics, np.ones_like(physics), np.zeros_like(physics), shares, ("c_band",))

    checkpoint: Any = ModuleType("models.late.checkpoint")
    checkpoint.late_halo = lambda folder, rule: 40
    checkpoint.load_late = lambda folder: SimpleNamespace(learned="learned")
    checkpoint.experts_say = experts_say
    rules: Any = ModuleType("models.late.fusion")
    rules.fuse = fuse
    monkeypatch.setitem(sys.modules, "models.late.checkpoint", checkpoint)
    monkeypatch.setitem(sys.modules, "models.late.fusion", rules)


def late_folder(folder: Path, *experts: str) -> Path:
    """A folder as late fusion's: experts by sensor, and what the rules learnt."""
    for name in experts:
        contract = tiny(name).model_copy(update={"name": name})
        (folder / name).mkdir(parents=True)
        (folder / name / CONTRACT).write_text(contract.model_dump_json())
    (folder / LATE).write_text("{}")
    return folder


def test_experts_run_once_for_all_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoints: dict[str, Path]
) -> None:
    called: list[str] = []
    fake_late(monkeypatch, called)
    folder = late_folder(tmp_path / "late", "c_band", "optical")
    job = job_of(
        methods=["early", "late"], rule=["mean", "vote"], weights={"early": checkpoints["early"], "late": folder}
    )
    networks = networks_of(job)
    assert [network.map for network in networks] == ["early", "late-mean", "late-vote"]
    assert [network.halo for network in networks][1:] == [40, 40]
    assert [network.tells_shares for network in networks] == [False, True, True]
    assert networks[1].facts() == {"strategy": "late", "rule": "mean", "sha256": networks[2].digest}
    looks = looks_of("sentinel-1")
    maps = network_maps(networks, delayed(looks), (delayed(PRIOR), delayed(TERRAIN)), ("cpu", (16, 32)), StageClock())
    assert not called, "a graph runs nothing until it is computed"
    (found,) = compute(maps, scheduler="sync")
    assert sorted(called) == ["experts late learned cpu (16, 32)", "mean learned", "vote learned"]
    assert found["late-vote"].water.sum() > found["late-mean"].water.sum()
    assert found["late-mean"].trust is not None
    np.testing.assert_allclose(found["late-mean"].states, by_physics(looks, PRIOR).states, rtol=1e-5)


def test_networks_run_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight networks on four threads; each waits long enough for another to come in between, were it let in."""
    running, most = [0], [0]

    def slow(*_: Any) -> str:
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.01)
        running[0] -= 1
        return "done"

    monkeypatch.setattr(infer_module, "by_network", slow)
    monkeypatch.setattr(MapNetwork, "channels", {})
    monkeypatch.setattr(MapNetwork, "tells_shares", False)
    networks = [MapNetwork(f"early-{number}", Path("nowhere")) for number in range(8)]
    ground = (delayed(PRIOR), delayed(TERRAIN))
    maps = network_maps(networks, delayed(looks_of("sentinel-1")), ground, ("cpu", (0, 0)), StageClock())
    (found,) = compute(maps, scheduler="threads", num_workers=4)
    assert set(found.values()) == {"done"}
    assert most[0] == 1


def test_digest_of_late_fusion_covers_experts_and_what_the_rules_learnt(tmp_path: Path) -> None:
    folder = late_folder(tmp_path / "late", "c_band", "optical")
    found = {MapNetwork("late-mean", folder, "mean").digest}
    (folder / LATE).write_text('{"learnt": "more"}')
    found.add(MapNetwork("late-mean", folder, "mean").digest)
    other = tiny("c_band").model_copy(update={"name": "c_band", "sha256": "of others"})
    (folder / "c_band" / CONTRACT).write_text(other.model_dump_json())
    found.add(MapNetwork("late-mean", folder, "mean").digest)
    assert len(found) == 3


# ---- whose weights


def fake_shipped(monkeypatch: pytest.MonkeyPatch, **folders: Path) -> None:
    def shipped(name: str) -> Path:
        if name not in folders:
            raise ValueError(f"No shipped network {name!r}; there are: {', '.join(folders) or 'none'}.")
        return folders[name]

    monkeypatch.setattr(networks_module, "shipped", shipped)


def intermediate(folder: Path, join: str) -> Path:
    """The contract of an intermediate network, without its weights."""
    told = tiny().model_dump()
    told |= {"strategy": "intermediate", "architecture": told["architecture"] | {"join": join}}
    folder.mkdir(parents=True)
    (folder / CONTRACT).write_text(Contract.model_validate(told).model_dump_json())
    return folder


def test_weights_are_the_jobs_else_the_shipped_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gated = intermediate(tmp_path / "shipped" / "intermediate", "gated")
    late = late_folder(tmp_path / "mine" / "late", "c_band")
    fake_shipped(monkeypatch, intermediate=gated)

    def found(**told: object) -> dict[str, Path]:
        return {network.map: network.weights for network in networks_of(job_of(**told))}

    assert found(methods=["ndwi", "physics"]) == {}
    assert found(methods=["intermediate"]) == {"intermediate": gated}
    assert found(methods=["intermediate"], join="gated") == {"intermediate-gated": gated}
    both = {"intermediate": gated, "late-gate": late}
    assert found(methods=["intermediate", "late"], weights={"late": late}) == both
    assert found(methods=["intermediate", "late"], weights=late) == both, "one checkpoint serves its own method"
    assert found(methods=["late"], weights=tmp_path / "mine") == {"late-gate": late}, "a folder a method"
    joins = tmp_path / "joins"
    for join in ("concat", "tensor"):
        intermediate(joins / join, join)
    assert found(methods=["intermediate"], join=["tensor", "concat"], weights=joins) == {
        "intermediate-tensor": joins / "tensor",
        "intermediate-concat": joins / "concat",
    }


def test_weights_that_are_not_there_are_refused_with_the_command_that_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated = intermediate(tmp_path / "gated", "gated")
    fake_shipped(monkeypatch, intermediate=gated)

    def complaint(**told: object) -> str:
        with pytest.raises(JobError) as caught:
            networks_of(job_of(**told))
        return str(caught.value)

    told = complaint(methods=["intermediate"], join="tensor")
    assert told.startswith(f"methods: {gated} holds a network that joins its sensors by gated, not by tensor.")
    assert "--strategy intermediate --join tensor --out DIR" in told
    assert "methods: No shipped network 'late'; there are: intermediate." in complaint(methods=["late"])
    assert "--strategy late --out DIR" in complaint(methods=["late"])
    assert "weights: No late fusion in" in complaint(methods=["late"], weights={"late": gated})
    told = complaint(methods=["early"], weights={"early": gated})
    assert f"weights: {gated} holds a network of strategy intermediate, not early." in told
    assert "which the job does not ask for" in complaint(methods=["early"], weights=gated)
    flood = Contract.model_validate_json((gated / CONTRACT).read_text()).model_copy(update={"states": ("flood",)})
    (gated / CONTRACT).write_text(flood.model_dump_json())
    told = complaint(methods=["intermediate"])
    assert "tells apart flood; a map needs open_water and flooded_vegetation" in told


def test_arrays_of_unseen_ground_stay_not_a_number() -> None:
    """Garbage where optics are clouded: nothing of it reaches the inputs."""
    inputs = network_input(looks_of("sentinel-2", clear=0.5), PRIOR, TERRAIN, CHANNELS)
    values: NDArray[np.float32] = inputs.modalities["optical"]
    assert np.isnan(values[:, :, SIDE // 2 :]).all()


# ---- from a job to files


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated flood of 96² pixels: four units of 64 or less."""
    folder = tmp_path_factory.mktemp("scenes")
    simulate(folder, 96, 3)
    return folder


def mapped_job(scenes: Path, **told: object) -> Path:
    """The job of the simulated flood, changed as asked."""
    path = scenes / "asked.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load((scenes / "job.yaml").read_text()) | told))
    return path


def test_a_run_maps_compares_and_reports_every_network(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoints: dict[str, Path]
) -> None:
    fake_late(monkeypatch, [])
    weights = {"early": str(checkpoints["early"]), "late": str(late_folder(tmp_path / "late", "c_band", "optical"))}
    job = mapped_job(scenes, methods=["ndwi", "physics", "early"], deliver="early", weights=weights)
    run = tmp_path / "run"
    map_flood(job, run, choice=RULES, device="cpu")
    item = json.loads(next(run.glob("units/*/*.json")).read_text())
    rasters = {name for name, asset in item["assets"].items() if "style" not in asset["roles"]}
    assert {name for name in rasters if name.startswith("methods/")} == {
        f"methods/{name}" for name in ("ndwi", "physics", "early", "late-mean", "late-vote")
    }
    assert "trust/late-vote" in item["assets"]
    assert "trust/early" not in item["assets"], "stacked channels show no share of a sensor"
    assert item["assets"]["trust/late-vote"]["title"] == "Share of each sensor in the map by late-vote"
    doubt = item["assets"]["uncertainty"]["raster:bands"]
    assert [band["description"] for band in doubt] == [f"{kind} (told by the network)" for kind in DOUBTS]
    told = item["properties"]["overbank:networks"]
    assert set(told) == {"early", "late-mean", "late-vote"}
    assert told["early"] == {"strategy": "early", "sha256": read_contract(checkpoints["early"]).sha256}
    found = compare(run, scenes / "truth.tif")
    assert set(found["methods"]) == {"ndwi", "physics", "early", "late-mean", "late-vote"}
    assert found["methods"]["late-mean"]["flood_iou"] == pytest.approx(found["methods"]["physics"]["flood_iou"])
    only = compare(run, rule=["vote"])
    assert set(only["methods"]) == {"ndwi", "physics", "early", "late-vote"}
    with pytest.raises(RunError, match="holds no map late-bayes; it holds early, late-mean, late-vote, ndwi, physics"):
        compare(run, rule=["bayes"])
    write_report(tmp_path / "report.html", {"seconds": {}} | found, run)
    page = (tmp_path / "report.html").read_text()
    for text in ("Early fusion · delivered", "Late fusion, vote", "Share of c band, Late fusion, mean"):
        assert text in page
    assert map_flood(job, run, choice=RULES, device="cpu").skipped == 1
    (tmp_path / "late" / LATE).write_text('{"learnt": "more"}')
    assert map_flood(job, run, choice=RULES, device="cpu").skipped == 0, "other rules, other maps"


@pytest.mark.parametrize("strategy", MAPPED)
def test_units_without_optics_meet_without_a_seam(
    scenes: Path, tmp_path: Path, checkpoints: dict[str, Path], strategy: str
) -> None:
    """The optical scene is missing: the map of four units is that of one, within a count; at the seam too."""
    job: dict[str, object] = {"methods": [strategy], "weights": {strategy: str(checkpoints[strategy])}}
    job["sensors"] = ["sentinel-1", "sentinel-2"]
    job["during"] = ["2024-02-12", "2024-02-12"]
    pictures = []
    for tile in (64, 1024):
        run = tmp_path / str(tile)
        map_flood(mapped_job(scenes, tile=tile, **job), run, device="cpu")
        pictures.append(paint(canvas_of(run), f"probability/{strategy}"))
    parts, whole = pictures
    assert len(list((tmp_path / "64").glob("units/3*"))) > 1
    np.testing.assert_allclose(parts.astype(int), whole.astype(int), atol=1)
