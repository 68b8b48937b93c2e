"""The commands that move chips: what they enter, and what the balance says then."""

from pathlib import Path
from typing import Any

import pytest

from chipledger_book.events import event_id
from chipledger_book.movements import AttestedChip, Moved
from chipledger_evidence.appraisal.grades import Grade
from chipledger_server.adapters.database import open_writer
from chipledger_server.adapters.installing_sqlite import SqlitePlaces
from chipledger_server.adapters.sequence_sqlite import SqliteSequenceStore
from chipledger_testing.commands import Commands

H100 = "H100-SXM5-80GB"
PAPER = "ab" * 32


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return the command line of a collector with two sites and 8 chips at the first."""
    made = Commands(tmp_path)
    made.initialise()
    made.site("johor")
    made.site("penang")
    made.done("receive", "--site", "johor", "--sku", H100, "--pieces", "8")
    return made


def some(number: int) -> tuple[str, ...]:
    """Return the flags of a number of chips at Johor."""
    return ("--site", "johor", "--sku", H100, "--pieces", str(number))


def balance(commands: Commands, site: str = "johor") -> dict[str, Any]:
    """Return the report of a site."""
    [found] = commands.answer("reconcile", "--site", site)
    report: dict[str, Any] = found["report"]
    return report


def test_a_transfer_is_entered_from_both_sides(commands: Commands) -> None:
    """The second side takes what it does not say from the first."""
    out = commands.answer("transfer", "out", *some(3), "--to", "penang")
    [open_one] = balance(commands)["one_sided"]
    assert (open_one["event"], open_one["left"]) == (out["id"], {H100: 3})
    said = commands.done("reconcile", "--site", "johor")
    assert "open-one-sided: transfer-out" in said
    assert "transfer_out 3" in said

    arrived = commands.answer("transfer", "in", out["id"])
    assert arrived["event"]["site"] == "penang"
    assert balance(commands)["one_sided"] == []
    assert balance(commands)["rows"][0]["book"] == 5
    assert balance(commands, "penang")["rows"][0]["transfer_in"] == 3


def test_a_transfer_to_another_family_is_closed_by_it_and_opened_by_its_correction(
    commands: Commands,
) -> None:
    """The balance of the sending site reads what the other one says, whoever owns that."""
    commands.site("jakarta", country="ID", owner="newco")
    out = commands.answer("transfer", "out", *some(3), "--to", "jakarta")
    arrived = commands.answer("transfer", "in", out["id"])
    assert balance(commands)["one_sided"] == []
    assert balance(commands, "jakarta")["rows"][0]["transfer_in"] == 3

    undo = {
        "type": "correction",
        "occurred_at_ms": arrived["event"]["occurred_at_ms"],
        "corrects": arrived["id"],
        "reason": "another lorry",
    }
    commands.correct(undo)
    assert [one["event"] for one in balance(commands)["one_sided"]] == [out["id"]]
    assert balance(commands, "jakarta")["rows"] == []


def test_an_rma_is_sent_confirmed_and_replaced(commands: Commands) -> None:
    """The vendor's word takes it off the book; an auditor's paper does so too, and says so."""
    first = commands.answer("rma", "out", *some(1), "--vendor", "nvidia", "--case", "C-1")
    other = commands.answer("rma", "out", *some(1), "--vendor", "nvidia", "--case", "C-2")
    assert balance(commands)["rows"][0]["rma_out"] == 0

    commands.done("confirm", first["id"])
    commands.done("confirm", other["id"], "--document", PAPER)
    commands.done("rma", "in", first["id"])

    report = balance(commands)
    row = report["rows"][0]
    assert (row["book"], row["rma_out"], row["rma_in"]) == (7, 2, 1)
    kinds = {(one["type"], one["sides"]) for one in report["one_sided"]}
    assert kinds == {("rma-out", "accepted-document"), ("rma-in", "open-one-sided")}
    words = {one["type"]: (one["strength"], one["other_strength"]) for one in report["one_sided"]}
    assert words == {"rma-out": ("session", "document"), "rma-in": ("session", None)}


def test_what_is_stored_shipped_disposed_or_lost_stands_in_its_column(commands: Commands) -> None:
    """A lost chip in none: it stays on the book."""
    seal = commands.answer("store", *some(2), "--place", "cage 1", "--seal", "S-1")
    commands.done("ship", *some(1), "--to", "buyer", "--country", "SG")
    commands.done("dispose", *some(1), "--witness", "W. Itness", "recycler", "--document", PAPER)
    commands.done("lost", *some(1), "--how", "stolen")

    row = balance(commands)["rows"][0]
    assert (row["book"], row["shipped"], row["disposed"], row["stored"]) == (6, 1, 1, 2)
    commands.done("unstore", seal["id"], "--found", "broken")
    assert balance(commands)["rows"][0]["stored"] == 0


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("ship", *some(9), "--to", "buyer", "--country", "SG"), "not-on-book"),
        (("transfer", "in", "A" * 43), "unknown-event"),
        (("confirm", "A" * 43), "unknown-event"),
        (("transfer", "out", *some(1), "--to", "johor"), "transfer-to-itself"),
        (
            ("dispose", *some(1), "--witness", "W", "acme", "--document", PAPER),
            "witness-not-independent",
        ),
    ],
)
def test_what_contradicts_the_book_is_refused(
    commands: Commands, command: tuple[str, ...], code: str
) -> None:
    """And nothing is written."""
    ran = commands.run(*command)

    assert ran.status == 1
    assert code in ran.err
    assert balance(commands)["rows"][0]["book"] == 8


def test_the_vendors_word_is_not_an_operators_to_say(commands: Commands) -> None:
    """Whoever enters it has to speak as the vendor, and that is recorded."""
    out = commands.answer("rma", "out", *some(1), "--vendor", "nvidia", "--case", "C-1")
    ran = commands.run("confirm", out["id"], "--as", "operator")

    assert ran.status == 1
    assert "statement-by-wrong-role" in ran.err


def test_the_same_command_again_does_not_ship_twice(commands: Commands) -> None:
    """Unless it says that it is a second shipment."""
    ship = ("ship", *some(1), "--to", "buyer", "--country", "SG")
    commands.done(*ship)
    ran = commands.run(*ship)

    assert ran.status == 1
    assert "receipt-repeated" in ran.err
    commands.done(*ship, "--again")
    assert balance(commands)["rows"][0]["shipped"] == 2


def recorded_move(commands: Commands) -> str:
    """Let the collector record that a chip moved at Johor, and return the event's id."""
    event = Moved(
        occurred_at_ms=1_772_323_200_000,
        site="johor",
        from_host="h-" + "a" * 26,
        host="h-" + "b" * 26,
        token="A" * 43,
        chips=(AttestedChip(grade=Grade.G1, pdi="0" * 16),),
    )
    connection = open_writer(commands.folder / "collector.sqlite")
    store = SqliteSequenceStore(connection, lambda count: b"s" * count)
    SqlitePlaces(connection, store).enter(event)
    connection.close()
    return event_id(event)


def test_the_operator_confirms_what_the_collector_saw_move(commands: Commands) -> None:
    """Its party is that of the site; the event is one that nobody entered."""
    moved = recorded_move(commands)
    entered = commands.answer("confirm", moved)
    assert (entered["event"]["role"], entered["event"]["party"]) == ("operator", "acme")
    again = commands.run("confirm", moved, "--party", "other")
    assert again.status == 1
    assert "answer-does-not-fit" in again.err
