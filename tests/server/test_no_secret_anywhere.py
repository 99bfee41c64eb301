"""A whole centre on PostgreSQL and S3 with its vault, by the programs themselves: no planted secret lies anywhere.

Searched are the databases' own files and logs (write-ahead logs too), the bucket's, every folder, backups, export, what
each program said, its command line and environment, and what it left in the folder for temporary files.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.__main__ import main
from app.commands.bulk import BulkSession, stamp
from app.core.cards import CardState, PanelState, Secret
from app.core.parcels import CardDraft, ExpectedParcel, OpenParcel, Operator, Role
from app.store.store import Store
from tests.server.conftest import s3_client

NUMBERS = ("6222027731948201", "6222027731948219")
PINS = ("QX7M2K9TW4", "83749261550")
BLOCKED, PASSCODE, BADGE = "6222029999141517", "passcode-914277", "CIB-7F3K9Q"
WORDS = {name: f"horse-{name}-battery-staple" for name in ("station", "vault", "person")}
PLANTED = (*NUMBERS, *PINS, BLOCKED, PASSCODE, BADGE, *WORDS.values())
CONTROL = "control-word-58112"


def forms(text: str) -> set[bytes]:
    """How a text may lie somewhere."""
    grouped = " ".join(text[n : n + 4] for n in range(0, len(text), 4))
    spelled = {one.encode(code) for one in (text, grouped, text.lower()) for code in ("utf-8", "utf-16-le")}
    plain = text.encode()
    coded = {plain.hex().encode(), plain.hex().upper().encode()}
    for before in range(3):  # base64 of it in the middle of something, without the ends that depend on the rest
        coded.add(base64.b64encode(bytes(before) + plain)[4 if before else 0 : -4])
    return spelled | coded


def found_in(data: bytes, words: tuple[str, ...]) -> list[str]:
    return [word for word in words if any(form in data for form in forms(word))]


@dataclass
class Site:
    """The programs, where they are, and all that they said."""

    folder: Path
    database: str
    bucket: str
    said: dict[str, bytes] = field(default_factory=dict)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.folder / "tmp"), "CARDINTAKE_LANG": "en"}

    def start(self, *words: str, told: str = "") -> subprocess.Popen[bytes]:
        log = (self.folder / f"said-{len(self.said)}.log").open("wb")
        self.said[f"{' '.join(words[:2])} {len(self.said)}"] = b""
        child = subprocess.Popen(
            [sys.executable, "-m", "app", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            env=self.environment,
        )  # fmt: skip
        log.close()
        self.children.append(child)
        assert child.stdin is not None
        if told:
            os.write(child.stdin.fileno(), told.encode())
        return child

    def call(self, *words: str, told: str = "", **passphrases: str) -> Any:
        """A command in this process, its passphrases through pipes (`passphrase_fd`, …); what it said."""
        fds = [(f"--{name.replace('_', '-')}", os.pipe(), text) for name, text in passphrases.items()]
        for _, (_, far), text in fds:
            os.write(far, text.encode())
            os.close(far)
        options = [word for name, (near, _), _ in fds for word in (name, str(near))]
        out, err = StringIO(), StringIO()
        before, sys.stdin = sys.stdin, StringIO(told)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = main([*words, *options])
        finally:
            sys.stdin = before
            for _, (near, _), _ in fds:
                os.close(near)
        said = out.getvalue()
        self.said[f"{' '.join(words[:3])} {len(self.said)}"] = (said + err.getvalue()).encode()
        assert code == 0, err.getvalue()
        whole = words[0] in ("centre", "audit", "support")
        return json.loads(said if whole else said.strip().splitlines()[-1]) if said.strip() else None

    def centre(self, *words: str, told: str = "") -> Any:
        where = ("--data", str(self.folder / "centre"), "--database", self.database)
        return self.call("centre", *words, *where, told=told)

    def processes(self) -> Iterator[tuple[str, bytes]]:
        """What anybody may read of the programs that run, and what their owner may."""
        for child in self.children:
            for name in ("cmdline", "environ"):
                yield f"{name} of {child.args!r}"[:80], Path(f"/proc/{child.pid}/{name}").read_bytes()

    def end(self) -> None:
        for child in self.children:
            child.stdin.close()  # type: ignore[union-attr]
            child.wait(60)
            child.stdout.close()  # type: ignore[union-attr]


@pytest.fixture
def site(tmp_path: Path, new_database: Callable[[], str], bucket: str) -> Iterator[Site]:
    (tmp_path / "tmp").mkdir()
    made = Site(tmp_path, new_database(), bucket)
    yield made
    made.end()


def keep_cards(folder: Path) -> list[str]:
    """Two cards with planted secrets, one of them filmed."""
    store = Store.open(folder / "station.db", WORDS["station"], reserve_bytes=0)
    session = BulkSession(store)
    session.open(1)
    session.film(folder / "recordings", 1)
    operator = Operator("1001", "林晓", Role.CLERK)
    store.open_parcel(OpenParcel("p-9", ExpectedParcel("SF9", "", 2), session.recording_id, operator), stamp())
    for no, (number, pin) in enumerate(zip(NUMBERS, PINS, strict=True), 1):
        draft = CardDraft(
            card_id=f"card-{no}", read_id=f"read-{no}", parcel_id="p-9", no=no, product_id=None, gtin=None,
            number=Secret(number), pin=Secret(pin), panel=PanelState.OPEN, expiry=None, face_value_fen=50_000,
            recording_id=session.recording_id, t_video_us=no, verdict=CardState.KEPT, reasons=(),
        )  # fmt: skip
        store.keep_card(draft, stamp(), "1001")
    store.close()
    return ["card-1", "card-2"]


def build(site: Site) -> str:
    """Centre, vault, person and station, each joined; the address."""
    where, centre = site.folder, str(site.folder / "centre")
    site.call("serve", "--init", "--data", centre, "--database", site.database)
    server = site.start(
        "serve", "--data", centre, "--database", site.database, "--objects", site.bucket, "--port", "0",
        "--until-stdin-closes",
    )  # fmt: skip
    assert server.stdout is not None
    url = str(json.loads(server.stdout.readline())["url"])
    code = site.centre("code", "vault-1", "--role", "vault", "--no-confirm")["code"]
    vault = ("--data", str(where / "vault"))
    keys = ("--code", code, "--keys", str(where / "centre" / "vault"))
    site.call("vault", "init", *vault, "--server", url, *keys, passphrase_fd=WORDS["vault"])
    own = ("--key", str(where / "person"))
    public = site.call("station", "person", *own, key_passphrase_fd=WORDS["person"])["public_key"]
    site.call("vault", "person", "zhou", public, *vault, passphrase_fd=WORDS["vault"])
    site.centre("users", "add", "1001", "--name", "Lin", "--badge", told=f"{PASSCODE}\n{BADGE}\n")
    site.centre("block", "--note", "stolen", told=BLOCKED + "\n")
    code = site.centre("code", "st-1", "--role", "store", "--no-confirm")["code"]
    joining = ("--data", str(where / "station"), "--server", url, "--code", code)
    site.call("station", "enrol", *joining, passphrase_fd=WORDS["station"])
    return url


def work(site: Site, url: str) -> None:
    """Cards to the centre and through the vault, one PIN shown to a person; copies of all of it."""
    where = site.folder
    station, word = ("--data", str(where / "station")), WORDS["station"]
    [shown, _] = keep_cards(where / "station")
    site.call("station", "sync", *station, "--until-idle", passphrase_fd=word)
    site.start(
        "vault", "run", "--data", str(where / "vault"), "--server", url, "--passphrase-fd", "0", "--every-s", "0.3",
        "--until-stdin-closes", told=WORDS["vault"],
    )  # fmt: skip
    assert asked_for_pin(site, shown) == PINS[0]
    site.call("station", "sync", *station, "--until-idle", passphrase_fd=word)
    site.call("station", "backup", *station, passphrase_fd=word)
    site.call("audit", "verify", str(where / "station"), passphrase_fd=word)
    site.call(
        "vault", "backup", "--data", str(where / "vault"), "--to", str(where / "copies"), passphrase_fd=WORDS["vault"]
    )
    site.centre("backup", "--objects", site.bucket, "--to", str(where / "copies"))
    site.centre("export", "--to", str(where / "log.jsonl"))
    for name in ("cards", "stations", "objects", "quarantine", "acts"):
        site.centre(name)
    for name in ("station", "centre", "vault"):
        given = ("--data", str(where / name), "--to", str(where / f"{name}.zip"), "--no-devices")
        told = site.call("support", *given, passphrase_fd=WORDS.get(name, "none"))
        assert {"about.json", "folder.json"} <= {one["name"] for one in told["files"]}
        with zipfile.ZipFile(where / f"{name}.zip") as bundle:
            bundle.extractall(where / f"{name}-for-support")


def asked_for_pin(site: Site, card: str) -> str:
    """What the vault closed for this person, read from the one descriptor that it goes to."""
    near, far = os.pipe()
    argv = ["--data", str(site.folder / "station"), "--key", str(site.folder / "person"), "--who", "zhou"]
    argv += ["--of", "st-1", "--card", card, "--field", "pin", "--reason", "complaint 4711", "--out-fd", str(far)]
    site.call("station", "reveal", *argv, passphrase_fd=WORDS["station"], key_passphrase_fd=WORDS["person"])
    os.close(far)
    with os.fdopen(near, "rb") as out:
        return out.read().decode()


def test_no_planted_secret_is_anywhere(
    site: Site, postgres: str, s3_server: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    work(site, build(site))
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute("CREATE TABLE control (word text)")
        admin.execute("INSERT INTO control VALUES (%s)", (CONTROL,))
        admin.execute("CHECKPOINT")
        row = admin.execute("SHOW data_directory").fetchone()
    assert row is not None
    name = site.bucket.split("?")[0].removeprefix("s3://")
    s3_client(s3_server).put_object(Bucket=name, Key="control", Body=CONTROL.encode())
    (site.folder / "tmp" / "control").write_text(CONTROL)
    weed = [one for one in tmp_path_factory.getbasetemp().glob("weed*") if one.is_dir() and not one.is_symlink()]
    controls = 0
    for root in (site.folder, Path(row[0]), *weed):
        seen = 0
        for path in (one for one in root.rglob("*") if one.is_file() and not one.is_symlink()):
            try:
                data = path.read_bytes()
            except FileNotFoundError:  # PostgreSQL's own, come and gone
                continue
            assert found_in(data, PLANTED) == [], path
            seen += bool(found_in(data, (CONTROL,)))
        assert seen, f"what is planted in {root} for this is found"
        controls += 1
    assert controls == 3
    for what, data in (*site.said.items(), *site.processes()):
        assert found_in(data, PLANTED) == [], what
    assert any(b"serve" in data for _, data in site.processes())
