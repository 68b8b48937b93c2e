"""`import events`: a file of events from the command line, with a dry run and progress."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from chipledger_server.adapters import schema
from chipledger_testing.commands import Commands

TABLE = (
    "kind,happened,site,shipment,sku,serial\n"
    "received,2026-03-01,johor,A,H100-SXM5-80GB,S1\n"
    "received,2026-03-01,johor,A,H100-SXM5-80GB,S2\n"
)


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return a collector with one site."""
    made = Commands(tmp_path)
    made.initialise()
    made.site("johor")
    return made


def written(commands: Commands) -> int:
    """Return how many events the ledger holds."""
    engine = commands.database()
    with engine.connect() as connection:
        count: int = connection.execute(select(func.count(schema.ledger_events.c.pos))).scalar_one()
    engine.dispose()
    return count


def test_a_dry_run_writes_nothing_and_a_run_all_of_it(commands: Commands) -> None:
    """Then it is known, and nothing changes."""
    file = commands.file("in.csv", TABLE)

    tried = commands.run("import", "events", file, "--dry-run")
    assert (tried.status, tried.out) == (0, "1 event of 2 rows would be entered\n")
    assert written(commands) == 1
    assert commands.done("import", "events", file) == "1 event of 2 rows entered\n"
    assert commands.done("import", "events", file).startswith("nothing new; 1 event the book holds")
    assert written(commands) == 2


def test_every_problem_is_listed_by_row_and_nothing_is_written(commands: Commands) -> None:
    """With the column, the code, what it is and what to do; exit status 1."""
    bad = TABLE + (
        "received,2026-03-01,johor,A,H100-SXM5-80GB,S1\n"
        "received,soon,johor,B,H100-SXM5-80GB,S3\n"
        "received,2026-03-01,nowhere,C,H900,S4\n"
    )
    ran = commands.run("import", "events", commands.file("in.csv", bad))

    assert ran.status == 1
    assert [line.split(":")[:2] for line in ran.out.splitlines()] == [
        ["row 4", " row-repeated"],
        ["row 5, happened", " cell-malformed"],
        ["row 6, site", " unknown-site"],
        ["row 6, sku", " unknown-sku"],
        ["4 problems; nothing was entered"],
    ]
    assert written(commands) == 1


def test_progress_is_on_the_error_stream_and_json_on_the_other(commands: Commands) -> None:
    """So the answer can be piped."""
    file = commands.file("in.csv", TABLE)
    ran = commands.run("import", "events", file, "--json")

    assert ran.json["entered"]
    assert "2 rows, 1 event, 2 serials" in ran.err
    assert "1 of 1 event held to the book" in ran.err


def test_somebody_says_it_as_somebody(commands: Commands) -> None:
    """`--as` and `--party` say whose word it is, as for one event."""
    file = commands.file("in.csv", TABLE)
    commands.done("import", "events", file, "--as", "operator", "--party", "acme")

    engine = commands.database()
    with engine.connect() as connection:
        record = connection.execute(
            select(schema.records.c.record).order_by(schema.records.c.pos.desc())
        ).scalars().first()  # fmt: skip
    engine.dispose()
    assert b'"role":"operator"' in bytes(record or b"")
    assert b'"strength":"session"' in bytes(record or b"")


def test_a_file_that_is_not_there_is_said(commands: Commands) -> None:
    """By its name."""
    ran = commands.run("import", "events", "/nowhere/in.csv")

    assert ran.status == 1
    assert "/nowhere/in.csv" in ran.err
