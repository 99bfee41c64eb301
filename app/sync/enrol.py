"""A station joins a centre by a one-time code: both sides prove that they know it, then the centre's keys are pinned.

The station's key is made and kept before the first request, so that a lost answer is asked for again with the same key.
"""

from __future__ import annotations

import hmac
import platform
from dataclasses import dataclass

from app.centre_keys import certified, server_keys
from app.core.errors import BadInput, EvidenceTrouble, Unavailable
from app.keys import Signer, code_key, verifier
from app.sync.client import CentreClient, CentreRefused
from app.wire import Centre, open_statement, sign_statement, words_to_compare
from app.wire_enrol import Enrolled, Enrolment, EnrolmentAnswer, EnrolRequest, enrolment_proof

_NEVER = {"enrol.code": "enrol.code", "enrol.used": "enrol.used", "enrol.kind": "enrol.kind"}


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks to join: the fresh key, the code that was read out, whether it is for rehearsals.

    `centre`: what the centre said of itself before; what it hands over in the end has to be the same.
    """

    signer: Signer
    code: str
    rehearsal: bool
    centre: Centre

    @property
    def words(self) -> str:
        """The six words, to be compared with what the centre shows."""
        return words_to_compare(self.signer.public_key.hex(), self.centre)


async def ask_to_join(client: CentreClient, applicant: Applicant) -> Enrolled:
    """One attempt: who the station is, and what to pin.

    Raises BadInput: enrol.code (unknown, used up or mistyped), enrol.used (another key came with it), enrol.kind;
    EvidenceTrouble("enrol.untrusted") when whoever answers does not know the code; Unavailable.
    """
    key = code_key(applicant.code)
    host = platform.node()[:100] or "unknown"
    stated = EnrolRequest(public_key=applicant.signer.public_key.hex(), rehearsal=applicant.rehearsal, host=host)
    request = sign_statement(stated, applicant.signer.sign)
    proof = enrolment_proof(key, "station", request.text)
    try:
        answer = await client.enrol(Enrolment.model_construct(request=request, proof=proof))
    except CentreRefused as refused:
        if refused.reason in _NEVER:
            raise BadInput(_NEVER[refused.reason]) from refused
        raise
    return _trusted(answer, key, applicant)


def _trusted(answer: EnrolmentAnswer, key: bytes, applicant: Applicant) -> Enrolled:
    """The answer, when it comes from who gave the code out and speaks of our key."""
    if not hmac.compare_digest(enrolment_proof(key, "centre", answer.enrolled.text), answer.proof):
        raise EvidenceTrouble("enrol.untrusted", "proof")
    claimed_key = Enrolled.model_validate_json(answer.enrolled.text).centre.server_key
    told = open_statement(Enrolled, answer.enrolled, verifier(bytes.fromhex(claimed_key)))
    if told.public_key != applicant.signer.public_key.hex():
        raise EvidenceTrouble("enrol.untrusted", "key")
    if told.centre != applicant.centre:
        raise EvidenceTrouble("enrol.untrusted", "centre")
    told.centre.vault_certificate()
    server_keys(told.centre)
    if told.centre.server is not None and certified(told.centre.server, told.centre).public_key != claimed_key:
        raise EvidenceTrouble("enrol.untrusted", "centre")
    return told


def require_active(told: Enrolled) -> Enrolled:
    """Raises Unavailable("station.pending") while somebody has to confirm the words."""
    if told.state == "pending":
        raise Unavailable("station.pending", told.station)
    return told
