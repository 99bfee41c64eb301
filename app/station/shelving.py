"""A station's catalogue and what is done to it here: bind a barcode, add a product, and take either back.

Each change is one event of its chain and one file signed by the station's key. The event comes first: no change is in
force that the chain does not tell.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.catalog.own import own_products, sign_bindings, sign_own
from app.catalog.shelf import Shelf, Sources, read_sources
from app.core.audit import EventKind, Stamp
from app.core.errors import BadInput
from app.core.parcels import Operator
from app.core.products import Catalogue, Product, normalise_gtin
from app.keys import Verify
from app.paths import StationFolder
from app.store.following import centre_signed
from app.store.rotating import any_key
from app.store.store import Store


def shelf_of(folder: StationFolder, store: Store) -> Shelf:
    """The published catalogues of a station, held against its centre's pinned key."""
    return Shelf(folder.catalogue, store.centre.tenant, centre_signed(store.ledger))


def station_sources(folder: StationFolder, store: Store) -> Sources:
    """What a station reads by now, signatures checked. Raises as `Shelf.sources`, `Shelf.bound` and `Shelf.own`."""
    shelf, own_key = shelf_of(folder, store), _own_key(store)
    bound = shelf.bound(store.station, own_key)
    sources = shelf.sources(bound, store.rehearsal, shelf.own(store.station, own_key))
    _name, signer, _centre = store.speaker()
    return replace(sources, compiled=shelf.compiled(store.station, own_key, signer.sign))


class Shelving:
    """The changes of one station. `person` must be a supervisor; `reason` is never empty.

    Every call may raise what `station_sources` and the store raise; then nothing changed.
    """

    def __init__(self, folder: StationFolder, store: Store) -> None:
        self._folder, self._store = folder, store
        self._shelf, self._signer = shelf_of(folder, store), store.speaker()[1]

    def catalogue(self) -> Catalogue:
        """What is read by now."""
        return read_sources(station_sources(self._folder, self._store))

    @property
    def bound(self) -> dict[str, str]:
        """GTIN to product id, as bound here."""
        return self._shelf.bound(self._store.station, _own_key(self._store))

    @property
    def own(self) -> tuple[str, ...]:
        """The templates added here, in order."""
        return self._shelf.own(self._store.station, _own_key(self._store))

    def bind(self, gtin: str, product_id: str, reason: str, person: Operator, stamp: Stamp) -> str:
        """An unknown GTIN belongs to a product; gives its 14 digits.

        Raises BadInput("catalog.bad_binding", "catalog.gtin_known", "catalog.unknown_product").
        """
        whole = normalise_gtin(gtin)
        if whole is None:
            raise BadInput("catalog.bad_binding", gtin)
        _must_have_reason(reason)
        catalogue = self.catalogue()
        taken = catalogue.by_gtin(whole)
        if taken is not None:
            raise BadInput("catalog.gtin_known", f"{whole}: {taken.id}")
        if catalogue.by_id(product_id) is None:
            raise BadInput("catalog.unknown_product", product_id)
        body = {"gtin": whole, "product": product_id, "catalogue": catalogue.version}
        self._record(EventKind.GTIN_BOUND, body, reason, person, stamp)
        self._shelf.bind(sign_bindings(self._store.station, self.bound | {whole: product_id}, self._signer.sign))
        return whole

    def release(self, gtin: str, reason: str, person: Operator, stamp: Stamp) -> str:
        """Take a binding back; gives the product it was bound to. Raises BadInput("catalog.not_bound")."""
        _must_have_reason(reason)
        bound = self.bound
        if gtin not in bound:
            raise BadInput("catalog.not_bound", gtin)
        product_id = bound.pop(gtin)
        self._record(EventKind.GTIN_RELEASED, {"gtin": gtin, "product": product_id}, reason, person, stamp)
        self._shelf.bind(sign_bindings(self._store.station, bound, self._signer.sign))
        return product_id

    def add(self, template: str, reason: str, person: Operator, stamp: Stamp) -> Product:
        """Read by this template (TOML with one product) too; the centre gets its text with the event.

        Raises BadInput("catalog.bad_template", "catalog.id_taken", "catalog.gtin_known").
        """
        _must_have_reason(reason)
        added = list(own_products([template]))
        if len(added) != 1:
            raise BadInput("catalog.bad_template", f"{len(added)} products instead of one")
        [product] = added
        catalogue = self.catalogue()
        if catalogue.by_id(product.id) is not None:
            raise BadInput("catalog.id_taken", product.id)
        taken = next((known for gtin in sorted(product.gtins) if (known := catalogue.by_gtin(gtin))), None)
        if taken is not None:
            raise BadInput("catalog.gtin_known", taken.id)
        body = {"product": product.id, "template": template, "catalogue": catalogue.version}
        signed = sign_own(self._store.station, [*self.own, template], self._signer.sign)
        self._record(EventKind.PRODUCT_ADDED, body, reason, person, stamp)
        self._shelf.keep_own(signed)
        return product

    def withdraw(self, product_id: str, reason: str, person: Operator, stamp: Stamp) -> None:
        """Take a product back that was added here. Raises BadInput("catalog.not_added_here")."""
        _must_have_reason(reason)
        own = self.own
        left = [text for text in own if product_id not in {product.id for product in own_products([text])}]
        if len(left) == len(own):
            raise BadInput("catalog.not_added_here", product_id)
        self._record(EventKind.PRODUCT_WITHDRAWN, {"product": product_id}, reason, person, stamp)
        self._shelf.keep_own(sign_own(self._store.station, left, self._signer.sign))

    def roll_back(self, reason: str, person: Operator, stamp: Stamp) -> tuple[str, str]:
        """Read by the published version before again; gives the present and the former. Raises as `Shelf.roll_back`."""
        _must_have_reason(reason)
        before = self._shelf.standing.current
        now = self._shelf.roll_back()
        self._record(EventKind.CATALOGUE_ROLLED_BACK, {"version": now, "before": before}, reason, person, stamp)
        return now, before

    def _record(self, kind: EventKind, body: dict[str, Any], reason: str, person: Operator, stamp: Stamp) -> None:
        self._store.record(kind, {**body, "reason": reason.strip()}, stamp, person.id)


def _must_have_reason(reason: str) -> None:
    if not reason.strip():
        raise BadInput("catalog.no_reason")


def _own_key(store: Store) -> Verify:
    return any_key(store.ledger.identity_now())
