"""What every booked chip of a site comes to: answering, silent, under seal, gone, or never seen.

The rule by which seen chips are matched with booked ones is the balance's
(:mod:`chipledger_book.matching`); things without names are filled oldest first, so that a receipt
by number is the one that waits longest.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from chipledger_book.inventory import Listed, items_of, sightings
from chipledger_book.ledger import Booked
from chipledger_book.matching import KINDS, Item, Matching, match
from chipledger_book.movements import LostOrStolen, RmaOut
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.rows import ModelAtSite
from chipledger_book.stock import ModelStock, changed, draw, stock_of
from chipledger_book.timers import Timer
from chipledger_book.watch.first_answers import Again, by_number, by_number_only, came_again
from chipledger_book.watch.history import histories
from chipledger_book.watch.look import Look
from chipledger_book.watch.vanishing import Leaving, Past, unaccounted


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """One booked chip that answered and does not any more.

    Attributes:
        item: the booked thing it fills, or filled.
        chip: the chip, or None where only its number is known.
        since_ms: its last fresh sighting.
        silent: whether its host is silent too; else its host answers without it, or is gone.
        counted: whether the thing is known by number alone, so that it may be any of its model.
    """

    item: Item
    chip: SeenChip | None
    since_ms: int
    silent: bool
    counted: bool = False


@dataclass(slots=True, kw_only=True)
class Standing:
    """One model at one site.

    Attributes:
        model: the balance of the model.
        arrived: everything that ever arrived, by key; what left since stays in it.
        attested: key → first sightings of the chips that ever answered for it, sorted.
        never: key → chips on the book that never answered and that nothing explains.
        absences: chips on the book that answered and do not now, and that nothing explains.
        explained: id of an event → key → chips whose absence it explains.
        past: chip id → history.
        resting: silent chips that are taken for what rests by number.
        over: present chips that are on no book here, and silent ones that no paper took off it.
    """

    model: ModelAtSite
    arrived: Mapping[str, Item]
    attested: Mapping[str, Sequence[int]]
    never: dict[str, int] = field(default_factory=dict)
    absences: list[Absence] = field(default_factory=list)
    explained: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    past: Mapping[str, Past]
    resting: int = 0
    over: Sequence[SeenChip] = ()


def standings(look: Look) -> dict[str, Standing]:
    """Return what the chips of a site come to, by model."""
    catalogue, at = look.gauge.catalogue, look.at_ms
    stock = stock_of(look.book, look.site, at, catalogue)
    seen = sightings(look.scene.seen(look.site), (), catalogue, look.gauge.day).by_sku
    past = histories(look, seen)
    papers = _Papers(look)
    return {
        sku: _standing(
            ModelAtSite(
                sku=look.gauge.sku(sku),
                stock=_oldest_first(stock[sku]) if sku in stock else ModelStock(),
                seen=seen.get(sku, ()),
                declared=0,
            ),
            past.get(sku, {}),
            look,
            papers,
        )
        for sku in sorted({*stock, *seen, *past})
    }


class _Papers:
    """What papers say of chips that do not answer.

    Attributes:
        explaining: model → events that say why booked chips do not, oldest first.
    """

    def __init__(self, look: Look) -> None:
        self._gauge = look.gauge
        self._sent_ms = {str(rma.id): rma.event.occurred_at_ms for rma in look.moves(RmaOut)}
        self.explaining = _explaining(look)

    def until(self, at_ms: int) -> int:
        """Return how long after a paper a chip may still answer."""
        return self._gauge.due_ms(Timer.DEPARTURE, at_ms) or at_ms

    def leaving(
        self, standing: Standing, again: Iterable[Again], *, unanswered: int
    ) -> Iterator[Leaving]:
        """Yield what left and stayed away, rests, or is explained to be away, of one model.

        An RMA counts from when it was sent, not from when the vendor said so. What rests by number
        and never answered is none that went.
        """
        stock, back = standing.model.stock, Counter(one.out for one in again)
        for item in stock.departures():
            at_ms = self._sent_ms.get(item.event, item.occurred_at_ms)
            came = min(item.chips, back[item.event])
            back[item.event] -= came
            yield Leaving(at_ms=at_ms, chips=item.chips - came, names=item.names)
        for item in stock.stored:
            never = min(item.chips, unanswered) if by_number_only(item) else 0
            unanswered -= never
            yield Leaving(at_ms=item.occurred_at_ms, chips=item.chips - never, names=item.names)
        for event, items in self.explaining.get(standing.model.sku.sku, ()):
            left = sum(standing.explained.get(event, {}).values())
            for item in items:
                chips = min(left, item.chips)
                left -= chips
                yield Leaving(at_ms=item.occurred_at_ms, chips=chips, names=item.names)


def _oldest_first(stock: ModelStock) -> ModelStock:
    """Return a stock whose things are in the order of their time, whatever their events' ids."""

    def dated(items: Iterable[Item]) -> list[Item]:
        return [replace(item, key=f"{item.occurred_at_ms:015d} {item.key}") for item in items]

    aged = ModelStock(stored=dated(stock.stored))
    for column, items in stock.columns.items():
        aged.columns[column] = dated(items)
    aged.settle()
    return aged


