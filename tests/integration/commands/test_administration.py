"""The administrator's commands: what they enter, what they refuse, what they leave on record."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from chipledger_book.events import LedgerRecord, event_id
from chipledger_evidence.entry import EntryType, entry_hash, make_entry
from chipledger_server.adapters import schema
from chipledger_server.usecases.access import token_hash
from chipledger_server.usecases.codes import code_hash
from chipledger_server.usecases.decisions import Decision
from chipledger_testing.commands import Commands

LICENCE: dict[str, Any] = {
    "issuer": "BIS",
    "number": "D-1",
    "type": "licence",
    "consignee": "acme",
    "valid_from": "2025-01-01",
    "valid_to": "2027-12-31",
    "source": {"sha256": "ab" * 32, "title": "licence D-1"},
    "lines": [{"amount": 16, "unit": "pieces", "sku": "H100-SXM5-80GB"}],
}


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return the command line of a new collector with one site."""
    made = Commands(tmp_path)
    made.initialise()
    made.site("johor")
    return made


def records(commands: Commands, kind: str) -> Sequence[Any]:
    """Return the log records of a type, oldest first."""
    engine = commands.database()
    with engine.begin() as connection:
        query = select(schema.records).where(schema.records.c.type == kind)
        rows = connection.execute(query.order_by(schema.records.c.pos)).mappings().all()
    engine.dispose()
    return rows


def test_an_event_and_its_record_are_written_together(commands: Commands) -> None:
    """The record holds the event, who entered it and how strongly; its leaf is final."""
    entered = commands.answer(
        *("receive", "--site", "johor", "--sku", "H100-SXM5-80GB", "--pieces", "8")
    )
    row = records(commands, "event")[-1]
    record = msgspec.json.decode(row["record"], type=LedgerRecord)

    assert event_id(record.event) == entered["id"] == row["subject"]
    assert row["principal"].startswith("local:")
    assert [one.strength for one in record.statements] == ["session"]
    entry = make_entry(EntryType.EVENT, row["record"], salt=row["salt"], time_ms=row["time_ms"])
    assert entry_hash(entry) == row["leaf"]


def test_the_same_event_twice_is_one_event(commands: Commands) -> None:
    """Entering it again says so and changes nothing."""
    arguments = ("--sku", "H100-SXM5-80GB", "--pieces", "8", "--at", "2026-01-05")
    first = commands.answer("receive", "--site", "johor", *arguments)
    before = len(records(commands, "event"))
    second = commands.answer("receive", "--site", "johor", *arguments)

    assert (first["known_before"], second["known_before"]) == (False, True)
    assert second["id"] == first["id"]
    assert len(records(commands, "event")) == before


def test_a_receipt_typed_again_is_not_booked_twice(commands: Commands) -> None:
    """Whoever lost the terminal repeats the command; a second delivery has to be said."""
    receipt = ("receive", "--site", "johor", "--sku", "H100-SXM5-80GB", "--pieces", "8")
    first = commands.answer(*receipt)
    before = len(records(commands, "event"))
    ran = commands.run(*receipt)

    assert ran.status == 1
    assert "receipt-repeated" in ran.err
    assert first["id"] in ran.err
    assert "--again" in ran.err
    assert len(records(commands, "event")) == before
    second = commands.answer(*receipt, "--again")
    assert second["id"] != first["id"]
    assert not second["known_before"]


@pytest.mark.parametrize(
    "other",
    [
        ("--pieces", "9"),
        ("--pieces", "8", "--shipment", "second"),
        ("--pieces", "8", "--at", "2026-01-05"),
    ],
    ids=str,
)
def test_another_receipt_of_the_day_is_no_repetition(
    other: tuple[str, ...], commands: Commands
) -> None:
    """It differs in what arrived, in its shipment, or says when."""
    receipt = ("receive", "--site", "johor", "--sku", "H100-SXM5-80GB")
    commands.done(*receipt, "--pieces", "8")
    assert not commands.answer(*receipt, *other)["known_before"]


def test_a_corrected_receipt_may_be_entered_anew(commands: Commands) -> None:
    """What was taken out of the book stands in nobody's way."""
    receipt = ("receive", "--site", "johor", "--sku", "H100-SXM5-80GB", "--pieces", "8")
    entered = commands.answer(*receipt)
    undo = {
        "type": "correction",
        "occurred_at_ms": 1767225600000,
        "corrects": entered["id"],
        "reason": "typing error",
    }
    commands.correct(undo)
    assert not commands.answer(*receipt)["known_before"]


def test_a_bare_licence_entered_again_is_known(commands: Commands) -> None:
    """The file says no time, so it is the same licence, not one that overlaps."""
    bare = commands.file("bare.json", LICENCE)
    first = commands.answer("licence", "add", bare)
    second = commands.answer("licence", "add", bare)

    assert (second["id"], second["known_before"]) == (first["id"], True)
    assert "holds this event already" in commands.done("licence", "add", bare)
    assert len(records(commands, "licence")) == 1


