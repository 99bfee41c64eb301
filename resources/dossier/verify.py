"""Checks a dossier of an unboxing recording. Needs Python 3.8+ and the package `cryptography`, nothing else.

    python verify.py dossier.zip        (also a folder into which it was unpacked)
        --root-key HEX      the company's root key, if you have it from them: the witness must be certified by it
        --station-key HEX   the station's key, if you have it: the recording must be signed by it

Exit status 0: all that can be checked holds. 1: something does not; the first thing wrong is named, and how far the
pictures before it hold. What a dossier cannot prove by itself is listed under "not proven". Where a dossier holds the
recordings of both cameras, each is checked by its own chain, and which of them is wrong is named ("recordings").
Where pictures were not handed out ("withheld", with the reason), all records of that recording are checked: they hold
the hash of each fragment, so that the pictures can be held against them when they are given.

校验开箱录像证据包。只需要 Python 3.8 以上和 cryptography 库。退出码 0：全部可校验内容成立；1：有不符，指出第一处。
"""

import base64
import hashlib
import json
import re
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PURPOSE = b"cardintake recording record v1\n"
MOST_BYTES = 256 << 20  # of a file that is read whole; a clip's records and fragments are far smaller
FILM, FOLDER = re.compile(r"viewing(-[0-9]+)?\.mp4"), re.compile(r"[a-z0-9-]+")
CHAIN_FILES = {"dossier.json", "records.jsonl", "root.tsr", "root.statement", "witness.json", "previous.jsonl"}
BROKEN = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged, encrypted or strange zip ends in."""
NONSENSE = (*BROKEN, ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, MemoryError)
"""What comes of content that is none of a dossier's."""

ASK = "openssl ts -verify -data root.statement -in root.tsr -CAfile AUTHORITY.pem"


class Wrong(Exception):
    """The first thing that does not hold; where there are several recordings, what was found of each."""

    def __init__(self, text, recordings=()):
        super().__init__(text)
        self.recordings = list(recordings)


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


class Files:
    """The dossier's files, from a zip or a folder; or those of one recording within it."""

    def __init__(self, path):
        self.path = Path(path)
        self.zip = None if self.path.is_dir() else zipfile.ZipFile(self.path)
        self.within = ""

    def inside(self, folder):
        inner = Files.__new__(Files)
        inner.path, inner.zip, inner.within = self.path, self.zip, folder + "/" if folder else ""
        return inner

    def read(self, name):
        name = self.within + name
        try:
            size = (self.path / name).stat().st_size if self.zip is None else self.zip.getinfo(name).file_size
            if size > MOST_BYTES:
                raise Wrong(f"{name} is too large for a dossier / 文件过大")
            return (self.path / name).read_bytes() if self.zip is None else self.zip.read(name)
        except (KeyError, *BROKEN):
            raise Wrong(f"{name} is missing or damaged / 文件缺失或损坏") from None

    def has(self, name):
        name = self.within + name
        return (self.path / name).is_file() if self.zip is None else name in self.zip.namelist()

    def names(self):
        """Every file; a zip that has two under one name shows different things to different programs."""
        if self.zip is None:
            return {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()}
        names = self.zip.namelist()
        if len(set(names)) < len(names):
            raise Wrong("two files with one name / 两个文件同名")
        return {name for name in names if not name.endswith("/")}

    def beside(self):
        """The names in this very folder."""
        if self.zip is None:
            return {path.name for path in (self.path / self.within).iterdir() if path.is_file()}
        found = (name[len(self.within) :] for name in self.zip.namelist() if name.startswith(self.within))
        return {name for name in found if name and "/" not in name}

    def sha256(self, name):
        whole = hashlib.sha256()
        try:
            with self.open(name) as file:
                for data in iter(lambda: file.read(1 << 20), b""):
                    whole.update(data)
        except BROKEN:
            raise Wrong(f"{name} is missing or damaged / 文件缺失或损坏") from None
        return whole.hexdigest()

    def open(self, name):
        name = self.within + name
        try:
            return (self.path / name).open("rb") if self.zip is None else self.zip.open(name)
        except (KeyError, *BROKEN):
            raise Wrong(f"{name} is missing or damaged / 文件缺失或损坏") from None


def read_record(line, number):
    """A record whose hash is right. `number`: its line, for the message."""
    try:
        fields = json.loads(line)
        chain, signature = fields.pop("chain"), fields.pop("sig")
        same = canonical({**fields, "chain": chain, "sig": signature}) == line
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Wrong(f"record in line {number} is no record / 第 {number} 行不是记录") from None
    if not same or hashlib.sha256(canonical(fields)).hexdigest() != chain:
        raise Wrong(f"record in line {number} was changed / 第 {number} 行记录被改动")
    return fields, chain, signature


