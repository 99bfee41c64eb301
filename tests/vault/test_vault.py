"""The vault: finds a number that two stations took, opens nothing unwritten, gives nothing to who may not ask."""

from __future__ import annotations

import asyncio
import json
import runpy
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from sqlalchemy.exc import IntegrityError

from app.core.audit import digest
from app.core.cards import CardState, Secret
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.keys import Signer, new_seed
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station, make_code, revoke_station
from app.server.export import export_log
from app.server.governing import add_vault_key, read_root
from app.server.report import report
from app.server.routes import make_app
from app.server.setup import OpenCentre
from app.store.seal import MAGIC, SUITE, Context, VaultKey, info_of, open_answer, seal
from app.store.store import REHEARSAL_PASSPHRASE
from app.store.verify import LOG_VERIFIER, verify_audit
from app.sync.client import CentreClient, CentreRefused, Speaker
from app.vault.index import look_up
from app.vault.keys import Vault, make_vault, open_vault
from app.vault.reveal import (
    QUOTA_A_DAY,
    Approval,
    add_person,
    answer,
    grant,
    people,
    reveals,
    take_back_person,
    told_of_people,
)
from app.vault.run import look_once, tell_people
from app.wire import Signed, sign_statement
from app.wire_vault import Arrival, RevealRequest, VaultPerson

NOW_MS = 1_790_000_000_000


@pytest.fixture
def vault(tmp_path: Path, centre: OpenCentre) -> Iterator[Vault]:
    seed = new_seed()
    admit_station(centre, "vault-1", Signer(seed).public_key, "vault", 0)
    folder = tmp_path / "vault"
    make_vault(folder, REHEARSAL_PASSPHRASE, "vault-1", centre.centre, seed, centre.folder.vault)
    opened = open_vault(folder, REHEARSAL_PASSPHRASE)
    yield opened
    opened.close()


def talk(centre: OpenCentre, speaker: Speaker, work: Any) -> Any:
    async def run() -> Any:
        transport = httpx.ASGITransport(make_app(centre, now_ms=lambda: NOW_MS))
        async with CentreClient("http://centre", transport, speaker, lambda: NOW_MS) as client:
            return await work(client)

    return asyncio.run(run())


def look(centre: OpenCentre, vault: Vault) -> int:
    speaker = Speaker(vault.name, vault.signer, vault.centre)
    return int(talk(centre, speaker, lambda client: look_once(vault, client)))


def test_the_keys_move_into_the_vault_and_nowhere_else(tmp_path: Path, centre: OpenCentre, vault: Vault) -> None:
    assert [path.name for path in centre.folder.vault.iterdir()] == ["root.key"]
    private = next(iter(vault.private.values())).private_bytes_raw()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert private not in content
            assert private.hex().encode() not in content
    with pytest.raises(StorageTrouble, match=r"store.wrong_key"):
        open_vault(tmp_path / "vault", "guess")
    with pytest.raises(BadInput, match=r"vault.exists"):
        make_vault(tmp_path / "vault", "x", "v", centre.centre, new_seed(), centre.folder.vault)
    with pytest.raises(BadInput, match=r"vault.no_keys"):
        make_vault(tmp_path / "v2", "x", "v", centre.centre, new_seed(), centre.folder.vault)
    with pytest.raises(BadInput, match=r"vault.missing"):
        open_vault(tmp_path / "v3", "x")


