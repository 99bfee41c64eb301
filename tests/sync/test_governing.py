"""What the centre governs a station by: policy, vault keys, revocations; signed, and never an older word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.core.cards import CardState, Secret
from app.core.errors import BadInput, EvidenceTrouble, StorageTrouble
from app.core.parcels import Role
from app.core.policy import BOUNDS, Policy
from app.core.rules import Rules
from app.core.rulings import ReviewPolicy
from app.core.sampling import SamplePolicy
from app.keys import Signer, key_id, new_seed
from app.server import governing
from app.server.governing import add_vault_key, policy_told, read_root, revoke, set_policy
from app.server.reference import Item, hand_out
from app.server.setup import OpenCentre, open_centre
from app.server.tables import event, feed, reference
from app.server.users import add_user
from app.station.reviewing import policy_now
from app.store.db import reading
from app.store.governing import is_revoked, policy_of
from app.store.seal import Context
from app.sync.halt import Halt
from app.vault.index import look_up
from app.vault.keys import Vault, make_vault, open_vault
from app.wire import Reference, Revoked, Signed, VaultCertificate, VaultKeyTold, sign_statement
from app.wire_vault import Arrival
from tests.sync.conftest import NOW_US, Party, stamp

NOW_MS = NOW_US // 1000
BY = "os:anna"


def policy(party: Party) -> Policy:
    def read(store: Any) -> Policy:
        with store.ledger.reading() as connection:
            return policy_of(connection)

    return party.writer.call(read)


def sealed_to(party: Party, card_id: str) -> tuple[str, bytes]:
    """Key id and blob of a card's number."""

    def read(store: Any) -> tuple[str, bytes]:
        with store.ledger.reading() as connection:
            row = connection.exec_driver_sql(
                "SELECT key_id, blob FROM sealed WHERE card_id = ? AND field = 'number'", (card_id,)
            ).one()
        return row.key_id, bytes(row.blob)

    return party.writer.call(read)


@pytest.fixture
def root(centre: OpenCentre) -> Signer:
    return read_root(centre.folder.vault / "root.key", centre.centre)


@pytest.fixture
def vault(centre: OpenCentre, tmp_path: Path) -> Any:
    make_vault(tmp_path / "vault", "vault passphrase", "vault-1", centre.centre, new_seed(), centre.folder.vault)
    opened = open_vault(tmp_path / "vault", "vault passphrase")
    yield opened
    opened.close()


def test_a_policy_holds_at_the_station_and_the_latest_word_counts(centre: OpenCentre, party: Party) -> None:
    heard: list[Policy] = []
    set_policy(centre, {"idle_minutes": 9, "rights_hours": 24}, party.store.station, NOW_MS, BY)
    set_policy(centre, {"idle_minutes": 2}, party.store.station, NOW_MS, BY)
    asyncio.run(_round(party, heard.append))
    assert policy(party) == Policy(idle_minutes=2, rights_hours=24) == heard[-1]
    assert policy_told(centre, party.store.station) == policy(party)
    shares = {"sample_read_per_mille": 100, "sample_typed_per_mille": 300}
    set_policy(centre, {"idle_minutes": 2, "ruling_second_above_fen": 0, **shares}, party.store.station, NOW_MS, BY)
    party.round()
    review = policy_now(party.store)  # what the review desk asks before each ruling and draw
    assert (review.review, review.shares) == (ReviewPolicy(0), SamplePolicy(100, 300))
    rules = Rules().governed(policy(party))
    assert (rules.idle_us, rules.armed_us) == (120_000_000, Rules().armed_us)


async def _round(party: Party, on_policy: Callable[[Policy], None]) -> None:
    exchange = party.exchange()
    exchange.on_policy = on_policy
    async with exchange.client:
        await exchange.round()


