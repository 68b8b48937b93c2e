"""`chipledger-sign`: keys, signed events and statements in files, with no network."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chipledger_audit.sign_cli import DONE, REFUSED, UNUSABLE, main
from chipledger_book.events import encode_event, event_id
from chipledger_book.signing import read_event_file, read_party_statement
from chipledger_testing.signing import EVENT

HAND_WRITTEN = json.dumps(json.loads(encode_event(EVENT)), indent=2)


class Desk:
    """A folder of one party, and the program run in it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        (folder / "event.json").write_text(HAND_WRITTEN, "utf-8")

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Run the program; paths are of the folder. Return its exit status and all it said."""
        status = main([self._path(one) for one in arguments])
        said = self._capsys.readouterr()
        return status, said.out + said.err

    def _path(self, argument: str) -> str:
        return str(self.folder / argument[1:]) if argument.startswith("@") else argument

    def key(self, name: str, *arguments: str) -> dict[str, Any]:
        """Make a key and a file with its public half; return what is said of it."""
        status, said = self("key", "new", "--out", f"@{name}", "--json", *arguments)
        assert status == DONE, said
        found: dict[str, Any] = json.loads(said)
        (self.folder / f"{name}.jwk").write_text(json.dumps(found["jwk"]), "utf-8")
        return found

    def sign(self, *arguments: str, key: str = "key", role: str = "operator") -> tuple[int, str]:
        """Sign as acme, with a key."""
        party = "acme" if role == "operator" else "nvidia"
        return self(*arguments, "--role", role, "--party", party, "--key", f"@{key}")


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """Return a party's desk with an event on it."""
    return Desk(tmp_path, capsys)


@pytest.mark.parametrize("alg", ["ed25519", "es256"])
def test_a_key_is_made_in_a_file_of_its_own(desk: Desk, alg: str) -> None:
    """Readable by its owner alone; thumbprint and public key are shown, the private one never."""
    made = desk.key("key", "--alg", alg)
    assert stat.S_IMODE((desk.folder / "key").stat().st_mode) == 0o600
    status, shown = desk("key", "show", "@key")
    assert status == DONE
    assert made["kid"] in shown
    assert "PRIVATE" not in shown
    assert made["alg"] == {"ed25519": "Ed25519", "es256": "ES256"}[alg]


def test_the_public_key_alone_can_be_printed(desk: Desk) -> None:
    """As it is registered and verified with: canonical JSON on one line."""
    made = desk.key("key")
    assert desk("key", "show", "@key", "--jwk") == (
        DONE,
        json.dumps(made["jwk"], separators=(",", ":"), sort_keys=True) + "\n",
    )


def test_a_key_is_never_overwritten(desk: Desk) -> None:
    """What was signed with it would stand on a key that is gone."""
    desk.key("key")
    before = (desk.folder / "key").read_bytes()
    assert desk("key", "new", "--out", "@key")[0] == UNUSABLE
    assert (desk.folder / "key").read_bytes() == before


def test_a_locked_key_needs_its_passphrase(desk: Desk) -> None:
    """Without, or with another one, nothing is signed."""
    (desk.folder / "pass").write_text("correct horse\n", "utf-8")
    (desk.folder / "other").write_text("wrong\n", "utf-8")
    made = desk.key("key", "--passphrase-file", str(desk.folder / "pass"))
    assert b"ENCRYPTED" in (desk.folder / "key").read_bytes()
    assert desk("key", "show", "@key")[0] == UNUSABLE
    assert desk("key", "show", "@key", "--passphrase-file", "@other")[0] == UNUSABLE
    status, shown = desk("key", "show", "@key", "--passphrase-file", "@pass")
    assert status == DONE
    assert made["kid"] in shown


def test_a_key_that_others_can_read_is_not_used(desk: Desk) -> None:
    """It may have been copied, and says so before it signs."""
    desk.key("key")
    (desk.folder / "key").chmod(0o640)
    status, said = desk.sign("event", "@event.json", "--out", "@signed")
    assert status == UNUSABLE
    assert "no secret" in said
    assert not (desk.folder / "signed").exists()


