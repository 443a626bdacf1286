"""The same job through stac-fastapi.pgstac on PostgreSQL: a full STAC API, in processes of its own."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import FileServer
from stac_servers import free_port, wait_for
from test_catalogs_search import look, real_items
from test_search_flow import digests, outline, web_items, write_job

from workflows.map import map_flood
from workflows.plan import plan_job
from workflows.simulate import simulate

pytestmark = pytest.mark.integration

Records = list[dict[str, Any]]


def database_programs() -> Path:
    """The folder of PostgreSQL's programs; the test is skipped where something of it is missing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL: install postgresql-15 and postgresql-15-postgis-3 (Debian)")
    for program in ("pypgstac", "uvicorn"):
        if not (Path(sys.executable).parent / program).is_file():
            pytest.skip(f"no {program}: install overbank[integration]")
    return found[-1].parent


def as_database_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: there it runs as the user that Debian made for it."""
    if os.getuid() != 0:
        return {}
    try:
        return {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid, "extra_groups": []}
    except KeyError:
        pytest.skip("run as root, and there is no user postgres to run the database")


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """A database of its own in a temporary folder, by the environment variables that lead to it."""
    programs, who, port = database_programs(), as_database_user(), free_port()
    with tempfile.TemporaryDirectory(prefix="overbank-") as folder:  # pytest's folders are closed to other users
        if who:
            shutil.chown(folder, who["user"], who["group"])
        told: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **who}
        subprocess.run([programs / "initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "postgres"], **told)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        control = [programs / "pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log"]
        subprocess.run([*control, "-o", options, "start"], **told)
        place = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "postgres"}
        try:
            subprocess.run([programs / "createdb", "stac"], env={**os.environ, **place}, **told)
            yield place | {"PGPASSWORD": "none", "PGDATABASE": "stac"}
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **told)


def load(items: Records, folder: Path, variables: Mapping[str, str]) -> None:
    """Migrate the database and load items, with a collection for each."""
    nowhere = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    collections = [
        {"type": "Collection", "id": name, "stac_version": "1.0.0", "description": name, "license": "other",
         "links": [], "extent": nowhere}
        for name in sorted({item["collection"] for item in items})
    ]  # fmt: skip
    for name, records in (("collections", collections), ("items", items)):
        (folder / f"{name}.ndjson").write_text("\n".join(json.dumps(record) for record in records))
    program = str(Path(sys.executable).parent / "pypgstac")
    commands = [[program, "migrate"]] + [
        [program, "load", name, str(folder / f"{name}.ndjson"), "--method", "upsert"]
        for name in ("collections", "items")
    ]
    for command in commands:
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]


@contextmanager
def pgstac_api(items: Records, folder: Path) -> Iterator[str]:
    """The address of a STAC API on PostgreSQL that holds some items."""
    with ExitStack() as running:
        variables = running.enter_context(database())
        load(items, folder, variables)
        port = free_port()
        log = running.enter_context((folder / "api.log").open("w"))
        command = [str(Path(sys.executable).parent / "uvicorn"), "--factory", "stac_fastapi.pgstac.app:create_app",
                   "--port", str(port)]  # fmt: skip
        process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=log)
        try:
            wait_for(port, process, folder / "api.log", seconds=60.0)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def test_the_same_plan_and_bytes_as_from_disk(tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    simulate(scenes, 128, 3)
    files = FileServer(scenes)
    try:
        with pgstac_api(web_items(scenes, files.url), tmp_path) as url:
            jobs = {"disk": str(scenes / "catalog.json"), "pgstac": url}
            paths = {name: write_job(scenes, tmp_path / name, catalog) for name, catalog in jobs.items()}
            assert outline(plan_job(paths["pgstac"])) == outline(plan_job(paths["disk"]))
            runs = {name: digests(map_flood(path, tmp_path / name / "run").run) for name, path in paths.items()}
    finally:
        files.close()
    assert len(runs["disk"]) > 4
    assert runs["pgstac"] == runs["disk"]


def test_every_real_item_and_many_pages(shared: Path, tmp_path: Path) -> None:
    items = {(item["collection"], item["id"]): item for item in real_items(shared)}
    (first,) = (item for item in items.values() if "sentinel-1-rtc" in item["collection"] and "20250311" in item["id"])
    copies = [first | {"id": f"{first['id']}_{number:03d}"} for number in range(250)]
    with pgstac_api([*items.values(), *copies], tmp_path) as url:
        found = look(url)
    twice = {finding.thing for finding in found.findings if finding.code == "duplicate-pass"}
    seen = {name for one in found.acquisitions for name in one.slices} | twice
    assert {copy["id"] for copy in copies} <= seen, "each came, and was seen to be a copy"
    assert len(seen) >= 250 + 30
    assert len({finding.thing for finding in found.findings if finding.code == "schema-fault"}) >= 6
