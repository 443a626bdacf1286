"""A network as a STAC item of the machine learning model extension (mlm), from its contract: nothing is loaded."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import file_digest
from math import prod
from pathlib import Path
from typing import Any

import pystac

from catalogs.publish import EXTENSIONS
from models.contract import CONTRACT, Channel, Contract, read_contract

COLLECTION = "overbank-networks"
WEIGHTS, CARD = "weights.safetensors", "card.md"
EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
FIRST_SCENES = datetime(2014, 8, 1, tzinfo=UTC)
"""ALOS-2 and Sentinel-1A fly since 2014: from then on there are scenes that a network can be given."""
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""What a normalising layer keeps beside its parameters."""
PIXELS = ["batch", "bands", "height", "width"]


def network_item(folder: Path, identifier: str) -> pystac.Item:
    """The item of a checkpoint; asset hrefs are absolute paths. FileNotFoundError where the folder holds none."""
    contract = read_contract(folder)
    item = pystac.Item(
        id=identifier,
        geometry={"type": "Polygon", "coordinates": [_ring()]},
        bbox=list(EVERYWHERE),
        datetime=None,
        start_datetime=FIRST_SCENES,
        end_datetime=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
        properties=_properties(contract, folder),
        collection=COLLECTION,
        stac_extensions=[EXTENSIONS[name] for name in ("mlm", "file", "raster")],
    )
    for key, asset in _assets(contract, folder).items():
        item.add_asset(key, asset)
    return item


def parameters_of(weights: Path) -> int:
    """Parameters in a safetensors file, by its header; the statistics of normalising layers are none."""
    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length))
    shapes = {name: one["shape"] for name, one in header.items() if name != "__metadata__"}
    return sum(prod(shape) for name, shape in shapes.items() if not name.endswith(STATISTICS))


def _properties(contract: Contract, folder: Path) -> dict[str, Any]:
    design, training = contract.architecture, contract.training
    parts = f"encoder {design.encoder}, depth {design.depth}, decoder {'/'.join(map(str, design.decoder_channels))}"
    joined = f", joined by {design.join}" if design.join else ""
    return {
        "title": f"{contract.name}, version {contract.version}",
        "description": f"{contract.strategy} fusion by a U-Net ({parts}{joined}) that corrects the physics. "
        f"Training data: {training.data}. {contract.limits}".strip(),
        "license": "Apache-2.0",
        "mlm:name": f"overbank {contract.name}",
        "mlm:architecture": "U-Net",
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": "PyTorch",
        "mlm:total_parameters": parameters_of(folder / WEIGHTS),
        "mlm:pretrained": design.pretrained is not None,
        "mlm:pretrained_source": design.pretrained,
        "mlm:accelerator": None,
        "mlm:accelerator_constrained": False,
        "mlm:hyperparameters": _hyperparameters(contract),
        "mlm:input": [
            *(_modality(name, channels) for name, channels in contract.modalities.items()),
            _presence(contract),
            _physics(contract),
        ],
        "mlm:output": _outputs(contract),
        "overbank:scores": contract.scores,
    }


def _hyperparameters(contract: Contract) -> dict[str, Any]:
    training = contract.training
    return {
        "epochs": training.epochs,
        "seeds": list(training.seeds),
        "commands": list(training.commands),
        "form": contract.form,
        "bound_nat": contract.bound,
        "temperature": contract.temperature,
        "halo_pixels": contract.halo,
        "stride_pixels": contract.stride,
        "window_pixels": contract.window,
    }


def _modality(name: str, channels: tuple[Channel, ...]) -> dict[str, Any]:
    """One input tensor: its bands, clipped and then scaled by mean and deviation."""
    low, high = ([channel.clip[end] for channel in channels] for end in (0, 1))
    clipped = f"numpy.clip(x, numpy.reshape({low}, (1, -1, 1, 1)), numpy.reshape({high}, (1, -1, 1, 1)))"
    return {
        "name": name,
        "description": "Physical units ("
        + ", ".join(dict.fromkeys(channel.unit for channel in channels))
        + "); NaN where absent: 0 after scaling",
        "bands": [_band(name, channel) for channel in channels],
        "input": {"shape": [-1, len(channels), -1, -1], "dim_order": PIXELS, "data_type": "float32"},
        "pre_processing_function": {"format": "numpy", "expression": clipped},
        "value_scaling": [{"type": "z-score", "mean": one.mean, "stddev": one.std} for one in channels],
    }


def _presence(contract: Contract) -> dict[str, Any]:
    names = list(contract.presence)
    return {
        "name": "presence",
        "description": "1 where the band group was observed, else 0",
        "bands": [f"{name}/presence" for name in names],
        "input": {"shape": [-1, len(names), -1, -1], "dim_order": PIXELS, "data_type": "uint8"},
    }


def _physics(contract: Contract) -> dict[str, Any]:
    states = list(contract.states)
    return {
        "name": "physics",
        "description": "Log-odds of each state against dry by the physics, nats: what the network corrects",
        "bands": [f"physics/{state}" for state in states],
        "input": {"shape": [-1, len(states), -1, -1], "dim_order": PIXELS, "data_type": "float32"},
    }


def _outputs(contract: Contract) -> list[dict[str, Any]]:
    shape = {"shape": [-1, len(contract.states), -1, -1], "dim_order": ["batch", "class", "height", "width"]}
    names = ("dry", *contract.states)
    log_odds = {
        "name": "log_odds",
        "description": "Log-odds of each state against dry, nats; softmax over 0 (dry) and these gives probability",
        "tasks": ["semantic-segmentation"],
        "result": shape | {"data_type": "float32"},
        "classification:classes": [
            {"value": code, "name": name, "description": name.replace("_", " ")} for code, name in enumerate(names)
        ],
    }
    spreads = [
        {
            "name": name,
            "description": f"{name.capitalize()} variance of the log-odds, nats squared",
            "tasks": ["regression"],
            "result": shape | {"data_type": "float32"},
            "classification:classes": [],
        }
        for name in ("aleatoric", "epistemic")
    ]
    return [log_odds, *spreads]


def _band(modality: str, channel: Channel) -> str:
    return f"{modality}/{channel.name}"


def _assets(contract: Contract, folder: Path) -> Mapping[str, pystac.Asset]:
    channels = [(name, channel) for name, given in contract.modalities.items() for channel in given]
    bands = [{"name": _band(name, channel), "unit": channel.unit} for name, channel in channels]
    bands += [{"name": f"{name}/presence"} for name in contract.presence]
    bands += [{"name": f"physics/{state}", "unit": "nat"} for state in contract.states]
    model = {"mlm:artifact_type": "safetensors.torch.save_file", "raster:bands": bands}
    return {
        "weights": _asset(folder / WEIGHTS, "application/octet-stream", ["mlm:model", "mlm:weights"], model),
        "contract": _asset(folder / CONTRACT, pystac.MediaType.JSON, ["metadata"]),
        "card": _asset(folder / CARD, "text/markdown", ["metadata"]),
    }


def _asset(path: Path, media_type: str, roles: list[str], more: Mapping[str, Any] | None = None) -> pystac.Asset:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    fields = {"file:size": path.stat().st_size, "file:checksum": f"1220{digest}", **(more or {})}
    return pystac.Asset(href=str(path.absolute()), media_type=media_type, roles=roles, extra_fields=fields)


def _ring() -> list[list[float]]:
    west, south, east, north = EVERYWHERE
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]
