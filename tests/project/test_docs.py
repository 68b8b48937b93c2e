"""What documents name exists, and what must be documented is."""

import dataclasses
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


def configuration_keys(module: str) -> dict[str, set[str]]:
    """Return the keys of a product's configuration by the table they stand in; "" is the top."""
    tables = {
        name: {field.name: field for field in dataclasses.fields(kind)}
        for name, kind in inspect.getmembers(
            importlib.import_module(module), dataclasses.is_dataclass
        )
        if isinstance(kind, type) and kind.__module__ == module
    }
    keys: dict[str, set[str]] = {"": set()}
    for name, field in tables[next(name for name in tables if name.endswith("Config"))].items():
        factory = getattr(field.default_factory, "__name__", "")
        if factory in tables:
            keys[name] = set(tables[factory])
        else:
            keys[""].add(name)
    return keys


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
def test_every_configuration_key_is_documented(module: str) -> None:
    """A key that the product reads is set as code in a page of docs/."""
    words = set(
        re.findall(r"\w+", "\n".join(spans(page) for page in PAGES if "docs/" in str(page)))
    )
    keys = configuration_keys(module)

    assert {f"{table}.{key}" for table in keys for key in keys[table] if key not in words} == set()


@pytest.mark.parametrize("module", CONFIGURATIONS)
def test_every_documented_configuration_key_exists(module: str) -> None:
    """A `[table] key` in an example, or a `table.key` in a text, is one that the product reads."""
    page = CHECKOUT / "docs" / CONFIGURATIONS[module]
    keys = configuration_keys(module)
    named = re.findall(r"`([a-z_]+)\.([a-z0-9_]+)`", page.read_text(encoding="utf-8"))

    assert {
        (table, key) for table, key in named if table in keys and key not in keys[table]
    } == set()


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
