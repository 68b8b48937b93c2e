"""One look: the scene and the measure at one time, with what every detector needs of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from chipledger_book.catalogue import Catalogue, Sku
from chipledger_book.events import Event
from chipledger_book.inventory import Listed, items_of
from chipledger_book.ledger import Book, Booked
from chipledger_book.movements import Confirmed
from chipledger_book.parties import Site
from chipledger_book.remark_rules import OTHER_SIDE
from chipledger_book.rules import Tables
from chipledger_book.statements import Role
from chipledger_book.terms import Severity, day_of
from chipledger_book.timers import Threshold, Timer, TimerRow, Timers
from chipledger_book.watch.facts import MOST_LISTED, Fact, FactKind, Owner, Value, Wait
from chipledger_book.watch.scene import Measure, Scene
from chipledger_book.watch.times import Clock

E = TypeVar("E", bound=Event)
L = TypeVar("L", bound=Listed)

Found = Wait | Fact
"""What detectors yield."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a fact rests on.

    Attributes:
        since_ms: when it began.
        counts: chips in question by model.
        owner: who must act.
        events: ids of events, any order.
        chips: chips by name, any order.
        weight: name of the severities it is weighed by; empty: its kind.
        extra_tpp: TPP in question that no chips are named for.
        detail: what else was seen.
    """

    since_ms: int
    counts: Mapping[str, int]
    owner: Owner
    events: Iterable[str] = ()
    chips: Iterable[str] = ()
    weight: str = ""
    extra_tpp: int = 0
    detail: Mapping[str, Value] = field(default_factory=dict)


class Gauge:
    """Limits, thresholds and severities at one time."""

    def __init__(self, tables: Tables, timers: Timers, clock: Clock, *, at_ms: int) -> None:
        self.tables = tables
        self.at_ms = at_ms
        self.clock = clock
        self.day = day_of(at_ms)
        self._timers = timers
        self._skus: dict[str, Sku] = {}

    @property
    def catalogue(self) -> Catalogue:
        """The chip models."""
        return self.tables.catalogue

    def limit(self, timer: Timer, since_ms: int) -> TimerRow | None:
        """Return the limit of a step that began at a time, or None where none holds then."""
        return self._timers.limit(timer, day_of(since_ms))

    def due_ms(self, timer: Timer, since_ms: int) -> int | None:
        """Return until when a step that began at a time may last, or None."""
        limit = self.limit(timer, since_ms)
        return None if limit is None else self.clock.due_ms(since_ms, limit)

    def past(self, timer: Timer, since_ms: int) -> bool:
        """Tell whether a step that began at a time has lasted longer than it may."""
        due = self.due_ms(timer, since_ms)
        return due is not None and self.at_ms > due

    def amount(self, threshold: Threshold, at_ms: int | None = None) -> int | None:
        """Return a threshold at a time (else at the time of the look), or None."""
        day = self.day if at_ms is None else day_of(at_ms)
        return self._timers.amount(threshold, day)

    def sku(self, name: str) -> Sku:
        """Return a model.

        Raises:
            BookError: `unknown-sku`.
        """
        if name not in self._skus:
            self._skus[name] = self.catalogue.sku(name, self.day)
        return self._skus[name]

    def tpp(self, counts: Mapping[str, int]) -> int:
        """Return the TPP of the controlled ones among a number of chips by model."""
        skus = ((self.sku(name), pieces) for name, pieces in counts.items())
        return sum(pieces * sku.tpp for sku, pieces in skus if sku.controlled)

    def fact(
        self, kind: FactKind, grounds: Grounds, *, subject: str, site: str | None, key: str
    ) -> Fact:
        """Return a fact, weighed and bounded.

        Args:
            kind: its type.
            grounds: what it rests on.
            subject: what it is about.
            site: at which site, or None.
            key: names it among those of its kind.
        """
        counts = grounds.counts
        tpp = self.tpp(counts) + grounds.extra_tpp
        pieces = sum(counts.values())
        models = tuple(f"{sku}: {number}" for sku, number in sorted(counts.items()) if number)
        return Fact(
            kind=kind,
            subject=subject,
            site=site,
            key=key,
            since_ms=grounds.since_ms,
            pieces=pieces,
            tpp=tpp,
            severity=self._severity(grounds.weight or kind, tpp, grounds.since_ms),
            owner=grounds.owner,
            events=bounded(grounds.events),
            chips=bounded(grounds.chips),
            detail={"pieces": pieces, "tpp": tpp, "models": models, **grounds.detail},
        )

    def _severity(self, weight: str, tpp: int, since_ms: int) -> Severity:
        """Return how heavy a fact is; some are heavier once they last."""
        lasting = f"{weight}-lasting"
        if self._timers.weighs(lasting, self.day) and self.past(Timer.ESCALATION, since_ms):
            weight = lasting
        return self._timers.severity(weight, tpp, self.day)


def gauge_of(scene: Scene, measure: Measure, at_ms: int) -> Gauge | None:
    """Return the limits at a time, or None where there are no timers to watch by."""
    timers = measure.tables.timers
    if timers is None:
        return None
    return Gauge(measure.tables, timers, Clock(scene.downtime), at_ms=at_ms)


def bounded(names: Iterable[str]) -> tuple[str, ...]:
    """Return the first of some names, in their order, each once."""
    return tuple(sorted({*names}))[:MOST_LISTED]


@dataclass(kw_only=True)
class Look:
    """One site at one time.

    Attributes:
        site: which.
        scene: the book and the sightings.
        measure: what is held against them.
        gauge: its limits at that time.
    """

    site: str
    scene: Scene
    measure: Measure
    gauge: Gauge
    _moves: dict[str, tuple[Booked[Any], ...]] = field(default_factory=dict)

    @property
    def book(self) -> Book:
        """The ledger."""
        return self.scene.book

    @property
    def at_ms(self) -> int:
        """The time."""
        return self.gauge.at_ms

    @cached_property
    def form(self) -> Site | None:
        """The site as it is declared at the time, or None."""
        return form_of(self.book, self.site, self.at_ms)

    @cached_property
    def operator(self) -> Owner:
        """Who runs the hosts."""
        return Owner(role=Role.OPERATOR, party="" if self.form is None else self.form.operator.id)

    @cached_property
    def consignee(self) -> Owner:
        """Who receives and owns the chips."""
        party = "" if self.form is None else self.form.consignee.id
        return Owner(role=Role.CONSIGNEE, party=party)

    def moves(self, kind: type[E]) -> tuple[Booked[E], ...]:
        """Return the standing events of a kind at the site, oldest first."""
        name = kind.__name__
        if name not in self._moves:
            self._moves[name] = self.book.moves(self.site, kind, self.at_ms)
        return self._moves[name]

    def confirmed_at(self, entry: Booked[E]) -> int | None:
        """Return since when the other side of an event stands, by its word or a paper, or None."""
        times = [
            one.event.occurred_at_ms
            for one in self.book.answers(entry.id, self.at_ms)
            if isinstance(one.event, Confirmed)
        ]
        event: Event = entry.event
        other = OTHER_SIDE.get(type(event))
        if other is not None:
            words = self.book.other_words(entry, self.at_ms, other)
            times += [word.stated_at_ms for word in words]
        return min(times, default=None)

    def pieces(self, entry: Booked[L]) -> dict[str, int]:
        """Return the chips that an event lists, by model."""
        found = items_of([Booked(id=entry.id, event=entry.event)], self.gauge.catalogue)
        return {sku: sum(item.chips for item in items) for sku, items in found.items()}

    def fact(self, kind: FactKind, key: str, grounds: Grounds) -> Fact:
        """Return a fact about the site."""
        return self.gauge.fact(kind, grounds, subject=self.site, site=self.site, key=key)


def form_of(book: Book, site: str, at_ms: int) -> Site | None:
    """Return a site as declared at a time, or None where no declaration stands."""
    return book.site(site, at_ms) if book.declarations(site) else None
