"""Scores by hand, answers made steadier, baselines, pieces of a data set, and the verbs that show them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from typer.testing import CliRunner

from models.contract import ContractMismatch
from models.data.chips import write_chip
from models.data.pack import LIST, PackError, pack, unpack
from models.inputs import ModelInput
from models.judging.answers import answer_of
from models.judging.baselines import certain, fit_pixel_regression, index_rule, physics_alone
from models.judging.evaluate import (
    CalibrationCount,
    bootstrap_interval,
    count,
    evaluate,
    flood_iou,
    flood_probability,
    group_shifts,
    scores_of,
    state_shares,
    two_class_miou,
)
from models.judging.turns import TURNS, Answer, ensemble, mean_prediction, turned, with_turns
from models.output import Prediction
from workflows.cli import app

SIDE = 16
CHANNELS = {"s1": ("vv",), "s2": ("ndwi", "mndwi"), "s2@1": ("ndwi", "mndwi")}


class Listed:
    """Chips in memory."""

    def __init__(self, chips: list[tuple[ModelInput, np.ndarray]], groups: list[str]) -> None:
        self.chips, self.groups = chips, groups
        self.names = [f"{group}_{index}" for index, group in enumerate(groups)]

    def __len__(self) -> int:
        return len(self.chips)

    def read(self, index: int) -> tuple[ModelInput, np.ndarray]:
        return self.chips[index]


def chip(seed: int, states: int = 1) -> tuple[ModelInput, np.ndarray]:
    """A chip whose MNDWI tells the flood, whose NDWI does not, with water before in its first column."""
    generator = np.random.default_rng(seed)
    truth = (generator.random((SIDE, SIDE)) < 0.4).astype(np.uint8)
    truth[:, 0] = 0
    mndwi = np.where(truth, 0.4, -0.4).astype(np.float32)
    mndwi[:, 0] = 0.5
    before = np.full((SIDE, SIDE), -0.5, dtype=np.float32)
    before[:, 0] = 0.5
    noise = generator.normal(0, 0.3, (SIDE, SIDE)).astype(np.float32)
    modalities = {"s1": noise[None], "s2": np.stack([noise, mndwi]), "s2@1": np.stack([noise, before])}
    presence = {name: np.ones((SIDE, SIDE), dtype=np.bool_) for name in modalities}
    parts = {"s2": np.repeat(5 * mndwi[None], states, axis=0)}
    return ModelInput(modalities, presence, parts, np.full(states, -1.0, np.float32), CHANNELS), truth


@pytest.fixture(scope="module")
def source() -> Listed:
    return Listed([chip(seed) for seed in range(6)], ["a", "a", "b", "b", "c", "d"])


def test_counts_and_ratios_by_hand() -> None:
    truth = np.array([[1, 1, 2, 0, 0, 255]], dtype=np.uint8)
    mapped = np.array([[True, False, True, True, False, True]])
    assert count(mapped, truth) == [2, 1, 1, 1], "every state is flood; what is unknown is not counted"
    counts = np.array([[2, 1, 1, 1], [0, 0, 0, 9], [0, 3, 0, 0]])
    assert flood_iou(counts) == pytest.approx([2 / 4, 1.0, 0.0])
    assert two_class_miou(counts) == pytest.approx([(2 / 4 + 1 / 3) / 2, 1.0, 0.0])


def test_scores_against_a_slow_version(source: Listed) -> None:
    answer = index_rule("s2", "mndwi")
    found = scores_of(evaluate(source, {"rule": answer})["rule"])
    mapped = [answer(inputs).log_odds[0] > 0 for inputs, _ in source.chips]
    truths = [truth == 1 for _, truth in source.chips]
    hit = sum((m & t).sum() for m, t in zip(mapped, truths, strict=True))
    either = sum((m | t).sum() for m, t in zip(mapped, truths, strict=True))
    assert found["pooled"]["flood_iou"] == pytest.approx(hit / either)
    assert found["pooled"]["flood_f1"] == pytest.approx(2 * hit / (hit + either))
    by_chip = [
        ((m & t).sum() / (m | t).sum() + (~m & ~t).sum() / (~m | ~t).sum()) / 2
        for m, t in zip(mapped, truths, strict=True)
    ]
    assert found["per_chip"]["two_class_miou"] == pytest.approx(np.mean(by_chip))
    assert found["per_chip"]["pixel_accuracy"] == pytest.approx(
        np.mean([(m == t).mean() for m, t in zip(mapped, truths, strict=True)])
    )
    assert (found["chips"], found["groups"], found["observed"]) == (6, 4, 1.0)
    low, high = found["interval"]["flood_iou"]
    assert low < found["pooled"]["flood_iou"] < high


def test_a_hidden_sensor_is_dry_not_left_out(source: Listed) -> None:
    found = scores_of(evaluate(source, {"rule": index_rule("s2", "mndwi")}, without=("s2",))["rule"])
    assert found["pooled"]["flood_iou"] == 0.0
    assert found["observed"] == 1.0, "s1 still sees"
    assert scores_of(evaluate(source, {"it": physics_alone}, without=("s1", "s2"))["it"])["observed"] == 0.0


def test_nothing_found_where_nothing_is_scores_one() -> None:
    inputs, truth = chip(0)
    dry = Listed([(inputs, np.zeros_like(truth))], ["a"])
    found = scores_of(evaluate(dry, {"dry": lambda given: certain(np.zeros((SIDE, SIDE), bool), given)})["dry"])
    assert found["pooled"] == {"flood_iou": 1.0, "flood_f1": 1.0, "flood_share": 0.0}
    assert found["per_chip"] == {"two_class_miou": 1.0, "pixel_accuracy": 1.0}
    assert found["interval"]["drawn"] == "chips", "one group cannot be drawn from"


def test_bootstrap_draws_groups_not_chips() -> None:
    generator = np.random.default_rng(0)
    skill = np.repeat([0.9, 0.5, 0.7, 0.3, 0.8], 40)
    hits = (1000 * skill).astype(int) + generator.integers(-20, 20, 200)
    counts = np.stack([hits, (1000 - hits) // 2, (1000 - hits) // 2, np.full(200, 1000)], axis=1)
    groups = [f"event{index // 40}" for index in range(200)]
    wide = bootstrap_interval(counts, groups)
    narrow = bootstrap_interval(counts, [str(index) for index in range(200)])
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0]), "five events are not two hundred"
    slow = []
    for _ in range(400):
        drawn = generator.integers(0, 5, 5)
        rows = np.concatenate([counts[40 * group : 40 * group + 40] for group in drawn])
        slow.append(float(flood_iou(rows.sum(axis=0))))
    assert wide == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.04)


def test_calibration_error_against_sorted_bins() -> None:
    generator = np.random.default_rng(1)
    said = generator.beta(0.6, 1.2, 40_000).astype(np.float32)
    happened = generator.random(said.size) < said**1.5
    found = CalibrationCount()
    for start in range(0, said.size, 7_000):  # chip by chip
        found.add(said[start : start + 7_000], happened[start : start + 7_000])
    bins = np.array_split(np.argsort(said), 20)
    slow = sum(abs(said[b].mean() - happened[b].mean()) * b.size for b in bins) / said.size
    assert found.error == pytest.approx(slow, abs=2e-3)
    assert len(found.curve()) == 20
    honest = CalibrationCount()
    honest.add(said, generator.random(said.size) < said)
    assert honest.error < 0.01


def test_certain_and_impossible_are_counted() -> None:
    found = CalibrationCount()
    found.add(np.float32([0.0, 1.0, 1.0, 0.0]), np.array([False, True, False, False]))
    assert found.curve() == [(0.0, 0.0, 2), (1.0, 0.5, 2)]
    assert found.error == pytest.approx(0.25)


@given(arrays.arrays(np.float32, (2, 3), elements=st.floats(-80, 80, width=32)))
def test_flood_probability_is_what_dry_leaves(log_odds: np.ndarray) -> None:
    slow = 1 - 1 / (1 + np.exp(log_odds.astype(np.float64)).sum(axis=0))
    assert flood_probability(log_odds[:, None])[0] == pytest.approx(slow, abs=1e-6)


def test_shares_and_shifts_by_group(source: Listed) -> None:
    dry, wet = state_shares(source, 1)
    assert wet == pytest.approx(np.mean([truth.mean() for _, truth in source.chips]))
    assert dry + wet == pytest.approx(1)
    told = group_shifts(source, physics_alone, lambda log_odds: log_odds.mean(axis=1))
    assert set(told) == {"a", "b", "c", "d"}
    sure = {group: np.float32([40.0]) for group in told}
    found = evaluate(source, {"it": physics_alone}, shifts=sure)["it"].counts.sum(axis=0)
    assert found[2] == found[3] == 0, "shifted far enough, all is flood"


def test_a_chip_without_truth_is_no_chip_of_the_mean(source: Listed) -> None:
    unknown = (source.chips[0][0], np.full((SIDE, SIDE), 255, dtype=np.uint8))
    wider = Listed([*source.chips, unknown], [*source.groups, "e"])
    rule = {"rule": index_rule("s2", "ndwi")}
    few, many = (scores_of(evaluate(chips, rule)["rule"]) for chips in (source, wider))
    assert many["per_chip"] == few["per_chip"]
    assert many["pooled"] == few["pooled"]


def test_the_prior_of_a_scene_follows_its_answers() -> None:
    pytest.importorskip("models.judging.calibrate")
    from workflows.evaluate import shift_from

    generator = np.random.default_rng(0)
    flooded = generator.random(20_000) < 0.1
    evidence = generator.normal(np.where(flooded, 2.0, -2.0), 2.0)  # its own log-likelihood ratio
    taught = evidence + np.log(0.4 / 0.6)
    shift = shift_from((0.6, 0.4))(taught[None].astype(np.float32))
    assert shift == pytest.approx([np.log(0.1 / 0.9) - np.log(0.4 / 0.6)], abs=0.2)


def fake(inputs: ModelInput) -> Prediction:
    """An answer that knows where north is."""
    slope = np.broadcast_to(np.arange(inputs.shape[1], dtype=np.float32), inputs.shape)
    plane = inputs.modalities["s2"][1][None] + slope[None] * 0.1
    trust = np.stack([slope / 16, 1 - slope / 16]).astype(np.float32)
    return Prediction(plane, np.ones_like(plane), np.zeros_like(plane), trust, ("s1", "s2"))


def test_turned_answers_are_alike_from_every_side() -> None:
    inputs, _ = chip(3)
    steady = with_turns(fake)
    first = steady(inputs)
    for quarters, mirror in TURNS:
        again = steady(turned(inputs, quarters, mirror)).log_odds
        moved = np.rot90(first.log_odds[..., ::-1] if mirror else first.log_odds, quarters, axes=(-2, -1))
        assert again == pytest.approx(moved, abs=1e-5)
    plain = fake(inputs)
    assert first.epistemic.max() > plain.epistemic.max(), "what depends on north is doubt"
    assert first.log_odds.mean() == pytest.approx(plain.log_odds.mean(), abs=1e-5)


def test_an_ensemble_is_the_mean_and_its_spread_is_doubt() -> None:
    inputs, _ = chip(3)

    def shifted(nats: float) -> Answer:
        def answer(given: ModelInput) -> Prediction:
            found = fake(given)
            return Prediction(found.log_odds + nats, found.aleatoric, found.epistemic, found.trust, found.sensors)

        return answer

    found = ensemble([shifted(-1.0), shifted(3.0)])(inputs)
    assert found.log_odds == pytest.approx(fake(inputs).log_odds + 1.0, abs=1e-5)
    assert found.epistemic == pytest.approx(np.full_like(found.epistemic, 4.0), abs=1e-4)
    assert np.array_equal(ensemble([fake])(inputs).log_odds, fake(inputs).log_odds)
    with pytest.raises(ContractMismatch, match="same sensors"):
        mean_prediction([fake(inputs), physics_alone(inputs)])


def test_rules_and_regression_on_a_plain_task(source: Listed) -> None:
    answers: dict[str, Answer] = {
        "after": index_rule("s2", "mndwi"),
        "change": index_rule("s2", "mndwi", change=True),
        "regression": fit_pixel_regression(source, ("s2", "s2@1")),
        "blind": fit_pixel_regression(source, ("s1",)),
    }
    iou = {name: found.flood_iou for name, found in evaluate(source, answers).items()}
    assert iou["change"] == 1.0
    assert iou["after"] < 1.0, "water that was there before is no flood"
    assert iou["regression"] > 0.99
    assert iou["blind"] < 0.2
    hidden = evaluate(source, answers, without=("s2",))["regression"]
    shares = hidden.counts[:, :2].sum(axis=1) / hidden.counts.sum(axis=1)
    assert set(shares) <= {0.0, 1.0}, "without its sensor, the same for every pixel"


def test_a_regression_needs_both_kinds(source: Listed) -> None:
    dry = Listed([(inputs, np.zeros_like(truth)) for inputs, truth in source.chips], source.groups)
    with pytest.raises(ValueError, match="needs both kinds"):
        fit_pixel_regression(dry, ("s2",))


def test_a_rule_wants_experts_and_experts_a_rule(tmp_path: Path) -> None:
    with pytest.raises(ContractMismatch, match="leave --rule out"):
        answer_of([tmp_path], "mean")
    (tmp_path / "late.json").write_text("{}")
    with pytest.raises(ContractMismatch, match="give --rule"):
        answer_of([tmp_path])


@pytest.fixture
def folder(tmp_path: Path, source: Listed) -> Path:
    for name, (inputs, truth) in zip(source.names, source.chips, strict=True):
        write_chip(tmp_path / "chips" / f"{name}.npz", inputs, truth)
    return tmp_path / "chips"


Run = Callable[..., str]


@pytest.fixture
def run() -> Run:
    def told(*words: object, code: int = 0) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == code, done.output
        return done.output

    return told


def test_the_verb_writes_the_scores(folder: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "scores.json"
    words = ("evaluate", "--dataset", "folder", "--root", folder, "--baseline", "mndwi-change")
    assert "flood IoU, pooled" in run(*words, "--json", out)
    found = json.loads(out.read_text())
    assert found["pooled"]["flood_iou"] == 1.0
    assert set(found) >= {"pooled", "per_chip", "ece", "interval", "chips"}
    assert len(found["interval"]["flood_iou"]) == 2
    run(*words, "--without", "S1")
    assert "which has s1, s2" in run(*words, "--without", "s3", code=2)
    assert "Give either" in run(*words[:5], code=2)
    assert "No checkpoint" in run(*words[:5], "--weights", tmp_path / "none", code=2)
    assert "No chips" in run(*words, "--split", "none", code=2)


def test_pieces_are_small_and_whole(tmp_path: Path, run: Run) -> None:
    root, out, back = tmp_path / "set", tmp_path / "pieces", tmp_path / "back"
    generator = np.random.default_rng(0)
    for name in ("a/1.png", "a/b/2.png", "c.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(generator.bytes(30_000))
    run("pack-dataset", "--root", root, "--out", out, "--part", "0.025")
    pieces = sorted(path for path in out.iterdir() if path.name != LIST)
    assert len(pieces) == 4
    assert max(path.stat().st_size for path in pieces) <= 25_000
    assert "3 files" in run("unpack-dataset", "--pieces", out, "--out", back)
    for path in root.rglob("*.*"):
        assert (back / path.relative_to(root)).read_bytes() == path.read_bytes()
    pack(root, tmp_path / "again", 0.025)
    assert all((tmp_path / "again" / path.name).read_bytes() == path.read_bytes() for path in out.iterdir())
    pieces[1].write_bytes(pieces[1].read_bytes()[:-1])
    assert "part-0001" in run("unpack-dataset", "--pieces", out, "--out", tmp_path / "new", code=2)
    pieces[2].unlink()
    pieces[1].write_bytes((tmp_path / "again" / pieces[1].name).read_bytes())
    with pytest.raises(PackError, match="part-0002 is missing"):
        unpack(out, tmp_path / "new")


def test_packing_into_itself_or_over_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with pytest.raises(PackError, match="holds no file"):
        pack(tmp_path / "set", tmp_path / "out", 1)
    (tmp_path / "set" / "x").write_text("x")
    with pytest.raises(PackError, match="pack itself"):
        pack(tmp_path / "set", tmp_path / "set" / "out", 1)
    with pytest.raises(PackError, match="give an empty folder"):
        unpack(tmp_path / "set", tmp_path / "set")
    with pytest.raises(PackError, match=r"no pieces\.json"):
        unpack(tmp_path / "set", tmp_path / "out")
