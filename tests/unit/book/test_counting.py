"""A count says of each drawn chip what was seen, and counts it when the chip has answered."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest

from chipledger_book.counts.count_sheet import (
    COLUMNS,
    CountSheet,
    SheetRow,
    read_sheet,
    sheet_of,
    write_csv,
    write_json,
)
from chipledger_book.counts.counting import (
    Answer,
    Answers,
    Challenge,
    Counted,
    CountResult,
    Outcome,
    Verdict,
    count,
)
from chipledger_book.counts.population import Population, Unit, digest_of
from chipledger_book.counts.sampling import Hole, Plan, Sample, draw
from chipledger_book.errors import BookError
from chipledger_evidence.ids import sha256_b64
from chipledger_testing.sampling import GB200, SEED, plan_for, population, unit

TOKEN = sha256_b64(b"a token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A population, its plan and its sample: what a count starts from."""

    population: Population
    plan: Plan
    sample: Sample

    @property
    def sheet(self) -> CountSheet:
        """The empty sheet."""
        return sheet_of(self.sample)

    def unit(self, number: int) -> Unit:
        """Return a drawn chip by its number."""
        return self.sample.units[number - 1].unit

    @property
    def stranger(self) -> Unit:
        """A chip of the population that was not drawn."""
        drawn = {one.unit.id for one in self.sample.units}
        return next(one for one in self.population.units if one.id not in drawn)

    def filled(self, **change: str) -> CountSheet:
        """Return the sheet with every chip scanned at its place, the first row changed."""
        rows = [
            msgspec.structs.replace(row, outcome="seen", scanned=row.board)
            for row in self.sheet.rows
        ]
        rows[0] = msgspec.structs.replace(rows[0], **change)
        return self.sheet_with(rows)

    def sheet_with(self, rows: list[SheetRow]) -> CountSheet:
        """Return the sheet with these rows."""
        return msgspec.structs.replace(self.sheet, rows=tuple(rows))

    def answers(self, *numbers: int, state: str = "answered") -> Answers:
        """Return the answers of drawn chips."""
        evidence = TOKEN if state == "answered" else None
        given = [
            {"unit": self.unit(number).id, "state": state, "evidence": evidence}
            for number in numbers
        ]
        return Answers(
            format="chipledger-answers-1",
            sample=digest_of(self.sample),
            answers=tuple(msgspec.convert(given, list[Answer])),
        )

    def count(self, sheet: CountSheet, answers: Answers | None = None) -> CountResult:
        """Return what a sheet says."""
        return count(
            sheet, self.sample, plan=self.plan, population=self.population, answers=answers
        )


def floor(chips: Population, hole: int = 5) -> Floor:
    """Return a floor to be counted."""
    plan = plan_for(chips, Hole(by="chips", amount=hole))
    return Floor(population=chips, plan=plan, sample=draw(plan, chips, SEED))


FLOOR = floor(population(24))
EVERY = range(1, len(FLOOR.sample.units) + 1)


def first(result: CountResult) -> Counted:
    """Return what became of the first drawn chip."""
    return result.units[0]


def test_a_chip_that_was_scanned_awaits_a_challenge_and_does_not_count_yet() -> None:
    """A label is no chip."""
    result = FLOOR.count(FLOOR.filled())
    assert (result.found, result.drawn, result.counted) == (len(EVERY), len(EVERY), 0)
    assert {one.challenge for one in result.units} == {Challenge.AWAITING}
    assert (result.verdict, result.achieved_ppm) == (Verdict.INCOMPLETE, 0)


def test_when_all_have_answered_the_count_is_worth_what_was_planned() -> None:
    """And says by what each answered."""
    result = FLOOR.count(FLOOR.filled(), FLOOR.answers(*EVERY))
    assert (result.verdict, result.counted) == (Verdict.COMPLETE, len(EVERY))
    assert result.achieved_ppm == result.planned_ppm == FLOOR.plan.achieved_ppm >= 950_000
    assert first(result).evidence == TOKEN


def test_a_count_with_answers_missing_is_worth_less() -> None:
    """The probability is that of the chips that count, not of those that were drawn."""
    result = FLOOR.count(FLOOR.filled(), FLOOR.answers(*EVERY[1:]))
    assert result.verdict is Verdict.INCOMPLETE
    assert 0 < result.achieved_ppm < result.planned_ppm


