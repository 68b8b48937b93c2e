"""Who may enter what, and as whom somebody speaks who enters it. Pure decisions.

An operator enters what happened at its own sites. What others say of them (shippers, vendors,
customs), and what an auditor counted, is never an operator's to enter: it would be both sides.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from chipledger_book.errors import Code, Problem
from chipledger_book.events import Correction, Event
from chipledger_book.events import Role as Speaks
from chipledger_book.ledger import Book
from chipledger_book.movements import (
    Attested,
    Confirmed,
    Moved,
    ShipmentDeclared,
    SignedOff,
    TransferOut,
)
from chipledger_book.terms import EventId
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.book.entry import Speaker

_SITE: Final = frozenset({Role.OPERATOR, Role.ADMINISTRATOR})
_PAPERS: Final = frozenset({Role.AUDITOR, Role.ADMINISTRATOR})
_OFFICE: Final = frozenset({Role.ADMINISTRATOR})
_COUNTED: Final = frozenset({Role.AUDITOR})
_ANY: Final = frozenset(Role)

ENTERED_BY: Final[Mapping[str, frozenset[Role]]] = {
    "site-declared": _OFFICE,
    "licence-granted": _OFFICE,
    "shipment-declared": _PAPERS,
    "received": _SITE,
    "receipt-difference": _SITE,
    "shipped": _SITE,
    "transfer-out": _SITE,
    "transfer-in": _SITE,
    "rma-out": _SITE,
    "rma-in": _SITE,
    "confirmed": frozenset({Role.OPERATOR, Role.AUDITOR}),
    "stored": _SITE,
    "unstored": _SITE,
    "decommissioned": _SITE,
    "destroyed": _SITE,
    "lost-or-stolen": _SITE,
    "maintenance-window": _SITE,
    "declared-inventory": _SITE,
    "physical-inventory": _COUNTED,
    "external-record": _PAPERS,
    "signed-off": frozenset({Role.OPERATOR, Role.AUDITOR}),
    "correction": _ANY,
}
"""Type of event → roles that may enter it in a session; of others, nobody may."""


def kind_of(event: Event) -> str:
    """Return the type of an event."""
    return str(type(event).__struct_config__.tag)


def may_enter(role: Role, kind: str) -> bool:
    """Tell whether a role may enter events of a type, at some site."""
    return role in ENTERED_BY.get(kind, frozenset())


def entry_problems(principal: Principal, event: Event, book: Book) -> Sequence[Problem]:
    """Return why a principal may not enter an event, or nothing.

    What an event names and the book does not hold is the book's to say, except to a reader who
    may not know whether it is there.
    """
    subject = _corrected(event, book)
    if isinstance(subject, Attested):
        if principal.role not in _PAPERS:
            return [_not_yours(principal, "what the collector recorded is not its to correct")]
        subject_kinds: tuple[str, ...] = ()
    else:
        subject_kinds = () if subject is None else (kind_of(subject),)
    kinds = {kind_of(event), *subject_kinds}
    for kind in sorted(kinds):
        if not may_enter(principal.role, kind):
            return [_not_yours(principal, f"an {principal.role} enters no {kind}")]
    if isinstance(event, Confirmed):
        return _confirming(principal, event, book)
    if isinstance(event, SignedOff) and str(event.role) != str(principal.role):
        return [_not_yours(principal, f"it is for the {event.role} to sign", "role")]
    site = getattr(event if subject is None else subject, "site", None)
    if principal.sites is not None and (not isinstance(site, str) or site not in principal.sites):
        where = site if subject is None else "the site of that event"  # it is not told which
        return [_not_yours(principal, f"{principal.name} enters nothing at {where}", "site")]
    return ()


def speaker_for(principal: Principal, event: Event, book: Book) -> Speaker:
    """Return as whom a principal speaks who enters an event in a session."""
    if principal.role is Role.AUDITOR:
        return Speaker(role=Speaks.AUDITOR)
    if principal.role is Role.ADMINISTRATOR:
        return Speaker(role=Speaks.COLLECTOR)
    if isinstance(event, Confirmed):
        return Speaker(role=event.role, party=event.party)
    subject = _corrected(event, book) or event
    site = getattr(subject, "site", None)
    if not isinstance(site, str) or not book.declarations(site):
        return Speaker(role=Speaks.OPERATOR)
    operator = book.site(site, event.occurred_at_ms).operator.id
    return Speaker(role=Speaks.OPERATOR, party=operator)


def _corrected(event: Event, book: Book) -> Event | None:
    return book.event(EventId(event.corrects)) if isinstance(event, Correction) else None


def _confirming(principal: Principal, event: Confirmed, book: Book) -> Sequence[Problem]:
    """Return why a principal may not speak for the other side of an event."""
    if event.document is not None:
        if principal.role is Role.AUDITOR:
            return ()
        return [_not_yours(principal, "only an auditor accepts a paper in place of a party")]
    first = book.event(EventId(event.confirms))
    to_site = first.to_site if isinstance(first, TransferOut) else None
    if isinstance(first, ShipmentDeclared):
        to_site = first.site
    receives = principal.sites is not None and to_site in principal.sites
    if principal.role is Role.OPERATOR and event.role is Speaks.CONSIGNEE and receives:
        return ()
    own = isinstance(first, Moved) and principal.sites is not None and first.site in principal.sites
    if principal.role is Role.OPERATOR and event.role is Speaks.OPERATOR and own:
        return ()
    return [
        Problem(
            code=Code.NOT_YOURS_TO_ENTER,
            where="role",
            detail=f"nobody here speaks for the {event.role} {event.party}",
            hint="the party signs with its own key, or an auditor accepts its paper",
        )
    ]


def _not_yours(principal: Principal, detail: str, where: str = "") -> Problem:
    who = "an administrator" if principal.role is not Role.ADMINISTRATOR else "whoever may"
    return Problem(
        code=Code.NOT_YOURS_TO_ENTER,
        where=where,
        detail=detail,
        hint=f"ask {who}; docs/BOOK.md, Entering events, says who enters what",
    )
