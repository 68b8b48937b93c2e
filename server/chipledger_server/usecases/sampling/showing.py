"""Samples as readers are shown them: the plan, how far it is, and the four piles of a count.

An operator is told of a count when the auditor says so, and of its result when it stands in the
ledger; never which chips were drawn before they were looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from chipledger_book.counts.counting import Challenge, Counted, CountResult, Outcome, Scan
from chipledger_book.counts.population import Unit
from chipledger_book.counts.sampling import Plan, PlannedStratum, Sample
from chipledger_book.counts.words import bound_of, count_words, plan_words
from chipledger_server.usecases.access import Principal, Role, demand_site
from chipledger_server.usecases.reading import ChipsAsked, EventsAsked
from chipledger_server.usecases.sampling.answering import GRADES, Hearing
from chipledger_server.usecases.sampling.concluding import (
    Count,
    Course,
    awaited,
    counted,
    course_of,
    heard_of,
)
from chipledger_server.usecases.sampling.drawing import population_of
from chipledger_server.usecases.sampling.planning import unknown_sample
from chipledger_server.usecases.sampling.store import SampleDesk, Taken
from chipledger_server.usecases.sampling.views import (
    AnswerView,
    CountView,
    PlanView,
    SampleDetail,
    SampledHole,
    SamplesPage,
    SampleSummary,
    ScanView,
    SheetView,
    StratumView,
    UnitView,
)
from chipledger_server.usecases.showing import ANOTHER_SITE, Look

_LISTED = 200
"""Most scans of unknown names that are looked up."""
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Who looks, at what."""

    who: Principal
    course: Course

    @property
    def knows(self) -> bool:
        """Whether the sample is there for this reader."""
        course = self.course
        told = course.announced is not None or course.concluded is not None
        return self.who.role is not Role.OPERATOR or told

    @property
    def sees(self) -> bool:
        """Whether this reader may know what was drawn."""
        return self.who.role is not Role.OPERATOR or self.course.concluded is not None


def samples_of(site: str, desk: SampleDesk, who: Principal) -> SamplesPage:
    """Return the samples of a site that a reader may know of, newest first.

    Raises:
        Refusal: `outside-scope`.
    """
    demand_site(who, site)
    steps: dict[str, list[Taken]] = {}
    for taken in desk.store.steps(site):
        steps.setdefault(taken.sample, []).append(taken)
    readers = [
        _Reader(who=who, course=course_of(planned, steps.get(planned.id, [])))
        for planned in desk.store.plans(site)
    ]
    return SamplesPage(items=tuple(_summary(one) for one in readers if one.knows))


def sample_of(site: str, key: str, desk: SampleDesk, look: Look, *, who: Principal) -> SampleDetail:
    """Return one sample, with what was heard of its chips by now.

    Raises:
        Refusal: `outside-scope`, `unknown-sample`.
    """
    course = known_course(site, key, desk, who)
    reader = _Reader(who=who, course=course)
    drawn = course.drawn
    units: tuple[UnitView, ...] = ()
    found = None
    if reader.sees and drawn is not None:
        units, found = _progress(course, drawn, desk, look)
    return SampleDetail(
        sample=_summary(reader),
        seed=course.sample.seed if course.sample is not None and reader.sees else None,
        seed_by=course.planned.seed_by,
        drawn_digest=drawn.digest if drawn is not None and reader.sees else None,
        population_change=drawn.note if drawn is not None and reader.sees else "",
        units=units,
        sheets=tuple(map(_sheet, course.sheets)) if reader.sees else (),
        count=found,
        inspector=None if course.concluded is None else course.concluded.note,
        event=_event(course, look),
    )


def known_course(site: str, key: str, desk: SampleDesk, who: Principal) -> Course:
    """Return the course of a sample that a reader may know of.

    Raises:
        Refusal: `outside-scope`, `unknown-sample`: also of what nobody has announced to them.
    """
    demand_site(who, site)
    planned = desk.store.plan(site, key)
    if planned is None:
        raise unknown_sample(site, key)
    course = course_of(planned, desk.store.taken(key))
    if not _Reader(who=who, course=course).knows:
        raise unknown_sample(site, key)
    return course


