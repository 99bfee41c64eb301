"""What one camera's recording of a parcel tells about the other's: the same instant, its gaps, the cards it saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.core.footage import Angle, FilmedCard, Span
from app.evidence.timeline import Timeline


def angle_of(recording_id: str, theirs: Timeline, mine: Timeline) -> Angle | None:
    """The other recording as it is seen from this one; None when they did not run at the same time, or one clock
    does not measure both (another boot).
    """
    shift_us = mine.base_mono_us - theirs.base_mono_us
    together = -shift_us < mine.duration_us and shift_us < theirs.duration_us
    if theirs.boot_id != mine.boot_id or not together:
        return None
    filmed = [Span(part.from_us, part.to_us, "") for part in theirs.parts]
    seen = _seen(filmed, shift_us, mine.duration_us), _seen(theirs.gaps, shift_us, mine.duration_us)
    return Angle(recording_id, theirs.ledger.role, shift_us, *seen)


def _seen(spans: Sequence[Span], shift_us: int, end_us: int) -> tuple[Span, ...]:
    """Spans of the other recording by this one's time, as far as this one reaches."""
    moved = (Span(max(0, one.from_us - shift_us), min(end_us, one.to_us - shift_us), one.reason) for one in spans)
    return tuple(one for one in moved if one.from_us < one.to_us)


def card_from(card: FilmedCard, angle: Angle, end_us: int) -> FilmedCard | None:
    """A card that was read on the other recording, by the time of the one that is `end_us` long; None outside it."""

    def here(at_us: int) -> int:
        return min(max(0, at_us - angle.shift_us), end_us)

    from_us, to_us = here(card.from_us), here(card.to_us)
    if from_us == to_us and not 0 <= card.read_us - angle.shift_us <= end_us:
        return None
    kept_us = here(card.kept_us) if card.kept_us >= 0 else -1
    return replace(card, from_us=from_us, read_us=here(card.read_us), kept_us=kept_us, to_us=to_us)
