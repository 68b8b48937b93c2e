"""What of a ledger bears on an event: enough of it to admit the event, however long it is.

Admission asks for the sites that an event names, for the events that it names, for those that
name these, and for whoever holds the things that it says arrived. A ledger that finds events by
site and by the marks of this module finds all of that without reading the rest.
"""

from collections.abc import Iterator
from typing import Final

from chipledger_book.events import Correction, Event, LicenceGranted, Received, SiteDeclared
from chipledger_book.ledger import Arrival, Name, answered_by, names_of
from chipledger_book.movements import RmaIn, ShipmentDeclared, TransferIn
from chipledger_book.terms import EventId

_SAME: Final = {"board-of-chip": "board"}
"""A chip said to sit on a board, and the board: whoever looks for one looks for the other."""


def marks(event: Event) -> Iterator[Name]:
    """Yield what an event of the ledger is found by, besides its id and its site.

    The things it puts on a book, the licence it grants, and the event it names.
    """
    if isinstance(event, Arrival):
        yield from _things(event)
    if isinstance(event, LicenceGranted):
        yield "licence", f"{event.licence.issuer}\0{event.licence.number}"
    yield from (("event", key) for key in events_named(event))


def marks_sought(event: Event, key: EventId) -> Iterator[Name]:
    """Yield the marks of the events that bear on an event about to be entered, or entered."""
    yield "event", key
    yield from marks(event)
    if isinstance(event, Received | TransferIn | ShipmentDeclared) and event.charged_to:
        yield "licence", f"{event.charged_to.issuer}\0{event.charged_to.number}"


def events_named(event: Event) -> Iterator[EventId]:
    """Yield the ids of the events that an event corrects, replaces by, answers or confirms."""
    if isinstance(event, Correction):
        yield EventId(event.corrects)
        if event.replaced_by is not None:
            yield EventId(event.replaced_by)
    answered = answered_by(event)
    if answered is not None:
        yield answered


def sites_named(event: Event) -> Iterator[str]:
    """Yield the sites that an event is about, comes from or goes to."""
    if isinstance(event, SiteDeclared):
        yield event.site.id
    elif isinstance(event, LicenceGranted):
        yield from event.licence.sites
    else:
        for member in ("site", "to_site", "from_site"):
            site = getattr(event, member, None)
            if site is not None:
                yield site


def _things(event: Received | TransferIn | RmaIn) -> Iterator[Name]:
    for kind, name in names_of(event.lines):
        yield _SAME.get(kind, kind), name
