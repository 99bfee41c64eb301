"""A secret shows as dots wherever somebody prints, formats, logs, serialises or raises it."""

from __future__ import annotations

import ast
import copy
import json
import logging
import pickle
import re
import traceback
from dataclasses import asdict, replace
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.asking import draft_of
from app.core.cards import DOTS, Barcode, Candidate, Crop, Secret
from app.core.effects import CheckBadge, CheckPasscode, SaveCard
from app.core.events import CardWasRead, CodeScanned, PasscodeEntered
from tests.core.examples import ASKING, DOUBTFUL
from tests.core.making import RULES, card_read, number, read_field, visit

NUMBER, PIN = number(4711), "7KQM2XWR"
HOUSE = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("spelled", [repr, str, "{}".format, "{!r}".format, "{:>30}".format, lambda s: f"{s}", ascii])
def test_a_secret_spells_as_dots(spelled: object) -> None:
    text = spelled(Secret(NUMBER))  # type: ignore[operator]
    assert NUMBER not in text
    assert NUMBER[-4:] not in text
    assert "%s %r" % (Secret(NUMBER), Secret(PIN)) == f"{DOTS} {DOTS}"  # noqa: UP031  the old way, too


def test_the_length_of_a_secret_does_not_show() -> None:
    assert str(Secret("1")) == str(Secret(NUMBER)) == DOTS


def test_a_secret_is_neither_pickled_nor_copied() -> None:
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as refused:
            attempt(Secret(NUMBER))
        assert NUMBER not in str(refused.value)


def test_a_secret_is_no_json() -> None:
    with pytest.raises(TypeError) as refused:
        json.dumps({"number": Secret(NUMBER)})
    assert NUMBER not in str(refused.value)
    assert NUMBER not in json.dumps({"number": Secret(NUMBER)}, default=str)


def test_a_secret_cannot_be_looked_up_or_guessed_by_its_hash() -> None:
    with pytest.raises(TypeError):
        hash(Secret(PIN))
    assert Secret(PIN) == Secret(PIN)
    assert Secret(PIN) != Secret(NUMBER)
    assert Secret(PIN) != PIN
    assert not hasattr(Secret(PIN), "__dict__")


def test_the_last_four_are_told_of_long_texts_only() -> None:
    assert Secret(NUMBER).last4() == NUMBER[-4:]
    assert Secret("1234567").last4() == ""


def test_a_traceback_with_its_variables_keeps_the_secret() -> None:
    secret = Secret(NUMBER)
    try:
        raise ValueError(f"cannot keep {secret}")
    except ValueError as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "secret = " + DOTS in told
    assert NUMBER not in told


def test_the_log_keeps_the_secret() -> None:
    out = StringIO()
    log = logging.Logger("secret")
    log.addHandler(logging.StreamHandler(out))
    draft = draft_of(visit(), card_read(number=read_field(NUMBER), pin=read_field(PIN)), RULES.catalogue)
    log.info("%s %r %s %s", Secret(NUMBER), draft, SaveCard(draft), {"pin": Secret(PIN)})
    assert NUMBER not in out.getvalue()
    assert PIN not in out.getvalue()


@pytest.mark.parametrize(
    "thing",
    [
        card_read(number=read_field(NUMBER), pin=read_field(PIN), barcodes=(Barcode("CODE128", NUMBER),)),
        CardWasRead(card_read(number=read_field(NUMBER), pin=read_field(PIN))),
        Candidate("7", 0.5),
        CodeScanned(NUMBER),
        CheckBadge(NUMBER),
        PasscodeEntered("1007", NUMBER),
        CheckPasscode("1007", NUMBER),
        Crop("pin", 0, NUMBER.encode()),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_carries_a_secret_does_not_show_it(thing: object) -> None:
    for text in (repr(thing), str(thing), f"{thing}"):
        assert NUMBER not in text
        assert "'7'" not in text
        assert PIN not in text


def test_a_question_does_not_show_the_glyphs() -> None:
    told = repr(ASKING)
    assert not re.search(r"glyph|'[0-9]'", told)
    assert repr(DOUBTFUL) in told


def test_a_draft_cannot_be_turned_into_a_dictionary_by_accident() -> None:
    draft = draft_of(visit(), card_read(), RULES.catalogue)
    with pytest.raises(TypeError):
        asdict(draft)
    assert replace(draft, no=2).number == draft.number


@given(st.text(min_size=1, max_size=30))
def test_no_text_ever_shows(text: str) -> None:
    assert repr(Secret(text)) == str(Secret(text)) == f"{Secret(text):10}" == DOTS
    assert len(Secret(text)) == len(text)


def _opens_secrets(source: str) -> bool:
    """Whether something is called like `secret.reveal()`, or `reveal` is handed on uncalled."""
    tree = ast.parse(source)
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "reveal":
            call = called.get(id(node))
            if call is None or not (call.args or call.keywords):
                return True
    return False


def test_a_secret_is_opened_at_sealing_in_the_vault_and_before_who_asked_it_only() -> None:
    assert _opens_secrets("print(draft.pin.reveal())")
    assert _opens_secrets("list(map(Secret.reveal, secrets))")
    assert not _opens_secrets("widget.reveal(True)")
    rooms = (path for room in ("app", "hardware", "ui") for path in (HOUSE / room).rglob("*.py"))
    found = {path.relative_to(HOUSE).as_posix() for path in rooms if _opens_secrets(path.read_text(encoding="utf-8"))}
    # The one process that can unseal at all.
    vault = {"app/vault/index.py", "app/vault/reveal.py", "app/vault/footage.py"}
    shown = {
        "app/commands/station_reveal.py",
        "app/commands/uncovered.py",
        "ui/widgets/reveal.py",
    }  # to whose key the vault closed it for
    assert found <= {"app/eye/codec.py", "app/store/seal.py"} | vault | shown
