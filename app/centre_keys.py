"""Which keys speak for a centre: the tenant root names each, the newest signs, an earlier one answers for a while yet.

What was signed once (receipts, decisions, the word on a recording) holds by the key of its time for ever. An answer
over the line holds by the newest key that is known, and by an earlier one only until the newest stands alone, so that
several processes behind one address need not change at the same moment. Nobody at the centre can name a key: the root's
own key lies elsewhere, and a station, the vault and whoever verifies hold every name against it.
"""

from __future__ import annotations

from app.core.errors import EvidenceTrouble
from app.keys import Verify, by_any_key, key_id, verifier
from app.wire import Centre, ServerCertificate, Signed, open_statement

OVERLAP_MS = 24 * 3600 * 1000
"""How long an earlier key's answers are believed after a change that nothing forced."""


def certified(signed: Signed, centre: Centre) -> ServerCertificate:
    """A certificate that the centre's root gave for this tenant. Raises EvidenceTrouble("sync.untrusted_answer")."""
    told = open_statement(ServerCertificate, signed, verifier(bytes.fromhex(centre.root_key)))
    if told.tenant != centre.tenant:
        raise EvidenceTrouble("sync.untrusted_answer", "server-key: of another tenant")
    return told


def server_keys(centre: Centre) -> tuple[bytes, ...]:
    """Every key (32 bytes) that signed for the centre, the newest first. Raises EvidenceTrouble as `certified`."""
    before = (certified(one, centre).public_key for one in centre.earlier)
    return tuple(bytes.fromhex(one) for one in dict.fromkeys((centre.server_key, *before)))


def by_any(centre: Centre) -> Verify:
    """A check for what the centre signed at some time."""
    return by_any_key(server_keys(centre))


def by_now(centre: Centre, now_ms: int) -> Verify:
    """A check for what the centre answers at `now_ms` (its own clock)."""
    alone = centre.server is None or now_ms >= certified(centre.server, centre).alone_ms
    return verifier(bytes.fromhex(centre.server_key)) if alone else by_any(centre)


def key_that_signed(signed: Signed, centre: Centre) -> tuple[bytes, Signed | None]:
    """Which of the centre's keys signed a statement, and the root's certificate for it (None: of a centre without).

    Raises EvidenceTrouble("sync.untrusted_answer") when none did.
    """
    for public_key in server_keys(centre):
        if verifier(public_key)(signed.sig, signed.text.encode()):
            return public_key, certificate_of(public_key, centre)
    raise EvidenceTrouble("sync.untrusted_answer", "signature")


def certificate_of(public_key: bytes, centre: Centre) -> Signed | None:
    """The root's word on one of the centre's keys."""
    if public_key.hex() == centre.server_key:
        return centre.server
    return next((one for one in centre.earlier if certified(one, centre).public_key == public_key.hex()), None)


def is_known(name: str, centre: Centre) -> bool:
    """Whether a key id is of one of the centre's keys."""
    return any(key_id(one) == name for one in server_keys(centre))


def followed(pinned: Centre, told: Centre) -> Centre | None:
    """What is pinned, with a newer key that the pinned root names; None when `told` names none that is newer.

    All else that is pinned stays, whatever else was told; keys that were known stay known.
    Raises EvidenceTrouble("sync.untrusted_answer") when a certificate is not by the pinned root.
    """
    if told.server is None or told.server_key == pinned.server_key:
        return None
    newest = certified(told.server, pinned)
    if newest.public_key != told.server_key or newest.from_ms <= _since(pinned):
        return None
    known = {one.text: one for one in (*pinned.earlier, *told.earlier, *([pinned.server] if pinned.server else []))}
    for one in known.values():
        certified(one, pinned)
    if pinned.server_key not in {certified(one, pinned).public_key for one in known.values()}:
        return None  # of a centre from before there were certificates: it has to name the key that is pinned, too
    latest_first = sorted(known.values(), key=lambda one: certified(one, pinned).from_ms, reverse=True)
    return pinned.model_copy(
        update={"server_key": told.server_key, "server": told.server, "earlier": tuple(latest_first)}
    )


def _since(centre: Centre) -> int:
    return certified(centre.server, centre).from_ms if centre.server else -1
