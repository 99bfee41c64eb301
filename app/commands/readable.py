"""What a command was asked to read, and cannot: a sentence, not the words of a bug."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.catalog.templates import template_files
from app.core.errors import BadInput


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """While files at `path` are read. Raises BadInput: input.missing, input.denied, input.not_a_file."""
    try:
        yield
    except OSError as error:
        codes = {FileNotFoundError: "input.missing", PermissionError: "input.denied"}
        raise BadInput(codes.get(type(error), "input.not_a_file"), Path(error.filename or path).name) from error


def bytes_of(file: Path) -> bytes:
    """What a file holds. Raises BadInput as `readable`."""
    with readable(file):
        return file.read_bytes()


def templates_at(path: Path) -> list[Path]:
    """The template files that a path stands for. Raises BadInput as `readable`, input.missing where it holds none."""
    with readable(path):
        found = template_files(path)
        if not found:
            list(path.iterdir())  # a folder that is closed looks empty from outside
            raise BadInput("input.missing", f"{path.name}: no template (*.toml) in this folder")
    return found
