"""Parties that sign: their keys are let in by two people, and what they signed is entered."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chipledger_book.events import encode_event, event_id
from chipledger_book.movements import RmaOut
from chipledger_testing.book import ms, received
from chipledger_testing.commands import Commands
from chipledger_testing.movements import of

RECEIPT = received(8, shipment="DN-1")
RMA = RmaOut(occurred_at_ms=ms(2026, 4), site="johor", lines=of(2), vendor="nvidia", case="C-1")
AT = "2026-04-02T00:00:00Z"


@dataclass
class Office:
    """A collector with two administrators and an auditor, and the desks of parties beside it."""

    commands: Commands

    def sign(self, *arguments: str) -> str:
        """Run `chipledger-sign` as a program of its own."""
        program = [sys.executable, "-m", "chipledger_audit.sign_cli", *arguments]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def path(self, name: str) -> str:
        """Return the path of a file of this test."""
        return str(self.commands.folder / name)

    def key(self, party: str) -> str:
        """Make a party's key and the file of its public half; return its thumbprint."""
        shown = self.sign("key", "new", "--out", self.path(party), "--json")
        found = json.loads(shown)
        self.commands.file(f"{party}.jwk", found["jwk"])
        return str(found["kid"])

    def by(self, who: str) -> tuple[str, str]:
        """Return the flag of a principal's token."""
        return ("--token-file", self.path(who))

    def propose(self, party: str, role: str, *more: str) -> str:
        """Let an administrator propose a party's key; return the proposal."""
        sites = () if "--everywhere" in more else ("--site", "johor")
        flags = ("--party", party, "--role", role, *sites, "--from", "2026-01-01", *more)
        jwk = self.path(f"{party}.jwk")
        ran = self.commands.done(
            *("party", "propose", jwk, *flags, "--reason", "letter"), *self.by("ann")
        )
        return ran.strip()

    def registered(self, party: str, role: str, *more: str) -> str:
        """Make a party's key and let it in; return its thumbprint."""
        kid = self.key(party)
        proposal = self.propose(party, role, *more)
        self.commands.done("party", "approve", proposal, *self.by("bo"))
        return kid

    def signed(self, event: Any, party: str, role: str, *more: str) -> str:  # noqa: ANN401 - an event
        """Let a party sign an event; return the path of the file."""
        self.commands.file("event.json", encode_event(event))
        out = self.path(f"{party}-{role}-{event_id(event)[:6]}.signed")
        who = ("--party", party, "--role", role, "--key", self.path(party), "--out", out)
        self.sign("event", self.path("event.json"), *who, "--at", AT, *more)
        return out

    def statement(self, key: str, party: str, role: str) -> str:
        """Let a party sign an event by its id; return the path of the statement."""
        out = self.path(f"{party}-{role}.jws")
        who = ("--party", party, "--role", role, "--key", self.path(party), "--out", out)
        self.sign("statement", key, *who, "--at", AT)
        return out


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Return a collector with one site and three people."""
    commands = Commands(tmp_path)
    commands.initialise()
    commands.site("johor")
    for name, role in (("ann", "administrator"), ("bo", "auditor"), ("op", "operator")):
        sites = ("--site", "johor") if role == "operator" else ()
        token = commands.done("principal", "add", name, "--role", role, *sites)
        commands.file(name, token)
    return Office(commands)


def test_a_signed_event_is_entered_as_signed(office: Office) -> None:
    """By whoever hands it in; the word is the party's, of the strength of its key."""
    kid = office.registered("acme", "operator")
    entered = office.commands.answer("event", "add", office.signed(RECEIPT, "acme", "operator"))
    assert (entered["id"], entered["known_before"]) == (event_id(RECEIPT), False)
    (statement,) = statements(office)
    assert (statement["strength"], statement["principal"]) == ("party-key", kid)
    assert (statement["role"], statement["party"]) == ("operator", "acme")


def statements(office: Office, kind: str = "event") -> list[dict[str, Any]]:
    """Return the statements in the newest record of the log of a type."""
    engine = office.commands.database()
    with engine.begin() as connection:
        query = "SELECT record FROM records WHERE type = ? ORDER BY pos DESC LIMIT 1"
        record = json.loads(connection.exec_driver_sql(query, (kind,)).scalar_one())
    engine.dispose()
    found: list[dict[str, Any]] = record.get("statements") or [record["statement"]]
    return found


