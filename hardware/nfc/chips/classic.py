"""Switching off a MIFARE Classic 1K or 4K whose keys are all known: data wiped, then a random key for every sector.

Phase 1 can be undone: every data block to zero, read back. Phase 2 cannot: each trailer gets two random keys and access
bits that let nobody read or write anything again, sector 0 last. A trailer torn in the middle leaves a sector that no
key opens; its data were zero before, so it counts as dead, where two things are sure. It is the card it happened to: a
UID of four bytes is used more than once, so one of our own random keys has to open another of its sectors. And its
trailer is not the old one still: the keys that a sector was found with are in the journal before anything is written,
and every one of them, ours and everybody's are refused. No key is ever searched for.

Source: NXP MF1S50YYX_V1 sections 8.6 and 8.7.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import cycle

from hardware.nfc.chips import Family
from hardware.nfc.chips.access import CLOSED, PUBLIC_KEYS, SECTORS, Access, data_blocks, read_access, trailer_of
from hardware.nfc.chips.journal import Announce, Entry, Witness
from hardware.nfc.chips.outcome import Method, Planned, Refusal, Request, Stage, StopError, Why
from hardware.nfc.chips.proof import NegativeTest, Proof, refused_for_sure
from hardware.nfc.chips.talk import BLOCK, REFUSALS, ChipTalk, Reply, trailer_told

_ZERO = bytes(BLOCK)
_TRIES = 5

Key = tuple[str, bytes]
"""Which of the two keys of a sector, and its 6 bytes."""


@dataclass(slots=True)
class _Sector:
    """What is known of a sector: the key that may change it (None: closed by us or dead), its data before.

    `old`: the keys that it was found with in this run, ours not among them.
    """

    key: Key | None = None
    old: tuple[Key, ...] = ()
    closed: bool = False
    dead: bool = False
    key_b_opens: bool = False  # seen in the proof: a torn key B leaves a closed sector that only key A opens
    before: tuple[bytes, ...] = ()
    zero: bool = False


class ClassicProcedure:
    """One run on one selected chip. `survey` first; then `stages` in order; then `prove`."""

    method = Method.KEYS

    def __init__(self, talk: ChipTalk, family: Family, uid: bytes, request: Request, entry: Entry | None) -> None:
        self._talk = talk
        self._family = family
        self._uid = uid
        self._request = request
        self._earlier = entry
        self._entry: Entry | None = entry
        self._announce: Announce = lambda _entry, _stage, _what: None
        self._now_open: tuple[int, Key, int] | None = None
        self._found_with: tuple[Key, ...] = ()  # the keys that opened the sector surveyed last
        self._is_the_journals = False  # shown by a key that only the journal and its card know
        self._sectors = [_Sector() for _ in range(SECTORS[family])]
        self.remarks = ["the UID and the maker's block still read; copies that open again are not excluded"]

    def on_irreversible(self, announce: Announce) -> None:
        """Call this before each trailer is written."""
        self._announce = announce

    def survey(self) -> Refusal | None:
        """Try the known keys on every sector and read everything. Raises StopError, DeviceError."""
        for number, sector in enumerate(self._sectors):
            refusal = self._survey_sector(number, sector)
            if refusal is not None:
                return refusal
        torn = [str(number) for number, sector in enumerate(self._sectors) if sector.dead]
        if torn and not self._is_the_journals:
            return Refusal(Why.KEYS_LOST, Method.PHYSICAL, (("sector", " ".join(torn)),))
        return None

    @property
    def complete(self) -> bool:
        return all(sector.closed or sector.dead for sector in self._sectors)

    @property
    def before(self) -> bytes:
        """All data blocks that could be read, one after the other."""
        return b"".join(block for sector in self._sectors for block in sector.before)

    def plan(self) -> tuple[Planned, ...]:
        """The stages that would write, with their writes."""
        dirty = sum(block != _ZERO for sector in self._sectors for block in sector.before)
        trailers = sum(sector.key is not None for sector in self._sectors)
        stages = (Planned(Stage.DATA, dirty), Planned(Stage.READ_BACK, 0), Planned(Stage.KEYS, trailers))
        return (*(s for s in stages if s.writes or s.stage is Stage.READ_BACK), Planned(Stage.PROOF, 0))

    def entry(self) -> Entry:
        """What the journal has to hold before the first write: an earlier run's entry, or new keys for all sectors."""
        if self._entry is None:
            names = [f"{number}{kind}" for number in range(len(self._sectors)) for kind in "AB"]
            secrets = tuple((name, os.urandom(6)) for name in names)
            self._entry = Entry(self._uid.hex().upper(), self._family, self._request.text, secrets)
        found = [(f"{number}{kind}", key) for number, sector in enumerate(self._sectors) for kind, key in sector.old]
        self._entry = replace(self._entry, old_keys=tuple(dict.fromkeys((*self._entry.old_keys, *found))))
        return self._entry

    def stages(self) -> Iterable[tuple[Stage, Callable[[], None]]]:
        """The stages to run, in order."""
        yield Stage.DATA, self._wipe
        yield Stage.READ_BACK, self._read_back
        yield Stage.KEYS, self._close_all

    def prove(self) -> Proof:
        """Sector by sector: our key opens and shows closed access bits, nothing reads or writes, the old key is out."""
        self._talk.restart()
        tests: list[NegativeTest] = []
        wrong: list[str] = []
        for number, sector in enumerate(self._sectors):
            if sector.dead:
                tests += self._prove_dead(number)
            elif not self._is_closed(number):
                wrong.append(f"sector {number}")
            else:
                tests += self._prove_closed(number)
        dead = tuple(number for number, sector in enumerate(self._sectors) if sector.dead)
        accepted = tuple(test.what for test in tests if not test.refused)
        if wrong:
            return Proof(Why.CONTENT_CHANGED, tuple(tests), tuple(wrong), dead)
        return Proof(Why.WRITES_ACCEPTED if accepted else Why.PROVED, tuple(tests), accepted, dead)

    @property
    def witness(self) -> tuple[int, bytes] | None:
        """A closed sector and its key B, for `prove_shut`; None while none was proved closed."""
        closed = next((number for number, sector in enumerate(self._sectors) if sector.key_b_opens), None)
        return None if closed is None else (closed, self._new_key(closed, "B")[1])

    def prove_shut(self, witnesses: Iterable[Witness], armed: bool) -> tuple[Witness, Proof] | None:
        """Of a chip whose keys are gone: that it is one of those that were proved off, and no known key opens it.

        A witness opens the sector that it was closed with, whose access bits allow nothing and stay for ever; with it
        nothing can be read or written there. The other sectors were proved by the run whose record it names. Unless
        `armed`, no write is attempted. None when no witness opens: it is another chip. Raises StopError, DeviceError.
        """
        self._talk.restart()
        ours = next((one for one in witnesses if self._is_closed(one.sector, ("B", one.key))), None)
        if ours is None:
            return None
        tests = (self._prove_witnessed(ours) if armed else []) + [
            self._out(number, (kind, secret), f"known key {kind} sector {number}")
            for number in range(len(self._sectors))
            for secret in self._known_keys()
            for kind in "AB"
        ]
        opened = tuple(test.what for test in tests if not test.refused)
        return ours, Proof(Why.CONTENT_CHANGED if opened else Why.PROVED_BEFORE, tuple(tests), opened)

    # Surveying

    def _survey_sector(self, number: int, sector: _Sector) -> Refusal | None:
        begun = self._earlier is not None and number in self._earlier.sectors
        if begun and self._is_closed(number):
            sector.closed = self._is_the_journals = True
            return None
        found = self._find_key(number, begun)
        if found is None and begun and self._journalled(number):
            sector.dead = True  # a torn trailer, if it is that card: what was in it had been wiped and seen to be
            self.remarks.append(f"sector {number} torn and dead: no key that it ever had, nor ours, opens it")
            return None
        ours = begun and found == self._new_key(number, "A")
        self._is_the_journals |= ours
        details = (("sector", str(number)),)
        if found is None:
            return Refusal(Why.UNKNOWN_KEY, Method.PHYSICAL, details)
        if isinstance(found, Why):
            return Refusal(found, Method.PHYSICAL, details)
        sector.key = found
        sector.old = () if ours else self._found_with
        sector.before = self._read_data(number, found)
        return None

    def _is_closed(self, number: int, key: Key | None = None) -> bool:
        """Whether our key opens the sector and its trailer shows that nothing else is possible."""
        key = key or self._new_key(number, "A")
        trailer = self._read_trailer(number, key) if self._authenticate(number, key) else None
        return trailer is not None and trailer[6:9] == CLOSED[:3]

    def _read_trailer(self, number: int, key: Key) -> bytes | None:
        """The trailer of a sector that `key` opens; None when the chip refuses to show it. Raises StopError."""
        refusals = 0
        for _ in range(_TRIES):
            self._open(number, key)
            reply, trailer = self._talk.read_block(trailer_of(number))
            if reply is Reply.DONE:
                return trailer
            refusals += reply is Reply.REFUSED
            if refusals == REFUSALS:
                return None
        raise StopError(Why.READER_SILENT, f"sector {number}")

    def _known_keys(self) -> tuple[bytes, ...]:
        return tuple(dict.fromkeys((*self._request.keys, *PUBLIC_KEYS)))

    def _journalled(self, number: int) -> tuple[bytes, ...]:
        """The keys that an earlier run found a sector with; none where its journal does not tell."""
        kept = self._earlier.old_keys if self._earlier is not None else ()
        return tuple(dict.fromkeys(secret for name, secret in kept if name[:-1] == str(number)))

    def _old_secrets(self, number: int) -> tuple[bytes, ...]:
        """Every key that a sector can have had before ours."""
        return tuple(dict.fromkeys((*self._journalled(number), *self._known_keys())))

    def _candidates(self, number: int, begun: bool) -> Iterable[bytes]:
        """The keys that are ours to use; for a trailer that was begun also our own, whole or half written."""
        old_ones = self._old_secrets(number) if begun else self._known_keys()
        yield from old_ones
        if begun:
            new = self._new_key(number, "A")[1]
            yield new
            for old in (*old_ones, bytes(6)):
                yield from (new[:kept] + old[kept:] for kept in range(1, 6))

    def _find_key(self, number: int, begun: bool) -> Key | Why | None:
        """The key that may change the whole sector; NO_WRITE_ACCESS: one opens and may not; None: none opens."""
        for secret in self._candidates(number, begun):
            if not self._authenticate(number, ("A", secret)):
                continue
            trailer = self._read_trailer(number, ("A", secret))
            access: Access | None = read_access(trailer) if trailer is not None else None
            writers = access.writers(number) if access else ""
            self._found_with = (("A", secret),)
            if "A" in writers:
                return "A", secret
            key_b = self._find_key_b(number, begun) if "B" in writers else None
            self._found_with += (key_b,) if key_b else ()
            return key_b or Why.NO_WRITE_ACCESS
        return None

    def _find_key_b(self, number: int, begun: bool) -> Key | None:
        keys = (("B", secret) for secret in (self._old_secrets(number) if begun else self._known_keys()))
        return next((key for key in keys if self._authenticate(number, key)), None)

    def _read_data(self, number: int, key: Key) -> tuple[bytes, ...]:
        return tuple(self._read(number, block, key) for block in data_blocks(number))

    # Stages

    def _wipe(self) -> None:
        for number, sector in enumerate(self._sectors):
            if sector.key is None:
                continue
            for block, content in zip(data_blocks(number), sector.before, strict=True):
                if content != _ZERO:
                    self._put(number, block, _ZERO, sector.key)

    def _read_back(self) -> None:
        for number, sector in enumerate(self._sectors):
            if sector.key is None:
                continue
            if any(content != _ZERO for content in self._read_data(number, sector.key)):
                raise StopError(Why.WRITES_LOST, f"sector {number}")
            sector.zero = True

    def _close_all(self) -> None:
        for number in reversed(range(len(self._sectors))):
            sector = self._sectors[number]
            if sector.key is not None and sector.zero:
                self._close(number, sector, sector.key)

    def _close(self, number: int, sector: _Sector, key: Key) -> None:
        """Write one trailer. Where it is not acknowledged, what the sector answers to decides."""
        entry = self.entry()
        sectors = entry.sectors if number in entry.sectors else (*entry.sectors, number)
        self._entry = entry.at(Stage.KEYS, sectors=sectors)
        trailer = self._new_key(number, "A")[1] + CLOSED + self._new_key(number, "B")[1]
        self._announce(self._entry, Stage.KEYS, trailer_told(trailer_of(number), trailer))
        refusals = 0
        for _ in range(_TRIES):
            if not self._authenticate(number, key):
                break
            reply = self._talk.write_block(trailer_of(number), trailer, secret=True)
            if reply is Reply.DONE or self._is_closed(number):
                sector.closed, sector.key = True, None
                return
            refusals += reply is Reply.REFUSED
            if refusals == REFUSALS:
                raise StopError(Why.WRITE_REFUSED, f"sector {number}")
        if not self._is_closed(number):
            raise StopError(Why.READER_SILENT, f"sector {number}")  # torn: the next run tells which way
        sector.closed, sector.key = True, None

    def _put(self, number: int, block: int, data: bytes, key: Key) -> None:
        refusals = 0
        for _ in range(_TRIES):
            self._open(number, key)
            reply = self._talk.write_block(block, data)
            if reply is Reply.DONE or self._read(number, block, key) == data:
                return
            refusals += reply is Reply.REFUSED
            if refusals == REFUSALS:
                raise StopError(Why.WRITE_REFUSED, f"block {block}")
        raise StopError(Why.READER_SILENT, f"block {block}")

    def _read(self, number: int, block: int, key: Key) -> bytes:
        for _ in range(_TRIES):
            self._open(number, key)
            reply, content = self._talk.read_block(block)
            if reply is Reply.DONE:
                return content
        raise StopError(Why.READER_SILENT, f"block {block}")

    # Proving

    def _prove_closed(self, number: int) -> list[NegativeTest]:
        """With each of our keys: no data block is read or written, nor the trailer. And no key of before opens.

        A refused write is heard twice with either key. A block that is read answers with 16 bytes and their checksum,
        which no disturbance makes a refusal of, so once with either key is twice.
        """
        key_a, key_b = (self._new_key(number, kind) for kind in "AB")
        same = key_a[1] + CLOSED + key_b[1]
        sector = self._sectors[number]
        sector.key_b_opens = self._authenticate(number, key_b)
        keys = (key_b, key_a) if sector.key_b_opens else (key_a,)
        tests = [self._try_read(number, block, keys) for block in data_blocks(number)]
        for key in keys:
            tests += [self._try_write(number, block, _ZERO, key, f" key {key[0]}") for block in data_blocks(number)]
            tests.append(self._try_write(number, trailer_of(number), same, key, f" key {key[0]}"))
        return [*tests, *self._old_keys_out(number)]

    def _prove_witnessed(self, witness: Witness) -> list[NegativeTest]:
        """The sector of a witness: its key opens, and nothing is read or written with it."""
        number, key = witness.sector, ("B", witness.key)
        blocks, same = data_blocks(number), bytes(6) + CLOSED + witness.key
        tests = [self._try_read(number, block, (key,)) for block in blocks]
        tests += [self._try_write(number, block, _ZERO, key) for block in blocks]
        return [*tests, self._try_write(number, trailer_of(number), same, key)]

    def _prove_dead(self, number: int) -> list[NegativeTest]:
        ours = [self._new_key(number, kind) for kind in "AB"]
        tests = [self._out(number, key, f"our key {key[0]} sector {number}") for key in ours]
        return [*tests, *self._old_keys_out(number)]

    def _old_keys_out(self, number: int) -> list[NegativeTest]:
        found_with = dict.fromkeys(secret for _, secret in self._sectors[number].old)
        return [
            self._out(number, (kind, secret), f"old key {kind} sector {number}")
            for secret in (found_with or self._old_secrets(number))
            for kind in "AB"
        ]

    def _try_read(self, number: int, block: int, keys: tuple[Key, ...]) -> NegativeTest:
        """That a block does not read, with the keys in turn."""
        turn = cycle(keys)

        def attempt() -> Reply:
            self._open(number, next(turn))
            return self._talk.read_block(block)[0]

        return refused_for_sure(attempt, f"read block {block}")

    def _try_write(self, number: int, block: int, data: bytes, key: Key, told: str = "") -> NegativeTest:
        """That a block, which holds `data` already, is not written."""

        def attempt() -> Reply:
            self._open(number, key)
            return self._talk.write_block(block, data, secret=block == trailer_of(number))

        return refused_for_sure(attempt, f"write block {block}{told}")

    def _out(self, number: int, key: Key, what: str) -> NegativeTest:
        """That a key does not open a sector."""
        self._now_open = None
        return refused_for_sure(lambda: self._talk.try_key(key[0], trailer_of(number), key[1]), what)

    # Keys

    def _new_key(self, number: int, kind: str) -> Key:
        return kind, self.entry().secret(f"{number}{kind}")

    def _authenticate(self, number: int, key: Key) -> bool:
        opened = self._talk.authenticate(key[0], trailer_of(number), key[1])
        self._now_open = (number, key, self._talk.selections) if opened else None
        return opened

    def _open(self, number: int, key: Key) -> None:
        """Open a sector that has to open; one that still is (nothing failed since) is not asked again."""
        if self._now_open == (number, key, self._talk.selections):
            return
        if not self._authenticate(number, key):
            raise StopError(Why.KEYS_LOST, f"sector {number}")
