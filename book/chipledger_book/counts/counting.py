"""What a count found of each drawn chip, and what that is worth.

What a scanner saw is a label. A chip counts only after it has itself answered a challenge; until
then it awaits one. A chip that nobody is allowed to see is a defect, as a missing one is.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from chipledger_book.counts.count_sheet import CountSheet, SheetRow
from chipledger_book.counts.detection import Sampled
from chipledger_book.counts.population import Label, Population, Unit, digest_of
from chipledger_book.counts.sampling import (
    Drawn,
    Key,
    Number,
    Plan,
    Positive,
    Sample,
    achieved_ppm,
    draw,
)
from chipledger_book.errors import BookError, Code, Problem, refuse
from chipledger_book.terms import Record, Text
from chipledger_evidence.ids import Digest, SiteName


class Outcome(StrEnum):
    """What a count says of one drawn chip."""

    FOUND = "found"  # scanned at its place
    ELSEWHERE = "elsewhere"  # scanned at another place
    DUPLICATE = "duplicate"  # scanned at two places: one of them is a copied label
    MISSING = "missing"  # not there, or not looked for
    REFUSED = "refused"  # somebody did not let it be seen


class Challenge(StrEnum):
    """Whether a chip itself has answered since it was drawn."""

    AWAITING = "awaiting"
    ANSWERED = "answered"
    NOT_ANSWERED = "not-answered"


class Verdict(StrEnum):
    """What a count comes to."""

    COMPLETE = "complete"  # every drawn chip was seen and has answered
    INCOMPLETE = "incomplete"  # every drawn chip was seen, and some answers are awaited
    DEFECTS = "defects"  # some drawn chip is missing, refused, seen twice or does not answer


class Answer(Record, frozen=True, kw_only=True):
    """What became of the challenge to one drawn chip.

    Attributes:
        evidence: id of the token, or digest of the statement, that answers.
    """

    unit: Label
    state: Literal["answered", "not-answered"]
    evidence: Digest | None = None


class Answers(Record, frozen=True, kw_only=True):
    """Answers to the challenges after a draw."""

    format: Literal["chipledger-answers-1"]
    sample: Digest
    answers: tuple[Answer, ...]


class Counted(Record, frozen=True, kw_only=True):
    """One drawn chip after the count.

    Attributes:
        rows: rows of the sheet that speak of it, from 1.
        seen_at: where it was scanned, each place once.
        counts: it was seen, and it has answered.
    """

    number: Positive
    unit: Label
    outcome: Outcome
    challenge: Challenge
    evidence: Digest | None
    counts: bool
    rows: tuple[int, ...]
    seen_at: tuple[Text, ...]
    remarks: tuple[Text, ...]


class Scan(Record, frozen=True, kw_only=True):
    """What a scanner read, in which rows and where; with the chips of that name, if any."""

    scanned: Text
    rows: tuple[int, ...]
    seen_at: tuple[Text, ...]
    units: tuple[Label, ...]


class CountResult(Record, frozen=True, kw_only=True):
    """What a count found. Every drawn chip is listed once, whatever became of it.

    Attributes:
        drawn: size of the sample, the sum of the five that follow.
        counted: of them, those that count.
        achieved_ppm: probability that those that count hold some of the plan's hole, if there is
            one: what the count is worth by now, in millionths, rounded down.
        planned_ppm: the same when all that was drawn counts.
        unknown: scans that name no chip of the population.
        duplicates: names that were scanned more than once.
        not_drawn: scans of chips that were not drawn; they add nothing to the sample.
    """

    format: Literal["chipledger-count-1"]
    site: SiteName
    population: Digest
    plan: Digest
    sample: Digest
    verdict: Verdict
    drawn: Number
    found: Number
    elsewhere: Number
    duplicate: Number
    missing: Number
    refused: Number
    counted: Number
    achieved_ppm: Number
    planned_ppm: Number
    units: tuple[Counted, ...]
    unknown: tuple[Scan, ...]
    duplicates: tuple[Scan, ...]
    not_drawn: tuple[Scan, ...]


_SEEN: Final = frozenset({Outcome.FOUND, Outcome.ELSEWHERE})
_OUTCOMES: Final = ("", "seen", "missing", "refused")
_REWRITTEN: Final = re.compile(r"[0-9][.,]?[0-9]*[eE]\+?[0-9]+")
"""How a spreadsheet writes a long serial that it took for a number."""


def count(
    sheet: CountSheet,
    sample: Sample,
    *,
    plan: Plan,
    population: Population,
    answers: Answers | None = None,
) -> CountResult:
    """Return what a filled sheet says, all of it or nothing.

    Raises:
        BookError: everything that is wrong, by row; `sample-does-not-hold` where population, plan
            and seed draw something else than the sample.
    """
    _check_sample(sample, plan, population)
    named = _named(population)
    problems = (*_problems(sheet, sample, population, named), *_answer_problems(answers, sample))
    if problems:
        raise BookError(problems)
    sights = tuple(_sights(sheet.rows, sample))
    scans = _scans(sights, named)
    units = tuple(_units(sample, sheet, sights, named, answers=answers))
    drawn = {one.unit for one in units}
    return CountResult(
        format="chipledger-count-1",
        site=sample.site,
        population=sample.population,
        plan=sample.plan,
        sample=digest_of(sample),
        verdict=_verdict(units),
        drawn=len(units),
        **_outcomes(units),
        counted=sum(one.counts for one in units),
        achieved_ppm=_achieved(plan, sample, units),
        planned_ppm=plan.achieved_ppm,
        units=units,
        unknown=tuple(scan for scan in scans if not scan.units),
        duplicates=tuple(filter(_repeated, scans)),
        not_drawn=tuple(scan for scan in scans if scan.units and drawn.isdisjoint(scan.units)),
    )


def _outcomes(units: Iterable[Counted]) -> dict[str, int]:
    """Return how many drawn chips each outcome has, none left out."""
    numbers = Counter(one.outcome for one in units)
    return {str(outcome): numbers[outcome] for outcome in Outcome}


def _check_sample(sample: Sample, plan: Plan, population: Population) -> None:
    """Do nothing if the sample is what population, plan and seed draw."""
    if draw(plan, population, bytes.fromhex(sample.seed)) != sample:
        raise refuse(
            Code.SAMPLE_DOES_NOT_HOLD,
            "population, plan and seed draw another sample",
            where="sample",
            hint="give the sample as it was drawn",
        )


def _named(population: Population) -> dict[str, list[Unit]]:
    """Return the chips that each name stands for; a board's serial may name several."""
    found: dict[str, list[Unit]] = defaultdict(list)
    for unit in population.units:
        for name in unit.names:
            found[name].append(unit)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sight:
    """One scan: which row, what, where in words, and of which drawn chip the row is."""

    row: int
    scanned: str
    where: str
    printed: Unit | None

    def at_home(self, unit: Unit) -> bool:
        """Tell whether this is where the chip is said to be."""
        own_row = self.printed is not None and self.printed.id == unit.id
        return self.where in unit.places or (own_row and not unit.places)


