"""Rules of the chip tray: accepted cards are tapped in any order, and each tap of an armed reader runs.

A run is never begun without the hold, never on a chip that is not in the tray, and never on another card while one that
left in the middle is still to come back. Whether the centre's word holds is asked anew, for each run, by who runs it.
"""

from __future__ import annotations

from dataclasses import replace

from app.core.audit import EventKind
from app.core.cards import Tag
from app.core.chips import TO_TAP, ChipCard, ChipEnd, ChipStand
from app.core.effects import (
    AcknowledgeRead,
    Effect,
    LayOnReader,
    ListChips,
    MarkPunch,
    Play,
    ProveDestroyed,
    PutChipAside,
    RecordFact,
    Sound,
    SurveyChip,
    SwitchChipOff,
    WatchForCards,
)
from app.core.events import (
    CardLeftTooEarly,
    CardSighted,
    CardWasRead,
    ChipRunEnded,
    ChipsListed,
    ChipStageBegan,
    ChipSurveyed,
    CodeScanned,
    Device,
    DeviceBack,
    DeviceLost,
    Event,
    Key,
    KeyHeld,
    KeyPressed,
    PunchShotTaken,
    TagSeen,
    Tick,
)
from app.core.rules import Rules, Step
from app.core.session_cards import is_settled, next_in_line
from app.core.states import PUNCH_SHOTS, ChipTray, Counting, Idle, Notice, Waiting

_SOUNDS = {
    ChipStand.OFF: Sound.ACCEPTED,
    ChipStand.DESTROYED: Sound.ACCEPTED,
    ChipStand.DESTROY: Sound.REJECTED,
    ChipStand.REFUSED: Sound.REJECTED,
}


def open_tray(state: Idle | Waiting | Counting) -> Step:
    """Turn to the chips. The eye rests meanwhile: a card that is carried to the reader is not read again."""
    rest: tuple[Effect, ...] = () if isinstance(state, Idle) else (WatchForCards(False),)
    return ChipTray(state), (ListChips(), *rest)


def close_tray(state: ChipTray, rules: Rules) -> Step:
    """Go back to what lies under it. The reader is not armed any more; a run that goes on is kept by who runs it."""
    if isinstance(state.back_to, Idle):
        return state.back_to, ()
    following, effects = next_in_line(state.back_to.visit, state.back_to, rules)
    return following, (WatchForCards(True), *effects)


def when_chips(state: ChipTray, event: Event, rules: Rules) -> Step | None:
    match event:
        case ChipsListed(cards):
            return _listed(state, cards), ()
        case TagSeen(tag, at_us, several):
            return _tag_seen(state, tag, at_us, several)
        case ChipSurveyed() | ChipStageBegan() | ChipRunEnded() | PunchShotTaken():
            return _heard(state, event)
        case DeviceLost(Device.NFC, code):
            lost = replace(state, reader=code, on_reader="", adrift=state.running)
            return (lost if state.running else replace(lost, plan=())), ()
        case DeviceBack(Device.NFC):
            return replace(state, reader=""), ()
        case KeyHeld(Key.SPACE):
            return _arm(state)
        case KeyPressed():
            return _key(state, event, rules)
        case CardWasRead() | CardSighted() | CardLeftTooEarly() | CodeScanned():
            return _under_the_camera(state, event)
        case Tick(now_us):
            return _tick(state, now_us, rules), ()
        case _:
            return None


# The reader


def _listed(state: ChipTray, cards: tuple[ChipCard, ...]) -> ChipTray:
    """The tray as the store has it now; what was done with while it stood open stays to be seen."""
    fresh = {card.card_id: card for card in cards}
    known = {card.card_id for card in state.cards}
    kept = tuple(fresh.get(card.card_id, card) for card in state.cards)
    new = tuple(card for card in cards if card.card_id not in known)
    both = (*kept, *new)
    return replace(state, cards=both, listed=True, insist=state.insist or _torn(both))


def _torn(cards: tuple[ChipCard, ...]) -> str:
    """The first card that left in the middle, also before the tray was opened, and was not put aside; "" when none."""
    return next((card.card_id for card in cards if card.stand is ChipStand.UNFINISHED and not card.aside), "")


