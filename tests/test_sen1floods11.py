"""Sen1Floods11: dB and counts to the evidence of the flow, and to chips that a network learns from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from models.contract import read_contract, shipped
from models.data.sources import FolderSource
from models.judging.baselines import physics_alone
from models.judging.calibrate import flood_probability
from models.judging.evaluate import evaluate
from models.tensors import to_tensors
from pipeline.errors import DatasetError
from pipeline.sen1floods11 import Sen1Floods11Source, write_sen1floods11_chips

SIDE = 128


def write_raster(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    count, rows, columns = values.shape
    place = from_origin(-0.78, 38.1, 9e-5, 9e-5)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=columns,
        count=count,
        dtype=values.dtype,
        crs=4326,
        transform=place,
    ) as target:
        target.write(values)


def write_event(root: Path, name: str, seed: int) -> None:
    """A chip of the official layout: water in the right half, unseen rows at the top, unknown labels at the bottom."""
    generator = np.random.default_rng(seed)
    water = np.zeros((SIDE, SIDE), dtype=bool)
    water[:, SIDE // 2 :] = True
    speckle = 10 * np.log10(generator.gamma(4.4, 1 / 4.4, (2, SIDE, SIDE)))
    radar = np.stack([np.where(water, -22.0, -9.0), np.where(water, -28.0, -15.0)]) + speckle
    radar[:, :4] = 0.0
    optics = np.full((13, SIDE, SIDE), 800.0)
    for band, (wet, land) in {2: (1000, 1000), 3: (900, 900), 4: (700, 900), 8: (300, 2800), 12: (150, 2000)}.items():
        optics[band - 1] = np.where(water, wet, land)
    optics[10] = 10
    optics[:, :4] = 0
    label = np.where(water, 1, 0)
    label[-8:] = -1
    write_raster(root / "S1Hand" / f"{name}_S1Hand.tif", radar.astype(np.float32))
    write_raster(root / "S2Hand" / f"{name}_S2Hand.tif", optics.astype(np.int16))
    write_raster(root / "LabelHand" / f"{name}_LabelHand.tif", label[None].astype(np.int16))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sen1floods11")
    write_event(folder, "Ghana_1", 1)
    write_event(folder, "Spain_2", 2)
    (folder / "flood_test_data.csv").write_text("Ghana_1_S1Hand.tif,Ghana_1_LabelHand.tif\n")
    rows = [{"properties": {"location": "Spain", "s1_date": "2019/09/17", "s2_date": "2019/09/18"}}]
    (folder / "Sen1Floods11_Metadata.geojson").write_text(json.dumps({"features": rows}))
    return folder


def test_chips_speak_in_nats(root: Path) -> None:
    source = Sen1Floods11Source(root)
    assert (source.names, source.groups) == (["Ghana_1", "Spain_2"], ["Ghana", "Spain"])
    inputs, truth = source.read(1)
    assert set(inputs.parts) == {"c_band", "optical"}
    water = np.zeros((SIDE, SIDE), dtype=bool)
    water[:, SIDE // 2 :] = True
    inner = np.zeros_like(water)
    inner[12:-12] = np.abs(np.arange(SIDE) - SIDE / 2) > 8
    for sensor in inputs.parts:
        alone = flood_probability(inputs.only([sensor]).physics) > 0.5
        assert (alone == water)[inner].mean() > 0.98, sensor
    assert not inputs.presence["c_band"][:4].any(), "exact 0 dB is fill"
    assert not inputs.presence["optical"][:4].any()
    assert np.all(truth[-8:] == 255)
    assert np.array_equal(truth[:-8] == 1, water[:-8])


def test_shipped_networks_take_the_chips(root: Path) -> None:
    inputs, _ = Sen1Floods11Source(root).read(0)
    tensors = to_tensors(inputs, read_contract(shipped("early")))
    assert tensors.physics.shape == (2, SIDE, SIDE)
    assert tensors.presence["c_band"].float().mean() > 0.9
    assert not tensors.presence["l_band"].any()


def test_dates_age_the_look_of_the_other_sensor(root: Path) -> None:
    dated, undated = Sen1Floods11Source(root), Sen1Floods11Source(root)
    undated.dates = {}
    old, fresh = (source.read(1)[0].parts for source in (dated, undated))
    water = (slice(None), slice(20, -20), slice(-40, -10))
    assert old["optical"][water][0].mean() < fresh["optical"][water][0].mean(), "a day later or earlier says less"
    assert np.allclose(old["c_band"][water], fresh["c_band"][water], atol=0.2)


def test_splits_are_those_of_the_lists(root: Path) -> None:
    assert Sen1Floods11Source(root, "test").names == ["Ghana_1"]
    with pytest.raises(DatasetError, match=r"flood_valid_data\.csv"):
        Sen1Floods11Source(root, "valid")
    with pytest.raises(DatasetError, match="holds no chip"):
        Sen1Floods11Source(root / "LabelHand")


def test_written_chips_are_what_is_read(root: Path, tmp_path: Path) -> None:
    assert write_sen1floods11_chips(root, tmp_path, side=64) == 8
    written = FolderSource(tmp_path)
    assert set(written.groups) == {"Ghana", "Spain"}
    inputs, truth = written.read(written.names.index("Ghana_1_64_0"))
    whole, known = Sen1Floods11Source(root).read(0)
    assert np.array_equal(truth, known[64:, :64])
    assert np.allclose(inputs.physics, whole.window(64, 0, 64, 64).physics, atol=0.05)
    found = evaluate(written, {"physics": physics_alone})["physics"]
    assert found.flood_iou > 0.9


def test_a_chip_without_a_label_is_scored_by_nobody(tmp_path: Path) -> None:
    write_event(tmp_path, "Ghana_1", 1)
    (tmp_path / "LabelHand" / "Ghana_1_LabelHand.tif").unlink()
    assert np.all(Sen1Floods11Source(tmp_path).read(0)[1] == 255)
    with pytest.raises(DatasetError, match="no chip of 1 has a label"):
        write_sen1floods11_chips(tmp_path, tmp_path / "chips")


def test_the_real_flood_in_spain(shared: Path) -> None:
    source = Sen1Floods11Source(shared / "data" / "sen1floods11")
    assert source.names == ["Spain_7370579"]
    assert source.dates["Spain"][0].day == 17
    inputs, truth = source.read(0)
    assert np.all(truth == 255), "its label is held back"
    radar, optics = (flood_probability(inputs.only([name]).physics) > 0.5 for name in ("c_band", "optical"))
    both = inputs.presence["c_band"] & inputs.presence["optical"]
    assert (radar == optics)[both].mean() > 0.85
    assert 0.05 < (flood_probability(inputs.physics) > 0.5).mean() < 0.4