def test_whom_the_vault_lets_in_and_takes_back_is_in_the_centres_log_once(
    tmp_path: Path, centre: OpenCentre, vault: Vault
) -> None:
    """Told by the vault alone, over what it told before, and to a centre that it was put back from a copy of."""
    anna, ben = Signer(new_seed()).public_key, Signer(new_seed()).public_key
    told: set[VaultPerson] = set()

    def tell(told: set[VaultPerson]) -> int:
        return int(
            talk(centre, Speaker(vault.name, vault.signer, vault.centre), partial(tell_people, vault, told=told))
        )

    assert tell(told) == 0
    add_person(vault, "S1", anna)
    add_person(vault, "S2", ben)
    assert (tell(told), tell(told)) == (2, 0)
    take_back_person(vault, "S1", NOW_MS)
    assert (tell(told), tell(set())) == (1, 0)
    listed = [row for row in report(centre.engine, "acts") if "person" in row]
    assert [(row["by"], row["act"], row["vault"], row["person"], row["key"]) for row in listed] == [
        ("vault-1", "centre.person-let-in", "vault-1", "S1", anna.hex()),
        ("vault-1", "centre.person-let-in", "vault-1", "S2", ben.hex()),
        ("vault-1", "centre.person-taken-back", "vault-1", "S1", anna.hex()),
    ]
    entries = export_log(centre.engine, centre.centre, tmp_path / "log.jsonl")
    checked = runpy.run_path(str(LOG_VERIFIER))["check"](str(tmp_path / "log.jsonl"), True)
    assert (checked["ok"], checked["entries"]) == (True, entries)
    audited = verify_audit(centre.folder.root)
    assert (audited["ok"], audited["chains"][-1]["acts"]["vault-1 centre.person-taken-back"]) == (True, 1)


def test_somebody_who_came_and_went_before_the_centre_heard_of_it_is_told_of_both(
    centre: OpenCentre, vault: Vault
) -> None:
    add_person(vault, "S1" * 100, Signer(new_seed()).public_key)
    take_back_person(vault, "S1" * 100, NOW_MS)
    assert [(one.name, one.taken_back) for one in told_of_people(vault)] == [
        (("S1" * 64), False),
        (("S1" * 64), True),
    ]


def test_a_centre_that_has_no_ear_for_people_is_told_later_and_nobody_else_may_tell(
    centre: OpenCentre, vault: Vault
) -> None:
    add_person(vault, "S1", Signer(new_seed()).public_key)
    told: set[VaultPerson] = set()

    async def earlier(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, json={"code": "not_found", "detail": ""})

    async def run() -> int:
        speaker = Speaker(vault.name, vault.signer, vault.centre)
        transport = httpx.MockTransport(earlier)
        async with CentreClient("http://centre", transport, speaker, lambda: NOW_MS) as client:
            return await tell_people(vault, client, told)

    assert (asyncio.run(run()), told) == (0, set())
    other = Signer(new_seed())
    admit_station(centre, "st-9", other.public_key, "store", 0)
    with pytest.raises(CentreRefused) as refused:
        talk(centre, Speaker("st-9", other, vault.centre), partial(tell_people, vault, told=told))
    assert refused.value.reason == "station.role"
    assert told == set()


def two_stations(tmp_path: Path, centre: OpenCentre, make_party: Any) -> tuple[Any, Any]:
    parties = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        parties.append(make_party(tmp_path / name, centre))
    return parties[0], parties[1]


def test_a_number_that_two_stations_took_goes_to_review(
    tmp_path: Path, centre: OpenCentre, vault: Vault, make_party: Any
) -> None:
    """Each party's first card has the same number."""
    first, second = two_stations(tmp_path, centre, make_party)
    one = first.keep()
    first.round()
    assert look(centre, vault) == 1
    same, other = second.keep(), second.keep()
    second.round()
    assert second.state_of(same) is CardState.ACCEPTED
    assert look(centre, vault) == 2
    assert look(centre, vault) == 0
    first.round()
    second.round()
    assert (first.state_of(one), second.state_of(same)) == (CardState.ACCEPTED, CardState.REVIEW)
    assert second.state_of(other) is CardState.ACCEPTED
    for party in (first, second):
        assert party.writer.stop()


