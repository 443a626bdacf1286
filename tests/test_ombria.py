"""OMBRIA: from 8-bit images to what a network takes, and which chips are neighbours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.io import imsave

from models.checkpoint import save
from models.contract import Architecture
from models.data.chip_groups import groups_by_edge
from models.data.index_evidence import MOST_NATS, index_evidence
from models.data.ombria import OMBRIA_CHANNELS, OmbriaSource, ombria_contract, ombria_input
from models.data.sources import folds
from models.networks import build
from models.predict import predict
from models.tensors import stack, to_tensors

SIDE = 32
SMALL = Architecture(depth=1, decoder_channels=(8,))


def write_images(root: Path, number: int, images: dict[str, np.ndarray], split: str = "train") -> None:
    """Files by "S1/AFTER", "S2/MASK" and so on, as the data set lays them out."""
    for key, pixels in images.items():
        sensor, folder = key.split("/")
        path = root / f"Ombria{sensor}" / split / folder / f"{sensor}_{folder.lower()}_{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        imsave(path, pixels, check_contrast=False)


def scene(seed: int, rows: int = SIDE, columns: int = SIDE) -> dict[str, np.ndarray]:
    """Smooth ground, water in the lower half of the "after" images; nowhere black."""
    generator = np.random.default_rng(seed)
    ground = generator.normal(0, 1, (rows, columns)).cumsum(axis=0).cumsum(axis=1)
    level = 60 + 60 * (ground - ground.min()) / np.ptp(ground)
    flood = np.arange(rows)[:, None] >= rows // 2
    land = np.stack([level, level + 20, level / 2], axis=-1)
    wet = np.where(flood[..., None], np.array([10.0, 20.0, 60.0]) + level[..., None] / 20, land)
    radar = np.where(flood, 40.0, 160.0) + level / 10
    pixels = {"S1/BEFORE": 160 + level / 10, "S1/AFTER": radar, "S2/BEFORE": land, "S2/AFTER": wet}
    mask = np.where(flood, 255, 0) * np.ones((1, columns), dtype=int)
    return {name: values.astype(np.uint8) for name, values in {**pixels, "S1/MASK": mask, "S2/MASK": mask}.items()}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ombria")
    for number in (7, 8, 400):
        write_images(folder, number, scene(number))
    return folder


def test_chips_are_read_as_they_are_laid_out(root: Path) -> None:
    source = OmbriaSource(root)
    assert source.names == ["0007", "0008", "0400"]
    inputs, truth = source.read(2)
    images = scene(400)
    assert np.allclose(inputs.modalities["s1"][0] * 255, images["S1/AFTER"])
    assert np.allclose(inputs.modalities["s1@1"][0] * 255, images["S1/BEFORE"])
    assert np.allclose(np.moveaxis(inputs.modalities["s2"][:3], 0, -1) * 255, images["S2/AFTER"])
    shortwave, infrared, green = np.moveaxis(images["S2/AFTER"].astype(float), -1, 0)
    assert np.allclose(inputs.modalities["s2"][3], (green - infrared) / (green + infrared), atol=1e-6)
    assert np.allclose(inputs.modalities["s2"][4], (green - shortwave) / (green + shortwave), atol=1e-6)
    assert np.array_equal(truth, images["S2/MASK"] // 255)
    assert all(mask.all() for mask in inputs.presence.values())


def test_physics_is_index_evidence_of_optics_alone(root: Path) -> None:
    inputs, truth = OmbriaSource(root).read(0)
    assert set(inputs.parts) == {"s2"}
    wet = inputs.physics[0] > 0
    assert np.array_equal(wet, truth == 1), "the scene's water is plain"
    without = inputs.without({"s2": True})
    assert np.all(without.physics == inputs.prior[0]), "radar is stretched chip by chip: it adds no nats"


@pytest.mark.parametrize("sensor", ["S1", "S2"])
def test_a_missing_sensor_is_absent(tmp_path: Path, sensor: str) -> None:
    write_images(tmp_path, 3, {key: image for key, image in scene(3).items() if key.startswith(sensor)}, "later")
    inputs, truth = OmbriaSource(tmp_path, "later").read(0)
    name = sensor.lower()
    assert set(inputs.modalities) == {name, f"{name}@1"}
    assert truth.sum() == SIDE * SIDE // 2, "the mask lies beside either sensor"


def test_a_chip_without_before_or_mask_is_read(tmp_path: Path) -> None:
    write_images(tmp_path, 3, {"S2/AFTER": scene(3)["S2/AFTER"]})
    inputs, truth = OmbriaSource(tmp_path).read(0)
    assert set(inputs.modalities) == {"s2"}
    assert np.all(truth == 255), "no mask is not a dry one"


def test_black_is_not_observed_and_a_lone_black_pixel_is() -> None:
    images = scene(1)
    radar = images["S1/AFTER"][None].copy()
    radar[0, 5, 5] = 0
    optics = np.moveaxis(images["S2/AFTER"], -1, 0).copy()
    optics[:, 10:20, 3:9] = 0
    inputs = ombria_input({"s1": radar, "s2": optics, "s1@1": np.zeros_like(radar)})
    assert inputs.presence["s1"].all(), "the stretch makes the darkest pixel 0"
    hidden = np.zeros((SIDE, SIDE), dtype=bool)
    hidden[10:20, 3:9] = True
    assert np.array_equal(inputs.presence["s2"], ~hidden)
    assert np.isnan(inputs.modalities["s2"][:, hidden]).all()
    assert not inputs.presence["s1@1"].any()
    assert np.all(inputs.physics[0][hidden] == inputs.prior[0])


def test_wrong_folders_and_depths_are_refused_by_name(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"Ombria.S1,S2./autumn/AFTER"):
        OmbriaSource(root, "autumn")
    write_images(tmp_path, 1, {"S1/AFTER": np.full((SIDE, SIDE), 3000, dtype=np.uint16)})
    with pytest.raises(ValueError, match="uint16, but 8-bit"):
        OmbriaSource(tmp_path).read(0)


indices = st.floats(-1.0, 1.0, width=32)


@given(after=indices, before=indices, step=st.floats(0.0, 0.5, width=32))
def test_index_evidence_rises_with_water_now_and_falls_with_water_before(
    after: float, before: float, step: float
) -> None:
    def law(now: float, past: float) -> float:
        return float(index_evidence(np.float32([[now]]), np.float32([[past]]))[0, 0])

    assert law(after + step, before) >= law(after, before)
    assert law(after, before + step) <= law(after, before)
    assert abs(law(after, before)) <= MOST_NATS


def test_index_evidence_by_hand() -> None:
    after = np.float32([[0.0, 0.15, np.nan]])
    found = index_evidence(after, np.float32([[-0.9, 0.15, 0.1]]))
    water = 1 / (1 + np.exp(-1))
    share = np.array([0.5 * (1 - 1 / (1 + np.exp(6))), water * (1 - water)])
    assert found[0, :2] == pytest.approx(np.log(share / (1 - share)), abs=1e-5)
    assert found[0, 2] == 0.0, "nothing known is nothing said"
    unknown_past = index_evidence(after, np.full((1, 3), np.nan, dtype=np.float32))
    assert np.array_equal(unknown_past, index_evidence(after)), "a look that was not there is no look"


def mosaic_edges(places: dict[int, tuple[int, int]], seed: int) -> dict[int, dict[str, np.ndarray]]:
    """Edges of chips cut from one smooth place, by number and (row, column)."""
    generator = np.random.default_rng(seed)
    ground = generator.normal(0, 8, (2, 4 * SIDE, 4 * SIDE)).cumsum(axis=1).cumsum(axis=2).astype(np.float32)
    found = {}
    for number, (row, column) in places.items():
        chip = ground[:, row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        found[number] = {"top": chip[:, 0], "bottom": chip[:, -1], "left": chip[:, :, 0], "right": chip[:, :, -1]}
    return found


def test_neighbours_share_a_group_and_places_do_not() -> None:
    rough = np.random.default_rng(5).normal(0, 50, (4, 2, SIDE)).astype(np.float32)
    stranger = dict(zip(("top", "bottom", "left", "right"), rough, strict=True))
    edges = {9: stranger, **mosaic_edges({1: (0, 0), 2: (0, 1), 4: (1, 1)}, 0)}
    assert groups_by_edge(edges) == [[1, 2, 4], [9]]
    assert groups_by_edge({3: stranger, **edges})[0] == [1, 2, 3, 4], "numbered within a place, so of that place"
    flat = {side: np.zeros((2, SIDE), dtype=np.float32) for side in stranger}
    assert groups_by_edge({1: flat, 2: flat, 3: stranger}) == [[1], [2], [3]], "black edges are alike and say nothing"


def test_listed_groups_count_and_foreign_chips_are_found_by_edges(root: Path, tmp_path: Path) -> None:
    for number in (7, 8, 400):
        write_images(tmp_path / "data", number, scene(number))
    (tmp_path / "groups.json").write_text(json.dumps({"groups": [[7], [8, 400]]}))
    assert OmbriaSource(tmp_path / "data").groups == ["group0007", "group0008", "group0008"]
    (tmp_path / "groups.json").write_text(json.dumps({"groups": [[7, 8]]}))
    assert len(OmbriaSource(tmp_path / "data").groups) == 3, "400 is not listed: all are found by their edges"


def test_groups_are_found_where_a_chip_lacks_a_sensor(tmp_path: Path) -> None:
    wide = scene(7, SIDE, 2 * SIDE)
    for number, columns in ((7, slice(None, SIDE)), (8, slice(SIDE, None))):
        write_images(tmp_path, number, {key: pixels[:, columns] for key, pixels in wide.items()})
    write_images(tmp_path, 9, {key: pixels for key, pixels in scene(9).items() if key.startswith("S1")})
    assert OmbriaSource(tmp_path).groups == ["group0007", "group0007", "group0009"]


@pytest.mark.parametrize(
    ("strategy", "sensor", "channels"), [("early", None, 18), ("expert", "s1", 6), ("expert", "s2", 12)]
)
def test_contracts_fit_the_chips(root: Path, strategy: str, sensor: str | None, channels: int) -> None:
    contract = ombria_contract(strategy, sensor=sensor, architecture=SMALL)
    assert contract.input_channels == channels
    assert contract.form == "free"
    assert contract.halo > 0
    assert contract.halo % contract.stride == 0
    inputs, _ = OmbriaSource(root).read(0)
    own = inputs.only(contract.modalities)
    network = build(contract).eval()
    told = network(*stack([to_tensors(inputs, contract)]))
    assert np.array_equal(told.log_odds[0].detach().numpy(), own.physics), "untrained it is the physics"


def test_a_contract_without_its_sensor_is_refused() -> None:
    with pytest.raises(ValueError, match="an expert has one sensor"):
        ombria_contract("expert")
    with pytest.raises(ValueError, match="OMBRIA has s1 and s2"):
        ombria_contract("expert", sensor="s3")


def test_saved_weights_predict_a_chip(root: Path, tmp_path: Path) -> None:
    contract = ombria_contract("expert", sensor="s1", architecture=SMALL)
    save(tmp_path / "s1", build(contract), contract)
    inputs, _ = OmbriaSource(root).read(0)
    found = predict(tmp_path / "s1", inputs, "cpu")
    assert found.sensors == ("s1",)
    assert np.all(found.log_odds == inputs.prior[0])


def test_real_chips_in_three_folds(shared: Path) -> None:
    source = OmbriaSource(shared / "data" / "ombria")
    assert len(source) == 547
    assert len(set(source.groups)) == 37
    held = [part for _, part in folds(source, 3, 0)]
    assert [len(part) for part in held] == [183, 182, 182]
    largest = sorted(set(source.groups), key=source.groups.count)[-3:]
    assert all(len(set(part.groups) & set(largest)) == 1 for part in held)
    inputs, truth = source.read(0)
    assert set(inputs.modalities) == set(OMBRIA_CHANNELS)
    assert set(np.unique(truth)) <= {0, 1}
