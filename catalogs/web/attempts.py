"""Asking again: one rule for rasters and for small files, whoever fetches them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from catalogs.records import Access
from catalogs.web.access import host_of, one_of_few, require_credentials
from catalogs.web.faults import Fault, error
from catalogs.web.http import patience
from catalogs.web.signing import is_signed_by_service, signed

Result = TypeVar("Result")
Attempt = Callable[[str], Result | Fault]
"""Reads the file at an address, signed where it needs to be; gives a fault where that failed."""


def until_read(href: str, access: Access, expected: str, attempt: Attempt[Result]) -> Result:
    """What the first attempt that succeeds gives.

    Each attempt takes one of the host's places and an address whose signature holds. A refused signature is renewed
    once; what may pass is asked for again after a pause. Raises `AccessError` before the first attempt where
    credentials are missing, and `AccessError` or `ReadError` where no other attempt would help.
    """
    require_credentials(access, href)
    limits, failures = patience(), 0
    refused: str | None = None
    while True:
        address = signed(href, access, refused)
        with one_of_few(host_of(href, access), access.connections):
            outcome = attempt(address)
        if not isinstance(outcome, Fault):
            return outcome
        failures += 1
        if outcome.refused and refused is None and is_signed_by_service(href, access):
            refused = address
        elif failures >= min(limits.attempts, outcome.attempts):
            raise error(outcome, href, failures, expected)
        else:
            time.sleep(min(limits.longest, outcome.wait) if outcome.wait else limits.pause(failures))