def test_a_vault_without_room_says_nothing_and_goes_on_when_there_is_some(
    tmp_path: Path, centre: OpenCentre, make_party: Any
) -> None:
    """On a real small disk: what could not be written down was not told either, and is looked up later."""
    disk = tmp_path / "disk"
    disk.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    seed = new_seed()
    admit_station(centre, "vault-1", Signer(seed).public_key, "vault", 0)
    make_vault(disk, REHEARSAL_PASSPHRASE, "vault-1", centre.centre, seed, centre.folder.vault)
    vault = open_vault(disk, REHEARSAL_PASSPHRASE)
    party = make_party(tmp_path, centre)
    party.keep()
    party.round()
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))
    with pytest.raises(StorageTrouble, match=r"store\.disk_full"):
        look(centre, vault)
    filler.unlink()
    assert (look(centre, vault), look(centre, vault)) == (1, 0)
    vault.close()
    assert party.writer.stop()
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_what_cannot_be_opened_goes_to_a_person(
    tmp_path: Path, centre: OpenCentre, vault: Vault, make_party: Any
) -> None:
    """What was sealed to a key of before that nobody has any more."""
    party, other = two_stations(tmp_path, centre, make_party)
    card, lost = party.keep(), centre.centre.vault_certificate().key_id
    party.round()
    root = read_root(centre.folder.vault / "root.key", centre.centre)
    add_vault_key(centre, vault.new_key(), root, party.store.station, NOW_MS, "anna")
    with vault.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM vault_key WHERE id = ?", (lost,))
    left = replace(vault, private={})
    assert look(centre, left) == 1
    party.round()
    assert party.state_of(card) is CardState.REVIEW
    assert party.writer.stop()
    assert other.writer.stop()


@pytest.mark.parametrize("padded", [b"\xff\xfe\x80" + bytes(13), bytes(16), b""])
def test_sealed_bytes_that_are_no_text_go_to_a_person_too(padded: bytes, vault: Vault) -> None:
    """One such blob must not keep the vault from looking at all the others."""
    key = vault.centre.vault_certificate()
    info = info_of(Context(vault.centre.tenant, "st-1", "card", "number"), key.key_id)
    closed = SUITE.encrypt(padded, X25519PublicKey.from_public_bytes(bytes.fromhex(key.public_key)), info=info)
    blob = MAGIC + bytes.fromhex(key.key_id) + closed
    found = look_up(vault, Arrival.model_construct(station="st-1", card="card", number=blob))
    assert found.code == "not-openable"


def test_only_the_vault_gets_sealed_numbers(centre: OpenCentre, vault: Vault) -> None:
    signer = Signer(new_seed())
    admit_station(centre, "st-1", signer.public_key, "rehearsal", 0)
    with pytest.raises(CentreRefused, match=r"403 station.role"):
        talk(centre, Speaker("st-1", signer, centre.centre), lambda client: client.arrivals())
    revoke_station(centre, vault.name, NOW_MS)
    with pytest.raises(CentreRefused, match=r"403 station.revoked"):
        look(centre, vault)


# Showing


class Person:
    """Somebody who may ask."""

    def __init__(self, vault: Vault, name: str) -> None:
        self.name, self.signer = name, Signer(new_seed())
        add_person(vault, name, self.signer.public_key)

    def ask(self, vault: Vault, **changes: Any) -> tuple[Signed, X25519PrivateKey]:
        private = X25519PrivateKey.generate()
        asked = {"tenant": vault.centre.tenant, "station": "st-1", "card": "c-1", "field": "pin", "made_ms": NOW_MS}
        asked |= {"reason": "客户投诉 4711", "to_key": private.public_key().public_bytes_raw().hex(), **changes}
        return sign_statement(RevealRequest.model_validate(asked), self.signer.sign), private

    def approves(self, signed: Signed) -> Approval:
        return Approval(self.name, self.signer.sign(b"approve " + signed.text.encode()))


def show(vault: Vault, signed: Signed, who: str, blob: bytes, now_ms: int, approval: Approval | None = None) -> bytes:
    return answer(vault, grant(vault, signed, who, now_ms, approval), signed, blob)


