"""docs/AGENT.md says what the program does: keys, commands, exit codes, metrics."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chipledger_agent.adapters.metrics import AgentMetrics
from chipledger_agent.cli import COMMANDS
from chipledger_agent.cli.exits import Exit
from chipledger_agent.config import KEYS, Key, load_config
from chipledger_testing.agent_ports import ManualClock
from chipledger_testing.suites import CHECKOUT

PAGE = (CHECKOUT / "docs" / "AGENT.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return one section of the page."""
    return re.split(r"^## ", PAGE.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(title: str) -> list[str]:
    """Return what the first column of a section's table sets as code."""
    return re.findall(r"^\| `([^`]+)` \|", section(title), re.MULTILINE)


def shown(key: Key) -> str:
    """Return a default as the page shows it."""
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    if key.default in (None, "", ()):
        return ""
    return f"`{key.default}`"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_every_configuration_key_stands_with_its_default_and_meaning(key: Key) -> None:
    """In the words that the program itself uses in its hints."""
    assert f"| `{key.path}` | {shown(key)} | {key.help} |" in section("Configuration")


def test_no_other_configuration_key_is_promised() -> None:
    """A key that does nothing misleads."""
    assert first_cells("Configuration") == [key.path for key in KEYS]


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    """Copied as it stands, it loads."""
    (example,) = re.findall(r"```toml\n(.*?)```", section("Configuration"), re.DOTALL)
    path = tmp_path / "agent.toml"
    path.write_text(example)

    assert load_config(path).collector.url.startswith("https://")


def test_every_command_is_described() -> None:
    """And no other."""
    named = [cell.split()[0] for cell in first_cells("Commands")]

    assert named == list(COMMANDS)


def test_every_exit_code_is_described() -> None:
    """With its number."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", section("Exit codes"), re.MULTILINE)

    assert rows == [(str(int(code)), code.name) for code in Exit]


def metric_names() -> Iterator[str]:
    """Yield the names of everything that can be scraped."""
    for family in AgentMetrics(clock=ManualClock()).registry.collect():
        yield family.name + ("_total" if family.type == "counter" else "")


def test_every_metric_is_described() -> None:
    """Under the name a scrape shows."""
    assert sorted(first_cells("Metrics")) == sorted(metric_names())