@pytest.mark.parametrize("field", sorted(BOUNDS))
def test_no_field_leaves_its_bounds(field: str, centre: OpenCentre) -> None:
    low, high = BOUNDS[field]
    for value in (low - 1, high + 1, True, "5", 1.5):
        with pytest.raises(ValueError, match=field):
            Policy().changed({field: value})
    with pytest.raises(BadInput, match=r"centre\.bad_policy"):
        set_policy(centre, {field: high + 1}, "", NOW_MS, BY)
    assert getattr(Policy(), field) in range(low, high + 1)


def test_an_unsigned_and_an_older_policy_change_nothing(centre: OpenCentre, party: Party) -> None:
    name = party.store.station
    set_policy(centre, {"rights_hours": 24}, name, NOW_MS, BY)
    set_policy(centre, {"rights_hours": 48}, name, NOW_MS, BY)
    party.round()
    with reading(centre.engine) as connection:
        rows = connection.execute(select(feed.c.text, feed.c.sig).order_by(feed.c.id)).all()
    older = _signed(rows[0].text, bytes(rows[0].sig))
    party.writer.call(lambda store: store.apply_decisions([older], stamp()))
    assert policy(party).rights_hours == 48
    told = json.loads(rows[1].text)
    told["body"]["rights_hours"], told["revision"] = 720, 99
    forged = _signed(json.dumps(told), bytes(rows[1].sig))
    with pytest.raises(EvidenceTrouble, match="untrusted"):
        party.writer.call(lambda store: store.apply_decisions([forged], stamp()))
    assert policy(party).rights_hours == 48


def _signed(text: str, sig: bytes) -> Any:
    return Signed.model_construct(text=text, sig=sig)


def test_a_page_with_one_bad_item_changes_nothing_at_all(centre: OpenCentre, party: Party) -> None:
    """A page is taken whole or not at all: the good item before the bad one is not kept either."""
    good = Reference(
        tenant=centre.centre.tenant,
        station=party.store.station,
        kind="policy",
        key="current",
        revision=1,
        body=Policy(idle_minutes=9).as_fields(),
    )
    items = [sign_statement(good, centre.signer.sign), sign_statement(good, Signer(new_seed()).sign)]
    with pytest.raises(EvidenceTrouble, match="untrusted"):
        party.writer.call(lambda store: store.apply_decisions(items, stamp()))
    assert policy(party) == Policy()


def test_a_card_worth_more_than_the_policy_lets_pass_needs_a_second_person(centre: OpenCentre, party: Party) -> None:
    set_policy(centre, {"second_signature_fen": 50_000}, party.store.station, NOW_MS, BY)
    before = party.keep()
    assert party.state_of(before) is CardState.KEPT, "the station has not heard of it"
    party.round()
    after = party.keep()
    assert [party.state_of(card) for card in (before, after)] == [CardState.REVIEW] * 2, "the centre has"


def test_new_sealings_use_the_newest_key_and_the_vault_opens_old_and_new(
    centre: OpenCentre, party: Party, vault: Vault, root: Signer
) -> None:
    name, pinned = party.store.station, centre.centre.vault_certificate().key_id
    old_card = party.keep()
    fresh = vault.new_key()
    add_vault_key(centre, fresh, root, name, NOW_MS, BY)
    party.round()
    new_card = party.keep()
    assert sealed_to(party, old_card)[0] == pinned
    assert sealed_to(party, new_card)[0] == key_id(fresh)
    for at, card in enumerate((old_card, new_card), 1):
        context = Context(centre.centre.tenant, name, card, "number")
        assert vault.open(sealed_to(party, card)[1], context).reveal() == f"{6222020012340000 + at}"
    reopened = open_centre(centre.folder.root)
    assert reopened.centre.vault_certificate().key_id == key_id(fresh), "who joins later pins the new key"
    reopened.engine.dispose()


