"""`cardintake catalog` as it is typed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.audit import EventKind
from app.core.cards import Secret
from app.core.parcels import Role
from app.paths import StationFolder
from app.rehearsal.catalogue import fictional_toml
from app.server.folder import read_centre
from app.server.setup import init
from app.store.seal import IndexCost
from app.store.store import REHEARSAL_PASSPHRASE, Store
from tests.commands.conftest import Said

Say = Callable[..., Said]
BOSS, CLERK = "CIB-BOSS0001", "CIB-CLERK001"
LONELY = "6901234999990"


@dataclass(frozen=True)
class Site:
    """A centre's folder, a station's folder, and a place for files."""

    centre: Path
    station: Path
    files: Path

    def facts(self) -> list[tuple[str, dict[str, object], str]]:
        """What the chain tells of the catalogue: kind, body, who."""
        store = Store.open(StationFolder(self.station).database, REHEARSAL_PASSPHRASE, reserve_bytes=0)
        try:
            heads = [json.loads(event.data) for event in store.outbox_after(0)]
        finally:
            store.close()
        return [(h["kind"], h["body"], h["actor"]) for h in heads if h["kind"].startswith("catalogue.")]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    centre, station = tmp_path / "centre", StationFolder(tmp_path / "station")
    init(centre)
    station.root.mkdir()
    station.rehearsal_mark.write_text('{"footage": "", "boot": ""}')
    store = Store.create(
        station.database,
        REHEARSAL_PASSPHRASE,
        station_id="st-1",
        centre=read_centre(centre),
        rehearsal=True,
        index_cost=IndexCost(memory_kib=8, passes=1),
        reserve_bytes=0,
    )
    store.add_operator("S1", "周岚", Role.SUPERVISOR, BOSS, Secret("135790"))
    store.add_operator("E1", "陈敏", Role.CLERK, CLERK, Secret("246810"))
    store.close()
    for n in (1, 2):
        (tmp_path / f"cards{n}.toml").write_text(fictional_toml(n, 5 * n), encoding="utf-8")
    return Site(centre, station.root, tmp_path)


def answer(said: Said) -> dict[str, object]:
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert isinstance(found, dict)
    return found


def test_check_counts_what_is_shipped(say: Say) -> None:
    told = answer(say("catalog", "check"))
    assert told["ok"]
    assert told["real"] == 16
    assert told["confirmed"] == 0
    missing = told["missing"]
    assert isinstance(missing, dict)
    assert missing["source"] == []
    assert missing["initials"] == []
    assert len(missing["gtin"]) == 16


def test_check_names_every_fault(say: Say, tmp_path: Path) -> None:
    text = fictional_toml(1, 3).replace('check = ""', 'check = "crc"')
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    said = say("catalog", "check", tmp_path)
    assert said.code == 2
    wrong = json.loads(said.out)["wrong"]
    assert wrong
    assert all("bad.toml" in w["where"] and "crc" in w["why"] for w in wrong)


@pytest.mark.parametrize("digits", [400, 5000])
def test_check_names_a_number_that_is_too_large(say: Say, tmp_path: Path, digits: int) -> None:
    text = fictional_toml(1, 1).replace("panel = [", f"panel = [{'9' * digits}, ")
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    said = say("catalog", "check", tmp_path)
    assert said.code == 2
    assert json.loads(said.out)["wrong"] == [{"where": "bad.toml", "why": "a whole number has more than 64 bits"}]


def test_search_by_initials(say: Say) -> None:
    told = answer(say("catalog", "search", "JDEK"))
    products = told["products"]
    assert isinstance(products, list)
    assert products[0]["id"] == "jd-e-card"


def test_import_is_all_or_nothing(say: Say, tmp_path: Path) -> None:
    folder, table = tmp_path / "templates", tmp_path / "new.csv"
    head = "id,name_zh,name_en,number.alphabet,number.length\n"
    table.write_text(f"{head}a,甲卡,A,digits,16\nb,乙卡,B,digits,zero\n", encoding="utf-8")
    said = say("catalog", "import", table, "--into", folder)
    assert said.code == 2
    assert "line 3" in json.loads(said.out)["wrong"][0]["where"]
    assert not folder.exists()
    table.write_text(f"{head}a,甲卡,A,digits,16\nb,乙卡,B,digits,12\n", encoding="utf-8")
    assert answer(say("catalog", "import", table, "--into", folder, "--dry-run"))["imported"] == 0
    assert not folder.exists()
    assert answer(say("catalog", "import", table, "--into", folder))["imported"] == 2
    assert answer(say("catalog", "import", table, "--into", folder))["imported"] == 2, "the same file may come again"
    assert answer(say("catalog", "check", folder))["products"] == 2
    again = tmp_path / "other.csv"
    again.write_text(f"{head}a,甲卡,A,digits,16\n", encoding="utf-8")
    assert "another file" in say("catalog", "import", again, "--into", folder).out


def test_an_import_under_the_name_of_another_file_loses_no_products_unsaid(
    say: Say, tmp_path: Path, language: str
) -> None:
    """400 products were gone for one, with exit 0."""
    folder, table = tmp_path / "templates", tmp_path / "mine.csv"
    folder.mkdir()
    mine = folder / "mine.toml"
    mine.write_text(fictional_toml(3, 40), encoding="utf-8")
    before = mine.read_bytes()
    table.write_text("id,name_zh,name_en,number.alphabet,number.length\na,甲卡,A,digits,16\n", encoding="utf-8")
    for more in ((), ("--dry-run",)):
        said = say("catalog", "import", table, "--into", folder, *more)
        assert said.code == 2
        assert said.complains("catalog.would_remove", language)
        assert "mine.toml: 40 of 40" in said.err
        assert mine.read_bytes() == before
    told = answer(say("catalog", "import", table, "--into", folder, "--replace"))
    assert (told["imported"], told["replaced"], len(told["removed"])) == (1, 0, 40)
    again = answer(say("catalog", "import", table, "--into", folder))
    assert (again["imported"], again["replaced"], again["removed"]) == (1, 1, [])
    mine.write_text("no template at all", encoding="utf-8")
    assert say("catalog", "import", table, "--into", folder).complains("catalog.bad_template", language)
    assert answer(say("catalog", "import", table, "--into", folder, "--replace"))["imported"] == 1


@pytest.mark.parametrize("action", ["check", "import", "search", "publish"])
def test_a_file_that_may_not_be_read_is_told(
    say: Say, site: Site, language: str, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    closed, out, read = site.files / "cards1.toml", site.files / "out", Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == closed.name:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    words = {
        "check": (closed,),
        "import": (closed, "--into", out),
        "search": ("x", "--in", site.files / "cards2.toml", closed),
        "publish": (closed, "--data", site.centre, "--out", out),
    }[action]
    said = say("catalog", action, *words)
    assert (said.code, said.out) == (2, "")
    assert said.complains("input.denied", language)
    assert "cards1.toml" in said.err
    assert not out.exists()


def test_a_file_in_a_closed_folder_is_told(
    say: Say, tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Path.stat

    def refuse(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.parent.name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return looked(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", refuse)
    for words in (("import", tmp_path / "shut" / "a.csv", "--into", tmp_path), ("check", tmp_path / "shut" / "a.toml")):
        said = say("catalog", *words)
        assert said.code == 2
        assert said.complains("input.denied", language)


def test_a_folder_without_templates_is_no_catalogue(say: Say, tmp_path: Path, language: str) -> None:
    (tmp_path / "readme.txt").write_text("x")
    said = say("catalog", "check", tmp_path)
    assert said.code == 2
    assert said.complains("input.missing", language)
    assert "*.toml" in said.err


def test_what_is_asked_for_and_makes_no_sense_is_refused(say: Say, tmp_path: Path, language: str) -> None:
    said = say("catalog", "export", tmp_path / "out.xlsx")
    assert said.code == 2
    assert said.complains("catalog.bad_ending", language)
    assert list(tmp_path.iterdir()) == []
    assert answer(say("catalog", "export", tmp_path / "OUT.CSV"))["file"] == "OUT.CSV"
    for most in (-1, 0):
        assert say("catalog", "search", "JDEK", "--most", most).complains("usage.count", language)


def test_export_and_import_go_round(say: Say, tmp_path: Path) -> None:
    csv, folder = tmp_path / "all.csv", tmp_path / "back"
    answer(say("catalog", "export", csv))
    answer(say("catalog", "import", csv, "--into", folder))
    back, shipped = answer(say("catalog", "check", folder)), answer(say("catalog", "check"))
    for what in ("products", "real", "fictional"):
        assert back[what] == shipped[what], f"{what}: what is fictional must never come back as real"


@pytest.mark.parametrize("action", ["export", "fictional", "publish", "import"])
def test_a_place_that_cannot_be_written_is_said(say: Say, site: Site, language: str, action: str) -> None:
    nowhere = site.files / "cards1.toml" / "out.toml"  # below a file there is no folder
    said = {
        "export": lambda: say("catalog", "export", nowhere),
        "fictional": lambda: say("catalog", "fictional", nowhere),
        "publish": lambda: say(
            "catalog", "publish", site.files / "cards2.toml", "--data", site.centre, "--out", nowhere
        ),
        "import": lambda: say("catalog", "import", site.files / "cards2.toml", "--into", nowhere.parent / "folder"),
    }[action]()
    assert said.complains("evidence.cannot_write", language), said.err


def test_fictional_products_by_the_hundred(say: Say, tmp_path: Path) -> None:
    out = tmp_path / "fictional.toml"
    answer(say("catalog", "fictional", out, "--count", 320))
    assert answer(say("catalog", "check", out))["fictional"] == 320
    assert say("catalog", "fictional", out, "--count", 0).code == 2


def test_publish_install_roll_back(say: Say, site: Site) -> None:
    bundles = [site.files / f"v{n}.json" for n in (1, 2)]
    versions = []
    for n, bundle in enumerate(bundles, 1):
        published = answer(
            say("catalog", "publish", site.files / f"cards{n}.toml", "--data", site.centre, "--out", bundle)
        )
        assert published["serial"] == n
        versions.append(published["published"])
        assert answer(say("catalog", "install", bundle, "--data", site.station))["installed"] == published["published"]
    standing = answer(say("catalog", "standing", "--data", site.station))
    assert standing["published"] == versions[1]
    assert standing["before"] == [versions[0], ""]
    back = answer(say("catalog", "rollback", "--data", site.station, "--reason", "wrong alphabet", told=BOSS))
    assert back == {"version": versions[0], "before": versions[1]}
    kinds = [(kind, body.get("version"), who) for kind, body, who in site.facts()]
    assert kinds == [
        (EventKind.CATALOGUE_INSTALLED, versions[0], "centre"),
        (EventKind.CATALOGUE_INSTALLED, versions[1], "centre"),
        (EventKind.CATALOGUE_ROLLED_BACK, versions[0], "S1"),
    ]


def test_another_centres_catalogue_is_refused(say: Say, site: Site, language: str) -> None:
    stranger, bundle = site.files / "stranger", site.files / "evil.json"
    init(stranger)
    answer(say("catalog", "publish", site.files / "cards1.toml", "--data", stranger, "--out", bundle))
    said = say("catalog", "install", bundle, "--data", site.station)
    assert said.code == 5
    assert said.complains("catalog.untrusted", language)
    assert site.facts() == []


def bind(say: Say, site: Site, gtin: str, product: str, badge: str = BOSS, reason: str = "new shelf") -> Said:
    return say("catalog", "bind", gtin, product, "--data", site.station, "--reason", reason, told=f"{badge}\n")


def test_a_supervisor_binds_an_unknown_barcode(say: Say, site: Site) -> None:
    before = answer(say("catalog", "standing", "--data", site.station))["version"]
    assert answer(bind(say, site, LONELY, "jd-e-card")) == {"bound": f"0{LONELY}", "product": "jd-e-card", "by": "S1"}
    assert answer(say("catalog", "standing", "--data", site.station))["version"] != before
    ((kind, body, who),) = site.facts()
    assert (kind, who) == (EventKind.GTIN_BOUND, "S1")
    assert (body["gtin"], body["product"], body["reason"]) == (f"0{LONELY}", "jd-e-card", "new shelf")


@pytest.mark.parametrize(
    ("gtin", "product", "badge", "reason", "code"),
    [
        (LONELY, "jd-e-card", CLERK, "x", "catalog.not_supervisor"),
        (LONELY, "jd-e-card", "CIB-NOBODY", "x", "catalog.not_supervisor"),
        (LONELY, "jd-e-card", BOSS, " ", "catalog.no_reason"),
        ("6901234999993", "jd-e-card", BOSS, "x", "catalog.bad_binding"),
        (LONELY, "no-such-card", BOSS, "x", "catalog.unknown_product"),
        ("6901234050103", "jd-e-card", BOSS, "x", "catalog.gtin_known"),
    ],
)
def test_what_cannot_be_bound(
    say: Say, site: Site, gtin: str, product: str, badge: str, reason: str, code: str
) -> None:
    said = bind(say, site, gtin, product, badge, reason)
    assert said.code == 2
    assert f"[{code}]" in said.err
    assert site.facts() == []


def test_learning_wants_three_photographs(say: Say, tmp_path: Path, language: str) -> None:
    said = say("catalog", "learn", tmp_path / "a.jpg", "--id", "new", "--zh", "新卡", "--en", "New")
    assert said.code == 2
    assert said.complains("learn.too_few", language)


@pytest.mark.parametrize("region", ["number", "number=1,2,3", "nose=1,2,3,4", "number=80,2,30,4", "number=a,b,c,d"])
def test_a_region_is_four_millimetres(say: Say, tmp_path: Path, region: str) -> None:
    photographs = [tmp_path / f"{n}.jpg" for n in range(3)]
    said = say("catalog", "learn", *photographs, "--id", "new", "--zh", "新", "--en", "N", "--region", region)
    assert said.code == 2
    assert "catalog.bad_template" in said.err
