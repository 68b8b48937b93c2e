"""Closing a period: freeze it, sign it off, restate it when something came late.

Every freeze and restatement is a decision in the log, every sign-off an event of the ledger. The
stage of a period is never written down: it follows from them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from chipledger_book.errors import BookError, Code, refuse
from chipledger_book.events import Role as BookRole
from chipledger_book.ledger import Book
from chipledger_book.movements import SignedOff
from chipledger_book.periods.course import (
    Course,
    Frozen,
    Span,
    Stage,
    again_problems,
    course_of,
    freeze_problems,
    gap_before,
    newest_of,
    previous,
    sign_problems,
)
from chipledger_book.periods.document import (
    LogHead,
    PeriodDocument,
    decode_document,
    document_digest,
    encode_document,
)
from chipledger_book.periods.freezing import Asked
from chipledger_evidence.codec import b64url_encode
from chipledger_server.usecases.access import Principal, Role, demand_site
from chipledger_server.usecases.book.entry import Entered, Speaker, enter
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.periods.known import Family
from chipledger_server.usecases.periods.store import NewDocument, PeriodDesk
from chipledger_server.usecases.refusals import Code as RefusalCode
from chipledger_server.usecases.refusals import Refusal

MAX_REASON: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Freezing:
    """Which days are frozen, and why, where a reason is due.

    Attributes:
        gap_reason: why days before the period belong to none.
        reason: why a closed period is restated; None: it is not to be restated.
    """

    site: str
    first_day: date
    last_day: date
    gap_reason: str = ""
    reason: str | None = None

    @property
    def span(self) -> Span:
        """The days."""
        return Span(first_day=self.first_day, last_day=self.last_day, gap_reason=self.gap_reason)


def freeze(ask: Freezing, desk: PeriodDesk, hand: Hand, who: Principal | None) -> Frozen:
    """Freeze a period, or freeze it again; with a reason, restate a closed one.

    `who` is None for the administrator on the collector's own machine.

    Raises:
        Refusal: `outside-scope`, `invalid-parameter`, `period-too-large`.
        BookError: `period-wrong`, `period-overlaps`, `period-gap`, `period-already-frozen`,
            `nothing-to-restate`, `period-not-closed`, `unknown-site`.
    """
    if who is not None:
        demand_site(who, ask.site)
    _check_texts(ask)
    existing = desk.store.frozen(ask.site)
    if wrong := tuple(freeze_problems(ask.span, existing, now_ms=hand.now_ms)):
        raise BookError(wrong)
    ledger_pos, head = desk.store.ledger_end(), desk.store.log_head()
    old = newest_of(existing).get(ask.span.days)
    with desk.reads.snapshot() as snapshot:
        family = Family(
            snapshot=snapshot,
            site=ask.site,
            known_at_ms=hand.now_ms,
            measure=desk.measures(hand.now_ms),
            code=desk.code,
        )
        course = None if old is None else course_of(old, family.book)
        _check_stage(ask, course)
        asked = _asked(ask, desk, hand, family, old=old, course=course)
        document = family.compose(asked, log=LogHead(size=head.size, root=b64url_encode(head.root)))
    if course is not None:
        changed = bool(document.late or document.differences)
        if wrong := tuple(again_problems(course, changed=changed)):
            raise BookError(wrong)
    body = encode_document(document)
    _check_size(ask, body, desk)
    new = NewDocument(frozen=frozen_of(document, body), body=body, ledger_pos=ledger_pos, head=head)
    return _keep(new, desk, hand, reason=ask.reason)


def _check_size(ask: Freezing, body: bytes, desk: PeriodDesk) -> None:
    if len(body) > desk.most_bytes:
        raise Refusal(
            RefusalCode.PERIOD_TOO_LARGE,
            f"the document of {ask.first_day} to {ask.last_day} of {ask.site} would have"
            f" {len(body):,} bytes, and at most {desk.most_bytes:,} are kept",
            hint="freeze a shorter period, or declare the halls of the site as sites of their own",
        )


def _check_texts(ask: Freezing) -> None:
    for name, text in (("gap reason", ask.gap_reason), ("reason", ask.reason or "")):
        if len(text) > MAX_REASON or (text and not text.isprintable()):
            raise Refusal(
                RefusalCode.INVALID_PARAMETER,
                f"the {name} is not one line of at most {MAX_REASON} characters",
                hint="say it in one sentence",
            )
    if ask.reason is not None and not ask.reason.strip():
        raise Refusal(
            RefusalCode.INVALID_PARAMETER,
            "a restatement has no reason",
            hint="say in one sentence why the period is restated",
        )


def _check_stage(ask: Freezing, course: Course | None) -> None:
    """Do nothing if what is asked fits where the period stands."""
    closed = course is not None and course.stage is Stage.CLOSED
    if ask.reason is not None and not closed:
        raise refuse(
            Code.PERIOD_NOT_CLOSED,
            f"{ask.first_day} to {ask.last_day} of {ask.site} is not closed",
            hint="freeze it and have it signed; only what was closed is restated",
        )
    if ask.reason is None and closed:
        raise refuse(
            Code.PERIOD_ALREADY_FROZEN,
            f"{ask.first_day} to {ask.last_day} of {ask.site} is closed",
            hint="restate it, with a reason, if something came late",
        )


def _asked(
    ask: Freezing,
    desk: PeriodDesk,
    hand: Hand,
    family: Family,
    *,
    old: Frozen | None,
    course: Course | None,
) -> Asked:
    existing = desk.store.frozen(ask.site)
    before = previous(ask.first_day, existing)
    document = None if old is None else body_of(old.digest, desk)
    return Asked(
        site=ask.site,
        first_day=ask.first_day,
        last_day=ask.last_day,
        frozen_by=hand.principal,
        reason=ask.reason or "",
        gap=gap_before(ask.span, existing) if document is None else document.gap,
        before=None if before is None else (before.digest, body_of(before.digest, desk)),
        replaces=None if old is None or document is None else (old.digest, document),
        closed=course is not None and course.stage is Stage.CLOSED,
        late=()
        if old is None
        else family.late(
            desk.store.entered_since(old.digest), site=ask.site, last_day=ask.last_day
        ),
    )


def body_of(digest: str, desk: PeriodDesk) -> PeriodDocument:
    """Return a kept document.

    Raises:
        Refusal: `unknown-period`.
    """
    data = desk.store.document(digest)
    if data is None:
        raise unknown_period(digest)
    return decode_document(data)


def unknown_period(name: str) -> Refusal:
    """Return the answer to who asks for a period that was never frozen."""
    return Refusal(
        RefusalCode.UNKNOWN_PERIOD,
        f"no period {name} was frozen",
        hint="`chipledger-server period list` and the period page name those that were",
    )


def frozen_of(document: PeriodDocument, body: bytes) -> Frozen:
    """Return a document as the list of frozen ones has it."""
    return Frozen(
        site=document.site.id,
        first_day=document.first_day,
        last_day=document.last_day,
        version=document.version,
        restatement=document.restatement,
        digest=document_digest(body),
        replaces=document.replaces,
        known_at_ms=document.known_at_ms,
        frozen_by=document.frozen_by,
    )


def _keep(new: NewDocument, desk: PeriodDesk, hand: Hand, *, reason: str | None) -> Frozen:
    one = new.frozen
    detail = {
        "first_day": str(one.first_day),
        "last_day": str(one.last_day),
        "log_root": b64url_encode(new.head.root),
        "log_size": str(new.head.size),
        "site": one.site,
        "version": str(one.version),
    }
    if one.replaces is not None:
        detail["replaces"] = one.replaces
    record = hand.draft(
        "period-restated" if one.restatement and reason is not None else "period-frozen",
        one.digest,
        detail,
        reason=reason,
    )
    if not desk.store.keep(new, record):
        raise refuse(
            Code.PERIOD_ALREADY_FROZEN,
            f"somebody froze {one.first_day} to {one.last_day} of {one.site} at the same moment",
            hint="look at that version first",
        )
    return one


def sign_off(
    site: str, digest: str, desk: PeriodDesk, hand: Hand, *, who: Principal
) -> tuple[Frozen, Entered]:
    """Sign a document off, as the role of the one who signs.

    Raises:
        Refusal: `outside-scope`, `forbidden`, `unknown-period`.
        BookError: `sign-off-superseded`, `sign-off-out-of-order`, `sign-off-same-person`,
            `already-answered`, and as :func:`chipledger_server.usecases.book.entry.enter`.
    """
    demand_site(who, site)
    role = signing_role(who)
    existing = desk.store.frozen(site)
    wanted = next((one for one in existing if one.digest == digest), None)
    if wanted is None:
        raise unknown_period(digest)
    newest = newest_of(existing)[wanted.days]
    with desk.reads.snapshot() as snapshot:
        book = Family(
            snapshot=snapshot,
            site=site,
            known_at_ms=hand.now_ms,
            measure=desk.measures(hand.now_ms),
            code=desk.code,
        ).book
    course = course_of(wanted, book)
    if wrong := tuple(sign_problems(wanted, newest, course, role=role, principal=hand.principal)):
        raise BookError(wrong)
    event = SignedOff(
        occurred_at_ms=hand.now_ms,
        site=site,
        first_day=wanted.first_day,
        last_day=wanted.last_day,
        role=role,
        balance=wanted.digest,
    )
    tables = desk.measures(hand.now_ms).tables
    speaker = Speaker(role=BookRole(role), party=_party(book, site, role, hand))
    return wanted, enter(event, desk.ledger, tables, hand, speaker=speaker)


def signing_role(who: Principal) -> Literal["operator", "auditor"]:
    """Return as what somebody signs.

    Raises:
        Refusal: `forbidden`: an administrator signs for nobody.
    """
    if who.role is Role.OPERATOR:
        return "operator"
    if who.role is Role.AUDITOR:
        return "auditor"
    raise Refusal(
        RefusalCode.FORBIDDEN,
        f"{who.name} is {who.role}, and signs for nobody",
        hint="a principal who is operator of the site signs first, then an auditor",
    )


def _party(book: Book, site: str, role: str, hand: Hand) -> str | None:
    """Return the party of an operator; an auditor's role says who it is."""
    return book.site(site, hand.now_ms).operator.id if role == "operator" else None
