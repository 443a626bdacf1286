"""A late checkpoint: experts that are replaced one by one, what was fitted for them, stacks without scikit-learn."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from models.checkpoint import save
from models.contract import Architecture, ContractMismatch, read_contract
from models.data.chips import write_chip
from models.data.sources import FolderSource, Subset
from models.early import EarlyFusion, early_contract
from models.inputs import CHANNELS, ModelInput
from models.late import learn as late_learn
from models.late import stack
from models.late.checkpoint import experts_say, late_halo, load_late, predict_late, read_experts, save_late
from models.late.fit import fit_late
from models.late.fusion import fuse
from models.late.gate import REACH
from models.late.learn import learn
from models.late.learned import Fitted
from models.late.rules import RULES, STACKS
from models.late.stack import classifiers, evaluate, fit_stack
from models.output import Prediction
from models.predict import predict
from tests.test_late import opinions_about, unlearned

SENSORS = ("c_band", "optical")
SMALL = Architecture(depth=2, decoder_channels=(16, 8), members=2)


def scene(seed, size=32, states=2):
    """Two sensors that see the truth in noise, each missing somewhere."""
    generator = np.random.default_rng(seed)
    truth = np.kron(generator.integers(0, states + 1, (size // 8, size // 8)), np.ones((8, 8))).astype(np.uint8)
    modalities, parts, presence = {}, {}, {}
    for name in (*SENSORS, "terrain"):
        rest = generator.normal(0, 1, (len(CHANNELS[name]), size, size))
        if name != "terrain":
            signs = [np.where(truth == state + 1, 2.0, -2.0) for state in range(states)]
            parts[name] = (np.stack(signs) + generator.normal(0, 1.5, (states, size, size))).astype("f4")
            rest[:states] = parts[name]
        modalities[name] = rest.astype("f4")
        presence[name] = generator.random((size, size)) < 0.85
    presence["c_band_before"] = presence["c_band"]
    return ModelInput(modalities, presence, parts, np.array([-1.0, -1.5][:states], dtype="f4")), truth


def save_expert(folder, name, seed):
    contract = early_contract(name, SMALL, (name,)).model_copy(update={"window": 32})
    torch.manual_seed(seed)
    network = EarlyFusion(contract).eval()
    nn.init.normal_(network.head.correction.weight, std=0.05)
    save(folder / name, network, contract)


def one_late(folder, rule, inputs, **arguments):
    return predict_late(folder, [rule], inputs, **arguments)[rule]


@pytest.fixture(scope="module", autouse=True)
def few_pixels():
    """Stacks of few pixels and trees: seconds instead of minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(late_learn, "BALANCED", 300)
        patch.setattr(stack, "TREES", 20)
        yield


