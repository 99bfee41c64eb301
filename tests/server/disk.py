"""A disk that keeps over a power cut only what it was told to keep: played from the system calls on it.

What was written before fsync or fdatasync of that file is there once it came back. Of what was written since, anything
may be: nothing, all, the first part with its last sectors torn, or any of its pages or sectors without the others,
where the file grew also strange bytes. A name that was made, changed or removed is kept for sure when its own folder
was synced; of the others the earlier ones may be. No file's sync keeps a name, no folder's sync the bytes of a file:
less than any file system in use promises.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.server.calls import FOREVER, Call

_PAGE, _SECTOR = 4096, 512
_NOT_ON_DISK = re.compile(r"(-shm|/postmaster\.pid|/server\.log|/\.s\.PGSQL\.[^/]*)$")
"""Memory that processes share, who runs, what was printed: nobody reads it after a power cut."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Bytes written at `place`; without them the file got this length, or (`grew`) at least this length."""

    ended_ns: int
    place: int
    data: bytes | None = None
    grew: bool = False

    def onto(self, content: bytearray) -> None:
        if len(content) < self.place:
            content.extend(bytes(self.place - len(content)))
        if self.data is not None:
            content[self.place : self.place + len(self.data)] = self.data
        elif not self.grew:
            del content[self.place :]

    def parts(self, unit: int) -> Iterator[_Change]:
        """The same in parts that lie in one page or sector each."""
        if self.data is None:
            yield self
            return
        at = 0
        while at < len(self.data):
            much = unit - (self.place + at) % unit
            yield _Change(self.ended_ns, self.place + at, self.data[at : at + much])
            at += much


@dataclass(eq=False, slots=True)
class _File:
    """A file, whatever its name is by now. `source`: where its bytes from before lie; read when they are needed."""

    source: Path | None
    size: int = 0
    cursor: int = 0
    appends: bool = False
    waiting: list[_Change] = field(default_factory=list)
    _synced: bytearray | None = None

    @property
    def synced(self) -> bytearray:
        if self._synced is None:
            self._synced = bytearray(self.source.read_bytes() if self.source else b"")
        return self._synced

    @property
    def is_touched(self) -> bool:
        return self._synced is not None or bool(self.waiting)

    def change(self, change: _Change) -> None:
        self.waiting.append(change)
        if change.data is not None or change.grew:
            self.size = max(self.size, change.place + len(change.data or b""))
        else:
            self.size = change.place

    def sync(self, began_ns: int) -> None:
        """A sync that began then came back: what was written before it is there."""
        for change in self.waiting:
            if change.ended_ns <= began_ns:
                change.onto(self.synced)
        self.waiting = [change for change in self.waiting if change.ended_ns > began_ns]

    def after_cut(self, chance: random.Random) -> bytes:
        content, waiting = bytearray(self.synced), self.waiting
        match chance.choice(("nothing", "all", "torn", "pages", "pages", "sectors")) if waiting else "nothing":
            case "all":
                _apply(waiting, content)
            case "torn":
                whole = chance.randrange(len(waiting))
                _apply(waiting[:whole], content)
                torn = list(waiting[whole].parts(_SECTOR))
                _apply(torn[: chance.randrange(len(torn) + 1)], content)
            case "pages":
                _apply((p for one in waiting for p in one.parts(_PAGE) if chance.random() < 0.5), content)
            case "sectors":
                self._scatter(content, chance)
        return bytes(content)

    def _scatter(self, content: bytearray, chance: random.Random) -> None:
        """Some sectors are there, some not; where the file grew, those hold whatever lay there before."""
        for part in (part for one in self.waiting for part in one.parts(_SECTOR)):
            if chance.random() < 0.5:
                part.onto(content)
            elif part.data is not None and part.place >= len(content):
                _Change(0, part.place, chance.randbytes(len(part.data))).onto(content)


def _apply(changes: Iterable[_Change], content: bytearray) -> None:
    for change in changes:
        change.onto(content)


_Names = dict[str, _File | None]
"""By path; None: a folder."""


