"""What other stations saw of the centre's log, held against what is shown here: a log of one's own is found out.

Each of them countersigned a checkpoint. The log that we are shown has to begin with it; where it does not, the centre
signed two logs, and both statements are its own. Whose key we know already speaks by that one or by one it named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.centre_keys import server_keys
from app.core.audit import digest
from app.core.errors import EvidenceTrouble
from app.core.merkle import is_prefix
from app.keys import verifier
from app.rotation import key_after
from app.store.notes import Checkpoint, cosigned_at, origin_of, read_checkpoint
from app.store.others import Other
from app.wire import Centre
from app.wire_witness import CheckpointAnswer, SeenElsewhere


@dataclass(frozen=True, slots=True)
class Compared:
    """Whose checkpoints are in the log that we are shown, and the first that is `apart` from it, with its own."""

    fits: tuple[Other, ...] = ()
    apart: tuple[SeenElsewhere, Checkpoint] | None = None


def compare(
    own: str, answer: CheckpointAnswer, shown: Checkpoint, known: Mapping[str, Other], centre: Centre
) -> Compared:
    """Hold the other stations' checkpoints against the one that is shown here, to `own`. `known`: who was heard of
    before.

    Raises EvidenceTrouble: sync.station_replaced (somebody speaks in the name of a station whose key we know),
    audit.checkpoint (a word that is none).
    """
    origin, keys = origin_of(centre.tenant, answer.epoch), server_keys(centre)
    fits = []
    for told in (one for one in answer.elsewhere if one.station != own):
        seen = read_checkpoint(told.note, origin, keys)
        fits.append(_who(told, seen, known.get(told.station)))
        proof = [bytes.fromhex(one) for one in told.proof]
        if not is_prefix(seen.size, seen.root, shown.size, shown.root, proof):
            return Compared(tuple(fits[:-1]), (told, seen))
    return Compared(tuple(fits))


def _who(told: SeenElsewhere, seen: Checkpoint, before: Other | None) -> Other:
    """The station that countersigned, by one of its keys."""
    keys = _keys_of(told)
    if before is not None and before.key not in keys:
        raise EvidenceTrouble("sync.station_replaced", told.station)
    for key in reversed(keys):
        at_s = cosigned_at(told.line, seen, told.station, key)
        if at_s is not None:
            return Other(told.station, keys[-1], seen.size, at_s)
    raise EvidenceTrouble("audit.checkpoint", "countersignature")


def _keys_of(told: SeenElsewhere) -> list[bytes]:
    """The keys that a station had, each named by the one before."""
    keys = [bytes.fromhex(told.first_key)]
    for sent in told.rotations:
        event, key = sent.signed_event(), keys[-1]
        after = key_after(event, key)
        if digest(event.data) != event.hash or not verifier(key)(event.sig, event.data) or after == key:
            raise EvidenceTrouble("audit.checkpoint", "rotation")
        keys.append(after)
    return keys
