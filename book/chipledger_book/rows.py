"""One model at one site: the numbers of its balance, its verdict and its holes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from chipledger_book.catalogue import Sku
from chipledger_book.matching import Item, Matching, match
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.report import BalanceRow, Hole, LicenceUse, Physical, stack


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAtSite:
    """One model at one site: what is booked, seen and declared, and what fills what."""

    sku: Sku
    items: Sequence[Item]
    seen: Sequence[SeenChip]
    declared: int
    matching: Matching = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "matching", match(self.items, self.seen))

    @property
    def book(self) -> int:
        """Booked chips."""
        return sum(item.chips for item in self.items)

    @property
    def beyond(self) -> int:
        """Chips seen beyond the book, by number; disputed ones count elsewhere."""
        seen = sum(chip.state is not ChipState.DISPUTED for chip in self.seen)
        return max(0, seen - self.book)

    def count(self, state: ChipState, *, on_book: bool) -> int:
        """Return the seen chips of a state that fill a booked chip, or that fill none."""
        matched = self.matching
        return sum(
            (chip.chip_id in matched.by_identity or chip.chip_id in matched.by_count) == on_book
            for chip in self.seen
            if chip.state is state
        )

    def verdict(self) -> Physical:
        """Return the verdict; a chip off the book stays over when it falls silent."""
        if not self.items and not self.seen:
            return Physical.NOTHING_TO_COMPARE
        missing = any(self.matching.left.values())
        over = any(
            self.count(state, on_book=False) for state in (ChipState.PRESENT, ChipState.SILENT)
        )
        if missing or over:
            one_side = Physical.UNACCOUNTED if missing else Physical.OVERAGE
            return Physical.BOTH if missing and over else one_side
        open_states = (ChipState.SILENT, ChipState.DISPUTED)
        unresolved = any(chip.state in open_states for chip in self.seen)
        return Physical.UNRESOLVED if unresolved else Physical.AGREES

    def holes(self) -> Iterable[Hole]:
        """Yield the booked places that nothing fills."""
        for item in sorted(self.items, key=lambda item: item.key):
            if self.matching.left[item.key]:
                yield Hole(
                    sku=item.sku,
                    event=item.event,
                    line=item.line,
                    place=item.place,
                    chips=self.matching.left[item.key],
                    names=dict(item.names),
                )


def balance_row(
    model: ModelAtSite, licences: Sequence[LicenceUse], *, period_start_ms: int | None
) -> BalanceRow:
    """Return the row of a model; columns whose events the ledger does not have yet read 0."""
    present = [chip for chip in model.seen if chip.state is ChipState.PRESENT]
    identified = sum(chip.chip_id in model.matching.by_identity for chip in present)
    opening = sum(
        item.chips
        for item in model.items
        if period_start_ms is not None and item.occurred_at_ms < period_start_ms
    )
    unaccounted = sum(model.matching.left.values())
    overage = model.count(ChipState.PRESENT, on_book=False)
    each = model.sku.tpp
    return BalanceRow(
        sku=model.sku.sku,
        controlled=model.sku.controlled,
        tpp_each=each,
        licensed_pieces=_licensed(model.sku, licences, "pieces"),
        licensed_tpp=_licensed(model.sku, licences, "tpp"),
        opening=opening,
        received=model.book - opening,
        book=model.book,
        present=stack([chip.grade for chip in present]),
        declared=model.declared,
        silent=model.count(ChipState.SILENT, on_book=True),
        disputed=model.count(ChipState.DISPUTED, on_book=True),
        unaccounted=unaccounted,
        overage=overage,
        silent_off_book=model.count(ChipState.SILENT, on_book=False),
        disputed_off_book=model.count(ChipState.DISPUTED, on_book=False),
        matched_by_identity=identified,
        matched_by_count=len(present) - overage - identified,
        book_tpp=model.book * each,
        present_tpp=len(present) * each,
        unaccounted_tpp=unaccounted * each,
        overage_tpp=overage * each,
        verdict=model.verdict(),
        **_NOT_YET,
    )


_NOT_YET: Final = dict.fromkeys(
    (
        "transfer_in",
        "rma_in",
        "shipped",
        "transfer_out",
        "rma_out",
        "disposed",
        "stored",
        "explained",
    ),
    0,
)


def _licensed(sku: Sku, licences: Sequence[LicenceUse], counted_in: str) -> int | None:
    """Return what the lines for one model allow, or None without such a line."""
    limits = [
        line.limit
        for licence in licences
        for line in licence.lines
        if line.sku == sku.sku and line.counted_in == counted_in
    ]
    return sum(limits) if limits else None
