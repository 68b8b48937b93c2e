"""Frozen documents of periods in the database, and the head of the log at a freeze.

The head is computed over the entries that the sequencer has placed. Each kept document has the
whole subtrees of the tree it saw, so a freeze reads only the leaves that came since.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from chipledger_book.periods.course import Frozen
from chipledger_evidence.merkle import HASH_BYTES, Edge
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.people import put
from chipledger_server.adapters.schema.periods import period_documents
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.periods.store import Head, NewDocument

_MOST: Final = 4096
_DOCS: Final = period_documents.c


class SqlPeriods:
    """The table `period_documents`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def frozen(self, site: str) -> Sequence[Frozen]:
        """Return the documents of a site, without bodies, oldest first."""
        wanted = [column for column in _DOCS if column.name not in {"body", "log_edge"}]
        query = select(*wanted).where(_DOCS.site == site).order_by(_DOCS.pos)
        with self._engine.connect() as connection:
            return [_frozen(row) for row in connection.execute(query).mappings()]

    def document(self, digest: str) -> bytes | None:
        """Return the canonical bytes of a document."""
        with self._engine.connect() as connection:
            body = connection.execute(
                select(_DOCS.body).where(_DOCS.digest == digest)
            ).scalar_one_or_none()
        return None if body is None else zlib.decompress(bytes(body))

    def ledger_end(self) -> int:
        """Return the position of the newest event of the ledger."""
        with self._engine.connect() as connection:
            newest = connection.execute(select(func.max(schema.ledger_events.c.pos))).scalar()
        return int(newest or 0)

    def entered_since(self, digest: str) -> frozenset[str]:
        """Return the ids of the events that were entered after a document was made.

        And of the corrections that somebody agreed to since.
        """
        events, said = schema.ledger_events.c, schema.ledger_statements
        document = select(_DOCS.ledger_pos, _DOCS.known_ms).where(_DOCS.digest == digest)
        with self._engine.connect() as connection:
            made = connection.execute(document).one()
            entered = connection.execute(select(events.id).where(events.pos > made.ledger_pos))
            agreed = connection.execute(
                select(events.id)
                .join(said, said.c.event == events.id)
                .where(events.type == "correction", said.c.recorded_ms > made.known_ms)
            )
            return frozenset((*entered.scalars(), *agreed.scalars()))

    def log_head(self) -> Head:
        """Return the head of the log, going on from the newest that was kept."""
        with self._engine.connect() as connection:
            kept = connection.execute(
                select(_DOCS.log_size, _DOCS.log_edge).order_by(_DOCS.log_size.desc()).limit(1)
            ).first()
            size, packed = (0, b"") if kept is None else (kept.log_size, bytes(kept.log_edge))
            edge = Edge(size, [packed[at : at + HASH_BYTES] for at in range(0, len(packed), 32)])
            for leaf in _leaves(connection, size):
                edge.add(leaf)
        return Head(size=edge.size, root=edge.root(), edge=b"".join(edge.hashes))

    def keep(self, new: NewDocument, record: Draft) -> bool:
        """Keep a document; False when that version of the period is kept already."""
        one = new.frozen
        try:
            with self._writer.begin() as connection:
                connection.execute(
                    insert(period_documents).values(
                        digest=one.digest,
                        site=one.site,
                        first_day=one.first_day.isoformat(),
                        last_day=one.last_day.isoformat(),
                        version=one.version,
                        restatement=one.restatement,
                        replaces=one.replaces,
                        known_ms=one.known_at_ms,
                        principal=one.frozen_by,
                        ledger_pos=new.ledger_pos,
                        log_size=new.head.size,
                        log_edge=new.head.edge,
                        body=zlib.compress(new.body, 6),
                    )
                )
                put(connection, record)
        except IntegrityError:
            return False
        return True


def _frozen(row: Mapping[Any, Any]) -> Frozen:
    return Frozen(
        site=row["site"],
        first_day=date.fromisoformat(row["first_day"]),
        last_day=date.fromisoformat(row["last_day"]),
        version=row["version"],
        restatement=row["restatement"],
        digest=row["digest"],
        replaces=row["replaces"],
        known_at_ms=row["known_ms"],
        frozen_by=row["principal"],
    )


def _leaves(connection: Connection, first: int) -> Iterator[bytes]:
    """Yield the leaves of the log from an index on, in log order."""
    runs = schema.log_runs.c
    query = select(schema.log_runs).where(runs.first + runs.count > first).order_by(runs.first)
    for run in connection.execute(query).mappings().all():
        table = schema.tokens if run["source"] == "token" else schema.records
        skipped = max(0, first - run["first"])
        start, end = run["pos"] + skipped, run["pos"] + run["count"]
        for low in range(start, end, _MOST):
            high = min(end, low + _MOST)
            rows = connection.execute(
                select(table.c.leaf)
                .where(table.c.pos >= low, table.c.pos < high)
                .order_by(table.c.pos)
            )
            yield from (bytes(leaf) for leaf in rows.scalars())
