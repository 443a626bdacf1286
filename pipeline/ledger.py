"""What is done: fingerprints of units, and folders that appear by one rename or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import RunError
from pipeline.ground import Ground, is_catalog
from pipeline.job import Job
from pipeline.job_ground import GROUND_FIELDS
from pipeline.observe import Prepared
from pipeline.plan import Unit
from pipeline.science import Science

UNITS = "units"
_PARTIAL = ".partial-"
_LOCK = ".being-mapped"


NOT_PIXELS = {"name", "catalog", "weights", "area", "science", *GROUND_FIELDS}
"""Fields of a job whose text does not count: what they name does."""


def fingerprint(
    unit: Unit, job: Job, science: Science, prepared: Prepared, weights: str, ground: Ground | None = None
) -> str:
    """SHA-256 over everything that can change the unit's pixels: job, science, scenes, findings, weights, version.

    `ground`: the tiles that the unit reads. Rasters that the job names itself count by what they hold; a
    height above drainage that the run computes by what it is made from: elevation, area and science.
    """
    told = job.model_dump(mode="json", exclude=NOT_PIXELS)
    tiles = () if ground is None else ground.of_catalogs
    named = [getattr(job, field) for field in GROUND_FIELDS]
    content = {
        "job": told,
        "science": science.model_dump(mode="json"),
        "prepared": prepared.model_dump(mode="json"),
        "scenes": [scene.model_dump(mode="json") for scene in unit.scenes],
        "grid": [str(unit.box.crs), list(unit.box.affine)[:6], list(unit.box.shape.yx)],
        "area": _content(job.area) if isinstance(job.area, Path) else list(job.area),
        "own_rasters": [_of_ground(value) for value in named],
        "ground": [tile.model_dump(mode="json") for tile in tiles],
        "weights": weights,
        "version": version("overbank"),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _of_ground(value: str | Path | None) -> str | None:
    """What a field of the ground adds: of a raster its content; what a catalog holds counts by its tiles."""
    if isinstance(value, Path):
        return "a catalog" if is_catalog(value) else _content(value)
    return value


def _content(path: Path) -> str:
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, stamp: int) -> str:
    """Read once a run, however many units ask."""
    return file_digest(path)


def file_digest(path: Path) -> str:
    """SHA-256 of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unit_folder(run: Path, unit: Unit) -> Path:
    """Where a unit's layers lie."""
    return run / UNITS / unit.id


def is_done(run: Path, unit: Unit, print_: str) -> bool:
    """Whether the unit's folder is there, whole, and of this very content."""
    folder = unit_folder(run, unit)
    item = read_item(folder)
    if item is None or item["properties"].get("overbank:fingerprint") != print_:
        return False
    files = {folder / asset["href"]: asset["file:size"] for asset in item["assets"].values()}
    return all(path.is_file() and path.stat().st_size == size for path, size in files.items())


def read_item(folder: Path) -> dict[str, Any] | None:
    """The STAC item of a unit's folder; None where there is none. It is written last, so it speaks for the rest."""
    path = folder / f"{folder.name}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None
    return found


def clear_leftovers(run: Path) -> int:
    """Remove what an interrupted run left half-written; how many."""
    leftovers = [path for place in (run, run / UNITS) for path in place.glob(f"{_PARTIAL}*") if path.is_dir()]
    for folder in leftovers:
        shutil.rmtree(folder, ignore_errors=True)
    return len(leftovers)


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A folder to write into that becomes `target` by one rename when the block ends well, and vanishes otherwise."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target.parent))
    try:
        yield draft
        os.chmod(draft, 0o755)
        if target.exists():  # of another fingerprint: out of the way first, a rename does not replace a full folder
            retired = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=target.parent))
            os.rename(target, retired / target.name)
            os.rename(draft, target)
            shutil.rmtree(retired)
        else:
            os.rename(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Hold a run's folder against a second run, which would clear this one's drafts away.

    RunError if another living process of this machine, or of another machine, holds it.
    """
    run.mkdir(parents=True, exist_ok=True)
    path = run / _LOCK
    file = _held(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: whoever opened the old file meanwhile sees that it is gone
        file.close()


def _held(path: Path) -> TextIO:
    """The lock file, locked and signed. The kernel lets go of it when its process ends, however it ends."""
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            decided = _flock(file)
            if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.close()  # its holder left between our opening and our locking
                continue
            _sign(file, path, decided)
        except BaseException:
            file.close()
            raise
        return file


def _flock(file: TextIO) -> bool:
    """Whether the lock was taken; False where the disk knows no locks. RunError where another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _taken(Path(file.name), _holder(file)) from None
    except OSError:
        return False
    return True


def _sign(file: TextIO, path: Path, decided: bool) -> None:
    """Write who we are; RunError where a process that may be alive is named there.

    `decided`: whether the lock of this kernel says that nobody on it holds the file.
    """
    holder = _holder(file)
    same_kernel = decided and holder.partition(" ")[2] == _boot()
    if holder and not same_kernel and not _is_dead(holder.partition(" ")[0]):
        raise _taken(path, holder)
    file.truncate(0)
    file.write(f"{os.getpid()}@{socket.gethostname()} {_boot()}")
    file.flush()


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip()


def _taken(path: Path, holder: str) -> RunError:
    told = f"{path.parent}: is being mapped by process {holder.partition(' ')[0]}; wait for it, give another --out, or"
    return RunError(f"{told}, if it is gone, remove {path}")


@lru_cache(maxsize=1)
def _boot() -> str:
    """What tells this start of this machine's kernel from all others; containers on it share it."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="utf-8").strip() if path.is_file() else "unknown"


def _is_dead(holder: str) -> bool:
    """Whether a process of this very machine is gone; of other machines nothing is known."""
    pid, _, host = holder.partition("@")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(pid) == os.getpid()
