"""`cardintake support --data FOLDER --to FILE.zip`: one file for who helps from afar, without anything secret.

What goes in is named here, one by one; nothing is copied because it lies there. Of a station, a centre or a vault:

    about.json      version, system, which kind of folder, time
    folder.json     what lies in the folder: how many files and bytes under each name; no content
    findings.json   what `doctor` says of the machine                    (station)
    settings.toml   the settings, addresses without names, passwords and values behind "?"        (station)
    queue.json      counts only: events, receipts, cards by state        (station, where its passphrase is told)
    logs/…          the end of each log, line by line as `app.logs` lets lines through

Never: databases, keys, certificates, cards, pictures, footage, people, dumps. What is in it is told on stdout.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from app import __version__
from app.commands.opening import add_passphrase
from app.commands.written import written
from app.core.errors import BadInput, Trouble
from app.doctor import examine
from app.logs import EXTRAS, struck
from app.paths import StationFolder
from app.platform import durable_write
from app.settings import Settings, load_settings, to_toml
from app.store.exchange import queue_facts
from app.store.store import REHEARSAL_PASSPHRASE, Store
from app.store.unlock import find_passphrase

_KINDS = {"station": ("station.db", "station.key"), "centre": ("centre.json",), "vault": ("vault.db",)}
_LOGS = ("logs/*.jsonl*", "*.log")
_MOST_BYTES = 1_000_000
"""Of each log, its end."""

_LINE_KEYS = ("at", "level", "program", "from", "say", "bug", *EXTRAS)
_WHO = re.compile(r"(//)[^/@\s\"']*@")
_VALUES = re.compile(r"([?&][^=&\s\"']+=)[^&\s\"']+")

_CONTENTS = """验卡台 · 给技术支持的文件 / Card Intake: a file for support

里面有：程序版本、系统、文件夹里各有多少文件、检查结果、设置（地址里的账号和密码去掉了）、排队数字、日志末尾。
没有：数据库、密钥、卡号、卡密、照片、录像、人员、口令、工牌。寄出之前可以自己打开看，全是文字。

In it: version, system, how many files lie where, findings, settings (addresses without names and passwords), counts of
the queue, ends of the logs. Not in it: databases, keys, card numbers, PINs, pictures, footage, people, passphrases,
badges. It is text throughout: look into it before you send it.

"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="of a station, a centre or a vault")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE.zip")
    parser.add_argument("--no-devices", action="store_true", help="open no camera, reader or scanner to look at it")
    add_passphrase(parser)


def run(args: argparse.Namespace) -> int:
    root = args.data.resolve()
    kind = _kind(root)
    if args.to.exists():
        raise BadInput("output.exists", args.to.name)
    files = dict(_files(root, kind, args))
    listed = [{"name": name, "bytes": len(content.encode())} for name, content in files.items()]
    lines = "".join(f"{one['name']}  {one['bytes']}\n" for one in listed)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in {"CONTENTS.txt": _CONTENTS + lines, **files}.items():
            target.writestr(name, content)
    with written(args.to):
        durable_write(args.to, packed.getvalue())
    print(json.dumps({"bundle": str(args.to), "of": kind, "files": listed}, ensure_ascii=False, indent=1))
    return 0


def _kind(root: Path) -> str:
    """Raises BadInput("folder.not_a_station")."""
    for kind, marks in _KINDS.items():
        if any((root / mark).exists() for mark in marks):
            return kind
    raise BadInput("folder.not_a_station", root.name)


def fit(line: str) -> str:
    """A line as it may leave the machine: no long numbers, no account in an address, no value behind its "?"."""
    return struck(_VALUES.sub(r"\1••••", _WHO.sub(r"\1••••@", line)))


def _files(root: Path, kind: str, args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Name and text of each file; a part that cannot be had is its trouble's code."""
    system = {"system": platform.platform(), "python": platform.python_version(), "machine": platform.machine()}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    yield "about.json", _json({"version": __version__, "of": kind, "at": at, **system})
    yield "folder.json", _json(_lying_there(root))
    if kind == "station":
        yield from _of_station(StationFolder(root), args)
    for pattern in _LOGS:
        for path in sorted(root.glob(pattern)):
            if path.is_file() and not path.is_symlink():
                yield f"logs/{fit(path.name)}", _log(path)


def _of_station(folder: StationFolder, args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    try:
        settings = load_settings(folder.settings) if folder.settings.exists() else Settings()
        yield "settings.toml", "".join(f"{fit(line)}\n" for line in to_toml(settings).splitlines())
    except Trouble as trouble:
        settings = Settings()
        yield "settings.toml", f"# {trouble.code}\n"
    if not args.no_devices:
        yield "findings.json", _json([asdict(finding) for finding in examine(folder, settings)])
    yield "queue.json", _json(_queue(folder, args.passphrase_fd))


def _queue(folder: StationFolder, fd: int | None) -> dict[str, Any]:
    """Counts; nobody is asked for a passphrase: a bundle is wanted most where the database does not open."""
    try:
        told = REHEARSAL_PASSPHRASE if folder.rehearsal_mark.exists() else find_passphrase(folder.root, fd)
        if not told:
            return {"code": "store.no_passphrase"}
        store = Store.open(folder.database, told, reserve_bytes=0)
        try:
            with store.ledger.reading() as connection:
                facts = queue_facts(connection)
        finally:
            store.close()
    except Trouble as trouble:
        return {"code": trouble.code}
    counts = {"head": facts.head, "received": facts.received, "unsent": facts.unsent, "footage": facts.footage}
    since = facts.oldest_wall_us and datetime.fromtimestamp(facts.oldest_wall_us / 1e6, UTC).isoformat()
    return {**counts, "oldest": since, "cards": dict(facts.cards), "held": dict(facts.held)}


def _lying_there(root: Path) -> dict[str, dict[str, int]]:
    """By the first name below the folder: files and bytes. Names further down may speak of parcels and people."""
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for path in root.rglob("*"):
        try:
            size = path.lstat().st_size if path.is_file() else -1
        except OSError:
            continue  # come and gone
        if size >= 0:
            top = fit(path.relative_to(root).parts[0])
            files[top] += 1
            sizes[top] += size
    return {top: {"files": count, "bytes": sizes[top]} for top, count in sorted(files.items())}


def _log(path: Path) -> str:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _MOST_BYTES))
            text = log.read(_MOST_BYTES).decode(errors="replace")
    except OSError as wrong:
        return f"{wrong.strerror}\n"
    return "".join(f"{_line(line)}\n" for line in text.splitlines())


def _line(line: str) -> str:
    """A log's line with the keys that logs have, and no other."""
    try:
        told = json.loads(line)
    except ValueError:
        return fit(line)
    if not isinstance(told, dict):
        return fit(line)
    kept = {key: told[key] for key in _LINE_KEYS if isinstance(told.get(key), str | list)}
    return json.dumps(_fitted(kept), ensure_ascii=False)


def _fitted(told: Any) -> Any:
    """The same with every text fit; numbers are sizes and counts."""
    if isinstance(told, dict):
        return {key: _fitted(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_fitted(one) for one in told]
    return fit(told) if isinstance(told, str) else told


def _json(told: Any) -> str:
    return json.dumps(_fitted(told), ensure_ascii=False, indent=1) + "\n"
