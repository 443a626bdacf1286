"""What a finished run took and saw, for a terminal or a log."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping

from rich.console import Console

from workflows.account import Account, caveats
from workflows.tables import say


def peak_rss_mb() -> float:
    """The most memory this process has held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def show_run(account: Account, seconds: Mapping[str, float], peak_rss_mb: float, out: Console) -> None:
    """What a run took, what each sensor saw, and the caveats of its map."""
    told = "  ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    say(out, f"seconds by stage: {told}")
    say(out, f"peak memory of this process: {peak_rss_mb:.0f} MB")
    seen = ", ".join(f"{sensor} {one.observed_share:.1%}" for sensor, one in account.sensors.items())
    say(out, f"observed: {seen}")
    for caveat in caveats(account):
        say(out, f"note: {caveat}")