def check_signature(key, fields, chain, signature):
    try:
        key.verify(bytes.fromhex(signature), PURPOSE + bytes.fromhex(chain))
    except (InvalidSignature, ValueError):
        raise Wrong(f"record {fields['n']} is not signed by the station / 记录 {fields['n']} 的签名不对") from None


def read_records(lines):
    """All records of the dossier: signed by the station of the first one, in order, and linked where they touch."""
    records, key = [], None
    for number, line in enumerate(lines, 1):
        fields, chain, signature = read_record(line, number)
        if key is None:
            if fields.get("kind") != "genesis":
                raise Wrong("the first record is no beginning / 第一条记录不是开头")
            try:
                key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(fields["station_key"]))
            except (ValueError, KeyError, TypeError):
                raise Wrong("the recording is unsigned / 录像没有签名") from None
        check_signature(key, fields, chain, signature)
        if records:
            before, before_chain = records[-1]
            if fields["n"] <= before["n"] or (fields["n"] == before["n"] + 1 and fields["prev"] != before_chain):
                raise Wrong(f"record {fields['n']} does not follow record {before['n']} / 记录顺序被改动")
        records.append((fields, chain))
    if not records:
        raise Wrong("no records / 没有记录")
    return records


def leaf_hash(index, data):
    return hashlib.sha256(b"\x00" + index.to_bytes(8, "big") + hashlib.sha256(data).digest()).digest()


