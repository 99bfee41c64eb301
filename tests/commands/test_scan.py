"""`cardintake scan`: sheets from a folder or SANE into JSON lines, or into a station's parcel."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from app.commands import scan
from app.core.cards import Secret
from app.core.parcels import ExpectedParcel, Role
from app.paths import StationFolder
from app.rehearsal.cards import print_back
from app.rehearsal.casting import plan_card
from app.rehearsal.deck import DeckCard
from app.rehearsal.products import load_studio_products
from app.server.folder import read_centre
from app.server.setup import init
from app.store.seal import IndexCost
from app.store.store import REHEARSAL_PASSPHRASE, Store
from tests.commands.conftest import Said

Say = Callable[..., Said]
BADGE, WAYBILL = "CIB-CLERK001", "SF1234567890123"
PPM = 300 / 25.4


@dataclass(frozen=True)
class Truth:
    number: str
    pin: str
    gtin: str


@pytest.fixture(scope="module")
def sheet() -> tuple[bytes, list[Truth]]:
    """A sheet with two cards, and what is printed on them."""
    picture, truths = np.full((900, 2480, 3), 250, np.uint8), []
    for no, product in enumerate(list(load_studio_products().values())[:2]):
        plan = plan_card(product, DeckCard(product.id), 900 + no)
        card = print_back(plan, PPM).image
        height, width = card.shape[:2]
        picture[120 : 120 + height, 90 + no * 1180 : 90 + no * 1180 + width] = card
        truths.append(Truth(plan.content.number, plan.content.pin, product.gtins[0]))
    _, data = cv2.imencode(".png", picture)
    return bytes(data), truths


@pytest.fixture
def station(tmp_path: Path) -> Path:
    init(tmp_path / "centre")
    folder = StationFolder(tmp_path / "station")
    folder.root.mkdir()
    folder.rehearsal_mark.write_text('{"footage": "", "boot": ""}')
    cost = IndexCost(memory_kib=8, passes=1)
    given: dict[str, Any] = {"centre": read_centre(tmp_path / "centre"), "rehearsal": True, "index_cost": cost}
    store = Store.create(folder.database, REHEARSAL_PASSPHRASE, station_id="st-1", reserve_bytes=0, **given)
    store.add_operator("E1", "陈敏", Role.CLERK, BADGE, Secret("246810"))
    store.announce_parcels([ExpectedParcel(WAYBILL, "R-1", 2)])
    store.close()
    return folder.root


def lines(said: Said) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.out.splitlines()]


def test_a_folder_becomes_lines_and_a_repeated_sheet_is_refused(
    say: Say, tmp_path: Path, sheet: tuple[bytes, list[Truth]]
) -> None:
    data, truths = sheet
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "c.png").write_bytes(b"\x89PNG no picture at all IEND\xaeB`\x82")
    said = say("scan", "--folder", tmp_path, "--once")
    assert said.code == 2
    told = lines(said)
    cards = [line for line in told if "card" in line]
    assert [(c["number"], c["pin"], c["gtin"]) for c in cards] == [(t.number, t.pin, t.gtin) for t in truths]
    assert {line["error"]["code"] for line in told if "error" in line} == {"scan.repeated", "input.not_an_image"}
    assert told[-1] == {"summary": {"sheets": 3, "cards": 2, "repeated": 1, "unreadable": 1}}
    assert "3 · " in said.err


def test_files_that_are_no_whole_pictures_are_told_and_the_run_ends(
    say: Say, tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an empty file in the folder it never ended; a PDF it did not mention."""
    monkeypatch.setattr(scan, "_ONCE_LEFT_S", 0.8)
    whole = cv2.imencode(".png", np.full((300, 400, 3), 250, np.uint8))[1].tobytes()
    files = {"empty.png": b"", "half.png": whole[: len(whole) // 2], "none.png": b"", "f.pdf": b"%PDF-1.4\n"}
    for name, data in {**files, "whole.png": whole, "Thumbs.db": b"x"}.items():
        (tmp_path / name).write_bytes(data)
    said = say("scan", "--folder", tmp_path, "--once", "--threads", 1)
    assert said.code == 2
    *told, last = lines(said)
    assert {line["sheet"]: line["error"]["code"] for line in told} == {
        "empty.png": "input.empty",
        "none.png": "input.empty",
        "half.png": "input.truncated",
        "f.pdf": "scan.not_a_picture",
    }
    assert all(said.complains(code, language) for code in ("input.empty", "input.truncated", "scan.not_a_picture"))
    assert last == {"summary": {"sheets": 5, "cards": 0, "repeated": 0, "unreadable": 4}}


@pytest.mark.warns
def test_a_sheet_that_the_reader_fails_over_does_not_end_the_run(
    say: Say, tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.full((300, 400, 3), ord(name[0]), np.uint8))

    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(scan, "read_sheet", fail)
    said = say("scan", "--folder", tmp_path, "--once", "--threads", 1)
    assert said.code == 2
    assert [line["error"]["code"] for line in lines(said)[:-1]] == ["reading.failed"] * 2
    assert said.complains("reading.failed", language)


def test_scanned_cards_go_into_the_stations_parcel_once(
    say: Say, tmp_path: Path, station: Path, sheet: tuple[bytes, list[Truth]]
) -> None:
    data, truths = sheet
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(data)
    given = ("--folder", folder, "--once", "--data", station, "--waybill", WAYBILL)
    said = say("scan", *given, told=f"{BADGE}\n")
    assert said.code == 0, said.err
    assert [line["became"] for line in lines(said) if "card" in line] == ["kept", "kept"]
    assert not any(t.number in said.out + said.err or t.pin in said.out + said.err for t in truths)
    again = say("scan", *given, told=f"{BADGE}\n")
    assert [line["became"] for line in lines(again) if "card" in line] == ["already-kept", "already-kept"]
    shutil.copy(folder / "a.png", folder / "b.png")
    store = Store.open(StationFolder(station).database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
    parcel = store.unfinished_parcel()
    store.close()
    assert parcel is not None
    assert [card.last4 for card in parcel.cards] == [t.number[-4:] for t in truths]
    assert all("scanned" in [r.value for r in card.reasons] for card in parcel.cards)


@pytest.mark.parametrize(
    ("more", "badge", "code"),
    [
        ((), BADGE, "scan.incomplete"),
        (("--waybill", WAYBILL), "", "centre.no_badge"),
        (("--waybill", WAYBILL), "CIB-NOBODY01", "scan.unknown_badge"),
        (("--waybill", "SF9999999999999"), BADGE, "scan.unknown_parcel"),
    ],
)
def test_what_is_in_the_way_of_an_intake(
    say: Say, tmp_path: Path, station: Path, more: tuple[str, ...], badge: str, code: str
) -> None:
    said = say("scan", "--folder", tmp_path, "--once", "--data", station, *more, told=badge)
    assert said.code == 2
    assert f"[{code}]" in said.err


def test_every_page_of_a_pile_counts(say: Say, sheet: tuple[bytes, list[Truth]], tmp_path: Path) -> None:
    picture, truths = Image.open(io.BytesIO(sheet[0])), sheet[1]
    folder = tmp_path / "scans"
    folder.mkdir()
    half = picture.width // 2
    one, other = picture.crop((0, 0, half, picture.height)), picture.crop((half, 0, picture.width, picture.height))
    one.save(folder / "pile.tif", save_all=True, append_images=[other])
    said = say("scan", "--folder", folder, "--once", "--threads", 1)
    cards = [line for line in map(json.loads, said.out.splitlines()) if "card" in line]
    assert [(card["card"], card["number"]) for card in cards] == [(1, truths[0].number), (2, truths[1].number)]


def test_a_folder_that_is_not_there(say: Say, tmp_path: Path, language: str) -> None:
    said = say("scan", "--folder", tmp_path / "nowhere")
    assert said.code == 3
    assert said.complains("scanner.missing", language)


def test_sanes_test_device_feeds_the_same_reader(say: Say) -> None:
    if shutil.which("scanimage") is None:
        pytest.skip("scanimage is not installed (package sane-utils)")
    said = say("scan", "--sane", "test?test-picture=Solid white", "--sheets", 1)
    assert said.code == 0, said.err
    assert lines(said)[-1] == {"summary": {"sheets": 1, "cards": 0, "repeated": 0, "unreadable": 0}}
