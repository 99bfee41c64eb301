"""What the clerk hears: short tones made by ourselves, played from memory; silent where there is no audio device.

`python -m ui.sound FOLDER` writes the WAV files anew. The alarm of a cut recording repeats every 3 s until the picture
is back; it can be lowered to 30 % and not be muted.
"""

from __future__ import annotations

import math
import struct
import sys
import wave
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, QUrl
from PySide6.QtMultimedia import QMediaDevices, QSoundEffect

from app.core.effects import Sound

RATE = 44_100
_EDGE_S = 0.006
_ALARM_MS = 3000
_ALARM_LEAST = 0.3

TONES: dict[Sound, tuple[tuple[float, float], ...]] = {
    # (frequency in Hz, seconds); 0 Hz is a pause
    Sound.TICK: ((1760.0, 0.06),),
    Sound.ACCEPTED: ((880.0, 0.07), (0.0, 0.015), (1175.0, 0.075)),
    Sound.ASK: ((660.0, 0.09), (0.0, 0.05), (660.0, 0.09)),
    Sound.REVIEW: ((440.0, 0.1), (0.0, 0.03), (370.0, 0.12)),
    Sound.REJECTED: ((220.0, 0.25),),
    Sound.WRONG_CODE: ((294.0, 0.06),),
    Sound.REC_ON: ((587.0, 0.09), (784.0, 0.12)),
    Sound.REC_OFF: ((784.0, 0.09), (587.0, 0.12)),
    Sound.REC_CUT: ((165.0, 0.18), (0.0, 0.1), (165.0, 0.18), (0.0, 0.1), (165.0, 0.18)),
}


def samples(tones: tuple[tuple[float, float], ...]) -> bytes:
    """16-bit mono samples of a row of tones, each with soft edges so that nothing clicks."""
    made = bytearray()
    for hertz, seconds in tones:
        count = int(seconds * RATE)
        for i in range(count):
            t = i / RATE
            edge = min(1.0, t / _EDGE_S, (seconds - t) / _EDGE_S)
            wave_height = math.sin(2 * math.pi * hertz * t) + 0.25 * math.sin(4 * math.pi * hertz * t)
            made += struct.pack("<h", int(18_000 * max(0.0, edge) * wave_height / 1.25))
    return bytes(made)


def write_sounds(folder: Path) -> list[Path]:
    """Write one WAV file per sound; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for sound, tones in TONES.items():
        path = folder / f"{sound.value}.wav"
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(samples(tones))
        paths.append(path)
    return paths


class Sounds(QObject):
    """Plays sounds by name. `volume` 0..1; at 0 the audio system is left alone.

    Without an audio device nothing is heard and nothing is wrong.
    """

    def __init__(self, folder: Path, volume: float = 0.6, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._effects: dict[Sound, QSoundEffect] = {}
        self._alarm = QTimer(self, interval=_ALARM_MS)
        self._alarm.timeout.connect(lambda: self.play(Sound.REC_CUT))
        if volume > 0 and not QMediaDevices.defaultAudioOutput().isNull():
            self._load(folder, volume)

    def _load(self, folder: Path, volume: float) -> None:
        for sound in Sound:
            effect = QSoundEffect(self)
            effect.setSource(QUrl.fromLocalFile(str(folder / f"{sound.value}.wav")))
            effect.setVolume(max(volume, _ALARM_LEAST) if sound is Sound.REC_CUT else volume)
            self._effects[sound] = effect

    def play(self, sound: Sound) -> None:
        effect = self._effects.get(sound)
        if effect is not None:
            effect.play()

    def alarm(self, on: bool) -> None:
        """Repeat the alarm of a cut recording until it is switched off."""
        if on != self._alarm.isActive():
            (self._alarm.start if on else self._alarm.stop)()

    @property
    def alarming(self) -> bool:
        return self._alarm.isActive()


if __name__ == "__main__":
    write_sounds(Path(sys.argv[1]))