def inner(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def rebuild(low, high, start, stop, leaves, proof):
    """The root of a tree of which one stretch of leaves and the hashes around it are known (RFC 6962)."""
    if high <= start or low >= stop:
        return proof.pop(0)
    if high - low == 1:
        return leaves.pop(0)
    middle = low + (1 << ((high - low - 1).bit_length() - 1))
    left = rebuild(low, middle, start, stop, leaves, proof)
    return inner(left, rebuild(middle, high, start, stop, leaves, proof))


def check_fragments(files, pieces):
    """Every fragment against its signed record; gives their leaves, how far (µs) the pictures hold, and what a film of
    them must be made of. Hashing lets other threads run, so that reading goes on beside it.
    """
    leaves, until, waiting, proved = [], None, [], Shown()

    def settle(left):
        nonlocal until
        while len(waiting) > left:
            fields, name, data, leaf = waiting.pop(0)
            if leaf.result().hex() != fields["h"]:
                raise Wrong(f"{name} was changed / 片段被改动")
            leaves.append(leaf.result())
            until = fields.get("last_pts", until)
            if fields["kind"] == "fragment":
                for content in inside(memoryview(data), b"mdat"):
                    proved.content.update(content)
                proved.sizes += sizes_in(data)
            else:
                proved.settings |= {settings_of(index) for index in inside(data, b"moov")}

    with ThreadPoolExecutor(2) as pool:
        try:
            for fields in pieces:
                name = f"fragments/{fields['leaf']:06d}.mp4"
                try:
                    data = files.read(name)
                except Wrong:
                    settle(0)
                    raise
                waiting.append((fields, name, data, pool.submit(leaf_hash, fields["leaf"], data)))
                settle(4)
            settle(0)
        except Wrong as wrong:
            held = "nothing before it / 之前无内容" if until is None else f"{until / 1e6:.3f} s"
            raise Wrong(f"{wrong}; the pictures hold up to / 有效画面止于: {held}") from None
    return leaves, until, proved


def first_of_run(pieces):
    """Where the unbroken run of pieces begins: 1 when the header of its part lies further in front."""
    return 1 if pieces[0]["kind"] == "init" and len(pieces) > 1 and pieces[1]["leaf"] != pieces[0]["leaf"] + 1 else 0


def check_order(records, pieces):
    """Within the stretch no fragment and no record may be missing."""
    run = pieces[first_of_run(pieces) :]
    for before, after in zip(run, run[1:]):  # noqa: B905, RUF007  runs on Python 3.8
        if after["leaf"] != before["leaf"] + 1:
            raise Wrong(f"fragment {before['leaf'] + 1} is left out / 缺少片段 {before['leaf'] + 1}")
    numbers = sorted(fields["n"] for fields, _ in records if run[0]["n"] <= fields["n"] <= run[-1]["n"])
    for before, after in zip(numbers, numbers[1:]):  # noqa: B905, RUF007  runs on Python 3.8
        if after != before + 1:
            raise Wrong(f"record {before + 1} is left out / 缺少记录 {before + 1}")


def check_root(close, pieces, leaves, proof):
    """The clip's fragments are those that the closing record counts, in their places."""
    first = first_of_run(pieces)
    start, chosen, rest = pieces[first]["leaf"], list(leaves[first:]), list(proof)
    try:
        root = rebuild(0, close["leaves"], start, start + len(chosen), chosen, rest)
    except IndexError:
        raise Wrong("the proof is too short / 证明不完整") from None
    if chosen or rest or root.hex() != close["root"]:
        raise Wrong("the fragments do not belong to the closed recording / 片段不属于封存的录像")


def number(data):
    return int.from_bytes(data, "big")


def boxes(data):
    """Kind and content of each box of an MP4 that is in memory (ISO/IEC 14496-12)."""
    at = 0
    while at + 8 <= len(data):
        size, kind, head = number(data[at : at + 4]), bytes(data[at + 4 : at + 8]), 8
        if size == 1:
            size, head = number(data[at + 8 : at + 16]), 16
        size = size or len(data) - at
        yield kind, data[at + head : at + size]
        at += max(size, 8)


def inside(data, *path):
    """The contents of all boxes that are reached by these kinds, one within the other."""
    for kind, content in boxes(data):
        if kind == path[0]:
            yield from inside(content, *path[1:]) if path[1:] else [content]


class Shown:
    """What a film is made of: the bytes of its pictures, how long each is, what sets the decoder up."""

    def __init__(self):
        self.content, self.sizes, self.settings = hashlib.sha256(), [], set()


def sizes_in(fragment):
    """How long each picture of a fragment is, by its track runs (8.8.7, 8.8.8)."""
    sizes = []
    for track in inside(fragment, b"moof", b"traf"):
        (head,) = inside(track, b"tfhd")
        flags, at = number(head[1:4]), 8 + 8 * (head[3] & 1) + 4 * (head[3] >> 1 & 1) + 4 * (head[3] >> 3 & 1)
        default = number(head[at : at + 4]) if flags & 0x10 else 0
        for run in inside(track, b"trun"):
            flags, count = number(run[1:4]), number(run[4:8])
            at, wide = 8 + 4 * (flags & 1) + 4 * (flags >> 2 & 1), 4 * sum(flags >> bit & 1 for bit in (8, 9, 10, 11))
            place = at + 4 * (flags >> 8 & 1)  # behind its duration
            if count * wide > len(run):
                raise ValueError("a run without end")
            own = flags & 0x200
            sizes += [number(run[place + n * wide :][:4]) if own else default for n in range(min(count, 1 << 20))]
    return sizes


def look_through(file, into):
    """One pass over a film: the contents of its `mdat` boxes into a hash. Gives where they lie, and its index."""
    at, spans, indexes = 0, [], []
    while len(head := file.read(8)) == 8:
        size, kind, start = number(head[:4]), head[4:], at + 8
        if size == 1:
            size, start = number(file.read(8)), at + 16
        left = size - (start - at) if size else 1 << 62  # a box of size 0 goes on to the end
        if kind == b"moof" or (kind == b"moov" and left > MOST_BYTES):
            raise ValueError("an index of another kind")
        end, index = start, bytearray()
        while left > 0 and (data := file.read(min(left, 1 << 20))):
            left, end = left - len(data), end + len(data)
            if kind == b"mdat":
                into.update(data)
            if kind == b"moov":
                index += data
        if kind == b"mdat" and end > start:
            spans.append((start, end))
        if kind == b"moov":
            indexes.append(bytes(index))
        at = end
    (index,) = indexes
    return spans, index


TABLE = (b"trak", b"mdia", b"minf", b"stbl")


def settings_of(index):
    """By what the decoder is set up, of a film's index with one track."""
    (described,) = inside(index, *TABLE, b"stsd")
    ((_, entry),) = boxes(described[8:])
    return bytes(dict(boxes(entry[78:]))[b"avcC"])


def shown_by(index):
    """Where the pictures lie that a film shows, in order, neighbours joined, and how long each is: by the tables of its
    one track (8.7).
    """
    (table,) = inside(index, *TABLE)
    for edits in inside(index, b"trak", b"edts", b"elst"):
        if number(edits[4:8]) != 1 or number(edits[16:24] if edits[0] else edits[12:16]):
            raise ValueError("an edit leaves pictures out")
    parts = dict(boxes(table))
    sizes, runs, wide = parts[b"stsz"], parts[b"stsc"], 8 if b"co64" in parts else 4
    chunks = parts[b"co64" if wide == 8 else b"stco"]
    alike, count = number(sizes[4:8]), number(sizes[8:12])  # 0: each has a size of its own
    each_size = [alike] * min(count, 1 << 24) if alike else [number(sizes[n : n + 4]) for n in range(12, len(sizes), 4)]
    shown, each, pictures = [], 0, iter(each_size)
    firsts = {number(runs[at : at + 4]): number(runs[at + 4 : at + 8]) for at in range(8, len(runs), 12)}
    for n, at in enumerate(range(8, len(chunks), wide), 1):
        start = end = number(chunks[at : at + wide])
        each = firsts.get(n, each)
        for _ in range(each):
            end += next(pictures)
        if shown and shown[-1][1] == start:
            start = shown.pop()[0]
        shown.append((start, end))
    if next(pictures, None) is not None:
        raise ValueError("pictures in no chunk")
    return shown, each_size


def check_copies(files, dossier, proved):
    """The viewing copies, and no other films, show the very bytes of the fragments' pictures, each once, in order."""
    shown, films = Shown(), dossier["viewing"]
    strange = sorted({name for name in files.beside() if name.lower().endswith(".mp4")} ^ set(films))
    if strange or len(set(films)) < len(films) or not all(FILM.fullmatch(name) for name in films):
        raise Wrong(f"the viewing copies are not those that dossier.json names / 观看副本不符: {strange}")
    for name in films:
        try:
            with files.open(name) as film:
                spans, index = look_through(film, shown.content)
            led_to, sizes = shown_by(index)
            shown.sizes += sizes
            same = led_to == spans and settings_of(index) in proved.settings
        except BROKEN:
            raise Wrong(f"{name} is missing or damaged / 文件缺失或损坏") from None
        except (ValueError, KeyError, IndexError, StopIteration):
            same = False
        if not same:
            raise Wrong(f"{name} shows other pictures than it holds / 观看副本放出的不是证据里的画面")
    if (shown.content.digest(), shown.sizes) != (proved.content.digest(), proved.sizes):
        raise Wrong("the viewing copy shows other pictures / 观看副本的画面与证据不同")


def check_manifest(files, genesis):
    """Every file is what the station signed when it made the dossier, and there is no other."""
    text, signature = files.read("manifest.json"), files.read("manifest.sig")
    try:
        statement = b"cardintake dossier manifest v1\n" + hashlib.sha256(text).digest()
        public_key(genesis["station_key"]).verify(bytes.fromhex(signature.decode("ascii")), statement)
    except (InvalidSignature, ValueError):
        raise Wrong("manifest.json is not signed by the station / 文件清单不是工位签的") from None
    manifest = json.loads(text)
    if manifest["recording"] != genesis["recording"]:
        raise Wrong("manifest.json is of another recording / 文件清单属于别的录像")
    for name in sorted(manifest["files"]):
        if files.sha256(name) != manifest["files"][name]:
            raise Wrong(f"{name} was changed / 文件被改动: {name}")
    strange = sorted(files.names() - set(manifest["files"]) - {"manifest.json", "manifest.sig"})
    if strange:
        raise Wrong(f"{strange[0]} was added / 文件是后加的: {strange[0]}")


def iso(milliseconds):
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="seconds")  # noqa: UP017  3.8