@pytest.fixture
def blob(vault: Vault) -> bytes:
    stated = vault.centre.vault_certificate()
    key = VaultKey(stated.key_id, bytes.fromhex(stated.public_key))
    return seal(Secret("83749261"), key, Context(vault.centre.tenant, "st-1", "c-1", "pin")).blob


def log_of(vault: Vault) -> list[tuple[str, str, str]]:
    with vault.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT who, approved_by, reason FROM reveal ORDER BY id")
        return [(row.who, row.approved_by, row.reason) for row in rows]


def test_a_secret_is_shown_to_who_asked_and_written_down(vault: Vault, blob: bytes) -> None:
    person = Person(vault, "周岚")
    signed, private = person.ask(vault)
    sealed = show(vault, signed, "周岚", blob, NOW_MS)
    assert b"83749261" not in sealed
    assert open_answer(sealed, private, signed.text).reveal() == "83749261"
    assert log_of(vault) == [("周岚", "", "客户投诉 4711")]
    [told] = reveals(vault)
    assert told["id"] == digest(signed.text.encode())
    assert (told["who"], told["card"], told["field"], told["at_ms"]) == ("周岚", "c-1", "pin", NOW_MS)
    with pytest.raises(BadInput, match=r"vault.stale"):
        show(vault, signed, "周岚", blob, NOW_MS)
    for statement in ("UPDATE reveal SET reason = ''", "DELETE FROM reveal"):
        with pytest.raises(IntegrityError), vault.engine.begin() as connection:
            connection.exec_driver_sql(statement)


def test_it_is_written_down_before_it_is_opened(vault: Vault, blob: bytes) -> None:
    person = Person(vault, "周岚")
    signed, _ = person.ask(vault, field="number")  # the blob is a PIN's: opening fails
    with pytest.raises(EvidenceTrouble, match=r"vault.not_openable"):
        show(vault, signed, "周岚", blob, NOW_MS)
    assert len(log_of(vault)) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"reason": "  "}, "vault.reason"), ({"tenant": "other"}, "vault.reason"), ({"made_ms": 1}, "vault.stale")],
)
def test_without_reason_or_too_late_nothing_is_shown(changes: Any, code: str, vault: Vault, blob: bytes) -> None:
    signed, _ = Person(vault, "周岚").ask(vault, **changes)
    with pytest.raises(BadInput, match=code):
        show(vault, signed, "周岚", blob, NOW_MS)
    assert log_of(vault) == []


def test_beyond_the_quota_a_second_person_signs(vault: Vault, blob: bytes) -> None:
    one, two = Person(vault, "one"), Person(vault, "two")
    for _ in range(QUOTA_A_DAY):
        show(vault, one.ask(vault)[0], "one", blob, NOW_MS)
    signed, private = one.ask(vault)
    with pytest.raises(BadInput, match=r"vault.quota"):
        show(vault, signed, "one", blob, NOW_MS)
    for wrong in (one.approves(signed), Approval("two", bytes(64)), Approval("nobody", bytes(64))):
        with pytest.raises(BadInput, match=r"vault.person"):
            show(vault, signed, "one", blob, NOW_MS, wrong)
    sealed = show(vault, signed, "one", blob, NOW_MS, two.approves(signed))
    assert open_answer(sealed, private, signed.text).reveal() == "83749261"
    assert log_of(vault)[-1][:2] == ("one", "two")


def test_strangers_and_forgers_are_shown_nothing(vault: Vault, blob: bytes) -> None:
    person = Person(vault, "周岚")
    signed, _ = person.ask(vault)
    with pytest.raises(BadInput, match=r"vault.person"):
        show(vault, signed, "谁", blob, NOW_MS)
    forged = sign_statement(RevealRequest.model_validate(json.loads(signed.text)), Signer(new_seed()).sign)
    with pytest.raises(BadInput, match=r"vault.person"):
        show(vault, forged, "周岚", blob, NOW_MS)
    with pytest.raises(BadInput, match=r"vault.person_key"):
        add_person(vault, "周岚", Signer(new_seed()).public_key)


