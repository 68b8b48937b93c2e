"""The ledger folded into a book: what is on paper, whatever order it arrived in.

Folding keeps events, never totals; totals are taken at an `as_of` when asked. Corrected
events stay here, marked, and count nowhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from chipledger_book.errors import Code, refuse
from chipledger_book.events import (
    ByBoard,
    ByChip,
    ByUnit,
    DeclaredInventory,
    Event,
    LedgerRecord,
    LicenceGranted,
    Received,
    SiteDeclared,
    event_id,
)
from chipledger_book.licences import Licence
from chipledger_book.parties import Site
from chipledger_book.terms import EventId

E = TypeVar("E", SiteDeclared, LicenceGranted, Received, DeclaredInventory)
Name = tuple[str, str]
"""What kind of name, and the name: ``("pdi", "00…01")``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked(Generic[E]):
    """An event with its id."""

    id: EventId
    event: E


class Book:
    """What the ledger says, indexed for admission and for the balance.

    Adding the same records in any order gives the same answers. The book holds what was known
    at one time; for another `known_at`, fold again with :func:`fold`.
    """

    def __init__(self) -> None:
        self._events: dict[EventId, Event] = {}
        self._corrections: dict[EventId, EventId] = {}
        self._sites: dict[str, list[Booked[SiteDeclared]]] = {}
        self._licences: dict[EventId, Booked[LicenceGranted]] = {}
        self._receipts: dict[str, list[Booked[Received]]] = {}
        self._declared: dict[str, list[Booked[DeclaredInventory]]] = {}
        self._holders: dict[Name, list[EventId]] = {}

    def add(self, record: LedgerRecord) -> EventId:
        """Take up one record and return its event's id; a known event changes nothing."""
        event = record.event
        key = event_id(event)
        if key in self._events:
            return key
        self._events[key] = event
        if isinstance(event, SiteDeclared):
            self._sites.setdefault(event.site.id, []).append(Booked(id=key, event=event))
        elif isinstance(event, LicenceGranted):
            self._licences[key] = Booked(id=key, event=event)
        elif isinstance(event, Received):
            self._receipts.setdefault(event.site, []).append(Booked(id=key, event=event))
            for name in names_of(event):
                self._holders.setdefault(name, []).append(key)
        elif isinstance(event, DeclaredInventory):
            self._declared.setdefault(event.site, []).append(Booked(id=key, event=event))
        else:
            self._corrections[EventId(event.corrects)] = key
        return key

    def event(self, key: EventId) -> Event | None:
        """Return an event by id, corrected or not."""
        return self._events.get(key)

    def corrected_by(self, key: EventId) -> EventId | None:
        """Return the id of the correction of an event, or None."""
        return self._corrections.get(key)

    def holder(self, name: Name) -> EventId | None:
        """Return the receipt that still books a chip, board or unit by this name."""
        standing = (key for key in self._holders.get(name, ()) if key not in self._corrections)
        return min(standing, default=None)

    def site_ids(self) -> tuple[str, ...]:
        """Return the ids of all sites that are declared or hold anything, sorted."""
        named = {*self._sites, *self._receipts, *self._declared}
        return tuple(sorted(site for site in named if self.declarations(site) or self.uses(site)))

    def uses(self, site: str) -> bool:
        """Tell whether a standing receipt or declared inventory names a site."""
        entries = (*self._receipts.get(site, ()), *self._declared.get(site, ()))
        return any(entry.id not in self._corrections for entry in entries)

    def declarations(self, site: str) -> tuple[Booked[SiteDeclared], ...]:
        """Return the standing declarations of a site, oldest first."""
        return self._standing(self._sites.get(site, []))

    def site(self, site: str, as_of_ms: int) -> Site:
        """Return a site as declared at a time; before its first declaration, as in that one.

        Raises:
            BookError: `unknown-site`.
        """
        return self.forms(site, as_of_ms)[-1]

    def forms(self, site: str, as_of_ms: int) -> tuple[Site, ...]:
        """Return every form a site was declared in up to a time, oldest first, never none.

        The last holds at that time. Before the first declaration there is only that one.

        Raises:
            BookError: `unknown-site`.
        """
        declared = self.declarations(site)
        if not declared:
            raise refuse(
                Code.UNKNOWN_SITE,
                f"no site {site} is declared",
                where="site",
                hint="declare the site first",
            )
        until = [entry for entry in declared if entry.event.occurred_at_ms <= as_of_ms]
        return tuple(entry.event.site for entry in until or declared[:1])

    def licences(self, day: date | None = None) -> tuple[Licence, ...]:
        """Return the standing licences, those valid on a day if one is given, sorted."""
        found = (
            entry.event.licence
            for entry in self._licences.values()
            if entry.id not in self._corrections
        )
        return tuple(
            sorted(
                (licence for licence in found if day is None or licence.valid_on(day)),
                key=lambda licence: (licence.valid_to, licence.issuer, licence.number),
            )
        )

    def grants(self) -> tuple[Booked[LicenceGranted], ...]:
        """Return the standing events that granted licences, oldest first."""
        return self._standing(self._licences.values())

    def receipts(self, site: str, as_of_ms: int) -> tuple[Booked[Received], ...]:
        """Return the standing receipts of a site up to a time, oldest first."""
        standing = self._standing(self._receipts.get(site, []))
        return tuple(entry for entry in standing if entry.event.occurred_at_ms <= as_of_ms)

    def declared(self, site: str, as_of_ms: int) -> tuple[Booked[DeclaredInventory], ...]:
        """Return the newest standing declared inventory of each label at a time."""
        newest: dict[str, Booked[DeclaredInventory]] = {}
        for entry in self._standing(self._declared.get(site, [])):
            if entry.event.occurred_at_ms <= as_of_ms:
                newest[entry.event.label] = entry
        return tuple(newest[label] for label in sorted(newest))

    def _standing(self, entries: Iterable[Booked[E]]) -> tuple[Booked[E], ...]:
        """Return the entries that no correction took out, in one order for every arrival."""
        standing = (entry for entry in entries if entry.id not in self._corrections)
        return tuple(sorted(standing, key=lambda entry: (entry.event.occurred_at_ms, entry.id)))


def fold(records: Iterable[LedgerRecord], *, known_at_ms: int | None = None) -> Book:
    """Return the book of everything recorded up to a time (inclusive), or of everything."""
    book = Book()
    for record in records:
        if known_at_ms is None or record.recorded_at_ms <= known_at_ms:
            book.add(record)
    return book


def names_of(event: Received) -> Iterator[Name]:
    """Yield every name that a receipt gives to chips, boards and units.

    The kinds: ``pdi``, ``uuid``, ``board`` (a board as a whole), ``board-of-chip`` (a chip said
    to sit on it; several may share one) and ``unit``.
    """
    for line in event.lines:
        if isinstance(line, ByChip):
            for chip in line.chips:
                if chip.pdi is not None:
                    yield "pdi", chip.pdi
                if chip.uuid is not None:
                    yield "uuid", chip.uuid
                if chip.serial is not None:
                    yield "board-of-chip", chip.serial
        elif isinstance(line, ByBoard):
            yield from (("board", serial) for serial in line.serials)
        elif isinstance(line, ByUnit):
            yield from (("unit", serial) for serial in line.serials)
