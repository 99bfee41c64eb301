"""Switching off on a good line: each family, what stays untouched, the record, and what the policy forbids."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hardware.nfc.chips import Family
from hardware.nfc.chips.evidence import slow_hash, verifies
from hardware.nfc.chips.layout import LAYOUTS
from hardware.nfc.chips.outcome import Method, Stage, Verdict, Why
from hardware.nfc.chips.policy import METHODS, judge
from hardware.nfc.chips.tombstone import read_tombstone, tombstone
from hardware.sim.nfc_chip import RefusedError
from hardware.sim.nfc_chips import make_chip
from hardware.sim.nfc_type2 import Quirks
from tests.hardware.nfc.making import (
    CLASSIC_UID,
    CODE,
    OTHER_UID,
    TEXT,
    UID,
    Table,
    holds_code,
    is_dead,
    used_chip,
)

ALL = tuple(METHODS)


@pytest.mark.parametrize("family", ALL)
def test_a_chip_is_switched_off_and_proved(family: str) -> None:
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    outcome = table.run()
    assert (outcome.verdict, outcome.why) == (Verdict.DEACTIVATED, Why.PROVED)
    assert is_dead(chip)
    assert not holds_code(chip)
    assert table.stages[0] is Stage.IDENTIFY
    assert table.stages[-1] is Stage.PROOF


@pytest.mark.parametrize("family", LAYOUTS)
def test_the_chip_says_void_in_ndef(family: str) -> None:
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    table.run()
    said = read_tombstone(bytes(chip.memory[16 : (LAYOUTS[Family(family)].last_user + 1) * 4]))
    assert said == TEXT
    assert chip.page(3) == LAYOUTS[Family(family)].cc


@pytest.mark.parametrize("family", ALL)
def test_a_survey_writes_nothing(family: str) -> None:
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    before = bytes(chip.memory)
    outcome = table.plan()
    assert outcome.why is Why.READY
    assert chip.writes == 0
    assert bytes(chip.memory) == before
    assert not [command for command in chip.heard if command[0] in (0xA2, 0xA0, 0xA5) and len(command) > 2]
    irreversible = [step.irreversible for step in outcome.plan if step.stage is not Stage.PROOF]
    assert irreversible == sorted(irreversible)
    assert any(irreversible)
    assert not table.journal.saved


@pytest.mark.parametrize("family", ALL)
def test_the_plan_is_what_is_written(family: str) -> None:
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    planned = sum(step.writes for step in table.plan().plan)
    table.run()
    assert chip.writes == planned


@pytest.mark.parametrize("family", LAYOUTS)
def test_a_second_run_proves_again_and_changes_nothing(family: str) -> None:
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    table.run()
    table.journal.on_disk.clear()
    before = bytes(chip.memory)
    outcome = table.run()
    assert (outcome.verdict, outcome.done) == (Verdict.ALREADY, True)
    assert bytes(chip.memory) == before
    assert outcome.evidence["negative_tests"]


def test_the_record_verifies_and_holds_no_secret() -> None:
    for family in ("NTAG213", "MIFARE Classic 1K"):
        table, chip = Table(), used_chip(family)
        table.line.put(chip)
        record = table.run(about=(("operator", "1001"), ("intake", "none"))).evidence
        text = json.dumps(record)
        assert verifies(record)
        assert not verifies({**record, "verdict": "refused"})
        assert record["about"] == {"operator": "1001", "intake": "none"}
        assert record["reader"]["firmware"] == "PN532 1.6"
        assert record["chip"]["atqa_order"] == "most significant byte first"
        assert all(test["refused"] for test in record["negative_tests"])
        assert all({"command", "status", "at_ms", "took_ms"} <= set(command) for command in record["commands"])
        for _, value in table.journal.saved[-1].secrets:
            assert value.hex() not in text.lower() or len(value) < 4
        assert CODE.hex() not in text.lower()
        assert CODE[:8].hex() not in text.lower()


def test_the_record_tells_all_that_a_run_saw_and_did() -> None:
    """The memory of an NTAG213 to the page; a Classic's cannot be read any more once it is off."""
    table, chip = Table(), used_chip("NTAG213")
    table.line.put(chip)
    header = (bytes(chip.memory[:16]) + bytes(chip.memory[0xA0:0xAC]) + bytes(8)).hex().upper()
    record = table.run(about=(("operator", "1001"),)).evidence
    assert record["reader"] == {
        "name": "Simulated PN532",
        "firmware": "PN532 1.6",
        "port": "sim:virtual",
        "serial": "",
        "simulated": True,
    }
    assert record["chip"] == {
        "family": "NTAG213",
        "uid": UID,
        "atqa": "0044",
        "atqa_order": "most significant byte first",
        "sak": "00",
        "ats": "",
        "version": "0004040201000F03",
        "signature": {"bytes": "00" * 32, "checked": record["chip"]["signature"]["checked"]},
        "counters": {"2": None},
    }
    assert record["before"] == {"header": header, "bytes": 144, "content": {"sealed": "sealed 144"}}
    shown = bytearray(chip.memory)
    shown[0x2B * 4 :] = bytes(8)
    assert record["after"] == shown.hex().upper()
    assert [test["what"] for test in record["negative_tests"]]
    assert [act["stage"] for act in record["irreversible"]] == [
        "secrets",  # PWD
        "secrets",  # PACK
        "read-only",
        "dynamic-locks",
        "static-locks",
        "config-lock",
    ]
    assert (record["verdict"], record["why"], record["about"]) == ("deactivated", "proved", {"operator": "1001"})
    times = [said["at_ms"] for said in record["commands"]]
    assert times == sorted(times)
    table, chip = Table(), used_chip("MIFARE Classic 1K")
    table.line.put(chip)
    record = table.run().evidence
    assert (record["before"]["bytes"], record["after"]) == (752, None)
    assert [act["stage"] for act in record["irreversible"]] == ["keys"] * 16


