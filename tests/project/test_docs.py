"""What documents name exists, and what must be documented is."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from chipledger_testing.suites import CHECKOUT, load

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
CONFIGURATIONS = {"chipledger_agent.config": "AGENT.md", "chipledger_server.config": "SERVER.md"}
CODE_SPAN = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)


def in_words(path: Path) -> str:
    """Return the path as it is written in messages."""
    return path.relative_to(CHECKOUT).as_posix()


def spans(page: Path) -> str:
    """Return what a page sets as code, one piece a line."""
    return "\n".join(CODE_SPAN.findall(page.read_text(encoding="utf-8")))


def modules() -> Iterator[str]:
    """Yield the name of every module of the five packages; Alembic alone can load migrations."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        yield name
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__") and ".migrations" not in module.name:
                yield module.name


def classes_of(name: str, optional: Collection[str]) -> list[tuple[str, type]]:
    """Return the classes of a module; none where it needs an optional part that is not here."""
    try:
        return inspect.getmembers(importlib.import_module(name), inspect.isclass)
    except ModuleNotFoundError as error:
        if error.name not in optional:
            raise
        return []


def error_codes() -> dict[str, str]:
    """Return every error code with where it is defined: members of enumerations named `…Code`."""
    optional = {part for suite in load({}).values() for part in suite.modules}
    return {
        str(member): name
        for name in modules()
        for kind, enum in classes_of(name, optional)
        if kind.endswith("Code") and issubclass(enum, StrEnum) and enum.__module__ == name
        for member in enum
    }


def documented_codes() -> set[str]:
    """Return the codes that have a row in docs/ERRORS.md."""
    rows = first_cells(CHECKOUT / "docs" / "ERRORS.md")
    return {row for row in rows if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row)}


def configuration_keys(module: str) -> set[str]:
    """Return the keys that a product reads, dotted: from its list of keys, or its nested tables."""
    config = importlib.import_module(module)
    if hasattr(config, "KEYS"):
        return {key.path for key in config.KEYS}
    tables: dict[str, Any] = {
        field.name: field.default_factory for field in dataclasses.fields(config.Config)
    }
    return {f"{name}.{field.name}" for name in tables for field in dataclasses.fields(tables[name])}


def first_cells(page: Path) -> set[str]:
    """Return what the rows of a page's tables begin with, where that is set as code."""
    return set(re.findall(r"^\| *`([^`]+)` *\|", page.read_text(encoding="utf-8"), re.MULTILINE))


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
    return set(re.findall(r"^ {4}([a-z][a-z-]*)(?: {2,}|$)", shown, re.MULTILINE))


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


@pytest.mark.parametrize("module", CONFIGURATIONS)
def test_configuration_keys_and_their_rows_agree(module: str) -> None:
    """Every key that a product reads has a row in its page, and the page has no other."""
    keys = configuration_keys(module)
    rows = first_cells(CHECKOUT / "docs" / CONFIGURATIONS[module])
    tables = {key.split(".")[0] for key in keys}

    assert keys - rows == set()
    assert {row for row in rows if "." in row and row.split(".")[0] in tables} - keys == set()


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