def test_a_chip_that_does_not_answer_is_a_defect() -> None:
    """It was seen and is not proven."""
    result = FLOOR.count(FLOOR.filled(), FLOOR.answers(1, state="not-answered"))
    assert (first(result).outcome, first(result).counts) == (Outcome.FOUND, False)
    assert result.verdict is Verdict.DEFECTS


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"outcome": "", "scanned": ""}, Outcome.MISSING),
        ({"outcome": "missing", "scanned": ""}, Outcome.MISSING),
        ({"outcome": "refused", "scanned": ""}, Outcome.REFUSED),
        ({"seen_at": "R9/U9"}, Outcome.ELSEWHERE),
        ({"seen_at": FLOOR.unit(1).server or ""}, Outcome.FOUND),
        ({"scanned": FLOOR.unit(1).uuid or ""}, Outcome.FOUND),
        ({"scanned": FLOOR.unit(1).pdi or "", "outcome": ""}, Outcome.FOUND),
    ],
)
def test_what_became_of_a_drawn_chip(change: dict[str, str], outcome: Outcome) -> None:
    """Not looked for is missing, refused is a defect, any name of the chip will do."""
    result = FLOOR.count(FLOOR.filled(**change), FLOOR.answers(*EVERY))
    seen = outcome in {Outcome.FOUND, Outcome.ELSEWHERE}
    assert first(result).outcome is outcome
    assert first(result).counts is seen
    assert result.verdict is (Verdict.COMPLETE if seen else Verdict.DEFECTS)
    assert sum(getattr(result, one) for one in Outcome) == result.drawn


def test_a_label_at_two_places_counts_nowhere() -> None:
    """One of the two is a copy."""
    again = SheetRow(scanned=FLOOR.unit(1).board or "", seen_at="R9/U9")
    result = FLOOR.count(FLOOR.sheet_with([*FLOOR.filled().rows, again]), FLOOR.answers(*EVERY))
    assert first(result).outcome is Outcome.DUPLICATE
    assert first(result).rows == (1, len(EVERY) + 1)
    assert [scan.scanned for scan in result.duplicates] == [again.scanned]
    assert result.verdict is Verdict.DEFECTS


def test_a_scan_repeated_at_one_place_is_listed_and_harms_nothing() -> None:
    """A scanner beeps twice."""
    rows = FLOOR.filled().rows
    again = SheetRow(scanned=rows[0].scanned, seen_at=rows[0].place)
    result = FLOOR.count(FLOOR.sheet_with([*rows, again]), FLOOR.answers(*EVERY))
    assert result.verdict is Verdict.COMPLETE
    assert [scan.rows for scan in result.duplicates] == [(1, len(EVERY) + 1)]


def test_what_nobody_knows_and_what_was_not_drawn_are_listed_apart() -> None:
    """Neither stands in for a drawn chip."""
    rows = [
        *FLOOR.filled(outcome="missing", scanned="").rows,
        SheetRow(scanned="999000111", seen_at="R1/U1"),
        SheetRow(scanned=FLOOR.stranger.board or "", seen_at="R1/U1"),
    ]
    result = FLOOR.count(FLOOR.sheet_with(rows))
    assert [scan.scanned for scan in result.unknown] == ["999000111"]
    assert [scan.units for scan in result.not_drawn] == [(FLOOR.stranger.id,)]
    assert result.missing == 1


def test_a_chip_scanned_in_the_row_of_another_is_that_other_place_s_find() -> None:
    """Two boards in each other's slots are both elsewhere."""
    chips = population(24)
    here = floor(chips, hole=1)
    rows = list(here.filled().rows)
    one = next(n for n, row in enumerate(rows) if row.place != rows[0].place)
    rows[0], rows[one] = (
        msgspec.structs.replace(rows[0], scanned=rows[one].board),
        msgspec.structs.replace(rows[one], scanned=rows[0].board),
    )
    result = here.count(here.sheet_with(rows))
    assert (result.elsewhere, result.missing) == (2, 0)


def test_one_scan_of_a_board_sees_its_two_chips() -> None:
    """A GB200 board has one serial."""
    pair = [
        msgspec.structs.replace(unit(number, sku=GB200), board=f"165{number // 2}", place="R1")
        for number in range(4)
    ]
    here = floor(population(pair), hole=1)
    assert len(here.sample.units) == 4
    rows = [
        msgspec.structs.replace(row, scanned=row.board if row.unit[-1] in "02" else "")
        for row in here.sheet.rows
    ]
    result = here.count(here.sheet_with(rows))
    assert (result.found, result.duplicates) == (4, ())


BAD_ROWS = [
    (SheetRow(number=99), "unknown-sheet-number"),
    (SheetRow(number=1, outcome="ok"), "unknown-outcome"),
    (SheetRow(number=1, outcome="seen"), "scan-incomplete"),
    (SheetRow(outcome="missing"), "scan-incomplete"),
    (SheetRow(scanned="1650000000001"), "scan-incomplete"),
    (SheetRow(number=1, outcome="missing", scanned="1650000000001"), "scan-contradicts"),
    (SheetRow(scanned="SRV-1", seen_at="R1"), "scan-names-no-chip"),
    (SheetRow(scanned="1.65E+12", seen_at="R1"), "serial-rewritten"),
]


