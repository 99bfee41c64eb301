"""HTTP with the centre: sends what it is given, tells why it did not work, decides nothing."""

from __future__ import annotations

import ipaddress
import secrets
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from app.centre_keys import by_now, followed, is_known
from app.core.errors import BadInput, EvidenceTrouble, Unavailable
from app.keys import Signer
from app.signing import (
    LIFETIME_S,
    BadSignature,
    Message,
    RequestMarks,
    SignedAnswer,
    answering_key,
    check_answer,
    sign_request,
)
from app.store.store import Store
from app.sync.body import AS_IT_IS, Body, whole_answer
from app.sync.offset import ClockOffset
from app.wire import (
    DIGEST_HEADER,
    BatchAnswer,
    CatalogueBundle,
    Centre,
    DecisionsExpired,
    DecisionsGiven,
    EventBatch,
    ObjectPlace,
    ObjectsAnswer,
    ObjectSize,
    ObjectsWanted,
    Signed,
    StoredObject,
    Transfer,
    VideoAnswer,
    content_digest,
    digest_field,
)
from app.wire_enrol import Enrolment, EnrolmentAnswer
from app.wire_vault import (
    Arrivals,
    Findings,
    FindingsKept,
    KeyChanged,
    KeyKept,
    PeopleKept,
    RevealApproval,
    RevealAsked,
    RevealLog,
    RevealsOpen,
    RevealState,
    RevealTasks,
    RevealVerdict,
    VaultPeople,
)
from app.wire_witness import CheckpointAnswer, Cosigned, Cosigning, WitnessAnswer, WitnessWanted

M = TypeVar("M", bound=BaseModel)

_JSON = "application/json"
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)


_TOLD = {
    "auth.signature": "sync.other_key",
    "auth.clock": "auth.clock",
    "station.unknown": "sync.unknown_station",
    "station.pending": "station.pending",
    "station.loopback_only": "station.loopback_only",
    "store.disk_full": "sync.centre_full",
    "store.objects_away": "sync.bucket_away",
    "bucket": "sync.bucket_refused",
}
"""Which of the centre's own words (and of the bucket it names) tell what to do; all else is `sync.refused`."""


class CentreRefused(Unavailable):
    """The centre answered, but not as wished: code sync.refused, or a nearer one for what people can mend.

    `reason` is the centre's own code ("" where the answer was not signed), `status` HTTP's, `wait_ms` what Retry-After
    asked for (0: nothing), `answer` what the centre signed, where it did.
    """

    def __init__(self, reason: str, status: int, wait_ms: int = 0, answer: SignedAnswer | None = None) -> None:
        super().__init__(_TOLD.get(reason, "sync.refused"), f"{status} {reason}".strip())
        self.reason = reason
        self.status = status
        self.wait_ms = wait_ms
        self.answer = answer


def require_loopback(url: str) -> None:
    """A rehearsal speaks with this machine only. Raises BadInput("sync.rehearsal_off_loopback")."""
    host = urlsplit(url).hostname or ""
    try:
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise BadInput("sync.rehearsal_off_loopback", host)


def require_private(url: str) -> None:
    """Off this machine only TLS will do. Raises BadInput("sync.plain_off_loopback")."""
    if urlsplit(url).scheme == "https":
        return
    try:
        require_loopback(url)
    except BadInput as off:
        raise BadInput("sync.plain_off_loopback", off.detail) from off


