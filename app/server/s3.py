"""Chunks in an S3 bucket. Stations put them there themselves by presigned requests; no byte passes through a server.

    s3://BUCKET?endpoint=https://…[&public=https://…][&region=R]

`public` is the address that stations use, where it differs. Credentials come from where botocore looks for them
(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a role, …), never from the address. They need Put, Get and List (without
it S3 calls forbidden what is missing), no Delete; to say how the bucket is set, its versioning and lock to be read.

A presigned PUT signs the SHA-256, the length and `If-None-Match: *`: other bytes, more bytes and a second write are
refused by the bucket itself. Single PUTs only: a presigned part of a multipart upload took wrong bytes with 200.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.server.object_store import VERIFY_PATH, Keeping, Versioning, hash_of
from app.wire import ObjectSize, Transfer

EXPIRES_S = 900
_AT_ONCE = 16
_PIECE = 1 << 20
_IN_MEMORY = 8 << 20
_NO_LOCK = "ObjectLockConfigurationNotFoundError"
_VERSIONING: Mapping[str, Versioning] = {"Enabled": "on", "Suspended": "suspended"}


class S3Objects:
    """Chunks of one bucket, under their names."""

    def __init__(self, url: str) -> None:
        """Raises BadInput("serve.objects") for an address that is none; StorageTrouble when the bucket is away."""
        bucket, options = _read_url(url)
        self._bucket = bucket
        self._client = _client(options, options.get("endpoint"))
        self._outside = _client(options, options["public"]) if "public" in options else self._client
        with _translated():
            self._client.head_bucket(Bucket=bucket)

    def actions(self, one: ObjectSize) -> dict[str, Transfer]:
        wanted = {"Bucket": self._bucket, "Key": one.oid, "ContentLength": one.size, "IfNoneMatch": "*"}
        wanted["ChecksumSHA256"] = _checksum(one.oid)
        href = self._outside.generate_presigned_url("put_object", Params=wanted, ExpiresIn=EXPIRES_S)
        header = {"x-amz-checksum-sha256": _checksum(one.oid), "If-None-Match": "*"}
        return {
            "upload": Transfer(href=href, header=header, expires_in=EXPIRES_S),
            "verify": Transfer(href=VERIFY_PATH),
        }

    def held(self, wanted: Collection[ObjectSize]) -> set[str]:
        with ThreadPoolExecutor(_AT_ONCE, "s3-head") as pool:
            return {one.oid for one, there in zip(wanted, pool.map(self._head, wanted), strict=True) if there}

    def _head(self, one: ObjectSize) -> bool:
        """Size and checksum as the bucket noted them when it took the bytes."""
        with _translated():
            try:
                told = self._client.head_object(Bucket=self._bucket, Key=one.oid, ChecksumMode="ENABLED")
            except ClientError as error:
                if _missing(error):
                    return False
                raise
        return (told["ContentLength"], told.get("ChecksumSHA256")) == (one.size, _checksum(one.oid))

    def verified(self, one: ObjectSize) -> bool:
        return self._head(one) and hash_of(self.read(one.oid)) == one.oid

    def read(self, oid: str) -> Iterator[bytes]:
        with _translated():
            body = self._client.get_object(Bucket=self._bucket, Key=oid)["Body"]
            try:
                yield from body.iter_chunks(_PIECE)
            finally:
                body.close()

    def put(self, oid: str, pieces: Iterable[bytes]) -> None:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as whole:
            for piece in pieces:
                whole.write(piece)
            size = whole.tell()
            whole.seek(0)
            if hash_of(iter(lambda: whole.read(_PIECE), b"")) != oid:
                raise EvidenceTrouble("evidence.content_differs", oid[:16])
            whole.seek(0)
            with _translated():
                try:
                    self._client.put_object(
                        Bucket=self._bucket, Key=oid, Body=whole, ContentLength=size, ChecksumSHA256=_checksum(oid),
                        IfNoneMatch="*",
                    )  # fmt: skip
                except ClientError as error:
                    if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
                        raise

    def keeping(self) -> Keeping:
        versions, wrong = _told(self._client.get_bucket_versioning, self._bucket)
        versioning: Versioning = "unknown"
        if versions is not None:
            versioning = _VERSIONING.get(versions.get("Status", ""), "off")
        locked, wrong_lock = _told(self._client.get_object_lock_configuration, self._bucket)
        if wrong_lock == _NO_LOCK:
            locked, wrong_lock = {}, ""
        unseen = ", ".join(dict.fromkeys(filter(None, (wrong, wrong_lock))))
        if locked is None:
            return Keeping(versioning, "unknown", unseen=unseen)
        told = locked.get("ObjectLockConfiguration", {})
        rule = told.get("Rule", {}).get("DefaultRetention", {})
        days = rule.get("Days", 0) or rule.get("Years", 0) * 365
        lock: Literal["on", "off"] = "on" if told.get("ObjectLockEnabled") == "Enabled" else "off"
        return Keeping(versioning, lock, days, rule.get("Mode", ""), unseen)


def _told(ask: Callable[..., Any], bucket: str) -> tuple[dict[str, Any] | None, str]:
    """The bucket's answer, or None and why there is none."""
    try:
        return ask(Bucket=bucket), ""
    except ClientError as error:
        return None, str(error.response.get("Error", {}).get("Code", ""))[:60] or "?"
    except BotoCoreError as error:
        return None, type(error).__name__


def _read_url(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = set(options) - {"endpoint", "public", "region"}
    if parts.scheme != "s3" or not parts.hostname or parts.username or parts.path not in ("", "/") or unknown:
        raise BadInput("serve.objects", parts.scheme)
    return parts.netloc, options


def _client(options: dict[str, str], endpoint: str | None) -> Any:
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=5,
        read_timeout=30,
        retries={"max_attempts": 2, "mode": "standard"},
        max_pool_connections=_AT_ONCE,
    )
    region = options.get("region", "us-east-1")
    try:
        return Session().create_client("s3", region_name=region, endpoint_url=endpoint, config=config)
    except (BotoCoreError, ValueError) as wrong:
        raise BadInput("serve.objects", "endpoint") from wrong


def _checksum(oid: str) -> str:
    return base64.b64encode(bytes.fromhex(oid)).decode()


def _missing(error: ClientError) -> bool:
    return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == 404)


@contextmanager
def _translated() -> Iterator[None]:
    """What the bucket or the way to it says becomes StorageTrouble("store.objects_away")."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise StorageTrouble("store.objects_away", str(code)[:40]) from error
    except BotoCoreError as error:
        raise StorageTrouble("store.objects_away", type(error).__name__) from error
