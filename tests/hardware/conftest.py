"""A simulated PN532 board on a line of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hardware.sim.nfc import SimulatedBoard


@pytest.fixture
def board() -> Iterator[SimulatedBoard]:
    board = SimulatedBoard()
    board.start()
    yield board
    board.stop()
