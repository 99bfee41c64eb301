"""The catalogue desk: answers what the catalogue screen asks for, in a thread of its own.

Whatever changes is in force when it is answered: session, eye and screen go on by the new catalogue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from app.catalog.importing import with_initials
from app.catalog.own import own_products
from app.catalog.shelf import Sources, read_sources
from app.catalog.writing import table_of, to_toml
from app.core.errors import Trouble
from app.core.events import Event
from app.core.footage import Line, Pile
from app.core.lessons import LessonFailed, LessonJob, LessonNews
from app.core.parcels import Operator
from app.core.products import Catalogue
from app.core.shelving import Names, Standing, UnknownGtin
from app.paths import StationFolder
from app.station.clock import Clock
from app.station.desk import Refusals, SupervisorsDesk
from app.station.shelving import Shelving, shelf_of, station_sources
from app.station.studying import LEARNER, Studying
from app.store.store import Store
from app.store.writer import StoreWriter

_REFUSALS = Refusals("catalog.not_supervisor", "catalog.shelf_damaged")


class Cataloguing:
    """Implements `app.core.shelving.CatalogueDesk` for one station. `on_bug` is told of bugs in its thread."""

    def __init__(
        self,
        store: StoreWriter,
        folder: StationFolder,
        clock: Clock,
        take_up: Callable[[], None],
        on_bug: Callable[[Exception], None],
        learner: tuple[str, ...] = LEARNER,
        post: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        """`take_up` has everybody read by the catalogue as it is then; `post` hears it when a supervisor who is signed
        in is none any more.
        """
        self._store, self._folder, self._clock = store, folder, clock
        self._take_up, self._on_bug, self._learner = take_up, on_bug, learner
        self._studying: Studying | None = None
        self._desk = SupervisorsDesk("catalogue", _REFUSALS, store, clock, on_bug, post)

    def start(self) -> None:
        self._desk.start()

    def stop(self) -> None:
        """End the thread, after what was asked for before."""
        self._desk.do(self._drop)
        self._desk.stop()

    # What the screen asks for

    def standing(self, who: Operator, tell: Callable[[Standing | Trouble], None]) -> None:
        self._desk.answer(who, self._standing, tell)

    def bind(
        self, who: Operator, gtin: str, product_id: str, reason: str, tell: Callable[[Standing | Trouble], None]
    ) -> None:
        self._change(who, lambda shelving: shelving.bind(gtin, product_id, reason, who, self._clock.stamp()), tell)

    def release(self, who: Operator, gtin: str, reason: str, tell: Callable[[Standing | Trouble], None]) -> None:
        self._change(who, lambda shelving: shelving.release(gtin, reason, who, self._clock.stamp()), tell)

    def study(self, who: Operator, job: LessonJob, tell: Callable[[LessonNews], None]) -> None:
        def begin() -> None:
            self._drop()
            try:
                self._desk.must_be_supervisor(who)
            except Trouble as refused:
                tell(LessonFailed(refused.code, refused.detail))
                return
            self._studying = Studying(self._learner, job, tell, self._on_bug)
            self._studying.start()

        self._desk.do(begin)

    def drop_study(self) -> None:
        self._desk.do(self._drop)

    def add(
        self, who: Operator, template: str, names: Names, reason: str, tell: Callable[[Standing | Trouble], None]
    ) -> None:
        def work(shelving: Shelving) -> None:
            shelving.add(named(template, names), reason, who, self._clock.stamp())

        self._change(who, work, tell)

    def withdraw(self, who: Operator, product_id: str, reason: str, tell: Callable[[Standing | Trouble], None]) -> None:
        self._change(who, lambda shelving: shelving.withdraw(product_id, reason, who, self._clock.stamp()), tell)

    # How it is answered

    def _change(
        self, who: Operator, work: Callable[[Shelving], object], tell: Callable[[Standing | Trouble], None]
    ) -> None:
        def job() -> Standing:
            self._store.call(lambda store: work(Shelving(self._folder, store)))
            self._take_up()
            return self._standing()

        self._desk.answer(who, job, tell)

    def _sources(self, store: Store) -> Sources:
        return station_sources(self._folder, store)

    def _drop(self) -> None:
        if self._studying is not None:
            self._studying.stop()
            self._studying = None

    def _standing(self) -> Standing:
        sources = self._store.call(self._sources)
        catalogue = read_sources(sources)
        now_us = self._clock.wall_us()
        waiting = self._store.call(lambda store: store.footage_lines(Pile.REVIEW, "", now_us)).lines
        published = self._store.call(lambda store: shelf_of(self._folder, store).standing.current)
        own = tuple(product.id for product in own_products(sources.own))
        return Standing(
            catalogue.version, published, len(catalogue.products), unknown(waiting, catalogue), sources.bound, own
        )


def named(template: str, names: Names) -> str:
    """A learned template (TOML with one product) under its names. Raises BadInput("catalog.bad_template")."""
    [product] = own_products([template])
    table = table_of(product) | {"id": names.id, "name_zh": names.zh, "name_en": names.en, "initials": ""}
    note = "Learned at a station; to be confirmed by a person with cards in hand."
    return to_toml([dict(with_initials(table))], rehearsal=product.rehearsal, note=note)


def unknown(lines: Iterable[Line], catalogue: Catalogue) -> tuple[UnknownGtin, ...]:
    """The GTINs of these cards that no product has, the one with the newest card first."""
    met = [(line.gtin, line) for line in lines if line.gtin is not None and catalogue.by_gtin(line.gtin) is None]
    counts = Counter(gtin for gtin, _ in met)
    newest = dict(sorted(met, key=lambda pair: pair[1].wall_us))
    found = (UnknownGtin(gtin, counts[gtin], line.wall_us, line.waybill) for gtin, line in newest.items())
    return tuple(sorted(found, key=lambda one: -one.wall_us))
