"""Settings: read, written, upgraded, and refused with a word on what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BadInput
from app.settings import (
    Settings,
    StationSettings,
    UiSettings,
    describe,
    load_settings,
    parse_settings,
    save_settings,
    to_toml,
)


def refused(text: str | bytes) -> BadInput:
    with pytest.raises(BadInput) as refusal:
        parse_settings(text if isinstance(text, bytes) else text.encode())
    return refusal.value


def test_an_empty_file_is_the_defaults() -> None:
    assert parse_settings(b"") == Settings()


def test_what_is_given_counts_and_the_rest_keeps_its_default() -> None:
    settings = parse_settings(b'version = 1\n[ui]\nlanguage = "en"\nhold_s = 2\n[camera]\noverhead = "file:a.mp4"')
    assert settings.ui == UiSettings(language="en", hold_s=2.0)
    assert settings.camera.overhead == "file:a.mp4"
    assert settings.camera.spare == "none:"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('[camera]\novrhead = "none:"', "camera.ovrhead, did you mean overhead?"),
        ("[camra]", "camra, did you mean camera?"),
        ("[ui]\nxyz = 1", "ui.xyz, known are language, theme, hold_s, volume"),
        ("volume = 1", "volume, known are station, camera"),
    ],
)
def test_an_unknown_key_is_named_with_the_likely_one(text: str, detail: str) -> None:
    error = refused(text)
    assert error.code == "settings.unknown_key"
    assert error.detail.startswith(detail)
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[ui]\nvolume = 1.5", "ui.volume: 1.5"),
        ("[ui]\nvolume = nan", "ui.volume: nan"),
        ("[ui]\nhold_s = 0.1", "ui.hold_s: 0.1"),
        ('[ui]\nlanguage = "fr"', "ui.language: 'fr'"),
        ("[vision]\nthreads = true", "vision.threads: True"),
        ("[vision]\nthreads = 1.0", "vision.threads: 1.0"),
        ('[vision]\nthreads = "2"', "vision.threads: '2'"),
        ('[station]\nid = "Nr 1"', "station.id: 'Nr 1'"),
        ('[station]\nname = ""', "station.name: ''"),
        ('[camera]\noverhead = "0"', "camera.overhead: '0'"),
        ('[server]\nurl = "http://centre.example"', "server.url: 'http://centre.example'"),
        ('[server]\nurl = "centre.example"', "server.url: 'centre.example'"),
        ("ui = 3", "ui: 3"),
        ("version = 0", "version: 0"),
        ('version = "1"', "version: '1'"),
    ],
)
def test_a_bad_value_is_named(text: str, where: str) -> None:
    error = refused(text)
    assert error.code == "settings.bad_value"
    assert error.detail.startswith(where)


@pytest.mark.parametrize("url", ["", "https://centre.example:8443/api", "http://127.0.0.1:8321", "http://localhost"])
def test_a_safe_centre_is_taken(url: str) -> None:
    assert parse_settings(f'[server]\nurl = "{url}"'.encode()).server.url == url


@pytest.mark.parametrize(
    "data", [b"[ui", b"ui = ", b"\xff\xfe", b"a = 1\na = 2", b"a = " + b"9" * 5000, b"a = " + b"[" * 5000]
)
def test_what_is_no_toml_is_told_with_its_place(data: bytes) -> None:
    error = refused(data)
    assert error.code == "settings.not_toml"
    assert error.detail


def test_a_newer_file_is_refused() -> None:
    assert refused("version = 99").code == "settings.newer"


def test_a_mark_at_the_start_does_no_harm() -> None:
    assert parse_settings("﻿[ui]\nvolume = 0.5".encode()).ui.volume == 0.5


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "station.toml", tmp_path):
        with pytest.raises(BadInput) as refusal:
            load_settings(path)
        assert refusal.value.code == "settings.missing"


def _renamed(table: dict[str, Any]) -> dict[str, Any]:
    sound = table.pop("sound", {})
    return table | {"ui": {"volume": sound.get("loudness", 60) / 100}}


def _without_junk(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "junk"}


def test_older_files_are_upgraded_step_by_step() -> None:
    upgrades = (_renamed, _without_junk)
    assert parse_settings(b"version = 1\njunk = 1\n[sound]\nloudness = 20", upgrades).ui.volume == 0.2
    assert parse_settings(b"version = 2\njunk = 1\n[ui]\nvolume = 0.3", upgrades).ui.volume == 0.3
    assert parse_settings(b"version = 3", upgrades) == Settings()
    with pytest.raises(BadInput):
        parse_settings(b"version = 3\njunk = 1", upgrades)


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)


@given(name=names, centre=names, volume=st.floats(0, 1), hold_s=st.floats(0.6, 2))
def test_what_is_written_is_read_back(name: str, centre: str, volume: float, hold_s: float) -> None:
    settings = Settings(station=StationSettings(name=name, centre=centre), ui=UiSettings(volume=volume, hold_s=hold_s))
    assert parse_settings(to_toml(settings).encode()) == settings


def test_a_saved_file_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text("rubbish")
    settings = Settings(ui=UiSettings(theme="dark"))
    save_settings(path, settings)
    assert load_settings(path) == settings
    assert [p.name for p in tmp_path.iterdir()] == ["station.toml"]
    assert "# 外观" in path.read_text(encoding="utf-8")


def test_every_setting_has_title_text_and_default_in_both_languages() -> None:
    settings = describe()
    assert {s.path.partition(".")[0] for s in settings} == set(Settings.model_fields)
    for setting in settings:
        words = setting.words
        assert all((words.zh, words.en, words.text_zh, words.text_en))
        assert any("一" <= c <= "鿿" for c in words.zh + words.text_zh)
        if not isinstance(setting.default, str):
            assert " … " in setting.bounds
    assert {s.path: s.bounds for s in settings}["ui.theme"] == "light | dark"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().ui.volume = 0.1  # type: ignore[misc]
