"""Signed requests and answers: what is refused, what a second implementation thinks of them, and who may come back."""

from __future__ import annotations

import asyncio
import base64
import string
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

from app.core.errors import BadInput, EvidenceTrouble, Unavailable
from app.keys import Signer, code_key, new_seed, six_words, verifier
from app.server import enrol
from app.server.report import report
from app.server.routes import make_app
from app.server.setup import OpenCentre, init, open_centre
from app.signing import BadSignature, Message, RequestMarks, check_answer, in_time, read_request, sign_request
from app.store.db import reading
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.sync.enrol import Applicant, ask_to_join, require_active
from app.sync.offset import ClockOffset
from app.wire import EventBatch, ServerCertificate, Signed, content_digest, sign_statement
from app.wire_enrol import Enrolled, EnrolmentAnswer, enrolment_proof

NOW_S = 1_790_000_000
MESSAGE = Message("POST", "https://centre.invalid/v1/events?a=1", content_digest(b"{}"), "application/json")
MARKS = RequestMarks("st-1", "n" * 24, NOW_S, NOW_S + 60)


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class _Keys(HTTPSignatureKeyResolver):
    def __init__(self, signer: Signer, seed: bytes) -> None:
        self.public, self.seed = signer.public_key, seed

    def resolve_public_key(self, key_id: str) -> Any:
        return Ed25519PublicKey.from_public_bytes(self.public)