def test_a_corrected_event_does_not_come_back(commands: Commands) -> None:
    """Entering it again is refused with the reason, not taken for done."""
    receipt = ("receive", "--site", "johor", "--sku", "H100-SXM5-80GB", "--pieces", "8")
    entered = commands.answer(*receipt, "--at", "2026-01-05")
    undo = {
        "type": "correction",
        "occurred_at_ms": 1767225600000,
        "corrects": entered["id"],
        "reason": "typing error",
    }
    commands.correct(undo)
    before = len(records(commands, "event"))
    ran = commands.run(*receipt, "--at", "2026-01-05")

    assert ran.status == 1
    assert "already-corrected" in ran.err
    assert len(records(commands, "event")) == before


def test_a_licence_is_entered_bare_or_as_an_event(commands: Commands) -> None:
    """Both ways lead to the same record type."""
    commands.done("licence", "add", commands.file("bare.json", LICENCE))
    event = {
        "type": "licence-granted",
        "occurred_at_ms": 1767225600000,
        "licence": {**LICENCE, "number": "D-2"},
    }
    commands.done("licence", "add", commands.file("event.json", event))

    assert len(records(commands, "licence")) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lines": [{"amount": 0, "unit": "pieces"}]}, "quantity-not-positive"),
        ({"lines": [{"amount": -8, "unit": "pieces"}]}, "quantity-not-positive"),
        ({"lines": [{"amount": 1.5, "unit": "pieces"}]}, "quantity-not-integer"),
        ({"lines": [{"amount": 10**20, "unit": "pieces"}]}, "quantity-too-large"),
        ({"lines": [{"amount": 8, "unit": "dozen"}]}, "unknown-quantity-unit"),
        ({"lines": [{"amount": 8, "unit": "pieces", "sku": "H900"}]}, "unknown-sku"),
        ({"valid_to": "2024-01-01"}, "licence-ends-before-start"),
        ({"sites": ["nowhere"]}, "unknown-site"),
        ({"colour": "red"}, "malformed-event"),
    ],
    ids=str,
)
def test_a_malformed_licence_is_refused_with_its_code(
    change: dict[str, Any], code: str, commands: Commands
) -> None:
    """And with a hint; nothing of it is booked."""
    ran = commands.run("licence", "add", commands.file("bad.json", {**LICENCE, **change}))

    assert ran.status == 1
    assert code in ran.err
    assert len(ran.err.splitlines()) >= 2
    assert records(commands, "licence") == []


def test_overlapping_validity_is_refused(commands: Commands) -> None:
    """The same line twice for some of the same days."""
    commands.done("licence", "add", commands.file("one.json", LICENCE))
    again = {**LICENCE, "valid_from": "2026-01-01"}
    ran = commands.run("licence", "add", commands.file("two.json", again))

    assert "licence-overlaps" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--sku", "H100-SXM5-80GB", "--pieces", "0"), "quantity-not-positive"),
        (("--sku", "H100-SXM5-80GB", "--pieces", "-8"), "quantity-not-positive"),
        (("--sku", "H900", "--pieces", "8"), "unknown-sku"),
        (("--unit", "HGX-H900-8", "--serials", "S1"), "unknown-unit-model"),
        (("--unit", "HGX-H100-8", "--serials", "S1,S1"), "duplicate-serial"),
        (("--sku", "H100-SXM5-80GB"), "invalid-parameter"),
        (("--sku", "H100-SXM5-80GB", "--pieces", "8", "--serials", "a"), "invalid-parameter"),
        (("--sku", "H100-SXM5-80GB", "--pieces", "8", "--at", "soon"), "invalid-parameter"),
        (("--sku", "H100-SXM5-80GB", "--pieces", "8", "--at", "2999-01-01"), "event-in-future"),
    ],
    ids=str,
)
def test_a_malformed_receipt_is_refused_with_its_code(
    arguments: tuple[str, ...], code: str, commands: Commands
) -> None:
    """Unknown models, quantities that are none, serials twice, times to come."""
    ran = commands.run("receive", "--site", "johor", *arguments)

    assert ran.status == 1
    assert code in ran.err


def test_a_receipt_in_a_file_is_held_to_every_rule(commands: Commands) -> None:
    """A member that stands twice would hide a quantity."""
    text = (
        '{"type":"received","occurred_at_ms":1767225600000,"site":"johor",'
        '"lines":[{"by":"count","sku":"H100-SXM5-80GB","pieces":8,"pieces":9}]}'
    )
    ran = commands.run("receive", commands.file("twice.json", text))

    assert "malformed-event" in ran.err


def test_a_serial_cannot_arrive_twice(commands: Commands) -> None:
    """Not at another site either."""
    commands.site("muar")
    commands.done("receive", "--site", "johor", "--unit", "HGX-H100-8", "--serials", "S1")
    ran = commands.run("receive", "--site", "muar", "--unit", "HGX-H100-8", "--serials", "S1")

    assert "serial-already-received" in ran.err


