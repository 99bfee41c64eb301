"""Footage: each chunk once, whole or not at all, and no word of `durable` before all of it lies there."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from app.core.audit import Stamp
from app.core.cards import CardState
from app.core.errors import EvidenceTrouble
from app.evidence import journal
from app.evidence.ring import Picture
from app.evidence.side import VaultLock, open_side
from app.evidence.storage import pictures_in, remove_footage
from app.evidence.verify import verify_recording
from app.evidence.writer import Origin, RecordingKeys, create_recording
from app.server.objects import _adds_originals
from app.server.report import report
from app.server.setup import OpenCentre
from app.store.seal import SUITE, Context, info_of
from app.sync import bringing, footage
from app.sync.footage import chunks_of, open_journal
from app.sync.pace import FootageTerms
from app.sync.worker import SyncListeners, SyncPlan, SyncWorker
from app.wire import Piece, VideoManifest

STAMP = Stamp(1_790_000_000_000_000, 5, "boot")


VAULT = X25519PrivateKey.from_private_bytes(bytes(range(7, 39)))
LOCK = VaultLock("vk-1", VAULT.public_key().public_bytes_raw())


def film(party: Any, folder: Path, parts: int = 2) -> Path:
    """A closed recording in a new folder: six fragments a part, and the originals of one in three, sealed."""
    name = folder.name
    key = party.store.new_recording(name, "p-1", STAMP, "1001").key
    folder.parent.mkdir(exist_ok=True)
    keys = RecordingKeys(key, party.store.signing_seed, LOCK)
    writer = create_recording(folder, keys, Origin(name, "none:", True, True, "0"))
    for part in range(parts):
        start = part * 10_000_000
        writer.begin_part(1280, 720, writer.pts(1000) + start)
        writer.add_init(os.urandom(700))
        for n in range(6):
            at = start + n * 500_000
            if n % 3 == 0:
                writer.add_side(Picture(1000 + at, 1280, 720, "mjpeg", os.urandom(25_000)), at)
            writer.add_fragment(os.urandom(15_000), at, at + 1, 15, 0)
    root = writer.close("test")
    party.store.close_recording(name, writer.head, root, writer.frames, STAMP, "1001")
    return folder


def chunks(party: Any, folder: Path) -> list[Any]:
    found = party.store.find_recording(folder.name)
    return chunks_of(folder, found.key, found.final_hash)


@pytest.fixture
def filmed(party: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A closed recording `r-1` of 12 fragments in two parts, cut into small chunks."""
    monkeypatch.setattr(footage, "CHUNK_BYTES", 40_000)
    return film(party, tmp_path / "recordings" / "r-1")


def bring(party: Any, folder: Path) -> None:
    async def run() -> None:
        exchange = party.exchange()
        exchange.recordings, exchange.chance = folder.parent, lambda: 0.0
        async with exchange.client:
            await exchange.round()

    asyncio.run(run())


def puts(party: Any) -> list[str]:
    sent = (r for r in party.line.requests if r.method == "PUT" and r.url.path.startswith("/v1/objects/"))
    return [request.url.path.rsplit("/", 1)[1] for request in sent]


def durable(party: Any, name: str = "r-1") -> bool:
    return bool(party.writer.call(lambda store: store.is_durable(name)))


def there(party: Any, centre: OpenCentre, folder: Path, to: Path) -> Path:
    """The recording as it lies at the centre."""
    to.mkdir()
    key = party.store.find_recording(folder.name).key
    for chunk in chunks(party, folder):
        data = (centre.folder.objects / chunk.piece.oid[:2] / chunk.piece.oid).read_bytes()
        assert hashlib.sha256(data).hexdigest() == chunk.piece.oid
        if chunk.piece.file == journal.NAME:
            data = open_journal(data, key)
        with (to / chunk.piece.file).open("ab") as file:
            file.write(data)
    return to


