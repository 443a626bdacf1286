"""S3 buckets: credentials from the environment, for GDAL's reader and for small files fetched without it."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import requests
from rasterio.session import Session
from requests.auth import AuthBase

from catalogs.records import Access

AWS = "s3.amazonaws.com"
REGION = "us-east-1"
"""Where the environment names none; S3 answers with the right one."""
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Place:
    """Where a bucket is served."""

    endpoint: str
    """Host, and port where it has one."""
    secure: bool
    """https, not http."""
    virtual: bool
    """True where the bucket is part of the host's name, not of the path."""
    region: str


def place(access: Access, environment: Mapping[str, str] = os.environ) -> Place:
    """The catalog's own service, else the one the environment names (AWS_S3_ENDPOINT, AWS_HTTPS,
    AWS_VIRTUAL_HOSTING, AWS_REGION), else AWS."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or REGION
    if access.s3_endpoint:
        parts = urlsplit(access.s3_endpoint if "://" in access.s3_endpoint else f"https://{access.s3_endpoint}")
        return Place(parts.netloc, parts.scheme == "https", False, region)
    scheme, _, host = environment.get("AWS_S3_ENDPOINT", AWS).rpartition("://")
    return Place(
        host,
        scheme != "http" and not _no(environment.get("AWS_HTTPS", "YES")),
        not _no(environment.get("AWS_VIRTUAL_HOSTING", "YES")),
        region,
    )


def is_unsigned(access: Access, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether requests go without credentials: a bucket open to all, and nobody has to pay."""
    told = environment.get("AWS_NO_SIGN_REQUEST", "NO")
    return not access.requester_pays and (access.s3_unsigned or not _no(told))


class Credentials(Session):  # type: ignore[misc]
    """rasterio's session, made of `Access` and the environment: for `rasterio.Env(session=…)`, which takes S3
    options in no other way. It asks no metadata service and needs no boto3."""

    def __init__(self, access: Access, environment: Mapping[str, str] = os.environ) -> None:
        self.credentials = _gdal_options(access, environment)

    def get_credential_options(self) -> dict[str, str]:
        """GDAL's configuration options."""
        return self.credentials


def web_address(
    href: str, access: Access, region: str | None = None, environment: Mapping[str, str] = os.environ
) -> str:
    """The http(s) address behind s3://bucket/key; `region` where AWS said that the bucket lies elsewhere."""
    bucket, _, key = href[len("s3://") :].partition("/")
    at = place(access, environment)
    endpoint = f"s3.{region or at.region}.amazonaws.com" if at.endpoint == AWS else at.endpoint
    scheme = "https" if at.secure else "http"
    path = quote(key, safe="/-_.~")
    if at.virtual and "." not in bucket:
        return f"{scheme}://{bucket}.{endpoint}/{path}"
    return f"{scheme}://{endpoint}/{bucket}/{path}"


@dataclass(frozen=True)
class Signature(AuthBase):
    """Signs a GET without body and query (AWS Signature Version 4, docs.aws.amazon.com, "Authenticating requests")."""

    key: str
    secret: str
    region: str
    token: str | None = None
    payer: bool = False
    now: datetime | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The request with its `Authorization`; it holds for this host alone, and requests drops it on a redirect."""
        instant = (self.now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        parts = urlsplit(str(request.url))
        headers = {"host": parts.netloc, "x-amz-content-sha256": EMPTY, "x-amz-date": instant}
        headers |= {"x-amz-security-token": self.token} if self.token else {}
        headers |= {"x-amz-request-payer": "requester"} if self.payer else {}
        headers |= {"range": str(request.headers["Range"])} if "Range" in request.headers else {}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = f"{request.method}\n{parts.path or '/'}\n\n{lines}\n{names}\n{EMPTY}"
        scope = f"{instant[:8]}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{instant}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = _keyed(self._day_key(instant[:8]), text).hex()
        request.headers.update({name: value for name, value in headers.items() if name.startswith("x-amz")})
        request.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.key}/{scope},SignedHeaders={names},Signature={signature}"
        )
        return request

    def _day_key(self, day: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = _keyed(key, part)
        return key


def signature(
    access: Access, region: str | None = None, environment: Mapping[str, str] = os.environ
) -> Signature | None:
    """What signs a request for a bucket; None where it is open to all."""
    if is_unsigned(access, environment):
        return None
    return Signature(
        environment.get(access.s3_key, ""),
        environment.get(access.s3_secret, ""),
        region or place(access, environment).region,
        _session_token(access, environment) or None,
        access.requester_pays,
    )


def _gdal_options(access: Access, environment: Mapping[str, str]) -> dict[str, str]:
    at = place(access, environment)
    options = {
        "AWS_HTTPS": "YES" if at.secure else "NO",
        "AWS_VIRTUAL_HOSTING": "TRUE" if at.virtual else "FALSE",
        "AWS_S3_ENDPOINT": at.endpoint,
        "AWS_REGION": at.region,
        "CPL_AWS_AUTODETECT_EC2": "NO",  # asks a metadata service; credentials come from the environment
    }
    if access.requester_pays:
        options["AWS_REQUEST_PAYER"] = "requester"
    if is_unsigned(access, environment):
        return options | {"AWS_NO_SIGN_REQUEST": "YES"}
    return options | {
        "AWS_NO_SIGN_REQUEST": "NO",
        "AWS_ACCESS_KEY_ID": environment.get(access.s3_key, ""),
        "AWS_SECRET_ACCESS_KEY": environment.get(access.s3_secret, ""),
        "AWS_SESSION_TOKEN": _session_token(access, environment),
    }


def _session_token(access: Access, environment: Mapping[str, str]) -> str:
    """Belongs to AWS's own pair of variables; another service's keys go without."""
    return environment.get("AWS_SESSION_TOKEN", "") if access.s3_key == Access().s3_key else ""


def _keyed(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _no(text: str) -> bool:
    return text.strip().upper() in ("NO", "FALSE", "OFF", "0")
