"""The tracker: each card once, a nudge posts nothing, a swap posts the new one, a card that goes too soon is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from app.eye.tracker import LEAST_LOOKS, MOST_LOOKS, Empty, News, Presence, Reading, Step, Tracker, Wish

FRAME_US = 33_333


@dataclass
class Table:
    """A table on which a script puts cards: `card` 0 is none. The tracker's wishes are granted from it."""

    sure_after: int = 2
    whole: bool = True
    tracker: Tracker = field(default_factory=Tracker)
    at_us: int = 0
    looks: int = 0
    read: int = 0  # the card that was read last
    told: list[tuple[News, int]] = field(default_factory=list)

    def frame(self, card: int, moving: bool, presence: Presence | None = None) -> None:
        self.at_us += FRAME_US
        there = presence or (Presence.FIT if card else Presence.NONE)
        step = self.tracker.glanced(self.at_us, moving)
        for _ in range(10):
            self._note(step, card)
            if step.wish is Wish.NOTHING:
                return
            step = self._grant(step, card, moving, there)
        raise AssertionError("the tracker never has enough")

    def _grant(self, step: Step, card: int, moving: bool, there: Presence) -> Step:
        match step.wish:
            case Wish.LOCATE:
                return step.tracker.located(self.at_us, there, moving)
            case Wish.LOOK:
                self.looks += 1
                return step.tracker.looked(self.at_us, self.looks >= self.sure_after, self.whole)
            case _:
                return step.tracker.compared(self.at_us, card == self.read)

    def _note(self, step: Step, card: int) -> None:
        self.tracker = step.tracker
        if step.news is News.NONE:
            return
        if step.news is News.READ:
            self.read = card or self.read
        self.looks = 0
        self.told.append((step.news, card))

    def put(self, card: int, moving: int = 12, still: int = 40) -> None:
        for _ in range(moving):
            self.frame(card, moving=True)
        for _ in range(still):
            self.frame(card, moving=False)

    def clear(self, frames: int = 40) -> None:
        for _ in range(8):
            self.frame(0, moving=True)
        for _ in range(frames):
            self.frame(0, moving=False)

    @property
    def reads(self) -> list[int]:
        return [card for news, card in self.told if news is News.READ]


def test_an_empty_table_tells_nothing() -> None:
    table = Table()
    table.clear(200)
    assert table.told == []


def test_a_card_is_read_once_however_long_it_lies() -> None:
    table = Table()
    table.put(1, still=900)
    assert table.reads == [1]


def test_a_card_that_lay_there_at_the_start_is_read() -> None:
    table = Table()
    for _ in range(20):
        table.frame(1, moving=False)
    assert table.reads == [1]


def test_cards_one_after_another_are_each_read_once() -> None:
    table = Table()
    for card in (1, 2, 3):
        table.put(card)
        table.clear()
    assert table.reads == [1, 2, 3]


def test_a_nudge_posts_nothing() -> None:
    table = Table()
    table.put(1)
    table.put(1, moving=20)
    assert table.reads == [1]


def test_a_swap_without_an_empty_table_posts_the_new_card() -> None:
    table = Table()
    table.put(1)
    table.put(2, moving=15)
    assert table.reads == [1, 2]


def test_a_card_gone_before_it_was_still_left_too_early() -> None:
    table = Table()
    for _ in range(20):
        table.frame(1, moving=True)
    table.clear()
    assert [news for news, _ in table.told] == [News.LEFT_TOO_EARLY]


def test_a_card_waved_past_in_an_instant_tells_nothing() -> None:
    table = Table()
    for _ in range(4):
        table.frame(1, moving=True)
    table.clear()
    assert table.told == []


def test_a_card_gone_in_the_middle_of_reading_is_posted_as_far_as_it_was_read() -> None:
    table = Table(sure_after=99)
    table.put(1, still=4)
    table.clear()
    assert [news for news, _ in table.told] == [News.READ]


def test_a_card_that_is_not_in_view_whole_is_waited_for() -> None:
    """It is posted as far as it was read where nobody pushes it into view, and soon where that leaves nothing open."""
    table = Table(sure_after=99, whole=False)
    table.put(1, still=60)
    assert table.reads == []
    assert table.looks <= 10
    table.put(1, moving=0, still=60)
    assert table.reads == [1]
    table = Table(whole=False)
    table.put(1, still=20)
    assert table.reads == [1]


def test_a_card_that_never_gets_sure_is_posted_after_the_last_look() -> None:
    table = Table(sure_after=99)
    table.put(1, still=120)
    assert table.reads == [1]
    assert table.looks < MOST_LOOKS


def test_a_slow_reader_does_not_keep_the_clerk_waiting() -> None:
    """A look a third of a second: the answer comes with the first look that begins after the time is over."""
    tracker, at_us, begun = Tracker(Reading(0)), 0, 0
    news = News.NONE
    while news is News.NONE:
        begun += 1
        step = tracker.looked(at_us, sure=False)
        tracker, news = step.tracker, step.news
        at_us += 333_000
    assert news is News.READ
    assert LEAST_LOOKS <= begun <= 4


def test_two_cards_are_not_read() -> None:
    table = Table()
    for n in range(80):
        table.frame(1, moving=n < 8, presence=Presence.UNFIT)
    assert table.reads == []


def test_a_card_made_fit_by_moving_it_is_read() -> None:
    table = Table()
    for n in range(60):
        table.frame(1, moving=n < 8, presence=Presence.UNFIT)
    table.put(1)
    assert table.reads == [1]


def test_read_again_reads_the_card_that_lies_there() -> None:
    table = Table()
    table.put(1)
    step = table.tracker.read_again(table.at_us)
    assert step.news is News.NEW_CARD
    table.tracker, table.looks = step.tracker, 0
    for _ in range(20):
        table.frame(1, moving=False)
    assert table.reads == [1, 1]


def test_read_again_of_an_empty_table_does_nothing() -> None:
    table = Table()
    table.clear()
    assert table.tracker.read_again(table.at_us) == Step(table.tracker)


def test_a_forgotten_card_counts_as_new() -> None:
    table = Table()
    table.put(1)
    table.tracker, table.looks = table.tracker.forgotten().tracker, 0
    for _ in range(60):
        table.frame(1, moving=False)
    assert table.reads == [1, 1]


frames = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 30)), max_size=25)


def _spread(script: list[tuple[int, bool, int]]) -> Iterator[tuple[int, bool]]:
    for card, moving, count in script:
        for _ in range(count):
            yield card, moving


@settings(max_examples=80, deadline=None)
@given(script=frames)
def test_no_card_is_read_twice_in_one_stay(script: list[tuple[int, bool, int]]) -> None:
    table = Table()
    stay: list[int] = []
    before = 0
    for card, moving in _spread(script):
        count = len(table.reads)
        # Another card means that something moved: cards do not change by themselves.
        table.frame(card, moving or card != before)
        if card != before:
            stay = []
        before = card
        stay += table.reads[count:]
        assert len([c for c in stay if c == card and card]) <= 1


@settings(max_examples=80, deadline=None)
@given(script=frames)
def test_after_any_story_a_card_put_down_is_read(script: list[tuple[int, bool, int]]) -> None:
    table = Table()
    for card, moving in _spread(script):
        table.frame(card, moving)
    table.clear(120)
    assert isinstance(table.tracker.phase, Empty)
    table.put(7)
    assert table.reads[-1:] == [7]
