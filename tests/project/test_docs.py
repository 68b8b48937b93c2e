"""What documents name exists, and what must be documented is."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest

from chipledger_testing.suites import CHECKOUT

PACKAGES = (
    "chipledger_evidence",
    "chipledger_book",
    "chipledger_audit",
    "chipledger_agent",
    "chipledger_server",
)
PAGES = sorted(
    [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), CHECKOUT / "systemd/README.md"]
)
CODE_SPAN = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)


def in_words(path: Path) -> str:
    """Return the path as it is written in messages."""
    return path.relative_to(CHECKOUT).as_posix()


def spans(page: Path) -> str:
    """Return what a page sets as code, one piece a line."""
    return "\n".join(CODE_SPAN.findall(page.read_text(encoding="utf-8")))


def modules() -> Iterator[str]:
    """Yield the name of every module of the five packages."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        yield name
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                yield module.name


def error_codes() -> dict[str, str]:
    """Return every error code with where it is defined: members of enumerations named `…Code`."""
    return {
        str(member): name
        for name in modules()
        for kind, enum in inspect.getmembers(importlib.import_module(name), inspect.isclass)
        if kind.endswith("Code") and issubclass(enum, StrEnum) and enum.__module__ == name
        for member in enum
    }


def documented_codes() -> set[str]:
    """Return the codes that have a row in docs/ERRORS.md: the first cell, set as code."""
    page = (CHECKOUT / "docs" / "ERRORS.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| *`([a-z0-9-]+)` *\|", page, re.MULTILINE))


def commands_of(program: str) -> set[str]:
    """Return the subcommands that the program's own help names."""
    package = {"chipledger-agent": "chipledger_agent", "chipledger-server": "chipledger_server"}
    shown = subprocess.run(
        [sys.executable, "-m", package[program], "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "1000"},
    ).stdout
    listed = re.search(r"\{([a-z,-]+)\}", shown)
    assert listed is not None, shown
    return set(listed[1].split(","))


def test_every_error_code_is_documented() -> None:
    """A code that can be met has a row that says who must act."""
    codes = error_codes()

    assert len(codes) > len(PACKAGES)
    assert {code: codes[code] for code in codes.keys() - documented_codes()} == {}


def test_every_documented_error_code_exists() -> None:
    """The table names no code that nothing raises."""
    assert documented_codes() - error_codes().keys() == set()


@pytest.mark.parametrize("page", PAGES, ids=in_words)
def test_make_targets_named_in_documents_exist(page: Path) -> None:
    """A `make something` that a page names can be typed."""
    targets = set(
        re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )

    assert set(re.findall(r"\bmake ([a-z]+)\b", spans(page))) <= targets


@pytest.mark.parametrize("page", PAGES, ids=in_words)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    """Every relative link of a page points at a file of the repository."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]

    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=in_words)
def test_files_named_in_documents_exist(page: Path) -> None:
    """A page, script or requirement file that another page names is there."""
    named = set(
        re.findall(
            r"(?<![\w/.-])((?:docs|tools|requirements|systemd)/[\w./-]+\.(?:md|txt|toml|service))\b",
            page.read_text(encoding="utf-8"),
        )
    )

    assert [name for name in named if not (CHECKOUT / name).exists()] == []


@pytest.mark.parametrize("program", ["chipledger-agent", "chipledger-server"])
def test_commands_named_in_documents_exist(program: str) -> None:
    """A subcommand that a page shows is one that the program's help names."""
    shown = {
        (in_words(page), command)
        for page in PAGES
        for command in re.findall(rf"\b{program} +([a-z][a-z-]*)\b", spans(page))
    }
    known = commands_of(program)

    assert {(page, command) for page, command in shown if command not in known} == set()


def test_decisions_are_numbered_once_and_have_a_status() -> None:
    """ADR numbers are unique and without gaps, and every record says what became of it."""
    records = sorted(CHECKOUT.glob("docs/adr/[0-9]*.md"))

    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert re.search(
            r"^(- |\*\*)?Status:?(\*\*)?:? *(proposed|accepted|superseded by \d{4})",
            text,
            re.MULTILINE | re.IGNORECASE,
        ), path.name
