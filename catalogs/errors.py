"""What can be wrong with a catalog, an item or a product, each in one sentence a person can act on."""

from __future__ import annotations

import re

_SECRETS = re.compile(
    r"\?[^\s'\"<>]*(?:sig|signature|token|key|credential|password|secret)[^\s'\"<>=]*=[^\s'\"<>]*", re.IGNORECASE
)


def without_secrets(text: str) -> str:
    """A message without the queries of addresses that hold a signature, a token or a key."""
    return _SECRETS.sub("?…", text)


class CatalogError(Exception):
    """Something about scenes cannot be used as it is.

    The message names the thing, what was found, what was expected and the next step. The four parts are the
    exception's `args`, so that it survives the way from a worker process to its caller. None holds a secret.
    """

    def __init__(self, thing: str, found: str, expected: str, remedy: str) -> None:
        super().__init__(*map(without_secrets, (thing, found, expected, remedy)))

    def __str__(self) -> str:
        thing, found, expected, remedy = self.args
        return f"{thing}: found {found}; expected {expected}. {remedy}"


class UnknownCollectionError(CatalogError):
    """An item of a collection that no YAML in `catalogs/collections` describes."""


class ItemError(CatalogError):
    """An item that does not say what its collection needs it to say."""


class HrefError(CatalogError):
    """An address that is not on the allowlist."""


class SearchError(CatalogError):
    """A catalog that is missing, broken or of a kind that cannot be searched."""


class BrokenOffError(SearchError):
    """A search that could not be completed: a server is away, refuses, or does not keep to the rules."""


class ProductError(CatalogError):
    """A product on disk (archive, folder, GeoTIFF) that cannot become an item."""


class DescriptionError(CatalogError):
    """A mistake in an `overbank.yaml`; the thing named is the file and the line."""


class ReadError(CatalogError):
    """A raster that cannot be opened or read: gone, refused, expired, broken."""


class AccessError(ReadError):
    """A file that its server does not give to us: credentials that are missing, refused or expired."""
