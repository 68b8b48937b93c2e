"""Where chips are, by what the collector recorded from attestation: from events to a map."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from chipledger_book.ledger import Book, Booked, Name
from chipledger_book.movements import Attested, AttestedChip, Installed, Moved
from chipledger_book.terms import EventId

_ORDER: Final = (Installed, Moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where a chip was recorded last.

    Attributes:
        site: where.
        host: on which host.
        since_ms: from when, Unix milliseconds.
        event: the event that recorded it.
    """

    site: str
    host: str
    since_ms: int
    event: EventId


def whereabouts(book: Book, sites: Iterable[str], as_of_ms: int) -> dict[Name, Whereabouts]:
    """Return where the chips of some sites were recorded last, by each of their names.

    A chip that also appeared at a site that is not among these is said to be where these know it.
    """
    entries: list[Booked[Attested]] = []
    for site in sites:
        entries += book.installed(site, as_of_ms)
        entries += book.moved(site, as_of_ms)
    entries.sort(key=_order)
    return {
        name: Whereabouts(
            site=entry.event.site,
            host=entry.event.host,
            since_ms=entry.event.occurred_at_ms,
            event=entry.id,
        )
        for entry in entries
        for chip in entry.event.chips
        for name in names_of_chip(chip)
    }


def names_of_chip(chip: AttestedChip) -> Iterator[Name]:
    """Yield what names a chip and no other."""
    if chip.pdi is not None:
        yield "pdi", chip.pdi
    if chip.uuid is not None:
        yield "uuid", chip.uuid


def _order(entry: Booked[Attested]) -> tuple[int, int, EventId]:
    """Of what happened in one millisecond, a chip is installed before it moves."""
    return entry.event.occurred_at_ms, _ORDER.index(type(entry.event)), entry.id
