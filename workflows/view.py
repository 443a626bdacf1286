"""`overbank view`: a run as a map in the browser of this machine."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from pathlib import Path

from pipeline.run_folder import open_run
from workflows.viewer.server import serve


def view(run: Path, port: int = 0, browser: bool = True, say: Callable[[str], None] = print) -> None:
    """Serve a run on 127.0.0.1 until interrupted, and open it in a browser; nothing is asked of the network.

    `port`: 0 takes a free one. `say` hears the address. RunError where the folder holds no finished unit, or the port
    is taken; MissingPartError where the map libraries were not fetched.
    """
    with serve(open_run(run), port) as server:
        say(f"{server.address}  (for this machine alone; Ctrl-C ends it)")
        if browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("ended")
