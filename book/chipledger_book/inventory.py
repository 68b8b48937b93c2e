"""One site's book and one site's sightings, brought to the same models."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from chipledger_book.catalogue import (
    Catalogue,
    Disagreement,
    Identified,
    ObservedModel,
    Unknown,
    identify,
)
from chipledger_book.errors import Code, refuse
from chipledger_book.events import ByBoard, ByChip, ByCount, DeclaredInventory, Line, Received
from chipledger_book.ledger import Book, Booked
from chipledger_book.matching import Item
from chipledger_book.movements import Movement, TransferIn
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.terms import day_of
from chipledger_evidence.appraisal.grades import Grade

Listed = Received | Movement
"""Events that name chips by lines."""


def items_of(entries: Iterable[Booked[Listed]], catalogue: Catalogue) -> dict[str, list[Item]]:
    """Return the things that events list, by model.

    Raises:
        BookError: `unknown-unit-model` or `unknown-sku` where the catalogue of the verdict
            lacks what an event names; an event is never left out of a balance.
    """
    found: dict[str, list[Item]] = defaultdict(list)
    for entry in entries:
        for item in _items(entry, catalogue):
            found[item.sku].append(item)
    return found


def _items(entry: Booked[Listed], catalogue: Catalogue) -> Iterator[Item]:
    event = entry.event
    charged = event.charged_to if isinstance(event, Received | TransferIn) else None
    for number, line in enumerate(event.lines):
        sku, parts = _parts(line, catalogue, day_of(event.occurred_at_ms))
        for place, (chips, names) in enumerate(parts):
            yield Item(
                key=f"{entry.id}:{number:04d}:{place:05d}",
                event=entry.id,
                line=number,
                place=place,
                sku=sku,
                chips=chips,
                names=names,
                occurred_at_ms=event.occurred_at_ms,
                charged_to=(charged.issuer, charged.number) if charged else None,
                came_from=event.from_site if isinstance(event, TransferIn) else None,
            )


def _parts(
    line: Line, catalogue: Catalogue, day: date
) -> tuple[str, Iterable[tuple[int, Mapping[str, str]]]]:
    """Return the model of a line, and chips and names of each thing it lists."""
    if isinstance(line, ByCount):
        return line.sku, [(line.pieces, {})]
    if isinstance(line, ByChip):
        return line.sku, [
            (
                1,
                {
                    kind: name
                    for kind, name in (
                        ("pdi", chip.pdi),
                        ("uuid", chip.uuid),
                        ("board", chip.serial),
                    )
                    if name is not None
                },
            )
            for chip in line.chips
        ]
    if isinstance(line, ByBoard):
        chips = catalogue.sku(line.sku, day).packages_per_board
        return line.sku, [(chips, {"board": serial}) for serial in line.serials]
    unit = catalogue.unit(line.model)
    if unit is None:
        raise refuse(
            Code.UNKNOWN_UNIT_MODEL,
            f"the catalogue {catalogue.head.version} has no unit {line.model}",
            hint="reconcile with a catalogue that holds every unit of the book",
        )
    return unit.sku, [(unit.packages, {unit.kind: serial}) for serial in line.serials]


@dataclass(slots=True)
class Sightings:
    """What was seen and declared at one site, by model.

    Attributes:
        by_sku: seen chips of known models.
        unknown: seen chips of unknown models, by what was observed.
        reasons: why an observation names no model.
        declared: declared chips by model.
        declared_unknown: declared chips of unknown models.
        doubts: chip id → what disagrees with the model it counts as.
    """

    by_sku: dict[str, list[SeenChip]] = field(default_factory=lambda: defaultdict(list))
    unknown: dict[ObservedModel, list[SeenChip]] = field(default_factory=lambda: defaultdict(list))
    reasons: dict[ObservedModel, Unknown] = field(default_factory=dict)
    declared: Counter[str] = field(default_factory=Counter)
    declared_unknown: Counter[ObservedModel] = field(default_factory=Counter)
    doubts: dict[str, tuple[str, tuple[Disagreement, ...]]] = field(default_factory=dict)


def sightings(
    seen: Sequence[SeenChip], declared: Iterable[ObservedModel], catalogue: Catalogue, day: date
) -> Sightings:
    """Return what was seen and declared, each chip under the model it is identified as."""
    result = Sightings()
    known: dict[ObservedModel, Identified | Unknown] = {}

    def model_of(observed: ObservedModel) -> Identified | Unknown:
        if observed not in known:
            known[observed] = identify(observed, catalogue, day)
        return known[observed]

    for chip in _once(seen):
        if chip.sku is not None:
            result.by_sku[catalogue.sku(chip.sku, day).sku].append(chip)
            continue
        model = model_of(chip.model)
        if isinstance(model, Unknown):
            result.unknown[chip.model].append(chip)
            result.reasons[chip.model] = model
            continue
        result.by_sku[model.sku.sku].append(chip)
        if model.disagreements:
            result.doubts[chip.chip_id] = (model.sku.sku, model.disagreements)
    for observed in declared:
        model = model_of(observed)
        if isinstance(model, Unknown):
            result.declared_unknown[observed] += 1
            result.reasons[observed] = model
        else:
            result.declared[model.sku.sku] += 1
    return result


def _once(seen: Iterable[SeenChip]) -> Iterable[SeenChip]:
    """Return every chip once, as what counts most of what is said of it."""
    found: dict[str, SeenChip] = {}
    for chip in seen:
        other = found.setdefault(chip.chip_id, chip)
        if other is not chip:
            found[chip.chip_id] = min(chip, other, key=_weight)
    return found.values()


def _weight(chip: SeenChip) -> tuple[int, int, str, str]:
    """Order what is said of one chip: state, grade, then in one way for every order of arrival."""
    state, grade = tuple(ChipState).index(chip.state), -tuple(Grade).index(chip.grade)
    return state, grade, chip.host, repr(chip)


def declared_models(book: Book, site: str, as_of_ms: int) -> Iterator[ObservedModel]:
    """Yield the model of every chip that is declared for a site; virtual ones are no chips."""
    for entry in book.declared(site, as_of_ms):
        yield from declared_in(entry.event)


def declared_in(event: DeclaredInventory) -> Iterator[ObservedModel]:
    """Yield the model of every chip that one document declares."""
    for chip in event.chips:
        if not chip.virtual:
            yield ObservedModel(
                device=chip.device,
                subsystem=chip.subsystem,
                board_part=chip.board_part,
                name=chip.name,
            )
