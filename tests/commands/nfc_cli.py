"""What a test of `cardintake nfc` calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Cli = Callable[..., tuple[int, dict[str, Any]]]
"""`cli(action, *more)`: the exit code and what was printed."""
