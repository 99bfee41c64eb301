"""The same number at two stations: a keyed index whose key never leaves the vault."""

from __future__ import annotations

import hmac

from sqlalchemy import insert, select

from app.core.errors import EvidenceTrouble
from app.store.db import transaction
from app.store.seal import Context
from app.vault.keys import Vault
from app.vault.tables import claim
from app.wire_vault import Arrival, Finding


def look_up(vault: Vault, arrived: Arrival) -> Finding:
    """Who had this number first: the card itself, or an earlier one. What cannot be opened goes to a person.

    Asking again gives the same answer.
    """
    context = Context(vault.centre.tenant, arrived.station, arrived.card, "number")
    try:
        number = vault.open(arrived.number, context)
    except EvidenceTrouble:
        return Finding(station=arrived.station, card=arrived.card, code="not-openable")
    index = hmac.digest(vault.index_key, number.reveal().encode(), "sha256")
    with transaction(vault.engine) as connection:
        first = connection.execute(select(claim).where(claim.c.number == index)).first()
        if first is None:
            connection.execute(insert(claim), {"number": index, "station": arrived.station, "card": arrived.card})
    if first is None or (first.station, first.card) == (arrived.station, arrived.card):
        return Finding(station=arrived.station, card=arrived.card)
    return Finding(
        station=arrived.station, card=arrived.card, code="duplicate", of_station=first.station, of_card=first.card
    )