def may_see_drawn(course: Course, who: Principal) -> bool:
    """Tell whether a reader may know which chips were drawn."""
    return _Reader(who=who, course=course).sees


def plan_view(plan: Plan, digest: str, *, chips: int) -> PlanView:
    """Return a plan as it is shown."""
    return PlanView(
        digest=digest,
        population=plan.population,
        commitment=plan.commitment,
        confidence_ppm=plan.confidence_ppm,
        hole=SampledHole(by=plan.hole.by, amount=plan.hole.amount),
        scope=plan.scope,
        split=plan.split,
        chips=chips,
        sample=plan.sample,
        achieved_ppm=plan.achieved_ppm,
        strata=tuple(map(_stratum, plan.strata)),
        whole=None if plan.whole is None else _stratum(plan.whole),
        words=tuple(plan_words(plan)),
    )


def count_view(found: Count, plan: Plan, look: Look) -> CountView:
    """Return what a sheet comes to, in four piles."""
    shown = [
        _unit(drawn.number, drawn.unit, found.hearing, one)
        for drawn, one in zip(found.sample.units, found.result.units, strict=True)
    ]
    return _count(found.result, shown, sample=found.sample, plan=plan, look=look)


def _progress(
    course: Course, drawn: Taken, desk: SampleDesk, look: Look
) -> tuple[tuple[UnitView, ...], CountView | None]:
    """Return every drawn chip with what was heard of it, and what the newest sheet comes to.

    What was concluded is shown as it was stated; what was heard later changes nothing of it.
    """
    sample = course.sample
    if sample is None:
        return (), None
    now_ms = look.when.known_at_ms
    if course.concluded is not None:
        now_ms = course.concluded.at_ms
        result = msgspec.json.decode(course.concluded.body, type=CountResult)
    elif course.sheets:
        result = counted(course.sheets[-1].body, course, desk, now_ms=now_ms).result
    else:
        result = None
    hearing = heard_of(sample, drawn, population_of(course.planned, desk), desk, now_ms=now_ms)
    late = drawn.due_ms is not None and now_ms > drawn.due_ms
    told: Sequence[Counted | None] = (
        [None] * len(sample.units) if result is None else list(result.units)
    )
    units = tuple(
        _unit(one.number, one.unit, hearing, said, late=late)
        for one, said in zip(sample.units, told, strict=True)
    )
    if result is None:
        return units, None
    return units, _count(result, units, sample=sample, plan=course.planned.plan, look=look)


def _summary(reader: _Reader) -> SampleSummary:
    course, planned = reader.course, reader.course.planned
    announced, drawn, concluded = course.announced, course.drawn, course.concluded
    return SampleSummary(
        id=planned.id,
        site=planned.site,
        stage=course.stage if reader.sees else "announced",
        planned_ms=planned.planned_ms if announced is None or reader.sees else announced.at_ms,
        principal=planned.principal,
        announced_ms=None if announced is None else announced.at_ms,
        drawn_ms=drawn.at_ms if drawn is not None and reader.sees else None,
        due_ms=drawn.due_ms if drawn is not None and reader.sees else None,
        concluded_ms=None if concluded is None else concluded.at_ms,
        plan=plan_view(planned.plan, planned.id, chips=planned.chips) if reader.sees else None,
    )


def _stratum(one: PlannedStratum) -> StratumView:
    return StratumView(
        sku=one.sku,
        grade=None if one.grade is None else str(one.grade),
        chips=one.chips,
        hole_chips=one.hole_chips,
        sample=one.sample,
        exact=one.exact,
        short=one.short,
        achieved_ppm=one.achieved_ppm,
    )


