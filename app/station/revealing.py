"""The desk for seeing a secret: a supervisor's request goes to the vault and its answer to the screen, nowhere else.

One thread does what is quick, in order; another waits for the vault. The person's own key is opened by its passphrase
for one signature at a time and let go again; nothing of the secret is written, logged or kept here.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app.core.audit import digest
from app.core.cards import Secret
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble, Trouble, Unavailable
from app.core.events import Event
from app.core.parcels import Operator
from app.core.reveals import Asked, Overview, RevealNews, RevealWish, Stage
from app.station.clock import Clock
from app.station.desk import Refusals, SupervisorsDesk
from app.station.reviewing import policy_now
from app.store import people
from app.store.keyfile import key_path
from app.store.seal import personal_signer
from app.store.store import Store
from app.store.writer import StoreWriter
from app.sync.client import CentreClient, Speaker
from app.sync.reveal import LONGEST_S, Person, Wish, approve, refuse, reveal
from app.wire_vault import RevealEntry, RevealLog, RevealRequest, RevealState

T = TypeVar("T")

_REFUSALS = Refusals("reveal.not_allowed", "reveal.no_key")
_STAFF_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,60}")
_STAGES = {"waiting": Stage.SENT, "needs-second": Stage.SECOND, "granted": Stage.GRANTED}


@dataclass(frozen=True, slots=True)
class RevealPlan:
    """How the centre is spoken with, where people's own keys lie (`STAFF-NUMBER.key`), how long the vault is waited
    for."""

    line: Callable[[Speaker], CentreClient]
    keys: Path
    longest_s: float = LONGEST_S


class Revealing:
    """Implements `app.core.reveals.RevealDesk` for one station. `on_bug` is told of bugs in its threads.

    Rights are looked up anew at each act: `post` hears it when a supervisor signed in is none any more.
    """

    def __init__(
        self,
        plan: RevealPlan,
        store: StoreWriter,
        clock: Clock,
        on_bug: Callable[[Exception], None],
        post: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        self._plan, self._store, self._clock = plan, store, clock
        self._desk = SupervisorsDesk("reveals", _REFUSALS, store, clock, on_bug, post)
        self._waiting = SupervisorsDesk("reveal-answer", _REFUSALS, store, clock, on_bug, post)
        self._wanted = _Wanted()

    def start(self) -> None:
        self._desk.start()
        self._waiting.start()

    def stop(self) -> None:
        """End both threads; what is waited for is taken back."""
        self.drop()
        self._waiting.stop()
        self._desk.stop()

    # What the screen asks for

    def overview(self, who: Operator, tell: Callable[[Overview | Trouble], None]) -> None:
        self._desk.answer(who, lambda: self._overview(who), tell)

    def ask(self, who: Operator, wish: RevealWish, passphrase: Secret, tell: Callable[[RevealNews], None]) -> None:
        self.drop()
        wanted = self._wanted = _Wanted()
        self._waiting.answer(who, lambda: self._reveal(who, wish, passphrase, wanted, tell), tell)

    def drop(self) -> None:
        self._wanted.drop()

    def sign(
        self,
        who: Operator,
        asked: Asked,
        agree: bool,
        passphrase: Secret,
        tell: Callable[[Overview | Trouble], None],
    ) -> None:
        self._desk.answer(who, lambda: self._sign(who, asked, agree, passphrase), tell)

    def waiting_for(self, who: Operator) -> int:
        """How many requests of other people wait for a second person. Not for the window's thread.

        Raises Unavailable, EvidenceTrouble as `CentreClient`.
        """
        return sum(one.who != who.id for one in self._spoken(lambda client: client.open_reveals()).requests)

    # How it is answered

    def _overview(self, who: Operator) -> Overview:
        log = self._spoken(lambda client: client.reveal_log(who.id))
        names = self._names(log)
        policy = self._store.call(policy_now)
        place = _place(self._plan.keys, who)
        return Overview(
            tuple(_asked(entry, names) for entry in log.entries),
            log.left,
            log.a_day,
            place is not None and key_path(place).is_file(),
            policy.reveal_shown_s,
            bool(policy.reveal_words),
        )

    def _names(self, log: RevealLog) -> dict[str, str]:
        """What people are called here, by their staff numbers."""
        wanted = {name for entry in log.entries for name in (entry.who, entry.approver) if name}
        now_us = self._clock.wall_us()

        def look(store: Store) -> dict[str, str]:
            known = {name: people.rights(store.ledger, name, now_us) for name in wanted}
            return {name: person.name for name, person in known.items() if person is not None}

        return self._store.call(look)

    def _reveal(
        self,
        who: Operator,
        wish: RevealWish,
        passphrase: Secret,
        wanted: _Wanted,
        tell: Callable[[RevealNews], None],
    ) -> Secret:
        tell(Stage.UNLOCKING)
        person = self._person(who, passphrase)
        speaker = self._store.call(Speaker.of)
        asked = Wish(speaker.station, wish.card_id, wish.field, wish.reason)

        def stands(state: RevealState) -> None:
            tell(_STAGES[state.state])

        async def ask(client: CentreClient) -> Secret:
            now_ms = self._clock.wall_us() // 1000
            tenant = speaker.centre.tenant
            return await reveal(client, person, asked, tenant, now_ms, stands, self._plan.longest_s)

        return self._said(speaker, lambda client: wanted.unless_dropped(ask(client)))

    def _sign(self, who: Operator, asked: Asked, agree: bool, passphrase: Secret) -> Overview:
        if asked.who == who.id:
            raise BadInput("reveal.same", who.id)
        person = self._person(who, passphrase)
        self._spoken(lambda client: _second(client, person, asked, agree))
        return self._overview(who)

    def _person(self, who: Operator, passphrase: Secret) -> Person:
        """Raises BadInput: reveal.no_key, reveal.passphrase. Takes a sixth of a second, on purpose."""
        place = _place(self._plan.keys, who)
        if place is None or not key_path(place).is_file():
            raise BadInput("reveal.no_key", who.id)
        try:
            return Person(who.id, personal_signer(place, passphrase))
        except StorageTrouble as wrong:
            code = {"store.wrong_key": "reveal.passphrase", "store.key_missing": "reveal.no_key"}.get(wrong.code)
            raise BadInput(code or "reveal.key_damaged", who.id) from wrong
        finally:
            passphrase.forget()

    def _spoken(self, talk: Callable[[CentreClient], Awaitable[T]]) -> T:
        return self._said(self._store.call(Speaker.of), talk)

    def _said(self, speaker: Speaker, talk: Callable[[CentreClient], Awaitable[T]]) -> T:
        async def speak() -> T:
            async with self._plan.line(speaker) as client:
                return await talk(client)

        return asyncio.run(speak())


class _Wanted:
    """Whether an answer is waited for still; any thread may drop it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._dropped = False
        self._cancel: Callable[[], object] | None = None

    def drop(self) -> None:
        """What is under way ends, and takes its request back."""
        with self._guard:
            self._dropped = True
            cancel, self._cancel = self._cancel, None  # once: a second one would end the taking back itself
            if cancel is not None:
                cancel()

    async def unless_dropped(self, work: Awaitable[T]) -> T:
        """What `work` gives. Raises Unavailable("reveal.withdrawn") where it was dropped, before or meanwhile."""
        task, loop = asyncio.ensure_future(work), asyncio.get_running_loop()
        with self._guard:
            if self._dropped:
                task.cancel()
            else:
                self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            return await task
        except asyncio.CancelledError as cancelled:
            raise Unavailable("reveal.withdrawn") from cancelled
        finally:
            with self._guard:
                self._cancel = None


