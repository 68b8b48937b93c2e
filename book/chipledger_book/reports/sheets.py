"""What every report is made of when it is written down: tables of texts and whole numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

Cell = str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its name in CSV, and its title for people."""

    name: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One table of a report.

    Attributes:
        name: what CSV calls it.
        title: what people read above it.
        columns: its columns.
        rows: cells in the order of the columns; None is an empty cell.
        note: what a reader must know of it, or empty.
        totals: how many rows at the end are sums of others.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    totals: int = 0


def columns(*pairs: tuple[str, str]) -> tuple[Column, ...]:
    """Return columns from pairs of name and title."""
    return tuple(Column(name=name, title=title) for name, title in pairs)


def moment(at_ms: int | None) -> str | None:
    """Return a time as people read it, ``2026-03-01 12:00:05 UTC``; None of none."""
    if at_ms is None:
        return None
    return f"{datetime.fromtimestamp(at_ms // 1000, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"


def day(at_ms: int | None) -> str | None:
    """Return the UTC day of a time; None of none."""
    if at_ms is None:
        return None
    return f"{datetime.fromtimestamp(at_ms // 1000, tz=UTC):%Y-%m-%d}"


def listed(pieces: Iterable[tuple[str, int]]) -> str:
    """Return pieces by model as one text: ``8 H100-SXM5-80GB, 2 L40S-48GB``."""
    return ", ".join(f"{count} {sku}" for sku, count in pieces)
