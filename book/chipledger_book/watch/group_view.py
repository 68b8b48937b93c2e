"""One look at all sites of one ultimate parent."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from chipledger_book.inventory import Listed
from chipledger_book.ledger import Book, Booked
from chipledger_book.licences import Licence
from chipledger_book.parties import Site
from chipledger_book.report import SiteReport
from chipledger_book.watch.facts import Fact, FactKind
from chipledger_book.watch.look import Gauge, Grounds, L
from chipledger_book.watch.scene import Measure, Scene


@dataclass(kw_only=True)
class GroupView:
    """The sites that are an ultimate parent's at a time.

    Attributes:
        parent: the ultimate parent.
        scene: the book and the sightings.
        measure: what is held against them.
        gauge: its limits at that time.
    """

    parent: str
    scene: Scene
    measure: Measure
    gauge: Gauge

    @property
    def book(self) -> Book:
        """The ledger."""
        return self.scene.book

    @property
    def at_ms(self) -> int:
        """The time."""
        return self.gauge.at_ms

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The sites, sorted; test sites are only looked at where there is no real one."""
        forms = (
            self.book.site(name, self.at_ms)
            for name in self.book.site_ids()
            if self.book.declarations(name)
        )
        own = tuple(form for form in forms if form.ultimate_parent.id == self.parent)
        return tuple(form for form in own if not form.test) or own

    @cached_property
    def consignees(self) -> frozenset[str]:
        """The consignees of the sites."""
        return frozenset(site.consignee.id for site in self.sites)

    @cached_property
    def reports(self) -> tuple[SiteReport, ...]:
        """The balances of the sites, as far as they were given."""
        given = (self.measure.reports.get(site.id) for site in self.sites)
        return tuple(report for report in given if report is not None)

    @cached_property
    def licences(self) -> tuple[Licence, ...]:
        """The standing licences of the consignees."""
        return tuple(one for one in self.book.licences() if one.consignee in self.consignees)

    def moves(self, kind: type[L]) -> Iterator[Booked[L]]:
        """Yield the standing events of a kind at all sites, site by site, oldest first."""
        for site in self.sites:
            yield from self.book.moves(site.id, kind, self.at_ms)

    def fact(self, kind: FactKind, key: str, grounds: Grounds, *, subject: str = "") -> Fact:
        """Return a fact about the group, or about a party of it."""
        return self.gauge.fact(kind, grounds, subject=subject or self.parent, site=None, key=key)


def listed(entry: Booked[L]) -> Booked[Listed]:
    """Return an event as one that lists chips, whatever its kind."""
    return Booked(id=entry.id, event=entry.event)
