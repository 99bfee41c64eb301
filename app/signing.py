"""HTTP message signatures (RFC 9421) in the one form that station and centre use: Ed25519, fixed coverage, one label.

A request covers method, target, digest of the body and, where there is a body, its type; the target is the centre's
canonical URL, whatever address the bytes took. An answer covers status, digest and type, and carries the nonce of the
request it answers. Only this form is read; every other spelling is refused, so there is nothing to choose for an
attacker.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.keys import Signer, Verify
from app.keys import key_id as key_id_of

LIFETIME_S = 120
"""How long a request may be on its way."""

SKEW_S = 60
"""How far the two clocks may be apart."""

REQUEST_TAG, ANSWER_TAG = "cardintake", "cardintake-answer"

_REQUEST = re.compile(
    r'sig=(?P<params>\((?P<covered>"@method" "@target-uri" "content-digest"(?: "content-type")?)\)'
    r';created=(?P<created>\d{1,12});expires=(?P<expires>\d{1,12});nonce="(?P<nonce>[A-Za-z0-9_-]{16,64})"'
    r';keyid="(?P<keyid>[A-Za-z0-9._-]{1,128})";alg="ed25519";tag="cardintake")'
)
_ANSWER = re.compile(
    r'sig=(?P<params>\("@status" "content-digest" "content-type"\);created=(?P<created>\d{1,12})'
    r';nonce="(?P<nonce>[A-Za-z0-9_-]{16,64})";keyid="(?P<keyid>[0-9a-f]{16})";alg="ed25519";tag="cardintake-answer")'
)
_SIGNATURE = re.compile(r"sig=:([A-Za-z0-9+/]{86}==):")


class BadSignature(ValueError):
    """The signature fields are not what they must be."""


@dataclass(frozen=True, slots=True)
class Message:
    """The parts of a request that are signed. `target`: the whole canonical URL with its query."""

    method: str
    target: str
    digest: str
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class RequestMarks:
    """What a signature says of its request. `key_id` is the station's name."""

    key_id: str
    nonce: str
    created_s: int
    expires_s: int


@dataclass(frozen=True, slots=True)
class ReadSignature:
    """A request's signature as it was read; `holds` tells whether a key made it."""

    marks: RequestMarks
    covered: bytes
    sig: bytes

    def holds(self, verify: Verify) -> bool:
        return verify(self.sig, self.covered)


def sign_request(signer: Signer, message: Message, marks: RequestMarks) -> dict[str, str]:
    """The headers Signature-Input and Signature of a request."""
    names = ["@method", "@target-uri", "content-digest", *(["content-type"] if message.content_type else [])]
    covered = " ".join(f'"{name}"' for name in names)
    params = (
        f'({covered});created={marks.created_s};expires={marks.expires_s};nonce="{marks.nonce}"'
        f';keyid="{marks.key_id}";alg="ed25519";tag="{REQUEST_TAG}"'
    )
    return _fields(signer.sign, params, _request_lines(message, params))


def read_request(headers: Mapping[str, str], message: Message) -> ReadSignature:
    """The signature of a request, not yet checked against a key. Raises BadSignature."""
    found, sig = _read(_REQUEST, headers)
    if ('"content-type"' in found["covered"]) != bool(message.content_type):
        raise BadSignature("coverage")
    marks = RequestMarks(found["keyid"], found["nonce"], int(found["created"]), int(found["expires"]))
    return ReadSignature(marks, _request_lines(message, found["params"]), sig)


def in_time(marks: RequestMarks, now_s: int) -> bool:
    """Whether a request was made about now and is not too old."""
    fresh = marks.created_s <= now_s + SKEW_S and now_s <= marks.expires_s + SKEW_S
    return fresh and 0 < marks.expires_s - marks.created_s <= LIFETIME_S


def sign_answer(
    signer: Signer, status: int, digest: str, content_type: str, nonce: str, created_s: int
) -> dict[str, str]:
    """The signature headers of an answer. `nonce`: of the request; `created_s`: the server's time."""
    key_id = key_id_of(signer.public_key)
    params = (
        f'("@status" "content-digest" "content-type");created={created_s};nonce="{nonce}";keyid="{key_id}"'
        f';alg="ed25519";tag="{ANSWER_TAG}"'
    )
    return _fields(signer.sign, params, _answer_lines(status, digest, content_type, params))


def check_answer(headers: Mapping[str, str], status: int, digest: str, nonce: str, verify: Verify) -> int:
    """The server's time (s) of a signed answer to the request with this nonce. Raises BadSignature."""
    found, sig = _read(_ANSWER, headers)
    lines = _answer_lines(status, digest, headers.get("content-type", ""), found["params"])
    if headers.get("content-digest") != digest or found["nonce"] != nonce or not verify(sig, lines):
        raise BadSignature("answer")
    return int(found["created"])


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """An answer that is kept as it was signed, with the request's nonce in it: whoever has the key can check it."""

    status: int
    content_type: str
    body: bytes
    params: str
    signature: str

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> SignedAnswer:
        """What there is to keep of an answer."""
        told = [headers.get(name, "") for name in ("content-type", "signature-input", "signature")]
        return cls(status, told[0], body, told[1], told[2])

    def holds(self, verify: Verify, digest: str) -> bool:
        """Whether the key signed this status and a body of this digest."""
        try:
            found, sig = _read(_ANSWER, {"signature-input": self.params, "signature": self.signature})
        except BadSignature:
            return False
        return verify(sig, _answer_lines(self.status, digest, self.content_type, found["params"]))


def answering_key(headers: Mapping[str, str]) -> str:
    """The id of the key that an answer says it was signed by; "" for none. Nothing is checked."""
    found = _ANSWER.fullmatch(headers.get("signature-input", ""))
    return found["keyid"] if found else ""


def _read(form: re.Pattern[str], headers: Mapping[str, str]) -> tuple[re.Match[str], bytes]:
    found = form.fullmatch(headers.get("signature-input", ""))
    sig = _SIGNATURE.fullmatch(headers.get("signature", ""))
    if found is None or sig is None:
        raise BadSignature("form")
    return found, base64.b64decode(sig[1])


def _fields(sign: Callable[[bytes], bytes], params: str, covered: bytes) -> dict[str, str]:
    sig = base64.b64encode(sign(covered)).decode()
    return {"Signature-Input": f"sig={params}", "Signature": f"sig=:{sig}:"}


def _request_lines(message: Message, params: str) -> bytes:
    lines = [f'"@method": {message.method}', f'"@target-uri": {message.target}', f'"content-digest": {message.digest}']
    if message.content_type:
        lines.append(f'"content-type": {message.content_type}')
    return "\n".join([*lines, f'"@signature-params": {params}']).encode()


def _answer_lines(status: int, digest: str, content_type: str, params: str) -> bytes:
    lines = [f'"@status": {status}', f'"content-digest": {digest}', f'"content-type": {content_type}']
    return "\n".join([*lines, f'"@signature-params": {params}']).encode()
