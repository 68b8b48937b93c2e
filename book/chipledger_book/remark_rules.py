"""Whether an event that says something of others, of hosts or of a period may enter the book."""

from collections.abc import Iterator
from typing import Final

from chipledger_book.catalogue import Catalogue
from chipledger_book.errors import Code, Problem
from chipledger_book.events import Event, Received, Role
from chipledger_book.ledger import Book
from chipledger_book.line_rules import lines_problems, unknown_site
from chipledger_book.movements import (
    MAX_WINDOW_MS,
    Confirmed,
    MaintenanceWindow,
    Moved,
    PhysicalInventory,
    ReceiptDifference,
    Remark,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    SignedOff,
    Stored,
    TransferOut,
    Unstored,
)
from chipledger_book.stock import ALWAYS
from chipledger_book.terms import EventId, day_of
from chipledger_evidence.ids import Digest

OTHER_SIDE: Final[dict[type[Event], Role]] = {
    Received: Role.SHIPPER,
    ShipmentDeclared: Role.CONSIGNEE,
    Shipped: Role.CONSIGNEE,
    TransferOut: Role.CONSIGNEE,
    RmaOut: Role.VENDOR,
    RmaIn: Role.VENDOR,
    Moved: Role.OPERATOR,
}
"""Kind of event → as what its other side speaks when it confirms."""


def remark_problems(
    event: Remark, book: Book, catalogue: Catalogue, *, now_ms: int
) -> Iterator[Problem]:
    """Yield everything that is wrong with an event that moves nothing."""
    if not isinstance(event, Confirmed) and event.site is not None:
        yield from unknown_site(event.site, book, "site")
    if isinstance(event, Confirmed):
        yield from _confirmed_problems(event, book)
    elif isinstance(event, Unstored):
        yield from _unstored_problems(event, book)
    elif isinstance(event, ReceiptDifference):
        yield from _difference_problems(event, book, catalogue)
    elif isinstance(event, MaintenanceWindow):
        yield from _window_problems(event)
    elif isinstance(event, SignedOff):
        yield from _sign_off_problems(event, book, now_ms=now_ms)
    elif isinstance(event, PhysicalInventory):
        yield from lines_problems(event.found, event.occurred_at_ms, catalogue, member="found")
    else:
        yield from lines_problems(event.lines, event.occurred_at_ms, catalogue)


def _target(key: Digest, book: Book) -> Event | None:
    return None if book.corrected_by(EventId(key)) else book.event(EventId(key))


def _confirmed_problems(event: Confirmed, book: Book) -> Iterator[Problem]:
    first = _target(event.confirms, book)
    role = None if first is None else OTHER_SIDE.get(type(first))
    if first is None or role is None:
        yield _unfit("confirms", f"{event.confirms} is no standing event with another side")
        return
    if event.role is not role:
        yield _unfit("role", f"the other side of it speaks as {role}, not as {event.role}")
    if isinstance(first, Moved) and not book.declarations(first.site):
        yield from unknown_site(first.site, book, "confirms")
        return
    party = _party(first, book)
    if party is not None and party != event.party:
        yield _unfit("party", f"the other side of it is {party}, not {event.party}")
    if event.document is None and event.party in own_parties(first, book):
        yield Problem(
            code=Code.STATEMENT_CONTRADICTS,
            where="party",
            detail=f"{event.party} runs or owns the site that it left",
            hint="one side cannot be the other one as well; an auditor may accept a paper of it",
        )
    yield from _early(first, event)


def own_parties(first: Event, book: Book) -> frozenset[str]:
    """Return who is one side of what leaves a site for outside, and so cannot be the other."""
    if not isinstance(first, Shipped | RmaOut | RmaIn) or not book.declarations(first.site):
        return frozenset()
    site = book.site(first.site, first.occurred_at_ms)
    return frozenset({site.operator.id, site.consignee.id, site.ultimate_parent.id})


