"""The commands that close a period and make its reports."""

import json
from pathlib import Path

import pytest

from chipledger_book.periods.document import document_digest
from chipledger_book.reports.making import ReportKind
from chipledger_testing.commands import Commands

H100 = "H100-SXM5-80GB"
PERIOD = "2026-01-01..2026-06-30"
AT = ("--site", "johor")


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return the command line of a collector with a site that received 8 chips in February."""
    made = Commands(tmp_path)
    made.initialise()
    made.site("johor")
    receive(made, 8, "2026-02-03")
    return made


def receive(commands: Commands, pieces: int, day: str) -> None:
    """Receive chips on a day."""
    commands.done("receive", *AT, "--sku", H100, "--pieces", str(pieces), "--at", day)


def token(commands: Commands, name: str, role: str) -> str:
    """Return the file with the token of a new principal."""
    scope = AT if role == "operator" else ()
    made = commands.done("principal", "add", name, "--role", role, *scope)
    file = commands.folder / f"{name}.token"
    file.write_text(made)
    return str(file)


def close(commands: Commands) -> str:
    """Freeze the half-year and have two people sign it; return its digest."""
    made = commands.answer("period", "freeze", PERIOD, *AT)
    digest: str = made["period"]["documents"][0]["digest"]
    for name, role in (("olga", "operator"), ("auda", "auditor")):
        file = token(commands, name, role)
        commands.done(
            *("period", "sign-off", PERIOD, *AT, "--digest", digest, "--token-file", file)
        )
    return digest


def test_two_people_close_a_period(commands: Commands) -> None:
    """Freeze, sign off twice; the text says who signed what and by which strength."""
    digest = close(commands)

    said = commands.done("period", "show", PERIOD, *AT)
    assert "CLOSED" in said
    assert digest in said
    assert "operator: olga" in said
    assert "auditor: auda" in said
    assert "by session" in said


def test_the_document_comes_byte_for_byte(commands: Commands) -> None:
    """Its digest is what was signed."""
    made = commands.answer("period", "freeze", PERIOD, *AT)

    text = commands.done("period", "show", PERIOD, *AT, "--document")

    assert document_digest(text.encode()) == made["period"]["documents"][0]["digest"]


def test_one_person_does_not_close_alone(commands: Commands) -> None:
    """The auditor is another principal, and the administrator signs for nobody."""
    made = commands.answer("period", "freeze", PERIOD, *AT)
    digest = made["period"]["documents"][0]["digest"]
    file = token(commands, "root", "administrator")

    ran = commands.run(
        *("period", "sign-off", PERIOD, *AT, "--digest", digest, "--token-file", file)
    )

    assert (ran.status, "forbidden" in ran.err) == (1, True)


def test_a_late_event_is_listed_and_restated(commands: Commands) -> None:
    """The restatement says both numbers and names what it restates."""
    old = close(commands)
    receive(commands, 4, "2026-03-03")
    [shown] = commands.answer("period", "list", *AT)["periods"]["items"]
    assert (shown["restate"], len(shown["late"])) == (True, 1)

    said = commands.done("period", "restate", PERIOD, *AT, "--reason", "note came late")

    assert "received was 8, is 12 (+4)" in said
    assert "restatement 1" in said
    assert old in said


def test_a_gap_needs_its_reason(commands: Commands) -> None:
    """Periods follow each other."""
    commands.done("period", "freeze", "2026-01-01..2026-03-31", *AT)

    assert "period-gap" in commands.run("period", "freeze", "2026-04-02..2026-06-30", *AT).err
    commands.done("period", "freeze", "2026-04-02..2026-06-30", *AT, "--gap", "closed that day")


@pytest.mark.parametrize("kind", ReportKind)
def test_a_report_goes_to_a_file_or_to_standard_output(commands: Commands, kind: str) -> None:
    """The same bytes, and JSON when that is asked for."""
    file = commands.folder / "report.json"
    asked = ("report", str(kind), *AT, "--period", PERIOD, "--format", "json")
    commands.done("period", "freeze", PERIOD, *AT)

    text = commands.done(*asked)
    commands.done(*asked, "--out", str(file))

    assert file.read_text() == text
    assert json.loads(text)["header"]["report"] == kind


def test_the_list_says_what_is_due(commands: Commands) -> None:
    """By day, with the shape that serves it."""
    said = commands.done("period", "list", *AT)

    assert "2026-08-01" in said
    assert "chip-accounting" in said
