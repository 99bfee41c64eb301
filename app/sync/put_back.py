"""When the centre was put back to an earlier state: what of its log that we saw is still there, and what was lost.

The centre says how far the new log is the old one (`Restored`, signed). Up to there it has to prove it: the new log
begins with what we saw. What we saw beyond is lost there; it is said how much, and which of our own events went with
it, which are sent again. All of that goes into our chain, with the signed words of the centre for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.centre_keys import by_any
from app.core.errors import EvidenceTrouble
from app.core.merkle import is_prefix
from app.store.heads import TreeHead
from app.store.notes import Checkpoint
from app.wire import Centre, Signed, open_statement
from app.wire_witness import Restored


@dataclass(frozen=True, slots=True)
class PutBack:
    """An epoch that is over: `kept` entries of its log are in the log of now, by the centre's `word` ("" for none).

    `proved`: the largest head that we hold within those, `lost`: the largest beyond them; None where we hold none.
    """

    epoch: str
    kept: int
    word: str
    restored_root: bytes
    proved: TreeHead | None
    lost: TreeHead | None

    def to_prove(self) -> list[tuple[int, bytes]]:
        """Sizes and roots that the log of now has to begin with."""
        found = [(self.proved.size, self.proved.root)] if self.proved else []
        return [*found, (self.kept, self.restored_root)] if self.word and self.kept else found


def put_back(epoch: str, now: str, heads: Sequence[TreeHead], told: Sequence[Signed], centre: Centre) -> PutBack:
    """What the centre's words leave of an epoch's log. Raises EvidenceTrouble("sync.untrusted_answer")."""
    verify = by_any(centre)
    listed = [(open_statement(Restored, signed, verify), signed) for signed in told]
    words = {stated.before: (stated, signed) for stated, signed in listed}
    kept, word, root, at = heads[-1].size if heads else 0, "", b"", epoch
    while at != now:
        found = words.pop(at, None)
        if found is None or found[0].tenant != centre.tenant:  # the centre does not say what became of it
            kept, word, root = 0, "", b""
            break
        stated, signed = found
        if not word or stated.size < kept:
            kept, word, root = stated.size, signed.text, bytes.fromhex(stated.root)
        at = stated.epoch
    within = [head for head in heads if head.size <= kept]
    beyond = [head for head in heads if head.size > kept]
    return PutBack(epoch, kept, word, root, within[-1] if within else None, beyond[-1] if beyond else None)


def require_proofs(found: PutBack, shown: Checkpoint, proofs: Sequence[Sequence[str]]) -> tuple[int, bytes] | None:
    """The first size and root that the log of now does not begin with; None when it begins with all of them.

    Raises EvidenceTrouble("audit.checkpoint") for too few proofs.
    """
    wanted = found.to_prove()
    if len(proofs) != len(wanted):
        raise EvidenceTrouble("audit.checkpoint", "proofs")
    for (size, root), proof in zip(wanted, proofs, strict=True):
        if not is_prefix(size, root, shown.size, shown.root, [bytes.fromhex(one) for one in proof]):
            return size, root
    return None
