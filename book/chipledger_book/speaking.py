"""Who may stand behind an event, as whom, and what makes two statements one or a contradiction.

Every event has an own side, which enters it, and some have another one. An auditor may stand
behind anything; that is never the other side's word. What is accepted here may still come from a
session: how strong a statement is, it says itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from chipledger_book.admission import CLOCK_TOLERANCE_MS
from chipledger_book.agreement import AGREES, voice
from chipledger_book.errors import Code, Problem
from chipledger_book.events import (
    Correction,
    DeclaredInventory,
    Event,
    LicenceGranted,
    Received,
    Role,
    SiteDeclared,
    Statement,
    Strength,
)
from chipledger_book.ledger import Book
from chipledger_book.movements import (
    Confirmed,
    Decommissioned,
    Destroyed,
    ExternalRecord,
    LostOrStolen,
    MaintenanceWindow,
    PhysicalInventory,
    ReceiptDifference,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    SignedOff,
    Stored,
    TransferIn,
    TransferOut,
    Unstored,
)
from chipledger_book.parties import Site
from chipledger_book.remark_rules import OTHER_SIDE, own_parties
from chipledger_book.statements import MAX_STATEMENTS
from chipledger_book.terms import EventId

_OPERATOR: Final = frozenset({Role.OPERATOR})
_SITE: Final = frozenset({Role.OPERATOR, Role.CONSIGNEE})
_RANK: Final = {strength: rank for rank, strength in enumerate(Strength)}

OWN_SIDE: Final[Mapping[type[Event], frozenset[Role]]] = {
    SiteDeclared: frozenset({Role.OPERATOR, Role.CONSIGNEE, Role.REGULATOR}),
    LicenceGranted: frozenset({Role.REGULATOR, Role.CONSIGNEE}),
    DeclaredInventory: _OPERATOR,
    ShipmentDeclared: frozenset({Role.SHIPPER}),
    Received: _SITE,
    ReceiptDifference: _SITE,
    Shipped: _OPERATOR,
    TransferOut: _OPERATOR,
    TransferIn: _SITE,
    RmaOut: _OPERATOR,
    RmaIn: _OPERATOR,
    Stored: _OPERATOR,
    Unstored: _OPERATOR,
    Decommissioned: _OPERATOR,
    Destroyed: _OPERATOR,
    LostOrStolen: _OPERATOR,
    MaintenanceWindow: _OPERATOR,
    PhysicalInventory: frozenset({Role.AUDITOR}),
    ExternalRecord: frozenset({Role.REGULATOR, Role.AUDITOR}),
}
"""Kind of event → as what its own side signs it; those not here follow from the event."""


def own_side(event: Event, book: Book) -> frozenset[Role]:
    """Return as what the own side of an event speaks; nothing where nobody enters such."""
    if isinstance(event, Confirmed):
        return frozenset({event.role if event.document is None else Role.AUDITOR})
    if isinstance(event, SignedOff):
        return frozenset({Role(event.role)})
    if isinstance(event, Correction):
        corrected = book.event(EventId(event.corrects))
        return frozenset() if corrected is None else own_side(corrected, book)
    return OWN_SIDE.get(type(event), frozenset())


def said_before(statement: Statement, before: Sequence[Statement]) -> Statement | None:
    """Return the statement that one repeats: the same party, role and event, at least as strong."""
    for other in before:
        same = other.role is statement.role and voice(other) == voice(statement)
        if same and _RANK[other.strength] <= _RANK[statement.strength]:
            return other
    return None


def first_problems(
    event: Event, statements: Sequence[Statement], book: Book, *, now_ms: int
) -> Iterator[Problem]:
    """Yield why those who signed a new event may not enter it."""
    own = own_side(event, book)
    if own.isdisjoint(one.role for one in statements):
        yield Problem(
            code=Code.STATEMENT_BY_WRONG_ROLE,
            where="statements",
            detail=f"it is for its own side to say ({_listed(own)}), and nobody signed as that",
            hint="let who enters it sign it; the other side signs with it, or later",
        )
    for position, statement in enumerate(statements):
        where = f"statements[{position}]"
        before = statements[:position]
        yield from _problems(statement, event, before, book, now_ms=now_ms, where=where)


def later_problems(
    statement: Statement, event: Event, before: Sequence[Statement], book: Book, *, now_ms: int
) -> Iterator[Problem]:
    """Yield why nobody may stand behind an event of the ledger by a statement."""
    if len(before) >= MAX_STATEMENTS:
        yield Problem(
            code=Code.TOO_MANY_STATEMENTS,
            where="statement",
            detail=f"{len(before)} stand behind it, and no more than that may",
            hint="nothing is lost: every side of it can have spoken, in every strength",
        )
        return
    yield from _problems(statement, event, before, book, now_ms=now_ms, where="statement")


def _problems(
    statement: Statement,
    event: Event,
    before: Sequence[Statement],
    book: Book,
    *,
    now_ms: int,
    where: str,
) -> Iterator[Problem]:
    may = own_side(event, book) | {Role.AUDITOR}
    if isinstance(event, Correction):
        may |= AGREES
    other = OTHER_SIDE.get(type(event))
    if statement.role not in (may if other is None else may | {other}):
        yield Problem(
            code=Code.STATEMENT_BY_WRONG_ROLE,
            where=f"{where}.role",
            detail=f"the {statement.role} is no side of it",
            hint=f"those who speak of it: {_listed(may if other is None else may | {other})}",
        )
    wanted = _party(statement.role, event, book)
    if statement.party is not None and wanted is not None and statement.party != wanted:
        yield Problem(
            code=Code.STATEMENT_BY_WRONG_PARTY,
            where=f"{where}.party",
            detail=f"the {statement.role} of it is {wanted}, not {statement.party}",
            hint="let that party speak, or correct the event if it names the wrong one",
        )
    if statement.role is other and statement.party == wanted in own_parties(event, book):
        yield Problem(
            code=Code.STATEMENT_CONTRADICTS,
            where=f"{where}.party",
            detail=f"{statement.party} runs or owns the site that it left",
            hint="one side cannot be the other one as well; an auditor may accept a paper of it",
        )
    yield from _contradictions(statement, before, where)
    yield from _times(statement, event, now_ms=now_ms, where=where)


def _contradictions(
    statement: Statement, before: Sequence[Statement], where: str
) -> Iterator[Problem]:
    for other in before:
        if other.role is not statement.role and voice(other) == voice(statement):
            yield Problem(
                code=Code.STATEMENT_CONTRADICTS,
                where=f"{where}.role",
                detail=f"{voice(other)} has spoken of this event as {other.role}",
                hint="one side cannot be the other one as well",
            )


def _times(statement: Statement, event: Event, *, now_ms: int, where: str) -> Iterator[Problem]:
    if statement.stated_at_ms > now_ms + CLOCK_TOLERANCE_MS:
        yield Problem(
            code=Code.STATEMENT_IN_FUTURE,
            where=f"{where}.stated_at_ms",
            detail=f"{statement.stated_at_ms} lies after now, {now_ms}",
            hint="set the clock of who signs, and sign again",
        )
    if statement.stated_at_ms < event.occurred_at_ms - CLOCK_TOLERANCE_MS:
        yield Problem(
            code=Code.STATEMENT_BEFORE_EVENT,
            where=f"{where}.stated_at_ms",
            detail=f"{statement.stated_at_ms} lies before {event.occurred_at_ms}, when it happened",
            hint="check both times; nobody can stand behind what has not happened",
        )


def _party(role: Role, event: Event, book: Book) -> str | None:
    """Return who speaks as a role of an event, where event or ledger say it."""
    if isinstance(event, Correction):
        corrected = book.event(EventId(event.corrects))
        return None if corrected is None else _party(role, corrected, book)
    if isinstance(event, Confirmed):
        return event.party if role is event.role and event.document is None else None
    return _named(role, event) or _of_site(role, _site(role, event, book))


def _named(role: Role, event: Event) -> str | None:
    """Return who speaks as a role, where the event names that party itself."""
    if role is Role.VENDOR and isinstance(event, RmaOut | RmaIn):
        return event.vendor
    if role is Role.SHIPPER and isinstance(event, ShipmentDeclared | Received):
        return event.shipper
    if role is Role.CONSIGNEE and isinstance(event, LicenceGranted):
        return event.licence.consignee
    if role is Role.CONSIGNEE and isinstance(event, Shipped):
        return event.consignee
    return None


def _site(role: Role, event: Event, book: Book) -> Site | None:
    """Return the site whose side somebody speaks for."""
    if isinstance(event, SiteDeclared):
        return event.site
    name = getattr(event, "site", None)
    if isinstance(event, TransferOut) and role is Role.CONSIGNEE:
        name = event.to_site
    known = isinstance(name, str) and book.declarations(name)
    return book.site(str(name), event.occurred_at_ms) if known else None


def _of_site(role: Role, site: Site | None) -> str | None:
    if site is None:
        return None
    parties = {Role.OPERATOR: site.operator, Role.CONSIGNEE: site.consignee}
    found = parties.get(role)
    return None if found is None else found.id


def _listed(roles: frozenset[Role]) -> str:
    return ", ".join(sorted(roles)) or "nobody"
