"""Rules of the house that no linter knows. Each rule is shown to bite on a bad sample."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chipledger_testing.suites import CHECKOUT

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 40
MOST_POSITIONAL = 4
MADE_HERE = frozenset(
    {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis", ".pytest_cache"}
)
EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "misc"})
REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.org|deb\.debian\.org|archive\.ubuntu\.com|proxy\.golang\.org"
)
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(?:work|root|home)/[a-z]")
THIS_FILE = "tests/project/test_house_rules.py"  # it names what it bans


def tracked() -> list[Path]:
    """Return the files that are, or are about to be, under version control."""
    if shutil.which("git") is None or not (CHECKOUT / ".git").exists():
        hidden = (path for path in CHECKOUT.rglob("*") if MADE_HERE.isdisjoint(path.parts))
        return sorted(path for path in hidden if path.is_file())
    trusted = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(
        [*trusted, "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (CHECKOUT / name for name in listed.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]


def in_words(path: Path) -> str:
    """Return the path as it is written in messages."""
    return path.relative_to(CHECKOUT).as_posix()


SCRIPTS = [p for p in FILES if in_words(p).startswith(("tools/", ".ci/")) and not p.suffix]


def texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of every tracked file that is text."""
    for path in FILES:
        raw = path.read_bytes()
        if b"\0" not in raw and in_words(path) != THIS_FILE:
            yield in_words(path), raw.decode("utf-8", errors="replace")


def mocks(source: str) -> bool:
    """Tell whether the module replaces parts by mocks, or reaches into others from a test."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if any(n.name.startswith("unittest.mock") for n in names):
                return True
            case ast.ImportFrom(module="unittest", names=names) if any(
                n.name == "mock" for n in names
            ):
                return True
            case ast.ImportFrom(module="unittest.mock" | "mock"):
                return True
            case ast.arg(arg="monkeypatch" | "mocker"):
                return True
            case _:
                pass
    return False


def functions(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def positional(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many parameters a caller may give by position, the receiver left out."""
    names = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the length of a function, its signature and docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_no_function_is_longer_than_40_lines() -> None:
    """One level of abstraction fits on a screen. Database revisions are lists, not functions."""
    long = {
        f"{in_words(path)}:{function.name}": lines_of(function)
        for path in PYTHON
        if "/migrations/versions/" not in in_words(path)
        for function in functions(path.read_text(encoding="utf-8"))
        if lines_of(function) > MOST_LINES_OF_A_FUNCTION
    }

    assert long == {}


def test_no_function_takes_more_than_four_by_position() -> None:
    """Beyond four, a call names what it gives. A test may ask for as many fixtures as it needs."""
    greedy = [
        f"{in_words(path)}:{function.name}"
        for path in PYTHON
        for function in functions(path.read_text(encoding="utf-8"))
        if positional(function) > MOST_POSITIONAL and not function.name.startswith("test_")
    ]

    assert greedy == []


def test_no_module_is_longer_than_500_lines() -> None:
    """A file that outgrows a reader is two files."""
    lengths = {in_words(path): len(path.read_bytes().splitlines()) for path in PYTHON}

    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_module_is_named_after_nothing() -> None:
    """A module is named by what is in it."""
    parts = {
        in_words(path): {part.removesuffix(".py") for part in Path(in_words(path)).parts}
        for path in PYTHON
    }

    assert [name for name, words in parts.items() if words & EMPTY_NAMES] == []


def test_nobody_mocks() -> None:
    """Tests use fakes that behave; a test that needs a mock points at a missing port."""
    assert [in_words(path) for path in PYTHON if mocks(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "bad",
    [
        "import unittest.mock",
        "from unittest import mock",
        "from unittest.mock import Mock",
        "def test_x(monkeypatch): ...",
    ],
)
def test_the_rule_against_mocks_bites(bad: str) -> None:
    """Each way to a mock is seen."""
    assert mocks(bad)


def test_no_file_names_a_registry() -> None:
    """Where packages come from is the machine's business."""
    assert [name for name, text in texts() if REGISTRIES.search(text)] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    """Nothing in the repository depends on where it was written."""
    assert [name for name, text in texts() if MACHINE_PATHS.search(text)] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=in_words)
def test_scripts_stop_at_the_first_fault(script: Path) -> None:
    """Scripts are executable, well-formed bash, and refuse unset variables and failed pipes."""
    result = subprocess.run(
        ["bash", "-n", str(script)], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stderr) == (0, "")
    assert script.stat().st_mode & 0o111
    assert re.search(r"^set -e?uo pipefail$", script.read_text(encoding="utf-8"), re.MULTILINE)