def trusted_by(centre: Centre) -> ssl.SSLContext:
    """TLS 1.3 with the authority that is pinned, and no other; one that pins none trusts the system's."""
    context = ssl.create_default_context(cadata=centre.ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _whoever_answers() -> ssl.SSLContext:
    """Before anything is pinned. Who answers proves itself by the enrolment code, and six words are compared."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


@dataclass(frozen=True, slots=True, repr=False)
class Speaker:
    """Who speaks with which centre. Holds the signing key, so it does not print.

    `earlier`: keys that signed before, the newest first: the centre may not have heard of the newest yet, or no more.
    """

    station: str
    signer: Signer
    centre: Centre
    earlier: tuple[Signer, ...] = ()

    @classmethod
    def of(cls, store: Store) -> Speaker:
        """The station of a store, with its keys of now."""
        identity = store.ledger.identity_now()
        return cls(identity.station, identity.signer, identity.centre, identity.earlier)


class CentreClient:
    """Speaks with the centre at `url`. An async context manager; `transport` replaces the network in tests.

    `speaker` signs the requests; without one only enrolment and what everybody may ask works. `clock_ms`: this
    machine's wall clock; how far it is from the centre's is learnt from signed answers. `spare`: further addresses of
    the same centre, asked when one gives no answer. Every call raises
    Unavailable when there is no answer (sync.offline) or not the pinned centre's (sync.tls), CentreRefused when it is
    not a good one, EvidenceTrouble("sync.untrusted_answer") when a good one is not by the centre.
    """

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport | None = None,
        speaker: Speaker | None = None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        spare: Sequence[str] = (),
    ) -> None:
        self._urls = deque([url, *spare])
        if transport is None:
            for one in self._urls:
                require_private(one)
        trusted: ssl.SSLContext | bool = False  # there is nothing to trust in plain HTTP
        if any(urlsplit(one).scheme == "https" for one in self._urls):
            trusted = trusted_by(speaker.centre) if speaker else _whoever_answers()
        # trust_env off: a proxy or netrc of the environment has no business between station and centre.
        self._http = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, transport=transport, trust_env=False, verify=trusted, headers=AS_IT_IS
        )
        self._speaker = speaker
        self._signers = deque([speaker.signer, *speaker.earlier] if speaker else ())
        self._clock_ms = clock_ms
        self.on_newer_key: Callable[[Centre], Awaitable[None]] = _nowhere
        """Keeps what is pinned, with a newer key of the centre that the pinned root names; before it is believed."""

        self.offset = ClockOffset()

    def speak_as(self, speaker: Speaker) -> None:
        """The same station, perhaps with another key since it spoke last, its own or the centre's."""
        if self._speaker is None or self._speaker.signer.public_key != speaker.signer.public_key:
            self._signers = deque([speaker.signer, *speaker.earlier])
        self._speaker = speaker

    async def __aenter__(self) -> CentreClient:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def enrol(self, asked: Enrolment) -> EnrolmentAnswer:
        """Ask to join by a code."""
        return await self._post("/v1/enrol", asked, EnrolmentAnswer)

    async def send(self, batch: EventBatch) -> BatchAnswer:
        """Send a batch of events with their sealed blobs."""
        return await self._post("/v1/events", batch, BatchAnswer)

    async def feed(self, cursor: str) -> Signed:
        """The next page of the feed, as it was signed."""
        return await self._exchange("GET", "/v1/feed", Signed, params={"cursor": cursor})

    async def decisions_again(self, expired: Sequence[Signed]) -> int:
        """Ask for decisions that ran out; how many are given again, by the feed."""
        wanted = DecisionsExpired(decisions=tuple(expired))
        return (await self._post("/v1/decisions/again", wanted, DecisionsGiven)).given

    async def catalogue(self, version: str) -> CatalogueBundle:
        """A published catalogue, by its version."""
        return await self._exchange("GET", f"/v1/catalogue/{version}", CatalogueBundle)

    async def checkpoint(self, since: Sequence[int], elsewhere: str | None = None) -> CheckpointAnswer:
        """The log's latest checkpoint, with proofs that it begins with these sizes; `elsewhere`: and with what other
        stations behind that name saw.
        """
        params: dict[str, str | Sequence[str]] = {"since": [str(size) for size in since or (0,)]}
        params |= {} if elsewhere is None else {"elsewhere": elsewhere}
        answer = await self._exchange("GET", "/v1/checkpoint", CheckpointAnswer, params=params)
        return answer if since else answer.model_copy(update={"proofs": ()})

    async def cosign(self, told: Cosigning) -> Cosigned:
        """Hand in our line under a checkpoint."""
        return await self._post("/v1/checkpoint/cosign", told, Cosigned)

    async def objects(self, wanted: ObjectsWanted) -> ObjectsAnswer:
        """Which chunks the centre lacks, and where they go."""
        return await self._post("/v1/objects/batch", wanted, ObjectsAnswer)

    async def put_object(self, place: ObjectPlace, content: bytes, bytes_s: int = 0) -> None:
        """Put one chunk where the centre wants it: to itself, or into a bucket, which it then reads back.

        `bytes_s`: no faster than that; 0: as fast as the line carries it.
        """
        upload, body = place.actions["upload"], Body(content, bytes_s)
        try:
            if "://" not in upload.href:
                kind = "application/octet-stream"
                named = digest_field(bytes.fromhex(place.oid))  # the chunk's name, checked when it was read
                await self._exchange("PUT", upload.href, StoredObject, content=body, content_type=kind, digest=named)
            else:
                await self._put_outside(upload, body)
        finally:
            body.let_go()
        if verify := place.actions.get("verify"):
            await self._post(verify.href, ObjectSize(oid=place.oid, size=place.size), StoredObject)

    async def _put_outside(self, upload: Transfer, body: Body) -> None:
        """A presigned request to a bucket: nothing of ours goes with it but the encrypted bytes."""
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, headers=AS_IT_IS) as http:
            try:
                headers = {**body.headers, **upload.header}
                request = http.build_request("PUT", upload.href, content=body, headers=headers)
                answer = await whole_answer(http, request)
            except httpx.HTTPError as away:
                raise Unavailable("sync.bucket_away", type(away).__name__) from away
        # 412: the bucket has this name already; whether it is right the centre sees when it reads it back.
        if not answer.is_success and answer.status_code != httpx.codes.PRECONDITION_FAILED:
            raise CentreRefused("bucket", answer.status_code, _wait_ms(answer))

    async def put_manifest(self, recording: str, manifest: Signed) -> VideoAnswer:
        """Hand in a recording's manifest."""
        content = manifest.model_dump_json().encode()
        path = f"/v1/videos/{recording}"
        return await self._exchange("PUT", path, VideoAnswer, content=content, content_type=_JSON)

    async def witness(self, wanted: WitnessWanted) -> WitnessAnswer:
        """What the centre saw of a recording."""
        return await self._post("/v1/witness", wanted, WitnessAnswer)

    async def arrivals(self, after: str | None = None) -> Arrivals:
        """For the vault: cards it has not looked at; with `after` all there are, after that cursor ("": the first)."""
        params = None if after is None else {"all": after or "-"}
        return await self._exchange("GET", "/v1/vault/arrivals", Arrivals, params=params)

    async def tell_findings(self, findings: Findings) -> FindingsKept:
        """For the vault: what it found."""
        return await self._post("/v1/vault/findings", findings, FindingsKept)

    async def tell_people(self, told: VaultPeople) -> PeopleKept:
        """For the vault: who may ask to see secrets, and who no longer."""
        return await self._post("/v1/vault/people", told, PeopleKept)

    async def ask_reveal(self, asked: RevealAsked) -> RevealState:
        """Bring a person's request to see a secret."""
        return await self._post("/v1/reveals", asked, RevealState)

    async def reveal_state(self, name: str) -> RevealState:
        """How a request of this station stands."""
        return await self._exchange("GET", f"/v1/reveals/{name}", RevealState)

    async def open_reveals(self) -> RevealsOpen:
        """Requests that wait for a second person."""
        return await self._exchange("GET", "/v1/reveals", RevealsOpen)

    async def approve_reveal(self, name: str, told: RevealApproval) -> RevealState:
        """Hand in a second person's signature."""
        return await self._post(f"/v1/reveals/{name}/approve", told, RevealState)

    async def refuse_reveal(self, name: str, told: RevealApproval) -> RevealState:
        """Hand in a second person's refusal."""
        return await self._post(f"/v1/reveals/{name}/refuse", told, RevealState)

    async def withdraw_reveal(self, name: str) -> RevealState:
        """Nobody waits for the answer any more."""
        return await self._exchange("DELETE", f"/v1/reveals/{name}", RevealState)

    async def reveal_log(self, who: str) -> RevealLog:
        """Requests that concern this station, and what `who` may see today without a second person."""
        return await self._exchange("GET", "/v1/reveal-log", RevealLog, params={"who": who})

    async def reveal_tasks(self) -> RevealTasks:
        """For the vault: requests it has not answered."""
        return await self._exchange("GET", "/v1/vault/reveals", RevealTasks)

    async def tell_reveal(self, name: str, verdict: RevealVerdict) -> RevealState:
        """For the vault: its next word on a request."""
        return await self._post(f"/v1/vault/reveals/{name}", verdict, RevealState)

    async def change_key(self, told: KeyChanged) -> KeyKept:
        """For the vault: another key signs its requests from now on."""
        return await self._post("/v1/vault/key", told, KeyKept)

    async def centre(self) -> Centre:
        """What there is to pin of a centre."""
        return await self._exchange("GET", "/v1/centre", Centre)

    async def _post(self, path: str, body: BaseModel, kind: type[M]) -> M:
        content = body.model_dump_json().encode()
        return await self._exchange("POST", path, kind, content=content, content_type=_JSON)

    async def _exchange(
        self,
        method: str,
        path: str,
        kind: type[M],
        *,
        content: bytes | Body = b"",
        content_type: str = "",
        params: Mapping[str, str | Sequence[str]] | None = None,
        digest: str = "",
    ) -> M:
        """One request; a refused clock is put right by the centre's signed time, and asked once more; a refused key is
        another one's turn.

        Where an address gives no answer the next is asked at once: a request may arrive twice, it counts once.
        """

        async def ask() -> httpx.Response:
            headers = content.headers if isinstance(content, Body) else None
            request = self._http.build_request(method, path, content=content, params=params, headers=headers)
            return await self._asked(request, content_type, digest)

        for left in reversed(range(len(self._signers) or 1)):
            try:
                answer = await self._in_time(ask)
                break
            except CentreRefused as refused:
                if refused.reason != "auth.signature" or not left:
                    raise
                self._signers.rotate(-1)  # the centre's own word: it holds us to another of our keys
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as wrong:
            raise CentreRefused("answer not understood", answer.status_code) from wrong

    async def _in_time(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        try:
            return await self._at_some_address(ask)
        except CentreRefused as refused:
            if refused.reason != "auth.clock":
                raise
        return await ask()

    async def _at_some_address(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """The answer of the first address that gives one; the next request begins there."""
        for _ in range(len(self._urls) - 1):
            try:
                return await ask()
            except CentreRefused as refused:
                if refused.wait_ms or (refused.reason and refused.status < 500):
                    raise  # a wish to be waited for, or the centre's own word
            except (Unavailable, EvidenceTrouble):
                pass  # nobody there, or not the pinned centre: perhaps at the next address it is
            self._urls.rotate(-1)
            self._http.base_url = httpx.URL(self._urls[0])
        return await ask()

    async def _asked(self, request: httpx.Request, content_type: str, digest: str) -> httpx.Response:
        """Sign, send, check: a good answer, or the reason why there is none."""
        digest = digest or content_digest(request.content)
        request.headers[DIGEST_HEADER] = digest
        if content_type:
            request.headers["Content-Type"] = content_type
        nonce = self._sign(request, digest, content_type)
        asked_ms = self._clock_ms()
        try:
            answer = await whole_answer(self._http, request)
        except httpx.HTTPError as away:
            code = "sync.tls" if _is_tls(away) else "sync.offline"
            raise Unavailable(code, type(away).__name__) from away
        believed = not nonce or self._believed(answer, nonce, asked_ms)
        if not believed and await self._newer_key(answer):
            believed = self._believed(answer, nonce, asked_ms)
        if answer.status_code != httpx.codes.OK:
            # What a proxy in between says is no word of the centre: it can make us wait, nothing else.
            raise _refusal(answer, believed)
        if not believed:
            raise EvidenceTrouble("sync.untrusted_answer", request.url.path)
        return answer

    def _sign(self, request: httpx.Request, digest: str, content_type: str) -> str:
        """Sign for the centre's canonical URL, whatever address leads there; the nonce, "" without a speaker."""
        if self._speaker is None:
            return ""
        target = self._speaker.centre.base_url + request.url.raw_path.decode("ascii")
        now_s, nonce = (self._clock_ms() + self.offset.ms) // 1000, secrets.token_urlsafe(18)
        marks = RequestMarks(self._speaker.station, nonce, now_s, now_s + LIFETIME_S)
        message = Message(request.method, target, digest, content_type)
        request.headers.update(sign_request(self._signers[0], message, marks))
        return nonce

    def _believed(self, answer: httpx.Response, nonce: str, asked_ms: int) -> bool:
        if self._speaker is None:
            return False
        verify = by_now(self._speaker.centre, self._clock_ms() + self.offset.ms)
        try:
            digest = content_digest(answer.content)
            server_s = check_answer(answer.headers, answer.status_code, digest, nonce, verify)
        except BadSignature:
            return False
        self.offset.learn(server_s * 1000, asked_ms, self._clock_ms())
        return True

    async def _newer_key(self, answer: httpx.Response) -> bool:
        """Whether the centre names a key, by the pinned root, that is newer than what is pinned; it is pinned then.

        Asked only where an answer says that a key signed it which is not known here.
        """
        name = answering_key(answer.headers)
        if self._speaker is None or not name or is_known(name, self._speaker.centre):
            return False
        try:
            told = await whole_answer(self._http, self._http.build_request("GET", "/v1/centre"))
            after = followed(self._speaker.centre, Centre.model_validate_json(told.content))
        except (httpx.HTTPError, ValidationError, EvidenceTrouble):
            return False  # whatever it was, it names no such key
        if after is None:
            return False
        await self.on_newer_key(after)
        self._speaker = replace(self._speaker, centre=after)
        return True


async def _nowhere(_centre: Centre) -> None:
    """For who speaks once only: the next one asks again."""


def _refusal(answer: httpx.Response, believed: bool) -> CentreRefused:
    try:
        reason = str(answer.json()["code"])[:80] if believed else ""
    except (ValueError, KeyError, TypeError):
        reason = ""
    signed = SignedAnswer.of(answer.status_code, answer.headers, answer.content) if believed else None
    return CentreRefused(reason, answer.status_code, _wait_ms(answer), signed)


def _wait_ms(answer: httpx.Response) -> int:
    asked = answer.headers.get("Retry-After", "")
    return min(int(asked), 3600) * 1000 if asked.isdigit() else 0
