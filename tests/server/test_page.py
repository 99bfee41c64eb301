"""The operator's page and figures: true, harmless, and for the centre's own machine."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event, insert

from app.core.audit import GENESIS, EventKind, Stamp, link
from app.keys import Signer, new_seed
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station, revoke_station
from app.server.page import metrics_of, page_of
from app.server.report import report, reveals_latest
from app.server.routes import make_app
from app.server.setup import OpenCentre, init, open_centre
from app.server.tables import reveal
from app.store.db import transaction
from app.wire import sign_statement
from app.wire_vault import RevealRequest
from tests.players import QUIET, browser_or_skip
from tests.server.test_postgres import Station

NOW_MS = 1_790_000_000_000


def get(centre: OpenCentre, path: str, host: str = "127.0.0.1", name: str = "127.0.0.1:8765") -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(centre, now_ms=lambda: NOW_MS), client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{name}") as http:
            return await http.get(path)

    return asyncio.run(run())


def test_page_and_figures_tell_of_every_station(centre: OpenCentre) -> None:
    for name in ("st-1", 'st<b>"2'):
        admit_station(centre, name, Signer(new_seed()).public_key, "rehearsal", 0)
    revoke_station(centre, "st-1", NOW_MS)
    page = get(centre, "/").text
    assert "<td>st-1</td><td>revoked</td><td>0</td><td>—</td>" in page
    assert "st&lt;b&gt;&quot;2" in page
    figures = get(centre, "/metrics").text
    assert 'cardintake_stations{state="active"} 1' in figures
    assert 'cardintake_events{station="st<b>\\"2"} 0' in figures


@pytest.mark.parametrize("path", ["/", "/metrics"])
def test_strangers_see_nothing(centre: OpenCentre, path: str) -> None:
    assert get(centre, path, "192.0.2.7").status_code == 403
    assert get(centre, path, "192.0.2.7", "localhost").status_code == 403


@pytest.mark.parametrize("path", ["/", "/metrics"])
@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "evil.example:8765", "192.0.2.7", "[::", ""]
)
def test_a_name_that_leads_here_is_not_this_machine(centre: OpenCentre, path: str, name: str) -> None:
    """A page in the operator's browser, whose name was made to lead to 127.0.0.1 after it was loaded."""
    if name in ("[::", ""):  # no client asks so, but a line of its own can say it

        async def ask() -> int:
            transport = httpx.ASGITransport(make_app(centre, now_ms=lambda: NOW_MS), client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
                return (await http.get(path, headers={"Host": name})).status_code

        assert asyncio.run(ask()) == 403
        return
    assert get(centre, path, name=name).status_code == 403


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST:1"])
def test_this_machine_by_any_of_its_names(centre: OpenCentre, name: str) -> None:
    assert get(centre, "/", name=name).status_code == 200


def test_how_far_a_queue_is_behind_is_told(centre: OpenCentre) -> None:
    """Events that come three hours after they happened; one that does not say when is no trouble."""
    station = Station(centre, "st-1")
    stamp = Stamp((NOW_MS - 3 * 3_600_000) * 1000, 5, "boot", clock_offset_ms=60_000)
    told = {"event_id": "e", "station": "st-1", "seq": 1, "prev": GENESIS, "kind": EventKind.UNEXPECTED}
    late = link(**told, stamp=stamp, actor="1", body={}, sign=station.signer.sign)  # type: ignore[arg-type]
    station.send(centre, [late])
    [row] = report(centre.engine, "stations")
    assert row["queue_age_ms"] == 3 * 3_600_000 - 60_000
    assert "<td>2 h</td>" in get(centre, "/").text
    with centre.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER event_update_refused")
    odd = [b"{}", b'{"at_wall":5,"clock_offset":1e999}', b'{"at_wall":-1%s,"clock_offset":0}' % (b"0" * 400)]
    for data in [*odd, b'{"at_wall":1%s,"clock_offset":0.5}' % (b"0" * 400), b'{"at_wall":%s' % (b"[" * 100_000)]:
        with centre.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE event SET data = ?", (data,))
        assert report(centre.engine, "stations")[0]["queue_age_ms"] is None
        assert "cardintake" in get(centre, "/metrics").text


def test_what_is_held_is_found_by_its_index(centre: OpenCentre) -> None:
    """A scrape every few seconds must not read every event that there ever was."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    event.listen(centre.engine, "before_cursor_execute", note)
    get(centre, "/")
    get(centre, "/metrics")
    event.remove(centre.engine, "before_cursor_execute", note)
    about = [one for one in asked if "quarantine <> ''" in one]
    assert len(about) == 3
    with centre.engine.connect() as connection:
        for one in about:
            plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + one, (200, 0)[: one.count("?")]).all()
            assert "event_held" in str(plan), plan


def test_of_those_who_asked_only_the_latest_are_read(centre: OpenCentre) -> None:
    """However many there were, in their order, the last one first."""
    person = Signer(new_seed())
    rows = []
    for n in range(60):
        place = {"tenant": "t", "station": "st-1", "card": f"card-{n}", "field": "pin", "reason": "complaint"}
        asked = sign_statement(RevealRequest(**place, to_key="00" * 32, made_ms=n), person.sign)  # type: ignore[arg-type]
        row = {"id": f"{n:064x}", "station": "st-1", "who": "p", "request": asked.text, "sig": asked.sig, "ref": "r"}
        rows.append({**row, "approver": "", "approval": b"", "state": "asked", "code": "", "asked_ms": n, "at_ms": n})
    with transaction(centre.engine) as connection:
        connection.execute(insert(reveal), rows[::-1])
    assert reveals_latest(centre.engine, 7) == report(centre.engine, "reveals")[-7:]
    assert re.findall(r"<td>card-(\d+)</td>", get(centre, "/").text) == [str(n) for n in range(59, 9, -1)]


def test_ages_are_told_in_minutes_and_hours() -> None:
    row = {"station": "s", "state": "active", "high": 3, "seen_ms": NOW_MS - 3_600_000, "quarantined": 1, "alarms": 0}
    row |= {"queue_age_ms": None, "undecided": 0}
    assert "<td>60 min</td><td>—</td>" in page_of([row], [], NOW_MS)
    assert "<td>60 min</td><td>3 h</td>" in page_of([{**row, "queue_age_ms": 3 * 3_600_000}], [], NOW_MS)
    assert 'cardintake_queue_age_seconds{station="s"} 7' in metrics_of([{**row, "queue_age_ms": 7_900}], 9, NOW_MS)
    assert "<td>5 h</td>" in page_of([{**row, "seen_ms": NOW_MS - 5 * 3_600_000}], [], NOW_MS)
    assert 'cardintake_silence_seconds{station="s"} 3600' in metrics_of([row], 9, NOW_MS)


def test_chromium_shows_the_page_of_a_running_centre(tmp_path: Path) -> None:
    """A real browser against a real server: the table is there, and nothing hostile in a name runs."""
    program, hostile = browser_or_skip(), "<img src=x onerror=document.title='taken'>"
    init(tmp_path / "centre")
    opened = open_centre(tmp_path / "centre")
    for name in ("st-1", hostile):
        admit_station(opened, name, Signer(new_seed()).public_key, "rehearsal", 0)
    opened.engine.dispose()
    child, url = start_server_process(tmp_path / "centre", timeout_s=60)
    options = [*QUIET, f"--user-data-dir={tmp_path / 'p'}", "--virtual-time-budget=2000", "--dump-dom"]
    try:
        done = subprocess.run([program, *options, url], capture_output=True, check=True, timeout=120)
    finally:
        stop_server_process(child)
    shown = done.stdout.decode()
    assert "<title>验卡中心 Centre</title>" in shown
    assert "<td>st-1</td><td>active</td>" in shown
    assert "&lt;img src=x" in shown
