"""What sites share: licences and ceilings that several of them use, kept while nothing changes.

The balance of a site needs of every site that shares a licence or an owner with it a few numbers,
its *holding*. They are kept in memory by this process, with the position of the database up to
which they are good. A question of now reads what was written since, finds the sites that it
touches and asks these anew; a question of another time keeps nothing. All of it is derived:
whoever starts without it computes it.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from chipledger_book.balance import Shared, allocate_all, linked_sites
from chipledger_book.holding import Holding, Question
from chipledger_book.ledger import Book
from chipledger_book.licences import Licence
from chipledger_book.rules import Tables
from chipledger_server.usecases.reading import Position, Touched


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a site asks of what it shares, and whether it stays so until something touches it."""

    holding: Holding
    stable: bool


class Source(Protocol):
    """The database as one question looks at it."""

    @property
    def question(self) -> Question:
        """The times of the question."""

    @property
    def tables(self) -> Tables:
        """What the verdict is by."""

    @property
    def context(self) -> object:
        """Everything but the database that holdings depend on; equal or not."""

    def position(self) -> Position | None:
        """Return how far this look reaches, or None where it is not one at everything there is."""

    def touched(self, since: Position) -> Touched:
        """Return what was written since a position."""

    def outline(self, site: str) -> Book:
        """Return declarations and licences of every site that may share anything with one."""

    def asked(self, site: str) -> Asked:
        """Return what a site asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """Sites that share licences or owners.

    Attributes:
        names: the sites, sorted.
        members: the same.
        owners: their parents and consignees.
        licences: what was granted to these.
    """

    names: tuple[str, ...]
    members: frozenset[str]
    owners: frozenset[str]
    licences: tuple[Licence, ...]


@dataclass(slots=True)
class _Kept:
    """What is kept for one context up to one position."""

    context: object
    position: Position
    holdings: dict[str, Holding] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    families: dict[str, _Family] = field(default_factory=dict)
    shared: dict[tuple[str, ...], Mapping[bool, Shared]] = field(default_factory=dict)

    def touch(self, touched: Touched) -> None:
        """Mark what was touched: sites to be asked anew, families to be found anew."""
        if touched.owners:
            gone = {
                family.names
                for family in self.families.values()
                if not family.owners.isdisjoint(touched.owners)
            }
            for names in gone:
                self.shared.pop(names, None)
                for name in names:
                    self.families.pop(name, None)
                    self.holdings.pop(name, None)
        self.stale |= touched.sites & self.holdings.keys()


class Sharing:
    """What covers what among sites that share licences, kept from one question to the next.

    Args:
        lock: held while what is kept is used; for several threads, one of theirs.
    """

    def __init__(self, lock: AbstractContextManager[object] | None = None) -> None:
        self._lock = lock or nullcontext()
        self._kept: _Kept | None = None

    def anew(self) -> "Sharing":
        """Return one that keeps nothing yet, under the same lock."""
        return Sharing(self._lock)

    def of(self, source: Source, site: str) -> Mapping[bool, Shared]:
        """Return what covers what among the sites that share anything with one."""
        position = source.position()
        if position is None:
            return _anew(source, site)
        with self._lock:
            kept = self._follow(source, position)
            if kept is None:  # an older look than the one before; that one stays
                return _anew(source, site)
            if site not in kept.families:
                family = _family(source, site)
                kept.families.update(dict.fromkeys(family.names, family))
            family = kept.families[site]
            _refresh(kept, family, source, site)
            if family.names not in kept.shared:
                holdings = [kept.holdings[name] for name in family.names]
                kept.shared[family.names] = _allocated(source, family, holdings)
            return kept.shared[family.names]

    def _follow(self, source: Source, position: Position) -> _Kept | None:
        """Return what is kept, with what was written since marked as stale."""
        kept = self._kept
        if kept is None or kept.context != source.context:
            self._kept = kept = _Kept(context=source.context, position=position)
        elif not kept.position.precedes(position):
            return None
        elif kept.position != position:
            kept.touch(source.touched(kept.position))
            kept.position = position
        return kept


def _anew(source: Source, site: str) -> Mapping[bool, Shared]:
    """Return what covers what, keeping nothing."""
    family = _family(source, site)
    return _allocated(source, family, [source.asked(name).holding for name in family.names])


def _family(source: Source, site: str) -> _Family:
    outline, at = source.outline(site), source.question.as_of_ms
    names = linked_sites(outline, site, as_of_ms=at)
    forms = [one.event.site for name in names for one in outline.declarations(name)]
    owners = {form.ultimate_parent.id for form in forms} | {form.consignee.id for form in forms}
    return _Family(
        names=names,
        members=frozenset(names),
        owners=frozenset(owners),
        licences=outline.licences(),
    )


def _refresh(kept: _Kept, family: _Family, source: Source, site: str) -> None:
    """Ask those anew that were touched, and those that were never asked."""
    wanted = (kept.stale & family.members) | {site}
    if family.names not in kept.shared:
        wanted.update(name for name in family.names if name not in kept.holdings)
    for name in sorted(wanted):
        asked = source.asked(name)
        if kept.holdings.get(name) != asked.holding:
            kept.holdings[name] = asked.holding
            kept.shared.pop(family.names, None)
        (kept.stale.discard if asked.stable else kept.stale.add)(name)


def _allocated(
    source: Source, family: _Family, holdings: Sequence[Holding]
) -> Mapping[bool, Shared]:
    return allocate_all(holdings, family.licences, source.tables, source.question)
