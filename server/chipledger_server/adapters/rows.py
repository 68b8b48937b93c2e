"""Many rows in one statement.

Every step of a statement gives the interpreter's lock away and has to win it back from the
thread that verifies signatures: one statement over 64 rows costs less than two over one.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

Execute = Callable[..., sqlite3.Cursor]

MOST_ROWS: Final = 64
STATEMENTS: Final = 4 * MOST_ROWS
"""Prepared statements a connection must keep, so that none of these is prepared twice."""


def insert_many(
    execute: Execute, statement: tuple[str, str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Run an insert, given as its head and one row of placeholders, for all `rows`."""
    for start in range(0, len(rows), MOST_ROWS):
        part = rows[start : start + MOST_ROWS]
        execute(_text(*statement, len(part)), [value for row in part for value in row])


@lru_cache(maxsize=STATEMENTS)
def _text(head: str, row: str, count: int) -> str:
    return head + ",".join([row] * count)
