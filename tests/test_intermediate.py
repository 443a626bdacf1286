"""Intermediate fusion: what each join does, what absence does not do, and how far the networks look."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from models import checkpoint
from models.contract import Architecture
from models.early import SENSORS
from models.inputs import CHANNELS, ModelInput, with_earlier_looks
from models.intermediate import IntermediateFusion, at_pixels, intermediate_contract
from models.parts.attention import AttentionJoin
from models.parts.concatenation import ConcatJoin
from models.parts.gate import GatedJoin
from models.parts.tensor_fusion import RANK, TensorJoin
from models.parts.time_attention import TimeAttention, order_codes
from models.predict import predict
from models.receptive import receptive_radius
from models.tensors import stack, to_tensors

JOINS = ("concat", "gated", "attention", "tensor")
TINY = Architecture(
    encoder_options={"channels": (8, 8, 8, 8), "stem_width": 8},
    depth=2,
    decoder_channels=(8, 8),
    window=2,
    members=2,
)


def random_input(rows: int, columns: int, looks: int = 1, seed: int = 0) -> ModelInput:
    generator = np.random.default_rng(seed)
    shape, channels = (rows, columns), with_earlier_looks(CHANNELS, looks)
    names = (*channels, *(f"{name}_before" for name in channels if name[1:6] == "_band"))
    return ModelInput(
        modalities={n: generator.normal(-5, 8, (len(channels[n]), *shape)).astype("f4") for n in channels},
        presence={name: generator.random(shape) < 0.7 for name in names},
        parts={name: generator.normal(0, 2, (2, *shape)).astype("f4") for name in SENSORS},
        prior=np.array([-3.0, -4.0], dtype=np.float32),
        channels=channels,
    )


def shaken(module: nn.Module, seed: int = 0) -> nn.Module:
    """In evaluation mode, with unequal batch statistics."""
    torch.manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.3, 0.3)
            layer.running_var.uniform_(0.5, 1.5)
            layer.bias.data.uniform_(-0.3, 0.3)
    return module.eval()


def awake(contract, seed: int = 0) -> IntermediateFusion:
    """A network whose corrections are large."""
    torch.manual_seed(seed)
    network = shaken(IntermediateFusion(contract), seed)
    nn.init.normal_(network.head.correction.weight, std=0.5)
    return network


@pytest.fixture(scope="module")
def networks():
    contracts = {join: intermediate_contract(join, architecture=TINY) for join in JOINS}
    return {join: awake(contract.model_copy(update={"window": 32})) for join, contract in contracts.items()}


@pytest.fixture(params=JOINS)
def network(request, networks):
    return networks[request.param]


def run(network, inputs):
    with torch.inference_mode():
        output = network(*stack([to_tensors(inputs, network.contract)]))
    return output.log_odds[0].numpy(), output.trust[0].numpy()


# --- the network


def test_untrained_it_is_the_physics(network):
    inputs = random_input(32, 40)
    untrained = IntermediateFusion(network.contract).eval()
    np.testing.assert_array_equal(run(untrained, inputs)[0], inputs.physics)
    assert np.abs(run(network, inputs)[0] - inputs.physics).mean() > 0.2


def test_what_is_absent_contributes_exactly_nothing(network):
    inputs = random_input(32, 32)
    dirty = {
        name: np.where(inputs.presence[name], values, np.float32(np.nan if name[0] == "o" else 1e30))
        for name, values in inputs.modalities.items()
    }
    other = ModelInput(dirty, inputs.presence, inputs.parts, inputs.prior, inputs.channels)
    for clean, found in zip(run(network, inputs), run(network, other), strict=True):
        np.testing.assert_array_equal(found, clean)


def test_a_sensor_left_out_is_a_sensor_nowhere_present(network):
    inputs = random_input(32, 32)
    kept, presence = (
        {name: array for name, array in arrays.items() if not name.startswith("l_band")}
        for arrays in (inputs.modalities, inputs.presence)
    )
    fewer = ModelInput(kept, presence, inputs.parts, inputs.prior, inputs.channels)
    for hidden, gone in zip(run(network, inputs.without({"l_band": True})), run(network, fewer), strict=True):
        np.testing.assert_array_equal(hidden, gone)


def test_terrain_alone_is_the_physics(network):
    inputs = random_input(32, 32)
    inputs = inputs.without(dict.fromkeys(SENSORS, True))
    log_odds, trust = run(network, inputs)
    np.testing.assert_array_equal(log_odds, inputs.physics)
    assert not trust.any()


def test_trust_sums_to_one_over_the_sensors_that_look_now(network):
    inputs = random_input(32, 32)
    trust = run(network, inputs)[1]
    seen = np.stack([inputs.presence[sensor] for sensor in network.contract.sensors])
    np.testing.assert_allclose(trust.sum(axis=0), seen.any(axis=0), atol=1e-5)
    assert (trust[~seen] == 0).all()
    equal = seen / np.maximum(seen.sum(axis=0), 1)
    tells = network.contract.architecture.join in ("gated", "attention")
    assert (np.abs(trust - equal).max() > 0.05) == tells


def test_shares_of_cells_are_averaged_and_go_to_the_pixels_that_are_seen():
    fine = torch.tensor([0.4, 0.6, 0.0])[None, :, None, None].expand(1, 3, 2, 2)
    coarse = torch.tensor([0.0, 1.0, 0.0])[None, :, None, None]
    now = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 1], [1, 1, 1, 0]], dtype=torch.bool).reshape(1, 3, 2, 2)
    expected = [[0.2, 1.0, 0.0, 0.0], [0.8, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]]
    np.testing.assert_allclose(at_pixels([fine, coarse], now).reshape(3, 4), expected, rtol=1e-6)


def test_saved_and_loaded_with_its_card(networks, tmp_path):
    network = networks["attention"]
    saved = checkpoint.save(tmp_path / "net", network, network.contract)
    loaded = checkpoint.load(tmp_path / "net", "cpu")
    assert loaded.contract == saved
    inputs = random_input(32, 32)
    np.testing.assert_array_equal(run(loaded.network, inputs)[0], run(network, inputs)[0])
    card = (tmp_path / "net" / "card.md").read_text()
    assert "cross-attention within windows of 2 x 2 features" in card
    assert "3 earlier looks" in card
    assert "channels (8, 8, 8, 8)" in card


def test_an_encoder_without_features_at_half_scale():
    architecture = Architecture(encoder="tu-test_convnext", depth=2, decoder_channels=(8, 8), members=1)
    contract = intermediate_contract("gated", architecture=architecture, sensors=("c_band", "l_band"), looks=0)
    inputs = random_input(32, 32, looks=0)
    log_odds, trust = run(awake(contract), inputs)
    assert np.abs(log_odds - inputs.only(contract.modalities).physics).mean() > 0.05
    assert trust.shape == (2, 32, 32)


def test_what_cannot_be_is_refused_by_name():
    with pytest.raises(ValidationError, match="not 'resnet18'"):
        Architecture(encoder="resnet18", encoder_options={"channels": (8, 8, 8, 8)})
    contract = intermediate_contract("concat", architecture=TINY, sensors=("c_band",))
    without = contract.model_copy(update={"architecture": TINY})
    with pytest.raises(ValueError, match=r"needs architecture\.join"):
        IntermediateFusion(without)
    modalities = {**contract.modalities, "c_band@1": contract.modalities["c_band@1"][:2]}
    with pytest.raises(ValueError, match=r"'c_band@1' has the channels .* whose encoder it shares"):
        IntermediateFusion(contract.model_copy(update={"modalities": modalities}))
    with pytest.raises(ValueError, match=r"stride 4, but its tiles start at multiples of 8"):
        IntermediateFusion(contract.model_copy(update={"architecture": TINY.model_copy(update={"join": "attention"})}))
    with pytest.raises(ValueError, match="6 x 8 do not split into windows of 4"):
        AttentionJoin(1, 4, 4)(torch.zeros(1, 4, 6, 8), torch.ones(1, 1, 6, 8, dtype=torch.bool))


# --- time


def test_without_earlier_looks_the_moment_stands_and_their_order_counts(networks):
    torch.manual_seed(0)
    time = TimeAttention(8, (1, 2)).eval()
    now, before = torch.randn(2, 8, 4, 4), torch.randn(4, 8, 4, 4)
    seen = torch.zeros(2, 2, 4, 4, dtype=torch.bool)
    seen[0, 0, 0, 0] = True
    seen[:, 1, 3, 3] = True
    with torch.inference_mode():
        joined = time(now, before, seen)
        swapped = time(now, before.unflatten(0, (2, 2)).flip(0).flatten(0, 1), seen)
    changed = (joined != now).any(dim=1)
    assert torch.equal(changed, seen.any(dim=0))
    assert bool((joined != swapped)[1, :, 3, 3].any())


def test_time_attention_is_the_softmax_written_out():
    torch.manual_seed(1)
    time = TimeAttention(4, (1, 3)).eval()
    now, before = torch.randn(1, 4, 1, 1), torch.randn(2, 4, 1, 1)
    with torch.no_grad():
        time.none.normal_()
        aged = before[:, :, 0, 0] + time.order(order_codes((1, 3)))
        linear = [(layer.weight[:, :, 0, 0], layer.bias) for layer in (time.query, time.key, time.value)]
        (query, keys, values) = (x @ w.T + b for (w, b), x in zip(linear, (now[:, :, 0, 0], aged, aged), strict=True))
        asked = torch.zeros(4)
        size = 4 // time.heads
        for head in range(time.heads):
            own = slice(head * size, (head + 1) * size)
            scores = torch.stack([keys[0, own], keys[1, own], time.none[own]]) @ query[0, own] / math.sqrt(size)
            asked[own] = torch.softmax(scores, 0)[:2] @ values[:, own]
        expected = now[0, :, 0, 0] + time.out.weight[:, :, 0, 0] @ asked
        found = time(now, before, torch.ones(2, 1, 1, 1, dtype=torch.bool))[0, :, 0, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_weights_that_learned_from_one_earlier_look_take_three(networks):
    network = networks["gated"]
    contract = intermediate_contract("gated", architecture=TINY, looks=3)
    longer = IntermediateFusion(contract).eval()
    longer.load_state_dict(network.state_dict())
    inputs = random_input(32, 32, looks=3)
    far = {name for name in inputs.modalities if name[-1] in "23"}
    near, presence = (
        {name: array for name, array in arrays.items() if name.removesuffix("_before") not in far}
        for arrays in (inputs.modalities, inputs.presence)
    )
    fewer = ModelInput(near, presence, inputs.parts, inputs.prior, inputs.channels)
    hidden = inputs.without(dict.fromkeys(far, True))
    np.testing.assert_allclose(run(longer, hidden)[0], run(network, fewer)[0], atol=1e-5)
    assert np.abs(run(longer, inputs)[0] - run(network, fewer)[0]).max() > 1e-3


# --- the joins


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(3)
    planes = torch.randn(2, 3 * 4, 8, 8, generator=generator)
    seen = torch.rand(2, 3, 8, 8, generator=generator) < 0.6
    seen[0, :, :4, :4] = False
    return planes * seen.repeat_interleave(4, dim=1), seen


def test_attention_is_the_softmax_written_out(features):
    """Pixel by pixel: what is asked, of which keys in the window, with what weights."""
    planes, seen = features
    torch.manual_seed(0)
    join = shaken(AttentionJoin(3, 4, window=4))
    with torch.no_grad():
        join.position.normal_()
        query = join.query(torch.cat([planes, seen.float()], dim=1))
        key, value = (layer(planes).unflatten(1, (3, 4)) for layer in (join.key, join.value))
        attended, shares = torch.zeros(2, 4, 8, 8), torch.zeros(2, 3, 8, 8)
        for b, row, column in itertools.product(range(2), range(8), range(8)):
            top, left = row // 4 * 4, column // 4 * 4
            for head in range(2):
                own = slice(2 * head, 2 * head + 2)
                scores = {}
                for sensor, y, x in itertools.product(range(3), range(4), range(4)):
                    if seen[b, sensor, top + y, left + x]:
                        near = join.position[head, 4 * (row - top) + column - left, 0, 4 * y + x]
                        dot = query[b, own, row, column] @ key[b, sensor, own, top + y, left + x]
                        scores[sensor, top + y, left + x] = float(dot / math.sqrt(2) + near)
                total = sum(math.exp(score) for score in scores.values())
                for (sensor, y, x), score in scores.items():
                    weight = math.exp(score) / total
                    attended[b, own, row, column] += weight * value[b, sensor, own, y, x]
                    shares[b, sensor, row, column] += weight / 2
        joined, found = join(planes, seen)
        np.testing.assert_allclose(found, shares, atol=1e-5)
        np.testing.assert_allclose(joined, join.finish(attended), atol=1e-5)


def test_memory_of_attention_grows_with_the_pixels_not_with_their_square():
    join = AttentionJoin(3, 4, window=4).eval()
    sizes = []
    join.shares.register_forward_hook(lambda layer, given, made: sizes.append(made.numel()))
    for size in (16, 32, 64):
        join(torch.zeros(1, 12, size, size), torch.ones(1, 3, size, size, dtype=torch.bool))
    assert sizes == [join.heads * 3 * 4**2 * size**2 for size in (16, 32, 64)]


def test_a_gate_gives_shares_of_what_is_present(features):
    planes, seen = features
    torch.manual_seed(0)
    join = shaken(GatedJoin(3, 4))
    with torch.no_grad():
        scores = (4.0 * join.gate(torch.cat([planes, seen.float()], dim=1))).exp() * seen
        expected = scores / scores.sum(dim=1, keepdim=True).clamp(min=1e-9)
        values = join.value(planes).unflatten(1, (3, 4))
        joined, shares = join(planes, seen)
        np.testing.assert_allclose(shares, expected, atol=1e-6)
        np.testing.assert_allclose(joined, join.finish((values * expected[:, :, None]).sum(1)), atol=1e-5)


def test_tensor_fusion_is_the_full_core_contracted(features):
    """With the constant 1 beside every sensor's features, the sum of products is one core tensor of 5 x 5 x 5 x 4."""
    planes, seen = features
    torch.manual_seed(0)
    join = shaken(TensorJoin(3, 4))
    with torch.no_grad():
        weight = join.factors.weight[:, :, 0, 0].reshape(3, RANK, 4, 4)
        matrices = torch.cat([weight, join.factors.bias.reshape(3, RANK, 4, 1)], dim=-1)
        core = torch.einsum("roi,roj,rok->oijk", *matrices)
        reduced = join.reduce(planes).unflatten(1, (3, 4)) * seen[:, :, None]
        a, b, c = torch.cat([reduced, torch.ones_like(reduced[:, :, :1])], dim=2).unbind(dim=1)
        expected = torch.einsum("oijk,biyx,bjyx,bkyx->boyx", core, a, b, c)
        joined, shares = join(planes, seen)
        np.testing.assert_allclose(joined, join.finish(expected), rtol=1e-4, atol=1e-5)
    assert shares is None


