"""Taking the scans of a count, and stating what it came to.

A sheet is taken whole or not at all, and kept as it was sent; the newest one holds. Once every
chip that was seen has answered, or the time to answer is over, the auditor concludes: the count
becomes a `physical-inventory` of the ledger, with what it is worth in words.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from chipledger_book.counts.count_event import event_of
from chipledger_book.counts.count_sheet import CountSheet, read_sheet
from chipledger_book.counts.counting import Challenge, CountResult, Outcome, count
from chipledger_book.counts.population import Population
from chipledger_book.counts.sampling import Sample
from chipledger_book.counts.words import count_words
from chipledger_book.events import Role as Speaks
from chipledger_book.terms import Document
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.ids import sha256_b64
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.book.entry import Entered, Speaker, enter
from chipledger_server.usecases.people import MAX_NAME, Hand
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.sampling.answering import Hearing, answers_of, hearing_of
from chipledger_server.usecases.sampling.drawing import population_of
from chipledger_server.usecases.sampling.planning import demand_auditor, demand_planned
from chipledger_server.usecases.sampling.store import Planned, SampleDesk, Step, Taken

_SEEN: Final = frozenset({Outcome.FOUND, Outcome.ELSEWHERE})
_SAMPLE: Final = msgspec.json.Decoder(Sample)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A plan with the steps that followed it.

    Attributes:
        drawn: the draw, and its sample; None before.
        sheets: the sheets that were taken, oldest first.
        concluded: the auditor's statement.
    """

    planned: Planned
    announced: Taken | None
    drawn: Taken | None
    sheets: Sequence[Taken]
    concluded: Taken | None

    @property
    def stage(self) -> str:
        """How far it is: `planned`, `drawn`, `counted` or `concluded`."""
        if self.concluded is not None:
            return "concluded"
        if self.sheets:
            return "counted"
        return "planned" if self.drawn is None else "drawn"

    @property
    def sample(self) -> Sample | None:
        """What was drawn."""
        return None if self.drawn is None else _SAMPLE.decode(self.drawn.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What a sheet comes to now, and what was heard of the chips it is about."""

    sample: Sample
    sheet: CountSheet
    result: CountResult
    hearing: Hearing
    population: Population


def course_of(planned: Planned, steps: Sequence[Taken]) -> Course:
    """Return the course of a sample from its steps."""
    once = {taken.step: taken for taken in steps if taken.step is not Step.COUNTED}
    return Course(
        planned=planned,
        announced=once.get(Step.ANNOUNCED),
        drawn=once.get(Step.DRAWN),
        sheets=[taken for taken in steps if taken.step is Step.COUNTED],
        concluded=once.get(Step.CONCLUDED),
    )


def demand_drawn(site: str, key: str, desk: SampleDesk) -> tuple[Course, Sample, Taken]:
    """Return a sample that was drawn.

    Raises:
        Refusal: `unknown-sample`, `not-drawn`.
    """
    course = course_of(demand_planned(site, key, desk), desk.store.taken(key))
    if course.drawn is None or course.sample is None:
        raise Refusal(
            Code.NOT_DRAWN, "nothing was drawn by this plan yet", hint="show the seed: draw first"
        )
    return course, course.sample, course.drawn


def heard_of(
    sample: Sample, drawn: Taken, population: Population, desk: SampleDesk, *, now_ms: int
) -> Hearing:
    """Return what was heard of drawn chips within their time to answer."""
    return hearing_of(
        sample,
        population,
        desk.store,
        drawn_ms=drawn.at_ms,
        until_ms=min(now_ms, drawn.due_ms or now_ms),
    )


def counted(data: bytes, course: Course, desk: SampleDesk, *, now_ms: int) -> Count:
    """Return what a sheet comes to, with the answers that were heard up to a time.

    Raises:
        BookError: everything that is wrong with the sheet, by row.
        Refusal: `not-drawn`.
    """
    drawn, sample = course.drawn, course.sample
    if drawn is None or sample is None:
        raise Refusal(Code.NOT_DRAWN, "nothing was drawn by this plan yet", hint="draw first")
    sheet = read_sheet(data)
    population = population_of(course.planned, desk)
    hearing = heard_of(sample, drawn, population, desk, now_ms=now_ms)
    answers = answers_of(sample, hearing, due_ms=drawn.due_ms or drawn.at_ms, now_ms=now_ms)
    result = count(sheet, sample, plan=course.planned.plan, population=population, answers=answers)
    return Count(sample=sample, sheet=sheet, result=result, hearing=hearing, population=population)


def take_sheet(
    site: str,
    key: str,
    data: bytes,
    desk: SampleDesk,
    *,
    hand: Hand,
    who: Principal,
    dry_run: bool,
) -> Count:
    """Take a filled sheet, whole or not at all; of a dry run nothing is kept.

    Raises:
        BookError: everything that is wrong with the sheet, by row.
        Refusal: `outside-scope`, `forbidden`, `unknown-sample`, `not-drawn`,
            `already-concluded`.
    """
    demand_auditor(who, site)
    course, _, _ = demand_drawn(site, key, desk)
    if course.concluded is not None:
        raise _already_concluded()
    found = counted(data, course, desk, now_ms=hand.now_ms)
    if dry_run or (course.sheets and course.sheets[-1].body == data):
        return found
    _keep_sheet(course, data, found.result, desk, hand=hand)
    return found


def _keep_sheet(
    course: Course, data: bytes, result: CountResult, desk: SampleDesk, *, hand: Hand
) -> None:
    """Keep a sheet as it was sent, with its log record."""
    key = course.planned.id
    taken = Taken(
        sample=key,
        step=Step.COUNTED,
        number=1 + len(course.sheets),
        at_ms=hand.now_ms,
        principal=hand.principal,
        digest=sha256_b64(data),
        body=data,
    )
    detail = {
        "elsewhere": str(result.elsewhere + result.duplicate),
        "found": str(result.found),
        "missing": str(result.missing + result.refused),
        "number": str(taken.number),
        "sheet": taken.digest,
        "site": course.planned.site,
        "unknown": str(len(result.unknown)),
    }
    if not desk.store.take(taken, hand.draft("sample-counted", key, detail)):
        raise Refusal(
            Code.ALREADY_DECIDED, "another sheet was taken at this moment", hint="look at it first"
        )


def conclude(
    site: str, key: str, desk: SampleDesk, hand: Hand, *, who: Principal, inspector: str
) -> Entered:
    """State what a count came to: kept as a document, entered as an event of the ledger.

    Concluding what is concluded enters the same event, which the ledger holds already.

    Raises:
        BookError: as :func:`chipledger_server.usecases.book.entry.enter`.
        Refusal: `outside-scope`, `forbidden`, `unknown-sample`, `not-drawn`, `not-counted`,
            `answers-awaited`, `invalid-parameter`.
    """
    demand_auditor(who, site)
    course, sample, _ = demand_drawn(site, key, desk)
    taken = course.concluded
    if taken is None:
        taken = _statement(course, desk, hand, inspector=_inspector(inspector))
    return _entered(course.planned, sample, taken, desk=desk, hand=hand)


def _statement(course: Course, desk: SampleDesk, hand: Hand, *, inspector: str) -> Taken:
    if not course.sheets:
        raise Refusal(
            Code.NOT_COUNTED, "no sheet of scans was taken", hint="import the filled sheet first"
        )
    key, site = course.planned.id, course.planned.site
    result = counted(course.sheets[-1].body, course, desk, now_ms=hand.now_ms).result
    if waiting := awaited(result):
        raise Refusal(
            Code.ANSWERS_AWAITED,
            f"{waiting} of the chips that were seen have not answered, and may still",
            hint="wait until they have, or until their time is over",
        )
    body = encode_canonical(result)
    taken = Taken(
        sample=key,
        step=Step.CONCLUDED,
        number=0,
        at_ms=hand.now_ms,
        principal=hand.principal,
        digest=sha256_b64(body),
        body=body,
        note=inspector,
    )
    detail = {
        "count": taken.digest,
        "counted": str(result.counted),
        "drawn": str(result.drawn),
        "inspector": inspector,
        "site": site,
        "verdict": str(result.verdict),
    }
    if not desk.store.take(taken, hand.draft("sample-concluded", key, detail)):
        raise _already_concluded()
    return taken


def awaited(result: CountResult) -> int:
    """Return how many chips were seen whose answers may still come."""
    return sum(one.outcome in _SEEN and one.challenge is Challenge.AWAITING for one in result.units)


def _entered(
    planned: Planned, sample: Sample, taken: Taken, *, desk: SampleDesk, hand: Hand
) -> Entered:
    result = msgspec.json.decode(taken.body, type=CountResult)
    event = event_of(
        result,
        sample,
        inspector=taken.note,
        occurred_at_ms=taken.at_ms,
        documents=[Document(sha256=hashlib.sha256(taken.body).hexdigest(), title="count")],
        statement=" ".join(count_words(result, planned.plan, sample)),
    )
    tables = desk.measures(hand.now_ms).tables
    return enter(event, desk.ledger, tables, hand, speaker=Speaker(role=Speaks.AUDITOR))


def _inspector(text: str) -> str:
    name = text.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Refusal(
            Code.INVALID_PARAMETER,
            "nobody is named as the inspector",
            hint="name whoever counted on the floor",
        )
    return name


def _already_concluded() -> Refusal:
    return Refusal(
        Code.ALREADY_CONCLUDED,
        "this count is concluded; its statement stands in the ledger",
        hint="a correction of the event says what was wrong; another sample counts again",
    )
