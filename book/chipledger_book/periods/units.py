"""The frozen list of a period: every booked and every seen chip of a site, one entry each.

A booked thing that several chips fill stands once for each of them; what nothing fills stands
once with its number. So the pieces of the list add up to the balance, model by model.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from chipledger_book.inventory import declared_models, sightings
from chipledger_book.ledger import Book
from chipledger_book.matching import Item
from chipledger_book.physical import ChipState, SeenChip, Stay
from chipledger_book.report import View
from chipledger_book.rows import ModelAtSite
from chipledger_book.rules import Tables
from chipledger_book.stock import ModelStock, stock_of
from chipledger_book.terms import day_of
from chipledger_evidence.appraisal.grades import Grade

State = Literal["present", "silent", "disputed", "stored", "unaccounted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """When a chip was attested at a site.

    Attributes:
        first_ms: first fresh sighting there.
        last_ms: newest fresh sighting there, up to the time that is asked for.
    """

    first_ms: int
    last_ms: int


class Unit(View, frozen=True, kw_only=True):
    """Chips of one model in one state.

    Attributes:
        sku: the model; null where the catalogue does not know it.
        tpp_each: TPP of one chip; null where the model is not known, never zero.
        chips: how many; 1 of what was seen.
        state: `present`, `silent` or `disputed` of what was seen; `stored` and `unaccounted` of
            booked chips that nothing fills.
        grade: how it is known, of what was seen.
        matched: how it was found on the book: by `identity`, by `count`, or null: not on it.
        names: kind of name → name, of the booked thing and of the chip together.
        chip: the collector's id of the chip.
        host: where it was seen.
        received_ms: when the booked thing arrived; of what is matched by count, of some thing
            of its model.
        event: the event by which it arrived.
        line: index of its line there.
        first_attested_ms: first attestation here.
        last_attested_ms: newest attestation here.
    """

    sku: str | None
    tpp_each: int | None
    chips: int
    state: State
    grade: Grade | None
    matched: Literal["identity", "count"] | None
    names: dict[str, str]
    chip: str | None
    host: str | None
    received_ms: int | None
    event: str | None
    line: int | None
    first_attested_ms: int | None
    last_attested_ms: int | None

    @property
    def booked(self) -> bool:
        """Tell whether it is on the book."""
        return self.event is not None

    @property
    def seen(self) -> bool:
        """Tell whether an agent has attested it here."""
        return self.chip is not None


def attested_in(stays: Iterable[Stay], *, site: str, until_ms: int) -> dict[str, Attested]:
    """Return when each chip was attested at a site up to a time, from its stays."""
    found: dict[str, Attested] = {}
    for stay in stays:
        if stay.site != site or stay.from_ms > until_ms:
            continue
        last = min(stay.until_ms, until_ms)
        known = found.get(stay.chip_id)
        found[stay.chip_id] = Attested(
            first_ms=stay.from_ms if known is None else min(known.first_ms, stay.from_ms),
            last_ms=last if known is None else max(known.last_ms, last),
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """What the list is made of: one model's booked and seen chips, and the unknown ones."""

    models: Sequence[ModelAtSite]
    unknown: Sequence[SeenChip]


def population_of(
    book: Book, seen: Iterable[SeenChip], tables: Tables, *, site: str, as_of_ms: int
) -> Population:
    """Return what is booked and seen at a site, model by model, as its balance counts it."""
    catalogue, day = tables.catalogue, day_of(as_of_ms)
    stock = stock_of(book, site, as_of_ms, catalogue)
    here = [chip for chip in seen if chip.site == site]
    found = sightings(here, declared_models(book, site, as_of_ms), catalogue, day)
    return Population(
        models=[
            ModelAtSite(
                sku=catalogue.sku(sku, day),
                stock=stock[sku] if sku in stock else ModelStock(),
                seen=found.by_sku.get(sku, ()),
                declared=found.declared[sku],
            )
            for sku in sorted({*stock, *found.by_sku})
        ],
        unknown=[chip for chips in found.unknown.values() for chip in chips],
    )


def units_of(population: Population, attested: Mapping[str, Attested]) -> tuple[Unit, ...]:
    """Return the list, in one order for every order of arrival."""
    units = [unit for model in population.models for unit in _model_units(model, attested)]
    units += [_seen_unit(chip, None, None, attested) for chip in population.unknown]
    return tuple(sorted(units, key=_order))


def _order(unit: Unit) -> tuple[str, str, str, str, int, str]:
    names = ",".join(f"{kind}={unit.names[kind]}" for kind in sorted(unit.names))
    place = (unit.event or "~", unit.line or 0)
    return unit.sku or "~", unit.state, unit.chip or "~", *place, names


def _model_units(model: ModelAtSite, attested: Mapping[str, Attested]) -> Iterator[Unit]:
    items = {item.key: item for item in model.items}
    matching = model.matching
    for chip in model.seen:
        key = matching.by_identity.get(chip.chip_id) or matching.by_count.get(chip.chip_id)
        by_identity = chip.chip_id in matching.by_identity
        yield _seen_unit(
            chip,
            model,
            None if key is None else (items[key], "identity" if by_identity else "count"),
            attested,
        )
    for item in model.items:
        unaccounted = model.left[item.key]
        stored = matching.left[item.key] - unaccounted
        if stored:
            yield _unseen_unit(item, model, "stored", stored)
        if unaccounted:
            yield _unseen_unit(item, model, "unaccounted", unaccounted)


def _seen_unit(
    chip: SeenChip,
    model: ModelAtSite | None,
    booked: tuple[Item, Literal["identity", "count"]] | None,
    attested: Mapping[str, Attested],
) -> Unit:
    item, matched = booked if booked is not None else (None, None)
    times = attested.get(chip.chip_id)
    own = {
        kind: name
        for kind in ("pdi", "uuid", "board", "tray", "server", "rack")
        if (name := getattr(chip, kind)) is not None
    }
    # By count it is some booked thing of the model: the names there are not this chip's.
    of_book = dict(item.names) if item is not None and matched == "identity" else {}
    return Unit(
        sku=None if model is None else model.sku.sku,
        tpp_each=None if model is None else model.sku.tpp,
        chips=1,
        state=_STATES[chip.state],
        grade=chip.grade,
        matched=matched,
        names={**of_book, **own},
        chip=chip.chip_id,
        host=chip.host,
        received_ms=None if item is None else item.occurred_at_ms,
        event=None if item is None else item.event,
        line=None if item is None else item.line,
        first_attested_ms=None if times is None else times.first_ms,
        last_attested_ms=None if times is None else times.last_ms,
    )


_STATES: dict[ChipState, State] = {
    ChipState.PRESENT: "present",
    ChipState.SILENT: "silent",
    ChipState.DISPUTED: "disputed",
}


def _unseen_unit(item: Item, model: ModelAtSite, state: State, chips: int) -> Unit:
    return Unit(
        sku=item.sku,
        tpp_each=model.sku.tpp,
        chips=chips,
        state=state,
        grade=None,
        matched=None,
        names=dict(item.names),
        chip=None,
        host=None,
        received_ms=item.occurred_at_ms,
        event=item.event,
        line=item.line,
        first_attested_ms=None,
        last_attested_ms=None,
    )