def test_an_event_is_signed_into_one_file(desk: Desk) -> None:
    """The file holds the event, whoever laid it out, and a statement over its digest."""
    made = desk.key("key")
    status, said = desk.sign(
        *("event", "@event.json", "--out", "@signed", "--at", "2026-03-02T00:00:00Z")
    )
    assert status == DONE, said
    file = read_event_file((desk.folder / "signed").read_bytes())
    assert file.event == EVENT
    assert file.id == event_id(EVENT)
    (statement,) = file.statements
    assert statement.kid == made["kid"]
    assert (statement.said.party, statement.said.role) == ("acme", "operator")
    assert statement.said.stated_at_ms == 1772409600000


def test_what_was_signed_verifies_with_the_public_key(desk: Desk) -> None:
    """And says which key signed, and that whose key it is was not asked."""
    desk.key("key")
    desk.sign("event", "@event.json", "--out", "@signed")
    status, said = desk("verify", "@signed", "--key", "@key.jwk")
    assert status == DONE
    assert "yes: this key signed exactly this" in said
    assert "not checked" in said


def test_a_second_party_signs_the_same_file_or_by_itself(desk: Desk) -> None:
    """With the file before it, or with no more than the id of the event."""
    desk.key("key")
    desk.key("vendor", "--alg", "es256")
    desk.sign("event", "@event.json", "--out", "@one")
    status, said = desk.sign("event", "@one", "--out", "@two", key="vendor", role="vendor")
    assert status == DONE, said
    assert len(read_event_file((desk.folder / "two").read_bytes()).statements) == 2
    assert desk("verify", "@two", "--key", "@key.jwk")[0] == REFUSED
    assert desk("verify", "@two", "--key", "@key.jwk", "--key", "@vendor.jwk")[0] == DONE

    status, said = desk.sign(
        *("statement", event_id(EVENT), "--out", "@s.jws"), key="vendor", role="vendor"
    )
    assert status == DONE, said
    statement = read_party_statement((desk.folder / "s.jws").read_bytes())
    assert statement.event == event_id(EVENT)
    assert desk("verify", "@s.jws", "--key", "@vendor.jwk", "--event", "@one")[0] == DONE


def test_a_statement_can_be_made_from_the_event_itself(desk: Desk) -> None:
    """Who was sent the event signs what it reads, not an id somebody gave it."""
    desk.key("key")
    status, _ = desk.sign("statement", str(desk.folder / "event.json"), "--out", "@s.jws")
    assert status == DONE
    statement = read_party_statement((desk.folder / "s.jws").read_bytes())
    assert statement.event == event_id(EVENT)


def test_a_party_does_not_sign_one_event_twice(desk: Desk) -> None:
    """It would contradict itself; nothing is written."""
    desk.key("key")
    desk.sign("event", "@event.json", "--out", "@one")
    status, said = desk.sign("event", "@one", "--out", "@two")
    assert status == REFUSED
    assert "statement-contradicts" in said
    assert not (desk.folder / "two").exists()


def test_what_is_no_event_is_not_signed(desk: Desk) -> None:
    """Refused with what is wrong and where, before a key is asked for anything."""
    desk.key("key")
    (desk.folder / "bad.json").write_text('{"type":"received"}', "utf-8")
    status, said = desk.sign("event", "@bad.json", "--out", "@signed")
    assert status == REFUSED
    assert "malformed-event" in said


def test_a_statement_about_another_event_is_refused(desk: Desk) -> None:
    """Held against the event that it should be about."""
    desk.key("key")
    desk.sign("statement", "A" * 43, "--out", "@s.jws")
    status, said = desk("verify", "@s.jws", "--key", "@key.jwk", "--event", "@event.json")
    assert status == REFUSED
    assert "statement-of-another-event" in said


def test_a_verdict_can_be_read_by_programs(desk: Desk) -> None:
    """Each statement with the code of what is wrong with it."""
    desk.key("key")
    desk.key("stranger")
    desk.sign("event", "@event.json", "--out", "@signed")
    status, said = desk("verify", "@signed", "--key", "@stranger.jwk", "--json")
    assert status == REFUSED
    (one,) = json.loads(said)["statements"]
    assert (one["signed"], one["code"]) == (False, "unknown-key")


def test_it_is_a_program(desk: Desk) -> None:
    """Its help names what it does."""
    program = [sys.executable, "-m", "chipledger_audit.sign_cli", "--help"]
    shown = subprocess.run(program, capture_output=True, text=True, check=True, cwd=desk.folder)
    for word in ("key", "event", "statement", "verify"):
        assert word in shown.stdout
