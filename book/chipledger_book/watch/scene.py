"""What watching looks at: the book, what is and was seen, and the measure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chipledger_book.ledger import Book
from chipledger_book.physical import SeenChip, Stay
from chipledger_book.report import SiteReport
from chipledger_book.rules import Tables
from chipledger_book.tables import TableVersion, version_of


class Scene(Protocol):
    """The book and the sightings at one time; the time is the one that is asked for."""

    @property
    def book(self) -> Book:
        """The ledger, folded for the `known_at` that is asked for."""
        ...

    @property
    def downtime(self) -> Sequence[tuple[int, int]]:
        """When the collector itself did not accept, as (from, to) in milliseconds."""
        ...

    def seen(self, site: str) -> Sequence[SeenChip]:
        """Return what is seen at a site."""
        ...

    def stays(self, site: str) -> Sequence[Stay]:
        """Return all stays at a site up to the time."""
        ...

    def stays_of(self, names: Collection[str]) -> Sequence[Stay]:
        """Return the stays, at any site, of chips that bear a PDI, UUID or board serial."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is held against the scene.

    Attributes:
        tables: catalogue, rule set and timers; without timers nothing is waited for.
        reports: site → its balance at the same time, by the same tables; a site that has none
            raises no findings of authorisation.
    """

    tables: Tables
    reports: Mapping[str, SiteReport] = field(default_factory=dict)

    def versions(self) -> tuple[TableVersion, ...]:
        """Return what a result must write down of the tables."""
        timers = self.tables.timers
        return (*self.tables.versions(), *(() if timers is None else (version_of(timers),)))