def _standing(
    model: ModelAtSite, past: Mapping[str, Past], look: Look, papers: _Papers
) -> Standing:
    arrived = {item.key: item for item in model.stock.arrivals()}
    ever = match(arrived.values(), (one.chip for one in past.values()))
    standing = Standing(model=model, arrived=arrived, attested=_attested(ever, past), past=past)
    counted = _counted(arrived.values(), past.values())
    again = came_again(look, model.stock, past)
    rests = sum(item.chips for item in model.stock.stored if by_number_only(item))
    silent = list(_silent(standing))
    holes = Counter({item.key: model.left[item.key] for item in model.items})
    holes.update(one.item.key for one in silent if one.item.key in counted)
    holes = _less(standing, holes, counted, max(0, rests - model.stored))
    never = _never(holes, ever, counted)
    left = max(0, sum(ever.left[key] for key in counted) - len(again))
    booked = {item.key for item in model.items} - counted
    named = {chip for chip, key in ever.by_identity.items() if key in booked}
    vanished = _nameless(_lost(standing, again, papers, unanswered=left), named)
    taken_back = {item.event for item in model.stock.departures()}
    waits = sum(one.out not in taken_back for one in again)  # their first place is a hole yet
    holes, young = by_number(
        model.stock, counted, holes, unanswered=left, vanished=len(vanished) + waits, rests=rests
    )
    never = +(never + young)
    open_now = _Open(
        gone=holes - never,
        silent=Counter(one.item.key for one in silent if one.item.key not in counted),
        never=never,
    )
    _explain(standing, open_now, papers.explaining.get(model.sku.sku, ()))
    standing.never = dict(+open_now.never)
    lost = _lost(standing, again, papers, unanswered=left)
    standing.over = _over(standing, lost, by_number=bool(counted))
    standing.absences = [
        *_vanished(standing, ever, _part(open_now.gone, counted, inside=False)),
        *_by_number(standing, _nameless(lost, named), _part(open_now.gone, counted, inside=True)),
        *_newest(silent, open_now.silent),
    ]
    return standing


def _counted(items: Iterable[Item], past: Iterable[Past]) -> frozenset[str]:
    """Return the keys of the things that no chip here can be compared with by a name."""
    kinds = {kind for kind in KINDS for one in past if getattr(one.chip, kind)}
    return frozenset(item.key for item in items if kinds.isdisjoint(item.names))


def _never(holes: Mapping[str, int], ever: Matching, counted: frozenset[str]) -> Counter[str]:
    """Return the holes of named things that nothing ever filled."""
    return Counter(
        {key: min(hole, ever.left[key]) for key, hole in holes.items() if key not in counted}
    )