@dataclass(frozen=True, slots=True)
class _Renaming:
    """Names that change together; kept for sure when the folder `where` was synced. They are `gone`, or `there`."""

    ended_ns: int
    where: str
    gone: tuple[str, ...]
    there: Mapping[str, _File | None]

    def onto(self, names: _Names) -> None:
        for name in self.gone:
            names.pop(name, None)
        names |= self.there


class Disk:
    """Folders of which there are copies from before; `before`: each copy by the path where the folder lies.

    `cwd`: where names begin that are given without a folder.
    """

    def __init__(self, before: Mapping[Path, Path], cwd: Path) -> None:
        self._copies = {str(lies): copy for lies, copy in before.items()}
        self._cwd = str(cwd)
        self._seen: _Names = {}  # by whoever looks while the power is on
        for lies, copy in self._copies.items():
            self._seen[lies] = None
            for path in copy.rglob("*"):
                name = f"{lies}/{path.relative_to(copy)}"
                if path.is_dir() or path.is_file():
                    self._seen[name] = None if path.is_dir() else _File(path, path.stat().st_size)
        self._kept = dict(self._seen)  # over a cut, for sure
        self._waiting: list[_Renaming] = []

    def play(self, calls: Iterable[Call], until_ns: int) -> None:
        """All that came back by then; what was under way may have come to the disk or not, and synced nothing."""
        for call in calls:
            if call.ended_ns <= until_ns or (call.began_ns <= until_ns and call.name not in _OF_NO_EFFECT):
                self._do(call)

    def _do(self, call: Call) -> None:
        if call.name in _OPENS:
            self._opened(call)
        elif call.name in _ON_NAMES:
            self._named(call)
        elif call.name in ("sync", "syncfs"):
            for name in list(self._seen):
                self._sync(name, call.began_ns)
        elif (name := call.path) in self._seen:
            file = self._seen[name]
            if call.name in ("fsync", "fdatasync"):
                self._sync(name, call.began_ns)
            elif file is not None:
                _written(file, call)

    def _opened(self, call: Call) -> None:
        name, flags = call.opened, call.args.rpartition(b'"')[2]
        if not self._is_ours(name):
            return
        if name not in self._seen and (call.name == "creat" or b"O_CREAT" in flags):
            self._rename(call.ended_ns, name, there={name: _File(None)})
        file = self._seen.get(name)
        if file is None:
            return
        if file.size and (call.name == "creat" or b"O_TRUNC" in flags):
            file.change(_Change(call.ended_ns, 0))
        file.cursor, file.appends = 0, b"O_APPEND" in flags

    def _named(self, call: Call) -> None:
        names = call.paths(self._cwd)
        if not all(self._is_ours(name) for name in names):
            return
        first, last = names[0], names[-1]
        match call.name:
            case "mkdir" | "mkdirat":
                self._rename(call.ended_ns, last, there={last: None})
            case "unlink" | "unlinkat" | "rmdir":
                self._rename(call.ended_ns, last, gone=(last,))
            case "link" | "linkat":
                self._rename(call.ended_ns, last, there={last: self._seen[first]})
            case "truncate":
                file = self._seen[last]
                assert file is not None
                file.change(_Change(call.ended_ns, call.numbers()[0]))
            case _:
                assert call.name.startswith("rename"), call.name
                assert self._seen[first] is not None, "a folder was renamed"
                self._rename(call.ended_ns, last, gone=(first,), there={last: self._seen[first]})

    def _rename(
        self, ended_ns: int, last: str, gone: tuple[str, ...] = (), there: Mapping[str, _File | None] | None = None
    ) -> None:
        done = _Renaming(ended_ns, os.path.dirname(last), gone, there or {})
        done.onto(self._seen)
        self._waiting.append(done)

    def _sync(self, name: str, began_ns: int) -> None:
        file = self._seen[name]
        if file is not None:
            file.sync(began_ns)
            return
        rest = []
        for change in self._waiting:
            if change.where == name and change.ended_ns <= began_ns:
                change.onto(self._kept)
            else:
                rest.append(change)
        self._waiting = rest

    def _is_ours(self, name: str) -> bool:
        return any(name.startswith(lies + "/") for lies in self._copies)

    def seen(self) -> dict[str, bytes]:
        """Every file as whoever looked at the end saw it: nothing was cut."""
        found = {name: file for name, file in self._seen.items() if file is not None and not _NOT_ON_DISK.search(name)}
        for file in found.values():
            file.sync(FOREVER)
        return {name: bytes(file.synced) for name, file in found.items()}

    def cut(self, chance: random.Random) -> None:
        """Make of the copies what the cut leaves."""
        names = dict(self._kept)
        for change in self._waiting[: chance.choice((0, len(self._waiting), chance.randint(0, len(self._waiting))))]:
            change.onto(names)
        there = {name: file for name, file in names.items() if self._is_reached(names, name)}
        contents = {
            self._copy(name): file.after_cut(chance)
            for name, file in sorted((name, file) for name, file in there.items() if file is not None)
            if file.is_touched or file.source != self._copy(name)
        }
        keep = {self._copy(name) for name in there}
        for copy in self._copies.values():
            for path in sorted(copy.rglob("*"), reverse=True):
                if path not in keep:
                    path.rmdir() if path.is_dir() else path.unlink()
            owner = copy.stat()
            for folder in sorted(self._copy(name) for name, file in there.items() if file is None):
                if not folder.exists():
                    folder.mkdir(mode=0o700)
                    os.chown(folder, owner.st_uid, owner.st_gid)
        for path, content in contents.items():
            _write(path, content)

    def _copy(self, name: str) -> Path:
        lies = next(one for one in self._copies if name == one or name.startswith(one + "/"))
        return self._copies[lies] / os.path.relpath(name, lies)

    def _is_reached(self, names: _Names, name: str) -> bool:
        """Whether it lies on the disk, and every folder above it is there."""
        if _NOT_ON_DISK.search(name):
            return False
        while name not in self._copies:
            name = os.path.dirname(name)
            if names.get(name, self) is not None:
                return False
        return True


