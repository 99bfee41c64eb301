"""Checks the exported log of a Card Intake centre. Needs Python 3.8+ and the package `cryptography`, nothing else.

    python verify.py log.jsonl [--every] [--server-key HEX]

The export comes from `cardintake centre export`. Checked are: the log without gaps, each station's chain (numbers, hash
of the one before, hash of its own bytes, signatures, each by the key that held at its place), the root at every
checkpoint, the centre's signature under it, and the stations' countersignatures. A signature vouches for all events
before it in its chain; with --every each one is checked, and one that does not hold is passed over only if the centre
noted in its own chain that it came so (`damaged_signatures` lists them). No secret may have been shown that nobody had
asked for with a reason. --server-key compares the centre's key, or one of those it changed from (its own chain says
which), with the one you know from elsewhere, for example from a station.

An entry's line ends with the event's exact bytes, `"event":` before and one `}` behind them; where those are no JSON in
one line, they are base64 under `data`, as all of them were in exports of version 1. A checkpoint stands behind the last
entry that it holds.

Exit status 0: all of that holds. 1: something does not; the first thing wrong is named, and how far the log holds.
Not proved: that nothing is missing after the last checkpoint, and that the keys are whose you think they are.

校验验卡中心导出的账本。只需要 Python 3.8 以上和 cryptography 库。退出码 0：全部成立；1：有不符，指出第一处。
"""

import base64
import hashlib
import json
import sys
from binascii import a2b_base64
from contextlib import suppress

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

GENESIS = "0" * 64
CENTRE = "@centre"
ROTATED, ROTATED_AT_CENTRE, MARK = "station.key-rotated", "centre.key-rotated", b'.key-rotated"'
DAMAGED, ASKED = "centre.signature-damaged", "centre.reveal-asked"
SHOWN = ("centre.reveal-granted", "centre.reveal-shown")
DASH = "\u2014 "
NO_SIGNATURE = "the signature does not hold / 签名不成立"
NO_EXPORT = "this is no export of a centre / 不是中心导出的文件"


class Wrong(Exception):
    """The first thing that does not hold."""


class Chain:
    """One station's chain as far as it was read; `before`: keys that others followed, each with the log's size then."""

    def __init__(self, key):
        self.public = bytes.fromhex(key)
        self.before = []
        self.seq, self.head, self.last = 0, GENESIS, None
        self.damaged, self.noted = {}, {}  # by number: (SHA-256 of the signature, where); (by station) what was noted
        self.reasons = {}  # of the centre's chain: why each secret was asked for, by the request's id

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
    """The tree over all entries, as the roots of its whole subtrees (RFC 6962), and the leaves that are in none yet.

    `roots`: by size. `plain`: the stations' chains by what JSON has between the quotes of their names.
    """

    def __init__(self):
        self.size, self.peaks, self.leaves, self.roots, self.plain = 0, [], [], {}, {}

    def add(self, entry):
        self.leaves.append(hashlib.sha256(b"\0" + entry).digest())
        self.size += 1
        if not self.size & 255:
            self.grow()

    def grow(self):
        """The leaves into the tree: a whole block of 256 as one subtree, which is quicker than leaf by leaf."""
        nodes, level = self.leaves, 0
        at = self.size - len(nodes)
        if len(nodes) == 256:
            level = 8
            while len(nodes) > 1:
                pairs = zip(nodes[::2], nodes[1::2])  # noqa: B905  Python 3.8 knows no strict
                nodes = [hashlib.sha256(b"\1" + one + two).digest() for one, two in pairs]
        for count, node in enumerate(nodes, at >> level):
            while count & 1:
                node, count = hashlib.sha256(b"\1" + self.peaks.pop() + node).digest(), count >> 1
            self.peaks.append(node)
        self.leaves = []

    def root(self):
        self.grow()
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = hashlib.sha256(b"\1" + peak + node).digest()
        return node


def record_of(line, number):
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError
        if "event" in fields:
            begin, line = line.index(b'"event":') + 8, line.rstrip()
            fields["data"] = line[begin:-1]
    except (ValueError, RecursionError):
        raise Wrong(f"line {number} is no record / 第 {number} 行不是记录") from None
    return fields


def take_next(line, log):
    """Take a line that is, to the byte, the next entry of its chain as an export writes it: what the event says of its
    place stands at its end, where canonical JSON has it, and no JSON is read. False, and nothing is done: then the line
    is another one, or an act of the centre or a change of key, or has to be read to say what is wrong with it.
    """
    end = line.find(b'"', 183)
    begin, name = line.find(b"{", end), line[183:end]
    chain = log.plain.get(name)
    if chain is None or not line.endswith(b"}\n"):
        return False
    data, seq = line[begin:-2], chain.seq + 1
    if not data.endswith(b'"prev":"%b","seq":%d,"station":"%b","v":1}' % (chain.head.encode(), seq, name)):
        return False
    try:
        own, sig = hashlib.sha256(data).hexdigest(), a2b_base64(line[8:96])
    except ValueError:
        return False
    told = b'","hash":"%b","station":"%b","n":%d,"seq":%d,"type":"event","event":'
    told = told % (own.encode(), name, log.size, seq)
    if not line.startswith(told, 96) or begin != 96 + len(told) or not line.startswith(b'{"sig":"') or len(sig) != 64:
        return False
    if MARK in data:
        return False
    chain.seq, chain.head, chain.last = seq, own, (sig, data)
    log.add(data)
    return True