def _party(first: Event, book: Book) -> str | None:
    """Return the other side of an event: as it names it, or the operator of its site."""
    if isinstance(first, Moved):
        return book.site(first.site, first.occurred_at_ms).operator.id
    if isinstance(first, RmaOut | RmaIn):
        return first.vendor
    if isinstance(first, Shipped):
        return first.consignee
    if isinstance(first, TransferOut | ShipmentDeclared):
        to_site = first.to_site if isinstance(first, TransferOut) else first.site
        known = book.declarations(to_site)
        return book.site(to_site, first.occurred_at_ms).consignee.id if known else None
    return first.shipper if isinstance(first, Received) else None


def _unstored_problems(event: Unstored, book: Book) -> Iterator[Problem]:
    first = _target(event.answers, book)
    if not isinstance(first, Stored) or first.site != event.site:
        yield _unfit("answers", f"{event.answers} is nothing that stands stored at {event.site}")
        return
    yield from _early(first, event)
    for answer in book.answers(EventId(event.answers), ALWAYS):
        yield Problem(
            code=Code.ALREADY_ANSWERED,
            where="answers",
            detail=f"{answer.id} took that seal off already",
            hint="correct that event if it is wrong",
        )


def _difference_problems(
    event: ReceiptDifference, book: Book, catalogue: Catalogue
) -> Iterator[Problem]:
    first = _target(event.answers, book)
    to_site = first.to_site if isinstance(first, TransferOut) else None
    if isinstance(first, ShipmentDeclared):
        to_site = first.site
    if first is None or to_site != event.site:
        yield _unfit("answers", f"{event.answers} is no standing shipment to {event.site}")
    else:
        yield from _early(first, event)
    named = {"missing": event.missing, "unexpected": event.unexpected, "damaged": event.damaged}
    if not any(named.values()):
        yield Problem(
            code=Code.DIFFERENCE_EMPTY,
            where="",
            detail="nothing is missing, unexpected or damaged",
            hint="say what differs, or receive what arrived",
        )
    for member, lines in named.items():
        yield from lines_problems(lines, event.occurred_at_ms, catalogue, member=member)


def _window_problems(event: MaintenanceWindow) -> Iterator[Problem]:
    length = event.until_ms - event.from_ms
    if not 0 < length <= MAX_WINDOW_MS:
        yield Problem(
            code=Code.WINDOW_WRONG,
            where="until_ms",
            detail=f"the window is {length} ms long, at most {MAX_WINDOW_MS} explain a silence",
            hint="give an end after the start, at most 72 hours later",
        )


def _sign_off_problems(event: SignedOff, book: Book, *, now_ms: int) -> Iterator[Problem]:
    if event.last_day < event.first_day or event.last_day >= day_of(now_ms):
        yield Problem(
            code=Code.PERIOD_WRONG,
            where="last_day",
            detail=f"{event.first_day} to {event.last_day} is no period that is over",
            hint="both ends are inclusive days, UTC; sign when the last one has ended",
        )
    signed = [
        entry.event
        for entry in book.moves(event.site, SignedOff, ALWAYS)
        if (entry.event.first_day, entry.event.last_day) == (event.first_day, event.last_day)
        and entry.event.balance == event.balance
    ]
    if event.role == "auditor" and not any(one.role == "operator" for one in signed):
        yield Problem(
            code=Code.SIGN_OFF_OUT_OF_ORDER,
            where="role",
            detail="no operator has signed this balance of this period",
            hint="the operator signs first, then the auditor, both the same report",
        )
    if any(one.role == event.role for one in signed):
        yield Problem(
            code=Code.ALREADY_ANSWERED,
            where="role",
            detail=f"the {event.role} has signed this balance of this period",
            hint="nothing is left to do",
        )


def _early(first: Event, event: Event) -> Iterator[Problem]:
    if event.occurred_at_ms < first.occurred_at_ms:
        yield Problem(
            code=Code.ANSWER_BEFORE_EVENT,
            where="occurred_at_ms",
            detail=f"{event.occurred_at_ms} lies before {first.occurred_at_ms}, when what it "
            "names happened",
            hint="check both times; correct the one that is wrong",
        )


def _unfit(where: str, detail: str) -> Problem:
    return Problem(
        code=Code.ANSWER_DOES_NOT_FIT,
        where=where,
        detail=detail,
        hint="name the event of the other side by its id, and its parties as it does",
    )
