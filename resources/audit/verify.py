"""Checks the exported log of a Card Intake centre. Needs Python 3.8+ and the package `cryptography`, nothing else.

    python verify.py log.jsonl [--every] [--server-key HEX]

The export comes from `cardintake centre export`. Checked are: the log without gaps, each station's chain (numbers, hash
of the one before, hash of its own bytes, signatures, each by the key that held at its place), the root at every
checkpoint, the centre's signature under it, and the stations' countersignatures. A signature vouches for all events
before it in its chain; with --every each one is checked, and one that does not hold is passed over only if the centre
noted in its own chain that it came so (`damaged_signatures` lists them). --server-key compares the centre's key, or one
of those it changed from (its own chain says which), with the one you know from elsewhere, for example from a station.

Exit status 0: all of that holds. 1: something does not; the first thing wrong is named, and how far the log holds.
Not proved: that nothing is missing after the last checkpoint, and that the keys are whose you think they are.

校验验卡中心导出的账本。只需要 Python 3.8 以上和 cryptography 库。退出码 0：全部成立；1：有不符，指出第一处。
"""

import base64
import hashlib
import json
import sys
from contextlib import suppress

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

GENESIS = "0" * 64
CENTRE = "@centre"
ROTATED, ROTATED_AT_CENTRE, MARK = "station.key-rotated", "centre.key-rotated", b'.key-rotated"'
DAMAGED = "centre.signature-damaged"
DASH = "\u2014 "
NO_SIGNATURE = "the signature does not hold / 签名不成立"


class Wrong(Exception):
    """The first thing that does not hold."""


class Chain:
    """One station's chain as far as it was read; `before`: keys that others followed, each with the log's size then."""

    def __init__(self, key):
        self.public = bytes.fromhex(key)
        self.before = []
        self.seq, self.head, self.last = 0, GENESIS, None
        self.damaged, self.noted = {}, {}  # by number: (SHA-256 of the signature, where); (by station) what was noted

    def signed(self, sig, data):
        return holds(self.public, sig, data)

    def rotate(self, head, size):
        """The event `head`, whose own signature holds, names another key, and that one signed too."""
        body = head["body"]
        told = {"type": "key-rotation", "station": head["station"], "seq": self.seq, "prev": head["prev"]}
        told.update(old_key=self.public.hex(), new_key=body["new_key"])
        said = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        new, proof = bytes.fromhex(body["new_key"]), bytes.fromhex(body["proof"])
        given = (body["old_key"], body["new_key"]) == (self.public.hex(), new.hex()) and new != self.public
        if given and holds(new, proof, said):
            self.before.append((size, self.public))
            self.public = new


def holds(public, sig, data):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(sig, data)
    except InvalidSignature:
        return False
    return True


class Log:
    """The tree over all entries, as the roots of its whole subtrees (RFC 6962)."""

    def __init__(self):
        self.size, self.peaks, self.roots = 0, [], {}

    def add(self, entry):
        node, bits = hashlib.sha256(b"\0" + entry).digest(), self.size
        while bits & 1:
            node, bits = hashlib.sha256(b"\1" + self.peaks.pop() + node).digest(), bits >> 1
        self.peaks.append(node)
        self.size += 1

    def root(self):
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = hashlib.sha256(b"\1" + peak + node).digest()
        return node


def lines_of(path):
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                fields = json.loads(line)
                if not isinstance(fields, dict):
                    raise ValueError
            except ValueError:
                raise Wrong(f"line {number} is no record / 第 {number} 行不是记录") from None
            yield number, fields


def take_event(fields, chains, log, every):
    name = fields["station"]
    where = f"{name} event {fields['seq']} (entry {log.size})"
    chain = chains.get(name)
    if chain is None:
        raise Wrong(f"{where}: unknown station / 未知工位")
    data, sig = base64.b64decode(fields["data"]), base64.b64decode(fields["sig"])
    if fields["n"] != log.size:
        raise Wrong(f"{where}: an entry is missing / 缺少条目")
    if hashlib.sha256(data).hexdigest() != fields["hash"]:
        raise Wrong(f"{where}: its bytes were changed / 内容被改动")
    head = json.loads(data)
    if (head["station"], head["seq"], fields["seq"]) != (name, chain.seq + 1, chain.seq + 1):
        raise Wrong(f"{where}: not the next of its chain / 序号不连续")
    if head["prev"] != chain.head:
        raise Wrong(f"{where}: another history / 前后不相连")
    rotated = ROTATED_AT_CENTRE if name == CENTRE else ROTATED
    rotates = MARK in data and head.get("kind") == rotated and head.get("v") == 1
    if (every or rotates) and not chain.signed(sig, data):
        if rotates or name == CENTRE:
            raise Wrong(f"{where}: {NO_SIGNATURE}")
        chain.damaged[fields["seq"]] = hashlib.sha256(sig).hexdigest(), where  # the centre's chain may tell of it later
    if name == CENTRE and head.get("kind") == DAMAGED and head.get("v") == 1:
        told = chain.noted.setdefault(head["body"]["station"], {})
        told.update({int(seq): own for seq, own in head["body"]["signatures"].items()})
    chain.seq, chain.head, chain.last = chain.seq + 1, fields["hash"], (sig, data)
    if rotates:
        chain.last = None  # it was just checked, and vouches for all before it
        follow(chain, head, log.size)
    log.add(data)


