"""One model at one site: the numbers of its balance, its verdict and its holes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from chipledger_book.catalogue import Sku
from chipledger_book.matching import Item, Matching, match
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.report import BalanceRow, Hole, LicenceUse, Physical, stack
from chipledger_book.stock import ARRIVING, LEAVING, ModelStock, changed, draw, draw_named


@dataclass(frozen=True, kw_only=True)
class ModelAtSite:
    """One model at one site: what is booked, seen and declared, and what fills what.

    What fills what is found when it is asked for: other sites ask only how much there is.
    """

    sku: Sku
    stock: ModelStock
    seen: Sequence[SeenChip]
    declared: int

    @cached_property
    def items(self) -> Sequence[Item]:
        """Booked things that are still there."""
        return _still_there(self.stock, self.seen)

    @cached_property
    def matching(self) -> Matching:
        """Which seen chip is which booked one."""
        return match(self.items, self.seen)

    @cached_property
    def left(self) -> Mapping[str, int]:
        """Key of a booked thing → chips of it that nothing fills and no seal holds."""
        if not self.stock.stored:
            return self.matching.left
        unfilled = [changed(item, self.matching.left[item.key]) for item in self.items]
        return draw(unfilled, self.stock.stored).left

    @property
    def stored(self) -> int:
        """Booked chips under seal of which nothing was seen."""
        return sum(self.matching.left.values()) - sum(self.left.values())

    @cached_property
    def arrivals(self) -> Sequence[Item]:
        """Everything that arrived and has to be allowed: all but swaps of an RMA."""
        if not self.stock.swapped:
            return self.stock.arrivals()
        reduced = (
            changed(item, item.chips - self.stock.swapped.get(item.key, 0))
            for item in self.stock.arrivals()
        )
        return [item for item in reduced if item.chips]

    def count(self, state: ChipState, *, on_book: bool) -> int:
        """Return the seen chips of a state that fill a booked chip, or that fill none."""
        return self._counts[state, on_book]

    @cached_property
    def _counts(self) -> Counter[tuple[ChipState, bool]]:
        filling = self.matching.by_identity.keys() | self.matching.by_count.keys()
        return Counter((chip.state, chip.chip_id in filling) for chip in self.seen)

    def verdict(self) -> Physical:
        """Return the verdict; a chip off the book stays over when it falls silent."""
        if not self.items and not self.seen and not self.stock.overdrawn:
            return Physical.NOTHING_TO_COMPARE
        missing = any(self.left.values())
        over = any(
            self.count(state, on_book=False) for state in (ChipState.PRESENT, ChipState.SILENT)
        )
        if missing or over:
            one_side = Physical.UNACCOUNTED if missing else Physical.OVERAGE
            return Physical.BOTH if missing and over else one_side
        open_states = (ChipState.SILENT, ChipState.DISPUTED)
        unresolved = any(chip.state in open_states for chip in self.seen)
        if unresolved or self.stored or self.stock.overdrawn:
            return Physical.UNRESOLVED
        return Physical.AGREES if self.seen else Physical.NOTHING_TO_COMPARE

    def holes(self) -> Iterable[Hole]:
        """Yield the booked places that nothing fills."""
        for item in sorted(self.items, key=lambda item: item.key):
            if self.left[item.key]:
                yield Hole(
                    sku=item.sku,
                    event=item.event,
                    line=item.line,
                    place=item.place,
                    chips=self.left[item.key],
                    names=dict(item.names),
                )


def _still_there(stock: ModelStock, seen: Sequence[SeenChip]) -> Sequence[Item]:
    """Return what did not leave; what left by number was none that is seen, if it can be so."""
    if not stock.by_number:
        return stock.items
    gone, arrived = stock.departures(), stock.arrivals()
    named = draw_named(arrived, gone).left
    spare = match(_reduced(arrived, named), seen).left
    return _reduced(arrived, draw(arrived, gone, spare=spare).left)


def _reduced(items: Sequence[Item], left: Mapping[str, int]) -> list[Item]:
    return [changed(item, left[item.key]) for item in items if left[item.key]]


def balance_row(
    model: ModelAtSite, licences: Sequence[LicenceUse], *, period_start_ms: int | None
) -> BalanceRow:
    """Return the row of a model."""
    present = [chip for chip in model.seen if chip.state is ChipState.PRESENT]
    identified = sum(chip.chip_id in model.matching.by_identity for chip in present)
    columns = book_columns(model.stock, period_start_ms=period_start_ms)
    unaccounted = sum(model.left.values())
    overage = model.count(ChipState.PRESENT, on_book=False)
    each = model.sku.tpp
    return BalanceRow(
        sku=model.sku.sku,
        controlled=model.sku.controlled,
        tpp_each=each,
        licensed_pieces=_licensed(model.sku, licences, "pieces"),
        licensed_tpp=_licensed(model.sku, licences, "tpp"),
        **columns,
        overdrawn=model.stock.overdrawn,
        present=stack([chip.grade for chip in present]),
        declared=model.declared,
        stored=model.stored,
        explained=0,  # no event of the ledger explains an absence yet
        silent=model.count(ChipState.SILENT, on_book=True),
        disputed=model.count(ChipState.DISPUTED, on_book=True),
        unaccounted=unaccounted,
        overage=overage,
        silent_off_book=model.count(ChipState.SILENT, on_book=False),
        disputed_off_book=model.count(ChipState.DISPUTED, on_book=False),
        matched_by_identity=identified,
        matched_by_count=len(present) - overage - identified,
        book_tpp=columns["book"] * each,
        present_tpp=len(present) * each,
        unaccounted_tpp=unaccounted * each,
        overage_tpp=overage * each,
        verdict=model.verdict(),
    )


def book_columns(stock: ModelStock, *, period_start_ms: int | None) -> dict[str, int]:
    """Return opening, the columns of the period, and book: sums of events, nothing clipped."""
    start = 0 if period_start_ms is None else period_start_ms
    sums = {
        column: sum(i.chips for i in stock.columns.get(column, ()) if i.occurred_at_ms >= start)
        for column in (*ARRIVING, *LEAVING)
    }
    arrived = sum(item.chips for item in stock.arrivals())
    book = arrived - sum(item.chips for item in stock.departures())
    inside = sum(sums[column] for column in ARRIVING) - sum(sums[column] for column in LEAVING)
    return {"opening": book - inside, **sums, "book": book}


def _licensed(sku: Sku, licences: Sequence[LicenceUse], counted_in: str) -> int | None:
    """Return what the lines for one model allow, or None without such a line."""
    limits = [
        line.limit
        for licence in licences
        for line in licence.lines
        if line.sku == sku.sku and line.counted_in == counted_in
    ]
    return sum(limits) if limits else None
