"""What the centre does lies in its own chain, in the log: who did what, and that nothing was left out."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from app.core.audit import CENTRE, CentreAct
from app.core.cards import Secret
from app.core.errors import BadInput
from app.core.parcels import Role
from app.keys import Signer, new_seed
from app.server.enrol import admit_station, make_code, revoke_station
from app.server.export import export_log
from app.server.governing import set_policy
from app.server.log import Deciding, note_act
from app.server.reference import expected_parcels, hand_out
from app.server.report import report
from app.server.setup import init, open_centre
from app.server.users import add_user
from app.store.db import transaction
from app.store.verify import LOG_VERIFIER, verify_audit

NOW_MS = 1_790_000_000_000


def test_every_act_is_in_the_log_with_who_did_it(tmp_path: Path) -> None:
    folder = init(tmp_path / "centre").root
    centre = open_centre(folder)
    make_code(centre, "st-2", "store", NOW_MS, by="os:anna")
    admit_station(centre, "st-1", Signer(new_seed()).public_key, "store", NOW_MS, "os:anna")
    hand_out(centre, expected_parcels([{"waybill": "SF1", "declared": 2}]), "", NOW_MS, "os:ben")
    add_user(centre, "2001", "周岚", Role.CLERK, Secret("482915"), "", "", NOW_MS, "os:ben")
    set_policy(centre, {"idle_minutes": 9}, "", NOW_MS, "os:ben")
    revoke_station(centre, "st-1", NOW_MS, "os:anna")
    listed = report(centre.engine, "acts")
    assert [(one["by"], one["act"]) for one in listed] == [
        ("os:anna", "centre.code-made"),
        ("os:anna", "centre.station-joined"),
        *[("os:ben", "centre.handed-out")] * 3,
        ("os:anna", "centre.station-revoked"),
    ]
    told = [one["reference"] for one in listed if one["act"] == "centre.handed-out"]
    assert [(one["kind"], one["key"], one.get("role")) for one in told[1:]] == [
        ("user", "2001", "clerk"),
        ("policy", "current", None),
    ]
    assert "482915" not in json.dumps(listed)
    assert [row["station"] for row in report(centre.engine, "stations")] == ["st-1"], "the centre is none of them"
    entries = export_log(centre.engine, centre.centre, tmp_path / "log.jsonl")
    centre.engine.dispose()
    checked = runpy.run_path(str(LOG_VERIFIER))["check"](str(tmp_path / "log.jsonl"), True)
    assert (checked["ok"], checked["stations"][CENTRE], entries) == (True, 6, 6)
    told = verify_audit(folder)
    assert (told["ok"], told["chains"][-1]["acts"]["os:ben centre.handed-out"]) == (True, 3)


def test_an_act_that_was_taken_out_is_missed(tmp_path: Path) -> None:
    folder = init(tmp_path / "centre").root
    centre = open_centre(folder)
    admit_station(centre, "st-1", Signer(new_seed()).public_key, "store", NOW_MS, "os:anna")
    revoke_station(centre, "st-1", NOW_MS, "os:anna")
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER event_delete_refused")
        connection.exec_driver_sql("DELETE FROM event WHERE kind = 'centre.station-revoked'")
    centre.engine.dispose()
    assert verify_audit(folder)["ok"] is False


def test_nobody_acts_upon_the_centre_as_if_it_were_a_station(tmp_path: Path) -> None:
    centre = open_centre(init(tmp_path / "centre").root)
    admit_station(centre, "st-1", Signer(new_seed()).public_key, "store", NOW_MS)
    with pytest.raises(BadInput, match=r"station\.state"):
        revoke_station(centre, CENTRE, NOW_MS)
    centre.engine.dispose()


@pytest.mark.parametrize("reason", ["客户投诉 4711", "  ", None])
def test_a_secret_that_was_shown_without_a_reason_is_found(tmp_path: Path, reason: str | None) -> None:
    """Whoever holds the centre may write into its chain what he likes; the verifier wants the reason before."""
    centre = open_centre(init(tmp_path / "centre").root)
    deciding = Deciding.of(centre, NOW_MS)
    with transaction(centre.engine) as connection:
        if reason is not None:
            note_act(connection, deciding, CentreAct.REVEAL_ASKED, {"reveal": "ab", "reason": reason})
        note_act(connection, deciding, CentreAct.REVEAL_GRANTED, {"reveal": "ab", "who": "x"})
    export_log(centre.engine, centre.centre, tmp_path / "log.jsonl")
    centre.engine.dispose()
    checked = runpy.run_path(str(LOG_VERIFIER))["check"](str(tmp_path / "log.jsonl"), True)
    assert checked["ok"] is (reason == "客户投诉 4711")
    assert checked["ok"] or "without a reason" in checked["wrong"]
