"""Decides on real cards in the name of your own system. Needs Python 3.8+ and `cryptography` 40+, nothing else.

    python client.py key FILE
    python client.py list   --centre centre.json --url URL --name NAME --key FILE
    python client.py decide --centre centre.json --url URL --name NAME --key FILE  < decisions.jsonl

`key` makes a private key (a file for its owner only) and prints the public half, which the centre lets in by
`cardintake centre admit NAME KEY --role acceptance`. `centre.json` is the public file of that name in the centre's
folder; URL is where the centre is reached. `list` prints a JSON line for each card that waits. `decide` reads JSON
lines {"station", "card", "event_hash", "verdict": "accepted"|"review"|"rejected", "reason"} and prints what came of
each, in their order. The same decision again changes nothing: after a lost answer run it once more.

Exit status 0: done; 1: something was refused; 2: a wrong call; 3: no answer; 5: an answer that the centre did not sign.
It may be called as it is, or taken as a pattern: docs/acceptance.md has a request and an answer byte for byte.

以贵司系统的名义裁定实卡。只需要 Python 3.8 和 cryptography 40 以上；也可照它另写，逐字节的例子见 docs/acceptance.md。
"""

import argparse
import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import ssl
import sys
import time
from urllib.parse import quote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

AT_ONCE = 200
LIFETIME_S = 60
CARDS, DECISIONS = "/v1/acceptance/cards", "/v1/acceptance/decisions"
ANSWERED = re.compile(
    r'sig=(?P<params>\("@status" "content-digest" "content-type"\);created=\d{1,12}'
    r';nonce="(?P<nonce>[A-Za-z0-9_-]{16,64})";keyid="(?P<keyid>[0-9a-f]{16})";alg="ed25519";tag="cardintake-answer")'
)


class Refused(Exception):
    """The centre's own word that it does not do this."""


class Untrusted(Exception):
    """The centre did not sign this."""


def digest_of(body):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"


def request_headers(key, name, method, target, body, nonce, created_s):
    """What is signed of a request (RFC 9421, in the one form that the centre reads), and its headers."""
    digest, kind = digest_of(body), "application/json" if body else ""
    covered = '"@method" "@target-uri" "content-digest"' + (' "content-type"' if body else "")
    params = f'({covered});created={created_s};expires={created_s + LIFETIME_S};nonce="{nonce}"'
    params += f';keyid="{name}";alg="ed25519";tag="cardintake"'
    lines = [f'"@method": {method}', f'"@target-uri": {target}', f'"content-digest": {digest}']
    lines += [f'"content-type": {kind}'] if body else []
    base = "\n".join([*lines, f'"@signature-params": {params}']).encode()
    sig = base64.b64encode(key.sign(base)).decode()
    headers = {"Content-Digest": digest, "Signature-Input": f"sig={params}", "Signature": f"sig=:{sig}:"}
    if body:
        headers["Content-Type"] = kind
    return base, headers


def key_id(public):
    return hashlib.sha256(public).hexdigest()[:16]


def holds(public, sig, data):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(sig, data)
    except InvalidSignature:
        return False
    return True


def check_answer(public, status, headers, body, nonce):
    """Whether this key of the centre signed this very answer to the request with this nonce."""
    said = ANSWERED.fullmatch(headers.get("Signature-Input", ""))
    sig = re.fullmatch(r"sig=:([A-Za-z0-9+/]{86}==):", headers.get("Signature", ""))
    if not said or not sig or said["nonce"] != nonce or headers.get("Content-Digest") != digest_of(body):
        return False
    kind = headers.get("Content-Type", "")
    lines = [f'"@status": {status}', f'"content-digest": {digest_of(body)}', f'"content-type": {kind}']
    base = "\n".join([*lines, f'"@signature-params": {said["params"]}']).encode()
    return holds(public, base64.b64decode(sig[1]), base)


