"""The network, its contract, its checkpoint and its predictions."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import nn

from models import checkpoint
from models import segmentation_library as library
from models.contract import BOUND, ContractMismatch, read_contract, shipped
from models.device import choose_device
from models.early import SENSORS, EarlyFusion, early_contract
from models.inputs import CHANNELS, ModelInput
from models.parts.residual import bounded_residual
from models.predict import predict
from models.receptive import receptive_radius
from models.tensors import stack, to_tensors


def random_input(rows: int, columns: int, seed: int = 0) -> ModelInput:
    generator = np.random.default_rng(seed)
    shape = (rows, columns)
    names = (*CHANNELS, "c_band_before", "l_band_before")
    return ModelInput(
        modalities={n: generator.normal(-5, 8, (len(CHANNELS[n]), *shape)).astype("f4") for n in CHANNELS},
        presence={name: generator.random(shape) < 0.7 for name in names},
        parts={name: generator.normal(0, 2, (2, *shape)).astype("f4") for name in SENSORS},
        prior=np.array([-3.0, -4.0], dtype=np.float32),
    )


def awake(contract, seed=0) -> EarlyFusion:
    """A network whose corrections are large, in evaluation mode with unequal batch statistics."""
    torch.manual_seed(seed)
    network = EarlyFusion(contract).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    nn.init.normal_(network.head.correction.weight, std=0.5)
    return network


@pytest.fixture(scope="module")
def contract():
    return early_contract().model_copy(update={"window": 64})


@pytest.fixture(scope="module")
def network(contract):
    return awake(contract)


@pytest.fixture
def folder(tmp_path, network, contract):
    checkpoint.save(tmp_path / "net", network, contract)
    return tmp_path / "net"


def run(network, inputs):
    with torch.inference_mode():
        return network(*stack([to_tensors(inputs, network.contract)])).log_odds[0].numpy()


def planes_of(network, inputs):
    modalities, presence, _ = stack([to_tensors(inputs, network.contract)])
    clean = {name: network.normalised(name, values, presence) for name, values in modalities.items()}
    return network.stacked(clean, presence)[0].numpy()


# --- residual


def test_bounded_residual_vector():
    # physics_vectors.json `bounded_residual`: p 0.9, B 2.197225, f -100, 0, 1, 100.
    physics = torch.full((4,), math.log(9.0), dtype=torch.float64)
    correction = torch.tensor([-100.0, 0.0, 1.0, 100.0], dtype=torch.float64)
    moved = torch.sigmoid(bounded_residual(physics, correction, math.log(9.0)))
    np.testing.assert_allclose(moved, [0.5, 0.9, 0.958252, 0.9878049], atol=1e-6)


def test_no_correction_is_the_physics_bit_for_bit():
    physics = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 20
    assert torch.equal(bounded_residual(physics, torch.zeros(1000)), physics)


def test_no_correction_whatever_moves_it_further_than_the_bound():
    generator = torch.Generator().manual_seed(1)
    physics = torch.randn(10_000, generator=generator) * 50
    correction = torch.randn(10_000, generator=generator) * 10.0 ** torch.randint(-3, 30, (10_000,))
    correction[:2] = torch.tensor([math.inf, -math.inf])
    moved = (bounded_residual(physics, correction).double() - physics.double()).abs()
    rounding = torch.finfo(torch.float32).eps * (physics.double().abs() + BOUND)
    assert bool((moved <= BOUND + rounding).all())


# --- network


def test_untrained_network_is_the_physics(contract):
    inputs = random_input(64, 72)
    np.testing.assert_array_equal(run(EarlyFusion(contract).eval(), inputs), inputs.physics)


def test_corrections_are_there_and_bounded(network):
    inputs = random_input(64, 72)
    moved = np.abs(run(network, inputs) - inputs.physics)
    assert moved.mean() > 0.3
    assert moved.max() <= network.contract.bound + 1e-5


def test_where_no_modality_is_present_it_is_the_physics(network):
    blind = np.zeros((64, 64), dtype=bool)
    blind[10:40, 20:50] = True
    inputs = random_input(64, 64).without(dict.fromkeys(CHANNELS, blind))
    np.testing.assert_array_equal(run(network, inputs)[:, blind], inputs.physics[:, blind])


def test_absent_channels_contribute_exactly_zero(network):
    inputs = random_input(32, 32)
    garbage = {
        name: np.where(inputs.presence[name], values, np.float32(np.nan if name == "optical" else 1e30))
        for name, values in inputs.modalities.items()
    }
    dirty = ModelInput(garbage, inputs.presence, inputs.parts, inputs.prior)
    np.testing.assert_array_equal(run(network, dirty), run(network, inputs))
    planes = planes_of(network, dirty)
    assert (planes[:5, ~inputs.presence["c_band"]] == 0).all()
    assert (planes[4, ~inputs.presence["c_band_before"]] == 0).all()


def test_normalisation_is_that_of_the_contract(network):
    inputs = random_input(8, 8)
    inputs.modalities["c_band"][2] = -17.0  # (-17 + 12) / 5 = -1
    inputs.modalities["c_band"][3] = -99.0  # clipped to -38: (-38 + 20) / 6 = -3
    everywhere = {name: np.ones((8, 8), dtype=bool) for name in inputs.presence}
    inputs = ModelInput(inputs.modalities, everywhere, inputs.parts, inputs.prior)
    planes = planes_of(network, inputs)
    assert planes.shape == (22, 8, 8)
    np.testing.assert_allclose(planes[2:4, 0, 0], [-1.0, -3.0], rtol=1e-6)
    np.testing.assert_array_equal(planes[16:], 1.0)


def test_a_modality_left_out_is_a_modality_nowhere_present(network):
    inputs = random_input(32, 32)
    kept = {name: values for name, values in inputs.modalities.items() if name != "l_band"}
    presence = {name: mask for name, mask in inputs.presence.items() if not name.startswith("l_band")}
    fewer = ModelInput(kept, presence, inputs.parts, inputs.prior)
    np.testing.assert_array_equal(run(network, fewer), run(network, inputs.without({"l_band": True})))


def test_small_enough(network):
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    assert size < 3e6


# --- receptive field


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([nn.Conv2d(1, 1, 5, padding=2)], 2),
        ([nn.Conv2d(1, 1, 3, padding=1), nn.ReLU6(), nn.Conv2d(1, 1, 3, padding=1)], 2),
        ([nn.MaxPool2d(3, 1, 1), nn.Conv2d(1, 1, 3, padding=2, dilation=2)], 3),
        # Output 2k+1 copies coarse pixel k, which sees fine pixels 2k-1..2k+1: two away at the odd phase.
        ([nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.Upsample(scale_factor=2)], 2),
    ],
    ids=["5x5", "3x3 twice", "pool and dilated", "down and up"],
)
def test_receptive_radius_by_hand(layers, expected):
    assert receptive_radius(nn.Sequential(*layers), 1, 2) == expected


def test_a_network_that_sees_everything_is_refused():
    class Global(nn.Module):
        def forward(self, image):
            return image + image.mean(dim=(2, 3), keepdim=True)

    with pytest.raises(ValueError, match="no halo makes tiling exact"):
        receptive_radius(Global(), 1, 8)


def test_halo_follows_from_the_network(network, contract):
    assert contract.halo % contract.stride == 0
    radius = receptive_radius(network.body, contract.input_channels, contract.stride)
    assert radius < contract.halo <= radius + 1 + contract.stride, "the head looks one pixel further than the body"


def test_no_input_beyond_the_radius_changes_an_output(network, contract):
    radius = receptive_radius(network.body, contract.input_channels, contract.stride)
    image = torch.randn(1, contract.input_channels, 192, 192)
    changed = image.clone()
    changed[:, :, 96, 96] += 5.0
    with torch.inference_mode():
        moved = (network.body(changed) - network.body(image))[0].abs().amax(dim=0) > 0
    where = torch.nonzero(moved) - 96
    assert 0 < int(where.abs().max()) <= radius


# --- predictions


def padded_whole(network, inputs):
    """The whole image in one go, in a wide frame of absent pixels: the slow, obvious way."""
    halo, (rows, columns) = network.contract.halo, inputs.shape
    frame = inputs.window(-halo, -halo, rows + 2 * halo, columns + 2 * halo)
    return run(network, frame)[:, halo : halo + rows, halo : halo + columns]


def test_tiles_equal_the_whole_image(network, folder):
    inputs = random_input(200, 136)
    whole = padded_whole(network, inputs)
    np.testing.assert_allclose(predict(folder, inputs, "cpu").log_odds, whole, atol=1e-5)
    np.testing.assert_allclose(predict(folder, inputs, "cpu", batch=4).log_odds, whole, atol=1e-5)


def test_a_unit_with_its_halo_equals_its_cut_of_a_larger_one(folder, contract):
    inputs, halo = random_input(240, 224), contract.halo
    whole = predict(folder, inputs, "cpu").log_odds
    row, column, size = 75, 66, 90  # no multiples of the stride: the phase comes from the origin
    unit = inputs.window(row - halo, column - halo, size + 2 * halo, size + 2 * halo)
    mine = predict(folder, unit, "cpu", origin=(row - halo, column - halo), margin=halo).log_odds
    expected = whole[:, row : row + size, column : column + size]
    np.testing.assert_allclose(mine, expected, atol=1e-5)
    out_of_phase = predict(folder, unit, "cpu", margin=halo).log_odds
    assert np.abs(out_of_phase - expected).max() > 0.1


def test_same_bytes_twice_and_physics_where_nothing_is_seen(folder):
    blind = np.zeros((150, 70), dtype=bool)
    blind[60:] = True
    inputs = random_input(150, 70).without(dict.fromkeys(CHANNELS, blind))
    first = predict(folder, inputs, "cpu").log_odds
    assert first.shape == (2, 150, 70)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, predict(folder, inputs, "cpu").log_odds)
    np.testing.assert_array_equal(first[:, blind], inputs.physics[:, blind])


def test_half_precision_only_if_asked(folder):
    inputs = random_input(64, 64)
    exact, half = predict(folder, inputs, "cpu").log_odds, predict(folder, inputs, "cpu", precision="bfloat16").log_odds
    assert 1e-5 < np.abs(exact - half).max() < 0.5


def test_other_channels_are_refused_with_both_sides(folder):
    inputs = random_input(16, 16)
    names = {**CHANNELS, "optical": ("evidence_water", "evidence_vegetation", "mndwi", "ndwi")}
    other = ModelInput(inputs.modalities, inputs.presence, inputs.parts, inputs.prior, names)
    with pytest.raises(ContractMismatch, match=r"ndwi, mndwi; the input brings .*mndwi, ndwi\. Use weights"):
        predict(folder, other, "cpu")


# --- checkpoint


def test_saved_and_loaded_is_the_same_network(folder, network):
    loaded = checkpoint.load(folder, "cpu")
    inputs = random_input(32, 32)
    np.testing.assert_array_equal(run(loaded.network, inputs), run(network, inputs))
    assert loaded.contract == read_contract(folder)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["net"]
    card = (folder / "card.md").read_text()
    assert loaded.contract.sha256 in card
    assert "| c_band | copol_change_db | dB | -15 to 15 | 0 | 4 | c_band_before |" in card


def test_saving_again_replaces_and_is_noticed(folder, contract):
    first = checkpoint.load(folder, "cpu")
    checkpoint.save(folder, awake(contract, seed=1), contract)
    second = checkpoint.load(folder, "cpu")
    assert second.contract.sha256 != first.contract.sha256
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(FileExistsError, match=r"thesis\.txt"):
        checkpoint.save(folder, first.network, contract)
    assert (folder / "thesis.txt").exists()


def test_eight_threads_load_once(folder, monkeypatch):
    calls, barrier, results = [], threading.Barrier(8), []
    real = checkpoint._read
    monkeypatch.setattr(checkpoint, "_read", lambda *args: calls.append(args) or real(*args))

    def work():
        barrier.wait()
        results.append(checkpoint.load(folder, "cpu"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len({id(result) for result in results}) == 1


def test_damaged_weights_are_refused(folder):
    path = folder / checkpoint.WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(ContractMismatch, match=r"have sha256 .* its contract says .* Copy the whole folder"):
        checkpoint.load(folder, "cpu")


def test_tensors_of_another_architecture_are_refused(folder):
    path = folder / checkpoint.WEIGHTS
    tensors = load_file(path)
    tensors["head.correction.bias"] = torch.zeros(3)
    save_file(tensors, path)
    record = json.loads((folder / checkpoint.CONTRACT).read_text())
    record["sha256"] = checkpoint._digest(path)
    (folder / checkpoint.CONTRACT).write_text(json.dumps(record))
    with pytest.raises(ContractMismatch, match=r"head\.correction\.bias: contract \(2,\), file \(3,\)"):
        checkpoint.load(folder, "cpu")


def test_no_checkpoint_and_no_shipped_network():
    with pytest.raises(FileNotFoundError, match="must both be there"):
        checkpoint.load(Path("/nowhere"), "cpu")
    with pytest.raises(FileNotFoundError, match="No checkpoint in /nowhere"):
        read_contract(Path("/nowhere"))
    with pytest.raises(ValueError, match="No shipped network 'oracle'; there are:"):
        shipped("oracle")


def test_contract_is_closed_and_consistent(contract):
    record = contract.model_dump()
    assert type(contract).model_validate(record) == contract
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(contract).model_validate({**record, "colour": "blue"})
    with pytest.raises(ValidationError, match="must be multiples of stride 8"):
        type(contract).model_validate({**record, "halo": 57})
    with pytest.raises(ValidationError, match="lacks c_band_before"):
        type(contract).model_validate({**record, "presence": (*contract.presence[:3], "l_band_before")})
    with pytest.raises(ContractMismatch, match="it knows c_band, l_band, optical"):
        contract.require_channels({"x_band": ("a", "b")})


def test_contract_and_inputs_are_free_of_torch():
    code = "import sys, models.contract, models.inputs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- device and library


def test_only_the_known_import_failure_is_repaired(monkeypatch):
    def broken():
        raise RuntimeError("out of luck")

    assert library.segmentation_models() is library.segmentation_models()
    monkeypatch.setattr(library, "_import", broken)
    with pytest.raises(RuntimeError, match="out of luck"):
        library.segmentation_models()


def test_device(monkeypatch):
    assert choose_device("cpu").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(RuntimeError, match="sees no CUDA device"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="choose one of auto, cpu, cuda"):
        choose_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"
    assert choose_device("cpu").type == "cpu"
