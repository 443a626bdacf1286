"""Watching a catalog: a static one, to which scenes are added between two looks; time is told, not waited for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from dates import copied, item_of, publish, write_job
from scenes import grid, radar_scene
from typer.testing import CliRunner

from catalogs.errors import SearchError
from pipeline.errors import JobError, RunError
from pipeline.passes import passes_of
from pipeline.run_folder import open_run
from workflows import watch
from workflows.cli import app
from workflows.cli_watch import interval, stoppable

module = import_module("workflows.watch")
WINDOW = "[2024-02-10, 2024-02-25]"
START = datetime(2024, 2, 12, tzinfo=UTC)
FIRST, SECOND = "2024-02-11T1000-sentinel-2a", "2024-02-15T1000-sentinel-2a"


class Hours:
    """A clock that only sleeping moves; before each look something may happen to the catalog."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self.now, self.events, self.slept = START, list(events), list[float]()

    def clock(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.slept.append(seconds)
        if not self.events:
            raise KeyboardInterrupt
        self.events.pop(0)()


@pytest.fixture
def catalog(small_flood: Path, tmp_path: Path) -> Path:
    return copied(small_flood, tmp_path / "catalog")


def nothing() -> None:
    pass


def watched(catalog: Path, out: Path, hours: Hours, **told: object) -> list[str]:
    job = write_job(catalog, "watch.yaml", WINDOW)
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        watch(job, out, say=lines.append, clock=hours.clock, sleep=hours.sleep, **told)  # type: ignore[arg-type]
    return lines


def test_a_new_a_late_and_a_replaced_scene(catalog: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    hidden = catalog / "catalog.gone"
    hours = Hours(
        lambda: publish(catalog, "sentinel-2", "20240211", 4),
        lambda: os.rename(catalog / "catalog.json", hidden),
        nothing,
        lambda: os.rename(hidden, catalog / "catalog.json"),
        lambda: replace_scene(catalog, "20240215"),
        nothing,
    )
    lines = watched(catalog, out, hours)
    told = [line for line in lines if " scene" in line and line.startswith("2024") and "examine" not in line]
    assert told == [
        f"{FIRST}: a new pass; 1 scene",
        f"{SECOND}: a new pass; 2 scenes",
        f"{SECOND}: again: a scene is new, late or replaced; 2 scenes",
    ]
    assert sum("does not answer" in line for line in lines) == 2
    assert hours.slept == [3600, 3600, 30, 60, 3600, 3600, 3600]
    record = json.loads((out / "series" / "series.json").read_text())
    assert [date["name"] for date in record["dates"]] == [FIRST, SECOND]
    assert open_run(out / SECOND).at == datetime(2024, 2, 15, 10, tzinfo=UTC)


def replace_scene(catalog: Path, day: str) -> None:
    path = item_of(catalog, "sentinel-2", day)
    item = json.loads(path.read_text())
    item["properties"]["updated"] = "2024-02-20T00:00:00Z"
    path.write_text(json.dumps(item))


def test_an_empty_window_is_waited_for_and_ends_in_time(catalog: Path, tmp_path: Path) -> None:
    job = write_job(catalog, "later.yaml", "[2024-03-01, 2024-03-10]")
    hours, lines = Hours(nothing, nothing, nothing), list[str]()
    until = START + timedelta(hours=2, minutes=30)
    found = watch(job, tmp_path / "out", until=until, say=lines.append, clock=hours.clock, sleep=hours.sleep)
    assert found == []
    assert hours.slept == [3600, 3600]
    assert lines[0] == "no scene in the flood window yet"
    assert lines[-1].startswith("ends: 2024-02-12 02:30 UTC")


def test_a_pass_that_fails_is_said_and_tried_again(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RunError("the disk of the scenes is away")

    monkeypatch.setattr(module, "map_plan", broken)
    lines = watched(catalog, tmp_path / "out", Hours(nothing))
    assert sum("tried again at the next look: the disk of the scenes is away" in line for line in lines) == 2
    with pytest.raises(RunError, match="1 passes could not be mapped"):
        watch(write_job(catalog, "watch.yaml", WINDOW), tmp_path / "out", once=True)
    assert not (tmp_path / "out" / "watch.json").exists()


def test_once_a_catalog_that_is_down_is_an_error(catalog: Path, tmp_path: Path) -> None:
    job = write_job(catalog, "watch.yaml", WINDOW)
    (catalog / "catalog.json").unlink()
    with pytest.raises(SearchError):
        watch(job, tmp_path / "out", once=True)


def test_mistakes_end_it_before_it_looks(catalog: Path, tmp_path: Path) -> None:
    several = write_job(catalog, "several.yaml", f"\n  one: {WINDOW}")
    with pytest.raises(JobError, match="one flood window"):
        watch(several, tmp_path / "out")
    job = write_job(catalog, "watch.yaml", WINDOW)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "watch.json").write_text("{}[")
    with pytest.raises(RunError, match="expected what watch wrote"):
        watch(job, tmp_path / "out", once=True)
    (tmp_path / "out" / ".being-mapped").write_text("1@another-machine")
    with pytest.raises(RunError, match="is being mapped by process 1@another-machine"):
        watch(job, tmp_path / "out", once=True)
    for flags in (["--every", "1s"], ["--every", "soon"], ["--until", "2024-02-30"]):
        result = CliRunner().invoke(app, ["watch", str(job), "--out", str(tmp_path / "new"), *flags])
        assert result.exit_code == 2
    assert not (tmp_path / "new").exists()
    assert [interval(text) for text in ("90s", "15m", "1.5h", "1d")] == [90, 900, 5400, 86400]


def test_slices_of_a_pass_are_one_pass(tmp_path: Path) -> None:
    def scene(minutes: float, platform: str) -> object:
        at = START + timedelta(minutes=minutes)
        return radar_scene(tmp_path, f"{platform}{minutes}", {}, grid(), start=at, end=at, platform=platform)

    found = passes_of([scene(100, "s1a"), scene(0.4, "s1a"), scene(0, "s1a"), scene(0.2, "s1c")])  # type: ignore[list-item]
    assert [(one.name, len(one.scenes)) for one in found] == [
        ("2024-02-12T0000-s1c", 1),
        ("2024-02-12T0000-s1a", 2),
        ("2024-02-12T0140-s1a", 1),
    ]


def test_a_stop_is_an_interruption() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_killed_in_the_middle_it_goes_on(catalog: Path, tmp_path: Path) -> None:
    job, out = write_job(catalog, "watch.yaml", WINDOW, tile=64), tmp_path / "out"
    assert stopped_after("done (1/4", job, out, signal.SIGKILL) == -signal.SIGKILL
    assert (out / ".being-mapped").exists(), "a killed process leaves its lock"
    assert not (out / "watch.json").exists(), "a pass half mapped is not mapped"
    done = {path: path.stat().st_mtime_ns for path in (out / FIRST / "units").glob("[!.]*/*.tif")}
    assert done
    lines: list[str] = []
    (whole,) = watch(job, out, once=True, say=lines.append)
    assert whole.name == FIRST
    assert any("of 4 units are done already" in line for line in lines)
    assert done == {path: path.stat().st_mtime_ns for path in done}
    assert len(open_run(out / FIRST).units) == 4
    assert not list(out.rglob(".partial-*"))


def stopped_after(words: str, job: Path, out: Path, how: signal.Signals) -> int:
    """The exit code of a real process that gets a signal when it says so."""
    command = [sys.executable, "-m", "workflows.cli", "watch", str(job), "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if words in line:
                process.send_signal(how)
                break
        process.stderr.read()
    return process.returncode