def test_a_recording_arrives_whole_and_can_be_read_there(
    party: Any, centre: OpenCentre, filmed: Path, tmp_path: Path
) -> None:
    bring(party, filmed)
    assert durable(party)
    assert len(chunks(party, filmed)) > 5
    assert puts(party) == [chunk.piece.oid for chunk in chunks(party, filmed)]
    copy, key = there(party, centre, filmed, tmp_path / "there"), party.store.find_recording("r-1").key
    assert verify_recording(copy, party.store.public_key.hex(), key).ok  # it decrypts each fragment
    bring(party, filmed)
    assert len(puts(party)) == len(chunks(party, filmed))


def test_the_sealed_originals_are_at_the_centre_before_they_may_go(
    party: Any, centre: OpenCentre, filmed: Path, tmp_path: Path
) -> None:
    """`durable` lets the station remove all pictures of a recording: those that only the vault opens as well."""
    before = {path.name: path.read_bytes() for path in pictures_in(filmed)}
    assert sum(name.startswith("side-") for name in before) == 1
    bring(party, filmed)
    assert durable(party)
    copy = there(party, centre, filmed, tmp_path / "there")
    remove_footage(filmed)
    assert pictures_in(filmed) == []
    assert {path.name: path.read_bytes() for path in pictures_in(copy)} == before
    [side] = copy.glob("side-*.bin")
    assert len(list(open_side(side, VAULT))) == 4
    assert verify_recording(copy, party.store.public_key.hex(), party.store.find_recording("r-1").key).ok


