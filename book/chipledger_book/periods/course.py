"""The course of a period: open, frozen, signed by the operator, closed by the auditor.

A period is not stored as a state. It follows from the documents that were frozen and from the
sign-offs in the ledger that name one of them by its digest, so nobody can set it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal

from chipledger_book.agreement import person
from chipledger_book.errors import Code, Problem
from chipledger_book.events import Correction, Event, LedgerRecord, Role, Statement, event_id
from chipledger_book.ledger import Book, answered_by
from chipledger_book.movements import SignedOff
from chipledger_book.periods.document import Gap
from chipledger_book.stock import ALWAYS
from chipledger_book.terms import EventId, day_of


class Stage(StrEnum):
    """How far the closing of a period has come."""

    OPEN = "open"
    FROZEN = "frozen"
    SIGNED = "signed"  # by the operator
    CLOSED = "closed"  # by the auditor as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A frozen document, without its body.

    Attributes:
        known_at_ms: what was known when it was frozen.
    """

    site: str
    first_day: date
    last_day: date
    version: int
    restatement: int
    digest: str
    replaces: str | None
    known_at_ms: int
    frozen_by: str

    @property
    def days(self) -> tuple[date, date]:
        """First and last day."""
        return self.first_day, self.last_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One side's word on one document.

    Attributes:
        role: which side.
        principal: account, or thumbprint of the key.
        strength: how strongly it is bound to its party.
        at_ms: when it was stated.
        event: the sign-off in the ledger.
    """

    role: Literal["operator", "auditor"]
    principal: str
    strength: str
    at_ms: int
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where one document stands.

    Attributes:
        stage: frozen, signed or closed.
        operator: who signed first.
        auditor: who signed second, another person.
    """

    stage: Stage
    operator: Signature | None = None
    auditor: Signature | None = None

    @property
    def waits_for(self) -> Literal["operator", "auditor"] | None:
        """Whose signature is next; None when nobody's is."""
        if self.stage is Stage.FROZEN:
            return "operator"
        return "auditor" if self.stage is Stage.SIGNED else None


def course_of(frozen: Frozen, book: Book) -> Course:
    """Return where a document stands.

    A sign-off counts only for the digest that it names, by a statement of its own role; the
    auditor's only beside an operator's by another principal.
    """
    signed = [
        (entry.id, entry.event)
        for entry in book.moves(frozen.site, SignedOff, ALWAYS)
        if entry.event.balance == frozen.digest
        and (entry.event.first_day, entry.event.last_day) == frozen.days
    ]
    operator = next(_signatures(signed, book, "operator"), None)
    if operator is None:
        return Course(stage=Stage.FROZEN)
    auditor = next(
        (
            one
            for one in _signatures(signed, book, "auditor")
            if person(one.principal) != person(operator.principal)
        ),
        None,
    )
    stage = Stage.SIGNED if auditor is None else Stage.CLOSED
    return Course(stage=stage, operator=operator, auditor=auditor)


def _signatures(
    signed: Iterable[tuple[EventId, SignedOff]],
    book: Book,
    role: Literal["operator", "auditor"],
) -> Iterator[Signature]:
    """Yield the words of one side, the oldest first."""
    found: list[Signature] = []
    for key, event in signed:
        if event.role != role:
            continue
        own = [one for one in book.statements(key) if one.role is Role(role)]
        found += [_signature(one, key, role) for one in own]
    yield from sorted(found, key=lambda one: (one.at_ms, one.event, one.principal))


