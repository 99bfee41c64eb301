"""`cardintake nfc`: exit codes, the plan that writes nothing, waiting for the card, the gate of a station."""

from __future__ import annotations

import base64
import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.commands import nfc
from app.core.audit import Stamp
from app.core.cards import CardState
from app.core.errors import StorageTrouble
from app.station import switching
from app.station.switching import Intake, Switching
from app.store.chips import Closed
from app.store.store import REHEARSAL_PASSPHRASE, Store
from hardware.deactivation import Stage, Unproved, Verdict, Why, verifies
from hardware.sim.nfc import SimulatedBoard
from hardware.sim.nfc_chip import Tearing
from hardware.sim.nfc_chips import make_chip
from hardware.sim.nfc_type2 import Quirks
from tests.commands.nfc_cli import Cli
from tests.commands.nfc_station import FAMILY, STAMP, Station
from tests.hardware.nfc.making import OTHER_UID, TEXT, UID, holds_code, is_dead, used_chip
from ui.texts import say, words


def test_info_tells_what_lies_there_and_writes_nothing(cli: Cli, board: SimulatedBoard) -> None:
    chip = used_chip("NTAG213")
    board.put(chip)
    code, told = cli("info")
    (seen,) = told["chips"]
    assert code == 0
    assert told["reader"]["firmware"] == "PN532 1.6"
    assert (seen["uid"], seen["family"], seen["may_be_written"]) == (UID, "NTAG213", True)
    assert seen["version"] == "0004040201000F03"
    assert seen["memory"]["header"].startswith("04A1B29F")
    assert chip.writes == 0
    board.clear()
    assert cli("info")[1]["chips"] == []


def test_info_says_why_a_chip_may_not_be_written(cli: Cli, board: SimulatedBoard) -> None:
    board.put(make_chip("bank card", "01020304"))
    (seen,) = cli("info")[1]["chips"]
    assert (seen["may_be_written"], seen["why"]) == (False, "bank-card")


def test_without_yes_the_plan_is_printed_and_nothing_written(cli: Cli, board: SimulatedBoard) -> None:
    chip = used_chip(FAMILY)
    board.put(chip)
    code, told = cli("deactivate")
    assert (code, told["verdict"], told["dry_run"], told["done"]) == (0, "ready", True, False)
    assert [step["stage"] for step in told["plan"]][-1] == "proof"
    assert any(step["irreversible"] for step in told["plan"])
    assert chip.writes == 0


@pytest.mark.parametrize(
    ("language", "line", "kept"),
    [
        ("zh_CN", "---- 从这里起不能撤销 ----", "没有写"),
        ("en", "---- cannot be undone from here ----", "nothing was written"),
    ],
)
def test_the_plan_is_shown_in_words_with_the_line_that_has_no_way_back(
    board: SimulatedBoard,
    cli: Cli,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    line: str,
    kept: str,
) -> None:
    del cli  # for its places
    monkeypatch.setenv("CARDINTAKE_LANG", language)
    board.put(used_chip(FAMILY))
    assert main(["nfc", "deactivate", "--port", board.address]) == 0
    shown = capsys.readouterr().err.splitlines()
    words = [say(f"nfc.stage.{stage}", language) for stage in ("data", "read-back", "read-only", "proof")]
    places = [next(n for n, told in enumerate(shown) if word in told) for word in words]
    assert places == sorted(places)
    assert places[1] < shown.index(line) < places[2]
    assert any(f"UID {UID}" in told for told in shown)
    assert kept in shown[-1]


