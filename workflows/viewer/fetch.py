"""Fetch what the viewer runs in the browser: npm tarballs of exact versions, held against their sha512.

`python -m workflows.viewer.fetch`; no node is needed. `make setup` does it. What is there already is not fetched again.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import requests

from pipeline.errors import MissingPartError, PipelineError

LOCK = Path(__file__).with_name("lock.json")
VENDOR = Path(__file__).with_name("vendor")
"""Not in the repository: no source of others is committed. A wheel that is built after a fetch holds it."""
STAMP = "lock.json"
"""The lock file that a vendor folder was filled by, written last."""
COMMAND = f"{sys.executable} -m workflows.viewer.fetch"
VARIABLE = "npm_config_registry"
REGISTRY = "https://registry.npmjs.org"
SECONDS = 60.0


class FetchError(PipelineError):
    """A package that the registry did not give, or not as it is pinned."""


def fetch(folder: Path = VENDOR, registry: str | None = None) -> Path:
    """Fill `folder` with the pinned files, all of them or none; the folder.

    `registry`: address of an npm registry; by default npm's own variable npm_config_registry, else registry.npmjs.org.
    FetchError names the package that could not be had, or whose bytes are not the pinned ones.
    """
    if is_fetched(folder):
        return folder
    base = (registry or _registry()).rstrip("/")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
    try:
        for package in _packages():
            _unpack(_tarball(package, base), package, draft)
        shutil.copyfile(LOCK, draft / STAMP)
        draft.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _registry() -> str:
    """As npm does, whatever the case of its variable."""
    return next((value for name, value in os.environ.items() if name.lower() == VARIABLE and value), REGISTRY)


def is_fetched(folder: Path = VENDOR) -> bool:
    """Whether the folder holds the files of this very lock file."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_bytes() == LOCK.read_bytes()


def require_fetched(folder: Path = VENDOR) -> Path:
    """The folder; MissingPartError with the command to run where it is not filled."""
    if not is_fetched(folder):
        told = "are of other versions" if folder.is_dir() else "are not there"
        raise MissingPartError(f"{folder}: the viewer's map libraries {told}; fetch them once: {COMMAND}")
    return folder


def versions() -> dict[str, str]:
    """Pinned version by package."""
    return {package["name"]: package["version"] for package in _packages()}


def _packages() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    return found


def _tarball(package: dict[str, Any], base: str) -> bytes:
    name, version = package["name"], package["version"]
    address = f"{base}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    try:
        answer = requests.get(address, timeout=SECONDS)
        answer.raise_for_status()
    except requests.RequestException as problem:
        raise FetchError(
            f"{address}: could not be fetched ({problem}); try again, or set npm_config_registry"
        ) from None
    content: bytes = answer.content
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode("ascii")
    if found != package["integrity"]:
        raise FetchError(f"{address}: holds {found}, but {package['integrity']} is pinned; the registry is not trusted")
    return content


def _unpack(content: bytes, package: dict[str, Any], folder: Path) -> None:
    """Copy the wanted members alone, each to the name that our lock file gives it."""
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member, name in package["files"].items():
            try:
                file = archive.extractfile(f"package/{member}")
            except KeyError:
                file = None
            if file is None:
                raise FetchError(f"{package['name']} {package['version']}: holds no file {member}")
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read())


def main() -> None:
    """Fetch, and say where it lies."""
    try:
        print(fetch())
    except PipelineError as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
