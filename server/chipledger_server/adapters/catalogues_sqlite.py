"""Catalogues of chip models, and what the log says of them, on the writer's connection."""

import sqlite3
from collections.abc import Iterable
from typing import Final

from chipledger_book.catalogue import Catalogue
from chipledger_book.table_kinds import read_table

_DECISIONS: Final = """
    SELECT record FROM records WHERE type = 'rule-set'
    AND pos <= (SELECT record_pos FROM sequencer)
    AND subject IN (
        SELECT id FROM rule_proposals WHERE kind = 'chip-catalogue'
        UNION SELECT id FROM rule_tables WHERE kind = 'chip-catalogue'
    ) ORDER BY pos
"""


class SqliteCatalogues:
    """Reads the tables `rule_tables` and `records`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def decisions(self) -> Iterable[bytes]:
        """Return the records about catalogues that have their place in the log, in its order."""
        return [record for (record,) in self._execute(_DECISIONS).fetchall()]

    def catalogue(self, digest: str) -> Catalogue | None:
        """Return a loaded catalogue by its digest."""
        row = self._execute("SELECT body FROM rule_tables WHERE digest = ?", (digest,)).fetchone()
        table = None if row is None else read_table(bytes(row[0]))
        return table if isinstance(table, Catalogue) else None
