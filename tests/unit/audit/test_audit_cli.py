"""`chipledger-audit sample` leads from the API's pages to a count, on files and offline."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chipledger_audit.audit_cli import main
from chipledger_book.admission import problems
from chipledger_book.counts.count_sheet import CountSheet, read_sheet, write_csv
from chipledger_book.counts.population import digest_of, read_population, read_sampling_file
from chipledger_book.counts.sampling import Plan, Sample
from chipledger_book.events import read_event
from chipledger_book.movements import PhysicalInventory
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.ids import sha256_b64
from chipledger_testing.book import NOW, TABLES, book_of, declared, site_of
from chipledger_testing.sampling import AT_MS, SEED, mixed

COMMITMENT = hashlib.sha256(SEED).hexdigest()


def run(*arguments: object, status: int = 0) -> None:
    """Run `sample` with these arguments; it must exit with this status."""
    assert main(["sample", *map(str, arguments)]) == status


def device(number: int, **change: object) -> dict[str, Any]:
    """Return one device as the API answers it."""
    members: dict[str, Any] = {
        "place": number % 8, "chip": number, "reading": "read", "standing": "present",
        "grade": "G1", "sku": "H100-SXM5-80GB", "name": "NVIDIA H100", "pdi": f"{number:016x}",
        "uuid": f"GPU-{number:08x}-0000-0000-0000-000000000000", "serial": f"165{number:010d}",
        "bdf": "0000:01:00.0",
    }  # fmt: skip
    return {"host": f"h-{number // 8}", "device": {**members, **change}}


def page(folder: Path, items: list[dict[str, Any]], *, cursor: str | None = None) -> Path:
    """Write one page of the API."""
    path = folder / f"page-{len(list(folder.iterdir()))}.json"
    answer = {"items": items, "next": cursor, "as_of_ms": AT_MS, "known_at_ms": AT_MS}
    path.write_text(json.dumps(answer))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a population, its plan, the seed and what it drew."""
    (tmp_path / "population").write_bytes(encode_canonical(mixed()))
    (tmp_path / "seed").write_bytes(SEED)
    given = ("--hole", "6", "--commitment", COMMITMENT)
    population = ("--population", tmp_path / "population")
    run("plan", *population, *given, "--out", tmp_path / "plan")
    plan = ("--plan", tmp_path / "plan")
    run("draw", *plan, *population, "--seed", tmp_path / "seed", "--out", tmp_path / "sample")
    run("sheet", "--sample", tmp_path / "sample", "--out", tmp_path / "sheet.csv")
    return tmp_path


def taken(folder: Path, sheet: CountSheet, *more: object, status: int) -> None:
    """Import a sheet."""
    (folder / "filled.csv").write_text(write_csv(sheet))
    files = [
        item for name in ("sample", "plan", "population") for item in (f"--{name}", folder / name)
    ]
    run("import", folder / "filled.csv", *files, *more, "--out", folder / "count", status=status)


def filled(folder: Path) -> CountSheet:
    """Return the sheet with every drawn chip scanned."""
    sheet = read_sheet((folder / "sheet.csv").read_bytes())
    rows = tuple(msgspec.structs.replace(row, scanned=row.board) for row in sheet.rows)
    return msgspec.structs.replace(sheet, rows=rows)