def _sights(rows: Sequence[SheetRow], sample: Sample) -> Iterator[_Sight]:
    """Yield what was scanned; a row that says no place means the one printed on it."""
    for place, row in enumerate(rows, start=1):
        if row.scanned:
            printed = None if row.number is None else sample.units[row.number - 1].unit
            here = "" if printed is None else printed.place or printed.host or printed.server or ""
            yield _Sight(row=place, scanned=row.scanned, where=row.seen_at or here, printed=printed)


def _scans(sights: Iterable[_Sight], named: Mapping[str, Sequence[Unit]]) -> tuple[Scan, ...]:
    """Return what was scanned, each name once, in the order of the rows."""
    found: dict[str, list[_Sight]] = defaultdict(list)
    for sight in sights:
        found[sight.scanned].append(sight)
    return tuple(
        Scan(
            scanned=name,
            rows=tuple(sight.row for sight in seen),
            seen_at=tuple(dict.fromkeys(sight.where for sight in seen)),
            units=tuple(unit.id for unit in named.get(name, ())),
        )
        for name, seen in found.items()
    )


def _repeated(scan: Scan) -> bool:
    """Tell whether a name was scanned at two places, or more often than chips bear it."""
    return len(scan.seen_at) > 1 or len(scan.rows) > max(1, len(scan.units))