def public_key(text):
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))


def read_statement(signed, key, kind):
    """The fields of a signed statement of this kind."""
    try:
        key.verify(base64.b64decode(signed["sig"], validate=True), signed["text"].encode())
    except (InvalidSignature, ValueError):
        raise Wrong(f"witness: the {kind} statement is not signed by the key named / 见证: 签名不对") from None
    fields = json.loads(signed["text"])
    if fields["type"] != kind:
        raise Wrong(f"witness: not a {kind} statement / 见证: 不是该类声明")
    return fields


def check_note(note, tenant, epoch, server_key):
    """Size and root of a checkpoint (C2SP signed note) of the centre's log, signed by the server key."""
    origin = f"cardintake/{quote(tenant, safe='')}/{quote(epoch, safe='')}"
    text, _, lines = note.partition("\n\n")
    head = text.split("\n")
    start = "\u2014 " + origin + " "
    payloads = [line[len(start) :] for line in lines.split("\n") if line.startswith(start)]
    try:
        raw = base64.b64decode(payloads[0], validate=True)
        public_key(server_key).verify(raw[4:], (text + "\n").encode())
        size, root = int(head[1]), base64.b64decode(head[2], validate=True)
    except (IndexError, ValueError, InvalidSignature):
        raise Wrong("witness: the checkpoint is not signed by the centre / 见证: 检查点签名不对") from None
    if head[0] != origin:
        raise Wrong("witness: a checkpoint of another log / 见证: 检查点属于别的日志")
    return size, root


