"""Sounds: every one of them exists as a short WAV file that is what the script writes."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from app.core.effects import Sound
from app.paths import RESOURCES
from ui.sound import RATE, Sounds, write_sounds


@pytest.mark.parametrize("sound", list(Sound))
def test_sound_is_there_and_short(sound: Sound) -> None:
    with wave.open(str(RESOURCES / "sounds" / f"{sound.value}.wav")) as wav:
        assert wav.getframerate() == RATE
        assert 0.05 <= wav.getnframes() / RATE <= 0.8


def test_files_are_what_the_script_writes(tmp_path: Path) -> None:
    for path in write_sounds(tmp_path):
        assert path.read_bytes() == (RESOURCES / "sounds" / path.name).read_bytes()


def test_silence_without_a_device_is_no_trouble() -> None:
    sounds = Sounds(RESOURCES / "sounds", volume=0.0)
    for sound in Sound:
        sounds.play(sound)
    sounds.alarm(True)
    assert sounds.alarming
    sounds.alarm(False)
    assert not sounds.alarming
