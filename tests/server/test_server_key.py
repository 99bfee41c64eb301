"""The centre's own key changes while the programs run: stations, the vault and every auditor follow, nobody else's."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.centre_keys import OVERLAP_MS, by_any, by_now, followed, server_keys
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.keys import Signer, key_id, new_seed
from app.server import rotate
from app.server.checkpoints import publish
from app.server.enrol import admit_station
from app.server.folder import CentreFolder, own_key, read_centre, read_seed
from app.server.reference import Item, hand_out
from app.server.rotate import rotate_server_key
from app.server.setup import OpenCentre, open_centre
from app.store.db import reading
from app.store.store import REHEARSAL_PASSPHRASE
from app.store.verify import LOG_VERIFIER, verify_audit
from app.wire import Centre, Expected, ServerCertificate, sign_statement
from tests.server.place import Place, log_lines, run

NOW_MS = 1_790_000_000_000


def root_of(centre: OpenCentre) -> Signer:
    return Signer(read_seed(centre.folder.vault / "root.key"))


def an_act(centre: OpenCentre, waybill: str) -> None:
    hand_out(centre, [Item("expected-parcel", waybill, Expected(declared=1))], "", NOW_MS)


def test_a_station_and_every_auditor_follow_the_programs(place: Place, tmp_path: Path) -> None:
    root = place.centre / "vault" / "root.key"
    code, told = run("centre", "server-key", "--root", str(root), "--data", str(place.centre))  # while it serves
    assert code == 0
    before, after = told["before"], told["server_key"]
    assert before != after
    place.take_in(place.station, 1)
    code, synced = place.sync(place.station)
    assert (code, synced["cards"]) == (0, {"accepted": 4})
    for path in (place.station, place.centre):
        assert verify_audit(path, REHEARSAL_PASSPHRASE)["ok"], path
    report = verify_audit(place.centre)
    [own] = [chain for chain in report["chains"] if chain["station"] == "@centre"]
    assert (own["key"], own["keys_before"]) == (after, [before])
    log = tmp_path / "log.jsonl"
    run("centre", "export", "--data", str(place.centre), "--to", str(log))
    lines = log_lines(log)
    notes = [line["note"] for line in lines if line["type"] == "checkpoint"]
    assert len(notes) > 1  # by the old key, and by the new one
    planted(lines, tmp_path)


def planted(lines: list[Any], folder: Path) -> None:
    """It holds; not with another key's signature under an entry, the certificate's event bent, or a foreign key."""

    def verdict(lines: list[Any], *how: str) -> int:
        path = folder / "changed.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines))
        return subprocess.run([sys.executable, LOG_VERIFIER, path, *how], capture_output=True, check=False).returncode

    [at] = [
        n for n, line in enumerate(lines) if b'"kind":"centre.key-rotated"' in base64.b64decode(line.get("data", ""))
    ]
    body = json.loads(base64.b64decode(lines[at]["data"]))["body"]
    first = next(line for line in lines if line["type"] == "station" and line["id"] == "@centre")
    assert first["public_key"] == body["old_key"]
    for known in (body["old_key"], body["new_key"]):
        assert verdict(lines, "--every", "--server-key", known) == 0
    assert verdict(lines, "--server-key", "ab" * 32) == 1
    of_event = [n for n, line in enumerate(lines) if line["type"] == "event" and line["station"] == "@centre"]
    bent = {
        "a signature by the old key after the change": {of_event[-1]: {**lines[of_event[-1]], "sig": lines[at]["sig"]}},
        "the old key still": {0: {**lines[0], "server_key": body["old_key"]}},
    }
    for name, change in bent.items():
        changed = [change.get(n, line) for n, line in enumerate(lines)]
        if name.startswith("a signature") and of_event[-1] == at:
            continue
        assert verdict(changed, "--every") == 1, name


def test_lists_keep_their_key_and_old_words_hold(centre: OpenCentre) -> None:
    centre.folder.lists_key.unlink()  # a centre from before there was one
    derived, old, pinned = centre.derived("x"), centre.signer, centre.centre
    said = sign_statement(ServerCertificate(tenant="t", public_key="00" * 32), old.sign)
    an_act(centre, "SF1")
    new = rotate_server_key(centre, root_of(centre), NOW_MS, "test")
    assert centre.derived("x") == derived
    assert centre.signer.public_key == new == bytes.fromhex(centre.centre.server_key)
    an_act(centre, "SF2")  # the same process goes on by the new key
    assert by_any(centre.centre)(said.sig, said.text.encode())
    after = followed(pinned, centre.centre)
    assert after is not None
    assert server_keys(after) == (new, old.public_key)
    assert by_now(after, NOW_MS + OVERLAP_MS - 1)(said.sig, said.text.encode())
    assert not by_now(after, NOW_MS + OVERLAP_MS)(said.sig, said.text.encode())
    assert followed(after, pinned) is None  # never back
    centre.engine.dispose()
    assert verify_audit(centre.folder.root)["ok"]


def test_a_stolen_key_answers_no_more_at_once(centre: OpenCentre) -> None:
    old = centre.signer
    rotate_server_key(centre, root_of(centre), NOW_MS, "test", at_once=True)
    assert not by_now(centre.centre, NOW_MS)(old.sign(b"x"), b"x")


def test_only_the_pinned_root_names_a_key(centre: OpenCentre) -> None:
    pinned, thief = centre.centre, Signer(new_seed())
    stated = ServerCertificate(tenant=pinned.tenant, public_key=thief.public_key.hex(), from_ms=NOW_MS)
    forged = {"server_key": thief.public_key.hex(), "server": sign_statement(stated, thief.sign)}
    for root in (pinned.root_key, thief.public_key.hex()):
        with pytest.raises(EvidenceTrouble):
            followed(pinned, Centre.model_validate({**pinned.model_dump(), **forged, "root_key": root}))


@pytest.mark.parametrize("moment", ["before", "said", "half"])
def test_cut_off_at_any_moment_one_key_holds(centre: OpenCentre, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """The command dies; a server that runs, and one that starts, speak by the key that the log ends with."""
    an_act(centre, "SF1")
    folder = centre.folder

    def die(*_args: Any) -> bool:
        if moment == "half":
            folder.next_key.replace(folder.server_key)
        raise KeyboardInterrupt

    monkeypatch.setattr(rotate, "_say" if moment == "before" else "in_place", die)
    old = centre.signer.public_key
    with pytest.raises(KeyboardInterrupt):
        rotate_server_key(centre, root_of(centre), NOW_MS, "test")
    monkeypatch.undo()
    if moment == "before":
        an_act(centre, "SF2")
    else:
        with pytest.raises(StorageTrouble, match=r"serve\.key_behind"):
            an_act(centre, "SF2")
        publish(centre, NOW_MS)
    centre.engine.dispose()
    again = open_centre(folder.root)
    with reading(again.engine) as connection:
        assert own_key(connection) == again.signer.public_key == bytes.fromhex(read_centre(folder.root).server_key)
    assert (again.signer.public_key == old) is (moment == "before")
    an_act(again, "SF3")
    rotate_server_key(again, root_of(again), NOW_MS, "test")
    an_act(again, "SF4")
    again.engine.dispose()
    assert verify_audit(folder.root)["ok"]


def test_a_key_that_was_laid_down_is_not_lost_to_a_second_call(
    centre: OpenCentre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log ends with it already; a process that has not seen that lays no other one over it."""
    folder = centre.folder

    def die(*_args: Any) -> bool:
        raise KeyboardInterrupt

    an_act(centre, "SF1")
    with monkeypatch.context() as cut_off:
        cut_off.setattr(rotate, "in_place", die)
        with pytest.raises(KeyboardInterrupt):
            rotate_server_key(centre, root_of(centre), NOW_MS, "test")
    laid = folder.next_key.read_bytes()
    with pytest.raises(StorageTrouble, match=r"serve\.key_behind"):
        rotate_server_key(centre, root_of(centre), NOW_MS, "test")
    assert folder.next_key.read_bytes() == laid
    centre.engine.dispose()
    again = open_centre(folder.root)
    assert again.signer.public_key == Signer(bytes.fromhex(laid.decode())).public_key
    an_act(again, "SF2")
    again.engine.dispose()


def test_not_while_somebody_compares_words(centre: OpenCentre) -> None:
    admit_station(centre, "st-1", Signer(new_seed()).public_key, "store", NOW_MS)
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE station SET state = 'pending' WHERE id = 'st-1'")
    with pytest.raises(BadInput, match=r"serve\.pending_stations"):
        rotate_server_key(centre, root_of(centre), NOW_MS, "test")
    laid = [path.name for path in (centre.folder.next_key, centre.folder.next_centre) if path.exists()]
    assert laid == [], "no key lies about unused"
    an_act(centre, "SF1")
    assert key_id(centre.signer.public_key) == key_id(bytes.fromhex(read_centre(centre.folder.root).server_key))
    assert CentreFolder(centre.folder.root).lists_seed()