class Centre:
    """The centre as `centre.json` describes it, reached at `url`; `name` and `key`: as whom one speaks with it."""

    def __init__(self, told, url, name, key):
        self.told, self.url, self.name, self.key = told, urlsplit(url), name, key
        self.public = bytes.fromhex(told["server_key"])

    def ask(self, method, path, body=b""):
        """The answer, when the centre signed it. Raises Refused, Untrusted, OSError."""
        nonce = secrets.token_urlsafe(18)
        # Signed is the centre's own address, `base_url`, whatever way leads there.
        target = self.told["base_url"] + path
        _, headers = request_headers(self.key, self.name, method, target, body, nonce, int(time.time()))
        status, fields, content = self.send(method, path, body, headers)
        good = check_answer(self.public, status, fields, content, nonce)
        if not good and self.follow(fields):
            good = check_answer(self.public, status, fields, content, nonce)
        if not good and status != 200:
            raise OSError(f"{status}, not by the centre / 不是中心的答复")  # a proxy, say: it can make one wait
        if not good:
            raise Untrusted("not signed by the centre / 不是中心签的")
        if status != 200:
            raise Refused("{} {}".format(status, json.loads(content).get("code", "")))
        return json.loads(content)

    def send(self, method, path, body=b"", headers=()):
        if self.url.scheme == "https":
            # The centre's own authority and no other.
            context = ssl.create_default_context(cadata=self.told.get("ca") or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            line = http.client.HTTPSConnection(self.url.netloc, timeout=30, context=context)
        else:
            line = http.client.HTTPConnection(self.url.netloc, timeout=30)
        try:
            line.request(method, path, body, dict(headers))
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()

    def follow(self, fields):
        """The centre changes its key now and then: a newer one counts when `root_key` of centre.json signed it."""
        said = ANSWERED.fullmatch(fields.get("Signature-Input", ""))
        if not said or said["keyid"] == key_id(self.public):
            return False
        known = self.told.get("server")
        since = json.loads(known["text"])["from_ms"] if known else -1
        try:
            certificate = json.loads(self.send("GET", "/v1/centre")[2])["server"]
            text, sig = certificate["text"].encode(), base64.b64decode(certificate["sig"])
            newest = json.loads(text)
            named = (newest["type"], newest["tenant"]) == ("server-key", self.told["tenant"])
            if not holds(bytes.fromhex(self.told["root_key"]), sig, text) or not named or newest["from_ms"] <= since:
                return False
            self.public = bytes.fromhex(newest["public_key"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return False  # whatever it was, it names no such key
        return True

    def waiting(self):
        """Every card that waits for a decision."""
        cursor = ""
        while True:
            page = self.ask("GET", CARDS + (f"?after={quote(cursor, safe='')}" if cursor else ""))
            yield from page["cards"]
            cursor = page["cursor"]
            if not cursor:
                return

    def decide(self, wishes):
        """What came of each, in their order."""
        for at in range(0, len(wishes), AT_ONCE):
            body = json.dumps({"decisions": wishes[at : at + AT_ONCE]}, ensure_ascii=False).encode()
            yield from self.ask("POST", DECISIONS, body)["results"]


def make_key(path):
    """A new private key, 32 bytes in hex; nothing is written over."""
    seed = secrets.token_bytes(32)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(seed.hex())
    return {"public_key": Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw().hex()}


def run(args):
    if args.action == "key":
        print(json.dumps(make_key(args.file)))
        return 0
    with open(args.centre, encoding="utf-8") as file, open(args.key, encoding="ascii") as secret:
        told, key = json.load(file), Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret.read().strip()))
    centre = Centre(told, args.url, args.name, key)
    wishes = [json.loads(line) for line in sys.stdin if line.strip()] if args.action == "decide" else []
    refused = False
    for one in centre.waiting() if args.action == "list" else centre.decide(wishes):
        print(json.dumps(one, ensure_ascii=False), flush=True)
        refused |= one.get("result") == "refused"
    return 1 if refused else 0


def main(words):
    parser = argparse.ArgumentParser(description="real cards: list what waits, decide / 列出并裁定实卡")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("key").add_argument("file")
    for name in ("list", "decide"):
        action = actions.add_parser(name)
        for option in ("--centre", "--url", "--name", "--key"):
            action.add_argument(option, required=True)
    try:
        return run(parser.parse_args(words))
    except Refused as refused:
        print(f"the centre refuses / 中心拒绝: {refused}", file=sys.stderr)
        return 1
    except Untrusted as wrong:
        print(f"do not use this answer / 不要采用这个答复: {wrong}", file=sys.stderr)
        return 5
    except (ssl.SSLError, ConnectionError) as away:  # a certificate that is wrong is a ValueError too
        print(f"no answer / 没有答复: {away}", file=sys.stderr)
        return 3
    except (ValueError, FileNotFoundError, FileExistsError, PermissionError) as wrong:
        print(f"{type(wrong).__name__}: {wrong}", file=sys.stderr)
        return 2
    except (OSError, http.client.HTTPException) as away:
        print(f"no answer / 没有答复: {away}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