def test_a_seed_is_secret_and_its_commitment_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sha256sum` of the file is the commitment, and a second call leaves the file alone."""
    run("seed", "--out", tmp_path / "seed")
    seed = (tmp_path / "seed").read_bytes()
    assert f"commitment  {hashlib.sha256(seed).hexdigest()}\n" in capsys.readouterr().out
    assert (tmp_path / "seed").stat().st_mode & 0o777 == 0o600
    run("seed", "--out", tmp_path / "seed", status=2)
    assert (tmp_path / "seed").read_bytes() == seed


def test_a_population_is_made_of_the_pages_of_one_walk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What answers and what fell silent; a driver's odd serial is left out, and the rest told."""
    first = page(tmp_path, [device(2), device(1, serial="N/A?")], cursor="more")
    last = page(
        tmp_path,
        [
            device(9, chip=None, standing="silent", pdi=None),
            device(10, standing="moved"),
            device(11, standing="uncounted"),
        ],
    )
    run("population", first, last, "--site", "johor-1", "--out", tmp_path / "out")
    population = read_population((tmp_path / "out").read_bytes())
    assert [one.id for one in population.units] == ["chip-1", "chip-2", "h-1/1"]
    assert [one.board for one in population.units] == [None, "1650000000002", "1650000000009"]
    shown = capsys.readouterr().out
    assert digest_of(population) in shown
    assert "left out: 1 moved, 1 uncounted" in shown


def test_half_a_walk_is_no_population(tmp_path: Path) -> None:
    """A population with chips left out would be sampled as if it were all."""
    first = page(tmp_path, [device(1)], cursor="more")
    last = page(tmp_path, [device(2)])
    other = tmp_path / "other.json"
    other.write_text(last.read_text().replace(str(AT_MS), str(AT_MS + 1)))
    out = ("--site", "johor-1", "--out", tmp_path / "out")
    for pages in ([first], [last, first], [first, other], [last, last], [tmp_path / "none"]):
        run("population", *pages, *out, status=2)
    (tmp_path / "text").write_text("[]")
    run("population", tmp_path / "text", *out, status=2)
    assert not (tmp_path / "out").exists()


def test_a_plan_shows_both_formulas_and_what_it_achieves(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """For every stratum and for all, with the digest that is to be logged."""
    shown = capsys.readouterr().out
    plan = msgspec.json.decode((folder / "plan").read_bytes(), type=Plan)
    assert plan.population == digest_of(mixed())
    assert digest_of(plan) in shown
    assert "exact" in shown
    assert "short" in shown
    assert f"{plan.achieved_ppm // 10_000}.{plan.achieved_ppm % 10_000:04d} %" in shown
    for stratum in ("GB200-186GB G3", "H100-SXM5-80GB G0", "H100-SXM5-80GB G1"):
        assert stratum in shown


@pytest.mark.parametrize(
    ("given", "hole"),
    [
        ("3", {"by": "chips", "amount": 3}),
        ("7.5%", {"by": "share", "amount": 75_000}),
        ("tpp:31664", {"by": "tpp", "amount": 31_664}),
    ],
)
def test_a_hole_is_given_in_chips_per_cent_or_tpp(
    tmp_path: Path, given: str, hole: dict[str, object]
) -> None:
    """And stands in the plan as it was given."""
    (tmp_path / "population").write_bytes(encode_canonical(mixed()))
    more = ("--strata", "none", "--confidence", "90%", "--commitment", COMMITMENT)
    files = ("--population", tmp_path / "population", "--out", tmp_path / "plan")
    run("plan", *files, "--hole", given, *more)
    plan = json.loads((tmp_path / "plan").read_bytes())
    assert (plan["hole"], plan["confidence_ppm"], plan["split"]) == (hole, 900_000, [])


@pytest.mark.parametrize(
    "given",
    [
        ("--hole", "0"),
        ("--hole", "x"),
        ("--hole", "x%"),
        ("--hole", "0.00001%"),
        ("--hole", "kg:5"),
        ("--hole", "1", "--confidence", "inf"),
        ("--hole", "1", "--strata", "colour"),
        ("--hole", "1", "--commitment", "abc"),
    ],
)
def test_what_cannot_be_meant_so_is_wrong_usage(given: tuple[str, ...]) -> None:
    """Exit status 2, before any file is read."""
    with pytest.raises(SystemExit) as caught:
        run("plan", "--population", "p", "--out", "o", "--commitment", COMMITMENT, *given)
    assert caught.value.code == 2


def test_a_refusal_names_its_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another seed than the committed one."""
    (folder / "other").write_bytes(bytes(32))
    files = ("--plan", folder / "plan", "--population", folder / "population")
    run("draw", *files, "--seed", folder / "other", "--out", folder / "again", status=1)
    assert "commitment-mismatch" in capsys.readouterr().err
    assert not (folder / "again").exists()


def test_drawn_chips_are_named_as_people_find_them(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """Chip, board and place, by number."""
    shown = capsys.readouterr().out
    sample = msgspec.json.decode((folder / "sample").read_bytes(), type=Sample)
    for drawn in sample.units:
        unit = drawn.unit
        assert f"{unit.id}  chip {unit.pdi}  board {unit.board}  at {unit.place}, " in shown
        assert f"server {unit.server}, host {unit.host}\n" in shown


def test_a_filled_sheet_is_incomplete_until_every_chip_has_answered(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scans alone are worth nothing; with the answers they are worth what was planned."""
    taken(folder, filled(folder), status=1)
    shown = capsys.readouterr().out
    assert "incomplete: 0 of" in shown
    assert "achieved    0.0000 % by the chips that count" in shown
    (folder / "count").rename(folder / "first")
    taken(folder, filled(folder), "--answers", answered(folder), status=0)
    assert "complete: " in capsys.readouterr().out


def answered(folder: Path) -> Path:
    """Write that every drawn chip has answered."""
    sample = msgspec.json.decode((folder / "sample").read_bytes(), type=Sample)
    token = sha256_b64(b"token")
    answers = [
        {"unit": one.unit.id, "state": "answered", "evidence": token} for one in sample.units
    ]
    text = {"format": "chipledger-answers-1", "sample": digest_of(sample), "answers": answers}
    (folder / "answers").write_text(json.dumps(text))
    return folder / "answers"


def test_what_counts_becomes_an_event_that_the_book_admits(folder: Path) -> None:
    """The chips by name, the plan by digest, the count as the paper behind it; it books nothing."""
    taken(folder, filled(folder), "--answers", answered(folder), status=0)
    files = ("--count", folder / "count", "--sample", folder / "sample")
    at = ("--inspector", "A. Auditor", "--at", "2026-05-31T12:00:00+08:00")
    run("event", *files, *at, "--out", folder / "event")
    event = read_event((folder / "event").read_bytes())
    assert isinstance(event, PhysicalInventory)
    assert event.occurred_at_ms == 1_780_200_000_000
    assert event.plan == digest_of(read_sampling_file((folder / "plan").read_bytes(), Plan))
    paper = hashlib.sha256((folder / "count").read_bytes()).hexdigest()
    assert [document.sha256 for document in event.documents] == [paper]
    assert event.remark == "complete: 18 of 18 drawn chips are listed"
    book = book_of(declared(site_of("johor-1")))
    assert list(problems(event, book, TABLES, now_ms=NOW)) == []


@pytest.mark.parametrize("at", ["yesterday", "2026-06-01T12:00:00", ""])
def test_a_time_needs_its_zone(at: str) -> None:
    """Wrong usage, before any file is read."""
    with pytest.raises(SystemExit) as caught:
        run("event", "--count", "c", "--sample", "s", "--inspector", "x", "--out", "o", "--at", at)
    assert caught.value.code == 2


def test_a_stranger_s_label_steers_no_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a scanner read is shown as it is, escaped."""
    sheet = filled(folder)
    rows = (
        msgspec.structs.replace(sheet.rows[0], number=None, scanned="\x1b[2J", seen_at="\u202e"),
    )
    taken(folder, msgspec.structs.replace(sheet, rows=rows), status=1)
    shown = capsys.readouterr().out
    assert "unknown: '\\x1b[2J' at '\\u202e'" in shown
    assert "missing, challenge awaiting" in shown


def test_every_bad_row_is_named_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sheet is taken whole or not at all."""
    sheet = filled(folder)
    rows = tuple(msgspec.structs.replace(row, outcome="ok") for row in sheet.rows)
    taken(folder, msgspec.structs.replace(sheet, rows=rows), status=1)
    assert capsys.readouterr().err.count("unknown-outcome at rows[") == len(rows)
    assert not (folder / "count").exists()


def test_the_steps_on_the_page_are_those_of_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every step that docs/OPERATIONS.md shows can be typed, with the options shown."""
    page = (Path(__file__).parents[3] / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
    shown = re.findall(r"`chipledger-audit sample ([a-z]+)([^`]*)`", page)
    steps = {"seed", "population", "plan", "draw", "sheet", "import", "event"}
    assert {step for step, _ in shown} == steps
    for step, rest in shown:
        with pytest.raises(SystemExit):
            main(["sample", step, "--help"])
        assert set(re.findall(r"--[a-z-]+", rest)) <= set(
            re.findall(r"--[a-z-]+", capsys.readouterr().out)
        )


def test_a_sheet_is_written_as_json_too(folder: Path) -> None:
    """By the ending of its name; both say the same."""
    run("sheet", "--sample", folder / "sample", "--out", folder / "sheet.json")
    assert read_sheet((folder / "sheet.json").read_bytes()) == read_sheet(
        (folder / "sheet.csv").read_bytes()
    )


def test_population_files_may_have_any_layout(folder: Path) -> None:
    """The digest is that of the canonical encoding, not of the file."""
    members = json.loads((folder / "population").read_bytes())
    (folder / "again").write_text(json.dumps(members, indent=4))
    assert digest_of(read_population((folder / "again").read_bytes())) == digest_of(mixed())