def test_what_a_chip_held_is_kept_as_a_salted_slow_hash() -> None:
    one, other = slow_hash(CODE), slow_hash(CODE)
    assert one["hash"] != other["hash"]
    assert one["kind"].startswith("scrypt")


@pytest.mark.parametrize(
    ("family", "uid", "why"),
    [
        ("bank card", "01020304", Why.BANK_CARD),
        ("phone", "08010203", Why.PHONE),
        ("MIFARE DESFire", UID, Why.NOT_WRITABLE_KIND),
    ],
)
def test_what_must_not_be_touched_is_not_even_spoken_to(family: str, uid: str, why: Why) -> None:
    table, chip = Table(), make_chip(family, uid)
    table.line.put(chip)
    outcome = table.run()
    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, why)
    assert chip.heard == []


def test_the_policy_refuses_whatever_it_does_not_name() -> None:
    assert [family for family in Family if judge(family) is None] == list(ALL)
    refusal = judge("something new")
    assert refusal is not None
    assert refusal.method is Method.PHYSICAL
    physical = (Family.NTAG210, Family.NTAG212, Family.CLASSIC_MINI, Family.DESFIRE, Family.UNKNOWN)
    assert [family for family in Family if (no := judge(family)) and no.method is Method.PHYSICAL] == list(physical)


def protected(password: bytes, access: int = 0x80) -> Any:
    chip = used_chip("NTAG213")
    chip.set_page(0x2B, password)
    chip.set_page(0x2A, bytes((access, 5, 0, 0)))
    chip.set_page(0x29, bytes.fromhex("04000004"))
    return chip


@pytest.mark.parametrize("access", [0x00, 0x80, 0x03])
def test_a_password_is_never_guessed(access: int) -> None:
    table, chip = Table(), protected(b"abcd", access)
    table.line.put(chip)
    outcome = table.run()
    assert (outcome.verdict, outcome.why, outcome.method) == (Verdict.REFUSED, Why.NEEDS_PASSWORD, Method.PHYSICAL)
    assert not [command for command in chip.heard if command[0] == 0x1B]
    assert chip.writes == 0


def test_a_wrong_issuer_password_is_tried_once() -> None:
    table, chip = Table(), protected(b"abcd", 0x81)
    table.line.put(chip)
    outcome = table.run(password=b"nope")
    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.WRONG_PASSWORD)
    assert len([command for command in chip.heard if command[0] == 0x1B]) == 1


@pytest.mark.parametrize("access", [0x01, 0x07, 0x80, 0x81, 0x87])
def test_a_survey_uses_up_no_try_of_the_password(access: int) -> None:
    """Where the chip counts wrong ones, or hides whether it does."""
    table, chip = Table(), protected(b"abcd", access)
    table.line.put(chip)
    for password in (b"nope", b"abcd"):
        outcome = table.plan(password=password)
        assert (outcome.verdict, outcome.why) == (Verdict.NOT_COMPLETED, Why.READY)
        assert any(step.writes for step in outcome.plan)
    assert not [command for command in chip.heard if command[0] == 0x1B]
    assert chip.writes == 0
    assert table.run(password=b"abcd").verdict is Verdict.DEACTIVATED
    assert is_dead(chip)


def test_a_survey_tells_a_wrong_password_of_a_chip_that_does_not_count_them() -> None:
    table, chip = Table(), protected(b"abcd", 0x00)
    table.line.put(chip)
    assert table.plan(password=b"nope").why is Why.WRONG_PASSWORD
    assert table.plan(password=b"abcd").why is Why.READY


