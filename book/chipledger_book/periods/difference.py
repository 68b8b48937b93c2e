"""What two documents of one period have different, in numbers and in words."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from chipledger_book.periods.document import Difference, PeriodDocument
from chipledger_book.periods.units import Unit
from chipledger_book.report import BalanceRow

COLUMNS: Final = (
    *("opening", "received", "transfer_in", "rma_in"),
    *("shipped", "transfer_out", "rma_out", "disposed"),
    *("book", "overdrawn", "declared", "stored", "explained", "silent", "disputed"),
    *("unaccounted", "overage", "silent_off_book", "disputed_off_book"),
)
"""Numbers of a row of the balance that are compared, in pieces."""
_WHOLE: Final = ("book", "present", "counted", "used", "beyond", "left")
_GRADES: Final = ("G1", "G2", "G3", "G4")


def differences(before: PeriodDocument, after: PeriodDocument) -> tuple[Difference, ...]:
    """Return every number and verdict that two documents of one period have different."""
    return tuple(
        Difference(what=what, column=column, before=old, after=new)
        for what, column, old, new in _pairs(before, after)
        if old != new
    )


def _pairs(before: PeriodDocument, after: PeriodDocument) -> Iterator[tuple[str, str, str, str]]:
    old_rows = {row.sku: row for row in before.balance.rows}
    new_rows = {row.sku: row for row in after.balance.rows}
    for sku in sorted({*old_rows, *new_rows}):
        old, new = _numbers(old_rows.get(sku)), _numbers(new_rows.get(sku))
        yield from ((sku, column, old[column], new[column]) for column in old)
    for verdict in ("physical", "authorisation"):
        yield (
            "verdict",
            verdict,
            str(getattr(before.balance, verdict)),
            str(getattr(after.balance, verdict)),
        )
    for column in _WHOLE:
        yield (
            "TPP",
            column,
            _text(getattr(before.balance.tpp, column)),
            _text(getattr(after.balance.tpp, column)),
        )
    old_units, new_units = _states(before.units), _states(after.units)
    for state in sorted({*old_units, *new_units}):
        yield "units", state, str(old_units[state]), str(new_units[state])
    yield "findings", "listed", str(len(before.findings)), str(len(after.findings))


def _numbers(row: BalanceRow | None) -> dict[str, str]:
    if row is None:
        return dict.fromkeys((*COLUMNS, *_GRADES, "verdict"), "0") | {"verdict": "no such row"}
    return {
        **{column: str(getattr(row, column)) for column in COLUMNS},
        **{grade: str(getattr(row.present, grade)) for grade in _GRADES},
        "verdict": str(row.verdict),
    }


def _text(value: int | None) -> str:
    return "not stated" if value is None else str(value)


def _states(units: Iterable[Unit]) -> Counter[str]:
    found: Counter[str] = Counter()
    for unit in units:
        found[unit.state if unit.booked else f"{unit.state}, off the book"] += unit.chips
    return found


def in_words(found: Iterable[Difference]) -> tuple[str, ...]:
    """Return differences as sentences, one for each thing."""
    parts: dict[str, list[str]] = {}
    for one in found:
        parts.setdefault(one.what, []).append(_phrase(one))
    return tuple(f"{what}: {'; '.join(phrases)}." for what, phrases in parts.items())


def _phrase(one: Difference) -> str:
    column = one.column.replace("_", " ")
    if not (one.before.isdigit() and one.after.isdigit()):
        return f"{column} was {one.before}, is {one.after}"
    change = int(one.after) - int(one.before)
    sign = "+" if change > 0 else "-"
    return f"{column} was {int(one.before):,}, is {int(one.after):,} ({sign}{abs(change):,})"


def opening_differences(
    closed: PeriodDocument, opened: Iterable[BalanceRow]
) -> tuple[Difference, ...]:
    """Return where a period does not open with what the one before closed with."""
    closing = {row.sku: row.book for row in closed.balance.rows}
    opening = {row.sku: row.opening for row in opened}
    return tuple(
        Difference(
            what=sku,
            column="opening",
            before=str(closing.get(sku, 0)),
            after=str(opening.get(sku, 0)),
        )
        for sku in sorted({*closing, *opening})
        if closing.get(sku, 0) != opening.get(sku, 0)
    )