@pytest.mark.parametrize("join", [ConcatJoin(3, 4), GatedJoin(3, 4), AttentionJoin(3, 4, 4), TensorJoin(3, 4)])
def test_every_join_hears_a_single_sensor(join, features):
    planes, _ = features
    alone = torch.zeros(2, 3, 8, 8, dtype=torch.bool)
    alone[:, 1] = True
    one = planes * alone.repeat_interleave(4, dim=1)
    with torch.inference_mode():
        joined, shares = shaken(join)(one, alone)
        other, _ = join(2.0 * one, alone)
    assert bool((joined != other).any())
    if shares is not None:
        np.testing.assert_allclose(shares, alone.float(), atol=1e-6)


# --- how far they look


def test_tiles_equal_the_whole_image(network, tmp_path):
    checkpoint.save(tmp_path / "net", network, network.contract)
    inputs, halo = random_input(72, 56), network.contract.halo
    frame = inputs.window(-halo, -halo, 72 + 2 * halo, 56 + 2 * halo)
    found = predict(tmp_path / "net", inputs, "cpu")
    for tiled, whole in zip((found.log_odds, found.trust), run(network, frame), strict=True):
        np.testing.assert_allclose(tiled, whole[:, halo : halo + 72, halo : halo + 56], atol=1e-5)