@pytest.fixture(scope="module")
def fitted_folder(few_pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("late")
    for number in range(6):
        path = folder / f"scene{number}_0.npz"
        write_chip(path, *scene(number))
    for seed, name in enumerate(SENSORS):
        save_expert(folder / "net", name, seed)
    lines = []
    source = FolderSource(folder)
    fit_late(folder / "net", source, report=lines.append)
    return folder / "net", source, lines


@pytest.fixture
def folder(fitted_folder, tmp_path):
    shutil.copytree(fitted_folder[0], tmp_path / "net")
    return tmp_path / "net"


def test_every_rule_is_fitted_and_predicts(fitted_folder):
    folder, _, lines = fitted_folder
    assert lines[0] == "2 experts, 3 chips to learn from, 3 to calibrate on"
    inputs, truth = scene(50, 40)
    assert [line.partition(": calibration error")[0] for line in lines[1:]] == [*SENSORS, *RULES]
    for rule, made in predict_late(folder, list(RULES), inputs).items():
        assert made.sensors == SENSORS
        assert made.log_odds.shape == (2, 40, 40)
        moved = np.abs(made.log_odds - inputs.physics)
        assert moved.max() <= read_contract(folder / "optical").bound + 1e-4
        seen = inputs.presence["c_band"] | inputs.presence["optical"]
        named = np.concatenate([np.zeros((1, 40, 40)), made.log_odds]).argmax(axis=0)
        assert (named == truth)[seen].mean() > 0.8, rule
        np.testing.assert_array_equal(made.log_odds[:, ~seen], inputs.physics[:, ~seen])


def test_calibration_mends_what_it_is_fitted_to(fitted_folder):
    errors = load_late(fitted_folder[0]).learned.calibration_error
    assert set(errors) == {*SENSORS, *RULES}
    assert np.mean([row["after"] for row in errors.values()]) < np.mean([row["before"] for row in errors.values()])


def test_the_same_chips_and_seed_teach_the_same(fitted_folder, folder):
    before = (folder / "late.json").read_bytes(), (folder / "late.safetensors").read_bytes()
    fit_late(folder, fitted_folder[1], report=lambda line: None)
    assert ((folder / "late.json").read_bytes(), (folder / "late.safetensors").read_bytes()) == before


@pytest.mark.parametrize("rule", ["mean", "gate"])
def test_tiles_with_the_halo_equal_the_whole(fitted_folder, rule):
    folder = fitted_folder[0]
    halo = late_halo(folder, rule)
    assert halo % 4 == 0
    assert halo >= max(contract.halo for contract in read_experts(folder).values()) + (REACH if rule == "gate" else 0)
    inputs, _ = scene(60, 2 * halo + 64)
    whole = one_late(folder, rule, inputs, origin=(-halo, -halo), margin=halo)
    for row in (0, 24):
        tile = inputs.window(row, row, 2 * halo + 40, 2 * halo + 40)
        made = one_late(folder, rule, tile, origin=(row - halo, row - halo), margin=halo)
        own = (slice(None), slice(row, row + 40), slice(row, row + 40))
        for field in ("log_odds", "aleatoric", "epistemic", "trust"):
            np.testing.assert_allclose(getattr(made, field), getattr(whole, field)[own], atol=2e-4, err_msg=field)


def test_a_missing_sensor_leaves_the_other_expert(fitted_folder):
    """What the missing one would have said does not matter; the other is itself, its bound taken off and put on."""
    folder = fitted_folder[0]
    inputs, _ = scene(70)
    fitted = load_late(folder)
    plain = fitted.learned.model_copy(update={"calibration": {}})
    alone = experts_say(folder, plain, inputs.without({"c_band": True}))
    made = fuse("gate", alone, Fitted(plain))
    expected = predict(folder / "optical", inputs)
    seen = inputs.presence["optical"]
    np.testing.assert_allclose(made.log_odds[:, seen], expected.log_odds[:, seen], atol=0.02)
    np.testing.assert_array_equal(made.trust[0], 0.0)
    left_out = inputs.only(["optical", "terrain"])
    hidden = predict_late(folder, list(RULES), inputs.without({"c_band": True}))
    for rule, made in predict_late(folder, list(RULES), left_out).items():
        np.testing.assert_array_equal(made.log_odds, hidden[rule].log_odds)


# --- replaced experts, damaged files


def test_a_replaced_expert_is_named_and_the_others_stay(fitted_folder, folder):
    other = (folder / "c_band" / "weights.safetensors").read_bytes()
    save_expert(folder, "optical", seed=9)
    with pytest.raises(ContractMismatch, match=r"fitted for other experts \(optical: fitted for .*fit_late") as caught:
        load_late(folder)
    assert "c_band" not in str(caught.value)
    fit_late(folder, fitted_folder[1], report=lambda line: None)
    assert load_late(folder).learned.experts == SENSORS
    assert (folder / "c_band" / "weights.safetensors").read_bytes() == other


def test_another_temperature_is_another_expert_another_card_is_not(folder):
    path = folder / "optical" / "contract.json"
    text = json.loads(path.read_text())
    path.write_text(json.dumps({**text, "limits": "None known.", "scores": {}}))
    load_late(folder)
    path.write_text(json.dumps({**text, "temperature": 2.0}))
    with pytest.raises(ContractMismatch, match="optical"):
        load_late(folder)


def test_an_expert_that_is_gone_or_new_is_named(folder):
    shutil.move(folder / "optical", folder.parent / "optical")
    with pytest.raises(ContractMismatch, match="optical: not there"):
        load_late(folder)
    shutil.move(folder.parent / "optical", folder / "optical")
    save_expert(folder, "l_band", seed=3)
    with pytest.raises(ContractMismatch, match="l_band: added since"):
        load_late(folder)


def test_experts_that_do_not_fit_together_are_refused(folder):
    shutil.copytree(folder / "optical", folder / "l_band")
    with pytest.raises(ContractMismatch, match="l_band knows optical, but an expert of 'l_band' alone"):
        read_experts(folder)
    shutil.rmtree(folder / "l_band")
    path = folder / "optical" / "contract.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "form": "free"}))
    with pytest.raises(ContractMismatch, match=r"differ in states, form or bound: c_band: .*bounded.*optical: .*free"):
        read_experts(folder)
    with pytest.raises(FileNotFoundError, match="No experts in"):
        read_experts(folder / "optical")


def test_missing_and_damaged_files_are_refused(folder):
    content = (folder / "late.safetensors").read_bytes()
    (folder / "late.safetensors").write_bytes(content + b" ")
    with pytest.raises(ContractMismatch, match=r"late\.safetensors is not what late\.json was written with"):
        load_late(folder)
    (folder / "late.json").unlink()
    with pytest.raises(FileNotFoundError, match="fit the late rules"):
        predict_late(folder, ["mean"], scene(0)[0])


def test_too_little_to_learn_from_is_said(fitted_folder, folder, tmp_path):
    with pytest.raises(ValueError, match="1 held-out chips are too few"):
        fit_late(folder, Subset(fitted_folder[1], [0]))
    generator = np.random.default_rng(0)
    opinions = opinions_about(np.zeros((16, 16), dtype=np.uint8), generator, 2)
    samples = [(opinions.at(np.ones((16, 16), dtype=bool)), np.zeros(256, dtype=np.uint8))]
    with pytest.raises(ValueError, match=r"open_water: 0, flooded_vegetation: 0; 50 at least"):
        learn(unlearned(opinions.names, 2), samples, 0)


# --- stacks as arrays


@pytest.mark.parametrize("kind", STACKS)
def test_a_stored_stack_is_what_scikit_learn_says(kind, folder):
    generator = np.random.default_rng(0)
    seen = generator.normal(0, 2, (900, 7)).astype("f4")
    seen[:, 6] = generator.integers(0, 2, 900)
    wet = seen[:, 0] * seen[:, 1] + seen[:, 2] + generator.normal(0, 1, 900) > 0
    fitted = load_late(folder)
    states = tuple(fit_stack(kind, seen, wet, shift, seed=5) for shift in (0.7, 0.0))
    save_late(folder, Fitted(fitted.learned, {kind: states}))
    stored = load_late(folder).stacks[kind]
    model = classifiers(seed=5)[kind][0].fit(seen, wet)
    fresh = np.concatenate([seen, generator.normal(0, 5, (500, 7)).astype("f4")])
    probability = model.predict_proba(fresh)[:, 1]
    np.testing.assert_allclose(1 / (1 + np.exp(-evaluate(stored[1], fresh))), probability, atol=1e-5)
    np.testing.assert_allclose(evaluate(stored[0], fresh) - evaluate(stored[1], fresh), 0.7, atol=1e-9)


def test_arrays_of_no_known_stack_are_refused():
    with pytest.raises(ValueError, match="A stack holds petals, shift, but one of landmarks, threshold, coefficients"):
        evaluate({"petals": np.zeros(3), "shift": np.zeros(1)}, np.zeros((2, 3), dtype="f4"))


def test_a_prediction_without_variance_or_experts_is_handled(folder):
    inputs, _ = scene(0)
    nothing = inputs.without({"c_band": True, "optical": True})
    made = one_late(folder, "gate", nothing)
    assert isinstance(made, Prediction)
    np.testing.assert_array_equal(made.log_odds, nothing.physics)
    assert not made.variance.any()
    assert not made.trust.any()
