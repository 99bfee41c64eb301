"""Where the passphrase comes from: guarded keyrings only, whatever else is installed beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import keyring.errors
import pytest
from keyring.backends.chainer import ChainerBackend
from secretstorage.exceptions import PromptDismissedException

from app.core.errors import BadInput
from app.store.unlock import CREDENTIAL, ask_passphrase, find_passphrase


def ring(module: str, told: str | Exception | None, priority: float = 5) -> Any:
    """A keyring as a package of that name would bring it."""

    class Ring(keyring.backend.KeyringBackend):
        def get_password(self, service: str, username: str) -> str | None:
            assert service == "cardintake"
            if isinstance(told, Exception):
                raise told
            return told

        def set_password(self, service: str, username: str, password: str) -> None:
            raise AssertionError

    # The library remembers each class that was ever written, and would ask these in every other test.
    keyring.backend.KeyringBackend._classes.discard(Ring)  # type: ignore[attr-defined]
    Ring.__module__ = module
    Ring.priority = priority  # type: ignore[assignment]
    return Ring()


GUARDED, PLAIN = "keyring.backends.SecretService", "keyrings.alt.file"


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def use(monkeypatch: pytest.MonkeyPatch, *rings: Any) -> None:
    """What the library does with so many of them: several are put behind a chain."""
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: list(rings))
    keyring.set_keyring(ChainerBackend() if len(rings) > 1 else rings[0])


@pytest.mark.parametrize(
    ("rings", "found"),
    [
        ((ring(GUARDED, "mine"),), "mine"),
        ((ring(PLAIN, "plain"),), None),
        ((ring(PLAIN, "plain", 9), ring(GUARDED, "mine", 5)), "mine"),
        ((ring(GUARDED, None, 9), ring("keyring.backends.kwallet", "wallet", 5)), "wallet"),
        ((ring(PLAIN, "plain", 9), ring(GUARDED, None, 5)), None),
        ((ring(GUARDED, keyring.errors.KeyringLocked("no"), 9), ring("keyring.backends.kwallet", "wallet")), "wallet"),
        ((ring(GUARDED, PromptDismissedException("no")),), None),
        ((ring(GUARDED, keyring.errors.InitError("no")),), None),
        ((ring("keyring.backends.fail", keyring.errors.NoKeyringError("none")),), None),
    ],
)
def test_only_what_the_system_guards_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rings: tuple[Any, ...], found: str | None
) -> None:
    use(monkeypatch, *rings)
    assert find_passphrase(tmp_path) == found


def test_a_descriptor_goes_before_a_credential_and_that_before_a_keyring(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, ring(GUARDED, "mine"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert find_passphrase(tmp_path) == "mine"
    (tmp_path / CREDENTIAL).write_text("handed over\n")
    assert find_passphrase(tmp_path) == "handed over"
    near, far = os.pipe()
    os.write(far, "typed 口令\n".encode())
    os.close(far)
    assert find_passphrase(tmp_path, near) == "typed 口令"
    for nothing in (near, 987):
        with pytest.raises(BadInput, match=r"store\.passphrase_fd"):
            find_passphrase(tmp_path, nothing)
    os.close(near)


def test_no_other_test_finds_these_keyrings() -> None:
    assert [one for one in keyring.backend.KeyringBackend._classes if one.__name__ == "Ring"] == []  # type: ignore[attr-defined]


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open(encoding="ascii") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert ask_passphrase() is None
        monkeypatch.undo()
