"""A recording that is closed is never opened again: the parcel goes on in the next one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.core.cards import CardRead
from app.core.effects import AcknowledgeRead, ReadAgain, StartRecording
from app.core.events import (
    CardSaved,
    CardWasRead,
    CodeScanned,
    Device,
    Key,
    KeyPressed,
    ParcelResumed,
    RecordingBegan,
    RecordingClosed,
    SignedIn,
)
from app.core.states import Asking, Notice, Opening, Paused, Saving, Waiting
from tests.core.making import BADGE, CLERK, RECORDING, Walk, card_read, kept, read_field, visit


def test_recording_closed_while_nobody_was_there_is_followed_by_another() -> None:
    walk = Walk()
    walk.on(ParcelResumed(visit().as_open_parcel()), CodeScanned(BADGE), SignedIn(CLERK))
    assert walk.the(StartRecording).recording_id == RECORDING
    walk.on(RecordingClosed(RECORDING))
    assert walk.the(StartRecording).recording_id == RECORDING  # the station finds it closed and takes a new one
    walk.on(RecordingBegan("recording-2", 500_000))
    assert isinstance(walk.state, Opening)
    assert walk.state.began
    walk.on(CardWasRead(card_read()))
    assert isinstance(walk.state, Saving)
    assert walk.state.draft.recording_id == "recording-2"


def test_recording_closed_under_the_hands_is_followed_by_another() -> None:
    walk = Walk(Waiting(visit(first_us=1)))
    walk.on(RecordingClosed(RECORDING))
    assert isinstance(walk.state, Paused)
    walk.the(StartRecording)
    walk.on(RecordingBegan("recording-2", 9_000_000))
    assert isinstance(walk.state, Paused)
    assert walk.state.ready
    assert walk.state.back_to.visit.recording_id == "recording-2"


def test_recording_found_closed_while_the_opening_stands_still_is_followed_by_another() -> None:
    walk = Walk(Paused(Device.STORE, "store.io", Opening(visit())))
    walk.on(RecordingClosed(RECORDING))
    walk.the(StartRecording)


DOUBTFUL = card_read("a", pin=read_field("7KQM2XWR", {0: "7T"}), best_us=2_000_000)


def cut_and_gone_on(first_us: int, *shown: CardRead) -> Walk:
    """One card is asked about while others come; then the recording ends, and the parcel goes on in another one."""
    walk = Walk(Waiting(visit(first_us=1)))
    walk.on(CardWasRead(DOUBTFUL))
    assert isinstance(walk.state, Asking)
    for read in shown:
        walk.on(CardWasRead(read))
    walk.on(RecordingClosed(RECORDING), RecordingBegan("recording-2", first_us), KeyPressed(Key.SPACE))
    return walk


def let_go(walk: Walk) -> list[str]:
    return [effect.read_id for effect in walk.effects if isinstance(effect, AcknowledgeRead)]


def test_a_card_that_only_the_recording_before_shows_is_read_again_and_the_clerk_is_told() -> None:
    """It was dropped in silence: it lay there, counted as done, and was in no tray."""
    walk = cut_and_gone_on(9_000_000)
    assert isinstance(walk.state, Waiting)
    assert (let_go(walk), walk.the(ReadAgain)) == (["a"], ReadAgain())
    assert walk.state.notice == Notice("card.read-again")
    walk = cut_and_gone_on(9_000_000, card_read("b", best_us=3_000_000), card_read("c", best_us=4_000_000))
    assert isinstance(walk.state, Waiting)
    assert let_go(walk) == ["a", "b", "c"]
    assert walk.state.notice == Notice("card.show-again", (("count", "3"),))
    walk.on(CardWasRead(card_read("a-2", best_us=11_000_000)))
    assert isinstance(walk.state, Saving)
    walk.on(CardSaved(kept(walk.state.draft)))
    assert walk.state.visit.again == 0
    assert walk.state.notice == Notice("card.kept")


def test_what_the_new_recording_shows_too_is_kept_first_and_then_the_clerk_is_told() -> None:
    """Its first seconds are from before it began: what lay there then is on it."""
    walk = cut_and_gone_on(3_500_000, card_read("b", best_us=3_000_000), card_read("c", best_us=4_000_000))
    assert isinstance(walk.state, Saving)
    assert walk.state.draft.read_id == "c"
    assert let_go(walk) == ["a", "b"]
    walk.on(CardSaved(kept(walk.state.draft)))
    assert isinstance(walk.state, Waiting)
    assert walk.state.settled
    assert walk.state.notice == Notice("card.show-again", (("count", "2"),))


def test_a_card_in_question_that_the_new_recording_shows_is_asked_about_once_more_before_the_next() -> None:
    """It was put aside for the one that lay there by then, and nobody was told."""
    walk = cut_and_gone_on(1_000_000, card_read("b", best_us=4_000_000))
    assert isinstance(walk.state, Asking)
    assert walk.state.read.read_id == "a"
    assert [read.read_id for read in walk.state.visit.pending] == ["b"]
    assert let_go(walk) == []


def test_a_card_of_the_recording_before_is_not_rejected_on_the_next() -> None:
    walk = Walk(Waiting(visit(first_us=1)))
    walk.on(CardWasRead(DOUBTFUL), KeyPressed(Key.F9))
    walk.on(RecordingClosed(RECORDING), RecordingBegan("recording-2", 9_000_000), KeyPressed(Key.SPACE))
    assert isinstance(walk.state, Waiting)
    assert (let_go(walk), walk.the(ReadAgain)) == (["a"], ReadAgain())


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(1, 20))
def test_no_card_is_dropped_unsaid(times: list[int], first_s: int) -> None:
    """Every card that was shown is kept, read again, or counted among those that are to be shown again."""
    shown = [card_read(f"c{n}", best_us=at * 1_000_000) for n, at in enumerate(times)]
    walk = cut_and_gone_on(first_s * 1_000_000, *shown)
    saved, again = 0, [effect for effect in walk.effects if isinstance(effect, ReadAgain)]
    while not isinstance(walk.state, Waiting):
        if isinstance(walk.state, Asking):
            walk.on(KeyPressed(Key.F7))
            continue
        assert isinstance(walk.state, Saving)
        saved += 1
        walk.on(CardSaved(kept(walk.state.draft)))
        again += [effect for effect in walk.effects if isinstance(effect, ReadAgain)]
    told = dict(walk.state.notice.args if walk.state.notice else ())
    assert saved + len(again) + int(told.get("count", 0)) == len(shown) + 1
