"""What several tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from benchmarks.large_run import make_run

# The same examples each time: a suite that fails by the draw of a seed teaches to run it again.
settings.register_profile("suite", derandomize=True)
settings.load_profile("suite")
Cases = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with known answers and real data; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared"
    if not (folder / "physics_vectors.json").is_file():
        pytest.skip(f"no known answers: {folder} is not on this machine")
    return folder


@pytest.fixture(scope="session")
def cases(shared: Path) -> Cases:
    """Known answers by kind: `cases("bare_soil")` lists records of inputs, outputs and tolerance."""
    vectors = json.loads((shared / "physics_vectors.json").read_text())["cases"]
    return lambda kind: [case for case in vectors if case["kind"] == kind]


@pytest.fixture(scope="session")
def small_flood(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of a simulated flood of 96 x 96 pixels; copy it before you change it."""
    from workflows.simulate import simulate

    folder = tmp_path_factory.mktemp("small_flood") / "catalog"
    simulate(folder, 96, 3)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of 160² pixels in four units, made up, with all layers and six maps; truth.tif beside it."""
    folder = tmp_path_factory.mktemp("finished")
    make_run(folder, 160, unit=96, seed=5, coarse=8)
    return folder
