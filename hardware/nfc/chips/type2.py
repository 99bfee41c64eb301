"""Switching off NTAG21x, Ultralight and Ultralight EV1: the wanted image, and the stages that bring the chip to it.

Every stage compares with the wanted state, writes only what differs and reads back; all writes are idempotent, so a run
that was torn anywhere is finished by running again. The tombstone comes before the locks, the locks before the proof:
the other way round the lock page would lock the card before it says anything.

Source: NXP NTAG213/215/216 rev 3.2 sections 8.5 to 8.9, MF0ULx1 rev 3.3, MF0ICU1.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hardware.nfc.chips import Family
from hardware.nfc.chips.journal import Announce, Entry
from hardware.nfc.chips.layout import (
    CC,
    FIRST_USER,
    LAYOUTS,
    PAGE,
    STATIC_LOCK,
    STATIC_LOCK_VALUE,
    Layout,
    frozen_open,
    locked_pages,
)
from hardware.nfc.chips.originality import judge_signature
from hardware.nfc.chips.outcome import Method, Planned, Refusal, Request, Stage, StopError, Why
from hardware.nfc.chips.proof import NegativeTest, Proof, refused_for_sure
from hardware.nfc.chips.talk import REFUSALS, ChipTalk, Reply, write_told
from hardware.nfc.chips.tombstone import read_tombstone, tombstone

_CFGLCK, _KEPT_CFG0_BITS, _MIRROR = 0x40, 0x0F, 0xC0
_AUTHLIM = 0x07
_TRIES = 3
_ROUNDS = 2  # a page that does not hold what was acknowledged twice is not going to
_FROM_CC_ON = (Stage.READ_ONLY, Stage.DYNAMIC_LOCKS, Stage.STATIC_LOCKS, Stage.CONFIG_LOCK)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The memory before (`image`), what the chip says of itself beside it, and the wanted memory."""

    image: bytes
    wanted: bytes
    signature: bytes | None
    counters: tuple[tuple[int, bytes | None], ...]