_OPENS = frozenset({"open", "openat", "openat2", "creat"})
_ON_NAMES = frozenset(
    f"{name}{at}" for name in ("mkdir", "rename", "unlink", "link", "symlink") for at in ("", "at")
) | {"renameat2", "rmdir", "truncate"}
_OF_NO_EFFECT = _OPENS | {"fsync", "fdatasync", "sync", "syncfs"}
"""Unless they came back."""


def _written(file: _File, call: Call) -> None:
    match call.name:
        case "write" | "writev":
            place, data = file.size if file.appends else file.cursor, call.data
            file.change(_Change(call.ended_ns, place, data))
            file.cursor = place + len(data)
        case "pwrite64" | "pwritev" | "pwritev2":
            file.change(_Change(call.ended_ns, call.numbers()[1], call.data))
        case "ftruncate":
            file.change(_Change(call.ended_ns, call.numbers()[0]))
        case "fallocate":
            mode, start, length = call.numbers()
            assert mode == 0, "bytes without a length, or a hole"
            file.change(_Change(call.ended_ns, start + length, grew=True))
        case other:
            raise AssertionError(other)


def _write(path: Path, content: bytes) -> None:
    """Into a file of the same mode, or a new one; it belongs to whom its folder belongs."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "wb") as file:
        file.write(content)
    owner = path.parent.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` that is read again after a power cut, by its path."""
    found = {str(path): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not _NOT_ON_DISK.search(name)}


def copied(folder: Path, to: Path) -> None:
    """A copy of a folder that nobody writes in, with owners and modes."""

    def passed_over(where: str, names: list[str]) -> set[str]:
        paths = {name: Path(where) / name for name in names}
        return {name for name, path in paths.items() if not path.is_dir() and not path.is_file()}

    shutil.copytree(folder, to, ignore=passed_over, symlinks=True)
    for path in [folder, *folder.rglob("*")]:
        copy = to / path.relative_to(folder)
        if copy.exists():
            owner = path.stat()
            os.chown(copy, owner.st_uid, owner.st_gid)
