"""Changing the rules on the command line: two people, and verdicts under several rule sets."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chipledger_book import shipped
from chipledger_evidence.codec import encode_canonical
from chipledger_server.adapters import schema
from chipledger_testing.commands import Commands


@dataclass
class Desk:
    """A collector with an administrator, an auditor and an operator."""

    commands: Commands

    def by(self, who: str) -> tuple[str, str]:
        """Return the flag of a principal's token."""
        return ("--token-file", str(self.commands.folder / who))

    def load(self, table: dict[str, Any], *, who: str = "ann") -> str:
        """Propose a table and return the proposal."""
        file = self.commands.file("table.json", table)
        return self.commands.done("rules", "load", file, "--reason", "law", *self.by(who)).strip()

    def refused(self, *arguments: str) -> str:
        """Return what a command that is refused says."""
        ran = self.commands.run("rules", *arguments)
        assert ran.status == 1, ran.out
        return ran.err

    def listed(self) -> dict[str, Any]:
        """Return `rules list`."""
        found: dict[str, Any] = self.commands.answer("rules", "list")
        return found

    def verdict(self, *arguments: str) -> str:
        """Return the authorisation of the site."""
        (found,) = self.commands.answer("reconcile", "--site", "johor", *arguments)
        return str(found["report"]["authorisation"])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a collector with one site that received eight chips and has no licence."""
    commands = Commands(tmp_path)
    commands.initialise()
    commands.site("johor")
    for name, role in (("ann", "administrator"), ("bo", "auditor"), ("op", "operator")):
        scope = ("--site", "johor") if role == "operator" else ()
        added = commands.done("principal", "add", name, "--role", role, *scope)
        commands.file(name, next(word for word in added.split() if word.startswith("clp_")))
    commands.done("receive", "--site", "johor", "--sku", "H100-SXM5-80GB", "--pieces", "8")
    return Desk(commands)


def changed(version: str = "2026-11-24.1", **head: str) -> dict[str, Any]:
    """Return the rules of January 2025 as a new version that asks Malaysia for no licence."""
    table: dict[str, Any] = json.loads(encode_canonical(shipped.rule_set_2025()))
    table["head"] |= {"version": version, **head}
    table["domestic"] = ["MY", "US"]
    return table


def test_a_table_holds_once_another_person_approved_it(desk: Desk) -> None:
    """Loading changes nothing; approving does, from then on and not before."""
    proposal = desk.load(changed())
    assert desk.verdict() == "not-authorised"
    (waits,) = desk.listed()["waiting"]
    assert (waits["id"], waits["proposed_by"]) == (proposal, "ann")

    approved = desk.commands.answer("rules", "approve", proposal, *desk.by("bo"))

    assert desk.verdict() == "not-required"
    before = str(approved["decided_ms"] - 1)
    assert desk.verdict("--known-at", before) == "not-authorised"
    versions = {
        one["version"]: one["state"]
        for one in desk.listed()["items"]
        if one["id"] == "us-diffusion-2025"
    }
    assert versions["2026-11-24.1"] == "approved"


def test_an_old_version_is_asked_by_its_name(desk: Desk) -> None:
    """What held once can be asked for ever; what nobody approved cannot."""
    old = f"us-diffusion-2025@{shipped.rule_set_2025().head.version}"
    proposal = desk.load(changed())
    new = "us-diffusion-2025@2026-11-24.1"
    ran = desk.commands.run("reconcile", "--site", "johor", "--rules", new)
    assert "table-not-approved" in ran.err
    desk.commands.done("rules", "approve", proposal, *desk.by("bo"))

    assert desk.verdict("--rules", old) == "not-authorised"
    assert desk.verdict("--rules", new) == "not-required"


def test_nobody_approves_what_they_proposed_and_no_operator_anything(desk: Desk) -> None:
    """Two people, neither of them an operator."""
    proposal = desk.load(changed())

    assert "same-person" in desk.refused("approve", proposal, *desk.by("ann"))
    assert "forbidden" in desk.refused("approve", proposal, *desk.by("op"))
    file = desk.commands.file("other.json", changed("2026-11-25.1"))
    assert "forbidden" in desk.refused("load", file, "--reason", "x", *desk.by("op"))


def test_a_declined_table_never_holds(desk: Desk) -> None:
    """It stays to be read, and cannot be approved."""
    proposal = desk.load(changed())
    desk.commands.done("rules", "decline", proposal, "--reason", "wrong", *desk.by("bo"))

    assert "already-decided" in desk.refused("approve", proposal, *desk.by("bo"))
    assert desk.verdict() == "not-authorised"
    assert "declined" in desk.commands.done("rules", "list")


def test_every_step_stands_in_the_log(desk: Desk) -> None:
    """With the digest of the table, who proposed it and who decided."""
    proposal = desk.load(changed())
    desk.commands.done("rules", "approve", proposal, *desk.by("bo"))
    engine = desk.commands.database()
    with engine.connect() as connection:
        rows = connection.execute(
            select(schema.records.c.record)
            .where(schema.records.c.type == "rule-set")
            .order_by(schema.records.c.pos)
        )
        records = [json.loads(bytes(row.record)) for row in rows]
    engine.dispose()

    said = [(one["action"], one["by"]) for one in records if one["action"] != "table-shipped"]
    assert said == [("table-proposed", "ann"), ("table-approved", "bo")]
    assert len(records) == 2 + len(shipped.newest())
    assert records[-1]["proposed_by"] == "ann"
    assert records[-1]["digest"] == records[-2]["digest"]


@pytest.mark.parametrize(
    ("change", "code", "where"),
    [
        ({"tiers": []}, "malformed-table", "tiers"),
        ({"country_lists": "nowhere"}, "unknown-table", "country_lists"),
        ({"limits": [{"limit": "x"}]}, "malformed-table", "limits[0]"),
    ],
)
def test_a_wrong_table_is_refused_with_its_row(
    desk: Desk, change: dict[str, Any], code: str, where: str
) -> None:
    """Nothing of it is kept."""
    file = desk.commands.file("wrong.json", changed() | change)

    err = desk.refused("load", file, "--reason", "x", *desk.by("ann"))
    assert code in err
    assert where in err
    assert desk.listed()["waiting"] == []


def test_dates_units_and_lists_are_checked(desk: Desk) -> None:
    """Overlap, gap, missing date, unknown list, unknown unit, a version with other content."""
    lists: dict[str, Any] = json.loads(encode_canonical(shipped.country_lists()))
    lists["head"]["version"] = "new"
    rows = [row for row in lists["lists"] if row["list"] == "D:5"]

    def refused(table: dict[str, Any]) -> str:
        file = desk.commands.file("wrong.json", table)
        return desk.refused("load", file, "--reason", "x", *desk.by("ann"))

    rows[1]["valid_from"] = "2026-07-22"
    assert "table-dates-overlap at lists[" in refused(lists)
    rows[1]["valid_from"] = "2026-07-25"
    assert "table-dates-gap at lists[" in refused(lists)
    del rows[1]["valid_from"]
    assert "table-dates-wrong at lists[" in refused(lists)
    rows[1]["valid_from"] = "2026-07-23"
    lists["lists"] = [row for row in lists["lists"] if row["list"] != "macau"]
    assert "unknown-country-list at us-" in refused(lists)
    wrong = changed()
    wrong["tiers"][0]["lists"] = ["D:55"]
    assert "unknown-country-list at tiers[0]" in refused(wrong)
    wrong = changed()
    wrong["ceilings"][0]["limit"]["unit"] = "flops"
    assert "unknown-quantity-unit at ceilings[0].limit.unit" in refused(wrong)
    same = changed(shipped.rule_set_2025().head.version)
    assert "table-version-exists at head.version" in refused(same)


def test_one_ledger_under_every_rule_set(desk: Desk) -> None:
    """Each verdict is named with the rule set and the versions it stands on."""
    found = desk.commands.answer("reconcile", "--site", "johor", "--rules", "all")
    said = {one["report"]["rules"]["rule_set"]: one["report"]["authorisation"] for one in found}

    assert said == {
        "us-china-2026": "not-required",
        "us-dc-veu-2025": "not-authorised",
        "us-destination-2026": "not-required",
        "us-diffusion-2025": "not-authorised",
    }
    text = desk.commands.done("reconcile", "--site", "johor", "--rules", "us-destination-2026")
    assert "tier elsewhere, no licence is needed" in text


def test_the_default_rule_set_is_adopted_by_two_people(desk: Desk) -> None:
    """From the approval on; a verdict of before stays what it was."""
    adopt = ("rules", "adopt", "us-destination-2026", "--reason", "law", *desk.by("ann"))
    proposal = desk.commands.done(*adopt).strip()
    assert "already-proposed" in desk.refused(*adopt[1:])
    done = desk.commands.answer("rules", "approve", proposal, *desk.by("bo"))

    assert desk.verdict() == "not-required"
    assert desk.verdict("--known-at", str(done["decided_ms"] - 1)) == "not-authorised"
    assert desk.listed()["adopted"] == "us-destination-2026"


def test_versions_are_compared_in_words_and_as_data(desk: Desk) -> None:
    """Of tables that are kept, and of a file that is not loaded yet."""
    file = desk.commands.file("new.json", changed())
    text = desk.commands.done("rules", "diff", "us-diffusion-2025", file)
    data = desk.commands.answer("rules", "diff", "us-diffusion-2025", file)

    assert 'domestic: + "MY"' in text
    assert [row["member"] for row in data["rows"]] == ["domestic", "head"]
    assert json.loads(desk.commands.done("rules", "show", "chips"))["head"]["id"] == "chips"


def test_limits_per_country_count_the_licences_entered(desk: Desk) -> None:
    """What is licensed here is a part of what the authority counts, and the table says so."""
    licence = {
        "issuer": "BIS", "number": "D1", "type": "licence", "consignee": "acme",
        "valid_from": "2026-01-01", "valid_to": "2026-12-31",
        "lines": [{"unit": "tpp", "amount": 1000}],
        "source": {"sha256": "ab" * 32, "title": "letter"},
    }  # fmt: skip
    commands = desk.commands
    real = commands.done
    party = "acme:Acme:MY"
    real(
        *("site", "add", "--id", "kl", "--name", "KL", "--country", "MY"),
        *("--operator", party, "--consignee", party, "--parent", party),
    )
    real("licence", "add", commands.file("licence.json", licence))

    (use,) = commands.answer("rules", "countries")
    assert (use["of"], use["used"], use["most"]) == ("MY", 1000, 790_000_000)
    assert (use["verdict"], use["sees"]) == ("undetermined", "own")