def check_server(centre, pinned_root):
    """Whether the tenant root certified the server key; with a pinned root it must have."""
    if pinned_root and centre["root_key"] != pinned_root:
        raise Wrong("witness: another root key than yours / 见证: 根公钥与指定的不同")
    if centre["server"] is None:
        if pinned_root:
            raise Wrong("witness: its key is not certified by the root / 见证: 没有根证书")
        return False
    told = read_statement(centre["server"], public_key(centre["root_key"]), "server-key")
    if told["tenant"] != centre["tenant"] or told["public_key"] != centre["server_key"]:
        raise Wrong("witness: the root certified another key / 见证: 根证书不是给这个公钥的")
    return True


def check_in_log(bundle, word):
    """The closing event is an entry of the log whose checkpoint the centre signed; gives the log's size."""
    size, root = check_note(bundle["note"], word["tenant"], word["epoch"], bundle["centre"]["server_key"])
    leaf = hashlib.sha256(b"\x00" + bundle["event"].encode()).digest()
    leaves, rest, place = [leaf], [bytes.fromhex(one) for one in bundle["proof"]], bundle["leaf"]
    try:
        found = rebuild(0, size, place, place + 1, leaves, rest) if 0 <= place < size else b""
    except IndexError:
        found = b""
    if leaves or rest or found != root:
        raise Wrong("witness: the closing event is not in the centre's log / 见证: 封存事件不在中心日志里")
    return size


def check_witness(bundle, chains, closing, recording, pinned_root=""):
    """The centre's word on a recording. `chains`: the hash of each record that is here, by its number; `closing`: the
    number and hash of the record that closes it. Gives what is known by it.
    """
    try:
        centre = bundle["centre"]
        certified = check_server(centre, pinned_root)
        word = read_statement(bundle["witnessed"], public_key(centre["server_key"]), "recording-witnessed")
        event = json.loads(bundle["event"])
        body, last, final = event["body"], *closing
        same = (event["kind"], event["station"], event["seq"]) == (
            "recording.closed",
            word["station"],
            word["closed_seq"],
        )
        if not same or word["tenant"] != centre["tenant"] or not word["recording"] == body["recording"] == recording:
            raise Wrong("witness: of another recording / 见证: 属于别的录像")
        if not word["final_hash"] == body["final_hash"] == final:
            raise Wrong("witness: the centre saw it closed by another record / 见证: 中心收到的封存记录不同")
        size = check_in_log(bundle, word)
        held = 0
        for head in word["heads"]:
            n = head["n"]
            if n > last:
                raise Wrong(f"witness: the centre saw record {n}, here {last} is the last / 见证: 结尾被截断")
            if chains.get(n, head["head"]) != head["head"]:
                raise Wrong(f"witness: record {n} is not the one that the centre saw / 见证: 记录 {n} 与中心收到的不同")
            held += n in chains
    except NONSENSE:
        raise Wrong("witness.json is no witness / 见证文件不对") from None
    return {
        "tenant": word["tenant"],
        "station": word["station"],
        "root_key": centre["root_key"],
        "certified": certified,
        "pinned": bool(pinned_root),
        "closed_by": iso(word["closed_ms"]),
        "heads": [[head["n"], iso(head["received_ms"])] for head in word["heads"]],
        "heads_compared": held,
        "epoch": word["epoch"],
        "checkpoint": size,
    }


def check_previous(files, genesis, key):
    """The record that closed the recording before: this one begins with its hash. Gives its number of records."""
    if not files.has("previous.jsonl"):
        return None
    fields, chain, signature = read_record(files.read("previous.jsonl").rstrip(b"\n"), 1)
    check_signature(key, fields, chain, signature)
    if fields["kind"] != "close" or chain != genesis["previous"]:
        raise Wrong("previous.jsonl is not the recording before / 上一段录像的封存记录不对")
    return fields["n"] + 1


def witnessed(files, records, close, root_key):
    """What the centre's word in the dossier tells, None without one."""
    if not files.has("witness.json"):
        return None
    if close is None:
        raise Wrong("witness: of a recording that is not closed / 见证: 录像未封存")
    chains = {fields["n"]: chain for fields, chain in records}
    bundle = json.loads(files.read("witness.json"))
    closing = records[-1][0]["n"], records[-1][1]
    return check_witness(bundle, chains, closing, records[0][0]["recording"], root_key)


