"""The ledger's event of a count: what an auditor enters of what people found."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from chipledger_book.counts.counting import CountResult
from chipledger_book.counts.population import Unit
from chipledger_book.counts.sampling import Sample
from chipledger_book.lines import MAX_SERIALS, ByChip, ByCount, ChipRef
from chipledger_book.movements import PhysicalInventory
from chipledger_book.terms import Document

MOST_REMARK: Final = 512


def event_of(
    result: CountResult,
    sample: Sample,
    *,
    inspector: str,
    occurred_at_ms: int,
    documents: Iterable[Document] = (),
    statement: str = "",
) -> PhysicalInventory:
    """Return the event that enters a count of a sample. It books nothing.

    `found` names the chips that count: seen, and answered. A chip of unknown model has no line;
    the remark says how many of the drawn ones stand in none. It ends with the `statement`: what
    the count is worth, in words, as far as a remark has room.
    """
    counted = {one.unit for one in result.units if one.counts}
    found = [drawn.unit for drawn in sample.units if drawn.unit.id in counted]
    lines = tuple(_lines(found))
    listed = sum(len(line.chips) if isinstance(line, ByChip) else line.pieces for line in lines)
    return PhysicalInventory(
        occurred_at_ms=occurred_at_ms,
        site=result.site,
        inspector=inspector,
        method="sample",
        found=lines,
        plan=result.plan,
        documents=tuple(documents),
        remark=_remark(f"{result.verdict}: {listed} of {result.drawn} drawn chips", statement),
    )


def _remark(head: str, statement: str) -> str:
    whole = f"{head} are listed. {statement}" if statement else f"{head} are listed"
    return whole if len(whole) <= MOST_REMARK else f"{whole[: MOST_REMARK - 1]}…"


def _lines(units: Iterable[Unit]) -> Iterator[ByChip | ByCount]:
    """Yield lines by chip, and by number for those that have no name of their own."""
    named: dict[str, list[ChipRef]] = defaultdict(list)
    nameless: Counter[str] = Counter()
    for unit in units:
        if unit.sku is None:
            continue
        if unit.pdi is None and unit.uuid is None:
            nameless[unit.sku] += 1
        else:
            named[unit.sku].append(ChipRef(pdi=unit.pdi, uuid=unit.uuid, serial=unit.board))
    for sku, chips in sorted(named.items()):
        for first in range(0, len(chips), MAX_SERIALS):
            yield ByChip(sku=sku, chips=tuple(chips[first : first + MAX_SERIALS]))
    for sku, pieces in sorted(nameless.items()):
        yield ByCount(sku=sku, pieces=pieces)
