"""Time-stamp tokens (RFC 3161): an authority's word that a recording was closed before a certain time.

Asked for after the close, when there is a line; the answer lies beside the journal as `root.tsr` and is of no use to
anybody without the recording. Who asks brings the line (`post`), so that nothing here knows the network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import TimestampRequestBuilder, VerificationError, VerifierBuilder, decode_timestamp_response

from app.core.errors import BadInput, EvidenceTrouble
from app.evidence.ledger import load
from app.platform import durable_write

TOKEN_FILE = "root.tsr"
STATEMENT_FILE = "root.statement"

_DIGESTS = ("sha256", "sha384", "sha512")

Post = Callable[[bytes], bytes]
"""Sends an application/timestamp-query, gives the application/timestamp-reply. Raises Unavailable or OSError."""


def read_roots(path: Path | None) -> tuple[Certificate, ...]:
    """The certificates (PEM) by which an authority's word is checked.

    Raises BadInput("tsa.no_roots"): there is no file, or none of them in it.
    """
    if path is None:
        raise BadInput("tsa.no_roots")
    try:
        return tuple(load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as wrong:
        raise BadInput("tsa.no_roots", path.name) from wrong


def stamp_recording(folder: Path, post: Post, roots: Sequence[Certificate]) -> datetime:
    """Get a token for a closed recording, check it, keep it; one that is there already is only checked.

    Raises BadInput("evidence.not_closed"), EvidenceTrouble("evidence.time_token_wrong"), and what `post` raises.
    """
    return stamp_head(folder, _final_hash(folder), post, roots)


def stamp_head(folder: Path, final_hash: str, post: Post, roots: Sequence[Certificate]) -> datetime:
    """`stamp_recording` for who knows the hash (hex) that closes the chain; the journal is not read.

    Raises EvidenceTrouble("evidence.time_token_wrong"), OSError, and what `post` raises.
    """
    path, statement = folder / TOKEN_FILE, statement_of(final_hash)
    if path.exists():
        return _checked(path.read_bytes(), statement, VerifierBuilder(), roots)
    token, stamped = ask_token(statement, post, roots)
    durable_write(path, token)
    return stamped


def ask_token(statement: bytes, post: Post, roots: Sequence[Certificate]) -> tuple[bytes, datetime]:
    """A fresh token for these bytes, checked, and the time that it tells.

    Raises EvidenceTrouble("evidence.time_token_wrong"), and what `post` raises.
    """
    request = TimestampRequestBuilder().data(statement).build()
    token = post(request.as_bytes())
    return token, _checked(token, statement, VerifierBuilder.from_request(request), roots)


def stamped_time(folder: Path, roots: Sequence[Certificate]) -> datetime | None:
    """When the authority saw the closed recording; None without a token. Raises as `stamp_recording`."""
    path = folder / TOKEN_FILE
    if not path.exists():
        return None
    return _checked(path.read_bytes(), statement_of(_final_hash(folder)), VerifierBuilder(), roots)


def token_time(token: bytes, final_hash: str, roots: Sequence[Certificate] = ()) -> datetime:
    """The time that a token tells of the recording closed by this hash (hex). Without `roots` nobody's word is taken
    for who signed it: only that it speaks of this recording. Raises EvidenceTrouble("evidence.time_token_wrong").
    """
    if roots:
        return _checked(token, statement_of(final_hash), VerifierBuilder(), roots)
    try:
        told = decode_timestamp_response(token).tst_info
    except ValueError as wrong:
        raise EvidenceTrouble("evidence.time_token_wrong", str(wrong)) from wrong
    statement = statement_of(final_hash)
    if told.message_imprint.message not in [hashlib.new(name, statement).digest() for name in _DIGESTS]:
        raise EvidenceTrouble("evidence.time_token_wrong", "of something else")
    stamped: datetime = told.gen_time
    return stamped


def token_files(folder: Path) -> dict[str, bytes]:
    """What a dossier carries of it, by name: the token as it came, and the bytes it was asked for; {} without one.

    A stranger checks both with `openssl ts -verify`, trusting an authority of their own choice.
    """
    path = folder / TOKEN_FILE
    if not path.exists():
        return {}
    return {TOKEN_FILE: path.read_bytes(), STATEMENT_FILE: statement_of(_final_hash(folder))}


def statement_of(final_hash: str) -> bytes:
    """What is stamped: the final hash of the chain, which holds the Merkle root and everything before it."""
    return b"cardintake recording closed v1\n" + bytes.fromhex(final_hash)


def _final_hash(folder: Path) -> str:
    ledger = load(folder)
    if ledger.close is None:
        raise BadInput("evidence.not_closed", folder.name)
    return ledger.head


def _checked(token: bytes, statement: bytes, builder: VerifierBuilder, roots: Sequence[Certificate]) -> datetime:
    try:
        response = decode_timestamp_response(token)
        for root in roots:
            builder = builder.add_root_certificate(root)
        builder.build().verify_message(response, statement)
        stamped: datetime = response.tst_info.gen_time
    except (VerificationError, ValueError) as wrong:
        raise EvidenceTrouble("evidence.time_token_wrong", str(wrong)) from wrong
    return stamped