def known_as(one):
    camera = {"overhead": "俯拍", "label": "面单"}.get(one["camera"], "")
    return f"{one['camera']} camera, recording {one['recording']} / {camera}相机的录像"


def check(path, root_key="", station_key=""):
    """Everything; gives what to print."""
    whole = Files(path)
    told = json.loads(whole.read("dossier.json")).get("beside", [])
    places = [("", "", "", "")]
    places += [(one["folder"], one["camera"], one["recording"], one["why"]) for one in told if one["folder"]]
    if not all(FOLDER.fullmatch(place[0]) for place in places[1:]):
        raise Wrong("a recording lies outside the dossier / 录像在证据包之外")
    each = [attempt(whole.inside(place[0]), place, root_key, station_key) for place in places]
    bad = [one for one in each if not one["ok"]]
    if bad and len(each) == 1:
        raise Wrong(bad[0]["wrong"])
    if bad:
        which = "; ".join(f"{known_as(one)}: {one['wrong']}" for one in bad)
        raise Wrong(which, each)
    together(each)
    check_manifest(whole, each[0])
    films = any(one["simulated"] for one in each)
    open_ = each[0]["not_proven"] + not_here(each, told)
    beside, withheld = [one for one in each[1:] if "withheld" not in one], [one for one in each if "withheld" in one]
    return {**each[0], "simulated": films, "not_proven": open_, "beside": beside, "withheld": withheld}


def attempt(files, place, root_key, station_key):
    """What is found of one recording; the others are looked at whatever is wrong with it."""
    folder, camera, recording, why = place
    try:
        found = check_chain(files, root_key, station_key, why) if why else check_recording(files, root_key, station_key)
        if folder and (found["camera"], found["recording"]) != (camera, recording):
            raise Wrong("another recording than dossier.json names / 不是 dossier.json 所说的录像")
        return found
    except Wrong as wrong:
        said = str(wrong)
    except NONSENSE as wrong:
        said = f"not a dossier: {type(wrong).__name__} / 不是证据包"
    return {"ok": False, **named(files, camera, recording), "wrong": said}


def camera_of(genesis):
    return genesis["meta"].get("role", "overhead")


def named(files, camera, recording):
    """Which recording it says it is, by its own first record if that can be read."""
    try:
        genesis = json.loads(files.read("records.jsonl").splitlines()[0])
        return {"camera": camera_of(genesis), "recording": genesis["recording"]}
    except (Wrong, *NONSENSE):
        return {"camera": camera or "first", "recording": recording}


def together(each):
    """The first recording and each of the others were filmed beside one another, by a signed record of one of both. One
    whose pictures are withheld may be of the same camera, but of the same parcel.
    """
    first = each[0]
    for one in each[1:]:
        beside = one["recording"] in first["filmed_beside"] or first["recording"] in one["filmed_beside"]
        same_parcel = one["waybill"] and one["waybill"] == first["waybill"]
        if not beside and not ("withheld" in one and same_parcel):
            raise Wrong(f"{one['recording']} was not filmed beside {first['recording']} / 两段录像不是同时拍的")


def not_here(each, told):
    """What is left open about the other camera."""
    here, why = {one["recording"] for one in each}, {one["recording"]: one["why"] for one in told}
    missing = [name for one in each for name in one["filmed_beside"] if name not in here]
    missing += [name for name in why if name not in here]
    unproven = [
        f"what recording {one['recording']} ({one['camera']}) shows: its pictures are withheld, {one['withheld']}; its"
        " records are here and hold / 该录像的画面没有给出，记录在包里并成立"
        for one in each
        if "withheld" in one
    ]
    unproven += [
        f"what the other camera filmed in recording {name}: not here {why.get(name, '')} / 另一台相机的录像不在包里"
        for name in sorted(set(missing))
    ]
    if len({one["station_key"] for one in each}) > 1:
        unproven.append("that both recordings' keys are one station's (compare them) / 两段录像的公钥是否属于同一工位")
    return unproven