def require_noted(chains):
    """Each damaged signature came so, by the centre's word. A later one vouches for its event: the last has to hold."""
    noted = chains[CENTRE].noted if CENTRE in chains else {}
    for name, chain in chains.items():
        for seq, (own, where) in chain.damaged.items():
            if noted.get(name, {}).get(seq) != own:
                raise Wrong(f"{where}: {NO_SIGNATURE}")


def follow(chain, head, size):
    with suppress(KeyError, ValueError, TypeError):  # then it is no such change, whatever it says: the key stays
        chain.rotate(head, size)


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def signature_in(lines, name, wanted):
    for line in lines.split("\n"):
        who, _, payload = line[len(DASH) :].partition(" ")
        if line.startswith(DASH) and who == name:
            raw = base64.b64decode(payload)
            if raw[:4] == wanted:
                return raw[4:]
    return b""


def take_checkpoint(note, server, tenant, roots):
    text, _, lines = note.partition("\n\n")
    text += "\n"
    origin, size, root = text.split("\n")[:3]
    what = f"checkpoint {size}"
    # A key that another one followed at some size of the log signed no checkpoint of a larger one.
    keys = [server.public] + [key for before, key in server.before if int(size) <= before]
    signed = (holds(key, signature_in(lines, origin, key_id(origin, b"\x01", key)), text.encode()) for key in keys)
    if not origin.startswith(f"cardintake/{tenant}/") or not any(signed):
        raise Wrong(f"{what}: not signed by the centre / 不是中心签的")
    if base64.b64encode(roots.get(int(size), b"")).decode() != root:
        raise Wrong(f"{what}: the log does not have this root / 账本与检查点不符")
    return int(size), text


def take_cosignature(fields, texts, chains):
    name, chain = fields["station"], chains.get(fields["station"])
    what = f"countersignature of {name} under {fields['size']}"
    if chain is None or fields["size"] not in texts:
        raise Wrong(f"{what}: of nobody, or under nothing / 无对应工位或检查点")
    named = fields["line"][len(DASH) :].partition(" ")[0]
    # A key that another one followed at some size of the log speaks of nothing later.
    keys = [chain.public] + [key for size, key in chain.before if fields["size"] <= size]
    if not any(countersigned(key, fields["line"], named, texts[fields["size"]]) for key in keys):
        raise Wrong(f"{what}: {NO_SIGNATURE}")


def countersigned(key, line, named, text):
    payload = signature_in(line, named, key_id(named, b"\x04", key))
    stamp = int.from_bytes(payload[:8], "big")
    return holds(key, payload[8:], f"cosignature/v1\ntime {stamp}\n{text}".encode())


def read(path, every, server_key):
    """All lines in order: centre, stations, entries, checkpoints, countersignatures."""
    chains, log, texts, centre, server, witnessed = {}, Log(), {}, None, None, {}
    wanted = {n["size"] for _, n in lines_of(path) if n.get("type") == "checkpoint"}
    for number, fields in lines_of(path):
        kind = fields.get("type")
        if number == 1:
            if kind != "centre-log":
                raise Wrong("this is no export of a centre / 不是中心导出的文件")
            centre, server = fields, Chain(fields["server_key"])
        elif kind == "station":
            chains[fields["id"]] = Chain(fields["public_key"])
        elif kind == "event":
            take_event(fields, chains, log, every)
            if log.size in wanted:
                log.roots[log.size] = log.root()
        elif kind == "checkpoint":
            size, text = take_checkpoint(fields["note"], chains.get(CENTRE, server), centre["tenant"], log.roots)
            texts[size] = text
        elif kind == "cosignature":
            take_cosignature(fields, texts, chains)
            witnessed[fields["station"]] = max(fields["size"], witnessed.get(fields["station"], 0))
    if centre is None:
        raise Wrong("this is no export of a centre / 不是中心导出的文件")
    own = chains.get(CENTRE, server)
    if own.public != server.public:
        raise Wrong("the centre's chain ends with another key / 中心的事件链以另一把公钥结束")
    if server_key and server_key not in [key.hex() for key in [own.public] + [key for _, key in own.before]]:
        raise Wrong("another centre's key / 中心的公钥不对")
    for name, chain in chains.items():
        if chain.last is not None and not chain.signed(*chain.last):
            raise Wrong(f"{name}: the last signature does not hold / 最后的签名不成立")
    require_noted(chains)
    return {
        "tenant": centre["tenant"], "entries": log.size, "root": log.root().hex(), "checkpoints": len(texts),
        "last_checkpoint": max(texts, default=0), "after_last_checkpoint": log.size - max(texts, default=0),
        "stations": {name: chain.seq for name, chain in chains.items()}, "countersigned_up_to": witnessed,
        "damaged_signatures": {name: sorted(chain.damaged) for name, chain in chains.items() if chain.damaged},
    }  # fmt: skip


def check(path, every=True, server_key=""):
    """A report: {"ok", "wrong", …}."""
    try:
        return {"ok": True, "what": "centre-log", **read(path, every, server_key)}
    except Wrong as wrong:
        return {"ok": False, "what": "centre-log", "wrong": str(wrong)}
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as wrong:
        return {"ok": False, "what": "centre-log", "wrong": f"damaged record / 记录损坏: {type(wrong).__name__}"}


def main(words):
    options = [word for word in words if word.startswith("--")]
    key = words[words.index("--server-key") + 1] if "--server-key" in words else ""
    paths = [word for word in words if not word.startswith("--") and word != key]
    if len(paths) != 1:
        print(__doc__)
        return 2
    report = check(paths[0], "--every" in options, key)
    print(json.dumps(report, ensure_ascii=False, indent=1))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