def _counted(
    drawn: Drawn,
    sights: Sequence[_Sight],
    told: Sequence[tuple[int, SheetRow]],
    answer: Answer | None,
) -> Counted:
    """Return what became of one drawn chip: what was scanned of it, and what its row says."""
    unit = drawn.unit
    places = {"" if sight.at_home(unit) else sight.where for sight in sights}
    if not places:
        refused = any(row.outcome == "refused" for _, row in told)
        outcome = Outcome.REFUSED if refused else Outcome.MISSING
    elif len(places) > 1:
        outcome = Outcome.DUPLICATE
    else:
        outcome = Outcome.FOUND if places == {""} else Outcome.ELSEWHERE
    challenge = Challenge.AWAITING if answer is None else Challenge(answer.state)
    return Counted(
        number=drawn.number,
        unit=unit.id,
        outcome=outcome,
        challenge=challenge,
        evidence=None if answer is None else answer.evidence,
        counts=outcome in _SEEN and challenge is Challenge.ANSWERED,
        rows=tuple(sorted({*(sight.row for sight in sights), *(place for place, _ in told)})),
        seen_at=tuple(dict.fromkeys(sight.where for sight in sights)),
        remarks=tuple(row.remark for _, row in told if row.remark),
    )


def _units(
    sample: Sample,
    sheet: CountSheet,
    sights: Iterable[_Sight],
    named: Mapping[str, Sequence[Unit]],
    *,
    answers: Answers | None,
) -> Iterator[Counted]:
    """Yield what became of every drawn chip, in the order of the sheet."""
    seen: dict[str, list[_Sight]] = defaultdict(list)
    for sight in sights:
        for unit in named.get(sight.scanned, ()):
            seen[unit.id].append(sight)
    told: dict[int | None, list[tuple[int, SheetRow]]] = defaultdict(list)
    for place, row in enumerate(sheet.rows, start=1):
        told[row.number].append((place, row))
    given = {} if answers is None else {one.unit: one for one in answers.answers}
    for drawn in sample.units:
        yield _counted(drawn, seen[drawn.unit.id], told[drawn.number], given.get(drawn.unit.id))


def _verdict(units: Iterable[Counted]) -> Verdict:
    """Return the worst that is certain: a chip that is not there, or that does not answer."""
    units = tuple(units)
    if any(one.outcome not in _SEEN or one.challenge is Challenge.NOT_ANSWERED for one in units):
        return Verdict.DEFECTS
    return Verdict.COMPLETE if all(one.counts for one in units) else Verdict.INCOMPLETE


def _achieved(plan: Plan, sample: Sample, units: Iterable[Counted]) -> int:
    """Return what the chips that count are worth, as if no more had been drawn."""
    number: Counter[Key] = Counter(
        (
            drawn.unit.sku if "sku" in plan.split else None,
            drawn.unit.grade if "grade" in plan.split else None,
        )
        for drawn, one in zip(sample.units, units, strict=True)
        if one.counts
    )
    parts = [
        Sampled(chips=stratum.chips, sample=number[stratum.sku, stratum.grade])
        for stratum in plan.strata
    ]
    return achieved_ppm(plan, parts)


