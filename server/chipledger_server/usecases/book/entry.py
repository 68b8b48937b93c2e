"""Entering events into the book: admitted as a whole or refused as a whole.

An event, its log record and the current view of its site are written in one transaction, after
it was held against everything the book already says. Entering the same event again changes
nothing and says so.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec.structs import replace

from chipledger_book.admission import admit
from chipledger_book.agreement import recorded
from chipledger_book.errors import BookError, Code, refuse
from chipledger_book.events import (
    Correction,
    Event,
    LedgerRecord,
    LicenceGranted,
    Received,
    Role,
    SiteDeclared,
    Statement,
    Strength,
    encode_event,
    event_id,
)
from chipledger_book.ledger import Book, Booked, fold, names_of
from chipledger_book.movements import Confirmed, Movement
from chipledger_book.parties import Site
from chipledger_book.rules import Tables
from chipledger_book.sides import statement_problems
from chipledger_book.terms import EventId
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.entry import SALT_BYTES, EntryType
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.refusals import Code as RefusalCode
from chipledger_server.usecases.refusals import Refusal
from chipledger_server.usecases.times import time_text

_REPEATED_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event as the ledger keeps it.

    Attributes:
        id: digest of `body`.
        type: its tag.
        site: the site it is about, where it is about one.
        parent: ultimate parent of a declared site; of a correction, that of what it corrects.
        consignee: of a declared site or a licence; of a correction, that of what it corrects.
        occurred_ms: when it happened.
        recorded_ms: when it was entered.
        principal: who entered it.
        body: its canonical bytes.
    """

    id: EventId
    type: str
    site: str | None
    parent: str | None
    consignee: str | None
    occurred_ms: int
    recorded_ms: int
    principal: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRow:
    """The present form of a site, and the event that declared it so."""

    site: Site
    event: EventId


class LedgerPage(Protocol):
    """An open write transaction on the ledger; nobody else writes while it is open."""

    def bearing(self, events: Sequence[Event]) -> Sequence[LedgerRecord]:
        """Return the part of the ledger that bears on admitting some events, however long it is."""

    def append(self, row: EventRow, record: Draft) -> None:
        """Add an event and its log record."""

    def append_all(self, entries: Sequence[tuple[EventRow, Draft]]) -> None:
        """Add events and their log records, in their order."""

    def put_site(self, row: SiteRow) -> None:
        """Replace the present form of a site."""


class Ledger(Protocol):
    """Where the book is kept."""

    def writing(self) -> AbstractContextManager[LedgerPage]:
        """Open a write transaction: durable when it ends well, undone when it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What became of an event: its id, and whether the book held it already."""

    id: EventId
    event: Event
    known_before: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """As whom the one who enters an event speaks. Entered by an account, so never signed."""

    role: Role = Role.COLLECTOR
    party: str | None = None


def enter(
    event: Event,
    ledger: Ledger,
    tables: Tables,
    hand: Hand,
    *,
    speaker: Speaker | None = None,
    undated: bool = False,
) -> Entered:
    """Enter an event into the book.

    An `undated` event has the clock's time, because none was said: the same command given again
    makes another event that says the same. A licence is known then; a receipt by number may be
    the same delivery or a second one.

    Raises:
        BookError: everything that is wrong with it; nothing is written then. An event that was
            corrected does not come back: `already-corrected`.
        Refusal: `receipt-repeated`.
    """
    key = event_id(event)
    with ledger.writing() as page:
        book = fold(page.bearing((event,)))
        if book.event(key) is not None and book.corrected_by(key) is None:
            return Entered(id=key, event=event, known_before=True)
        known = _said_before(event, book) if undated else None
        if known is not None:
            return known
        admit(event, book, tables, now_ms=hand.now_ms)
        statements = (statement_of(speaker or Speaker(), hand, event),)
        if wrong := tuple(statement_problems(event, statements)):
            raise BookError(wrong)
        record = recorded(event, statements, at_ms=hand.now_ms)
        page.append(row_of(event, key, book, hand), draft_of(record, key, hand))
        book.add(record)
        changed = declared_site(event, book)
        if changed is not None:
            page.put_site(changed)
    return Entered(id=key, event=event, known_before=False)


