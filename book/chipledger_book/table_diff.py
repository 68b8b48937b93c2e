"""What differs between two versions of a table: row by row, as data and in words."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from chipledger_book.errors import Code, refuse
from chipledger_book.tables import Table, TableVersion, version_of
from chipledger_evidence.codec import encode_canonical

_NAMES: Final = (
    *("sku", "model", "list", "name", "tier", "ceiling", "limit", "condition", "duty"),
    *("timer", "threshold", "finding", "severity", "report", "share", "calendar"),
)
"""Members that name a row of some kind of table."""
_DATES: Final = ("valid_from", "first_day", "from_tpp")
"""Members that tell rows of one name apart."""


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every struct of a difference."""


class Change(_Data, frozen=True, kw_only=True):
    """One member that differs.

    Attributes:
        member: path inside the row, ``bound.amount``.
        before: its JSON, or null where it was absent.
        after: its JSON, or null where it is absent.
    """

    member: str
    before: str | None
    after: str | None


class RowChange(_Data, frozen=True, kw_only=True):
    """One row that was added, removed or changed.

    Attributes:
        member: which rows: ``limits``, ``skus``; or ``head``.
        row: what names it.
        what: added, removed or changed.
        changes: what differs in a changed row; all of an added or removed one.
        words: the same in one line for a reader.
    """

    member: str
    row: str
    what: Literal["added", "removed", "changed"]
    changes: tuple[Change, ...]
    words: str


class TableDiff(_Data, frozen=True, kw_only=True):
    """Everything that differs between two versions; equal ones have no rows."""

    before: TableVersion
    after: TableVersion
    rows: tuple[RowChange, ...]

    def count(self, what: str) -> int:
        """Return how many rows were added, removed or changed, the head left out."""
        return sum(row.what == what and row.member != "head" for row in self.rows)


def diff(before: Table, after: Table) -> TableDiff:
    """Return what differs; the order of rows means nothing but among tiers.

    Raises:
        BookError: `unknown-table` for tables of different kinds.
    """
    if before.head.kind != after.head.kind:
        raise refuse(
            Code.UNKNOWN_TABLE,
            f"{before.head.id} is a {before.head.kind}, {after.head.id} a {after.head.kind}",
            hint="compare two versions of one table, or two tables of one kind",
        )
    old, new = (msgspec.json.decode(encode_canonical(table)) for table in (before, after))
    members = dict.fromkeys([*old, *new])
    return TableDiff(
        before=version_of(before),
        after=version_of(after),
        rows=tuple(row for name in members for row in _member(name, old.get(name), new.get(name))),
    )


def _member(name: str, old: Any, new: Any) -> Iterator[RowChange]:  # noqa: ANN401 - any JSON
    if _has_rows(old) or _has_rows(new):
        yield from _rows(name, old or [], new or [])
        if name == "tiers":
            yield from _order(old or [], new or [])
    elif old != new:
        changes = tuple(_set_changes(old, new) or _changes(old, new, ""))
        yield _row_change(name, "", "changed", changes)


def _has_rows(value: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _rows(name: str, old: list[Any], new: list[Any]) -> Iterator[RowChange]:
    doubled = {
        label for rows in (old, new) for label, n in Counter(map(_label, rows)).items() if n > 1
    }
    earlier, later = _named(old, doubled), _named(new, doubled)
    for row in dict.fromkeys([*earlier, *later]):
        if row not in later:
            yield _row_change(name, row, "removed", tuple(_changes(earlier[row], None, "")))
        elif row not in earlier:
            yield _row_change(name, row, "added", tuple(_changes(None, later[row], "")))
        elif earlier[row] != later[row]:
            changes = tuple(_changes(earlier[row], later[row], ""))
            yield _row_change(name, row, "changed", changes)


def _order(old: list[Any], new: list[Any]) -> Iterator[RowChange]:
    """Yield a change of the order of tiers that stay, because the first that applies holds."""
    kept = [row["tier"] for row in old if row["tier"] in {other["tier"] for other in new}]
    now = [row["tier"] for row in new if row["tier"] in kept]
    if kept != now:
        change = Change(member="order", before=_json(kept), after=_json(now))
        yield _row_change("tiers", "order", "changed", (change,))


def _label(row: Mapping[str, Any]) -> str:
    """Return the names in a row, the first of which is enough but for parties on lists."""
    named = [row[name] for name in _NAMES if isinstance(row.get(name), str)]
    return " ".join(named[:2] if "list" in row else named[:1])


def _named(
    rows: Sequence[Mapping[str, Any]], doubled: Collection[str]
) -> dict[str, Mapping[str, Any]]:
    """Return rows by what names them; dates are added where several have one name."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        label = _label(row)
        dates = [str(row[name]) for name in _DATES if name in row]
        full = " ".join([label, "from", *dates]) if label in doubled and dates else label
        key, number = full, 1
        while key in found:
            number += 1
            key = f"{full} ({number})"
        found[key] = row
    return found


def _set_changes(old: Any, new: Any) -> list[Change]:  # noqa: ANN401 - any JSON
    """Return what joined and what left a list of plain values."""
    if not (isinstance(old, list) and isinstance(new, list)):
        return []
    gone = [value for value in old if value not in new]
    joined = [value for value in new if value not in old]
    return [Change(member="", before=_json(value), after=None) for value in gone] + [
        Change(member="", before=None, after=_json(value)) for value in joined
    ]


def _changes(old: Any, new: Any, path: str) -> Iterator[Change]:  # noqa: ANN401 - any JSON
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            where = f"{path}.{name}" if path else name
            yield from _changes(old.get(name), new.get(name), where)
    elif old is None and isinstance(new, dict) and not path:
        yield from (Change(member=k, before=None, after=_json(v)) for k, v in new.items())
    elif new is None and isinstance(old, dict) and not path:
        yield from (Change(member=k, before=_json(v), after=None) for k, v in old.items())
    elif old != new:
        parts = _set_changes(old, new) if _plain(old) and _plain(new) else []
        if parts:
            yield from (msgspec.structs.replace(part, member=path) for part in parts)
        else:
            yield Change(member=path, before=_json(old), after=_json(new))


def _plain(value: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(value, list) and all(isinstance(one, str | int) for one in value)


def _json(value: Any) -> str | None:  # noqa: ANN401 - any JSON
    return None if value is None else msgspec.json.encode(value).decode()


def _row_change(
    member: str, row: str, what: Literal["added", "removed", "changed"], changes: tuple[Change, ...]
) -> RowChange:
    title = f"{member} {row}".strip()
    said = f"{title}: {what}"
    if what == "changed":
        said = f"{title}: " + "; ".join(_words(change) for change in changes)
    return RowChange(member=member, row=row, what=what, changes=changes, words=said)


def _words(change: Change) -> str:
    name = f"{change.member} " if change.member else ""
    if change.before is None:
        return f"{name}+ {change.after}"
    if change.after is None:
        return f"{name}- {change.before}"
    return f"{name}{change.before} → {change.after}"