class Type2Procedure:
    """One run on one selected chip. `survey` first; then `stages` in order; then `prove`."""

    method = Method.LOCK

    def __init__(self, talk: ChipTalk, family: Family, request: Request, entry: Entry | None) -> None:
        self._talk = talk
        self._layout: Layout = LAYOUTS[family]
        self._family = family
        self._request = request
        self._earlier = entry
        self._image = b""
        self._wanted = b""
        self._guarded = False
        self._hidden = False  # behind a password that was not presented
        self._entry: Entry | None = None
        self._announce: Announce = lambda _entry, _stage, _what: None
        self.before: Snapshot | None = None
        self.remarks: list[str] = []

    def on_irreversible(self, announce: Announce) -> None:
        """Call this before each write that nothing undoes."""
        self._announce = announce

    # What is there, without writing

    def survey(self, armed: bool = True) -> Refusal | None:
        """Read everything and decide; None when the chip may be switched off. Raises StopError, DeviceError.

        Unless `armed`, no password is presented to a chip that may count wrong ones. What that one hides is then
        taken to be empty, so the plan says what at most would be written.
        """
        refusal = self._open(armed)
        if refusal is not None:
            return refusal
        if self._hidden:
            self._image = bytes(self._layout.pages * PAGE)
            self._wanted = self._want(self._text(self._image))
            return None
        image = self._talk.read_pages(self._layout.pages)
        if image is None or not self._ends_there(image):
            return Refusal(Why.OTHER_MEMORY, Method.PHYSICAL)
        self._image = image
        self._wanted = self._want(self._text(image))
        signature = self._talk.signature() if self._layout.config is not None else None
        counters = tuple((number, self._talk.counter(number)) for number in self._layout.counters)
        self.before = Snapshot(image, self._wanted, signature, counters)
        self._remark(signature)
        return self._obstacle()

    @property
    def complete(self) -> bool:
        """Whether the memory is as wanted already: nothing is left but to prove it."""
        return not any(self._differs(page) for page in range(CC, self._layout.pages)) and not self._locks_missing()

    @property
    def final_image(self) -> bytes:
        """The memory as it was read last."""
        return self._image

    def plan(self) -> tuple[Planned, ...]:
        """The stages that would write, with their writes."""
        if self.complete:
            return (Planned(Stage.PROOF, 0),)
        data = sum(self._differs(page) for page in self._user_pages())
        config = sum(self._config_differs(page) for page in (0, 1))
        locks = self._layout.locks
        dynamic = 0 if locks is None else int(self._dynamic_missing())
        counted = {
            Stage.SECRETS: 2 if self._layout.config is not None and not (self._earlier and self._earlier.sealed) else 0,
            Stage.CONFIGURATION: config,
            Stage.DATA: data,
            Stage.READ_BACK: 0,
            Stage.READ_ONLY: int(self._differs(CC)),
            Stage.DYNAMIC_LOCKS: dynamic,
            Stage.STATIC_LOCKS: int(self._static_missing()),
            Stage.CONFIG_LOCK: int(self._config_open()),
            Stage.PROOF: 0,
        }
        kept = {Stage.READ_BACK, Stage.PROOF}
        return tuple(Planned(stage, writes) for stage, writes in counted.items() if writes or stage in kept)

    @property
    def _uid(self) -> bytes:
        return self._image[:3] + self._image[4:8]

    # The run

    def entry(self) -> Entry:
        """What the journal has to hold before the first write: an earlier run's entry, or a new one."""
        if self._entry is None:
            secrets = (("pwd", _random(4)), ("pack", _random(2)))
            text = read_tombstone(self._user(self._wanted)) or self._request.text
            fresh = Entry(self._uid.hex().upper(), self._family, text, secrets, guarded_by_issuer=self._guarded)
            self._entry = self._earlier or fresh
        return self._entry

    def stages(self) -> Iterable[tuple[Stage, Callable[[], None]]]:
        """The stages to run, in order. A chip that a known password guards is opened before that is overwritten."""
        if self._layout.config is not None and not self.complete:
            secrets_first = [(Stage.SECRETS, self._write_secrets), (Stage.CONFIGURATION, self._configure)]
            yield from reversed(secrets_first) if self._guarded else secrets_first
        yield Stage.DATA, self._write_data
        yield Stage.READ_BACK, self._read_back
        yield Stage.READ_ONLY, self._write_cc
        if self._layout.locks is not None:
            yield Stage.DYNAMIC_LOCKS, self._lock_dynamic
        yield Stage.STATIC_LOCKS, self._lock_static
        if self._layout.config is not None:
            yield Stage.CONFIG_LOCK, self._lock_config

    def prove(self) -> Proof:
        """Without power, then: all as wanted, every write refused, nothing changed. Raises StopError, DeviceError."""
        self._talk.password = None
        self._talk.restart()
        self._refresh(Why.CONTENT_CHANGED)
        wrong = [page for page in range(CC, self._layout.pages) if self._differs(page)]
        if wrong or self._locks_missing():
            return Proof(Why.CONTENT_CHANGED, (), tuple(f"page {page:02X}" for page in wrong))
        before = self._image
        tests = tuple(self._try_write(page) for page in self._tested_pages())
        self._talk.restart()
        self._refresh(Why.CONTENT_CHANGED)
        accepted = tuple(test.what for test in tests if not test.refused)
        if accepted:
            return Proof(Why.WRITES_ACCEPTED, tests, accepted)
        return Proof(Why.PROVED if self._image == before else Why.CONTENT_CHANGED, tests)

    # Surveying

    def _open(self, armed: bool) -> Refusal | None:
        """Get past a password, if there is one and we know it: a guess could lock the chip for good."""
        config = self._layout.config
        if config is None:
            return None
        cfg = self._talk.read(config)
        if cfg is not None and cfg[3] >= self._layout.pages:
            return None
        ours = self._earlier is not None and not self._earlier.guarded_by_issuer
        password = self._earlier.secret("pwd") if ours and self._earlier else self._request.password
        if password is None:
            return Refusal(Why.NEEDS_PASSWORD, Method.PHYSICAL)
        counts = cfg is None or bool(cfg[PAGE] & _AUTHLIM)
        if counts and not armed:
            self._hidden = cfg is None
            self.remarks.append("the password was not tried: the chip may count wrong ones")
            return None
        if (self._talk.present if counts else self._talk.present_again)(password) is None:
            return Refusal(Why.KEYS_LOST if ours else Why.WRONG_PASSWORD, Method.PHYSICAL)
        self._guarded = True
        self._talk.password = password
        return None

    def _ends_there(self, image: bytes) -> bool:
        """Whether the memory ends where the family's does: nothing behind it reads.

        A chip that tells no version has nothing but this to be told by, so its last page has to be followed by its
        first three as well (MF0ICU1 section 7.6.4): that is seen in what it says, not in what it does not.
        """
        if self._family is Family.ULTRALIGHT:
            last = self._talk.read(self._layout.pages - 1)
            if last is None or last[PAGE:] != image[: 3 * PAGE]:
                return False
        return self._talk.read(self._layout.pages) is None

    def _text(self, image: bytes) -> str:
        """The words to leave: what stands there already where locks hold it, else the run's own."""
        standing = read_tombstone(self._user(image))
        if standing is not None and locked_pages(self._layout, image):
            return standing
        return self._earlier.text if self._earlier else self._request.text

    def _want(self, text: str) -> bytes:
        layout, want = self._layout, bytearray(self._image)
        _put(want, CC, bytes(a | b for a, b in zip(_page(self._image, CC), layout.cc, strict=True)))
        want[FIRST_USER * PAGE : (layout.last_user + 1) * PAGE] = tombstone(text, layout.capacity)
        if layout.config is not None and not self._config_frozen():
            cfg0, cfg1 = _page(self._image, layout.config), _page(self._image, layout.config + 1)
            _put(want, layout.config, bytes((cfg0[0] & _KEPT_CFG0_BITS, cfg0[1], 0, 0xFF)))
            _put(want, layout.config + 1, bytes((_CFGLCK,)) + cfg1[1:])
        return bytes(want)

    def _obstacle(self) -> Refusal | None:
        """What would keep the wanted image from being reached."""
        locked = locked_pages(self._layout, self._image)
        foreign = [page for page in sorted(locked) if self._differs(page)]
        if foreign:
            return Refusal(Why.LOCKED_FOREIGN, Method.PHYSICAL, (("pages", _hex_list(foreign)),))
        if frozen_open(self._layout, self._image):
            return Refusal(Why.LOCKS_FROZEN, Method.PHYSICAL)
        config = self._layout.config
        if config is not None and self._config_frozen():
            cfg0 = _page(self._image, config)
            if (cfg0[0] & _MIRROR and self._family.startswith("NTAG")) or cfg0[3] < self._layout.pages:
                return Refusal(Why.CONFIG_LOCKED, Method.PHYSICAL)
        return None

    def _remark(self, signature: bytes | None) -> None:
        self.remarks.append("the UID still answers: systems that check only the UID need a block of their own")
        if self._layout.config is not None:
            judged = judge_signature(self._family, self._uid, signature) if signature else None
            self.remarks.append(f"signature: {judged.value}" if judged else "no signature")
        if _page(self._wanted, CC) != self._layout.cc:
            self.remarks.append("tombstone not readable as NDEF: the capability container held other bits")

    # Stages

    def _write_secrets(self) -> None:
        entry, config = self.entry(), self._config
        if entry.sealed and not self._guarded:
            return
        self._put_secret(config + 2, entry.secret("pwd"))
        self._put_secret(config + 3, entry.secret("pack") + bytes(2))
        if self._guarded:
            self._check_password()

    def _configure(self) -> None:
        """Mirror and protection off. They change what is read, so all is read again without power in between."""
        if any(self._config_differs(number) for number in (0, 1)):
            for page in (self._config + 1, self._config):
                if self._config_differs(page - self._config):
                    self._put(page, self._config_open_value(page))
        self._talk.password = None
        self._talk.restart()
        self._refresh(Why.WRITES_LOST)
        if any(self._config_differs(number) for number in (0, 1)):
            raise StopError(Why.WRITES_LOST, "configuration")
        if not self._guarded:
            self._check_password()

    def _check_password(self) -> None:
        """Ours opens, so the issuer's is gone. Not asked of a chip that counts wrong ones and cannot be told not to."""
        entry = self.entry()
        if entry.sealed or _page(self._image, self._config + 1)[0] & _AUTHLIM:
            return
        if self._talk.present_again(entry.secret("pwd")) != entry.secret("pack"):
            self._talk.select()
            raise StopError(Why.WRITES_LOST, "password")
        self._entry = entry.at(entry.stage, sealed=True)
        self._talk.select()  # no longer authenticated

    def _write_data(self) -> None:
        """From the last page down, the page that says how long the message is last of all."""
        for _ in range(_ROUNDS):
            for page in sorted((p for p in self._user_pages() if self._differs(p)), reverse=True):
                self._put(page, _page(self._wanted, page))
            self._refresh(Why.WRITES_LOST)
            if not any(self._differs(page) for page in self._user_pages()):
                return
        raise StopError(Why.WRITES_LOST, "data")

    def _read_back(self) -> None:
        """Nothing irreversible before the whole memory was seen to be right (it was read when the data were done)."""
        wrong = [page for page in range(FIRST_USER, self._layout.last_user + 1) if self._differs(page)]
        if wrong:
            raise StopError(Why.WRITES_LOST, _hex_list(wrong))

    def _write_cc(self) -> None:
        if self._differs(CC):
            self._converge(Stage.READ_ONLY, CC, _page(self._wanted, CC))

    def _lock_dynamic(self) -> None:
        locks = self._layout.locks
        if locks is not None and self._dynamic_missing():
            self._converge(Stage.DYNAMIC_LOCKS, locks.page, locks.value + b"\x00")

    def _lock_static(self) -> None:
        if self._static_missing():
            self._converge(Stage.STATIC_LOCKS, STATIC_LOCK, bytes(2) + STATIC_LOCK_VALUE)

    def _lock_config(self) -> None:
        page = self._config + 1
        if self._config_open():
            self._converge(Stage.CONFIG_LOCK, page, _page(self._wanted, page))

    def _converge(self, stage: Stage, page: int, data: bytes) -> None:
        self._entry = self.entry().at(stage)
        self._announce(self._entry, stage, write_told(page, data))
        self._put(page, data)
        self._refresh_page(page)
        if not self._reached(page, _page(self._image, page), data):
            raise StopError(Why.WRITES_LOST, f"page {page:02X}")

    def _reached(self, page: int, held: bytes, data: bytes) -> bool:
        """Whether a page holds what was written: of a lock page all the bits, which are only ever set."""
        if page not in (STATIC_LOCK, self._layout.locks.page if self._layout.locks else -1):
            return held == data
        short = 4 if page == STATIC_LOCK else 3
        return all(h & d == d for h, d in zip(held[:short], data[:short], strict=True))

    def _put(self, page: int, data: bytes) -> None:
        """One page, until it is acknowledged or has been reached; a refusal that is heard twice is final."""
        refusals = 0
        for _ in range(_TRIES):
            reply = self._talk.write(page, data)
            if reply is Reply.DONE:
                return
            now = self._talk.read(page)
            if now is not None and self._reached(page, now[:PAGE], data):
                return
            refusals += reply is Reply.REFUSED
            if refusals == REFUSALS:
                raise StopError(Why.WRITE_REFUSED, f"page {page:02X}")
        raise StopError(Why.READER_SILENT, f"page {page:02X}")

    def _put_secret(self, page: int, data: bytes) -> None:
        """A page that never reads back: an acknowledgement counts, or that it opens. Writing it again does no harm."""
        refusals = 0
        self._announce(self.entry(), Stage.SECRETS, write_told(page, data, secret=True))
        for _ in range(_TRIES):
            reply = self._talk.write(page, data, secret=True)
            if reply is Reply.DONE:
                return None
            refusals += reply is Reply.REFUSED
            if refusals == REFUSALS:
                return self._refused_for_all_that(page)
        raise StopError(Why.READER_SILENT, f"page {page:02X}")

    def _refused_for_all_that(self, page: int) -> None:
        """Two refusals of a secret page can be two damaged acknowledgements. The chip says which, if it may be asked.

        One that counts wrong passwords is not asked: nothing is concluded then, and the run is not completed.
        """
        if _page(self._image, self._config + 1)[0] & _AUTHLIM:
            raise StopError(Why.READER_SILENT, f"page {page:02X}")
        pack = self._talk.present_again(self.entry().secret("pwd"))
        self._talk.select()  # no longer authenticated
        if pack is None or (page == self._config + 3 and pack != self.entry().secret("pack")):
            raise StopError(Why.WRITE_REFUSED, f"page {page:02X}")

    def _refresh(self, otherwise: Why) -> None:
        image = self._talk.read_pages(self._layout.pages)
        if image is None:
            raise StopError(otherwise, "memory not readable")
        self._image = image

    def _refresh_page(self, page: int) -> None:
        read = self._talk.read(page)
        if read is None:
            raise StopError(Why.WRITES_LOST, f"page {page:02X} not readable")
        image = bytearray(self._image)
        _put(image, page, read[:PAGE])
        self._image = bytes(image)

    # Comparing

    @property
    def _config(self) -> int:
        config = self._layout.config
        if config is None:
            raise ValueError("a chip without configuration pages")
        return config

    def _user_pages(self) -> range:
        return range(FIRST_USER, self._layout.last_user + 1)

    def _user(self, image: bytes) -> bytes:
        return image[FIRST_USER * PAGE : (self._layout.last_user + 1) * PAGE]

    def _differs(self, page: int) -> bool:
        """Whether a page is not as wanted. Lock pages are compared by their bits, passwords cannot be."""
        locks, config = self._layout.locks, self._layout.config
        if locks is not None and page == locks.page:
            return False
        if config is not None and page >= config + 2:
            return False
        return _page(self._image, page) != _page(self._wanted, page)

    def _config_frozen(self) -> bool:
        return bool(_page(self._image, self._config + 1)[0] & _CFGLCK)

    def _config_open(self) -> bool:
        return self._layout.config is not None and not self._config_frozen()

    def _config_open_value(self, page: int) -> bytes:
        """The wanted configuration page, still changeable."""
        wanted = _page(self._wanted, page)
        if page == self._config + 1 and not self._config_frozen():
            return bytes((wanted[0] & ~_CFGLCK,)) + wanted[1:]
        return wanted

    def _config_differs(self, number: int) -> bool:
        if self._layout.config is None:
            return False
        page = self._layout.config + number
        return _page(self._image, page) != self._config_open_value(page)

    def _static_missing(self) -> bool:
        return _page(self._image, STATIC_LOCK)[2:] != STATIC_LOCK_VALUE

    def _dynamic_missing(self) -> bool:
        locks = self._layout.locks
        return locks is not None and _page(self._image, locks.page)[:3] != locks.value

    def _locks_missing(self) -> bool:
        return self._static_missing() or self._dynamic_missing()

    # Proving

    def _tested_pages(self) -> tuple[int, ...]:
        config = self._layout.config
        return self._layout.granules + ((config, config + 1) if config is not None else ())

    def _try_write(self, page: int) -> NegativeTest:
        """Write what is there already: a chip that takes it would take anything else."""
        return refused_for_sure(lambda: self._talk.write(page, _page(self._image, page)), f"page {page:02X}")


def _page(image: bytes, page: int) -> bytes:
    return image[page * PAGE : (page + 1) * PAGE]


def _put(image: bytearray, page: int, data: bytes) -> None:
    image[page * PAGE : (page + 1) * PAGE] = data


def _hex_list(pages: list[int]) -> str:
    return " ".join(f"{page:02X}" for page in pages)


def _random(size: int) -> bytes:
    """Secret bytes; never all ones or zeros, which a chip has from the factory."""
    while True:
        made = os.urandom(size)
        if made not in (b"\xff" * size, bytes(size)):
            return made
