"""The house rules: who may import whom (each contract is broken once to see that it fires), sizes, what stays out."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]
ROOMS = ("app", "hardware", "ui")
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}

PURE_LIBRARY = {
    "__future__", "bisect", "collections", "dataclasses", "datetime", "enum", "hashlib", "hmac", "itertools", "json",
    "re", "typing", "uuid", "stdnum",
}  # fmt: skip
"""What the core may use: no I/O, no clock, no threads. (`datetime` for dates only, `uuid` for uuid5 only.)"""

BREACHES = [
    ("layers", "app/core/money.py", "import app.store"),
    ("layers", "app/vision/__init__.py", "import app.eye"),
    ("layers", "app/store/__init__.py", "import app.evidence"),
    ("layers", "app/recorder/__init__.py", "import app.eye"),
    ("reading", "app/vision/ends/lit.py", "import app.vision.panel.opening"),
    ("reading", "app/vision/symbols/barcode.py", "import app.vision.card.locate"),
    ("core-pure", "app/core/money.py", "import time"),
    ("core-pure", "app/core/money.py", "import numpy"),
    ("server-apart", "app/station/__init__.py", "import app.server"),
    ("qt-in-ui", "app/station/__init__.py", "import PySide6.QtCore"),
    ("present-without-qt", "ui/present.py", "import PySide6.QtGui"),
    ("present-without-qt", "ui/texts.py", "import ui.window"),
    ("hardware-alone", "hardware/ports.py", "import app.core.cards"),
    ("devices-by-catalog", "app/recorder/__init__.py", "import hardware.camera"),
    ("devices-by-catalog", "ui/__init__.py", "import hardware.sim"),
    ("ui-knows-no-trade", "ui/window.py", "import app.store"),
    ("ui-knows-no-trade", "ui/window.py", "import httpx"),
    ("sql-in-stores", "app/sync/__init__.py", "import sqlalchemy"),
    ("sql-in-stores", "app/core/money.py", "import sqlite3"),
    ("no-cv2-beside-qt", "app/station/__init__.py", "import cv2"),
    ("no-cv2-beside-qt", "app/paths.py", "import cv2"),
]


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(path for room in ROOMS for path in (HOUSE / room).rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def lint_imports(folder: Path, *wanted: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("lint-imports", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert tool is not None
    asked = [tool, "--no-cache", "--no-logo", *(f"--contract={name}" for name in wanted)]
    surroundings = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(asked, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def empty_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house with the same rooms, all of them empty (one import joins texts and window where a breach needs it)."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(HOUSE / "pyproject.toml", folder)
    for path in modules():
        copied = folder / named(path)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text('"""Empty."""\n')
    (folder / "ui/window.py").write_text("import PySide6.QtWidgets\n")
    (folder / "app/station/station.py").write_text("import app.paths\n")
    return folder


def test_every_contract_holds() -> None:
    told = lint_imports(HOUSE)
    assert told.returncode == 0, told.stdout


def test_an_empty_house_breaks_nothing(empty_house: Path) -> None:
    told = lint_imports(empty_house)
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize(("contract", "where", "what"), BREACHES)
def test_a_breach_is_found(empty_house: Path, contract: str, where: str, what: str) -> None:
    path = empty_house / where
    before = path.read_text()
    path.write_text(f"{before}{what}\n")
    try:
        told = lint_imports(empty_house, contract)
    finally:
        path.write_text(before)
    assert told.returncode == 1, told.stdout
    assert CONTRACTS[contract]["name"] + " BROKEN" in " ".join(told.stdout.split())


def test_every_contract_is_broken_once() -> None:
    assert {contract for contract, _, _ in BREACHES} == set(CONTRACTS)


def test_every_room_has_its_floor() -> None:
    """A module that no layer names would be bound by none."""
    layers = " ".join(CONTRACTS["layers"]["layers"])
    named_rooms = set(re.findall(r"app\.(\w+)", layers))
    rooms = {
        path.stem if path.suffix else path.name for path in (HOUSE / "app").iterdir() if path.suffix in ("", ".py")
    }
    assert rooms - {"__init__", "__pycache__"} <= named_rooms


def imports_of(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield "app.core" if node.module.startswith("app.core") else node.module.partition(".")[0]


def test_the_core_uses_nothing_but_what_is_pure() -> None:
    for path in modules():
        if named(path).startswith("app/core/"):
            strange = set(imports_of(tree_of(path))) - PURE_LIBRARY - {"app.core"}
            assert not strange, f"{named(path)}: {strange}"


def test_no_module_is_longer_than_500_lines() -> None:
    paths = (*modules(), *(HOUSE / "tests").rglob("*.py"))
    long = {named(p): n for p in paths if (n := len(p.read_text(encoding="utf-8").splitlines())) > 500}
    assert not long


def test_no_function_is_longer_than_60_lines() -> None:
    functions = (
        (named(path), node)
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = [f"{where}:{f.lineno} {f.name}" for where, f in functions if (f.end_lineno or 0) - f.lineno >= 60]
    assert not long


def test_every_module_says_what_it_is_for() -> None:
    silent = [named(path) for path in modules() if not ast.get_docstring(tree_of(path))]
    assert not silent


def test_only_command_lines_print() -> None:
    prints = [
        f"{named(path)}:{node.lineno}"
        for path in modules()
        if not re.match(r"app/(__main__|commands/|\w+/run\.py)", named(path))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not prints


def test_names_say_what_things_are() -> None:
    empty = re.compile(r"Manager|Helper|Utils?$|Base$|Handler$|Service|Processor|[Mm]isc")
    classes = (
        f"{named(path)}: {node.name}"
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and empty.search(node.name)
    )
    assert not list(classes)
    assert not [named(path) for path in modules() if empty.search(path.stem.title())]


def tracked_files() -> list[Path]:
    if not (HOUSE / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    told = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, check=True).stdout.decode()
    return [path for name in told.split("\0") if name and (path := HOUSE / name).is_file()]


def test_the_repository_knows_no_machine_and_no_package_index() -> None:
    host = r"pypi\.|pythonhosted|anaconda\.org|//npm\.|npmjs"
    machine = r"(?<![\w./])/(?:work|root|Users)/\w"
    forbidden = re.compile(f"{host}|{machine}")
    found = []
    for path in tracked_files():
        data = path.read_bytes()
        if path == Path(__file__) or b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if forbidden.search(line):
                found.append(f"{named(path)}:{number}")
    assert not found


def test_no_large_or_generated_file_is_tracked() -> None:
    models = HOUSE / "resources" / "models"
    listed = (models / "SHA256SUMS").read_text("ascii").split()[1::2]
    wrong = [
        named(path)
        for path in tracked_files()
        if path not in [models / name for name in listed]
        and (path.suffix in (".mp4", ".mkv", ".db", ".onnx") or path.stat().st_size > 4_000_000)
    ]
    assert not wrong
    assert all((models / name).stat().st_size < 8_000_000 for name in listed), "a model of ours is compact"


def test_the_lock_names_every_package_exactly_and_no_source() -> None:
    lines = (HOUSE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+", line) for line in packages)
    names = {line.partition("==")[0].lower().replace("_", "-") for line in packages}
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    wanted = {re.match(r"[A-Za-z0-9_.-]+", line).group().lower().replace("_", "-") for line in asked}  # type: ignore[union-attr]
    assert wanted <= names
    assert "opencv-python-headless" not in names


@pytest.mark.parametrize("room", ["server", "store", "vault"])
def test_the_revisions_of_a_database_are_one_line(room: str) -> None:
    """Two that were numbered alike at the same time would leave no database openable."""
    told = []
    for path in sorted((HOUSE / "app" / room / "migrations" / "versions").glob("r[0-9]*.py")):
        text = path.read_text(encoding="utf-8")
        own, before = (re.search(rf'^{name} = (?:"(\d+)"|None)$', text, re.M) for name in ("revision", "down_revision"))
        assert own
        assert before
        assert path.name.startswith(f"r{own.group(1)}_")
        told.append((before.group(1), own.group(1)))
    revisions = [own for _, own in told]
    assert [before for before, _ in told] == [None, *revisions[:-1]][: len(told)]


def test_the_tests_that_the_documents_name_are_there() -> None:
    """`test_x.py`, `room/test_x.py::test_y`, `tests/room/test_x.py`, and `::test_z` for the file before."""
    files = {path.name: path for path in (HOUSE / "tests").rglob("test_*.py")}
    assert len(files) > 200
    gone, named_ones = [], 0
    for document in [*(HOUSE / "docs").glob("*.md"), HOUSE / "README.md"]:
        file = ""
        for word in re.findall(r"`((?:[\w/]*test_\w+\.py)?(?:::test_\w+)?)`", document.read_text(encoding="utf-8")):
            place, _, test = word.partition("::")
            file = place or file
            named_ones += bool(word)
            below = HOUSE / "tests" / file.removeprefix("tests/")
            path = below if "/" in file else files.get(file, HOUSE / "none")
            if word and not (path.is_file() and (not test or f"def {test}(" in path.read_text(encoding="utf-8"))):
                gone.append(f"{document.name}: {file}::{test}")
    assert not gone
    assert named_ones > 80