def test_the_same_signed_event_again_is_known(office: Office) -> None:
    """Nothing is written twice, also where the signature has other bytes."""
    office.registered("acme", "operator")
    file = office.signed(RECEIPT, "acme", "operator")
    office.commands.done("event", "add", file)
    assert office.commands.answer("event", "add", file)["known_before"] is True


def test_the_other_side_signs_later(office: Office) -> None:
    """By the id of the event; the RMA leaves the book with the vendor's signature."""
    office.registered("acme", "operator")
    office.registered("nvidia", "vendor")
    office.commands.done("event", "add", office.signed(RECEIPT, "acme", "operator"))
    office.commands.done("event", "add", office.signed(RMA, "acme", "operator"))
    assert balance(office) == (8, ["open-one-sided"])
    statement = office.statement(event_id(RMA), "nvidia", "vendor")
    assert office.commands.answer("event", "state", statement)["known_before"] is False
    assert balance(office) == (6, [])
    assert office.commands.answer("event", "state", statement)["known_before"] is True


def balance(office: Office) -> tuple[int, list[str]]:
    """Return what is on the book, and what is open one-sided."""
    report = office.commands.answer("reconcile", "--site", "johor")
    found = report[0] if isinstance(report, list) else report
    found = found.get("report", found)
    return found["rows"][0]["book"], [one["sides"] for one in found["one_sided"]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("nobody let the key in", "statement-key-unknown"),
        ("revoked", "statement-key-not-valid"),
        ("another party", "statement-key-not-for-this"),
        ("another role", "statement-key-not-for-this"),
        ("another site", "statement-key-not-for-this"),
        ("before it was valid", "statement-key-not-valid"),
        ("after it was valid", "statement-key-not-valid"),
        ("changed", "malformed-statement"),
    ],
)
def test_what_a_key_does_not_speak_for_is_refused(office: Office, change: str, code: str) -> None:
    """With the reason, and nothing is written."""
    kid = ""
    if change == "nobody let the key in":
        office.key("acme")
    elif change == "another site":
        office.commands.site("penang")
        office.key("acme")
        flags = ("--party", "acme", "--role", "operator", "--site", "penang")
        jwk = ("party", "propose", office.path("acme.jwk"), *flags, "--reason", "letter")
        proposal = office.commands.done(*jwk, "--from", "2026-01-01", *office.by("ann")).strip()
        office.commands.done("party", "approve", proposal, *office.by("bo"))
    else:
        more = ("--until", "2026-04-01") if change.startswith("after") else ()
        kid = office.registered(
            "acme", "consignee" if change == "another role" else "operator", *more
        )
    if change == "revoked":
        office.commands.done("party", "revoke", kid, "--reason", "stolen", *office.by("bo"))
    file = Path(office.signed(RECEIPT, "acme", "operator"))
    if change == "another party":
        other = office.path("other.signed")
        who = ("--party", "buyer", "--role", "operator", "--key", office.path("acme"), "--at", AT)
        office.sign("event", office.path("event.json"), *who, "--out", other)
        file = Path(other)
    if change == "before it was valid":
        early = office.path("early.signed")
        own = ("--party", "acme", "--role", "operator", "--key", office.path("acme"))
        before = ("--at", "2025-12-31T23:59:59Z", "--out", early)
        office.sign("event", office.path("event.json"), *own, *before)
        file = Path(early)
    if change == "changed":
        file.write_bytes(file.read_bytes().replace(b'"statements":', b'"statements": '))
    ran = office.commands.run("event", "add", str(file))
    assert ran.status == 1
    assert code in ran.err


def test_everything_wrong_is_said_at_once(office: Office) -> None:
    """What the event lacks and what its signature lacks, each with its place."""
    office.key("acme")
    wrong = received(0, shipment="DN-2", site="nowhere")
    ran = office.commands.run("event", "add", office.signed(wrong, "acme", "operator"))
    assert ran.status == 1
    for text in (
        "unknown-site at site",
        "quantity-not-positive at lines[0].pieces",
        "statement-key-unknown at statements[0]",
    ):
        assert text in ran.err