def test_a_vault_that_runs_opens_what_is_sealed_to_a_key_that_was_made_beside_it(
    centre: OpenCentre, party: Party, vault: Vault, root: Signer, tmp_path: Path
) -> None:
    beside = open_vault(tmp_path / "vault", "vault passphrase")
    add_vault_key(centre, beside.new_key(), root, party.store.station, NOW_MS, BY)
    beside.close()
    party.round()
    card = party.keep()
    arrived = Arrival.model_construct(station=party.store.station, card=card, number=sealed_to(party, card)[1])
    assert look_up(vault, arrived).code == ""


def test_a_revoked_key_is_never_used_again_and_old_cards_stay_openable(
    centre: OpenCentre, party: Party, vault: Vault, root: Signer
) -> None:
    name, pinned = party.store.station, centre.centre.vault_certificate().key_id
    fresh = vault.new_key()
    add_vault_key(centre, fresh, root, name, NOW_MS, BY)
    party.round()
    card = party.keep()
    revoke(centre, "vault-key", key_id(fresh), "lost", name, NOW_MS, BY)
    party.round()
    assert sealed_to(party, party.keep())[0] == pinned
    with pytest.raises(BadInput, match=r"centre\.bad_key"):
        add_vault_key(centre, fresh, root, name, NOW_MS, BY)
    hand_out(centre, [Item("revocation", f"vault-key/{key_id(fresh)}")], name, NOW_MS)  # nobody takes it back
    party.round()
    assert sealed_to(party, party.keep())[0] == pinned
    assert vault.open(sealed_to(party, card)[1], Context(centre.centre.tenant, name, card, "number"))
    with pytest.raises(BadInput, match=r"centre\.bad_key"):
        revoke(centre, "vault-key", pinned, "", name, NOW_MS, BY)  # the last one
    assert centre.centre.vault_certificate().key_id == pinned, "who joins later pins no key that was taken back"