@pytest.mark.parametrize("access", [0x00, 0x80, 0x83])
def test_the_issuers_password_opens_and_is_then_gone(access: int) -> None:
    table, chip = Table(), protected(b"abcd", access)
    table.line.put(chip)
    outcome = table.run(password=b"abcd")
    assert outcome.verdict is Verdict.DEACTIVATED, outcome.evidence["remarks"]
    assert is_dead(chip)
    assert chip.page(0x2B) != b"abcd"


@pytest.mark.parametrize(
    ("page", "content", "why"),
    [
        (2, "0000F000", Why.LOCKED_FOREIGN),
        (2, "00000700", Why.LOCKS_FROZEN),
        (0x28, "010000BD", Why.LOCKED_FOREIGN),
        (0x28, "000001BD", Why.LOCKS_FROZEN),
    ],
)
def test_locks_that_hold_something_else_are_left_alone(page: int, content: str, why: Why) -> None:
    table, chip = Table(), used_chip("NTAG213")
    chip.set_page(page, bytes.fromhex(content))
    table.line.put(chip)
    outcome = table.run()
    assert (outcome.verdict, outcome.why, outcome.method) == (Verdict.REFUSED, why, Method.PHYSICAL)
    assert chip.writes == 0


def test_a_locked_configuration_with_a_mirror_is_physical() -> None:
    table, chip = Table(), used_chip("NTAG213")
    chip.set_page(0x29, bytes.fromhex("440006FF"))
    chip.set_page(0x2A, bytes.fromhex("40050000"))
    table.line.put(chip)
    assert table.run().why is Why.CONFIG_LOCKED
    assert chip.writes == 0


def test_a_locked_configuration_that_does_no_harm_is_left_as_it_is() -> None:
    table, chip = Table(), used_chip("NTAG213")
    chip.set_page(0x2A, bytes.fromhex("50050000"))
    table.line.put(chip)
    assert table.run().verdict is Verdict.DEACTIVATED
    assert chip.page(0x2A) == bytes.fromhex("50050000")


def test_otp_bits_that_are_set_stay_and_are_told_of() -> None:
    table, chip = Table(), used_chip("MIFARE Ultralight")
    chip.set_page(3, bytes.fromhex("FF000000"))
    table.line.put(chip)
    outcome = table.run()
    assert outcome.verdict is Verdict.DEACTIVATED
    assert any("NDEF" in remark for remark in outcome.evidence["remarks"])


@pytest.mark.parametrize("pages", [42, 48])
def test_a_mute_chip_with_more_memory_is_no_ultralight(pages: int) -> None:
    table, chip = Table(), used_chip("MIFARE Ultralight", Quirks(pages=pages))
    table.line.put(chip)
    outcome = table.run()
    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.OTHER_MEMORY)
    assert chip.writes == 0


def test_one_unknown_key_and_nothing_is_written() -> None:
    table, chip = Table(), used_chip("MIFARE Classic 1K")
    chip.set_block(63, b"secret" + bytes.fromhex("FF078069") + b"secret")
    table.line.put(chip)
    outcome = table.run()
    assert (outcome.verdict, outcome.why, outcome.method) == (Verdict.REFUSED, Why.UNKNOWN_KEY, Method.PHYSICAL)
    assert outcome.details == (("sector", "15"),)
    assert chip.writes == 0
    assert table.run(keys=(b"secret",)).verdict is Verdict.DEACTIVATED
    assert is_dead(chip)


def test_a_sector_formatted_for_ndef_needs_its_key_b() -> None:
    table, chip = Table(), used_chip("MIFARE Classic 1K")
    chip.set_block(7, bytes.fromhex("D3F7D3F7D3F7 7F078840") + b"issuer")
    table.line.put(chip)
    assert table.run().why is Why.NO_WRITE_ACCESS
    assert chip.writes == 0
    assert table.run(keys=(b"issuer",)).verdict is Verdict.DEACTIVATED
    assert is_dead(chip)


def test_frozen_access_bits_are_physical() -> None:
    table, chip = Table(), used_chip("MIFARE Classic 1K")
    chip.set_block(7, b"\xff" * 6 + bytes.fromhex("00F0FF00") + b"\xff" * 6)
    table.line.put(chip)
    assert table.run().why is Why.NO_WRITE_ACCESS
    assert chip.writes == 0