def test_words_name_both_uids_the_card_to_put_back_and_no_stage_twice(
    board: SimulatedBoard, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARDINTAKE_LANG", "en")
    chip = used_chip(FAMILY)
    board.put(chip)
    told = cli("deactivate", "--yes", "--uid", OTHER_UID)[1]["text"]
    assert UID in told
    assert OTHER_UID in told
    assert told.count("othing was written") == 1
    chip.tear(5, Tearing.CLEAN)
    assert UID in cli("deactivate", "--yes", "--wait", "0")[1]["text"]
    board.clear()
    assert cli("info")[1]["text"].startswith("No chip on the reader")
    assert main(["nfc", "deactivate", "--port", board.address, "--yes", "--wait", "0.6"]) == 4
    shown = capsys.readouterr().err
    assert shown.count("Looking at the chip") == 1
    assert UID in shown  # the torn one: it may lie there and be mute


def test_done_and_proved_is_exit_0(cli: Cli, board: SimulatedBoard, tmp_path: Path) -> None:
    chip, file = used_chip(FAMILY), tmp_path / "evidence" / "record.json"
    board.put(chip)
    code, told = cli("deactivate", "--yes", "--uid", UID, "--text", TEXT, "--evidence", str(file))
    record = json.loads(file.read_text())
    assert (code, told["verdict"]) == (0, "deactivated")
    assert verifies(record)
    assert record["about"]["intake"] == "none"
    assert is_dead(chip)
    assert list((tmp_path / "state").rglob("chips/*.json")) == []
    assert cli("deactivate", "--yes")[1]["verdict"] == "already-deactivated"


@pytest.mark.parametrize(("family", "uid"), [("bank card", "01020304"), ("phone", "08010203"), ("MIFARE DESFire", UID)])
def test_a_refusal_is_exit_3(cli: Cli, board: SimulatedBoard, family: str, uid: str) -> None:
    chip = make_chip(family, uid)
    board.put(chip)
    code, told = cli("deactivate", "--yes")
    assert (code, told["verdict"]) == (3, "refused")
    assert chip.heard == []


def test_another_uid_is_exit_3(cli: Cli, board: SimulatedBoard) -> None:
    chip = used_chip(FAMILY)
    board.put(chip)
    code, told = cli("deactivate", "--yes", "--uid", OTHER_UID)
    assert (code, told["details"]) == (3, {"wanted": OTHER_UID, "there": UID})
    assert chip.writes == 0


def test_a_torn_run_is_exit_4_and_the_next_one_exit_0(cli: Cli, board: SimulatedBoard, tmp_path: Path) -> None:
    chip = used_chip(FAMILY)
    board.put(chip)
    chip.tear(15, Tearing.HALF)
    code, told = cli("deactivate", "--yes", "--wait", "0")
    assert (code, told["why"]) == (4, "chip-gone")
    (kept,) = (tmp_path / "state").rglob("chips/*.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    chip.put_back()
    code, told = cli("deactivate", "--yes", "--uid", UID)
    assert (code, told["verdict"]) == (0, "deactivated")
    assert is_dead(chip)
    assert not kept.exists()


def test_it_waits_for_the_card_to_come_back(cli: Cli, board: SimulatedBoard) -> None:
    chip, other = used_chip(FAMILY), make_chip(FAMILY, OTHER_UID)
    board.put(chip)
    chip.tear(9, Tearing.CLEAN)
    looks = [0]

    def come_back() -> None:
        """Once it is away: first another card for a while, then the right one."""
        if chip.in_reach:
            return
        looks[0] += 1
        if looks[0] == 20:
            board.put(other)
        if looks[0] == 60:
            board.remove(other.target.uid)
            chip.put_back()

    board.watch(come_back)
    code, told = cli("deactivate", "--yes", "--wait", "30")
    assert (code, told["verdict"]) == (0, "deactivated")
    assert other.writes == 0


def test_it_waits_for_the_card_to_be_laid_down(cli: Cli, board: SimulatedBoard) -> None:
    chip, looks = used_chip(FAMILY), [0]

    def lay_down() -> None:
        looks[0] += 1
        if looks[0] == 30:
            board.put(chip)

    board.watch(lay_down)
    assert cli("deactivate", "--yes", "--uid", UID)[0] == 0


def test_no_card_in_time(cli: Cli) -> None:
    assert cli("deactivate", "--yes", "--wait", "0")[1]["why"] == "no-chip"
    assert cli("deactivate", "--yes", "--wait", "0", "--uid", UID)[0] == 4


def test_a_failed_proof_is_exit_5(cli: Cli, board: SimulatedBoard) -> None:
    board.put(used_chip(FAMILY, Quirks(locks_do_nothing=True)))
    code, told = cli("deactivate", "--yes")
    assert (code, told["verdict"], told["method"]) == (5, "proof-failed", "physical")


def test_after_punching_no_chip_answers(cli: Cli, board: SimulatedBoard) -> None:
    board.put(used_chip(FAMILY))
    assert cli("gone") == (5, {"gone": False, "answered": [UID], "positive_control": "none"})
    board.clear()
    assert cli("gone") == (0, {"gone": True, "answered": [], "positive_control": "none"})


def test_no_reader_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nfc", "info", "--port", str(tmp_path / "no-port")]) == 3
    assert json.loads(capsys.readouterr().out)["why"] == "nfc.missing"


@pytest.mark.parametrize(
    "option",
    [
        ("--uid", "12"),
        ("--uid", "zz"),
        ("--text", "作废"),
        ("--secrets", "/no/such/file"),
        ("--wait", "nan"),
        ("--wait", "inf"),
        ("--wait", "1e9"),
        ("--wait", "-1"),
        ("--wait", "soon"),
    ],
)
def test_bad_usage_is_exit_2(cli: Cli, option: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli("deactivate", *option)
    assert stopped.value.code == 2


def test_the_issuers_keys_come_from_a_file(cli: Cli, board: SimulatedBoard, tmp_path: Path) -> None:
    chip = used_chip("MIFARE Classic 1K")
    chip.set_block(63, b"secret" + bytes.fromhex("FF078069") + b"secret")
    board.put(chip)
    assert cli("deactivate", "--yes")[0] == 3
    file = tmp_path / "keys"
    file.write_text(f"key {b'secret'.hex()}\npassword 01020304\n")
    code, told = cli("deactivate", "--yes", "--secrets", str(file))
    assert code == 0
    assert not holds_code(chip)
    assert b"secret".hex().upper() not in json.dumps(told).upper()


# On a station


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path / "station")


def on(station: Station, *more: str) -> tuple[str, ...]:
    return ("--data", str(station.folder.root), *more)


def test_a_station_wants_the_card_and_the_centres_word(cli: Cli, board: SimulatedBoard, station: Station) -> None:
    chip = used_chip(FAMILY)
    board.put(chip)
    assert cli("deactivate", "--yes", *on(station)) == (
        3,
        {"verdict": "refused", "why": "card-needed", "card": "", "done": False},
    )
    for card, why in (("nobody", "unknown-card"), ("card-1", "not-accepted")):
        code, told = cli("deactivate", "--yes", *on(station, "--card", card))
        assert (code, told["why"]) == (3, why)
    station.decide(CardState.REJECTED)
    assert cli("deactivate", "--yes", *on(station, "--card", "card-1"))[1]["why"] == "not-accepted"
    assert chip.writes == 0


def test_an_accepted_card_is_switched_off_and_recorded(cli: Cli, board: SimulatedBoard, station: Station) -> None:
    station.decide()
    chip = used_chip(FAMILY)
    board.put(chip)
    code, told = cli("deactivate", "--yes", *on(station, "--card", "card-1", "--operator", "1001"))
    assert (code, told["verdict"]) == (0, "deactivated")
    assert told["evidence"]["about"]["intake"]["t_video_us"] == 7_000_000
    (fact,) = station.facts()
    assert (fact["kind"], fact["actor"]) == ("chip.deactivated", "1001")
    assert fact["body"]["evidence"] == told["evidence"]["sha256"]
    assert base64.b64decode(told["evidence"]["before"]["content"]["sealed"]).startswith(b"CIS1")
    assert not list((station.folder.chips / "journal").glob("*.json"))
    (record,) = station.folder.chips.glob("*.json")
    assert verifies(json.loads(record.read_text()))
    assert is_dead(chip)


def test_a_real_station_asks_for_its_passphrase_and_the_card_and_takes_no_simulated_reader(
    cli: Cli, board: SimulatedBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station, chip = Station(tmp_path / "real", "a passphrase of its own"), used_chip(FAMILY)
    board.put(chip)

    def told(passphrase: str, *more: str) -> tuple[int, dict[str, Any]]:
        read, write = os.pipe()
        os.write(write, passphrase.encode() + b"\n")
        os.close(write)
        try:
            return cli("deactivate", "--yes", *on(station, "--passphrase-fd", str(read), *more))
        finally:
            with suppress(OSError):
                os.close(read)

    monkeypatch.setattr("sys.stdin", None)
    assert told("wrong", "--card", "card-1")[0] == 3  # the chip is untouched
    assert told(station.passphrase)[1]["why"] == "card-needed"
    station.decide()
    code, said = told(station.passphrase, "--card", "card-1")
    assert (code, said["why"]) == (3, "simulated-reader")  # a pseudo-terminal's board never passes for a real reader
    assert chip.writes == 0
    assert station.facts() == []
    assert station.waits() == ["card-1"]


@pytest.mark.parametrize(
    ("passphrase", "at_intake", "now", "closed"),
    [
        ("a passphrase of its own", False, False, None),
        ("a passphrase of its own", False, True, Closed.SIMULATED_READER),
        ("a passphrase of its own", True, True, Closed.SIMULATED_READER),
        ("a passphrase of its own", True, False, Closed.OTHER_KIND_OF_READER),
        ("", True, True, None),
        ("", True, False, Closed.REHEARSAL),
        ("", False, False, Closed.REHEARSAL),
        ("", False, True, Closed.OTHER_KIND_OF_READER),
    ],
)
def test_a_real_card_and_a_real_reader_belong_together(
    tmp_path: Path, passphrase: str, at_intake: bool, now: bool, closed: Closed | None
) -> None:
    station = Station(tmp_path / "station", passphrase, simulated=at_intake)
    station.decide()
    store = Store.open(station.folder.database, station.passphrase, reserve_bytes=0)
    gate = Switching(lambda work: work(store), station.folder).let_through("card-1", STAMP, simulated=now)
    store.close()
    assert gate is closed if closed else isinstance(gate, Intake)


def test_a_folder_that_is_no_station_is_bad_usage(cli: Cli, tmp_path: Path) -> None:
    code, told = cli("deactivate", "--yes", "--data", str(tmp_path / "nowhere"), "--card", "x")
    assert (code, told["why"]) == (2, "not-a-station")


def test_a_card_without_a_station_is_bad_usage_before_anything_is_opened(
    cli: Cli, board: SimulatedBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    chip = used_chip(FAMILY)
    board.put(chip)
    monkeypatch.setattr(nfc, "open_lasting_nfc", pytest.fail)
    for more in ((), ("--yes",)):
        code, told = cli("deactivate", "--card", "card-1", *more)
        assert (code, told["why"], told["done"]) == (2, "no-station", False)
    assert chip.writes == 0


def test_a_finished_classic_run_again_is_done_already_by_its_record(cli: Cli, board: SimulatedBoard) -> None:
    board.put(used_chip("MIFARE Classic 1K"))
    assert cli("deactivate", "--yes")[0] == 0
    code, told = cli("deactivate", "--yes")
    assert (code, told["verdict"], told["why"]) == (0, "already-deactivated", "proved-before")


def test_the_uid_has_to_be_the_one_of_the_intake(cli: Cli, board: SimulatedBoard, station: Station) -> None:
    station.decide()
    other = make_chip(FAMILY, OTHER_UID)
    board.put(other)
    code, told = cli("deactivate", "--yes", *on(station, "--card", "card-1"))
    assert (code, told["why"], other.writes) == (3, "other-chip", 0)
    assert cli("deactivate", "--yes", *on(station, "--card", "card-1", "--uid", OTHER_UID))[1]["why"] == "other-uid"


def test_a_look_at_a_torn_chip_of_a_station_knows_of_its_run(cli: Cli, board: SimulatedBoard, station: Station) -> None:
    """The journal lies sealed for the card; without it a begun chip looks as if it were done."""
    chip = used_chip(FAMILY)
    board.put(chip)
    station.decide()
    chip.tear(16, Tearing.HALF)
    assert cli("deactivate", "--yes", "--wait", "0", *on(station, "--card", "card-1"))[0] == 4
    chip.put_back()
    (seen,) = cli("info", "--data", str(station.folder.root))[1]["chips"]
    (strange,) = cli("info")[1]["chips"]
    assert (seen["looks_switched_off"], strange["looks_switched_off"]) == (False, True)


def test_a_look_at_a_chip_that_this_station_proved_off_knows_it(
    cli: Cli, board: SimulatedBoard, station: Station
) -> None:
    chip = used_chip("MIFARE Classic 1K")
    board.put(chip)
    station.keep("card-2", chip.target.uid.hex().upper(), "MIFARE Classic 1K")
    station.decide(card_id="card-2")
    code, told = cli("deactivate", "--yes", *on(station, "--card", "card-2"))
    assert code == 0, told["text"]
    (seen,) = cli("info", "--data", str(station.folder.root))[1]["chips"]
    assert seen["looks_switched_off"]


def test_one_chip_does_not_discharge_two_cards(cli: Cli, board: SimulatedBoard, station: Station) -> None:
    """The second card was given the first one's chip, which lay on the reader still."""
    station.decide()
    chip = used_chip(FAMILY)
    board.put(chip)
    assert cli("deactivate", "--yes", *on(station, "--card", "card-1"))[0] == 0
    station.keep("card-2")
    (kept,) = [event for event in station.events() if event["body"].get("card") == "card-2"]
    assert (kept["body"]["verdict"], kept["body"]["reasons"]) == ("review", ["chip-uid-twice"])
    station.decide(card_id="card-2")
    code, told = cli("deactivate", "--yes", *on(station, "--card", "card-2"))
    assert (code, told["verdict"], told["why"], told["done"]) == (3, "refused", "uid-used-twice", False)
    assert [fact["body"]["card"] for fact in station.facts()] == ["card-1"]
    assert station.waits() == ["card-2"]


def test_a_chip_that_is_off_already_discharges_no_card_without_a_record_of_its_own(
    cli: Cli, board: SimulatedBoard, station: Station
) -> None:
    chip = used_chip(FAMILY)
    board.put(chip)
    assert cli("deactivate", "--yes")[0] == 0  # off the station: some other card's
    station.decide()
    code, told = cli("deactivate", "--yes", *on(station, "--card", "card-1"))
    assert (code, told["why"], told["method"], told["done"]) == (3, "off-unexplained", "physical", False)
    (fact,) = station.facts()
    assert (fact["kind"], station.waits()) == ("chip.not-deactivated", ["card-1"])


def test_the_journal_stays_where_the_record_could_not_be_kept(
    cli: Cli, board: SimulatedBoard, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.decide()
    chip = used_chip(FAMILY)
    board.put(chip)

    def full(path: Path, _record: dict[str, Any]) -> None:
        raise StorageTrouble("store.io", path.name)

    with monkeypatch.context() as patched:
        patched.setattr(switching, "save_record", full)
        code, told = cli("deactivate", "--yes", *on(station, "--card", "card-1"))
    assert (code, told["why"], told["done"], station.facts()) == (4, "not-kept", False, [])
    assert len(list((station.folder.chips / "journal").glob("*.sealed"))) == 1
    assert cli("deactivate", "--yes", *on(station, "--card", "card-1"))[1]["verdict"] == "deactivated"
    assert list((station.folder.chips / "journal").glob("*.sealed")) == []


def test_a_card_whose_record_is_there_is_done_already(cli: Cli, board: SimulatedBoard, station: Station) -> None:
    station.decide()
    board.put(used_chip(FAMILY))
    for verdict in ("deactivated", "already-deactivated"):
        code, told = cli("deactivate", "--yes", *on(station, "--card", "card-1"))
        assert (code, told["verdict"]) == (0, verdict)


def test_an_expired_decision_opens_nothing(station: Station) -> None:
    station.decide(expires_ms=STAMP.wall_us // 1000 + 1)
    store = Store.open(station.folder.database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    late = Stamp(STAMP.wall_us + 2_000_000, 5, "boot")
    assert store.chip_gate("card-1", late) is Closed.DECISION_EXPIRED
    store.withdraw_card("card-1", (), STAMP, "1001")
    assert store.chip_gate("card-1", STAMP) is Closed.WITHDRAWN
    store.close()


def test_every_stage_reason_and_gate_has_words() -> None:
    wanted = {f"nfc.stage.{stage.value}" for stage in Stage} | {f"nfc.why.{why.value}" for why in Why}
    wanted |= {f"nfc.do.{verdict.value}" for verdict in Verdict} | {f"nfc.gate.{closed.value}" for closed in Closed}
    gates = {
        f"nfc.gate.{why}"
        for why in (
            "card-needed", "evidence-unwritable", "evidence-exists", "no-station", "not-a-station", "other-uid",
            "station-unreadable", "cancelled",
        )
    }  # fmt: skip
    wanted |= {"nfc.begun", *(f"nfc.not-proved.{what}" for what in Unproved)}
    assert wanted | gates <= set(words())


def test_no_thread_is_left(cli: Cli) -> None:
    before = set(threading.enumerate())
    cli("info")
    assert set(threading.enumerate()) <= before  # a thread of an earlier test may end meanwhile