def _unit(
    number: int, unit: Unit, hearing: Hearing, said: Counted | None, *, late: bool = False
) -> UnitView:
    heard, away = hearing.best.get(unit.id), hearing.elsewhere.get(unit.id)
    waiting = Challenge.NOT_ANSWERED if late else Challenge.AWAITING
    challenge = Challenge.ANSWERED if heard is not None else waiting
    where = None
    if away is not None:
        where = f"{away.host}, in dispute" if not away.counts else f"{away.host} at {away.site}"
    return UnitView(
        number=number,
        unit=unit.id,
        sku=unit.sku,
        planned_grade=str(unit.grade),
        host=unit.host,
        place=unit.place,
        server=unit.server,
        board=unit.board,
        pdi=unit.pdi,
        uuid=unit.uuid,
        chip=hearing.chips.get(unit.id),
        challenge=str(challenge if said is None else said.challenge),
        answer=None
        if heard is None
        else AnswerView(
            by=heard.by,
            grade=str(GRADES[heard.by]),
            host=heard.host,
            at_ms=heard.at_ms,
            token=heard.token,
        ),
        elsewhere=where,
        outcome=None if said is None else str(said.outcome),
        counts=said is not None and said.counts,
        seen_at=() if said is None else said.seen_at,
        remarks=() if said is None else said.remarks,
    )


def _count(
    result: CountResult,
    units: Sequence[UnitView],
    *,
    sample: Sample,
    plan: Plan,
    look: Look,
) -> CountView:
    piles: Mapping[str, list[UnitView]] = {name: [] for name in ("found", "elsewhere", "missing")}
    for one in units:
        piles[_PILES[Outcome(one.outcome or Outcome.MISSING)]].append(one)
    waiting = awaited(result)
    return CountView(
        verdict=str(result.verdict),
        drawn=result.drawn,
        counted=result.counted,
        achieved_ppm=result.achieved_ppm,
        planned_ppm=result.planned_ppm,
        bound=None if waiting else bound_of(result, plan, sample),
        awaited=waiting,
        found=tuple(piles["found"]),
        elsewhere=tuple(piles["elsewhere"]),
        unknown=tuple(_scans(result.unknown, look)),
        missing=tuple(piles["missing"]),
        not_drawn=tuple(_scans(result.not_drawn, look)),
        words=tuple(count_words(result, plan, sample)),
    )


_PILES = {
    Outcome.FOUND: "found",
    Outcome.ELSEWHERE: "elsewhere",
    Outcome.DUPLICATE: "elsewhere",
    Outcome.MISSING: "missing",
    Outcome.REFUSED: "missing",
}


def _scans(scans: Sequence[Scan], look: Look) -> Iterator[ScanView]:
    for place, scan in enumerate(scans):
        known = ", ".join(scan.units) or (_known(scan.scanned, look) if place < _LISTED else "")
        yield ScanView(
            scanned=scan.scanned,
            rows=scan.rows,
            seen_at=scan.seen_at,
            units=scan.units,
            known=known,
        )


def _known(name: str, look: Look) -> str:
    """Return what the collector knows of a name that is none of the population."""
    asked = ChipsAsked(when=look.when, scope=look.scope, name=name)
    found = look.snapshot.chips(asked, after=0, limit=4)
    parts = []
    for chip in found:
        seen = look.snapshot.sightings(chip.id, look.when, scope=look.scope, limit=1).seen
        run = seen[0].run if seen else None
        where = "nowhere now" if run is None else f"{run.host} at {run.site or ANOTHER_SITE}"
        parts.append(f"chip {chip.id}, last on {where}")
    return "; ".join(parts) or "no host ever reported this name"


def _sheet(taken: Taken) -> SheetView:
    return SheetView(
        number=taken.number, at_ms=taken.at_ms, principal=taken.principal, digest=taken.digest
    )


def _event(course: Course, look: Look) -> str | None:
    """Return the statement in the ledger; the log may hold a conclusion that is not there yet."""
    if course.concluded is None:
        return None
    asked = EventsAsked(
        when=look.when, scope=None, site=course.planned.site, kind="physical-inventory"
    )
    after = 0
    while page := look.snapshot.events(asked, after=after, limit=_PAGE):
        for one in page:
            if msgspec.json.decode(one.record, type=_Recorded).event.plan == course.planned.id:
                return one.id
        after = page[-1].pos
    return None


class _Counted(msgspec.Struct):
    plan: str | None = None


class _Recorded(msgspec.Struct):
    """The member of a record that names the plan of a count."""

    event: _Counted
