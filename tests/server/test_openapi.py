"""The published description is true: every route is in it, nothing else is, and the file is current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.routing import Route

from app.server.openapi import CALLS, as_text, described
from app.server.routes import make_app
from app.server.setup import init, open_centre

PUBLISHED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def test_every_route_is_described_and_nothing_else(tmp_path: Path) -> None:
    init(tmp_path / "centre")
    centre = open_centre(tmp_path / "centre")
    routes = [route for route in make_app(centre).routes if isinstance(route, Route)]
    centre.engine.dispose()
    there = {(method.lower(), route.path) for route in routes for method in route.methods or ()}
    assert there == {(call.method, call.path) for call in CALLS}


def test_the_published_file_is_current() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == as_text(), "python -m app.server.openapi > docs/openapi.json"


@pytest.mark.parametrize("name", ["Signed", "BatchAnswer", "Receipt", "Trouble", "VideoManifest"])
def test_what_is_referred_to_is_there(name: str) -> None:
    text = as_text()
    schemas = described()["components"]["schemas"]
    assert name in schemas
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) <= set(schemas)
