"""`chipledger-server reconcile`, and the captures of real machines as declared inventories."""

import re
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from chipledger_server.adapters import schema
from chipledger_testing.commands import Commands

CAPTURES = {
    "qx-h100.xml": ("H100-SXM5-80GB", 8, 15832),
    "qx-b200.xml": ("B200-SXM6-180GB", 8, 36000),
    "qx-gb200.xml": ("GB200-186GB", 4, 40000),
    "qx-l40s.xml": ("L40S-48GB", 1, 5864),
}


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return the command line of a new collector with one site."""
    made = Commands(tmp_path)
    made.initialise()
    made.site("johor")
    return made


@pytest.mark.shared
def test_real_captures_are_declared_chips_that_fill_no_hole(
    commands: Commands, shared: Path
) -> None:
    """21 chips, each of the right model and TPP, in a column of their own."""
    for name, (sku, chips, _) in CAPTURES.items():
        commands.done("import", "nvidia-smi", str(shared / "captures" / name), "--site", "johor")
        commands.done("receive", "--site", "johor", "--sku", sku, "--pieces", str(chips))

    report = commands.answer("reconcile", "--site", "johor")[0]["report"]
    rows = {row["sku"]: row for row in report["rows"]}
    found = {sku: (row["declared"], row["tpp_each"]) for sku, row in rows.items()}
    assert found == {sku: (chips, tpp) for sku, chips, tpp in CAPTURES.values()}
    assert sum(row["declared"] for row in rows.values()) == 21
    assert sum(row["unaccounted"] for row in rows.values()) == 21
    assert all(sum(row["present"].values()) == 0 for row in rows.values())
    assert report["unknown_models"] == []


@pytest.mark.shared
def test_a_newer_declaration_of_a_machine_replaces_the_older(
    commands: Commands, shared: Path
) -> None:
    """Under the same label; another label is another machine."""
    capture = str(shared / "captures" / "qx-l40s.xml")
    for at in ("2026-01-05", "2026-01-06"):
        commands.done("import", "nvidia-smi", capture, "--site", "johor", "--at", at)
    assert commands.answer("reconcile")[0]["report"]["rows"][0]["declared"] == 1
    commands.done("import", "nvidia-smi", capture, "--site", "johor", "--label", "other")

    assert commands.answer("reconcile")[0]["report"]["rows"][0]["declared"] == 2


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("no xml at all", "malformed-document"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document-declares-entities"),
        ("<other/>", "malformed-document"),
        ("<nvidia_smi_log></nvidia_smi_log>", "malformed-document"),
    ],
)
def test_a_document_that_is_none_is_refused(document: str, code: str, commands: Commands) -> None:
    """With its code; nothing is declared."""
    path = commands.file("bad.xml", document)

    assert code in commands.run("import", "nvidia-smi", path, "--site", "johor").err


def test_a_document_that_lists_fewer_than_it_counts_is_taken_and_told_of(
    commands: Commands,
) -> None:
    """A lost chip leaves such a document, a pair of scissors as well."""
    text = "<nvidia_smi_log><attached_gpus>3</attached_gpus><gpu/><gpu/></nvidia_smi_log>"
    path = commands.file("short.xml", text)
    said = commands.done("import", "nvidia-smi", path, "--site", "johor")

    assert "2 chips declared" in said
    assert "counts 1 more chip than it lists" in said


def test_the_table_says_what_is_known_and_how(commands: Commands) -> None:
    """Both verdicts, every grade, TPP used and left, versions, and what cannot be seen."""
    commands.done("receive", "--site", "johor", "--sku", "H100-SXM5-80GB", "--pieces", "8")
    text = commands.done("reconcile")

    for words in (
        "physical: UNACCOUNTED: booked chips are unaccounted for (8 chips unaccounted for)",
        "authorisation: NOT-AUTHORISED: chips that no licence or exception covers",
        "126,656 TPP beyond what is allowed; 126,656 TPP held",
        "G1 self-reported",
        "chips 2026-11-23.2 (in-force)",
        "us-diffusion-2025 2025-01-13.3 (codified-not-enforced)",
        "chipledger-appraisal 2026-11-23",
        "What this cannot see:",
    ):
        assert words in text
    assert "verified" not in text.casefold()


def test_1699_h100_pass_the_yearly_limit_and_1700_do_not(commands: Commands) -> None:
    """Although the press says 1,700; counted on receipt, per ultimate parent, over all sites."""
    commands.site("muar")
    licence = {
        "issuer": "BIS",
        "number": "LPP-1",
        "type": "LPP",
        "consignee": "acme",
        "valid_from": "2025-01-01",
        "valid_to": "2027-12-31",
        "source": {"sha256": "ab" * 32},
    }
    commands.done("licence", "add", commands.file("lpp.json", licence))
    h100 = ("--sku", "H100-SXM5-80GB", "--at", "2026-02-01")
    commands.done("receive", "--site", "johor", *h100, "--pieces", "1699")
    assert _authorisation(commands) == ["within", "within"]
    commands.done("receive", "--site", "muar", *h100, "--pieces", "1")

    assert _authorisation(commands) == ["exceeded", "exceeded"]


def test_the_table_of_allowances_keeps_their_room_apart(commands: Commands) -> None:
    """A site over its licence reads no room of the exception; a sister outside the claim none."""
    commands.site("muar")
    papers = {
        "issuer": "BIS",
        "consignee": "acme",
        "sites": ["johor"],
        "valid_from": "2025-01-01",
        "valid_to": "2027-12-31",
        "source": {"sha256": "ab" * 32},
    }
    line = {"sku": "H100-SXM5-80GB", "unit": "pieces", "amount": 12}
    for paper in (
        {**papers, "number": "LPP-1", "type": "LPP"},
        {**papers, "number": "D-1", "type": "licence", "lines": [line]},
    ):
        commands.done("licence", "add", commands.file("paper.json", paper))
    h100 = ("receive", "--site", "johor", "--sku", "H100-SXM5-80GB", "--at", "2026-02-01")
    commands.done(*h100, "--pieces", "16", "--charged-to", "BIS", "D-1")
    commands.done(*h100, "--pieces", "1")
    johor, muar = (
        commands.done("reconcile", "--site", site, "--as-of", "2026-03-01")
        for site in ("johor", "muar")
    )

    assert "authorisation: EXCEEDED" in johor
    assert "TPP: 63,328 TPP beyond what is allowed; 269,144 TPP held\n" in johor
    assert re.search(r"BIS D-1 \(licence\) .* 12 pieces +12 +4 pieces beyond\n", johor)
    assert re.search(r"LPP ceiling 2026 \(acme\) .* 26,884,168 TPP left\n", johor)
    assert "TPP: 0 TPP held; nothing more is allowed here\n" in muar
    assert re.search(r"LPP ceiling 2026 \(acme, used by johor\) .* not for this site\n", muar)


def test_a_site_with_nothing_received_and_nothing_seen_agrees_with_nothing(
    commands: Commands,
) -> None:
    """In a neutral verdict of its own."""
    said = commands.done("reconcile")

    assert "physical: NOTHING-TO-COMPARE: no controlled chip was received or seen\n" in said
    assert "AGREES" not in said


@pytest.mark.shared
def test_declared_chips_alone_are_compared_with_nothing(commands: Commands, shared: Path) -> None:
    """Twenty-one of them are still papers."""
    for name in CAPTURES:
        commands.done("import", "nvidia-smi", str(shared / "captures" / name), "--site", "johor")
    said = commands.done("reconcile")

    assert "physical: NOTHING-TO-COMPARE" in said
    assert "(21 chips declared, neither received nor seen)" in said


def _authorisation(commands: Commands) -> list[str]:
    return [one["report"]["authorisation"] for one in commands.answer("reconcile")]


def test_time_travel_on_the_command_line(commands: Commands) -> None:
    """Before the receipt happened there was nothing."""
    commands.done(
        *("receive", "--site", "johor", "--sku", "H100-SXM5-80GB", "--pieces", "8"),
        *("--at", "2026-02-01"),
    )

    assert commands.answer("reconcile", "--as-of", "2026-01-31")[0]["report"]["rows"] == []
    assert commands.answer("reconcile", "--as-of", "2026-02-01")[0]["report"]["rows"] != []
    assert "invalid-parameter" in commands.run("reconcile", "--as-of", "2999-01-01").err


def test_a_site_without_a_declaration_is_named_beside_the_others(commands: Commands) -> None:
    """A host stands where the only declaration was corrected: an error of its own, not for all."""
    commands.site("muar")
    engine = commands.database()
    with engine.begin() as connection:
        connection.execute(
            insert(schema.hosts).values(
                id="h-" + "a" * 26, num=1, site="muar", ueid="u", provider="nvml",
                enrolled_ms=0, code_hash=b"c" * 32,
            )
        )  # fmt: skip
        events = schema.ledger_events.c
        wrong = connection.execute(select(events.id).where(events.site == "muar")).scalar_one()
    engine.dispose()
    undo = {
        "type": "correction",
        "occurred_at_ms": 1767225600000,
        "corrects": wrong,
        "reason": "wrong country",
    }
    commands.correct(undo)
    ran = commands.run("reconcile", "--json")

    assert [one["report"]["site"] for one in ran.json] == ["johor"]
    assert ran.err.startswith("unknown-site at muar: ")
    assert "unknown-site" in commands.run("reconcile", "--site", "muar").err


def test_an_unknown_site_has_a_code(commands: Commands) -> None:
    """The same as the API's."""
    assert "unknown-site" in commands.run("reconcile", "--site", "nowhere").err
