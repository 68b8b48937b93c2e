"""The ledger folded into a book: what is on paper, whatever order it arrived in.

Folding keeps events, never totals; totals are taken at an `as_of` when asked. Corrected
events stay here, marked, and count nowhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, Generic, TypeVar

from chipledger_book.agreement import agreed
from chipledger_book.errors import Code, refuse
from chipledger_book.events import (
    ByBoard,
    ByChip,
    ByUnit,
    Correction,
    DeclaredInventory,
    Event,
    LedgerRecord,
    LicenceGranted,
    Line,
    Received,
    Role,
    SiteDeclared,
    Statement,
    StatementRecord,
    event_id,
)
from chipledger_book.licences import Licence
from chipledger_book.movements import (
    Attested,
    Confirmed,
    ExternalRecord,
    Installed,
    Moved,
    Movement,
    ReceiptDifference,
    Remark,
    RmaIn,
    TransferIn,
    Unstored,
)
from chipledger_book.parties import Site
from chipledger_book.terms import EventId
from chipledger_evidence.codec import encode_canonical

E_co = TypeVar("E_co", bound=Event, covariant=True)
M = TypeVar("M", bound=Event)
Name = tuple[str, str]
"""What kind of name, and the name: ``("pdi", "00…01")``."""

Arrival = Received | TransferIn | RmaIn
"""Events that put chips on the book of a site."""

_ARRIVALS: Final = (Received, TransferIn, RmaIn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked(Generic[E_co]):
    """An event with its id."""

    id: EventId
    event: E_co


class Book:
    """What the ledger says, indexed for admission and for the balance.

    Adding the same records in any order gives the same answers. The book holds what was known
    at one time; for another `known_at`, fold again with :func:`fold`. A correction takes its event
    out from when two persons stand behind it, see :mod:`chipledger_book.agreement`.
    """

    def __init__(self) -> None:
        self._events: dict[EventId, Event] = {}
        self._corrections: dict[EventId, EventId] = {}
        self._proposed: dict[EventId, set[EventId]] = {}
        self._alone: set[EventId] = set()
        self._statements: dict[EventId, tuple[Statement, ...]] = {}
        self._recorded: dict[EventId, int] = {}
        self._answers: dict[EventId, list[Booked[Event]]] = {}
        self._moves: dict[str, list[Booked[Event]]] = {}
        self._sites: dict[str, list[Booked[SiteDeclared]]] = {}
        self._licences: dict[EventId, Booked[LicenceGranted]] = {}
        self._receipts: dict[str, list[Booked[Received]]] = {}
        self._declared: dict[str, list[Booked[DeclaredInventory]]] = {}
        self._attested: dict[str, list[Booked[Attested]]] = {}
        self._holders: dict[Name, list[EventId]] = {}
        self._unnamed: list[tuple[EventId, Iterable[Line]]] = []  # arrivals not in there yet
        self._external: list[Booked[ExternalRecord]] = []

    def add(self, record: LedgerRecord) -> EventId:
        """Take up one record and return its event's id.

        A record of a known event books nothing again; what it says of who stands behind it, and
        that it was recorded earlier, is kept.
        """
        event = record.event
        key = event_id(event)
        known = key in self._events
        self._recorded[key] = min(
            self._recorded.get(key, record.recorded_at_ms), record.recorded_at_ms
        )
        self._stand(key, record.statements)
        if isinstance(event, Correction):
            if not record.proposed:
                self._alone.add(key)
            self._correct(key, event)
        if known:
            return key
        self._events[key] = event
        if isinstance(event, SiteDeclared):
            self._sites.setdefault(event.site.id, []).append(Booked(id=key, event=event))
        elif isinstance(event, LicenceGranted):
            self._licences[key] = Booked(id=key, event=event)
        elif isinstance(event, DeclaredInventory):
            self._declared.setdefault(event.site, []).append(Booked(id=key, event=event))
        elif isinstance(event, Attested):
            self._attested.setdefault(event.site, []).append(Booked(id=key, event=event))
        elif not isinstance(event, Correction):
            self._take(Booked(id=key, event=event))
        return key

    def state(self, later: StatementRecord) -> None:
        """Take up a statement made on an event after it was entered; a known one changes nothing.

        The event may come later: a book is the same whatever order its records arrive in.
        """
        key = EventId(later.of)
        self._stand(key, (later.statement,))
        event = self._events.get(key)
        if isinstance(event, Correction):
            self._correct(key, event)

    def _correct(self, key: EventId, correction: Correction) -> None:
        """Let a correction take effect, or wait for a second person; of several the least id does.

        One that was entered when one person was enough needs no second one.
        """
        target = EventId(correction.corrects)
        if key in self._alone or agreed(self.statements(key)):
            self._proposed.get(target, set()).discard(key)
            self._corrections[target] = min(key, self._corrections.get(target, key))
        else:
            self._proposed.setdefault(target, set()).add(key)

    def _stand(self, key: EventId, statements: Iterable[Statement]) -> None:
        """Add to those who stand behind an event."""
        known = self._statements.get(key, ())
        new = {*known, *statements}
        if len(new) == 1:  # a book of a million events has mostly such
            self._statements[key] = tuple(new)
        elif len(new) != len(known):
            self._statements[key] = tuple(sorted(new, key=_spoken))

    def _take(self, entry: Booked[Received | Movement | Remark]) -> None:
        """Index an event of a site, what it answers, and the names it puts on the book."""
        event = entry.event
        site = None if isinstance(event, Confirmed) else event.site
        if site is not None:
            self._moves.setdefault(site, []).append(entry)
        if isinstance(event, ExternalRecord):
            self._external.append(Booked(id=entry.id, event=event))
        if isinstance(event, Received):
            self._receipts.setdefault(event.site, []).append(Booked(id=entry.id, event=event))
        if isinstance(event, _ARRIVALS):
            self._unnamed.append((entry.id, event.lines))
        answered = answered_by(event)
        if answered is not None:
            self._answers.setdefault(answered, []).append(entry)

    @property
    def newest_ms(self) -> int:
        """When the latest of its events happened, standing or not; 0 of an empty book."""
        return max((event.occurred_at_ms for event in self._events.values()), default=0)

    def event(self, key: EventId) -> Event | None:
        """Return an event by id, corrected or not."""
        return self._events.get(key)

    def corrected_by(self, key: EventId) -> EventId | None:
        """Return the id of the correction that took an event out, or None.

        One that waits for a second person takes nothing out.
        """
        return self._corrections.get(key)

    def proposed(self, key: EventId) -> tuple[EventId, ...]:
        """Return the corrections of an event that wait for a second person, sorted.

        None of an event that is corrected: nothing is left to agree to.
        """
        return () if key in self._corrections else tuple(sorted(self._proposed.get(key, ())))

    def statements(self, key: EventId) -> tuple[Statement, ...]:
        """Return who stands behind an event, whenever they said so, the first to speak first."""
        return self._statements.get(key, ())

    def other_words(self, entry: Booked[Event], as_of_ms: int, role: Role) -> tuple[Statement, ...]:
        """Return what the other side, which speaks as `role`, said of an event up to a time.

        Nothing while the own side has not spoken: who enters an event is not its other side.
        """
        said = self.statements(entry.id)
        if all(one.role is role for one in said):
            return ()
        return tuple(one for one in said if one.role is role and one.stated_at_ms <= as_of_ms)

    def recorded_at(self, key: EventId) -> int | None:
        """Return when the ledger took an event up (Unix ms), None for one that it does not hold."""
        return self._recorded.get(key)

    def answers(self, key: EventId, as_of_ms: int) -> tuple[Booked[Event], ...]:
        """Return the standing events up to a time that name an event as their first side."""
        return self._until(self._answers.get(key, ()), as_of_ms)

    def moves(self, site: str, kind: type[M], as_of_ms: int) -> tuple[Booked[M], ...]:
        """Return the standing events of one kind at a site up to a time, oldest first."""
        entries = (
            Booked(id=entry.id, event=entry.event)
            for entry in self._moves.get(site, ())
            if isinstance(entry.event, kind)
        )
        return self._until(entries, as_of_ms)

    def external_records(self, as_of_ms: int) -> tuple[Booked[ExternalRecord], ...]:
        """Return what outsiders recorded up to a time, wherever it was to go, oldest first."""
        return self._until(self._external, as_of_ms)

    def holders(self, name: Name) -> tuple[EventId, ...]:
        """Return the standing arrivals that name a chip, board or unit; it may have left since."""
        for key, lines in self._unnamed:  # most readers never ask
            for named in names_of(lines):
                self._holders.setdefault(named, []).append(key)
        self._unnamed.clear()
        return tuple(
            sorted(key for key in self._holders.get(name, ()) if key not in self._corrections)
        )

    def site_ids(self) -> tuple[str, ...]:
        """Return the ids of all sites that are declared or hold anything, sorted."""
        named = {*self._sites, *self._moves, *self._declared}
        return tuple(sorted(site for site in named if self.declarations(site) or self.uses(site)))

    def uses(self, site: str) -> bool:
        """Tell whether a standing event other than its declarations names a site as its own."""
        entries = (*self._moves.get(site, ()), *self._declared.get(site, ()))
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
        return self._until(self._receipts.get(site, ()), as_of_ms)

    def declared(self, site: str, as_of_ms: int) -> tuple[Booked[DeclaredInventory], ...]:
        """Return the newest standing declared inventory of each label at a time."""
        newest: dict[str, Booked[DeclaredInventory]] = {}
        for entry in self._standing(self._declared.get(site, [])):
            if entry.event.occurred_at_ms <= as_of_ms:
                newest[entry.event.label] = entry
        return tuple(newest[label] for label in sorted(newest))

    def installed(self, site: str, as_of_ms: int) -> tuple[Booked[Installed], ...]:
        """Return where the collector first saw chips of a site, up to a time, oldest first."""
        return self._attestations(site, Installed, as_of_ms)

    def moved(self, site: str, as_of_ms: int) -> tuple[Booked[Moved], ...]:
        """Return the moves inside a site that the collector saw up to a time, oldest first.

        The operator has confirmed one when :meth:`answers` of it holds a `Confirmed`.
        """
        return self._attestations(site, Moved, as_of_ms)

    def _attestations(self, site: str, kind: type[M], as_of_ms: int) -> tuple[Booked[M], ...]:
        entries = (
            Booked(id=entry.id, event=entry.event)
            for entry in self._attested.get(site, ())
            if isinstance(entry.event, kind)
        )
        return self._until(entries, as_of_ms)

    def _until(self, entries: Iterable[Booked[M]], as_of_ms: int) -> tuple[Booked[M], ...]:
        """Return the standing entries of what happened up to a time."""
        standing = self._standing(entries)
        return tuple(entry for entry in standing if entry.event.occurred_at_ms <= as_of_ms)

    def _standing(self, entries: Iterable[Booked[M]]) -> tuple[Booked[M], ...]:
        """Return the entries that no correction took out, in one order for every arrival."""
        standing = (entry for entry in entries if entry.id not in self._corrections)
        return tuple(sorted(standing, key=lambda entry: (entry.event.occurred_at_ms, entry.id)))


def fold(
    records: Iterable[LedgerRecord | StatementRecord], *, known_at_ms: int | None = None
) -> Book:
    """Return the book of everything recorded up to a time (inclusive), or of everything."""
    book = Book()
    for record in records:
        if known_at_ms is not None and record.recorded_at_ms > known_at_ms:
            continue
        if isinstance(record, StatementRecord):
            book.state(record)
        else:
            book.add(record)
    return book


def _spoken(statement: Statement) -> tuple[int, bytes]:
    """Return what statements are ordered by: when they were made, then what they say."""
    return statement.stated_at_ms, encode_canonical(statement)


def answered_by(event: Event) -> EventId | None:
    """Return the id of the event whose other side this one is, if it is any."""
    if isinstance(event, Confirmed):
        return EventId(event.confirms)
    if isinstance(event, Received | TransferIn | RmaIn | Unstored | ReceiptDifference):
        return None if event.answers is None else EventId(event.answers)
    return None


def names_of(lines: Iterable[Line]) -> Iterator[Name]:
    """Yield every name that lines give to chips, boards and units.

    The kinds: ``pdi``, ``uuid``, ``board`` (a board as a whole), ``board-of-chip`` (a chip said
    to sit on it; several may share one) and ``unit``.
    """
    for line in lines:
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