def test_a_vendor_does_not_enter_what_a_site_says(office: Office) -> None:
    """It stands behind an RMA of the site, and enters none."""
    office.registered("nvidia", "vendor")
    ran = office.commands.run("event", "add", office.signed(RMA, "nvidia", "vendor"))
    assert ran.status == 1
    assert "statement-by-wrong-role" in ran.err


def test_a_party_does_not_speak_as_the_other_side_too(office: Office) -> None:
    """A second statement that contradicts the first is refused with the reason."""
    office.registered("acme", "operator", "--role", "auditor")
    office.commands.done("event", "add", office.signed(RECEIPT, "acme", "operator"))
    ran = office.commands.run(
        "event", "state", office.statement(event_id(RECEIPT), "acme", "auditor")
    )
    assert ran.status == 1
    assert "statement-contradicts" in ran.err


def test_a_key_takes_two_people(office: Office) -> None:
    """Who proposed does not approve, an operator does neither, and a key is registered once."""
    office.key("acme")
    proposal = office.propose("acme", "operator")
    refused = office.commands.run("party", "approve", proposal, *office.by("ann"))
    assert "same-person" in refused.err
    assert "forbidden" in office.commands.run("party", "approve", proposal, *office.by("op")).err
    again = ("--party", "buyer", "--role", "vendor", "--site", "johor", "--reason", "x")
    taken = office.commands.run(
        "party", "propose", office.path("acme.jwk"), *again, *office.by("ann")
    )
    assert "party-key-taken" in taken.err
    office.commands.done("party", "approve", proposal, *office.by("bo"))
    assert (
        "already-decided" in office.commands.run("party", "approve", proposal, *office.by("bo")).err
    )


def test_a_declined_key_speaks_for_nobody(office: Office) -> None:
    """And may be proposed again."""
    office.key("acme")
    proposal = office.propose("acme", "operator")
    office.commands.done("party", "decline", proposal, "--reason", "no letter", *office.by("bo"))
    ran = office.commands.run("event", "add", office.signed(RECEIPT, "acme", "operator"))
    assert "statement-key-unknown" in ran.err
    assert office.propose("acme", "operator") != proposal


def test_a_key_is_rotated_without_losing_what_it_signed(office: Office) -> None:
    """The old one ends when the new one is let in; its row stays."""
    old = office.registered("acme", "operator")
    file = office.signed(RECEIPT, "acme", "operator")
    Path(office.path("acme")).rename(office.path("acme-old"))
    new = office.key("acme")
    flags = ("--party", "acme", "--replaces", old, "--reason", "yearly")
    proposal = office.commands.done(
        "party", "propose", office.path("acme.jwk"), *flags, *office.by("ann")
    ).strip()
    office.commands.done("party", "approve", proposal, *office.by("bo"))
    office.commands.done("event", "add", file)  # signed while the old key was valid
    states = {one["kid"]: one for one in office.commands.answer("party", "list")}
    assert (states[old]["state"], states[new]["state"]) == ("replaced", "valid")
    assert states[new]["roles"] == ["operator"]
    assert states[new]["scope"] == "site:johor"


def test_every_step_stands_in_the_log(office: Office) -> None:
    """With the key itself, who did it and why."""
    kid = office.registered("acme", "operator")
    office.commands.done("party", "revoke", kid, "--reason", "stolen", *office.by("bo"))
    engine = office.commands.database()
    with engine.begin() as connection:
        query = "SELECT type, principal, record FROM records WHERE subject = ? ORDER BY pos"
        rows = connection.exec_driver_sql(query, (kid,)).all()
    engine.dispose()
    assert [(row.type, row.principal) for row in rows] == [
        ("decision", "ann"),
        ("key", "bo"),
        ("revocation", "bo"),
    ]
    approved = json.loads(rows[1].record)
    assert approved["action"] == "party-key-approved"
    assert approved["detail"]["party"] == "acme"
    assert json.loads(approved["detail"]["jwk"])["kty"] == "OKP"
