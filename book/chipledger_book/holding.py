"""One site by itself: what is booked and seen there, and what it asks of licences and ceilings.

What a site asks of them is a few numbers, whatever it holds. Sites that share a licence or an
owner meet in those numbers alone, so a change at one of them leaves the others as they are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from chipledger_book.authorisation import Exposure
from chipledger_book.catalogue import Sku
from chipledger_book.ceilings.holdings import Held
from chipledger_book.events import Received
from chipledger_book.inventory import Sightings, declared_models, sightings
from chipledger_book.ledger import Book
from chipledger_book.matching import Item
from chipledger_book.parties import Site
from chipledger_book.peaks import Peak, peak, spans_of
from chipledger_book.physical import ChipState, SeenChip, Stay
from chipledger_book.rows import ModelAtSite
from chipledger_book.rules import Tables
from chipledger_book.stock import ModelStock, stock_of
from chipledger_book.terms import EventId, day_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the book.

    Attributes:
        as_of_ms: what was true at.
        period_start_ms: what came before is `opening`; None: everything is a receipt.
        known_at_ms: the time the book was folded for; only written into the report.
    """

    as_of_ms: int
    period_start_ms: int | None = None
    known_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a site asks of the licences and ceilings that it shares with others.

    Attributes:
        site: as declared at `as_of`.
        test: whether it is balanced with the test sites.
        exposures: by model and by form on arrival, what arrived and what was seen beyond it.
        held: controlled models that are there now, the larger of book and seen.
        shipments: receipt → shipper and reference of its shipment, where it names one.
    """

    site: Site
    test: bool
    exposures: tuple[Exposure, ...]
    held: tuple[Held, ...]
    shipments: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSite:
    """One site, before licences are looked at.

    Attributes:
        forms: every form it was declared in up to `as_of`, oldest first.
        arrived: the form it had at each time at which something arrived, or peaked.
        origins: site and time of a transfer in → the form of the site it came from, if known.
        models: what is booked, seen and declared there.
        sightings: what was seen there, by model.
        peaks: model → the most that was there within the period.
        shipments: receipt → shipper and reference of its shipment, where it names one.
    """

    forms: Sequence[Site]
    arrived: Mapping[int, Site]
    origins: Mapping[tuple[str, int], Site]
    models: Sequence[ModelAtSite]
    sightings: Sightings
    peaks: Mapping[str, Peak]
    shipments: Mapping[str, str]

    @property
    def site(self) -> Site:
        """The site as declared at `as_of`."""
        return self.forms[-1]

    def holding(self) -> Holding:
        """Return what it asks of licences and ceilings."""
        return Holding(
            site=self.site,
            test=always_test(self.forms),
            exposures=tuple(self._exposures()),
            held=tuple(_held(model) for model in self.models if model.sku.controlled),
            shipments=self.shipments,
        )

    def _exposures(self) -> Iterator[Exposure]:
        """Yield what arrived of controlled models, by form on arrival, and what was beyond.

        What left since stays in it: moving chips out gives no room back.
        """
        for model in self.models:
            if not model.sku.controlled:
                continue
            groups = defaultdict[tuple[Site, Site | None], list[Item]](list)
            for item in _by_event(model.arrivals):
                form = self.arrived[item.occurred_at_ms]
                origin = self.origins.get((item.came_from or "", item.occurred_at_ms))
                groups[form, origin].append(item)
            for (form, origin), items in groups.items():
                yield Exposure(site=form, sku=model.sku, items=items, beyond=0, came_from=origin)
            most = self.peaks[model.sku.sku]
            beyond = most.pieces - sum(item.chips for item in model.arrivals)
            if beyond > 0:
                yield Exposure(
                    site=self.arrived[most.last_ms],
                    sku=model.sku,
                    items=(),
                    beyond=beyond,
                    beyond_on=day_of(most.last_ms),
                )


def always_test(forms: Iterable[Site]) -> bool:
    """Tell whether a site was never declared a real one; else its chips count with real ones."""
    return all(form.test for form in forms)


def at_site(
    book: Book,
    seen: Sequence[SeenChip],
    stays: Iterable[Stay],
    tables: Tables,
    *,
    question: Question,
    site: str,
) -> AtSite:
    """Return one site by itself.

    Args:
        book: the ledger, at least what bears on this site.
        seen: what is seen there at `as_of`.
        stays: when chips were seen there within the period; none: only what is seen now counts.
        tables: catalogue of the verdict.
        question: times.
        site: which site.

    Raises:
        BookError: `unknown-site`; `unknown-sku` or `unknown-unit-model`.
    """
    at, catalogue = question.as_of_ms, tables.catalogue
    stock = stock_of(book, site, at, catalogue)
    items = [item for model in stock.values() for item in model.arrivals()]
    found = sightings(seen, declared_models(book, site, at), catalogue, day_of(at))
    past = _by_model(stays, found)
    skus = sorted({*stock, *found.by_sku, *found.declared, *past})
    models = [_model(catalogue.sku(sku, day_of(at)), stock.get(sku), found) for sku in skus]
    peaks = {model.sku.sku: _peak(model, past, question) for model in models}
    return AtSite(
        forms=book.forms(site, at),
        arrived=_forms(book, site, items, peaks),
        origins=_origins(book, items),
        models=models,
        sightings=found,
        peaks=peaks,
        shipments=_shipments(book, {item.event for item in items}),
    )


def _model(sku: Sku, stock: ModelStock | None, found: Sightings) -> ModelAtSite:
    return ModelAtSite(
        sku=sku,
        stock=stock or ModelStock(),
        seen=found.by_sku.get(sku.sku, ()),
        declared=found.declared[sku.sku],
    )


def _forms(
    book: Book, site: str, items: Iterable[Item], peaks: Mapping[str, Peak]
) -> dict[int, Site]:
    """Return the form of a site at each time at which something arrived, or peaked."""
    times = {item.occurred_at_ms for item in items} | {most.last_ms for most in peaks.values()}
    return {time: book.site(site, time) for time in times}


def _origins(book: Book, items: Iterable[Item]) -> dict[tuple[str, int], Site]:
    """Return the form of each site that something came from, when it came."""
    return {
        (name, time): book.site(name, time)
        for name, time in {(item.came_from, item.occurred_at_ms) for item in items}
        if name is not None and book.declarations(name)
    }


def _shipments(book: Book, events: Iterable[str]) -> dict[str, str]:
    """Return the shipments that receipts name."""
    found = ((key, book.event(EventId(key))) for key in events)
    return {
        key: f"{event.shipper or ''} {event.shipment}".strip()
        for key, event in found
        if isinstance(event, Received) and event.shipment
    }


def _held(model: ModelAtSite) -> Held:
    """Return the larger of book and seen of a model, as a balance counts it."""
    stock = model.stock
    booked = sum(item.chips for item in stock.arrivals())
    booked -= sum(item.chips for item in stock.departures())
    seen = sum(chip.state is not ChipState.DISPUTED for chip in model.seen)
    if stock.stored:
        seen += model.stored
    charged = defaultdict[tuple[str, str], int](int)
    for item in stock.items:
        if item.charged_to is not None:
            charged[item.charged_to] += item.chips
    return Held(sku=model.sku, pieces=max(0, booked, seen), charged=dict(charged))


def _by_model(stays: Iterable[Stay], found: Sightings) -> dict[str, list[Stay]]:
    """Return stays by model: that of the chip as it is seen now, else as it was then."""
    now = {chip.chip_id: sku for sku, chips in found.by_sku.items() for chip in chips}
    by_model: dict[str, list[Stay]] = defaultdict(list)
    for stay in stays:
        sku = now.get(stay.chip_id, stay.sku)
        if sku is not None:
            by_model[sku].append(stay)
    return by_model


def _peak(model: ModelAtSite, past: Mapping[str, Sequence[Stay]], question: Question) -> Peak:
    at = question.as_of_ms
    spans = spans_of(model.seen, past.get(model.sku.sku, ()), as_of_ms=at)
    return peak(
        model.arrivals,
        (span for _, span in spans),
        start_ms=min(at, question.period_start_ms or 0),
        as_of_ms=at,
    )


def _by_event(items: Iterable[Item]) -> Iterable[Item]:
    """Return what arrived, the things of each event together."""
    events: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        events[item.event].append(item)
    return [
        replace(those[0], key=event, names={}, chips=sum(item.chips for item in those))
        for event, those in events.items()
    ]