def check_recording(files, root_key, station_key):
    """One recording of the dossier, by its own chain."""
    dossier = json.loads(files.read("dossier.json"))
    lines = files.read("records.jsonl").splitlines()
    records = read_records(lines)
    genesis = records[0][0]
    if station_key and genesis["station_key"] != station_key:
        raise Wrong("signed by another station's key / 不是指定工位的公钥")
    pieces = [fields for fields, _ in records if fields["kind"] in ("init", "fragment")]
    if not any(piece["kind"] == "fragment" for piece in pieces):
        raise Wrong("no pictures / 没有画面")
    check_order(records, pieces)
    leaves, until, proved = check_fragments(files, pieces)
    close = next((fields for fields, _ in records if fields["kind"] == "close"), None)
    if close is not None:
        check_root(close, pieces, leaves, [bytes.fromhex(one) for one in dossier["proof"]])
    check_copies(files, dossier, proved)
    stamped = check_token(files, records[-1] if close is not None else None)
    word = witnessed(files, records, close, root_key)
    before = check_previous(files, genesis, public_key(genesis["station_key"]))
    found = report(records, pieces, until, close, stamped)
    proven, unproven = told_by(word, before, stamped, genesis, pieces)
    if not station_key:
        unproven.insert(
            0, "that the station's key was in the right hands (compare it) / 工位密钥是否由本人保管（请核对）"
        )
    if dossier.get("leak_check") == "unchecked":
        unproven.append("that its pictures show no PIN: nobody has read them for one / 画面还没有检查过是否露出卡密")
    found["not_proven"] = unproven + found["not_proven"]
    return {
        **found,
        "proven": proven,
        "witness": word,
        "previous": genesis["previous"],
        "previous_closed": before is not None,
    }


def check_chain(files, root_key, station_key, why):
    """A recording whose pictures are withheld: all of its records, none left out, and the root over its fragments."""
    records = read_records(files.read("records.jsonl").splitlines())
    genesis = records[0][0]
    if station_key and genesis["station_key"] != station_key:
        raise Wrong("signed by another station's key / 不是指定工位的公钥")
    if json.loads(files.read("dossier.json"))["withheld"] != why:
        raise Wrong("another reason for what is withheld than dossier.json names / 没有给出画面的原因不一致")
    strange = sorted(files.beside() - CHAIN_FILES)
    if strange:
        raise Wrong(f"{strange[0]} lies where the pictures are withheld / 没有给出画面的录像里多了文件")
    for place, (fields, _) in enumerate(records):
        if fields["n"] != place:
            raise Wrong(f"record {place} is left out / 缺少记录 {place}")
    pieces = [fields for fields, _ in records if fields["kind"] in ("init", "fragment")]
    close = next((fields for fields, _ in records if fields["kind"] == "close"), None)
    leaves = [bytes.fromhex(piece["h"]) for piece in pieces]
    if close is not None and leaves:
        check_root(close, pieces, leaves, [])
    stamped = check_token(files, records[-1] if close is not None else None)
    word = witnessed(files, records, close, root_key)
    before = check_previous(files, genesis, public_key(genesis["station_key"]))
    whole = "a closed recording, nothing left out" if close is not None else "not closed: that nothing follows is open"
    proven, unproven = told_by(word, before, stamped, genesis, pieces)
    return {
        "ok": True,
        **named_by(records),
        "withheld": why,
        "records": len(records),
        "fragments": sum(piece["kind"] == "fragment" for piece in pieces),
        "closed": close is not None,
        "time_token": stamped,
        "proven": [f"its {len(records)} records are signed and in order ({whole}) / 记录有签名、次序完整", *proven],
        "not_proven": unproven,
        "witness": word,
        "previous": genesis["previous"],
        "previous_closed": before is not None,
    }


def told_by(word, before, stamped, genesis, pieces):
    """What witness, token and the link to the recording before prove, and what they leave open, in plain words."""
    proven, unproven = [], []
    if word:
        proven.append(
            f"the centre had it closed by {word['closed_by']}: not signed anew since / 中心已收到封存，之后没有重签"
        )
        last = max((piece["n"] for piece in pieces), default=0)
        by = next((at for n, at in word["heads"] if n >= last), word["closed_by"])
        proven.append(f"these pictures were filmed before {by} / 画面拍摄于此之前")
        if not word["certified"]:
            unproven.append("that the centre's key is the company's: no root certificate / 中心公钥没有根证书")
        elif not word["pinned"]:
            unproven.append(
                "that the root key is the company's (compare it, or --root-key) / 根公钥是否属于该公司（请核对）"
            )
        unproven.append("that it was not filmed earlier than it says / 是否拍摄得更早")
    elif not stamped:
        unproven.append("when it was filmed, and that it was not signed anew: no witness / 拍摄时间与重签：无见证")
    else:
        unproven.append("that a centre saw it while it was filmed: no witness / 无见证")
    if stamped:
        unproven.append(
            f"when it was closed, before you ask an authority you trust / 封存时间，请向可信机构核对: {ASK}"
        )
    if before is not None:
        proven.append("it follows a closed recording of the same station / 紧接同一工位上一段封存的录像")
    elif genesis["previous"].strip("0"):
        unproven.append("which recording came before it: its closing record is not here / 上一段录像的封存记录不在包里")
    return proven, unproven