def _signature(statement: Statement, key: str, role: Literal["operator", "auditor"]) -> Signature:
    return Signature(
        role=role,
        principal=statement.principal,
        strength=str(statement.strength),
        at_ms=statement.stated_at_ms,
        event=key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The days that somebody wants to freeze, and why days before them are left out."""

    first_day: date
    last_day: date
    gap_reason: str = ""

    @property
    def days(self) -> tuple[date, date]:
        """First and last day."""
        return self.first_day, self.last_day


def newest_of(frozen: Iterable[Frozen]) -> dict[tuple[date, date], Frozen]:
    """Return the newest document of each period, by its days."""
    found: dict[tuple[date, date], Frozen] = {}
    for one in sorted(frozen, key=lambda one: (one.first_day, one.version)):
        found[one.days] = one
    return found


def freeze_problems(span: Span, frozen: Sequence[Frozen], *, now_ms: int) -> Iterator[Problem]:
    """Yield what stands in the way of a first document of a period."""
    if span.last_day < span.first_day or span.last_day >= day_of(now_ms):
        yield Problem(
            code=Code.PERIOD_WRONG,
            where="last_day",
            detail=f"{span.first_day} to {span.last_day} is no period that is over",
            hint="both ends are inclusive days, UTC; freeze when the last one has ended",
        )
        return
    for days in newest_of(frozen):
        if days != span.days and days[0] <= span.last_day and span.first_day <= days[1]:
            yield Problem(
                code=Code.PERIOD_OVERLAPS,
                where="first_day",
                detail=f"{span.first_day} to {span.last_day} shares days with the period "
                f"{days[0]} to {days[1]}",
                hint="periods of a site follow each other; begin the day after the last one ends",
            )
    gap = gap_before(span, frozen)
    if gap is not None and not gap.reason:
        yield Problem(
            code=Code.PERIOD_GAP,
            where="first_day",
            detail=f"{gap.first_day} to {gap.last_day} would belong to no period",
            hint=f"begin on {gap.first_day}, or say why those days are left out",
        )


def gap_before(span: Span, frozen: Iterable[Frozen]) -> Gap | None:
    """Return the days between a period and the one before it, if there are any."""
    before = previous(span.first_day, frozen)
    if before is None or before.last_day >= span.first_day - timedelta(days=1):
        return None
    return Gap(
        first_day=before.last_day + timedelta(days=1),
        last_day=span.first_day - timedelta(days=1),
        reason=span.gap_reason,
    )


def previous(first_day: date, frozen: Iterable[Frozen]) -> Frozen | None:
    """Return the newest document of the period that ended last before a day."""
    ended = [one for one in newest_of(frozen).values() if one.last_day < first_day]
    return max(ended, key=lambda one: one.last_day, default=None)


def again_problems(course: Course, *, changed: bool) -> Iterator[Problem]:
    """Yield why a period is not frozen again: nothing came since."""
    if changed:
        return
    closed = course.stage is Stage.CLOSED
    yield Problem(
        code=Code.NOTHING_TO_RESTATE if closed else Code.PERIOD_ALREADY_FROZEN,
        where="",
        detail="nothing that bears on the period was recorded since it was frozen",
        hint="it stands as it is" if closed else f"the {course.waits_for} signs it next",
    )


def sign_problems(
    frozen: Frozen, newest: Frozen, course: Course, *, role: str, principal: str
) -> Iterator[Problem]:
    """Yield why somebody may not sign a document off."""
    if frozen.digest != newest.digest:
        yield Problem(
            code=Code.SIGN_OFF_SUPERSEDED,
            where="balance",
            detail=f"version {newest.version} took the place of version {frozen.version}",
            hint=f"read version {newest.version} and sign its digest: {newest.digest}",
        )
        return
    if course.waits_for == role == "auditor" and course.operator is not None:
        if person(course.operator.principal) == person(principal):
            yield Problem(
                code=Code.SIGN_OFF_SAME_PERSON,
                where="role",
                detail=f"{principal} signed for the operator",
                hint="the auditor is another person",
            )
        return
    if course.waits_for == role:
        return
    early = course.waits_for is not None and role == "auditor"
    yield Problem(
        code=Code.SIGN_OFF_OUT_OF_ORDER if early else Code.ALREADY_ANSWERED,
        where="role",
        detail="no operator has signed this balance of this period"
        if early
        else f"the {role} has signed this balance of this period",
        hint="the operator signs first, then the auditor, both the same document",
    )


def bears_on(record: LedgerRecord, book: Book, *, site: str, as_of_ms: int) -> bool:
    """Tell whether a record changes what was true at a site up to a time.

    A correction does when what it corrects did, whenever it was made itself, once it took effect;
    an event that answers another does for the site of the other as well. A sign-off changes
    nothing.
    """
    event = record.event
    if isinstance(event, Correction):
        corrected = book.event(EventId(event.corrects))
        stands = book.corrected_by(EventId(event.corrects)) == event_id(event)
        return stands and corrected is not None and _is_of(corrected, book, site, as_of_ms)
    return _is_of(event, book, site, as_of_ms)


def _is_of(event: Event, book: Book, site: str, as_of_ms: int) -> bool:
    if isinstance(event, SignedOff) or event.occurred_at_ms > as_of_ms:
        return False
    if site_of_event(event) == site:
        return True
    licence = getattr(event, "licence", None)
    if licence is not None and book.declarations(site):
        return bool(licence.covers(site, book.site(site, as_of_ms).consignee.id))
    answered = answered_by(event)
    first = None if answered is None else book.event(answered)
    return first is not None and site_of_event(first) == site


def site_of_event(event: Event) -> str | None:
    """Return the site that an event is of, if it is of one."""
    site = getattr(event, "site", None)
    return site if site is None or isinstance(site, str) else str(site.id)
