"""How fast a centre's log is verified: in its database, and as an export by the program that goes with it.

    CI_AUDIT_EVENTS=30000 CI_AUDIT_STATIONS=3 python -m tests.bench audit

Processor time, of events with 600 characters; `quick` checks those signatures that vouch for everything before them.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.core.merkle import CompactTree, leaf_hash
from app.keys import verifier
from app.rotation import by_key, parts_fault
from app.server.admit import Caller
from app.server.checkpoints import publish
from app.server.enrol import admit_station
from app.server.export import export_log
from app.server.intake import Asked, take_together
from app.server.known import Known
from app.server.setup import OpenCentre, init, open_centre
from app.signing import ReadSignature, RequestMarks
from app.store.verify import LOG_VERIFIER, verify_audit
from app.wire import BatchAnswer, EventBatch
from tests.bench.bench_intake import Sender

EVENTS = int(os.environ.get("CI_AUDIT_EVENTS", "30000"))
STATIONS = int(os.environ.get("CI_AUDIT_STATIONS", "3"))
BATCH = 500


def filled(folder: Path) -> tuple[OpenCentre, list[Sender]]:
    """A centre with so many events, as stations bring them."""
    init(folder)
    centre = open_centre(folder)
    senders = [Sender(f"st-{n}") for n in range(STATIONS)]
    for one in senders:
        admit_station(centre, one.name, one.signer.public_key, "rehearsal", 0)
        one.fill(BATCH, EVENTS // STATIONS)
    known, now_ms = Known(centre.engine), time.time_ns() // 1_000_000
    for n in range(len(senders[0].batches)):
        asked = [Asked(EventBatch.of(one.name, one.batches[n]), caller(one, now_ms)) for one in senders]
        answers = take_together(centre, known, asked, now_ms)
        assert all(isinstance(one, BatchAnswer) for one in answers)
        publish(centre, now_ms)
    return centre, senders


def caller(one: Sender, now_ms: int) -> Caller:
    marks = RequestMarks(one.name, os.urandom(12).hex(), now_ms // 1000, now_ms // 1000 + 60)
    return Caller(ReadSignature(marks, b"request", one.signer.sign(b"request")))


def rate(work: Callable[[], Any]) -> float:
    """Events a second of processor time; the best of three, for the others were disturbed."""
    took = []
    for _ in range(3):
        begin_s = time.process_time()
        work()
        took.append(time.process_time() - begin_s)
    return EVENTS / min(took)


def good(report: dict[str, Any]) -> None:
    assert report["ok"], report


def main() -> dict[str, float]:
    """Figures as JSON on stdout."""
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name) / "centre", Path(name) / "log.jsonl"
        centre, senders = filled(folder)
        export_log(centre.engine, centre.centre, log)
        centre.engine.dispose()
        events = [[event for batch in one.batches for event in batch] for one in senders]
        data = [event.data for chain in events for event in chain]

        def chains() -> None:
            for one, chain in zip(senders, events, strict=True):
                fault, _ = parts_fault(by_key(chain, one.signer.public_key), station=one.name, every=False)
                assert fault is None

        check = runpy.run_path(str(LOG_VERIFIER))["check"]
        figures = {
            "signature checks/s": 1 / _check_s(senders[0]),
            "chains in memory, quick: entries/s": rate(chains),
            "tree in memory: entries/s": rate(lambda: CompactTree().grown(map(leaf_hash, data)).root()),
            "centre's folder, quick: entries/s": rate(lambda: good(verify_audit(folder, every=False))),
            "centre's folder, each signature: entries/s": rate(lambda: good(verify_audit(folder))),
            "export by its own program, quick: entries/s": rate(lambda: good(check(str(log), False))),
        }
    for label, value in figures.items():
        print(f"{label:48} {value:12,.0f}", file=sys.stderr)
    print(json.dumps({label: round(value) for label, value in figures.items()}))
    return figures


def _check_s(one: Sender) -> float:
    verify, event = verifier(one.signer.public_key), one.batches[0][0]
    begin_s = time.process_time()
    for _ in range(200):
        assert verify(event.sig, event.data)
    return (time.process_time() - begin_s) / 200


if __name__ == "__main__":
    main()