def _problems(
    sheet: CountSheet, sample: Sample, population: Population, named: Mapping[str, Sequence[Unit]]
) -> Iterator[Problem]:
    """Yield everything that keeps a sheet from being counted."""
    if sheet.sample != digest_of(sample):
        yield Problem(
            code=Code.SHEET_OF_ANOTHER_SAMPLE,
            where="sample",
            detail=f"the sheet is for {sheet.sample}, the sample is {digest_of(sample)}",
            hint="give the sample that the sheet was printed for",
        )
        return
    places = {name for unit in population.units for name in unit.places}
    for number, row in enumerate(sheet.rows, start=1):
        where = f"rows[{number}]"
        if row.number is not None and row.number > len(sample.units):
            yield Problem(
                code=Code.UNKNOWN_SHEET_NUMBER,
                where=where,
                detail=f"number {row.number}, the sample has {len(sample.units)}",
                hint="leave the number empty for a scan of something else",
            )
        yield from _outcome_problems(row, where)
        if row.scanned and row.scanned not in named:
            yield from _scan_problems(row, where, places)


def _outcome_problems(row: SheetRow, where: str) -> Iterator[Problem]:
    """Yield whether a row says too little, or two things at once."""
    if row.outcome not in _OUTCOMES:
        yield Problem(
            code=Code.UNKNOWN_OUTCOME,
            where=where,
            detail=f"the outcome {row.outcome!r}",
            hint="seen, missing, refused, or nothing",
        )
    elif row.outcome in {"missing", "refused"} and row.scanned:
        yield Problem(
            code=Code.SCAN_CONTRADICTS,
            where=where,
            detail=f"{row.scanned} was scanned and is {row.outcome}",
            hint="a scan of something else has a row of its own, without a number",
        )
    elif row.outcome and not row.scanned and (row.outcome == "seen" or row.number is None):
        yield _incomplete(
            where, "says what happened, but not to what", "scan it; a tick is no scan"
        )
    elif row.scanned and row.number is None and not row.seen_at:
        yield _incomplete(where, f"{row.scanned} was scanned nowhere", "say where it was scanned")


def _incomplete(where: str, detail: str, hint: str) -> Problem:
    return Problem(code=Code.SCAN_INCOMPLETE, where=where, detail=detail, hint=hint)


def _scan_problems(row: SheetRow, where: str, places: Container[str]) -> Iterator[Problem]:
    """Yield whether an unknown name is none: rewritten by a spreadsheet, or that of a place."""
    if _REWRITTEN.fullmatch(row.scanned):
        yield Problem(
            code=Code.SERIAL_REWRITTEN,
            where=where,
            detail=f"{row.scanned} is a serial that a spreadsheet took for a number",
            hint="format the column as text and scan again",
        )
    elif row.scanned in places:
        yield Problem(
            code=Code.SCAN_NAMES_NO_CHIP,
            where=where,
            detail=f"{row.scanned} is a server or a place, which shows no chip",
            hint="scan the board, or read PDI or UUID",
        )


def _answer_problems(answers: Answers | None, sample: Sample) -> Iterator[Problem]:
    """Yield what keeps answers from being taken: of others, twice, or with nothing behind them."""
    if answers is None:
        return
    known = {drawn.unit.id for drawn in sample.units}
    times = Counter(one.unit for one in answers.answers)
    if answers.sample != digest_of(sample):
        known = set()
    for number, one in enumerate(answers.answers, start=1):
        if one.unit not in known or times[one.unit] > 1:
            yield Problem(
                code=Code.ANSWER_NOT_ASKED,
                where=f"answers[{number}]",
                detail=f"{one.unit} was not drawn in this sample, or answers twice",
                hint="list each drawn chip once",
            )
        elif one.state == "answered" and one.evidence is None:
            yield Problem(
                code=Code.ANSWER_WITHOUT_EVIDENCE,
                where=f"answers[{number}]",
                detail=f"{one.unit} is said to have answered, and nothing shows it",
                hint="name the token or statement by its digest",
            )
