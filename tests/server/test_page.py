"""The operator's page and figures: true, harmless, and for the centre's own machine."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import httpx
import pytest

from app.keys import Signer, new_seed
from app.server.embedded import start_server_process, stop_server_process
from app.server.enrol import admit_station, revoke_station
from app.server.page import metrics_of, page_of
from app.server.routes import make_app
from app.server.setup import OpenCentre, init, open_centre
from tests.players import QUIET, browser_or_skip

NOW_MS = 1_790_000_000_000


def get(centre: OpenCentre, path: str, host: str = "127.0.0.1") -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(centre, now_ms=lambda: NOW_MS), client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://centre") as http:
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


def test_ages_are_told_in_minutes_and_hours() -> None:
    row = {"station": "s", "state": "active", "high": 3, "seen_ms": NOW_MS - 3_600_000, "quarantined": 1, "alarms": 0}
    assert "<td>60 min</td>" in page_of([row], [], NOW_MS)
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