@pytest.mark.parametrize(("row", "code"), BAD_ROWS, ids=lambda one: getattr(one, "outcome", one))
def test_a_row_that_cannot_be_meant_so_is_refused(row: SheetRow, code: str) -> None:
    """With its code, and the row."""
    with pytest.raises(BookError) as caught:
        FLOOR.count(FLOOR.sheet_with([row]))
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == (code, "rows[1]")


def test_a_sheet_is_taken_whole_or_not_at_all() -> None:
    """One round of repairs: every bad row is named."""
    with pytest.raises(BookError) as caught:
        FLOOR.count(FLOOR.sheet_with([*FLOOR.filled().rows, *(row for row, _ in BAD_ROWS)]))
    assert [problem.code for problem in caught.value.problems] == [code for _, code in BAD_ROWS]


def test_a_sheet_of_another_sample_is_refused() -> None:
    """Its numbers stand for other chips."""
    with pytest.raises(BookError) as caught:
        FLOOR.count(floor(population(25)).sheet)
    assert caught.value.code == "sheet-of-another-sample"


def test_a_sample_that_was_not_drawn_so_is_refused() -> None:
    """Nobody takes a chip out of the sample after the draw."""
    less = msgspec.structs.replace(FLOOR.sample, units=FLOOR.sample.units[1:])
    with pytest.raises(BookError) as caught:
        count(sheet_of(less), less, plan=FLOOR.plan, population=FLOOR.population)
    assert caught.value.code == "sample-does-not-hold"


def test_answers_that_cannot_be_taken_are_refused() -> None:
    """Of a chip that was not drawn, twice, of another sample, or with nothing behind them."""
    good = FLOOR.answers(1)
    (one,) = good.answers
    replace = msgspec.structs.replace
    bad = {
        "answer-not-asked": [
            replace(good, answers=(replace(one, unit=FLOOR.stranger.id),)),
            replace(good, answers=(one, one)),
            replace(good, sample=TOKEN),
        ],
        "answer-without-evidence": [replace(good, answers=(replace(one, evidence=None),))],
    }
    for code, several in bad.items():
        for answers in several:
            with pytest.raises(BookError) as caught:
                FLOOR.count(FLOOR.filled(), answers)
            assert caught.value.code == code


@pytest.mark.parametrize("write", [write_csv, write_json])
def test_a_sheet_comes_back_as_it_went_out(write: Callable[[CountSheet], str]) -> None:
    """Empty and filled, in both forms, and with the mark that spreadsheets put in front."""
    for sheet in (FLOOR.sheet, FLOOR.filled(remark='a "quoted", remark', seen_at="R9")):
        text = write(sheet)
        assert read_sheet(text.encode()) == read_sheet(b"\xef\xbb\xbf" + text.encode()) == sheet


def test_the_head_of_a_sheet_names_what_reproduces_it() -> None:
    """Population, plan, sample and seed."""
    head = {
        row[1]: row[2] for row in csv.reader(io.StringIO(write_csv(FLOOR.sheet))) if row[0] == "#"
    }
    assert head["population"] == digest_of(FLOOR.population)
    assert head["plan"] == digest_of(FLOOR.plan)
    assert head["sample"] == digest_of(FLOOR.sample)
    assert bytes.fromhex(head["seed"]) == SEED


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_read(separator: str) -> None:
    """Spreadsheets of some countries write them."""
    rows = csv.reader(io.StringIO(write_csv(FLOOR.sheet)))
    text = "\n".join(separator.join(row) for row in rows)
    assert read_sheet(text.encode()) == FLOOR.sheet


HEAD = write_csv(FLOOR.sheet).split("number,")[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "number,outcome,scanned,seen_at,remark\n",
        "#,format",
        HEAD,
        HEAD + "number,outcome\n1,seen\n",
        HEAD.replace("chipledger-count-sheet-1", "x") + ",".join(COLUMNS) + "\n",
        HEAD + ",".join(COLUMNS) + '\n1,"unclosed\n',
        HEAD + ",".join(COLUMNS) + "\none\n",
        HEAD + ",".join(COLUMNS) + "\n0\n",
        HEAD + ",".join(COLUMNS) + "\n" + "," * len(COLUMNS) + "more\n",
        HEAD + "\udcff",
        "[" * 9999,
    ],
)  # fmt: skip
def test_something_else_than_a_sheet_is_refused(text: str) -> None:
    """With a code, whatever it is."""
    with pytest.raises(BookError) as caught:
        read_sheet(text.encode(errors="surrogateescape"))
    assert caught.value.code == "malformed-sheet"


def test_every_bad_line_of_a_sheet_is_named() -> None:
    """By its line in the file."""
    with pytest.raises(BookError) as caught:
        read_sheet((HEAD + ",".join(COLUMNS) + "\none\n2\nthree\n").encode())
    assert [problem.where for problem in caught.value.problems] == ["line 8", "line 10"]
