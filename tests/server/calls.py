"""Which system calls a program and its children made on files: recorded by strace, read back."""

from __future__ import annotations

import codecs
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOREVER = 1 << 63

_CALLS = (
    "open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,"
    "copy_file_range,sendfile,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,"
    "symlinkat,fsync,fdatasync,sync,syncfs"
)
_LONGEST = 1 << 22  # bytes of one string


def watched(trace: Path) -> tuple[str, ...]:
    """What is put before a command so that all that it and its children do to files is written to `trace`."""
    trace.touch()
    trace.chmod(0o666)  # PostgreSQL runs as somebody else
    stamps = ("--absolute-timestamps=format:unix,precision:ns", "--syscall-times=ns")
    shown = ("-y", "-a", "1", "-s", str(_LONGEST), "-e", f"trace={_CALLS}", "-e", "signal=none")
    return ("strace", "-f", "--seccomp-bpf", *stamps, *shown, "-o", str(trace))


def can_watch() -> bool:
    """Whether this machine lets a program be traced; some containers do not."""
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", os.devnull, "true"], check=False, capture_output=True).returncode == 0


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that did not fail. Times in ns since 1970; `ended_ns` FOREVER: it never came back.

    `args` as strace spells them; `opened`: the file behind the number that came back.
    """

    began_ns: int
    ended_ns: int
    name: str
    args: bytes
    result: int = 0
    opened: str = ""

    @property
    def path(self) -> str:
        """The file behind the first argument; "" when it has no name any more."""
        found = _FD.match(self.args)
        return "" if found is None or found[2] else os.fsdecode(found[1])

    def paths(self, cwd: str) -> list[str]:
        """Names among the arguments; those given without a folder begin at `cwd`."""
        found = [(os.fsdecode(one[1] or b""), os.fsdecode(_plain(one[2]))) for one in _NAME.finditer(self.args)]
        return [os.path.normpath(os.path.join(folder or cwd, name)) for folder, name in found]

    def numbers(self) -> list[int]:
        """The numbers behind the last string or folder."""
        at = max(self.args.rfind(mark) for mark in (b'"', b">", b"]"))
        return [int(one) for one in self.args[at:].split(b", ")[1:] if one.isdigit()]

    @property
    def data(self) -> bytes:
        """The bytes that were written."""
        if b"iov_base=" in self.args:
            return b"".join(self._vector())[: self.result or None]
        data, _, _ = self.args.partition(b', "')[2].rpartition(b'", ')
        plain = _plain(data)
        return plain[: self.result or None]

    def _vector(self) -> Iterator[bytes]:
        at = 0
        for end in _PIECE.finditer(self.args):
            start = self.args.index(b'iov_base="', at) + len(b'iov_base="')
            piece, at = _plain(self.args[start : end.start()]), end.end()
            assert len(piece) == int(end[1]), "a piece is whole"
            yield piece


_FD = re.compile(rb"(?:AT_FDCWD|\d+)<([^>]*)>(\(deleted\))?")
_NAME = re.compile(rb'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
_PIECE = re.compile(rb'", iov_len=(\d+)\}')
_LINE = re.compile(rb"(\d+) +(\d+)\.(\d{9}) ")
_RESULT = re.compile(rb"(\d+)(?:<(.*?)>)?(?: \(.*\))? <(\d+)\.(\d{9})>$")
_UNFINISHED, _RESUMED = b" <unfinished ...>", b" resumed>"


def read_calls(trace: Path) -> list[Call]:
    """What was recorded, in the order in which it came back."""
    return sorted(_calls(trace), key=lambda call: call.ended_ns)


def _calls(trace: Path) -> Iterator[Call]:
    begun: dict[bytes, tuple[int, bytes]] = {}
    with trace.open("rb") as lines:
        for line in lines:
            head = _LINE.match(line)
            assert head is not None, line[:80]
            pid, at_ns, body = head[1], _ns(head[2], head[3]), line[head.end() :].rstrip(b"\n")
            if body.startswith((b"+++", b"---")):
                continue
            if body.endswith(_UNFINISHED):
                begun[pid] = (at_ns, body.removesuffix(_UNFINISHED))
                continue
            began_ns, ended_ns = at_ns, 0
            if body.startswith(b"<... "):
                began_ns, first = begun.pop(pid)
                body, ended_ns = first + body.partition(_RESUMED)[2], at_ns
            if (call := _call(body, began_ns, ended_ns)) is not None:
                yield call
    for began_ns, body in begun.values():
        yield Call(began_ns, FOREVER, *_named(body))


def _call(body: bytes, began_ns: int, ended_ns: int) -> Call | None:
    told, _, came_back = body.rpartition(b") = ")
    found = _RESULT.match(came_back)
    if found is None:
        return None
    ended_ns = ended_ns or began_ns + _ns(found[3], found[4])
    return Call(began_ns, ended_ns, *_named(told), int(found[1]), os.fsdecode(found[2] or b""))


def _named(body: bytes) -> tuple[str, bytes]:
    name, _, args = body.partition(b"(")
    return name.decode(), args


def _ns(seconds: bytes, rest: bytes) -> int:
    return int(seconds) * 1_000_000_000 + int(rest)


def _plain(told: bytes) -> bytes:
    """A string as strace spells it (C's escapes), as bytes."""
    decode: Any = codecs.escape_decode  # type: ignore[attr-defined]
    plain: bytes = decode(told)[0]
    return plain
