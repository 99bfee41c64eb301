"""Real cards: decided on by a person, a rule or the system that knows prices; never unseen, never twice."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.__main__ import main
from app.core.audit import Stamp
from app.core.cards import CardState, Tag
from app.core.parcels import Reason
from app.keys import Signer, new_seed
from app.server.deciding import Wish, change_rule, decide_as_person
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station, make_code, revoke_station
from app.server.report import report
from app.server.routes import make_app
from app.server.setup import OpenCentre
from app.signing import Message, RequestMarks, sign_request
from app.store.chips import ChipGate, Closed
from app.store.results import Kept
from app.store.store import Store
from app.sync.client import CentreClient, Speaker
from app.wire import DIGEST_HEADER, content_digest
from app.wire_vault import Finding, Findings
from tests.server.either import centre as centre
from tests.store.conftest import draft, opened
from tests.sync.conftest import NOW_US, Party, new_party, stamp

NOW_MS = NOW_US // 1000
CHIP = Tag("04A1B2C3D4E5F6", "0044", "00", "ntag21x", simulated=False)


BOTH = pytest.mark.parametrize("where", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def where(request: pytest.FixtureRequest) -> str:
    """The centre's database: a file, but where a test asks for both."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return make()


@dataclass
class Shop:
    """A station with real cards, the vault's word, and the system that decides."""

    centre: OpenCentre
    party: Party
    vault: Signer = field(default_factory=lambda: Signer(new_seed()))
    system: Signer = field(default_factory=lambda: Signer(new_seed()))
    requests: int = 0

    def card(self, *, find: str | None = "", **told: Any) -> str:
        """One more card at the centre, and what the vault found of it."""
        name = self.party.keep(**told)
        self.party.round()
        if find is not None:
            self.find(name, find)
        return name

    def find(self, name: str, code: str = "", of: str = "") -> None:
        one = Finding(station=self.station, card=name, code=code, of_station=self.station if of else "", of_card=of)  # type: ignore[arg-type]

        async def tell() -> None:
            transport = httpx.ASGITransport(make_app(self.centre, now_ms=lambda: NOW_MS))
            speaker = Speaker("vault-1", self.vault, self.centre.centre)
            async with CentreClient("http://127.0.0.1", transport, speaker, lambda: NOW_MS) as client:
                await client.tell_findings(Findings(findings=(one,)))

        asyncio.run(tell())

    @property
    def station(self) -> str:
        return self.party.store.station

    def says(self, name: str, verdict: str, by: str = "anna", **more: str) -> str:
        """What a person decides: what came of it."""
        wish = Wish(self.station, name, verdict, "looked at it", **more)
        [one] = decide_as_person(self.centre, [wish], NOW_MS, by)
        return one.code or one.result

    def system_asks(self, method: str, path: str, body: Any = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        digest, kind = content_digest(content), "application/json" if content else ""
        self.requests += 1
        message = Message(method, self.centre.centre.base_url + path, digest, kind)
        marks = RequestMarks("prices", f"nonce-{self.requests:020d}", NOW_MS // 1000, NOW_MS // 1000 + 60)
        headers = sign_request(self.system, message, marks) | {DIGEST_HEADER: digest}
        headers |= {"Content-Type": kind} if kind else {}

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(make_app(self.centre, now_ms=lambda: NOW_MS))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
                return await http.request(method, path, content=content, headers=headers)

        answer = asyncio.run(ask())
        assert answer.status_code == 200, answer.text
        return answer.json()

    def system_says(self, *cards: dict[str, Any], verdict: str = "accepted") -> list[str]:
        wishes = [{name: one[name] for name in ("station", "card", "event_hash")} for one in cards]
        told = {"decisions": [{**one, "verdict": verdict, "reason": "98.50 for it"} for one in wishes]}
        return [
            one["code"] or one["result"]
            for one in self.system_asks("POST", "/v1/acceptance/decisions", told)["results"]
        ]

    def listed(self) -> dict[str, dict[str, Any]]:
        return {one["card"]: one for one in self.system_asks("GET", "/v1/acceptance/cards")["cards"]}

    def state(self, name: str) -> CardState:
        self.party.round()
        return self.party.state_of(name)

    def gate(self, name: str) -> ChipGate | Closed:
        return self.party.writer.call(lambda store: store.chip_gate(name, stamp()))


@pytest.fixture
def shop(tmp_path: Path, centre: OpenCentre) -> Iterator[Shop]:
    made = Shop(centre, new_party(tmp_path, centre, rehearsal=False))
    admit_station(centre, "vault-1", made.vault.public_key, "vault", 0)
    admit_station(centre, "prices", made.system.public_key, "acceptance", 0)
    yield made
    assert made.party.writer.stop()
    assert made.party.crashes == []


def test_a_person_opens_the_gate_of_a_real_card_once_the_vault_has_looked(shop: Shop) -> None:
    card = shop.card(find=None, tag=CHIP)
    assert shop.state(card) is CardState.AT_CENTRE
    assert [(one["card"], one["finding"], one["product"]) for one in report(shop.centre.engine, "undecided")] == [
        (card, "waiting", "quxi-500")
    ]
    assert shop.says(card, "accepted") == "not-looked-at"
    shop.find(card)
    assert shop.state(card) is CardState.AT_CENTRE, "without a rule nobody accepts it by itself"
    assert shop.gate(card) is Closed.NOT_ACCEPTED
    assert shop.says(card, "accepted", event_hash="ab" * 32) == "changed"
    assert [shop.says(card, "accepted"), shop.says(card, "accepted")] == ["given", "unchanged"]
    assert shop.state(card) is CardState.ACCEPTED
    assert isinstance(shop.gate(card), ChipGate)
    assert report(shop.centre.engine, "undecided") == []
    [act] = [one for one in report(shop.centre.engine, "acts") if one["act"] == "centre.decided"]
    assert (act["by"], act["why"], act["decisions"][0][:2]) == (
        "anna",
        [[card, "looked at it", ""]],
        [card, "accepted"],
    )


@BOTH
def test_a_rule_accepts_what_is_new_and_within_its_value(shop: Shop) -> None:
    before, waits = shop.card(), shop.card(find=None)
    assert change_rule(shop.centre, "quxi-500", 49_999, NOW_MS, "anna") == 0
    assert change_rule(shop.centre, "*", 90_000, NOW_MS, "anna") == 0, "the product has a rule of its own"
    assert change_rule(shop.centre, "quxi-500", 50_000, NOW_MS, "anna") == 1
    doubtful, again = shop.card(verdict=CardState.REVIEW), shop.card(find=None)
    shop.find(again, "duplicate", before)
    assert shop.state(waits) is CardState.AT_CENTRE
    shop.find(waits)
    found = [shop.state(name) for name in (before, waits, doubtful, again)]
    assert found == [CardState.ACCEPTED, CardState.ACCEPTED, CardState.REVIEW, CardState.REVIEW]
    change_rule(shop.centre, "quxi-500", 0, NOW_MS, "anna")
    assert shop.state(shop.card()) is CardState.AT_CENTRE
    change_rule(shop.centre, "quxi-500", None, NOW_MS, "anna")
    assert shop.state(shop.card()) is CardState.ACCEPTED, "by the rule for all others"
    acts = [one for one in report(shop.centre.engine, "acts") if one["act"] == "centre.accept-rule"]
    assert [(one["by"], one["product"], one["up_to_fen"]) for one in acts][-1] == ("anna", "quxi-500", None)


@BOTH
def test_one_number_is_accepted_once_at_a_time(shop: Shop) -> None:
    first, second = shop.card(), shop.card(find=None)
    shop.find(second, "duplicate", first)
    assert [shop.says(second, "accepted"), shop.says(first, "accepted")] == ["given", "number-accepted"]
    assert [shop.says(second, "rejected"), shop.says(first, "accepted")] == ["given", "given"]
    assert shop.says(second, "accepted") == "number-accepted"
    assert (shop.state(first), shop.state(second)) == (CardState.ACCEPTED, CardState.REJECTED)


def test_great_value_needs_a_second_person(shop: Shop) -> None:
    dear = shop.card(face_value_fen=50_001)
    unknown = shop.card(face_value_fen=None)
    for name in (dear, unknown):
        assert [shop.says(name, "accepted"), shop.says(name, "rejected")] == ["second-missing"] * 2
        assert shop.says(name, "accepted", second="anna") == "second-missing", "the same one twice"
        assert [shop.says(name, "review"), shop.says(name, "accepted", second="ben")] == ["given", "given"]


def test_the_system_decides_only_what_no_person_has_to(shop: Shop) -> None:
    clean, doubtful, twin = shop.card(), shop.card(verdict=CardState.REVIEW), shop.card(find=None)
    unseen = shop.card(find=None)
    shop.find(twin, "duplicate", clean)
    waits = shop.listed()
    assert {name: (one["verdict"], one["finding"], one["face_value_fen"]) for name, one in waits.items()} == {
        clean: ("kept", "first", 50_000),
        doubtful: ("review", "first", 50_000),
        unseen: ("kept", "waiting", 50_000),
    }
    looked_at = {**waits[clean], "card": twin}
    told = shop.system_says(waits[clean], waits[doubtful], waits[unseen], looked_at, {**looked_at, "card": "none"})
    assert told == ["given", "needs-person", "not-looked-at", "changed", "unknown"]
    assert shop.system_says(waits[clean]) == ["unchanged"]
    assert shop.system_says(waits[doubtful], verdict="rejected") == ["given"]
    assert shop.system_says(waits[doubtful]) == ["needs-person"], "a decision that was given is a person's to change"
    assert [shop.state(name) for name in (clean, doubtful)] == [CardState.ACCEPTED, CardState.REJECTED]
    acts = [one for one in report(shop.centre.engine, "acts") if one["act"] == "centre.decided" and "why" in one]
    assert {one["by"] for one in acts} == {"prices"}


def test_what_changed_or_ended_meanwhile_is_not_decided_on(shop: Shop) -> None:
    card, gone = shop.card(), shop.card()
    waits = shop.listed()
    shop.party.writer.call(lambda store: store.withdraw_card(gone, (Reason.OPERATOR_REVIEW,), stamp(), "1001"))
    shop.party.round()
    assert shop.system_says(waits[gone]) == ["changed"]
    assert [shop.says(gone, "accepted"), shop.says("none", "accepted")] == ["closed", "unknown"]
    revoke_station(shop.centre, shop.station, NOW_MS)
    assert shop.says(card, "accepted") == "station-not-active"
    assert change_rule(shop.centre, "*", 90_000, NOW_MS, "anna") == 0
    assert shop.listed() == {}


def test_a_card_whose_chip_is_gone_is_not_turned_away(shop: Shop) -> None:
    card = shop.card(tag=CHIP)
    shop.says(card, "accepted")
    with shop.centre.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO chip_fact (station, seq, kind, card, uid, verdict, decision, ref, record, simulated) VALUES "
            f"('{shop.station}', 99, 'chip.deactivated', '{card}', '04', 'deactivated', 'd', 'r', 'held', false)"
        )
    assert [shop.says(card, "rejected"), shop.says(card, "review")] == ["chip-gone"] * 2


@BOTH
def test_the_list_goes_on_where_it_ended(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {shop.card(find=None) for _ in range(3)}
    monkeypatch.setattr("app.server.deciding.MOST_WISHES", 2)
    page = shop.system_asks("GET", "/v1/acceptance/cards")
    rest = shop.system_asks("GET", f"/v1/acceptance/cards?after={page['cursor'].replace('/', '%2F')}")
    assert (len(page["cards"]), rest["cursor"]) == (2, "")
    assert {one["card"] for one in page["cards"] + rest["cards"]} == names


@pytest.mark.parametrize("role", ["store", "vault", "rehearsal"])
def test_no_other_role_decides(centre: OpenCentre, role: str, tmp_path: Path, make_shop: Callable[[str], Shop]) -> None:
    shop = make_shop(role)
    for method, path, body in (
        ("GET", "/v1/acceptance/cards", None),
        ("POST", "/v1/acceptance/decisions", {"decisions": [WISH]}),
    ):
        with pytest.raises(AssertionError, match=r"station.role"):
            shop.system_asks(method, path, body)


WISH = {"station": "s", "card": "c", "event_hash": "ab" * 32, "verdict": "accepted", "reason": "x"}


@pytest.fixture
def make_shop(centre: OpenCentre) -> Callable[[str], Shop]:
    def make(role: str) -> Shop:
        made = Shop(centre, party=None)  # type: ignore[arg-type]
        admit_station(centre, "prices", made.system.public_key, role, 0)
        return made

    return make


def program(*words: str, stdin: bytes = b"of its own\n", code: int = 0) -> Any:
    """What a command of the real program tells, on one line or several."""
    done = subprocess.run([sys.executable, "-m", "app", *words], input=stdin, capture_output=True, check=False)
    assert done.returncode == code, done.stderr.decode()
    return json.loads(done.stdout.decode())


def test_the_programs_bring_a_real_card_to_its_chip(tmp_path: Path, centre: OpenCentre) -> None:
    """Station, centre and vault as programs: kept, looked at, decided by a file of JSON lines, open for its reader."""
    here, data = str(tmp_path / "st"), ("--data", str(centre.folder.root))
    child, url = start_server_process(centre.folder.root)
    own = ("--passphrase-fd", "0")
    try:
        codes = {
            role: make_code(centre, role, role, time.time_ns() // 1_000_000, confirm=False)
            for role in ("store", "vault")
        }
        program("station", "enrol", "--data", here, "--server", url, "--code", codes["store"], *own)
        vault = ("--data", str(tmp_path / "v"), "--server", url, *own)
        program("vault", "init", "--code", codes["vault"], "--keys", str(centre.folder.vault), *vault)
        store = Store.open(tmp_path / "st" / "station.db", "of its own", reserve_bytes=0)
        store.open_parcel(opened(), stamp())
        kept = store.keep_card(draft(1, tag=CHIP), stamp(), "1001")
        assert isinstance(kept, Kept)
        name = kept.card.card_id
        store.close()
        program("station", "sync", "--until-idle", "--data", here, *own)
        line = {"station": "store", "card": name, "verdict": "accepted", "reason": "98.50 offered"}
        lines = json.dumps(line).encode() + b"\n"
        early = program("centre", "decide", "--from", "-", *data, stdin=lines, code=1)["results"]
        assert [(one["result"], one["code"]) for one in early] == [("refused", "not-looked-at")]
        program("vault", "run", "--once", *vault)
        [waits] = program("centre", "undecided", *data)
        assert (waits["card"], waits["finding"]) == (name, "first")
        for result in ("given", "unchanged"):
            told = program("centre", "decide", "--from", "-", "--by", "anna", *data, stdin=lines)["results"]
            assert [one["result"] for one in told] == [result]
        program("station", "sync", "--until-idle", "--data", here, *own)
        store = Store.open(tmp_path / "st" / "station.db", "of its own", reserve_bytes=0)
        now = Stamp(time.time_ns() // 1000, time.monotonic_ns() // 1000, "boot")
        assert isinstance(store.chip_gate(name, now), ChipGate)
        store.close()
    finally:
        stop_server_process(child)


@pytest.mark.parametrize("words", [["quxi-500"], ["=5"], ["a=-1"], ["a=1.5"], ["a=9" + "9" * 16], ["x" * 129 + "=1"]])
def test_a_rule_that_is_none_changes_nothing(words: list[str], centre: OpenCentre) -> None:
    assert main(["centre", "accept-rule", *words, "--data", str(centre.folder.root)]) != 0
    assert report(centre.engine, "acts") == []


LINES = [
    "no json",
    "[]",
    '{"station": "s", "card": "c", "verdict": "accepted"}',
    '{"station": "s", "card": "c", "verdict": "burned", "reason": "x"}',
    '{"station": "s", "card": 5, "verdict": "accepted", "reason": "x"}',
    "[" * 100_000,
]


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_of_a_file_with_a_bad_line_nothing_is_done(line: str, shop: Shop, tmp_path: Path) -> None:
    good = {"station": shop.station, "card": shop.card(), "verdict": "review", "reason": "x"}
    (tmp_path / "lines").write_text(json.dumps(good) + "\n" + line)
    assert main(["centre", "decide", "--from", str(tmp_path / "lines"), "--data", str(shop.centre.folder.root)]) != 0
    assert len(report(shop.centre.engine, "undecided")) == 1
