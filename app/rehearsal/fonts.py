"""The fonts the studio draws with: JetBrains Mono from resources/fonts, Noto CJK from the system.

Card titles and legal text need Chinese; Noto Sans CJK is too large to bundle and is a Debian package.
"""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from app.rehearsal.errors import FontMissing

RESOURCES = Path(__file__).resolve().parents[2] / "resources"
"""Where the product keeps its fonts, decks and templates."""

_NOTO_FOLDERS = (
    Path("/usr/share/fonts/opentype/noto"),
    Path("/usr/share/fonts/noto-cjk"),
    Path("/usr/share/fonts/google-noto-cjk"),
    Path("C:/Windows/Fonts"),
)
_SC = 2
"""Index of the simplified Chinese face in the Noto CJK collections."""

FACES: dict[str, tuple[str, int]] = {
    "mono": ("JetBrainsMono-SemiBold.ttf", 0),
    "mono-regular": ("JetBrainsMono-Regular.ttf", 0),
    "mono-bold": ("JetBrainsMono-Bold.ttf", 0),
    "sans": ("NotoSansCJK-Regular.ttc", _SC),
    "sans-bold": ("NotoSansCJK-Bold.ttc", _SC),
    "serif-bold": ("NotoSerifCJK-Bold.ttc", _SC),
}


def _ask_fontconfig(name: str) -> Path | None:
    """Where fontconfig knows a file of that name, None without fontconfig or without the file."""
    try:
        listing = subprocess.run(["fc-list", ":", "file"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    files = (Path(line.split(":")[0].strip()) for line in listing.stdout.splitlines())
    return next((path for path in files if path.name == name), None)


@lru_cache(maxsize=16)
def find_font(name: str) -> Path:
    """Path of a font file by its file name. Raises FontMissing naming the package that brings it."""
    for folder in (RESOURCES / "fonts", *_NOTO_FOLDERS):
        if (folder / name).is_file():
            return folder / name
    found = _ask_fontconfig(name)
    if found is None:
        raise FontMissing("font.missing", f"{name} (Debian package fonts-noto-cjk)")
    return found


@lru_cache(maxsize=128)
def font(face: str, size_px: int) -> ImageFont.FreeTypeFont:
    """A face of FACES at a size in pixels (em). Raises FontMissing."""
    name, index = FACES[face]
    return ImageFont.truetype(find_font(name), max(size_px, 4), index=index)
