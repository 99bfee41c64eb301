"""From a recording to the two lanes of the review screen: this card, and the whole unboxing. No Qt here."""

from __future__ import annotations

from app.core.cards import CardState
from app.core.footage import Angle, FilmedCard, Footage, Proof, Span
from ui.review_views import Block, CardLane, Note, StopMark, WholeLane
from ui.scene import CARD_TONE, Scene, minutes_seconds
from ui.views import Tone

_LEAST_GAP_US = 40_000
_MARKS = {Tone.OK: "check", Tone.WARN: "triangle", Tone.STOP: "cross"}


def cuts(film: Footage | Angle) -> tuple[Span, ...]:
    """The gaps that are told, none of them twice: the chain tells of one stretch by a gap and by what is missing in it.
    What is shorter than a picture is none.
    """
    told: list[Span] = []
    for gap in sorted(film.gaps, key=lambda gap: (gap.from_us, -gap.to_us)):
        if gap.to_us - gap.from_us < _LEAST_GAP_US:
            continue
        if told and gap.from_us <= told[-1].to_us:
            told[-1] = Span(told[-1].from_us, max(told[-1].to_us, gap.to_us), told[-1].reason)
        else:
            told.append(gap)
    return tuple(told)


def card_lane(scene: Scene, card: FilmedCard) -> CardLane:
    """The rail of one card: laid down, read, kept, taken away."""
    stops = [StopMark(card.from_us, scene.say("review.stop.in")), StopMark(card.read_us, scene.say("review.stop.read"))]
    if card.kept_us >= 0:
        tone = CARD_TONE[card.state] if card.state is CardState.REVIEW else Tone.PLAIN
        stops.append(StopMark(card.kept_us, scene.say("review.stop.kept"), tone))
    stops.append(StopMark(card.to_us, scene.say("review.stop.out")))
    times = f"{minutes_seconds(card.from_us)} – {minutes_seconds(card.to_us)}"
    ordered = tuple(sorted(stops, key=lambda stop: stop.at_us))
    return CardLane(scene.say("review.this-card", no=card.no), times, card.from_us, card.to_us, ordered)


def whole_lane(scene: Scene, footage: Footage | None, card: FilmedCard | None, proof: Proof | None) -> WholeLane:
    """The lane of the whole unboxing by either camera; `card` is the one that is looked at."""
    legend = tuple((kind, scene.say(f"review.legend.{kind}")) for kind in ("rec", "cut", "mask"))
    title = scene.say("review.whole")
    if footage is None:
        return WholeLane(title, legend, 0, (), (), (), (), (), ())
    gaps = tuple((gap.from_us, gap.to_us) for gap in cuts(footage))
    clocks = tuple(moment.at_us for moment in footage.moments if moment.kind == "clock")
    filmed = tuple((part.from_us, part.to_us) for part in footage.parts)
    masks = _joined(tuple((mask.from_us, mask.to_us) for mask in footage.masks))
    wrong = proof.fault_us if proof and proof.fault else None
    blocks, notes = tuple(_blocks(scene, footage, card)), tuple(_notes(scene, footage))
    others = [angle for angle in footage.angles if angle.role != footage.role]
    beside = tuple((one.from_us, one.to_us) for angle in others for one in angle.filmed)
    missing = tuple((gap.from_us, gap.to_us) for angle in others for gap in cuts(angle))
    if others:
        legend = (*legend, ("beside", scene.say(f"camera.role.{others[0].role}")))
    return WholeLane(
        title, legend, footage.duration_us, filmed, gaps, masks, clocks, blocks, notes, wrong, beside, missing
    )


def _joined(spans: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Spans with less than a tenth of a second between them as one."""
    made: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if made and start - made[-1][1] < 100_000:
            made[-1] = made[-1][0], max(made[-1][1], end)
        else:
            made.append((start, end))
    return tuple(made)


def _blocks(scene: Scene, footage: Footage, chosen: FilmedCard | None) -> list[Block]:
    """The phases and the cards, in order."""
    cards = sorted(footage.cards, key=lambda card: card.from_us)
    if not cards:
        return [Block(0, footage.duration_us, scene.say("step.open"), Tone.INFO)]
    made = [Block(0, cards[0].from_us, scene.say("step.open"), Tone.INFO)] if cards[0].from_us > 0 else []
    for card in cards:
        tone = CARD_TONE[card.state]
        current = chosen is not None and chosen.card_id == card.card_id
        made.append(Block(card.from_us, card.to_us, str(card.no), tone, _MARKS.get(tone, ""), current))
    shots = [moment.at_us for moment in footage.moments if moment.kind == "count.shot"]
    begin = max(cards[-1].to_us, min(shots, default=footage.duration_us))
    if begin < footage.duration_us:
        made.append(Block(begin, footage.duration_us, scene.say("step.count"), Tone.INFO))
    return made


def _notes(scene: Scene, footage: Footage) -> list[Note]:
    """The words under the lane; gaps and clock steps come first, for they are never left out."""
    made = [
        Note((gap.from_us + gap.to_us) // 2, scene.say("review.gap", s=f"{(gap.to_us - gap.from_us) / 1e6:.1f}"))
        for gap in cuts(footage)
    ]
    made += [
        Note(moment.at_us, scene.say("review.clock-step", s=moment.detail))
        for moment in footage.moments
        if moment.kind == "clock"
    ]
    for card in footage.cards:
        if card.reasons and card.state in (CardState.REVIEW, CardState.REJECTED):
            made.append(Note(card.read_us, scene.say(f"reason.{card.reasons[0].value}")))
    return made
