"""What a sample of a site is drawn from: every booked and every seen chip, from its balance. Pure.

A chip that was seen stands under the collector's id of it. A booked chip that nobody saw, stored
or unaccounted, stands under the strongest of its names, or by the event and line that booked it,
at grade G0: papers are all there is of it. What is claimed here and counts elsewhere is left out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chipledger_book.counts.population import Population, Unit, in_order
from chipledger_book.errors import Code, refuse
from chipledger_book.ledger import Book
from chipledger_book.movements import Stored
from chipledger_book.periods.units import Unit as Listed
from chipledger_book.periods.units import population_of, units_of
from chipledger_evidence.appraisal.grades import Grade
from chipledger_server.usecases.book.reconcile import Balances, Measure
from chipledger_server.usecases.physical import seen_chips
from chipledger_server.usecases.reading import Snapshot, When

SOURCE: Final = "booked and seen chips of the site, by its balance"
CHIP: Final = "chip-"
"""How the id of a chip begins that was seen; the collector's number follows."""
_NAMES: Final = ("pdi", "uuid", "board", "tray", "server", "rack")
_SHOWN: Final = ("pdi", "uuid", "board", "server")
_EVENT: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A population, and what of the site's list is no part of it.

    Attributes:
        population: None where nothing is booked or seen.
        states: how many of its chips are in which state of the balance.
        left_out: chips claimed here that count elsewhere and fill nothing on the book.
    """

    population: Population | None
    states: Mapping[str, int]
    left_out: int


def frame_of(snapshot: Snapshot, site: str, when: When, measure: Measure) -> Frame:
    """Return what there is to sample at a site, at a time as known at another.

    Raises:
        BookError: `unknown-site`, or tables that lack what the book holds.
    """
    balances = Balances(snapshot, None, when, measure)
    book = balances.book(site)
    book.site(site, when.as_of_ms)
    found = population_of(
        book,
        seen_chips(balances.settled(site)),
        measure.tables,
        site=site,
        as_of_ms=when.as_of_ms,
    )
    return frame_from(units_of(found, {}), site, when, places=stored_at(book, site, when.as_of_ms))


def frame_from(
    listed: Iterable[Listed], site: str, when: When, *, places: Mapping[str, str]
) -> Frame:
    """Return the frame in a list of booked and seen chips."""
    units: list[Unit] = []
    states: Counter[str] = Counter()
    ordinals: Counter[str] = Counter()
    left_out = 0
    for one in listed:
        if one.state == "disputed" and not one.booked:
            left_out += 1
            continue
        states[one.state] += one.chips
        units += _units(one, places, ordinals)
    population = None
    if units:
        population = in_order(
            Population(
                format="chipledger-population-1",
                site=site,
                as_of_ms=when.as_of_ms,
                known_at_ms=when.known_at_ms,
                source=SOURCE,
                units=tuple(units),
            )
        )
    return Frame(population=population, states=states, left_out=left_out)


def demand_population(frame: Frame, site: str) -> Population:
    """Return the population of a frame.

    Raises:
        BookError: `hole-out-of-bounds`: there is nothing that could be missing.
    """
    if frame.population is None:
        raise refuse(
            Code.HOLE_OUT_OF_BOUNDS,
            f"nothing is booked or seen at {site}",
            where="population",
            hint="a sample needs chips that ought to be there",
        )
    return frame.population


def stored_at(book: Book, site: str, as_of_ms: int) -> dict[str, str]:
    """Return where things lie under seal that a `stored` event names, by their names."""
    return {
        name: entry.event.place
        for entry in book.moves(site, Stored, as_of_ms)
        for line in entry.event.lines
        for name in _line_names(line)
    }


def _line_names(line: Any) -> Iterator[str]:  # noqa: ANN401 - one of four kinds of lines
    yield from getattr(line, "serials", ())
    for chip in getattr(line, "chips", ()):
        yield from (name for name in (chip.pdi, chip.uuid, chip.serial) if name is not None)


def _units(one: Listed, places: Mapping[str, str], ordinals: Counter[str]) -> Iterator[Unit]:
    """Yield the chips of one entry of the list."""
    place = next((places[name] for name in one.names.values() if name in places), None)
    shown: dict[str, str | None] = {kind: one.names.get(kind) for kind in _SHOWN}
    shown |= {"sku": one.sku, "host": one.host}
    if place is not None and one.state == "stored":
        shown["place"] = place
    known: dict[str, Any] = {
        member: value for member, value in shown.items() if _fits(member, value)
    }
    grade = Grade.G0 if one.grade is None else one.grade
    if one.chip is not None:
        yield Unit(id=f"{CHIP}{one.chip}", grade=grade, **known)
        return
    stem = _stem(one)
    for _ in range(one.chips):
        ordinals[stem] += 1
        yield Unit(id=f"{stem}/{ordinals[stem]}", grade=grade, **known)


def _stem(one: Listed) -> str:
    """Return the name of a booked thing; things booked by number share that of their line."""
    for kind in _NAMES:
        if kind in one.names:
            return f"{kind}-{one.names[kind]}"
    return f"line-{(one.event or '')[:_EVENT]}-{one.line}"


def _fits(member: str, value: str | None) -> bool:
    """Tell whether a text is such a name; what a driver says may be anything."""
    if value is None:
        return False
    try:
        msgspec.convert(value, _TYPES[member])
    except msgspec.ValidationError:
        return False
    return True


_TYPES: Final = {field.name: field.type for field in msgspec.structs.fields(Unit)}


def kept(population: Population) -> dict[str, str | None]:
    """Return the chips of a population with their models: what a change is told by.

    Grades are left out: they follow signatures and silence from hour to hour.
    """
    return {unit.id: unit.sku for unit in population.units}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How a population differs from an earlier one, in chips.

    Attributes:
        came: chips that were not in it.
        went: chips that are no more in it.
        renamed: chips whose model is said to be another.
    """

    came: tuple[str, ...]
    went: tuple[str, ...]
    renamed: tuple[str, ...]

    def __bool__(self) -> bool:
        """Tell whether anything differs."""
        return bool(self.came or self.went or self.renamed)

    @property
    def words(self) -> str:
        """How much differs, in short."""
        parts = [f"{len(self.came)} came", f"{len(self.went)} went"]
        if self.renamed:
            parts.append(f"{len(self.renamed)} changed their model")
        return ", ".join(parts)


def change_between(before: Population, after: Population | None) -> Change:
    """Return what differs between two populations."""
    old, new = kept(before), {} if after is None else kept(after)
    return Change(
        came=tuple(sorted(new.keys() - old.keys())),
        went=tuple(sorted(old.keys() - new.keys())),
        renamed=tuple(sorted(key for key in old.keys() & new.keys() if old[key] != new[key])),
    )


def by_board(population: Population) -> Mapping[str, list[Unit]]:
    """Return the chips of each board that were booked and not seen, in the order of their ids."""
    found: dict[str, list[Unit]] = defaultdict(list)
    for unit in population.units:
        if unit.board is not None and not unit.id.startswith(CHIP):
            found[unit.board].append(unit)
    return found