def check_token(files, closing):
    """Whether there is a time-stamp token, and that it speaks of this recording's last record. Who signed it, and
    when, only an authority's certificate can tell: see `openssl ts -verify` in the report.
    """
    if not files.has("root.tsr"):
        return False
    token, statement = files.read("root.tsr"), files.read("root.statement")
    if closing is None or statement != b"cardintake recording closed v1\n" + bytes.fromhex(closing[1]):
        raise Wrong("root.statement is of another recording / 时间戳不属于本录像")
    if not any(hashlib.new(name, statement).digest() in token for name in ("sha256", "sha384", "sha512")):
        raise Wrong("root.tsr is a token for something else / 时间戳不属于本录像")
    return True


def named_beside(records):
    """The recordings that the parcel's other camera made meanwhile, as far as this chain tells."""
    named = [records[0][0]["meta"].get("beside", "")]
    named += [f["body"]["recording"] for f, _ in records if f["kind"] == "event" and f["event"] == "recording.beside"]
    return sorted({name for name in named if name})


def films_in(records):
    """The addresses that are no camera's, of all that it was filmed by."""
    addresses = [fields["address"] for fields, _ in records if fields["kind"] == "camera"]
    return [address for address in addresses if address.startswith(("sim:", "file:"))]


def named_by(records):
    """What its own first records say of a recording: which it is, whose, filmed beside which others."""
    genesis = records[0][0]
    return {
        "recording": genesis["recording"],
        "camera": camera_of(genesis),
        "waybill": genesis["meta"].get("waybill", ""),
        "filmed_beside": named_beside(records),
        "simulated": bool(films_in(records)) or genesis["simulated"],
        "station_key": genesis["station_key"],
    }


def report(records, pieces, until, close, stamped):
    genesis = records[0][0]
    first = next(piece for piece in pieces if piece["kind"] == "fragment")
    unproved = [
        "that stills and summaries say what the pictures show: there only the station's signature at export vouches"
        " / 截图和摘要与画面一致：仅凭导出时工位的签名"
    ]
    if close is None:
        unproved.append("that nothing follows: the recording is not closed / 录像未封存，无法证明后面没有内容")
    films = films_in(records)
    if films and not genesis["simulated"]:
        unproved.append(f"anything real: a film was put in for the camera ({films[0]}) / 摄像头中途换成了影片")
    elif genesis["simulated"] or genesis["rehearsal"]:
        unproved.append("anything real: this is a rehearsal or a film / 演练或影片，不是真实证据")
    if any(fields["kind"] == "clock" for fields, _ in records):
        unproved.append("the wall clock: it was set while filming / 拍摄中系统时间被调整")
    return {
        "ok": True,
        **named_by(records),
        "from_s": first["first_pts"] / 1e6,
        "to_s": until / 1e6,
        "fragments": sum(1 for piece in pieces if piece["kind"] == "fragment"),
        "time_token": stamped,
        "gaps": [[f["from_pts"] / 1e6, f["to_pts"] / 1e6, f["reason"]] for f, _ in records if f["kind"] == "gap"],
        "missed": [[f["from_pts"] / 1e6, f["to_pts"] / 1e6, f["frames"]] for f, _ in records if f["kind"] == "missed"],
        "not_proven": unproved,
    }


def main(arguments):
    if hasattr(sys.stdout, "reconfigure"):  # a pipe on Windows takes few of these characters otherwise
        sys.stdout.reconfigure(encoding="utf-8")
    options, paths = {"--root-key": "", "--station-key": ""}, []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word in options and rest:
            options[word] = rest.pop(0).lower()
        else:
            paths.append(word)
    if len(paths) != 1 or paths[0].startswith("--"):
        print(__doc__)
        return 2
    try:
        found = check(paths[0], options["--root-key"], options["--station-key"])
    except Wrong as wrong:
        found = {"ok": False, "wrong": str(wrong)}
        if wrong.recordings:
            found["recordings"] = wrong.recordings
    except NONSENSE as wrong:
        found = {"ok": False, "wrong": f"not a dossier: {type(wrong).__name__} / 不是证据包"}
    print(json.dumps(found, ensure_ascii=False, indent=1))
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
