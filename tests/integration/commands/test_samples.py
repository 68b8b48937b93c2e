"""The commands of a sample: plan, announce, draw, sheet, count, conclude, show."""

import json
from pathlib import Path

import pytest

from chipledger_book.counts.sampling import commitment_of
from chipledger_testing.commands import Commands
from chipledger_testing.counting import SEED

AT = ("--site", "johor")


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return the command line of a collector with a site that received two servers of eight."""
    made = Commands(tmp_path)
    made.initialise()
    made.site("johor")
    made.done("receive", *AT, "--unit", "HGX-H100-8", "--serials", "SRV-1,SRV-2")
    return made


def token(commands: Commands, name: str, role: str) -> tuple[str, str]:
    """Return the option that names the token of a new principal."""
    scope = AT if role == "operator" else ()
    file = commands.folder / f"{name}.token"
    file.write_text(commands.done("principal", "add", name, "--role", role, *scope))
    return "--token-file", str(file)


def test_an_auditor_takes_a_sample_from_plan_to_statement(commands: Commands) -> None:
    """Nothing reports at this site: everything drawn is a label without evidence."""
    ada = token(commands, "ada", "auditor")
    seed = commands.folder / "seed"
    seed.write_bytes(SEED)
    ask = ("--hole", "4", "--strata", "none", "--within", "1h", "--commitment", commitment_of(SEED))

    tried = commands.done("sample", "plan", *AT, *ask, "--dry-run", *ada)
    assert "of 16 chips; a hole of 4 chips is found with probability" in tried
    plan = commands.answer("sample", "plan", *AT, *ask, *ada)["plan"]["digest"]
    commands.done("sample", "announce", *AT, *ada, "--", plan)
    drawn = json.loads(
        commands.done("sample", "draw", *AT, "--seed", str(seed), *ada, "--json", "--", plan)
    )
    assert drawn["seed"] == SEED.hex()
    sheet = commands.folder / "sheet.json"
    commands.done("sample", "sheet", *AT, "--out", str(sheet), *ada, "--", plan)
    filled = json.loads(sheet.read_text())
    filled["rows"] = [{**row, "outcome": "missing"} for row in filled["rows"]]
    sheet.write_text(json.dumps(filled))

    found = commands.done("sample", "count", *AT, *ada, "--", plan, str(sheet))
    assert "count       defects: 0 of" in found
    commands.done("sample", "conclude", *AT, "--inspector", "Ines", *ada, "--", plan)

    assert "CONCLUDED" in commands.done("sample", "show", *AT, *ada, "--", plan)
    olga = token(commands, "olga", "operator")
    assert plan in commands.done("sample", "show", *AT, *olga)


def test_a_seed_is_made_and_kept_for_its_owner_alone(commands: Commands) -> None:
    """The file is the seed that was committed to; an existing file is never overwritten."""
    ada = token(commands, "ada", "auditor")
    seed = commands.folder / "new.seed"
    ask = ("sample", "plan", *AT, "--hole", "50%", "--seed-out", str(seed), *ada)

    made = commands.answer(*ask)

    assert commitment_of(seed.read_bytes()) == made["plan"]["commitment"]
    assert seed.stat().st_mode & 0o777 == 0o600
    again = commands.run(*ask)
    assert (again.status, seed.stat().st_size) == (1, 32)


def test_an_operator_plans_nothing(commands: Commands) -> None:
    """Whoever holds the chips does not choose which are seen."""
    olga = token(commands, "olga", "operator")

    said = commands.run("sample", "plan", *AT, "--hole", "1", "--seed-out", "x", *olga)

    assert said.status == 1
    assert "forbidden" in said.err
