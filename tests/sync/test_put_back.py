"""A centre that was put back: what the station saw is still there, proved, or it is said exactly what was lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.core.merkle import CompactTree, leaf_hash
from app.keys import Signer, new_seed, verifier
from app.server.copying import Places, back_up, restore
from app.server.folder import CentreFolder
from app.server.report import report
from app.server.setup import OpenCentre, open_centre
from app.store.heads import TreeHead
from app.store.verify import verify_audit
from app.sync.exchange import Halt
from app.sync.put_back import put_back, require_proofs
from app.wire import Signed, open_statement, sign_statement
from app.wire_witness import Restored
from tests.sync.conftest import Party
from tests.sync.test_witness import GUARDS


def told(party: Party) -> list[dict[str, Any]]:
    """What the station's chain says of a centre that was put back."""
    events = party.writer.call(lambda store: store.outbox_after(0))
    listed = [json.loads(event.data) for event in events]
    return [one["body"] for one in listed if one["kind"] == "centre.log-put-back"]


def calm(party: Party) -> None:
    for _ in range(6):
        if not party.round():
            return


class Backups:
    """Backs a centre up and puts it back, with the station's line to whichever there is."""

    def __init__(self, folder: Path, centre: OpenCentre, party: Party) -> None:
        self.folder, self.centre, self.party = folder, centre, party
        self.opened: list[OpenCentre] = []

    def keep(self) -> None:
        self.backup = back_up(Places(self.centre.folder), self.folder / "backup", datetime.now(UTC))[0]

    def put_back(self) -> OpenCentre:
        to = self.folder / f"again-{len(self.opened)}"
        restore(self.backup, Places(CentreFolder(to)))
        self.opened.append(open_centre(to))
        self.centre = self.party.line.centre = self.opened[-1]
        return self.centre

    def work(self, cards: int = 1) -> None:
        for _ in range(cards):
            self.party.keep()
        calm(self.party)


@pytest.fixture
def backups(tmp_path: Path, centre: OpenCentre, party: Party) -> Iterator[Backups]:
    made = Backups(tmp_path, centre, party)
    yield made
    for opened in made.opened:
        opened.engine.dispose()


def test_what_was_seen_before_the_backup_is_proved_to_be_there_still(backups: Backups, party: Party) -> None:
    backups.work(2)
    backups.keep()
    before = backups.centre.epoch
    restored = backups.put_back()
    calm(party)
    [said] = told(party)
    assert (said["epoch"], said["now"], said["lost"], said["own"]) == (before, restored.epoch, [], [])
    assert said["kept"] > 0
    calm(party)
    assert len(told(party)) == 1, "once an epoch"
    assert report(restored.engine, "acts")[-1]["act"].startswith("centre.")
    assert "centre.restored" in [one["act"] for one in report(restored.engine, "acts")]


def test_what_was_lost_is_said_exactly_and_sent_again(backups: Backups, party: Party) -> None:
    backups.work(2)
    backups.keep()
    backups.work(3)
    high, seen = party.writer.call(lambda store: store.high_received()), size_of(backups.centre)
    restored = backups.put_back()
    party.keep()
    calm(party)
    [said] = told(party)
    word = open_statement(Restored, _signed_word(restored), verifier(restored.signer.public_key))
    assert said["kept"] == word.size
    assert said["lost"][0] == word.size
    assert word.size < said["lost"][1] <= seen
    assert said["seen"]["size"] == said["lost"][1]
    assert (said["own"] == []) or said["own"][1] == high
    calm(party)
    assert party.writer.call(lambda store: store.queue()).unsent == 0
    assert verify_audit(restored.folder.root)["ok"]


def size_of(centre: OpenCentre) -> int:
    with centre.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT log_size FROM meta").scalar_one())


def _signed_word(centre: OpenCentre) -> Any:
    with centre.engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT text, sig FROM restoration ORDER BY at_ms").all()[-1]
    return Signed.model_construct(text=row.text, sig=bytes(row.sig))


def test_put_back_twice_before_the_station_looked(backups: Backups, party: Party) -> None:
    backups.work(1)
    backups.keep()
    backups.work(2)
    backups.put_back()
    restored = backups.put_back()
    calm(party)
    [said] = told(party)
    assert said["now"] == restored.epoch
    assert said["lost"]


def test_a_past_that_was_changed_under_cover_of_a_restore_is_found(backups: Backups, party: Party) -> None:
    """The trick this is about: put the centre back, and change what was before while nobody holds its old heads."""
    backups.work(3)
    backups.keep()
    restored = backups.put_back()
    with restored.engine.begin() as connection:
        for name in GUARDS:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}_refused")
        connection.exec_driver_sql("UPDATE event SET data = x'7b7d' WHERE station <> '@centre' AND seq = 1")
        rows = connection.exec_driver_sql(
            "SELECT e.data FROM log_leaf l JOIN event e ON e.station = l.station AND e.seq = l.seq ORDER BY l.n"
        ).scalars()
        tree = CompactTree().grown(leaf_hash(bytes(one)) for one in rows.all())
        connection.exec_driver_sql("UPDATE meta SET log_peaks = ?", (tree.to_bytes(),))
        connection.exec_driver_sql("DELETE FROM log_tile")
        connection.exec_driver_sql("DELETE FROM checkpoint")
    with pytest.raises(Halt, match=r"sync\.log_fork"):
        calm(party)


def test_a_centre_that_says_nothing_of_it_has_lost_everything(centre: OpenCentre) -> None:
    heads = [TreeHead(5, "a", b"r" * 32, "note"), TreeHead(9, "a", b"s" * 32)]
    found = put_back("a", "b", heads, [], centre.centre)
    assert (found.kept, found.proved, found.lost) == (0, None, heads[-1])
    assert found.to_prove() == []
    stated = Restored(tenant=centre.centre.tenant, before="a", epoch="b", size=7, root="ab" * 32, at_ms=1)
    signed = sign_statement(stated, centre.signer.sign)
    found = put_back("a", "b", heads, [signed], centre.centre)
    assert (found.kept, found.proved, found.lost) == (7, heads[0], heads[1])
    assert [size for size, _ in found.to_prove()] == [5, 7]
    with pytest.raises(Exception, match="untrusted"):
        put_back("a", "b", heads, [sign_statement(stated, Signer(new_seed()).sign)], centre.centre)
    with pytest.raises(Exception, match=r"audit\.checkpoint"):
        require_proofs(found, None, [[]])  # type: ignore[arg-type]