def _tag_seen(state: ChipTray, tag: Tag | None, at_us: int, several: bool) -> Step:
    if not isinstance(state.back_to, Idle):
        # A chip of the tray is some earlier card's: the next card that is read must not be given it.
        free = tag if tag is not None and state.with_uid(tag.uid) is None else None
        back = replace(state.back_to, visit=state.back_to.visit.with_tag(free, at_us))
        state = replace(state, back_to=back)
    state = replace(state, on_reader=tag.uid if tag else "", quiet_since_us=0)
    if state.running:
        return state, ()
    if several:
        return replace(state, notice=Notice("chip.several")), (Play(Sound.WRONG_CODE),)
    if tag is None:
        return replace(state, notice=None), ()
    return _tapped(state, tag.uid)


def _tapped(state: ChipTray, uid: str) -> Step:
    """A chip was laid down alone. One that is not to be dealt with here is named, and not spoken to."""
    card = state.with_uid(uid)
    insisted = state.named(state.insist)
    if insisted is not None and insisted.uid != uid:
        told = Notice("chip.other-first", (("wanted", insisted.uid), ("there", uid)))
        return replace(state, notice=told), (Play(Sound.WRONG_CODE),)
    if card is None:
        return replace(state, notice=Notice("chip.not-here", (("uid", uid),))), (Play(Sound.WRONG_CODE),)
    if card.stand in (ChipStand.OFF, ChipStand.DESTROYED):
        told = Notice("chip.done-already", (("last4", card.last4),))
        return replace(state, at=card.card_id, ended=None, notice=told), (Play(Sound.TICK),)
    taken = _take(state, card)
    if card.stand not in TO_TAP and not (card.mute and state.armed):  # given up for its silence, and now it answers
        return taken, (Play(Sound.ASK),)
    if not state.armed:
        return taken, (SurveyChip(card), Play(Sound.TICK))
    return replace(taken, running=True, stage="identify", number=0, of=0), (SwitchChipOff(card, tapped=True),)


def _take(state: ChipTray, card: ChipCard) -> ChipTray:
    """The card is in hand now; what was said of the one before is over."""
    shots = state.shots if state.at == card.card_id else ()
    plan = state.plan if state.at == card.card_id else ()
    return replace(state, at=card.card_id, plan=plan, ended=None, shots=shots, notice=None)


def _arm(state: ChipTray) -> Step:
    """One second of Space: from now on each tap runs. A waiting card that lies there already goes first."""
    if state.armed or state.running or state.reader or not state.to_tap or state.punching:
        return state, ()
    fact = RecordFact(EventKind.CHIP_READER_ARMED, (("cards", len(state.to_tap)),))
    armed = replace(state, armed=True, ended=None, quiet_since_us=0, notice=None)
    card = armed.with_uid(armed.on_reader) if armed.on_reader else None
    if card is None or card.stand not in TO_TAP:
        return armed, (fact, Play(Sound.TICK))
    following, effects = _tapped(armed, card.uid)
    return following, (fact, Play(Sound.TICK), *effects)


def _tick(state: ChipTray, now_us: int, rules: Rules) -> ChipTray:
    """A reader that nobody taps does not stay armed."""
    if not state.armed or state.running:
        return state
    if not state.quiet_since_us:
        return replace(state, quiet_since_us=now_us)
    if now_us - state.quiet_since_us < rules.armed_us:
        return state
    return replace(state, armed=False, quiet_since_us=0, notice=Notice("chip.disarmed"))


# What comes back


def _heard(state: ChipTray, event: ChipSurveyed | ChipStageBegan | ChipRunEnded | PunchShotTaken) -> Step:
    match event:
        case ChipRunEnded(end):
            return _ended(state, end)
        case ChipSurveyed(card_id, plan, why) if card_id == state.at and not state.running:
            said = Notice(f"nfc.{why}") if why else None
            return replace(state, plan=plan, notice=said), ((Play(Sound.ASK),) if why else ())
        case ChipStageBegan(card_id, stage, number, of) if card_id == state.at and state.running:
            return replace(state, stage=stage, number=number, of=of), ()
        case PunchShotTaken(card_id, no, t_video_us) if card_id == state.at and no == len(state.shots) + 1:
            return _shot(replace(state, shots=(*state.shots, t_video_us)))
        case _:
            return state, ()