def _said_before(event: Event, book: Book) -> Entered | None:
    """Return the grant that an undated one repeats, if there is one.

    Raises:
        Refusal: `receipt-repeated`.
    """
    if isinstance(event, LicenceGranted):
        for grant in book.grants():
            if grant.event.licence == event.licence:
                return Entered(id=grant.id, event=grant.event, known_before=True)
    # Names cannot arrive or leave twice.
    if isinstance(event, Received | Movement) and not any(names_of(event.lines)):
        for entry in book.moves(event.site, type(event), event.occurred_at_ms):
            same = replace(entry.event, occurred_at_ms=event.occurred_at_ms) == event
            if same and event.occurred_at_ms - entry.event.occurred_at_ms < _REPEATED_MS:
                raise _repeated(entry)
    return None


def _repeated(receipt: Booked[Received | Movement]) -> Refusal:
    what = "receipt" if isinstance(receipt.event, Received) else "event"
    return Refusal(
        RefusalCode.RECEIPT_REPEATED,
        f"the book holds this {what} since {time_text(receipt.event.occurred_at_ms)}, as"
        f" {receipt.id}; nothing was entered",
        hint="if this is a second one, give --again, its own --shipment, or --at",
    )


def statement_of(speaker: Speaker, hand: Hand, event: Event) -> Statement:
    """Return what an account says; of a paper it accepted, no more than that."""
    paper = isinstance(event, Confirmed) and event.document is not None
    return Statement(
        role=speaker.role,
        strength=Strength.DOCUMENT if paper else Strength.SESSION,
        principal=hand.principal,
        stated_at_ms=hand.now_ms,
        party=speaker.party,
    )


def draft_of(record: LedgerRecord, key: EventId, hand: Hand) -> Draft:
    """Return the log record of an event."""
    kinds = {LicenceGranted: EntryType.LICENCE, Correction: EntryType.CORRECTION}
    return Draft(
        kind=kinds.get(type(record.event), EntryType.EVENT),
        subject=key,
        principal=hand.principal,
        record=encode_canonical(record),
        time_ms=hand.now_ms,
        salt=hand.entropy(SALT_BYTES),
    )


def row_of(event: Event, key: EventId, book: Book, hand: Hand) -> EventRow:
    """Return an event as the ledger keeps it; the book holds what it corrects or confirms."""
    subject = _subject(event, book)
    site, parent, consignee = _about(subject)
    return EventRow(
        id=key,
        type=str(type(event).__struct_config__.tag),
        site=site,
        parent=parent,
        consignee=consignee,
        occurred_ms=event.occurred_at_ms,
        recorded_ms=hand.now_ms,
        principal=hand.principal,
        body=encode_event(event),
    )


def _subject(event: Event, book: Book) -> Event:
    """Return the event that another one is about: what it corrects, or confirms."""
    while isinstance(event, Correction | Confirmed):
        key = event.corrects if isinstance(event, Correction) else event.confirms
        named = book.event(EventId(key))
        if named is None:  # admission saw it a moment ago, in this very transaction
            raise refuse(Code.UNKNOWN_EVENT, key, hint="give the id of an event")
        event = named
    return event


def _about(event: Event) -> tuple[str | None, str | None, str | None]:
    """Return the site, the ultimate parent and the consignee an event is found by."""
    if isinstance(event, SiteDeclared):
        return event.site.id, event.site.ultimate_parent.id, event.site.consignee.id
    if isinstance(event, LicenceGranted):
        return None, None, event.licence.consignee
    return getattr(event, "site", None), None, None


def declared_site(event: Event, book: Book) -> SiteRow | None:
    """Return the present form of the site whose declarations the event changed, if any."""
    declared = event
    if isinstance(event, Correction):
        corrected = book.event(EventId(event.corrects))
        if corrected is None or book.corrected_by(EventId(event.corrects)) is None:
            return None  # it waits for a second person
        declared = corrected
    if not isinstance(declared, SiteDeclared):
        return None
    standing: tuple[Booked[SiteDeclared], ...] = book.declarations(declared.site.id)
    if not standing:  # the row stays: hosts and codes hang on it
        return None
    newest = standing[-1]
    return SiteRow(site=newest.event.site, event=newest.id)
