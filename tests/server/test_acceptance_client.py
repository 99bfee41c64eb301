"""The one-file program for a company's own system: its bytes, as the documentation has them, and a real run."""

from __future__ import annotations

import ast
import json
import re
import runpy
import subprocess
import sys
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.__main__ import main
from app.core.cards import CardState
from app.keys import Signer
from app.paths import RESOURCES
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station, revoke_station
from app.server.report import report
from app.server.setup import init
from app.signing import Message, RequestMarks, check_answer, sign_answer, sign_request
from app.wire import content_digest
from tests.server.either import centre as centre
from tests.server.test_acceptance import NOW_MS, Shop
from tests.server.test_acceptance import shop as shop
from tests.server.test_acceptance import where as where

PROGRAM = RESOURCES / "acceptance" / "client.py"
DOCUMENT = RESOURCES.parent / "docs" / "acceptance.md"
CLIENT = runpy.run_path(str(PROGRAM))
SERVE_TLS = (sys.executable, "-m", "app", "serve", "--tls", "--data")


def told_in_the_document() -> tuple[dict[str, Any], dict[str, Any]]:
    """Its request and its answer: headers, body and the text that is signed."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    lines = [[line[4:] for line in block.strip("\n").split("\n")] for block in blocks]
    [asked, asked_base, answered, answered_base] = lines
    parts = []
    for message, base in ((asked, asked_base), (answered, answered_base)):
        headers = dict(line.split(": ", 1) for line in message[1:-2])
        parts.append({"first": message[0], "headers": headers, "body": message[-1].encode(), "base": "\n".join(base)})
    return parts[0], parts[1]


def test_the_documents_request_is_made_by_the_program_and_by_the_product_alike() -> None:
    asked, _ = told_in_the_document()
    seed, body = bytes(range(32)), asked["body"]
    target = asked["base"].split("\n")[1].removeprefix('"@target-uri": ')
    marks = RequestMarks("prices", "q83vASNFZ4mrze8BI0VniQ", 1_790_000_000, 1_790_000_060)
    key = Ed25519PrivateKey.from_private_bytes(seed)
    base, headers = CLIENT["request_headers"](key, "prices", "POST", target, body, marks.nonce, marks.created_s)
    assert (base.decode(), headers) == (asked["base"], asked["headers"])
    message = Message("POST", target, content_digest(body), "application/json")
    ours = sign_request(Signer(seed), message, marks)
    assert ours == {name: headers[name] for name in ours}
    assert Signer(seed).public_key.hex() in DOCUMENT.read_text(encoding="utf-8")
    assert target.endswith(asked["first"].split(" ")[1])


def test_the_documents_answer_is_the_centres_and_any_other_is_not() -> None:
    asked, answered = told_in_the_document()
    server, body, headers = Signer(bytes(range(32, 64))), answered["body"], answered["headers"]
    nonce = re.search(r'nonce="([^"]+)"', asked["headers"]["Signature-Input"])
    assert nonce is not None
    made = sign_answer(server, 200, content_digest(body), "application/json", nonce[1], 1_790_000_001)
    assert made == {name: headers[name] for name in made}
    lower = {name.lower(): value for name, value in headers.items()}
    assert check_answer(lower, 200, content_digest(body), nonce[1], lambda sig, data: data.decode() == answered["base"])

    def holds(status: int = 200, body: bytes = body, nonce: str = nonce[1], **changed: str) -> bool:
        fields = HTTPMessage()
        for name, value in headers.items():
            fields[name] = changed.get(name.replace("-", "_").lower(), value)
        return bool(CLIENT["check_answer"](server.public_key, status, fields, body, nonce))

    assert holds()
    assert not holds(status=201)
    assert not holds(body=body + b" ")
    assert not holds(body=body + b" ", content_digest=content_digest(body + b" "))
    assert not holds(nonce="another-nonce-of-a-request")
    assert not holds(content_type="text/plain")
    assert not holds(signature=made["Signature"].replace("A", "B", 1))
    assert not holds(signature_input=made["Signature-Input"].replace("1790000001", "1790000002"))
    assert not holds(signature="")


def test_the_program_is_written_as_an_old_python_reads_it() -> None:
    ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 8))


class System:
    """A company's system: a folder with the program's key and `centre.json`."""

    def __init__(self, folder: Path, shop: Shop) -> None:
        self.shop, self.name, self.url = shop, "prices", ""
        folder.mkdir()
        self.key = folder / "prices.key"
        self.centre = folder / "centre.json"
        self.centre.write_bytes(shop.centre.folder.centre.read_bytes())

    def describe(self, **changed: Any) -> None:
        """Put another `centre.json` in the place of the true one."""
        told = json.loads(self.shop.centre.folder.centre.read_bytes())
        self.centre.write_text(json.dumps({**told, **changed}), encoding="utf-8")

    def call(self, *words: str, lines: list[dict[str, Any]] | None = None) -> tuple[int, list[dict[str, Any]], str]:
        own = ("--centre", str(self.centre), "--url", self.url, "--name", self.name, "--key", str(self.key))
        given = "".join(json.dumps(one) + "\n" for one in lines or [])
        argv = [sys.executable, str(PROGRAM), *words, *(own if words[0] != "key" else ())]
        done = subprocess.run(argv, input=given, capture_output=True, check=False, text=True, encoding="utf-8")
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_it_lists_and_decides_at_a_real_server_and_believes_nobody_else(shop: Shop, tmp_path: Path) -> None:
    """Over TLS by the centre's authority; then its key changes, somebody else answers, the system is let in no more."""
    system = System(tmp_path / "system", shop)
    folder = shop.centre.folder
    code, [made], _ = system.call("key", str(system.key))
    assert (code, system.key.stat().st_mode & 0o777) == (0, 0o600)
    assert system.call("key", str(system.key))[0] == 2, "nothing is written over"
    admit_station(shop.centre, "prices-2", bytes.fromhex(made["public_key"]), "acceptance", NOW_MS)
    good, waits = shop.card(), shop.card(find=None)
    child, system.url = start_server_process(folder.root, command=SERVE_TLS, timeout_s=120)
    try:
        code, _, said = system.call("list")
        assert (code, "auth.signature" in said) == (1, True), "the key is let in under another name"
        system.name = "prices-2"
        code, listed, said = system.call("list")
        assert (code, {one["card"] for one in listed}) == (0, {good, waits}), said
        wishes = [
            {**{name: one[name] for name in ("station", "card", "event_hash")}, "verdict": "accepted", "reason": "98.5"}
            for one in sorted(listed, key=lambda one: one["card"] != good)
        ]
        code, told, _ = system.call("decide", lines=wishes)
        assert (code, [(one["result"], one["code"]) for one in told]) == (
            1,
            [("given", ""), ("refused", "not-looked-at")],
        )
        code, told, _ = system.call("decide", lines=wishes[:1])
        assert (code, told[0]["result"]) == (0, "unchanged")
        assert shop.state(good) is CardState.ACCEPTED
        root = str(folder.vault / "root.key")
        assert main(["centre", "server-key", "--root", root, "--data", str(folder.root)]) == 0
        code, listed, said = system.call("list")
        assert (code, [one["card"] for one in listed]) == (0, [waits]), said
        other = json.loads(init(tmp_path / "other").centre.read_bytes())
        system.describe(**{name: other[name] for name in ("server_key", "server", "root_key")})
        code, listed, said = system.call("list")
        assert (code, listed, "do not use this answer" in said) == (5, [], True)
        system.describe(ca=other["ca"])
        code, listed, said = system.call("list")
        assert (code, listed, "CERTIFICATE_VERIFY_FAILED" in said) == (3, [], True)
        system.describe()
        revoke_station(shop.centre, "prices-2", NOW_MS)
        code, listed, said = system.call("list")
        assert (code, listed, "403 station.revoked" in said) == (1, [], True)
    finally:
        stop_server_process(child)
    assert system.call("list")[0] == 3
    assert system.call("decide", lines=[{"no": "decision"}])[0] == 3
    by = [one["by"] for one in report(shop.centre.engine, "acts") if one["act"] == "centre.decided"]
    assert by == ["prices-2"]
