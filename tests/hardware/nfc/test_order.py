"""What the disk holds at the moment of each write: one log of what is saved and what is written."""

from __future__ import annotations

from typing import Any

import pytest

from hardware.nfc.chips import Family
from hardware.nfc.chips.journal import Entry
from hardware.nfc.chips.layout import LAYOUTS
from hardware.nfc.chips.outcome import Stage, Verdict
from hardware.nfc.chips.policy import METHODS
from hardware.nfc.chips.talk import trailer_told, write_told
from tests.hardware.nfc.making import Table, irreversible, used_chip


def in_order(table: Table, chip: Any) -> list[tuple[str, Any]]:
    """One log of what reaches the disk and what reaches the chip: ("saved", entry) and ("written", command)."""
    log: list[tuple[str, Any]] = []
    save, answer = table.journal.save, chip.answer

    def logged_save(entry: Entry) -> None:
        save(entry)
        log.append(("saved", entry))

    def logged_answer(command: bytes) -> bytes | None:
        if command[0] in (0xA2, 0xA0):
            log.append(("written", command))
        return answer(command)  # type: ignore[no-any-return]

    table.journal.save, chip.answer = logged_save, logged_answer  # type: ignore[method-assign]
    return log


@pytest.mark.parametrize("family", METHODS)
def test_the_journal_is_saved_before_the_secrets_and_before_each_irreversible_stage(family: str) -> None:
    """What the disk holds at the moment of each write, not what it holds in the end."""
    table, chip = Table(), used_chip(family)
    table.line.put(chip)
    log = in_order(table, chip)
    assert table.run().verdict is Verdict.DEACTIVATED
    config = LAYOUTS[Family(family)].config if family in LAYOUTS else None
    secret_pages = (config + 2, config + 3) if config is not None else ()
    disk: Entry | None = None
    checked = set[str]()
    for what, thing in log:
        if what == "saved":
            disk = thing
            continue
        assert disk is not None, "written before anything was saved"
        secret = thing[0] == 0xA2 and thing[1] in secret_pages
        told = write_told(thing[1], thing[2:], secret) if thing[0] == 0xA2 else trailer_told(thing[1], thing[2:])
        if secret:
            assert thing[2:] == (disk.secret("pwd") if thing[1] == secret_pages[0] else disk.secret("pack") + bytes(2))
        if secret or told in irreversible(chip):
            assert told in {act["write"] for act in disk.runs[-1]["irreversible"]}, told
            checked.add(told)
    assert len(checked) == sum(1 for told in irreversible(chip) if told) + len(secret_pages)


def test_the_stages_of_the_journal_come_in_order() -> None:
    table, chip = Table(), used_chip("NTAG213")
    table.line.put(chip)
    table.run()
    stages = [entry.stage for entry in table.journal.saved]
    order = [Stage.IDENTIFY, Stage.READ_ONLY, Stage.DYNAMIC_LOCKS, Stage.STATIC_LOCKS, Stage.CONFIG_LOCK]
    assert list(dict.fromkeys(stages)) == order


def test_every_trailer_is_in_the_journal_before_it_is_written() -> None:
    table, chip = Table(), used_chip("MIFARE Classic 1K")
    table.line.put(chip)
    log = in_order(table, chip)
    table.run()
    begun: tuple[int, ...] = ()
    closed: list[int] = []
    for what, thing in log:
        if what == "saved":
            begun, keys = thing.sectors, dict(thing.secrets)
        elif thing[1] % 4 == 3 and thing[1] // 4 not in closed:
            sector = thing[1] // 4
            assert sector in begun
            assert (thing[2:8], thing[12:]) == (keys[f"{sector}A"], keys[f"{sector}B"])
            closed.append(sector)
    assert closed == list(reversed(range(16)))
    assert len(set(keys.values())) == 32
