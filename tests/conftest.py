"""What every test lives by: no screen, no deadline, no unexpected warning in the log, sample data only where it is."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("wide", deadline=None, max_examples=3000, stateful_step_count=80)
settings.load_profile(os.environ.get("CARDINTAKE_HYPOTHESIS", "steady"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """A temporary folder of its own for each run, with a short name: programs listen on sockets in it (108 bytes)."""
    # Stations that tests enrol are not this machine's.
    places = tempfile.mkdtemp(prefix="ci-places-")
    os.environ["XDG_CONFIG_DIRS"] = os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_STATE_HOME"] = places
    config.add_cleanup(lambda: shutil.rmtree(places, ignore_errors=True))
    config.addinivalue_line("markers", "warns: this test expects warnings or errors in the log")
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="ci-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def quiet_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that logs a WARNING or worse, unless it is marked `warns`."""
    listener = _Listener()
    root = logging.getLogger()
    root.addHandler(listener)
    try:
        yield
    finally:
        root.removeHandler(listener)
    if listener.heard and request.node.get_closest_marker("warns") is None:
        pytest.fail("unexpected in the log:\n" + "\n".join(listener.heard))


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The folder of sample cards and footage, named by CARDINTAKE_DATA; skips where it is not given."""
    folder = os.environ.get("CARDINTAKE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CARDINTAKE_DATA names no folder of sample data")
    return Path(folder)
