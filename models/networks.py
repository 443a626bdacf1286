"""The class of network that each strategy of a contract stands for."""

from __future__ import annotations

from models.contract import Contract
from models.early import EarlyFusion
from models.intermediate import IntermediateFusion
from models.network import Network

STRATEGIES: dict[str, type[Network]] = {
    "early": EarlyFusion,
    "expert": EarlyFusion,
    "intermediate": IntermediateFusion,
}


def build(contract: Contract) -> Network:
    """Return the untrained network of a contract.

    Raises:
        ValueError: no network is known for the strategy.
    """
    if contract.strategy not in STRATEGIES:
        raise ValueError(f"Unknown strategy {contract.strategy!r}; known: {', '.join(STRATEGIES)}.")
    return STRATEGIES[contract.strategy](contract)