def test_only_the_wanted_chip_is_written_even_beside_nothing_else() -> None:
    table, chip = Table(), used_chip("NTAG213")
    table.line.put(chip)
    outcome = table.run(uid=bytes.fromhex(OTHER_UID))
    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.OTHER_CHIP)
    assert outcome.details == (("wanted", OTHER_UID), ("there", UID))
    assert chip.writes == 0


def test_two_chips_are_refused() -> None:
    table, chip, other = Table(), used_chip("NTAG213"), used_chip("MIFARE Classic 1K")
    table.line.put(chip)
    table.line.put(other)
    outcome = table.run(uid=bytes.fromhex(UID))
    assert (outcome.verdict, outcome.why) == (Verdict.REFUSED, Why.TWO_CHIPS)
    assert {UID, CLASSIC_UID} == set(dict(outcome.details)["uids"].split())
    assert chip.writes == other.writes == 0


@pytest.mark.parametrize(
    ("quirks", "why"),
    [
        (Quirks(forgets_writes=True), Why.WRITES_LOST),
        (Quirks(stuck_pages=frozenset({9})), Why.WRITES_LOST),
        (Quirks(stuck_pages=frozenset({2})), Why.WRITES_LOST),
        (Quirks(stuck_pages=frozenset({0x2B})), Why.WRITES_LOST),
        (Quirks(locks_do_nothing=True), Why.WRITES_ACCEPTED),
    ],
    ids=str,
)
def test_a_copy_that_only_says_so_is_not_switched_off(quirks: Quirks, why: Why) -> None:
    table, chip = Table(), used_chip("NTAG213", quirks)
    table.line.put(chip)
    outcome = table.run()
    assert (outcome.verdict, outcome.why, outcome.method) == (Verdict.PROOF_FAILED, why, Method.PHYSICAL)
    assert verifies(outcome.evidence)


@pytest.mark.parametrize("family", [name for name, layout in LAYOUTS.items() if layout.config is not None])
@pytest.mark.parametrize("number", [0, 1])
def test_a_copy_whose_configuration_stays_open_is_not_switched_off(family: Family, number: int) -> None:
    config = LAYOUTS[family].config
    assert config is not None
    table, chip = Table(), used_chip(family, Quirks(open_pages=frozenset({config + number})))
    table.line.put(chip)
    outcome = table.run()
    assert (outcome.verdict, outcome.why, outcome.method) == (
        Verdict.PROOF_FAILED,
        Why.WRITES_ACCEPTED,
        Method.PHYSICAL,
    )
    assert outcome.evidence["wrong"] == [f"page {config + number:02X}"]


def test_a_copy_that_refuses_a_write_and_obeys_it_all_the_same_is_not_switched_off() -> None:
    """All is read once more after the attempts: what changed under them says more than what the chip answered."""
    table, chip = Table(), used_chip("NTAG213")
    table.line.put(chip)
    answer = chip.answer

    def two_faced(command: bytes) -> bytes | None:
        try:
            return answer(command)  # type: ignore[no-any-return]
        except RefusedError:
            if command[0] == 0xA2 and command[1] == 0x10:
                chip.memory[0x10 * 4] = 0x99
            raise

    chip.answer = two_faced
    outcome = table.run()
    assert all(test["refused"] for test in outcome.evidence["negative_tests"])
    assert (outcome.verdict, outcome.why, outcome.method) == (
        Verdict.PROOF_FAILED,
        Why.CONTENT_CHANGED,
        Method.PHYSICAL,
    )


@pytest.mark.parametrize("quirks", [Quirks(config_at_once=True), Quirks(no_fast_read=True)], ids=str)
def test_chips_that_are_a_little_different_are_switched_off_all_the_same(quirks: Quirks) -> None:
    table, chip = Table(), used_chip("NTAG213", quirks)
    table.line.put(chip)
    assert table.run().verdict is Verdict.DEACTIVATED
    assert is_dead(chip)


def test_a_classic_that_forgets_is_not_switched_off() -> None:
    table, chip = Table(), used_chip("MIFARE Classic 1K")
    for block in (1, 4, 62):
        chip.set_block(block, bytes(16))
    chip._forgets_writes = True
    table.line.put(chip)
    assert table.run().verdict is Verdict.PROOF_FAILED


@pytest.mark.parametrize("capacity", [48, 128, 144, 888])
def test_a_tombstone_is_found_again_and_nothing_else_is(capacity: int) -> None:
    for text in (TEXT, "VOID", "x" * 500):
        memory = tombstone(text, capacity)
        assert len(memory) == capacity
        said = read_tombstone(memory)
        assert said is not None
        assert said.startswith("VOID")
        assert read_tombstone(memory[:-1] + b"\x01") is None
    assert read_tombstone(bytes(capacity)) is None
    assert read_tombstone(CODE.ljust(capacity, b"\0")) is None