def test_nothing_beyond_the_halo_changes_an_output_and_something_near_it_does(network):
    size = 2 * network.contract.halo + 64
    size -= size % network.contract.stride
    inputs = random_input(size, size)
    centre, halo = size // 2, network.contract.halo
    changed = {name: values.copy() for name, values in inputs.modalities.items()}
    presence = {name: mask.copy() for name, mask in inputs.presence.items()}
    for name in changed:
        changed[name][:, centre, centre] += 40.0
        presence[name][centre, centre] ^= True
    other = ModelInput(changed, presence, inputs.parts, inputs.prior, inputs.channels)
    moved = np.abs(run(network, other)[0] - run(network, inputs)[0]).max(axis=0) > 0
    reach = np.abs(np.argwhere(moved) - centre).max()
    assert 0.4 * halo < reach <= halo


class _LookAround(nn.Module):
    """Values stay where they are; their shares look two pixels away."""

    def __init__(self) -> None:
        super().__init__()
        self.scores, self.softmax = nn.Conv2d(2, 2, 5, padding=2), nn.Softmax(dim=1)

    def forward(self, image):
        return image * self.softmax(self.scores(image))


class _Windowed(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.join = AttentionJoin(1, 2, size)

    def forward(self, image):
        return self.join(image, torch.ones_like(image[:, :1], dtype=torch.bool))[0]


class _OverChannels(nn.LayerNorm):
    def forward(self, image):
        return super().forward(image.movedim(1, -1)).movedim(-1, 1)


@pytest.mark.parametrize(
    ("body", "stride", "least", "most"),
    [
        (_LookAround(), 2, 2, 2),
        (nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), _OverChannels(2), nn.Conv2d(2, 2, 3, padding=1)), 1, 2, 2),
        (_Windowed(4), 4, 3, 3),
        (_Windowed(16), 16, 15, 16),
        (nn.Sequential(nn.Conv2d(2, 2, (1, 7), padding=(0, 3))), 1, 3, 3),
    ],
    ids=["shares", "layer norm", "window 4", "window 16, every other phase", "columns alone"],
)
def test_receptive_radius_of_what_hides_its_gradient(body, stride, least, most):
    assert least <= receptive_radius(body, 2, stride) <= most


@pytest.mark.parametrize("layer", [nn.GroupNorm(1, 2), nn.InstanceNorm2d(2), nn.LayerNorm([2, 32, 32])])
def test_a_norm_over_the_image_is_refused_by_name(layer):
    with pytest.raises(ValueError, match=rf"\({type(layer).__name__}\) normalises over the whole image"):
        receptive_radius(nn.Sequential(layer), 2, 2)