def test_a_revocation_that_was_cut_off_is_made_again_by_the_same_call(
    centre: OpenCentre, party: Party, vault: Vault, root: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off behind the first of its two acts, whichever that is, it leaves no pinned key that nobody may use."""
    name, pinned, fresh = party.store.station, centre.centre.vault_certificate().key_id, vault.new_key()
    add_vault_key(centre, fresh, root, name, NOW_MS, BY)
    assert centre.centre.vault_certificate().key_id == key_id(fresh)

    def cut_behind(act: Callable[..., Any]) -> Callable[..., Any]:
        def cut(*given: Any) -> None:
            act(*given)
            raise KeyboardInterrupt

        return cut

    with monkeypatch.context() as changed:
        for act in ("_pin", "hand_out"):
            changed.setattr(governing, act, cut_behind(getattr(governing, act)))
        with pytest.raises(KeyboardInterrupt):
            revoke(centre, "vault-key", key_id(fresh), "lost", name, NOW_MS, BY)
    revoke(centre, "vault-key", key_id(fresh), "lost", name, NOW_MS, BY)
    assert centre.centre.vault_certificate().key_id == pinned
    party.round()
    assert sealed_to(party, party.keep())[0] == pinned


def test_who_joined_after_a_new_key_falls_back_on_the_first_one(
    centre: OpenCentre, vault: Vault, root: Signer, party: Party
) -> None:
    """The first key is pinned only by those who joined before: the others hear of it, or they could seal to none."""
    name, first = party.store.station, centre.centre.vault_certificate().key_id
    add_vault_key(centre, vault.new_key(), root, name, NOW_MS, BY)
    latest = vault.new_key()
    add_vault_key(centre, latest, root, name, NOW_MS, BY)
    with reading(centre.engine) as connection:
        told = connection.execute(select(reference.c.key).where(reference.c.kind == "vault-key")).scalars().all()
    assert first in told
    assert len(told) == 3
    reopened = open_centre(centre.folder.root)
    revoke(reopened, "vault-key", key_id(latest), "lost", name, NOW_MS, BY)
    revoke(reopened, "vault-key", first, "old", name, NOW_MS, BY)
    left = reopened.centre.vault_certificate().key_id
    assert left in set(told) - {first, key_id(latest)}
    with pytest.raises(BadInput, match=r"centre\.bad_key"):
        revoke(reopened, "vault-key", left, "the last one", name, NOW_MS, BY)
    reopened.engine.dispose()


def test_without_any_key_nothing_is_sealed_and_nothing_kept(centre: OpenCentre, party: Party) -> None:
    pinned = centre.centre.vault_certificate().key_id
    hand_out(centre, [Item("revocation", f"vault-key/{pinned}", Revoked())], party.store.station, NOW_MS)
    party.round()
    with pytest.raises(StorageTrouble, match=r"store\.no_vault_key"):
        party.keep()
    assert party.writer.call(lambda store: store.tray("p-1")) == ()


@pytest.mark.parametrize("signed_by_root", [False, True])
def test_a_key_that_the_root_did_not_sign_for_this_tenant_is_not_taken(
    centre: OpenCentre, party: Party, signed_by_root: bool
) -> None:
    """Who has the centre's machine has its server key, and still cannot make stations seal to a key of his own; nor
    to one that the same root named for somebody else.
    """
    public = Signer(new_seed()).public_key
    tenant = "somebody-else" if signed_by_root else centre.centre.tenant
    stated = VaultCertificate(tenant=tenant, key_id=key_id(public), public_key=public.hex(), serial=9)
    root = Signer(bytes.fromhex((centre.folder.vault / "root.key").read_text()))
    told = VaultKeyTold(certificate=sign_statement(stated, (root if signed_by_root else centre.signer).sign))
    hand_out(centre, [Item("vault-key", key_id(public), told)], party.store.station, NOW_MS)
    party.round()
    assert sealed_to(party, party.keep())[0] == centre.centre.vault_certificate().key_id


def test_a_revoked_user_never_signs_in_again(centre: OpenCentre, party: Party) -> None:
    name, passcode = party.store.station, Secret("482915")
    add_user(centre, "2001", "周岚", Role.CLERK, passcode, "", name, NOW_MS, BY)
    party.round()
    assert party.writer.call(lambda store: store.sign_in("2001", passcode, NOW_US))
    revoke(centre, "user", "2001", "left", name, NOW_MS, BY)
    add_user(centre, "2001", "周岚", Role.ADMIN, passcode, "", name, NOW_MS, BY)
    party.round()
    assert party.writer.call(lambda store: store.sign_in("2001", passcode, NOW_US)) is None


def test_a_station_that_hears_of_its_own_end_stops(centre: OpenCentre, party: Party) -> None:
    name = party.store.station
    hand_out(centre, [Item("revocation", f"station/{name}", Revoked())], name, NOW_MS)
    with pytest.raises(Halt, match=r"sync\.revoked"):
        party.round()

    def known(store: Any) -> bool:
        with store.ledger.reading() as connection:
            return is_revoked(connection, "station", name)

    assert party.writer.call(known)


def test_rights_lapse_after_the_hours_of_the_policy(centre: OpenCentre, party: Party) -> None:
    name, passcode = party.store.station, Secret("482915")
    add_user(centre, "2001", "周岚", Role.SUPERVISOR, passcode, "", name, NOW_MS, BY)
    set_policy(centre, {"rights_hours": 2}, name, NOW_MS, BY)
    party.round()
    hour_us = 3600 * 1_000_000
    roles = [
        party.writer.call(lambda store, late=late: store.sign_in("2001", passcode, NOW_US + late * hour_us)).role
        for late in (1, 3)
    ]
    assert roles == [Role.SUPERVISOR, Role.CLERK]


def test_the_log_tells_who_did_it(centre: OpenCentre, party: Party) -> None:
    set_policy(centre, {"idle_minutes": 9}, party.store.station, NOW_MS, BY)
    with reading(centre.engine) as connection:
        data = connection.execute(select(event.c.data).where(event.c.kind == "centre.handed-out")).scalars().all()
    [told] = [json.loads(bytes(one)) for one in data]
    assert told["actor"] == BY
    assert told["body"]["reference"]["kind"] == "policy"
