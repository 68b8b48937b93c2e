"""Every balance from two processes."""

from pathlib import Path

import pytest

from chipledger_book.errors import BookError, Code
from chipledger_server.cli.spread import every_balance
from chipledger_server.config import load_config
from chipledger_server.usecases.reading import When
from chipledger_server.wiring import Desk, open_desk
from chipledger_testing.commands import Commands

ALONE = 1_000_000


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return the desk of a collector with sites of which some received chips."""
    commands = Commands(tmp_path)
    commands.initialise()
    for site in ("johor", "penang", "melaka"):
        commands.site(site, owner=f"of-{site}")
    for site in ("johor", "melaka"):
        commands.done("receive", "--site", site, "--sku", "H100-SXM5-80GB", "--pieces", "8")
    return open_desk(load_config(commands.folder / "server.toml"))


def test_two_processes_say_what_one_says(desk: Desk) -> None:
    """Every balance is the same, and in the same order, whoever computes it."""
    now = When(as_of_ms=desk.hand.now_ms, known_at_ms=desk.hand.now_ms)

    spread = every_balance(desk, now, None, worth_it=0)

    assert [one.report.site for one in spread] == ["johor", "melaka", "penang"]
    assert spread == every_balance(desk, now, None, worth_it=ALONE)


def test_what_a_second_process_refuses_is_refused_as_by_one(desk: Desk) -> None:
    """A rule set that there is not is named, wherever it was looked for."""
    now = When(as_of_ms=desk.hand.now_ms, known_at_ms=desk.hand.now_ms)
    refusals: list[tuple[Code, str]] = []
    for worth_it in (0, ALONE):
        with pytest.raises(BookError) as refused:
            every_balance(desk, now, "nobodys-rules", worth_it=worth_it)
        refusals.append((refused.value.code, refused.value.detail))

    assert refusals[0] == refusals[1]
