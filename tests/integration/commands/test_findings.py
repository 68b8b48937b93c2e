"""`chipledger-server findings`: listed, shown, acted upon, written to a file."""

from pathlib import Path

import pytest

from chipledger_book.terms import Severity
from chipledger_server.adapters.clock import SystemClock
from chipledger_server.adapters.entropy import system_entropy
from chipledger_server.domain.findings import About
from chipledger_testing.casework import noting_in
from chipledger_testing.commands import Commands


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return the command line of a collector with a site and three people."""
    made = Commands(tmp_path)
    made.initialise()
    made.site("johor")
    for name, *role in (
        ("olga", "operator", "--site", "johor"),
        ("ada", "auditor"),
        ("bert", "auditor"),
    ):
        token = made.done("principal", "add", name, "--role", *role)
        (tmp_path / name).write_text(token, "ascii")
    return made


@pytest.fixture
def key(commands: Commands) -> str:
    """Return a high finding of the site."""
    about = About(kind="missing", subject="johor", site="johor", severity=Severity.HIGH)
    with noting_in(commands.folder / "collector.sqlite", system_entropy) as noting:
        return noting.open(about, "x", SystemClock().now_ms(), {"pieces": 1, "tpp": 1})


def test_the_way_of_a_finding_on_the_command_line(commands: Commands, key: str) -> None:
    """Each acts with a token of their own, and everything is in the list, page and file."""

    def act(who: str, *step: str) -> str:
        token = ("--token-file", str(commands.folder / who))
        return commands.done("findings", "act", key, *step, *token)

    paper = commands.folder / "rma.pdf"
    paper.write_bytes(b"paper")
    assert key in commands.done("findings", "list", "--severity", "high")
    assert "acknowledged" in act("olga", "acknowledge")
    act(
        "olga",
        *("explain", "--reason", "in repair", "--evidence", str(paper), "--expires", "30d"),
    )
    assert "another auditor must confirm" in act("ada", "close", "--reason", "RMA seen")
    assert "closed" in act("bert", "confirm")
    shown = commands.done("findings", "show", key)
    assert "ada (auditor) proposed to close: RMA seen" in shown
    assert "rma.pdf" in shown
    assert key not in commands.done("findings", "list")
    assert key in commands.done("findings", "list", "--state", "all")
    assert "in repair" in commands.done("findings", "export")
    assert '"state":"closed"' in commands.done("findings", "export", "--form", "json")


def test_a_refused_step_says_what_to_do(commands: Commands, key: str) -> None:
    """With the code, and status 1."""
    token = ("--token-file", str(commands.folder / "olga"))
    ran = commands.run("findings", "act", key, "close", "--reason", "x", *token)
    assert ran.status == 1
    assert "case-step-forbidden" in ran.err
    assert "auditor may" in ran.err