def _ended(state: ChipTray, end: ChipEnd) -> Step:
    card = state.named(end.card_id)
    if card is None:
        return state, ()
    mute = end.stand is ChipStand.DESTROY and end.silent > 0
    changed = replace(card, stand=end.stand, why=end.why, mute=mute)
    cards = tuple(changed if c.card_id == end.card_id else c for c in state.cards)
    insist = _insisted(state, end) or _torn(cards)
    if state.running and end.card_id != state.at:  # of a run that was going on when the tray was left
        return replace(state, cards=cards, insist=insist), (ListChips(),)
    over = replace(
        state, cards=cards, running=False, adrift=False, ended=end, insist=insist, shots=(), plan=(), quiet_since_us=0
    )
    over = replace(over, armed=over.armed and bool(over.to_tap), at=end.card_id)
    return over, (Play(_SOUNDS.get(end.stand, Sound.REVIEW)), ListChips())


def _insisted(state: ChipTray, end: ChipEnd) -> str:
    """The card that only goes on now: a refusal leaves a torn one torn, and says nothing of the others."""
    if end.stand is ChipStand.UNFINISHED and end.begun:
        return end.card_id
    over = end.card_id == state.insist and end.stand not in TO_TAP
    return "" if over else state.insist


def _shot(state: ChipTray) -> Step:
    card, visit = state.card, state.visit
    if card is None or visit is None or len(state.shots) < PUNCH_SHOTS:
        return state, (Play(Sound.TICK),)
    proving = replace(state, running=True, stage="gone", number=0, of=0)
    return proving, (Play(Sound.TICK), ProveDestroyed(card, visit.recording_id, state.shots))


# The keys


def _key(state: ChipTray, event: KeyPressed, rules: Rules) -> Step:
    if state.running:
        if event.key is Key.ESC and (state.adrift or state.reader):
            return close_tray(state, rules)
        busy = event.key in (Key.ESC, Key.F2, Key.DIGIT)
        return (replace(state, notice=Notice("chip.wait-for-it")), (Play(Sound.WRONG_CODE),)) if busy else (state, ())
    match event:
        case KeyPressed(Key.ESC):
            return close_tray(state, rules)
        case KeyPressed(Key.F2) if state.insist:
            return _leave_for_later(state)
        case KeyPressed(Key.SPACE) if state.punching and state.card is not None:
            return _punch(state, state.card)
        case KeyPressed(Key.SPACE) if state.may_try and state.card is not None:
            return replace(_take(state, state.card), running=True, stage="identify", number=0, of=0), (
                SwitchChipOff(state.card),
            )
        case KeyPressed(Key.DIGIT, digit) if digit <= len(state.cards):
            return _choose(state, state.cards[digit - 1])
        case _:
            return state, ()


def _leave_for_later(state: ChipTray) -> Step:
    """The torn card may come back when it likes; the next torn one, if there is one, is insisted on now."""
    later = state.insist
    cards = tuple(replace(card, aside=True) if card.card_id == later else card for card in state.cards)
    at = "" if state.at == later else state.at
    left = replace(state, cards=cards, insist=_torn(cards), at=at, ended=None, notice=None)
    return left, (PutChipAside(later), Play(Sound.TICK))


def _choose(state: ChipTray, card: ChipCard) -> Step:
    """Take a card in hand by its number: a chip that does not answer any more cannot be tapped."""
    lay: tuple[Effect, ...] = (LayOnReader(card.uid),) if card.simulated and card.stand in TO_TAP else ()
    return _take(state, card), (Play(Sound.TICK), *lay)


def _punch(state: ChipTray, card: ChipCard) -> Step:
    """A still before, then one after; both need the running recording."""
    if state.visit is None:
        return replace(state, notice=Notice("chip.punch-needs-video")), (Play(Sound.WRONG_CODE),)
    return state, (MarkPunch(card, len(state.shots) + 1),)


def _under_the_camera(state: ChipTray, event: Event) -> Step:
    """A card that was read while the hands were at the chips waits its turn."""
    match event:
        case CardWasRead(read) if not isinstance(state.back_to, Idle):
            visit = state.back_to.visit
            if is_settled(visit, read):
                return state, (AcknowledgeRead(read.read_id),)
            if any(read.read_id == waiting.read_id for waiting in visit.pending):
                return state, ()
            waiting_too = replace(visit, pending=(*visit.pending, read))
            return replace(state, back_to=replace(state.back_to, visit=waiting_too)), ()
        case CardWasRead(read):
            return state, (AcknowledgeRead(read.read_id),)
        case CodeScanned():
            return state, (Play(Sound.WRONG_CODE),)
        case _:
            return state, ()
