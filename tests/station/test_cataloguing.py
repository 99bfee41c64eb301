"""The catalogue desk: what nobody knows is bound or added by a supervisor, in force at once, and taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from app.catalog.own import sign_own
from app.catalog.shelf import Sources, read_sources
from app.core.audit import EventKind
from app.core.cards import CardState, PanelState, Secret
from app.core.errors import BadInput, EvidenceTrouble
from app.core.parcels import CardDraft, ExpectedParcel, OpenParcel, Operator, Reason, Role
from app.core.products import Catalogue
from app.core.shelving import Standing
from app.keys import Signer, new_seed
from app.paths import StationFolder
from app.station.adopting import Adopting
from app.station.cataloguing import Cataloguing
from app.station.clock import system_clock
from app.station.shelving import Shelving, station_sources
from app.store.store import Store
from app.store.writer import StoreWriter
from tests.station.filmed import CLERK, SUPERVISOR, WAYBILL, new_store, stamp

LONELY, OTHER = "06901234077711", "06921168500017"
TEMPLATE = """
[[product]]
id = "night-market"
name_zh = "夜市卡"
name_en = "Night market card"
gtins = ["6921168500017"]
number = { alphabet = "digits", length = 12 }
"""


def keep(store: Store, no: int, gtin: str | None) -> None:
    card = CardDraft(
        f"c-{no}", f"read-{no}", "p-1", no, None, gtin, Secret(f"62220200123491{no:02d}"), None, PanelState.OPEN,
        None, None, "r-1", no * 1000, CardState.REVIEW, (Reason.UNKNOWN_PRODUCT,),
    )  # fmt: skip
    store.keep_card(card, stamp(), CLERK.id)


class Asked:
    """A desk whose answers are waited for."""

    def __init__(self, folder: StationFolder, bugs: list[Exception]) -> None:
        self.folder = folder
        store = new_store(folder)
        store.new_recording("r-1", "p-1", stamp(), CLERK.id)
        store.open_parcel(OpenParcel("p-1", ExpectedParcel(WAYBILL, "O-1", 4), "r-1", CLERK), stamp())
        for no, gtin in enumerate((LONELY, OTHER, LONELY, None), 1):
            keep(store, no, gtin)
        self.store = StoreWriter(store, bugs.append)
        self.store.start()
        self.adopted: list[tuple[Sources, Catalogue]] = []
        self.adopting = Adopting(self.store, folder)
        self.adopting.add(lambda *new: self.adopted.append(new))
        self.desk = Cataloguing(self.store, folder, system_clock(), self.adopting.take_up, bugs.append)
        self.desk.start()

    def answer(self, ask: Callable[..., None], *what: Any) -> Any:
        heard: SimpleQueue[Any] = SimpleQueue()
        ask(*what, heard.put)
        return heard.get(timeout=30)

    def change(self, work: Callable[[Shelving], Any]) -> Any:
        return self.store.call(lambda store: work(Shelving(self.folder, store)))

    def facts(self) -> list[tuple[str, dict[str, Any], str]]:
        chain = self.store.call(lambda store: store.outbox_after(0))
        told = [json.loads(event.data) for event in chain]
        return [(e["kind"], e["body"], e["actor"]) for e in told if e["kind"].startswith("catalogue.")]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    bugs: list[Exception] = []
    one = Asked(StationFolder(tmp_path / "station"), bugs)
    yield one
    one.desk.stop()
    one.store.stop()
    assert bugs == []


def test_unknown_barcodes_are_counted_the_newest_first(asked: Asked) -> None:
    standing = asked.answer(asked.desk.standing, SUPERVISOR)
    assert isinstance(standing, Standing)
    assert [(one.gtin, one.cards, one.waybill) for one in standing.unknown] == [
        (LONELY, 2, WAYBILL),
        (OTHER, 1, WAYBILL),
    ]
    assert standing.published == ""
    assert standing.products > 0


def test_a_bound_barcode_is_known_at_once_and_no_longer_asked_about(asked: Asked) -> None:
    standing = asked.answer(asked.desk.bind, SUPERVISOR, LONELY, "jd-e-card", " new shelf ")
    assert standing.bound == ((LONELY, "jd-e-card"),)
    assert [one.gtin for one in standing.unknown] == [OTHER]
    [(sources, catalogue)] = asked.adopted
    product = catalogue.by_gtin(LONELY)
    assert product is not None
    assert product.id == "jd-e-card"
    assert read_sources(sources).version == catalogue.version == standing.version
    [(kind, body, who)] = asked.facts()
    assert (kind, who, body["reason"]) == (EventKind.GTIN_BOUND, SUPERVISOR.id, "new shelf")
    back = asked.answer(asked.desk.release, SUPERVISOR, LONELY, "wrong shelf")
    assert back.bound == ()
    assert asked.adopted[-1][1].by_gtin(LONELY) is None
    assert asked.facts()[-1][0] == EventKind.GTIN_RELEASED


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (CLERK, "catalog.not_supervisor"),
        (Operator("S3", "x", Role.CLERK, lapsed=True), "people.lapsed"),
    ],
)
def test_only_supervisors_are_answered(asked: Asked, who: Operator, code: str) -> None:
    for ask, *what in (
        (asked.desk.standing,), (asked.desk.bind, LONELY, "jd-e-card", "x"), (asked.desk.release, LONELY, "x"),
        (asked.desk.withdraw, "jd-e-card", "x"),
    ):  # fmt: skip
        refused = asked.answer(ask, who, *what)
        assert isinstance(refused, BadInput)
        assert refused.code == code
    assert asked.facts() == []
    assert asked.adopted == []


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (("bind", LONELY, "jd-e-card", "  "), "catalog.no_reason"),
        (("bind", LONELY, "no-such", "x"), "catalog.unknown_product"),
        (("bind", "06901234077712", "jd-e-card", "x"), "catalog.bad_binding"),
        (("release", LONELY, "x"), "catalog.not_bound"),
        (("withdraw", "jd-e-card", "x"), "catalog.not_added_here"),
    ],
)
def test_what_cannot_be_done_changes_nothing(asked: Asked, work: tuple[str, ...], code: str) -> None:
    refused = asked.answer(getattr(asked.desk, work[0]), SUPERVISOR, *work[1:])
    assert isinstance(refused, BadInput)
    assert refused.code == code
    assert asked.facts() == []
    assert asked.adopted == []


def test_a_product_added_here_is_read_by_told_to_the_centre_and_taken_back(asked: Asked) -> None:
    asked.change(lambda shelving: shelving.add(TEMPLATE, "sold since May", SUPERVISOR, stamp()))
    standing = asked.answer(asked.desk.standing, SUPERVISOR)
    assert standing.own == ("night-market",)
    assert [one.gtin for one in standing.unknown] == [LONELY]
    [(kind, body, who)] = asked.facts()
    assert (kind, who, body["template"]) == (EventKind.PRODUCT_ADDED, SUPERVISOR.id, TEMPLATE)
    bound = asked.answer(asked.desk.bind, SUPERVISOR, LONELY, "night-market", "the same in blue")
    assert asked.adopted[-1][1].by_gtin(LONELY) == asked.adopted[-1][1].by_gtin(OTHER)
    assert bound.unknown == ()
    gone = asked.answer(asked.desk.withdraw, SUPERVISOR, "night-market", "was a sample")
    assert gone.own == ()
    assert asked.adopted[-1][1].by_gtin(OTHER) is None
    assert asked.adopted[-1][1].by_gtin(LONELY) is None, "a binding to a product that is gone binds nothing"


@pytest.mark.parametrize(
    ("template", "code"),
    [
        (TEMPLATE.replace("night-market", "jd-e-card"), "catalog.id_taken"),
        (TEMPLATE * 2, "catalog.bad_template"),
        ("", "catalog.bad_template"),
        (TEMPLATE.replace("length = 12", "length = 0"), "catalog.bad_template"),
    ],
)
def test_what_cannot_be_added(asked: Asked, template: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        asked.change(lambda shelving: shelving.add(template, "x", SUPERVISOR, stamp()))
    assert refused.value.code == code
    assert asked.facts() == []


def test_a_barcode_that_has_a_product_is_not_taken_over(asked: Asked) -> None:
    asked.answer(asked.desk.bind, SUPERVISOR, OTHER, "jd-e-card", "x")
    with pytest.raises(BadInput) as refused:
        asked.change(lambda shelving: shelving.add(TEMPLATE, "x", SUPERVISOR, stamp()))
    assert refused.value.code == "catalog.gtin_known"


def test_own_products_that_another_key_signed_are_refused(asked: Asked) -> None:
    asked.folder.catalogue.mkdir(parents=True)
    forged = sign_own("st-1", [TEMPLATE], Signer(new_seed()).sign)
    (asked.folder.catalogue / "own.json").write_bytes(forged)
    with pytest.raises(EvidenceTrouble) as refused:
        asked.store.call(lambda store: station_sources(asked.folder, store))
    assert refused.value.code == "catalog.untrusted"
    told = asked.answer(asked.desk.standing, SUPERVISOR)
    assert isinstance(told, EvidenceTrouble)


def test_a_catalogue_that_knows_the_product_by_now_stands_in_for_the_own_one(tmp_path: Path) -> None:
    published = tmp_path / "published.toml"
    published.write_text(TEMPLATE.replace("夜市卡", "夜市礼品卡"), encoding="utf-8")
    catalogue = read_sources(Sources((str(published),), own=(TEMPLATE,)))
    assert [product.name_zh for product in catalogue.products] == ["夜市礼品卡"]
    assert catalogue.version != read_sources(Sources((str(published),))).version
