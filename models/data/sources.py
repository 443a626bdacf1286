"""Where chips come from: any data set is a source that reads one chip with its truth, and says its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.data.chips import Truth, chip_paths, read_chip
from models.inputs import ModelInput


class ChipsUnfit(ValueError):
    """Chips that cannot be split or drawn as asked."""


class ChipSource(Protocol):
    """Chips of one data set, in a fixed order."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each chip."""

    @property
    def groups(self) -> Sequence[str]:
        """Group of each chip: neighbours in space or time share one, and no split parts them."""

    def __len__(self) -> int:
        """How many chips."""

    def read(self, index: int) -> tuple[ModelInput, Truth]:
        """Return a chip and its truth: (y, x) uint8, 0 dry, 1 … the state, 255 unknown."""


class FolderSource:
    """The chips (`.npz`, see `chips.write_chip`) of a folder; the group is the name before the first "_"."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError where the folder holds no chips."""
        self.paths = chip_paths(folder)
        self.names = [path.stem for path in self.paths]
        self.groups = [name.partition("_")[0] for name in self.names]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> tuple[ModelInput, Truth]:
        """Read one file."""
        return read_chip(self.paths[index])


class Subset:
    """Some chips of a source, in the order of `indices`."""

    def __init__(self, source: ChipSource, indices: Sequence[int]) -> None:
        self.source, self.indices = source, list(indices)
        self.names = [source.names[index] for index in self.indices]
        self.groups = [source.groups[index] for index in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> tuple[ModelInput, Truth]:
        """Read one chip of the source."""
        return self.source.read(self.indices[index])


KEPT_BYTES = 4e9
"""Of chips that are kept in memory: a few thousand of them [M]."""


class KeptSource:
    """A source whose chips are read once and kept, as far as they fit; those beyond are read each time."""

    def __init__(self, source: ChipSource, limit: float = KEPT_BYTES) -> None:
        """Args: `limit` in bytes."""
        self.source, self.left = source, limit
        self.names, self.groups = source.names, source.groups
        self.kept: dict[int, tuple[ModelInput, Truth]] = {}

    def __len__(self) -> int:
        return len(self.source)

    def read(self, index: int) -> tuple[ModelInput, Truth]:
        """Return a chip; its arrays are shared by all who ask, and not to be written into."""
        if index in self.kept:
            return self.kept[index]
        inputs, truth = self.source.read(index)
        size = truth.nbytes + sum(array.nbytes for part in _arrays(inputs) for array in part.values())
        if size <= self.left:
            self.left -= size
            self.kept[index] = inputs, truth
        return inputs, truth


def _arrays(inputs: ModelInput) -> tuple[Mapping[str, NDArray[Any]], ...]:
    return inputs.modalities, inputs.presence, inputs.parts


def split_by_group(source: ChipSource, share: float, seed: int) -> tuple[Subset, Subset]:
    """Split into training and validation so that no group is in both.

    Groups are drawn by the seed; one is taken for validation where it brings the number of chips there nearer
    to `share` of all. A group that is wider than that stays in training.

    Raises:
        ChipsUnfit: there is only one group.
    """
    members = _members(source)
    if len(members) < 2:
        raise ChipsUnfit(
            f"All {len(source)} chips are of one group ({', '.join(members)}), so none can be held out; "
            "give validation chips of another place."
        )
    order = np.random.default_rng(seed).permutation(sorted(members)).tolist()
    target, held = share * len(source), set[int]()
    for group in order:
        more = len(held) + len(members[group])
        if more < len(source) and abs(more - target) < abs(len(held) - target):
            held.update(members[group])
    if not held:
        held.update(members[min(order, key=lambda group: len(members[group]))])
    return _halves(source, held)


def folds(source: ChipSource, count: int, seed: int) -> list[tuple[Subset, Subset]]:
    """Return `count` pairs of training and held-out chips: every chip is held out once, groups stay whole.

    The largest groups are dealt first, each to the fold with the fewest chips, so folds are about equal
    and the largest groups lie in different ones; the seed decides among groups of one size.

    Raises:
        ChipsUnfit: fewer groups than folds.
    """
    members = _members(source)
    if count < 2 or len(members) < count:
        raise ChipsUnfit(
            f"{count} folds were asked for, and there are {len(members)} groups ({', '.join(sorted(members)[:5])} …): "
            "ask for 2 folds or more, and no more than there are groups."
        )
    order = np.random.default_rng(seed).permutation(sorted(members)).tolist()
    held: list[set[int]] = [set() for _ in range(count)]
    for group in sorted(order, key=lambda name: -len(members[name])):
        min(held, key=len).update(members[group])
    return [_halves(source, fold) for fold in held]


def _members(source: ChipSource) -> dict[str, list[int]]:
    """By group, the indices of its chips."""
    members: dict[str, list[int]] = {}
    for index, group in enumerate(source.groups):
        members.setdefault(group, []).append(index)
    return members


def _halves(source: ChipSource, held: set[int]) -> tuple[Subset, Subset]:
    rest = [index for index in range(len(source)) if index not in held]
    return Subset(source, rest), Subset(source, sorted(held))