def test_a_site_is_declared_anew(commands: Commands) -> None:
    """The newest declaration is the one that is listed."""
    commands.site("johor", owner="newco")

    assert [(site["id"], site["operator"]["id"]) for site in commands.answer("site", "list")] == [
        ("johor", "newco")
    ]


def test_a_code_is_shown_once_and_kept_as_a_hash(commands: Commands) -> None:
    """Neither the database nor the log holds it."""
    code = commands.done(
        *("code", "create", "--site", "johor", "--uses", "3", "--expires-in", "24h")
    ).strip()
    engine = commands.database()
    with engine.begin() as connection:
        row = connection.execute(select(schema.enrolment_codes)).mappings().one()
    engine.dispose()

    assert code.startswith("ce-")
    assert row["code_hash"] == code_hash(code)
    assert (row["site"], row["uses_left"]) == ("johor", 3)
    assert code.encode() not in (commands.folder / "collector.sqlite").read_bytes()
    decision = msgspec.json.decode(records(commands, "decision")[-1]["record"], type=Decision)
    assert decision.action == "enrolment-code-created"


def test_a_code_may_be_tied_to_serials(commands: Commands) -> None:
    """One a line; an empty file is refused rather than taken as no tie."""
    serials = commands.file("serials.txt", "165001\n165000\n165001\n")
    command = ("code", "create", "--site", "johor", "--uses", "1", "--expires-in", "1h")
    assert commands.answer(*command, "--serials", serials)["tied_to_serials"]
    ran = commands.run(*command, "--serials", commands.file("empty.txt", "\n"))

    assert "invalid-parameter" in ran.err


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("--site", "nowhere"), "unknown-site"),
        (("--uses", "0"), "invalid-parameter"),
        (("--expires-in", "soon"), "invalid-parameter"),
        (("--expires-in", "0h"), "invalid-parameter"),
    ],
    ids=str,
)
def test_a_code_that_makes_no_sense_is_refused(
    change: tuple[str, str], code: str, commands: Commands
) -> None:
    """Unknown site, no uses, no time."""
    asked = {"--site": "johor", "--uses": "1", "--expires-in": "1h"} | dict([change])
    flags = [word for pair in asked.items() for word in pair]

    assert code in commands.run("code", "create", *flags).err


def test_a_principals_token_is_shown_once_and_kept_as_a_hash(commands: Commands) -> None:
    """And the record of the decision names it without its token."""
    issued = commands.answer("principal", "add", "eve", "--role", "auditor")
    engine = commands.database()
    with engine.begin() as connection:
        people = schema.principals.c
        stored = connection.execute(
            select(people.token_hash).where(people.name == "eve")
        ).scalar_one()
    engine.dispose()

    assert stored == token_hash(issued["token"])
    assert issued["token"].encode() not in (commands.folder / "collector.sqlite").read_bytes()
    assert b"eve" in records(commands, "decision")[-1]["record"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "administrator", "--role", "auditor"), "name-taken"),
        (("add", "eve", "--role", "operator"), "malformed-scope"),
        (("add", "eve", "--role", "auditor", "--site", "johor"), "malformed-scope"),
        (("add", "eve", "--role", "operator", "--site", "Johor!"), "malformed-scope"),
        (("add", "", "--role", "auditor"), "invalid-parameter"),
        (("revoke", "nobody", "--reason", "x"), "unknown-principal"),
        (("rotate", "nobody"), "unknown-principal"),
        (("link", "nobody"), "unknown-principal"),
        (("revoke", "administrator", "--reason", "x"), "last-administrator"),
    ],
    ids=str,
)
def test_people_are_kept_in_order(
    arguments: tuple[str, ...], code: str, commands: Commands
) -> None:
    """Names are unique for ever, scopes fit roles, and somebody stays in charge."""
    assert code in commands.run("principal", *arguments).err


def test_a_revoked_principal_stays_revoked(commands: Commands) -> None:
    """It is listed, and neither revoked nor rotated again."""
    commands.done("principal", "add", "eve", "--role", "auditor")
    commands.done("principal", "revoke", "eve", "--reason", "left")

    listed = {one["name"]: one["revoked_ms"] for one in commands.answer("principal", "list")}
    assert listed["eve"] is not None
    assert "already-revoked" in commands.run("principal", "rotate", "eve").err


def test_a_key_that_is_unknown_cannot_be_revoked(commands: Commands) -> None:
    """With the code agents know too."""
    assert "unknown-key" in commands.run("key", "revoke", "A" * 43, "--reason", "stolen").err


def test_commands_need_an_initialised_collector(tmp_path: Path) -> None:
    """And say so, with the command that makes one."""
    commands = Commands(tmp_path)
    commands.file("server.toml", f'[database]\npath = "{tmp_path}/none.sqlite"\n')
    ran = commands.run("reconcile")

    assert ran.status == 1
    assert "not-initialised" in ran.err
    assert "chipledger-server init" in ran.err
