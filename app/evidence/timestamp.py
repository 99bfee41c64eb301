"""Time-stamp tokens (RFC 3161): an authority's word that a recording was closed before a certain time.

Asked for after the close, when there is a line; the answer lies beside the journal as `root.tsr` and is of no use to
anybody without the recording. Who asks brings the line (`post`), so that nothing here knows the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate
from rfc3161_client import TimestampRequestBuilder, VerificationError, VerifierBuilder, decode_timestamp_response

from app.core.errors import BadInput, EvidenceTrouble
from app.evidence.ledger import load
from app.platform import durable_write

TOKEN_FILE = "root.tsr"
STATEMENT_FILE = "root.statement"

Post = Callable[[bytes], bytes]
"""Sends an application/timestamp-query, gives the application/timestamp-reply. Raises Unavailable or OSError."""


def stamp_recording(folder: Path, post: Post, roots: Sequence[Certificate]) -> datetime:
    """Get a token for a closed recording, check it, keep it; one that is there already is only checked.

    Raises BadInput("evidence.not_closed"), EvidenceTrouble("evidence.time_token_wrong"), and what `post` raises.
    """
    path = folder / TOKEN_FILE
    statement = _statement(folder)
    if not path.exists():
        request = TimestampRequestBuilder().data(statement).build()
        token = post(request.as_bytes())
        stamped = _checked(token, statement, roots)
        durable_write(path, token)
        return stamped
    return _checked(path.read_bytes(), statement, roots)


def stamped_time(folder: Path, roots: Sequence[Certificate]) -> datetime | None:
    """When the authority saw the closed recording; None without a token. Raises as `stamp_recording`."""
    path = folder / TOKEN_FILE
    return _checked(path.read_bytes(), _statement(folder), roots) if path.exists() else None


def token_files(folder: Path) -> dict[str, bytes]:
    """What a dossier carries of it, by name: the token as it came, and the bytes it was asked for; {} without one.

    A stranger checks both with `openssl ts -verify`, trusting an authority of their own choice.
    """
    path = folder / TOKEN_FILE
    if not path.exists():
        return {}
    return {TOKEN_FILE: path.read_bytes(), STATEMENT_FILE: _statement(folder)}


def _statement(folder: Path) -> bytes:
    """What is stamped: the final hash of the chain, which holds the Merkle root and everything before it."""
    ledger = load(folder)
    if ledger.close is None:
        raise BadInput("evidence.not_closed", folder.name)
    return b"cardintake recording closed v1\n" + bytes.fromhex(ledger.head)


def _checked(token: bytes, statement: bytes, roots: Sequence[Certificate]) -> datetime:
    try:
        response = decode_timestamp_response(token)
        builder = VerifierBuilder()
        for root in roots:
            builder = builder.add_root_certificate(root)
        builder.build().verify_message(response, statement)
        stamped: datetime = response.tst_info.gen_time
    except (VerificationError, ValueError) as wrong:
        raise EvidenceTrouble("evidence.time_token_wrong", str(wrong)) from wrong
    return stamped
