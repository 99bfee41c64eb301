"""The verifier finds every planted change in a folder, an export or a truncated copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.audit import EventKind, Stamp
from app.core.errors import BadInput, StorageTrouble
from app.keys import Signer, new_seed
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.verify import verify_audit
from app.wire import Receipt, sign_statement

Make = Callable[..., Any]


@pytest.fixture
def filled(working: Store, now: Stamp, make_draft: Make, keys: Any) -> Store:
    """Ten events, two of them cards, receipted up to 8."""
    for no in (1, 2):
        working.keep_card(make_draft(no, f"62220200123400{no:02}"), now, "1001")
    for n in range(7):
        working.record(EventKind.UNEXPECTED, {"n": n}, now, "1001")
    working.save_receipt(receipt(working, keys.server, 8))
    return working


def receipt(store: Store, signer: Signer, high: int, **changes: Any) -> Any:
    fields = {"station": store.station, "high": high, "head_hash": store.outbox_after(high - 1)[0].hash}
    fields |= {"log_size": high, "root": "00" * 32, "server_time_ms": 1, "epoch": "e"}
    return sign_statement(Receipt(**{**fields, **changes}), signer.sign)


def verdict(path: Path, passphrase: str = REHEARSAL_PASSPHRASE) -> Any:
    report = verify_audit(path, passphrase)
    assert report["ok"] is (report["chains"][0]["fault"] is None)
    return report["chains"][0]["fault"]


def test_a_good_folder_verifies_while_it_is_in_use(filled: Store, tmp_path: Path) -> None:
    report = verify_audit(tmp_path, REHEARSAL_PASSPHRASE)
    (chain,) = report["chains"]
    assert (report["ok"], report["what"], chain["count"], chain["anchored"]) == (True, "station", 10, 8)
    assert chain["head"] == filled.outbox_after(9)[0].hash


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE outbox SET data = replace(data, '1001', '1002') WHERE seq = 4", {"seq": 4, "code": "hash"}),
        ("UPDATE outbox SET sig = zeroblob(64) WHERE seq = 5", {"seq": 5, "code": "signature"}),
        ("DELETE FROM outbox WHERE seq = 6", {"seq": 7, "code": "gap"}),
        ("DELETE FROM outbox WHERE seq > 7", {"seq": 8, "code": "truncated"}),
        ("DELETE FROM card WHERE no = 2", {"seq": 3, "code": "card"}),
        ("UPDATE receipt SET text = replace(text, '8', '7')", {"seq": 0, "code": "receipt"}),
    ],
)
def test_what_was_changed_in_the_database_is_found(change: str, fault: Any, filled: Store, tmp_path: Path) -> None:
    with filled._engine.begin() as connection:
        for name in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(change)
    assert verdict(tmp_path) == fault


def test_a_history_written_anew_is_found_up_to_its_last_receipt(filled: Store, keys: Any, tmp_path: Path) -> None:
    other = receipt(filled, keys.server, 8, head_hash="ab" * 32)
    with filled._engine.begin() as connection:
        row = "INSERT INTO receipt (epoch, high, head_hash, server_time_ms, text, sig) VALUES ('e', 8, '', 1, ?, ?)"
        connection.exec_driver_sql(row, (other.text, other.sig))
    assert verdict(tmp_path) == {"seq": 8, "code": "receipt"}


def test_an_export_verifies_and_its_key_is_named(filled: Store, tmp_path: Path) -> None:
    target = tmp_path / "chain.jsonl"
    assert filled.export_chain(target) == 10
    report = verify_audit(target)
    assert (report["ok"], report["what"], report["chains"][0]["receipts"]) == (True, "export", 1)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_damage_to_an_exported_event_is_found(data: st.DataObject, filled: Store, tmp_path: Path) -> None:
    target = tmp_path / "chain.jsonl"
    if not target.exists():
        filled.export_chain(target)
    lines = target.read_bytes().splitlines(keepends=True)
    at = data.draw(st.integers(1, 10), label="line")
    how = data.draw(st.sampled_from(["drop", "swap", "double", "flip"]))
    match how:
        case "drop":
            del lines[at]
        case "swap":
            lines[at], lines[at + 1] = lines[at + 1], lines[at]
        case "double":
            lines.insert(at, lines[at])
        case "flip":
            fields = json.loads(lines[at])
            name = data.draw(st.sampled_from(["data", "hash", "sig", "seq"]))
            fields[name] = fields[name] + 1 if name == "seq" else bent(fields[name])
            lines[at] = json.dumps(fields).encode() + b"\n"
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b"".join(lines))
    found = verdict(broken)
    last_event_moved_behind_receipt = how == "swap" and at == 10
    assert last_event_moved_behind_receipt or (how, at) == ("drop", 10) or found is not None


def bent(text: str) -> str:
    middle = len(text) // 2
    return text[:middle] + ("0" if text[middle] != "0" else "1") + text[middle + 1 :]


def test_an_export_by_another_key_is_not_the_stations(filled: Store, tmp_path: Path) -> None:
    target = tmp_path / "chain.jsonl"
    filled.export_chain(target)
    head, *rest = target.read_text().splitlines()
    forged = {**json.loads(head), "public_key": Signer(new_seed()).public_key.hex()}
    target.write_text("\n".join([json.dumps(forged), *rest]))
    assert verdict(target) == {"seq": 1, "code": "signature"}


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xff", b'{"type":"chain","station":"s"}\n', b"[1]\n" * 9])
def test_what_is_no_chain_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    for path in (tmp_path / "x", tmp_path / "nothing", tmp_path):
        with pytest.raises(BadInput, match=r"audit.not_found"):
            verify_audit(path)


def test_a_wrong_passphrase_is_told(filled: Store, tmp_path: Path) -> None:
    with pytest.raises(StorageTrouble, match=r"store.wrong_key"):
        verify_audit(tmp_path, "other")