async def _second(client: CentreClient, person: Person, asked: Asked, agree: bool) -> RevealState:
    """Sign what the person saw, and nothing else. Raises EvidenceTrouble where the centre holds another text by it."""
    waiting = {digest(one.request.text.encode()): one for one in (await client.open_reveals()).requests}
    found = waiting.get(asked.id)
    if found is None:
        raise BadInput("reveal.state", asked.id[:12])
    told = RevealRequest.model_validate_json(found.request.text)
    shown = (asked.who, asked.station, asked.card_id, asked.field, asked.reason)
    if (found.who, told.station, told.card, told.field, told.reason) != shown:
        raise EvidenceTrouble("sync.untrusted_answer", "reveal")
    return await (approve if agree else refuse)(client, person, found.request, asked.id)


def _place(keys: Path, who: Operator) -> Path | None:
    """Where this person's own key would lie."""
    return keys / f"{who.id}.key" if _STAFF_NUMBER.fullmatch(who.id) else None


def _asked(entry: RevealEntry, names: dict[str, str]) -> Asked:
    return Asked(
        entry.id,
        entry.who,
        names.get(entry.who, entry.who),
        entry.at,
        entry.station,
        entry.card,
        entry.field,
        entry.reason,
        entry.asked_ms,
        entry.state,
        entry.code,
        entry.approver,
        names.get(entry.approver, entry.approver),
    )
