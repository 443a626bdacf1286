"""The model card: the contract as a page for people."""

from __future__ import annotations

from torch import nn

from models.contract import Channel, Contract


def card_of(contract: Contract, network: nn.Module) -> str:
    """Return the card as Markdown."""
    size = sum(parameter.numel() for parameter in network.parameters())
    sections = {
        f"# {contract.name}, version {contract.version}": _summary(contract, size),
        "## Inputs": _inputs(contract),
        "## Training": _training(contract),
        "## Scores": _scores(contract),
        "## Limits": contract.limits or "None were written down.",
    }
    return "\n\n".join(f"{title}\n\n{text}" for title, text in sections.items()) + "\n"


def _summary(contract: Contract, size: int) -> str:
    architecture = contract.architecture
    decoder = "/".join(map(str, architecture.decoder_channels))
    options = (f"{name} {value}" for name, value in architecture.encoder_options.items())
    encoder = ", ".join([architecture.encoder, *options])
    exact = "equal" if contract.tiling_exact else "do not equal"
    moved = f"moved by at most {contract.bound:.4g} nats" if contract.form == "bounded" else "with no bound"
    return (
        f"{_strategy(contract)} by a U-Net ({encoder}, "
        f"depth {architecture.depth}, decoder {decoder}, {size} parameters) that corrects the "
        f"physics: log-odds of {' and '.join(contract.states)} against dry, {moved}.\n\n"
        f"Tiles with a halo of {contract.halo} pixels {exact} whole-image inference. "
        f"Weights: sha256 {contract.sha256}."
    )


_JOINS = {
    "concat": "stacked features",
    "gated": "a gated sum of features, the gate's shares being the trust",
    "attention": "cross-attention within windows of {window} x {window} features, its shares being the trust",
    "tensor": "low-rank products of features (Tucker)",
}


def _strategy(contract: Contract) -> str:
    join = contract.architecture.join
    if join is None:
        return f"{contract.strategy.capitalize()} fusion"
    how = _JOINS[join].format(window=contract.architecture.window)
    looks = len(contract.modalities) - len(contract.sensors) - len(contract.context)
    past = f", after attention over time to {looks} earlier looks" if looks else ""
    return f"Intermediate fusion (an encoder a sensor, joined at every scale by {how}{past})"


def _inputs(contract: Contract) -> str:
    rows = [_row(name, channel) for name, channels in contract.modalities.items() for channel in channels]
    head = "| modality | channel | unit | clip | mean | std | present where |\n|---|---|---|---|---|---|---|"
    return "\n".join([head, *rows]) + "\n\nPresence channels: " + ", ".join(contract.presence) + "."


def _row(modality: str, channel: Channel) -> str:
    low, high = channel.clip
    cells = (modality, channel.name, channel.unit, f"{low:g} to {high:g}", f"{channel.mean:g}")
    return "| " + " | ".join((*cells, f"{channel.std:g}", channel.presence)) + " |"


def _training(contract: Contract) -> str:
    training = contract.training
    seeds = ", ".join(map(str, training.seeds)) or "none"
    commands = "\n".join(f"    {command}" for command in training.commands)
    return f"Data: {training.data}. Seeds: {seeds}. Epochs: {training.epochs}.\n\n{commands}".rstrip()


def _scores(contract: Contract) -> str:
    if not contract.scores:
        return "Not scored."
    methods = sorted({method for row in contract.scores.values() for method in row})
    lines = ["Flood IoU on the validation chips.", "", f"| sensors | {' | '.join(methods)} |"]
    rows = [
        f"| {name} | " + " | ".join(f"{row[method]:.3f}" if method in row else "" for method in methods) + " |"
        for name, row in contract.scores.items()
    ]
    return "\n".join([*lines, "|---|" + "---|" * len(methods), *rows])