def take_event(fields, chains, log, every):
    name = fields["station"]
    where = f"{name} event {fields['seq']} (entry {log.size})"
    chain = chains.get(name)
    if chain is None:
        raise Wrong(f"{where}: unknown station / 未知工位")
    data, sig = fields["data"], base64.b64decode(fields["sig"])
    if not isinstance(data, bytes):
        data = base64.b64decode(data)
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
    if name == CENTRE and head.get("v") == 1:
        take_act(chain, head, where)
    chain.seq, chain.head, chain.last = chain.seq + 1, fields["hash"], (sig, data)
    if rotates:
        chain.last = None  # it was just checked, and vouches for all before it
        follow(chain, head, log.size)
    log.add(data)


def take_act(chain, head, where):
    """What the centre did: damaged signatures that it noted; and each secret that was shown had a reason."""
    kind, body = head.get("kind"), head["body"]
    if kind == DAMAGED:
        told = chain.noted.setdefault(body["station"], {})
        told.update({int(seq): own for seq, own in body["signatures"].items()})
    elif kind == ASKED:
        chain.reasons[body["reveal"]] = body["reason"].strip()
    elif kind in SHOWN and not chain.reasons.get(body["reveal"]):
        raise Wrong(f"{where}: a secret was shown without a reason / 没有事由就显示了卡密")


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
    """All lines in order: centre, stations, entries with the checkpoints over them, countersignatures."""
    chains, log, notes, lines, centre = {}, Log(), [], [], None
    with open(path, "rb", 1 << 20) as file:
        for number, line in enumerate(file, 1):
            if not every and take_next(line, log):
                continue
            fields = record_of(line, number)
            kind = fields.get("type")
            if number == 1:
                centre, wanted = fields, sizes_wanted(path, fields)
            elif kind == "station":
                if fields["id"] in chains or log.size:
                    raise Wrong(f"line {number}: a station named again or too late / 第 {number} 行：工位重复或太晚")
                chains[fields["id"]] = Chain(fields["public_key"])
                if fields["id"] != CENTRE and json.dumps(fields["id"]) == f'"{fields["id"]}"':
                    log.plain[fields["id"].encode()] = chains[fields["id"]]
            elif kind == "event":
                take_event(fields, chains, log, every)
                if log.size in wanted:
                    log.roots[log.size] = log.root()
            elif kind == "checkpoint":
                notes.append(fields["note"])
                if fields["size"] == log.size:
                    log.roots[log.size] = log.root()
            elif kind == "cosignature":
                lines.append(fields)
    if centre is None:
        raise Wrong(NO_EXPORT)
    return judged(centre, chains, log, notes, lines, server_key)


def sizes_wanted(path, head):
    """The sizes of the log at which its root is needed; known from the order of the lines but in the first version."""
    if head.get("type") != "centre-log":
        raise Wrong(NO_EXPORT)
    if head.get("v") not in (1, 2):
        raise Wrong("made by a later release / 由更新的版本导出")
    if head["v"] == 2:
        return ()
    with open(path, "rb") as file:
        records = (record_of(line, number) for number, line in enumerate(file, 1) if b'"checkpoint"' in line)
        return {fields["size"] for fields in records if fields.get("type") == "checkpoint"}


def judged(centre, chains, log, notes, lines, server_key):
    """What was read, held against the keys: those of the end say which held at which place."""
    server, texts, witnessed = Chain(centre["server_key"]), {}, {}
    for note in notes:
        size, text = take_checkpoint(note, chains.get(CENTRE, server), centre["tenant"], log.roots)
        texts[size] = text
    for fields in lines:
        take_cosignature(fields, texts, chains)
        witnessed[fields["station"]] = max(fields["size"], witnessed.get(fields["station"], 0))
    own = chains.get(CENTRE, server)
    if own.public != server.public:
        raise Wrong("the centre's chain ends with another key / 中心的事件链以另一把公钥结束")
    if server_key and server_key not in [key.hex() for key in [own.public] + [key for _, key in own.before]]:
        raise Wrong("another centre's key / 中心的公钥不对")
    for name, chain in chains.items():
        if chain.last is not None and not chain.signed(*chain.last):
            raise Wrong(f"{name}: the last signature does not hold / 最后的签名不成立")
    require_noted(chains)
    if sum(chain.seq for chain in chains.values()) != log.size:
        raise Wrong("the entries are not those of the chains / 条目与各事件链不符")
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
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError) as wrong:
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