class _Steady(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """The test's clock stands still."""


@pytest.mark.parametrize("message", [MESSAGE, Message("GET", "https://centre.invalid/v1/feed", content_digest(b""))])
def test_another_implementation_of_rfc_9421_accepts_our_signature(message: Message) -> None:
    seed = new_seed()
    signer = Signer(seed)
    headers = {"Content-Digest": message.digest, **sign_request(signer, message, MARKS)}
    if message.content_type:
        headers["Content-Type"] = message.content_type
    request = SimpleNamespace(method=message.method, url=message.target, headers=headers)
    checker = _Steady(signature_algorithm=algorithms.ED25519, key_resolver=_Keys(signer, seed))
    [result] = checker.verify(request, expect_tag="cardintake", max_age=None)
    assert result.nonce == MARKS.nonce
    assert read_request(lower(headers), message).holds(verifier(signer.public_key))


@pytest.mark.parametrize(
    "changed",
    [
        replace(MESSAGE, method="GET"),
        replace(MESSAGE, target="https://centre.invalid/v1/events?a=2"),
        replace(MESSAGE, target="https://other.invalid/v1/events?a=1"),
        replace(MESSAGE, digest=content_digest(b"x")),
        replace(MESSAGE, content_type="text/plain"),
    ],
)
def test_whatever_is_changed_the_signature_no_longer_holds(changed: Message) -> None:
    signer = Signer(new_seed())
    headers = lower(sign_request(signer, MESSAGE, MARKS))
    assert read_request(headers, MESSAGE).holds(verifier(signer.public_key))
    assert not read_request(headers, changed).holds(verifier(signer.public_key))


def test_only_the_one_form_is_read() -> None:
    headers = lower(sign_request(Signer(new_seed()), MESSAGE, MARKS))
    for name, old, new in (
        ("signature-input", '"@method" ', ""),
        ("signature-input", ' "content-type"', ""),
        ("signature-input", 'alg="ed25519"', 'alg="hmac-sha256"'),
        ("signature-input", 'tag="cardintake"', 'tag="other"'),
        ("signature", "sig=:", "other=:"),
        ("signature-input", "sig=", "sig="),
    ):
        bent = headers | {name: headers[name].replace(old, new)}
        if bent == headers:
            bent.pop(name)
        with pytest.raises(BadSignature):
            read_request(bent, MESSAGE)
    with pytest.raises(BadSignature):
        read_request(headers, replace(MESSAGE, content_type=""))


@pytest.mark.parametrize(
    ("created", "expires", "good"),
    [(0, 60, True), (-100, 20, True), (-300, -200, False), (100, 200, False), (0, 600, False), (0, 0, False)],
)
def test_a_request_is_made_about_now(created: int, expires: int, good: bool) -> None:
    assert in_time(RequestMarks("s", "n", NOW_S + created, NOW_S + expires), NOW_S) is good


def speak(centre: OpenCentre, speaker: Speaker | None, work: Callable[[CentreClient], Any], **at: Any) -> Any:
    """`at`: client_s, server_s, fate of the request, host the request comes from."""

    async def run() -> Any:
        inner = httpx.ASGITransport(
            make_app(centre, now_ms=lambda: at.get("server_s", NOW_S) * 1000), client=(at.get("host", "127.0.0.1"), 1)
        )
        transport = at["line"](inner) if "line" in at else inner
        clock = at.get("client_s", NOW_S)
        async with CentreClient("http://127.0.0.1", transport, speaker, lambda: clock * 1000) as client:
            return await work(client), client.offset.known_ms()

    return asyncio.run(run())


@pytest.fixture
def speaker(centre: OpenCentre) -> Speaker:
    signer = Signer(new_seed())
    enrol.admit_station(centre, "st-1", signer.public_key, "rehearsal", 0)
    return Speaker("st-1", signer, centre.centre)


def ask(client: CentreClient) -> Any:
    return client.feed("")


def test_a_clock_that_is_days_off_is_put_right_by_the_first_answer(centre: OpenCentre, speaker: Speaker) -> None:
    _, offset_ms = speak(centre, speaker, ask, client_s=NOW_S - 5 * 86400)
    assert offset_ms is not None
    assert abs(offset_ms - 5 * 86_400_000) <= 1000


def test_the_offset_is_a_median_and_follows_a_jump() -> None:
    offset = ClockOffset()
    assert offset.known_ms() is None
    for wrong_ms in (0, 0, 4000, 0):
        offset.learn(1_000_000 + wrong_ms, 1_000_500, 1_000_500)
    assert offset.ms == 0
    offset.learn(9_000_000, 1_000_500, 1_000_500)
    assert offset.ms == 8_000_000


def test_a_request_that_was_long_under_way_teaches_no_clock() -> None:
    """A chunk of footage on a slow line: the answer is made at its end, not in the middle."""
    offset = ClockOffset()
    offset.learn(1_000_000, 1_000_500, 1_000_500)
    for _ in range(5):
        offset.learn(1_060_000, 1_000_500, 1_060_500)
    assert offset.known_ms() == 0


class Replay(httpx.AsyncBaseTransport):
    """Sends each request twice, byte for byte; the second answer counts."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self.inner.handle_async_request(request)
        return await self.inner.handle_async_request(request)


def test_a_replayed_request_is_refused(centre: OpenCentre, speaker: Speaker) -> None:
    with pytest.raises(CentreRefused, match=r"auth.replay"):
        speak(centre, speaker, ask, line=Replay)


def test_nonces_are_forgotten_when_their_time_is_over(
    centre: OpenCentre, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By some of the requests; here by each."""
    monkeypatch.setattr("app.server.admit._SWEEPERS", frozenset(string.ascii_letters + string.digits + "-_"))
    speak(centre, speaker, ask)
    speak(centre, speaker, ask, client_s=NOW_S + 1000, server_s=NOW_S + 1000)
    with reading(centre.engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM nonce").scalar_one() == 1


def test_another_key_another_name_another_host(centre: OpenCentre, speaker: Speaker) -> None:
    stranger = replace(speaker, signer=Signer(new_seed()))
    with pytest.raises(CentreRefused, match=r"401 auth.signature"):
        speak(centre, stranger, ask)
    with pytest.raises(CentreRefused, match=r"404 station.unknown"):
        speak(centre, replace(speaker, station="st-2"), ask)
    with pytest.raises(CentreRefused, match=r"403 station.other"):
        speak(centre, speaker, lambda client: client.send(EventBatch.of("st-2", [])))
    with pytest.raises(CentreRefused, match=r"403 station.loopback_only"):
        speak(centre, speaker, ask, host="192.0.2.7")


def test_an_unsigned_request_is_refused_and_not_believed(centre: OpenCentre, speaker: Speaker) -> None:
    with pytest.raises(CentreRefused, match=r"auth.signature"):
        speak(centre, None, ask)


class Proxy(httpx.AsyncBaseTransport):
    """Ends the line itself and answers what it likes."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.answer


def test_what_a_proxy_says_can_only_make_us_wait(centre: OpenCentre, speaker: Speaker) -> None:
    revoked = httpx.Response(403, headers={"Retry-After": "9"}, json={"code": "station.revoked"})
    with pytest.raises(CentreRefused) as refused:
        speak(centre, speaker, ask, line=lambda _inner: Proxy(revoked))
    assert (refused.value.reason, refused.value.wait_ms) == ("", 9000)
    forged = httpx.Response(200, json={"text": "{}", "sig": base64.b64encode(bytes(64)).decode()})
    with pytest.raises(EvidenceTrouble, match=r"sync.untrusted_answer"):
        speak(centre, speaker, ask, line=lambda _inner: Proxy(forged))


class Again(httpx.AsyncBaseTransport):
    """Says the first answer again to every request after it: the centre's own words, byte for byte."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.kept: httpx.Response | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.kept is None:
            self.kept = await self.inner.handle_async_request(request)
        content = await self.kept.aread()
        return httpx.Response(self.kept.status_code, headers=self.kept.headers, content=content)


def test_an_answer_belongs_to_one_request(centre: OpenCentre, speaker: Speaker) -> None:
    """The same question by the same station, a moment later; and an answer that says no nonce at all."""
    answered: list[Signed] = []

    async def twice(client: CentreClient) -> None:
        answered.append(await client.feed(""))
        answered.append(await client.feed(""))

    with pytest.raises(EvidenceTrouble, match=r"sync.untrusted_answer"):
        speak(centre, speaker, twice, line=Again)
    assert len(answered) == 1
    with pytest.raises(BadSignature):
        check_answer({}, 200, content_digest(b""), "n", verifier(centre.signer.public_key))


# Enrolment


def apply(centre: OpenCentre, applicant: Applicant, **at: Any) -> Any:
    return speak(centre, None, lambda client: ask_to_join(client, applicant), **at)[0]


def fresh_code(centre: OpenCentre, name: str = "st-9", **options: Any) -> str:
    return enrol.make_code(centre, name, options.pop("role", "rehearsal"), NOW_S * 1000, **options)


def join(centre: OpenCentre, code: str, rehearsal: bool = True) -> Applicant:
    return Applicant(Signer(new_seed()), code, rehearsal, centre.centre)


def test_a_code_joins_one_key_and_gives_the_same_answer_again(centre: OpenCentre) -> None:
    code = fresh_code(centre, confirm=False)
    first = join(centre, code.lower().replace("-", " "))
    told = apply(centre, first)
    assert (told.station, told.state, told.centre) == ("st-9", "active", centre.centre)
    assert apply(centre, first) == told
    speak(centre, Speaker("st-9", first.signer, told.centre), ask)
    with pytest.raises(BadInput, match=r"enrol.used"):
        apply(centre, join(centre, code))
    assert [row.get("alarm") for row in report(centre.engine, "quarantine")] == ["enrol.used"]


def test_a_code_is_known_fresh_and_for_this_kind(centre: OpenCentre) -> None:
    with pytest.raises(BadInput, match=r"enrol.code"):
        apply(centre, join(centre, "00000-00000"))
    late = fresh_code(centre, "late")
    with pytest.raises(BadInput, match=r"enrol.code"):
        apply(centre, join(centre, late), server_s=NOW_S + 901)
    store = fresh_code(centre, "shop", role="store")
    with pytest.raises(BadInput, match=r"enrol.kind"):
        apply(centre, join(centre, store))
    apply(centre, join(centre, store, rehearsal=False))
    with pytest.raises(BadInput, match=r"station.taken"):
        fresh_code(centre, "shop")
    with pytest.raises(BadInput, match=r"station.role"):
        fresh_code(centre, "x", role="king")


def test_a_station_waits_until_its_words_are_confirmed(centre: OpenCentre) -> None:
    asking = join(centre, fresh_code(centre))
    with pytest.raises(Unavailable, match=r"station.pending"):
        require_active(apply(centre, asking))
    assert enrol.waiting_words(centre.engine, centre.centre) == {"st-9": asking.words}
    with pytest.raises(CentreRefused, match=r"station.pending"):
        speak(centre, Speaker("st-9", asking.signer, centre.centre), ask)
    enrol.confirm_station(centre, "st-9", NOW_S * 1000)
    assert require_active(apply(centre, asking)).state == "active"
    with pytest.raises(BadInput, match=r"station.state"):
        enrol.confirm_station(centre, "st-9", NOW_S * 1000)


def test_who_does_not_know_the_code_cannot_hand_out_keys(centre: OpenCentre, tmp_path: Path) -> None:
    """A man in the middle with a centre of his own: its answer is signed, but not proved by the code.

    He described that centre before, too, so that all fits; where nobody compares the words only the proof is left.
    """
    init(tmp_path / "other")
    other = open_centre(tmp_path / "other")
    asking = join(centre, fresh_code(centre, confirm=False))
    stolen = apply(centre, asking)

    class Middle(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            forged = stolen.model_copy(update={"centre": other.centre})
            signed = sign_statement(forged, other.signer.sign)
            proof = enrolment_proof(code_key("11111-11111"), "centre", signed.text)
            body = EnrolmentAnswer.model_construct(enrolled=signed, proof=proof).model_dump_json()
            return httpx.Response(200, content=body)

    for described in (centre.centre, other.centre):
        with pytest.raises(EvidenceTrouble, match=r"enrol.untrusted: proof"):
            apply(centre, replace(asking, centre=described), line=lambda _inner: Middle())
    other.engine.dispose()


def test_who_knows_the_code_speaks_of_our_key_and_by_the_key_that_the_root_names(centre: OpenCentre) -> None:
    """Who overheard the code can prove it: what he hands out still has to be for us, and the root's."""
    code = fresh_code(centre, confirm=False)
    asking = join(centre, code)
    told = apply(centre, asking)
    root = Signer(bytes.fromhex((centre.folder.vault / "root.key").read_text()))
    other = ServerCertificate(tenant=centre.centre.tenant, public_key=Signer(new_seed()).public_key.hex())
    named = centre.centre.model_copy(update={"server": sign_statement(other, root.sign)})

    def answered(text: Enrolled) -> Any:
        signed = sign_statement(text, centre.signer.sign)
        proof = enrolment_proof(code_key(code), "centre", signed.text)
        body = EnrolmentAnswer.model_construct(enrolled=signed, proof=proof).model_dump_json()
        return lambda _inner: httpx.MockTransport(lambda _request: httpx.Response(200, content=body))

    assert apply(centre, asking, line=answered(told)) == told
    strangers = told.model_copy(update={"public_key": Signer(new_seed()).public_key.hex()})
    with pytest.raises(EvidenceTrouble, match=r"enrol.untrusted: key"):
        apply(centre, asking, line=answered(strangers))
    with pytest.raises(EvidenceTrouble, match=r"enrol.untrusted: centre"):
        apply(centre, replace(asking, centre=named), line=answered(told.model_copy(update={"centre": named})))


def test_the_words_speak_of_all_that_is_pinned(centre: OpenCentre, tmp_path: Path) -> None:
    """Who stands between shows another authority: the words differ; who changes his story is not believed."""
    init(tmp_path / "other")
    other = open_centre(tmp_path / "other")
    asking = join(centre, fresh_code(centre, confirm=False))
    for name in ("tenant", "root_key", "server_key", "ca"):
        changed = centre.centre.model_copy(update={name: getattr(other.centre, name)})
        assert replace(asking, centre=changed).words != asking.words
        with pytest.raises(EvidenceTrouble, match=r"enrol.untrusted: centre"):
            apply(centre, replace(asking, centre=changed))
    other.engine.dispose()


def test_a_revoked_station_is_told_so_and_its_events_are_kept_aside(centre: OpenCentre, speaker: Speaker) -> None:
    enrol.revoke_station(centre, "st-1", NOW_S * 1000)
    with pytest.raises(CentreRefused, match=r"403 station.revoked"):
        speak(centre, speaker, ask)


def test_six_words_tell_keys_apart() -> None:
    words = {six_words(Signer(new_seed()).public_key) for _ in range(50)}
    assert len(words) == 50
    assert all(len(word) == 5 for line in words for word in line.split())