def test_originals_that_an_earlier_release_left_here_are_brought_once(
    party: Any, centre: OpenCentre, filmed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that was durable without its side stream: the reviewable parts are not sent again."""
    with monkeypatch.context() as earlier:
        earlier.setattr(bringing, "chunks_of", lambda *words: [c for c in chunks_of(*words) if not of_side(c.piece)])
        earlier.setattr(bringing, "lacks_originals", lambda *_words: False)
        bring(party, filmed)
    assert durable(party)
    before = puts(party)
    sides = [chunk.piece.oid for chunk in chunks(party, filmed) if of_side(chunk.piece)]
    assert sides
    assert not set(sides) & set(before)
    bring(party, filmed)
    assert puts(party) == before + sides
    [side] = there(party, centre, filmed, tmp_path / "there").glob("side-*.bin")
    assert len(list(open_side(side, VAULT))) == 4
    sent = len(party.line.requests)
    bring(party, filmed)
    assert not [r for r in party.line.requests[sent:] if "/objects" in r.url.path or "/videos" in r.url.path]


@pytest.mark.parametrize("harm", ["part", "less", "order"])
def test_no_other_manifest_takes_the_place_of_one(party: Any, centre: OpenCentre, filmed: Path, harm: str) -> None:
    """What is added must be of the side stream, and all that was there must stay as it was."""
    bring(party, filmed)
    pieces = tuple(chunk.piece for chunk in chunks(party, filmed))
    row = VideoManifest(station="st-1", recording="r-1", final_hash="00", pieces=pieces, key=b"")
    more = pieces[0].model_copy(update={"file": "part-9-x.bin", "oid": "ab" * 32})
    side = pieces[0].model_copy(update={"file": "side-9-x.bin", "oid": "cd" * 32})
    assert _adds_originals(row, row.model_copy(update={"pieces": (*pieces, side)}))
    assert not _adds_originals(row, row.model_copy(update={"pieces": (*pieces, side), "final_hash": "11"}))
    other = {"part": (*pieces, more), "less": (*pieces[1:], side), "order": (*reversed(pieces), side)}[harm]
    assert not _adds_originals(row, row.model_copy(update={"pieces": other}))


def of_side(piece: Piece) -> bool:
    return piece.file.startswith("side-")


def test_a_recording_of_nothing_but_originals_is_brought(party: Any, filmed: Path) -> None:
    folder = filmed.parent / "r-2"
    keys = RecordingKeys(party.store.new_recording("r-2", "p-1", STAMP, "1001").key, party.store.signing_seed, LOCK)
    writer = create_recording(folder, keys, Origin("r-2", "none:", True, True, "0"))
    writer.add_side(Picture(1000, 1280, 720, "mjpeg", os.urandom(90_000)), 0)
    root = writer.close("test")
    party.store.close_recording("r-2", writer.head, root, 0, STAMP, "1001")
    assert [chunk.piece.file[:5] for chunk in chunks(party, folder)] == ["side-"] * 3 + ["journ"]
    bring(party, filmed)
    assert durable(party, "r-2")


@pytest.mark.warns
@pytest.mark.parametrize("harm", ["flip", "cut", "add"])
def test_a_journal_that_is_not_the_closed_one_never_becomes_durable(party: Any, filmed: Path, harm: str) -> None:
    """Reading stops at the first bad line: what follows it was not brought, and yet the receipt freed it."""
    path = filmed / journal.NAME
    data = bytearray(path.read_bytes())
    lines = bytes(data).splitlines(keepends=True)
    middle = next(n for n, line in enumerate(lines) if b'"part":2' in line and b'"kind":"part"' in line)
    if harm == "flip":
        data[sum(len(line) for line in lines[:middle]) + 40] ^= 1
    path.write_bytes({"flip": bytes(data), "cut": b"".join(lines[:middle]), "add": bytes(data) + b"{}\n"}[harm])
    with pytest.raises(EvidenceTrouble, match=r"evidence.journal_differs"):
        chunks(party, filmed)
    bring(party, filmed)
    assert not durable(party)
    assert puts(party) == []


def test_the_vault_finds_the_key_in_the_manifest(party: Any, centre: OpenCentre, filmed: Path) -> None:
    bring(party, filmed)
    with centre.engine.connect() as connection:
        text = connection.exec_driver_sql("SELECT manifest FROM video").scalar_one()
    blob = VideoManifest.model_validate_json(text).key
    [path] = [path for path in centre.folder.vault.iterdir() if path.name != "root.key"]
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text()))
    context = Context(centre.centre.tenant, party.store.station, "r-1", "recording-key")
    padded = SUITE.decrypt(blob[12:], private, info=info_of(context, path.stem))
    assert padded.rstrip(b"\0")[:-1].decode() == party.store.find_recording("r-1").key.hex()


@pytest.mark.warns
@pytest.mark.parametrize("fate", ["cut", "lost", "flip", "busy", "twice"])
def test_whatever_happens_to_a_chunk_it_is_sent_again_and_only_it(party: Any, filmed: Path, fate: str) -> None:
    seen: list[str] = []

    def fates(request: httpx.Request) -> str:
        if request.method == "PUT":
            seen.append(request.url.path)
        return fate if len(seen) == 3 and request.method == "PUT" else ""

    party.line.fate = fates
    bring(party, filmed)
    assert not durable(party)
    party.line.fate = lambda _request: ""
    party.writer.call(lambda store: store.save_retry(type(store.retry_state())(), "footage"))
    bring(party, filmed)
    assert durable(party)
    again = len(puts(party)) - len(set(puts(party)))
    assert again == (0 if fate in ("lost", "twice") else 1)


@pytest.mark.warns
def test_footage_waits_on_its_own(party: Any, filmed: Path) -> None:
    """Its failures do not make events wait, and its next try lies in the database."""
    party.line.fate = lambda request: "busy" if request.url.path.startswith("/v1/objects") else ""
    bring(party, filmed)
    first = len(party.line.requests)
    card = party.keep()
    bring(party, filmed)
    assert party.state_of(card) is CardState.ACCEPTED
    assert not [r for r in party.line.requests[first:] if r.url.path.startswith("/v1/objects")]


def test_events_go_between_two_chunks(party: Any, filmed: Path) -> None:
    def fates(request: httpx.Request) -> str:
        if request.method == "PUT" and len(puts(party)) == 2:
            party.keep()
        return ""

    party.line.fate = fates
    bring(party, filmed)
    paths = [r.url.path for r in party.line.requests if r.method in ("PUT", "POST")]
    third = [n for n, path in enumerate(paths) if path.startswith("/v1/objects/") and "batch" not in path][1]
    assert paths[third + 1] == "/v1/events"


@pytest.mark.warns
def test_a_chunk_that_was_lost_there_is_asked_for_again(party: Any, centre: OpenCentre, filmed: Path) -> None:
    honest = party.line.handle_async_request
    lost: list[Path] = []

    async def losing(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/v1/videos/") and not lost:
            lost.append(next(path for path in centre.folder.objects.rglob("*") if path.is_file()))
            lost[0].unlink()
        return await honest(request)

    party.line.handle_async_request = losing
    bring(party, filmed)
    assert not durable(party)
    bring(party, filmed)
    assert durable(party)
    assert lost[0].is_file()


def test_footage_that_changed_on_the_disk_is_not_sent(party: Any, filmed: Path) -> None:
    chunk = chunks(party, filmed)[0]
    path = chunk.path
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(EvidenceTrouble, match=r"evidence.content_differs"):
        chunk.read()
    with pytest.raises(EvidenceTrouble, match=r"evidence.bytes_changed"):
        chunks(party, filmed)


def test_the_centre_lists_what_it_holds(party: Any, centre: OpenCentre, filmed: Path) -> None:
    bring(party, filmed)
    listed = report(centre.engine, "objects")
    assert listed[0]["video"] == "r-1"
    assert listed[0]["bytes"] == sum(row["bytes"] for row in listed[1:])


@pytest.mark.warns
@pytest.mark.parametrize("harm", ["gone", "cut", "refused"])
def test_a_recording_that_cannot_be_brought_holds_up_no_other(party: Any, filmed: Path, harm: str) -> None:
    """It did: recordings went oldest first, and the first trouble ended the round for all, every time."""
    film(party, filmed.parent / "r-2", parts=1)
    part = next(filmed.glob("part-0001*"))
    data = part.read_bytes()
    if harm == "gone":
        part.unlink()
    elif harm == "cut":
        part.write_bytes(data[:-10])
    else:
        party.line.fate = lambda request: "flip" if request.url.path == "/v1/videos/r-1" else ""
    now = [STAMP.wall_us]
    exchange = party.exchange()
    exchange.recordings, exchange.chance = filmed.parent, lambda: 1.0
    exchange.stamp = lambda: Stamp(now[0], 5, "boot")

    async def rounds() -> None:
        async with exchange.client:
            await exchange.round()
            assert (durable(party, "r-1"), durable(party, "r-2")) == (False, True)
            first = dict(exchange.footage.stuck)
            assert list(first) == ["r-1"]
            sent = len(puts(party))
            await exchange.round()
            assert (exchange.footage.stuck, len(puts(party))) == (first, sent)  # it waits for its time
            party.line.fate = lambda _request: ""
            part.write_bytes(data)
            now[0] = first["r-1"].retry.next_try_ms * 1000
            await exchange.round()

    asyncio.run(rounds())
    assert exchange.stuck() == ()
    assert durable(party, "r-1")


@pytest.mark.warns
def test_what_cannot_be_brought_is_told(party: Any, filmed: Path) -> None:
    next(filmed.glob("part-0001*")).unlink()
    told, done = [], threading.Event()

    def heard(report: Any) -> None:
        told.append(report.stuck)
        if report.stuck:
            done.set()

    plan = SyncPlan("http://127.0.0.1", 0.05, filmed.parent)
    worker = SyncWorker(
        plan,
        party.writer,
        lambda: STAMP,
        SyncListeners(heard, lambda _cards: None, party.crashes.append),
        transport=party.line,
    )
    worker.start()
    assert done.wait(20)
    assert worker.stop(20)
    assert told[-1] == (("r-1", "evidence.bytes_missing"),)


def test_the_worker_brings_footage(party: Any, filmed: Path) -> None:
    done = threading.Event()

    def heard(_report: object) -> None:
        if durable(party):
            done.set()

    listeners = SyncListeners(heard, lambda _cards: None, party.crashes.append)
    plan = SyncPlan("http://127.0.0.1", 0.05, filmed.parent)
    worker = SyncWorker(plan, party.writer, lambda: STAMP, listeners, transport=party.line)
    worker.start()
    party.keep()
    worker.nudge()
    assert done.wait(20)
    assert worker.stop(20)


def test_a_decision_does_not_wait_for_a_long_upload(party: Any, filmed: Path) -> None:
    """A card kept while footage goes up is sent, decided and told between two chunks."""
    cards: list[str] = []
    states: list[CardState] = []
    minutes = itertools.count(1)

    def fate(request: httpx.Request) -> str:
        if request.method == "PUT" and "/objects/" in request.url.path:
            if not cards:
                cards.append(party.keep())
            states.append(party.state_of(cards[0]))
        return ""

    async def run() -> None:
        exchange = party.exchange()
        exchange.recordings, exchange.chance = filmed.parent, lambda: 0.0
        exchange.stamp = lambda: replace(STAMP, mono_us=next(minutes) * 60_000_000)
        async with exchange.client:
            await exchange.round()

    party.line.fate = fate
    asyncio.run(run())
    assert len(states) > 2
    assert states[0] is CardState.KEPT
    assert states[-1] is CardState.ACCEPTED


def test_footage_goes_only_in_its_hours_and_cards_always(party: Any, filmed: Path) -> None:
    hour = datetime.fromtimestamp(STAMP.wall_us / 1e6).hour
    card = party.keep()

    async def run(terms: FootageTerms) -> Any:
        exchange = party.exchange()
        exchange.recordings, exchange.chance, exchange.terms = filmed.parent, lambda: 0.0, terms
        async with exchange.client:
            await exchange.round()
        return exchange

    asyncio.run(run(FootageTerms(0, (hour + 1) % 24, (hour + 3) % 24)))
    assert (puts(party), party.state_of(card)) == ([], CardState.ACCEPTED)
    assert not party.store.is_durable("r-1")
    asyncio.run(run(FootageTerms(0, (hour - 1) % 24, (hour + 1) % 24)))
    assert party.store.is_durable("r-1")


def test_the_hour_that_ends_in_the_middle_ends_the_upload_too(party: Any, filmed: Path) -> None:
    """What is left goes in the next window; nothing is sent twice."""
    start = datetime.fromtimestamp(STAMP.wall_us / 1e6).hour
    late = itertools.count()

    async def run(stamp: Any) -> None:
        exchange = party.exchange()
        exchange.recordings, exchange.chance, exchange.stamp = filmed.parent, lambda: 0.0, stamp
        exchange.terms = FootageTerms(0, start, (start + 1) % 24)
        async with exchange.client:
            await exchange.round()

    def hour_passes() -> Stamp:
        return replace(STAMP, wall_us=STAMP.wall_us + 3_600_000_000 * (len(puts(party)) >= 2), mono_us=next(late))

    asyncio.run(run(hour_passes))
    assert len(puts(party)) == 2
    assert not party.store.is_durable("r-1")
    asyncio.run(run(lambda: STAMP))
    assert party.store.is_durable("r-1")
    assert len(puts(party)) == len(set(puts(party)))


@given(terms=st.builds(FootageTerms, st.just(0), st.integers(0, 23), st.integers(0, 23)))
def test_a_window_is_open_for_its_hours_also_over_midnight(terms: FootageTerms) -> None:
    hours = [hour for hour in range(24) if terms.open_at(hour)]
    assert len(hours) == ((terms.to_hour - terms.from_hour) % 24 or 24)
    assert terms.open_at(terms.from_hour)
    assert not hours[:23] or len(hours) == 24 or not terms.open_at(terms.to_hour)