def _lost(
    standing: Standing, again: Sequence[Again], papers: _Papers, *, unanswered: int
) -> list[Past]:
    """Return the chips that are gone, and that no paper accounts for as things stand."""
    leaving = papers.leaving(standing, again, unanswered=unanswered)
    return unaccounted(_not_here(standing), leaving, papers.until)


def _nameless(lost: Iterable[Past], named: set[str]) -> list[Past]:
    """Return the chips that no name puts on the book."""
    return [one for one in lost if one.chip.chip_id not in named]


def _less(
    standing: Standing, holes: Counter[str], counted: frozenset[str], chips: int
) -> Counter[str]:
    """Return holes without those under seal, which silent chips fill by number if there are any."""
    left = Counter(holes)
    for key in sorted(counted & holes.keys(), reverse=True):
        taken = min(chips, left[key])
        left[key] -= taken
        chips -= taken
    standing.resting = holes.total() - left.total()
    return left


def _attested(ever: Matching, past: Mapping[str, Past]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for matched in (ever.by_identity, ever.by_count):
        for chip, key in matched.items():
            found[key].append(past[chip].first_ms)
    return {key: sorted(times) for key, times in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """Chips on the book that do not answer, by key, as long as nothing explains them.

    Attributes:
        gone: chips that answered, of which nothing is seen.
        silent: chips that answered and fell silent.
        never: chips that never answered.
    """

    gone: Counter[str]
    silent: Counter[str]
    never: Counter[str]

    def chips(self) -> Counter[str]:
        """Return all of them."""
        return self.gone + self.silent + self.never

    def answered(self) -> Counter[str]:
        """Return those that once answered."""
        return self.gone + self.silent

    def take(self, key: str, number: int) -> None:
        """Take out some of a thing's."""
        for part in (self.gone, self.silent, self.never):
            taken = min(number, part[key])
            part[key] -= taken
            number -= taken


def _explain(
    standing: Standing, open_now: _Open, explaining: Sequence[tuple[str, list[Item]]]
) -> None:
    """Take out of what is open what events say of it, what once answered before what never did."""
    for event, items in explaining:
        chips = open_now.chips()
        if not chips:
            return
        holes = [changed(standing.arrived[key], number) for key, number in chips.items()]
        left = draw(holes, items, spare=open_now.answered()).left
        for key, number in chips.items():
            if number > left[key]:
                standing.explained[event][key] = number - left[key]
                open_now.take(key, number - left[key])


def _vanished(standing: Standing, ever: Matching, gone: Mapping[str, int]) -> Iterator[Absence]:
    """Yield the chips that once filled what nothing fills now, the last seen where some left."""
    matching = standing.model.matching
    candidates: dict[str, list[Past]] = defaultdict(list)
    for matched in (ever.by_identity, ever.by_count):
        for chip, key in matched.items():
            here = chip in matching.by_identity or chip in matching.by_count
            if gone.get(key) and not here:
                candidates[key].append(standing.past[chip])
    for key, number in gone.items():
        if not number:
            continue
        item = standing.arrived[key]
        once = sorted(candidates[key], key=lambda past: (past.last_ms, past.chip.chip_id))
        for past in once[-number:]:
            yield Absence(item=item, chip=past.chip, since_ms=past.last_ms, silent=False)
        for _ in range(number - len(once)):
            yield Absence(item=item, chip=None, since_ms=item.occurred_at_ms, silent=False)


def _by_number(
    standing: Standing, lost: Sequence[Past], gone: Mapping[str, int]
) -> Iterator[Absence]:
    """Yield the absences of things known by number, with the chips that no paper accounts for."""
    wanted = sum(gone.values())
    chips = iter(lost[-wanted:] if wanted else ())
    silent = {chip.chip_id for chip in standing.model.seen if chip.state is ChipState.SILENT}
    for key in sorted(gone):
        item = standing.arrived[key]
        for _ in range(gone[key]):
            past = next(chips, None)
            yield Absence(
                item=item,
                chip=None if past is None else past.chip,
                since_ms=item.occurred_at_ms if past is None else past.last_ms,
                silent=past is not None and past.chip.chip_id in silent,
                counted=True,
            )


def _not_here(standing: Standing) -> list[Past]:
    """Return the chips that answered once and do not now."""
    here = {chip.chip_id for chip in standing.model.seen if chip.state is not ChipState.SILENT}
    return [past for chip, past in standing.past.items() if chip not in here]


def _over(standing: Standing, lost: Iterable[Past], *, by_number: bool) -> Sequence[SeenChip]:
    """Return the chips off the book that answer, or fell silent with no paper for it.

    Which chip is off the book is the matching's choice where papers name none: then silent ones
    that papers account for are not over, whichever they are, and the last to come are.
    """
    model = standing.model
    unexplained = {past.chip.chip_id for past in lost}
    off = [chip for chip in model.matching.off_book if chip.state is ChipState.SILENT]
    accounted = sum(
        chip.state is ChipState.SILENT
        and chip.chip_id not in unexplained
        and chip.chip_id not in model.matching.by_identity
        for chip in model.seen
    )
    silent = [chip for chip in off if chip.chip_id in unexplained]
    over = [
        *(chip for chip in model.matching.off_book if chip.state is ChipState.PRESENT),
        *silent[: max(0, len(off) - accounted)],
    ]
    return _last_to_come(standing, len(over)) if over and by_number else over


def _last_to_come(standing: Standing, number: int) -> list[SeenChip]:
    """Return the chips that came last of those that no name puts on the book."""

    def came(chip: SeenChip) -> tuple[int, str]:
        past = standing.past.get(chip.chip_id)
        return 0 if past is None else past.came_ms, chip.chip_id

    identified = standing.model.matching.by_identity
    here = [
        chip
        for chip in standing.model.seen
        if chip.state is not ChipState.DISPUTED and chip.chip_id not in identified
    ]
    return sorted(here, key=came)[-number:]


def _part(gone: Mapping[str, int], keys: frozenset[str], *, inside: bool) -> dict[str, int]:
    return {key: chips for key, chips in gone.items() if (key in keys) == inside}


def _silent(standing: Standing) -> Iterator[Absence]:
    """Yield the booked chips whose host, or which themselves, no longer answer."""
    matching = standing.model.matching
    for chip in standing.model.seen:
        key = matching.by_identity.get(chip.chip_id) or matching.by_count.get(chip.chip_id)
        if chip.state is ChipState.SILENT and key is not None:
            item, past = standing.arrived[key], standing.past.get(chip.chip_id)
            since = item.occurred_at_ms if past is None else past.last_ms
            yield Absence(item=item, chip=chip, since_ms=since, silent=True)


def _newest(absences: Iterable[Absence], wanted: Mapping[str, int]) -> Iterator[Absence]:
    """Yield as many absences of each thing as are wanted, the last to fall silent first."""
    left = dict(wanted)
    for absence in sorted(absences, key=_last_first):
        if left.get(absence.item.key):
            left[absence.item.key] -= 1
            yield absence


def _last_first(absence: Absence) -> tuple[int, str]:
    return -absence.since_ms, "" if absence.chip is None else absence.chip.chip_id


def _explaining(look: Look) -> dict[str, list[tuple[str, list[Item]]]]:
    """Return, by model, the events that say why booked chips do not answer, oldest first."""
    entries: list[Booked[Listed]] = [
        Booked(id=entry.id, event=entry.event) for entry in open_rmas(look)
    ]
    entries += [Booked(id=entry.id, event=entry.event) for entry in look.moves(LostOrStolen)]
    entries.sort(key=lambda entry: (entry.event.occurred_at_ms, entry.id))
    found: dict[str, list[tuple[str, list[Item]]]] = defaultdict(list)
    for entry in entries:
        for sku, items in items_of([entry], look.gauge.catalogue).items():
            found[sku].append((entry.id, items))
    return found


def open_rmas(look: Look) -> Iterator[Booked[RmaOut]]:
    """Yield what was sent back and of which the vendor has said nothing, oldest first."""
    for entry in look.moves(RmaOut):
        if look.confirmed_at(entry) is None:
            yield entry
