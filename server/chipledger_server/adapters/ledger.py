"""The book's events in the database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from sqlalchemy import Connection, Engine, insert, update

from chipledger_book.events import Event, LedgerRecord
from chipledger_book.terms import EventId
from chipledger_evidence.codec import encode_canonical
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.ledger_marks import bearing
from chipledger_server.adapters.party_keys import party_key
from chipledger_server.adapters.people import put
from chipledger_server.adapters.reads.statements import known
from chipledger_server.adapters.recording import append_records
from chipledger_server.usecases.book.entry import EventRow, SiteRow
from chipledger_server.usecases.book.standing import StatementRow
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.party_keys import PartyKey


class SqlLedgerPage:
    """A write transaction on the ledger."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def bearing(self, events: Sequence[Event]) -> Sequence[LedgerRecord]:
        """Return the part of the ledger that bears on admitting some events."""
        return bearing(self._connection, events)

    def append(self, row: EventRow, record: Draft) -> None:
        """Add an event and its log record."""
        self.append_all([(row, record)])

    def append_all(self, entries: Sequence[tuple[EventRow, Draft]]) -> None:
        """Add events and their log records, in their order."""
        if entries:
            rows = [asdict(row) for row, _ in entries]
            self._connection.execute(insert(schema.ledger_events), rows)
            append_records(self._connection, (record for _, record in entries))

    def known(self, key: EventId) -> LedgerRecord | None:
        """Return an event of the ledger with all who stand behind it by now."""
        return known(self._connection, key)

    def party_key(self, kid: str) -> PartyKey | None:
        """Return the key of a party that was let in under a thumbprint."""
        return party_key(self._connection, kid)

    def stand(self, row: StatementRow, record: Draft) -> None:
        """Add a statement and its log record."""
        statement = row.record.statement
        self._connection.execute(
            insert(schema.ledger_statements).values(
                id=row.id,
                event=row.record.of,
                role=str(statement.role),
                party=statement.party,
                strength=str(statement.strength),
                recorded_ms=row.record.recorded_at_ms,
                principal=row.principal,
                body=encode_canonical(statement),
            )
        )
        put(self._connection, record)

    def put_site(self, row: SiteRow) -> None:
        """Replace the present form of a site."""
        values = {
            "name": row.site.name,
            "country": row.site.country,
            "test_site": row.site.test,
            "event": row.event,
        }
        sites = schema.sites
        changed = self._connection.execute(
            update(sites).where(sites.c.id == row.site.id).values(**values)
        )
        if not changed.rowcount:
            self._connection.execute(insert(sites).values(id=row.site.id, **values))


class SqlLedger:
    """The ledger as its writers see it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = for_writing(engine)

    @contextmanager
    def writing(self) -> Iterator[SqlLedgerPage]:
        """Open a write transaction: durable when it ends well, undone when it does not.

        The write lock is taken before the ledger is read, so that two writers never both find a
        serial unreceived.
        """
        with self._engine.begin() as connection:
            yield SqlLedgerPage(connection)
