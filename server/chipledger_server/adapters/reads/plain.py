"""Queries that are read by the hundred thousand rows: compiled once, and read as plain tuples.

They are written in SQLAlchemy's language like all others. Its results cost more than the rows
themselves where there are as many as chips.
"""

from typing import Any, Final

from sqlalchemy import Connection, Select
from sqlalchemy.dialects import sqlite

from chipledger_server.adapters.database import bare

_DIALECT: Final = sqlite.dialect(paramstyle="named")


class Plain:
    """A query with named parameters, which gives tuples in the order of its columns."""

    def __init__(self, query: Select[Any]) -> None:
        compiled = query.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        self._text = str(compiled)
        self._given = dict(compiled.params)

    def rows(self, connection: Connection, **parameters: object) -> list[tuple[Any, ...]]:
        """Return all rows; inside the transaction of the connection."""
        return bare(connection).execute(self._text, {**self._given, **parameters}).fetchall()
