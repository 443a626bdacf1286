"""`overbank train`: settings, data sets, and the way from chips to weights."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from models.contract import read_contract
from models.data.chips import write_chip
from models.data.sources import FolderSource
from models.inputs import CHANNELS, ModelInput
from pipeline.errors import JobError
from workflows.cli import app
from workflows.train import command_of, train
from workflows.training_data import contract_for, sensors_in
from workflows.training_plan import DEFAULTS, TrainingPlan, merged, read_plan, recipe_of, write_plan

TINY = {"depth": 2, "decoder_channels": [8, 8], "members": 2}


def chip(seed: int, sensors: tuple[str, ...]) -> tuple[ModelInput, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = (np.arange(16)[:, None] + np.zeros(16) > generator.integers(4, 12)).astype(np.uint8)
    modalities = {name: generator.normal(0, 1, (len(CHANNELS[name]), 16, 16)).astype("f4") for name in sensors}
    presence = {name: np.ones((16, 16), dtype=bool) for name in sensors}
    parts = {name: values[:2] for name, values in modalities.items()}
    return ModelInput(modalities, presence, parts, np.array([-1, -3], "f4")), truth


def chips_in(folder, sensors=("c_band", "optical")):
    for index in range(6):
        write_chip(folder / f"place{index // 2}_{index}.npz", *chip(index, sensors))
    return folder


@pytest.fixture
def late_parts(monkeypatch):
    """What is fitted after the networks, as a record of its calls."""
    calls = []

    def calibrate_network(folder, chips, *, seed=0, device="auto"):
        calls.append(("calibrate", folder.name, len(chips)))
        return SimpleNamespace(temperature=1.0, before=0.02, after=0.01)

    def fit_late(folder, chips, *, device="auto", report=print):
        calls.append(("late", folder.name, len(chips)))

    for name, function in (("judging.calibrate_network", calibrate_network), ("late.fit", fit_late)):
        module = ModuleType(f"models.{name}")
        setattr(module, function.__name__, function)
        monkeypatch.setitem(sys.modules, f"models.{name}", module)
    return calls


# --- settings


def test_flags_win_over_the_file_and_the_file_over_the_data_set(tmp_path):
    config = tmp_path / "train.yaml"
    config.write_text("dataset: ombria\nroot: here\nout: there\nrecipe: {epochs: 7, augmentation: {side: 64}}\n")
    plan = read_plan(config, {"out": tmp_path / "net", "recipe": {"epochs": 3, "seed": None}, "join": None})
    assert (plan.dataset, plan.out, plan.recipe.epochs) == ("ombria", tmp_path / "net", 3)
    assert (plan.recipe.augmentation.side, plan.recipe.flood_share) == (64, 0.25)
    assert plan.recipe.augmentation.turn is TrainingPlan.model_fields["recipe"].default.augmentation.turn is True
    assert plan.recipe == recipe_of("ombria", {"epochs": 3, "augmentation": {"side": 64}})
    write_plan(tmp_path / "net.yaml", plan)
    assert read_plan(tmp_path / "net.yaml", {}) == plan


def test_every_data_set_has_valid_defaults():
    for name, base in DEFAULTS.items():
        TrainingPlan.model_validate(merged(base, {"dataset": name, "root": "a", "out": "b"}))


@pytest.mark.parametrize(
    ("text", "flags", "told"),
    [
        ("root: a\nout: b\nepoch: 3\n", {}, r"line 3.*not permitted"),
        ("root: a\nout: b\nrecipe:\n  rate: -1\n", {}, r"line 4.*greater than 0.*-1"),
        ("root: a\n", {}, r"--out: is not given"),
        ("root: a\nout: b\n", {"sensor": "l_band"}, "--strategy expert"),
        ("root: a\nout: b\nstrategy: early\njoin: gated\n", {}, "no join"),
        ("- a\n", {}, "holds no settings"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, flags, told):
    config = tmp_path / "train.yaml"
    config.write_text(text)
    with pytest.raises(JobError, match=told):
        read_plan(config, flags)


def test_the_command_says_what_flags_can():
    plan = TrainingPlan(root="a", out="b", strategy="intermediate", join="gated", events=3, size=128)
    assert command_of(plan).startswith("overbank train --dataset simulated --strategy intermediate --join gated --ev")
    assert "--sensor" not in command_of(plan)


# --- data sets


def test_the_chips_say_which_sensors_a_network_has(tmp_path):
    write_chip(tmp_path / "a_0.npz", *chip(0, ("optical",)))
    write_chip(tmp_path / "b_0.npz", *chip(1, ("c_band",)))
    source = FolderSource(tmp_path)
    assert sensors_in(source) == ("c_band", "optical")
    plan = TrainingPlan(root=tmp_path, out=tmp_path / "net", architecture=TINY)
    contract = contract_for(plan, ("c_band", "optical"), None)
    assert contract.sensors == ("c_band", "optical")
    assert (contract.strategy, contract.architecture.depth, contract.stride) == ("early", 2, 4)
    other = plan.model_copy(update={"architecture": {**TINY, "encoder": "tu-resnet10"}})
    with pytest.raises(JobError, match=r"no encoder is called 'tu-resnet10'; did you mean tu-resnet10t"):
        contract_for(other, ("optical",), None)
    with pytest.raises(JobError, match="no 'l_band'"):
        contract_for(plan, ("c_band", "optical"), "l_band")


# --- the verb


def test_train_on_a_folder_by_the_command(tmp_path, late_parts):
    chips = chips_in(tmp_path / "chips")
    config = tmp_path / "train.yaml"
    config.write_text(yaml.safe_dump({"dataset": "folder", "root": str(chips), "architecture": TINY}))
    out = tmp_path / "net"
    done = CliRunner().invoke(app, ["train", "--config", str(config), "--out", str(out), "--epochs", "1"])
    assert done.exit_code == 0, done.output
    assert "temperature 1.000: calibration error 0.0200 → 0.0100" in done.output
    contract = read_contract(out)
    assert contract.training.data == "folder: 4 chips of 2 groups"
    assert late_parts == [("calibrate", "net", 2)]
    assert yaml.safe_load((tmp_path / "net.yaml").read_text())["recipe"]["epochs"] == 1
    wrong = CliRunner().invoke(app, ["train", "--out", str(out), "--root", str(chips), "--sensor", "optical"])
    assert wrong.exit_code == 2
    assert "--strategy expert" in wrong.output
    empty = ["train", "--config", str(config), "--out", str(out), "--root", str(tmp_path)]
    missing = CliRunner().invoke(app, empty)
    assert missing.exit_code == 2
    assert "No chips" in missing.output


def test_late_trains_the_experts_that_are_missing(tmp_path, late_parts):
    chips = chips_in(tmp_path / "chips")
    settings = {"dataset": "folder", "root": chips, "out": tmp_path / "late", "strategy": "late", "architecture": TINY}
    plan = TrainingPlan.model_validate(settings | {"recipe": {"epochs": 1, "experts": {"optical": {"focal": 1.0}}}})
    lines: list[str] = []
    first = train(plan, lines.append)
    assert [found.folder.name for found in first] == ["c_band", "optical"]
    assert all(read_contract(found.folder).strategy == "expert" for found in first)
    assert late_parts == [("calibrate", "c_band", 2), ("calibrate", "optical", 2), ("late", "late", 2)]
    assert {path.name for path in (tmp_path / "late").iterdir() if path.is_dir() and path.suffix == ""} == {
        "c_band",
        "optical",
    }
    kept = read_contract(tmp_path / "late" / "c_band").sha256
    (tmp_path / "late" / "optical" / "weights.safetensors").unlink()
    (tmp_path / "late" / "optical" / "contract.json").unlink()
    (tmp_path / "late" / "optical" / "card.md").unlink()
    again = train(plan, lines.append)
    assert [found.folder.name for found in again] == ["optical"]
    assert read_contract(tmp_path / "late" / "c_band").sha256 == kept
    assert any("c_band: the expert is there" in line for line in lines)