def test_who_was_taken_back_is_answered_no_more_and_no_key_comes_back(vault: Vault, blob: bytes) -> None:
    """There was no way: a dismissed supervisor's key, or a lost stick's, was answered for ever."""
    person, other = Person(vault, "周岚"), Person(vault, "林晓")
    show(vault, person.ask(vault)[0], "周岚", blob, NOW_MS)
    take_back_person(vault, "周岚", NOW_MS)
    with pytest.raises(BadInput, match=r"vault\.person: 周岚"):
        show(vault, person.ask(vault)[0], "周岚", blob, NOW_MS)
    with pytest.raises(BadInput, match=r"vault\.person: 周岚"):
        take_back_person(vault, "周岚", NOW_MS)
    for name in ("周岚", "周岚 2"):
        with pytest.raises(BadInput, match=r"vault\.person_key"):
            add_person(vault, name, person.signer.public_key)
    again = Person(vault, "周岚")
    show(vault, again.ask(vault)[0], "周岚", blob, NOW_MS)
    assert [who for who, _, _ in log_of(vault)] == ["周岚", "周岚"], "what was asked stays"
    told = people(vault)
    assert {one["name"] for one in told["people"]} == {"周岚", other.name}
    assert told["taken_back"] == [
        {"name": "周岚", "key": person.signer.public_key.hex(), "taken_back_ms": NOW_MS},
    ]
    for statement in ("UPDATE person_gone SET name = ''", "DELETE FROM person_gone"):
        with pytest.raises(IntegrityError), vault.engine.begin() as connection:
            connection.exec_driver_sql(statement)


def test_one_key_under_two_names_is_no_second_person(vault: Vault, blob: bytes) -> None:
    one = Person(vault, "one")
    with pytest.raises(BadInput, match=r"vault\.person_key"):
        add_person(vault, "two", one.signer.public_key)
    with vault.engine.begin() as connection:  # as an earlier release let it in
        connection.exec_driver_sql("INSERT INTO person VALUES ('two', ?)", (one.signer.public_key,))
    signed = one.ask(vault)[0]
    own = Approval("two", one.signer.sign(b"approve " + signed.text.encode()))
    with pytest.raises(BadInput, match=r"vault\.person: two"):
        show(vault, signed, "one", blob, NOW_MS, own)
    assert log_of(vault) == []


def test_the_program_joins_by_a_code_and_looks(tmp_path: Path, centre: OpenCentre) -> None:
    code = make_code(centre, "vault-1", "vault", time.time_ns() // 1_000_000, confirm=False)
    child, url = start_server_process(centre.folder.root)
    program = [sys.executable, "-m", "app", "vault"]
    data = ["--data", str(tmp_path / "v"), "--server", url, "--passphrase-fd", "0"]
    try:
        made = _call([*program, "init", "--code", code, "--keys", str(centre.folder.vault), *data])
        looked = _call([*program, "run", "--once", *data])
        own = [*program, "person", *data[:2], *data[4:]]
        _call([*own[:5], "zhou", Signer(new_seed()).public_key.hex(), *own[5:]])
        gone = _call([*own[:5], "zhou", "--take-back", *own[5:]])
        asked = _call([*program, "reveals", *own[5:]])
    finally:
        stop_server_process(child)
    assert made["vault"] == "vault-1"
    assert looked["looked_up"] == 0
    assert asked == {"reveals": []}
    assert (gone["people"], [one["name"] for one in gone["taken_back"]]) == ([], ["zhou"])
    assert [row["role"] for row in report(centre.engine, "stations")] == ["vault"]


def _call(argv: list[str]) -> dict[str, Any]:
    done = subprocess.run(argv, input=b"a long passphrase\n", capture_output=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return told
