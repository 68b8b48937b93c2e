"""Tables of rules in the database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from chipledger_book.table_kinds import read_table
from chipledger_book.tables import Table
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.people import principal_named, put
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.decisions import Draft
from chipledger_server.usecases.rules.proposing import NewTable
from chipledger_server.usecases.rules.shelf import RuleProposal, Shelf, StoredTable

_TABLES = schema.rule_tables
_PROPOSALS = schema.rule_proposals


class SqlRules:
    """The tables `rule_tables` and `rule_proposals`; a version is parsed once a process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)
        self._parsed: dict[str, Table] = {}

    def proposer(self, name: str) -> Principal | None:
        """Return a principal by name, a revoked one too."""
        with self._engine.connect() as connection:
            return principal_named(connection, name)

    def shelf(self) -> Shelf:
        """Return everything that is kept."""
        with self._engine.connect() as connection:
            kept = connection.execute(
                select(_TABLES.c.digest, _TABLES.c.shipped).order_by(
                    _TABLES.c.loaded_ms, _TABLES.c.kind, _TABLES.c.id, _TABLES.c.version
                )
            ).all()
            stored = [
                StoredTable(
                    table=self._table(connection, row.digest),
                    digest=row.digest,
                    shipped=row.shipped,
                )
                for row in kept
            ]
            rows = connection.execute(select(_PROPOSALS)).mappings().all()
        return Shelf(stored, [_proposal(row) for row in rows])

    def _table(self, connection: Connection, digest: str) -> Table:
        if digest not in self._parsed:
            body = connection.execute(
                select(_TABLES.c.body).where(_TABLES.c.digest == digest)
            ).scalar_one()
            self._parsed[digest] = read_table(bytes(body))
        return self._parsed[digest]

    def begin(self, tables: Sequence[NewTable], records: Sequence[Draft]) -> bool:
        """Keep the tables that a collector begins with; False when it has begun already."""
        with self._writer.begin() as connection:
            began = select(_TABLES.c.id).where(_TABLES.c.shipped.is_(True)).limit(1)
            if connection.execute(began).first() is not None:
                return False
            for table in tables:
                _keep(connection, table)
            for record in records:
                put(connection, record)
        return True

    def propose(self, proposal: RuleProposal, table: NewTable | None, record: Draft) -> None:
        """Keep a proposal, and the table it is about where that is not kept yet."""
        with self._writer.begin() as connection:
            if table is not None:
                _keep(connection, table)
            connection.execute(
                insert(_PROPOSALS).values(
                    id=proposal.id,
                    wish=proposal.wish,
                    kind=proposal.kind,
                    table_id=proposal.table,
                    version=proposal.version,
                    digest=proposal.digest,
                    reason=proposal.reason,
                    proposed_ms=proposal.proposed_ms,
                    proposed_by=proposal.proposed_by,
                )
            )
            put(connection, record)

    def decide(self, proposal: RuleProposal, record: Draft) -> bool:
        """Keep a decision; False when another one came first."""
        with self._writer.begin() as connection:
            changed = connection.execute(
                update(_PROPOSALS)
                .where(_PROPOSALS.c.id == proposal.id, _PROPOSALS.c.decided_ms.is_(None))
                .values(
                    decided_ms=proposal.decided_ms,
                    decided_by=proposal.decided_by,
                    approved=proposal.approved,
                )
            )
            if not changed.rowcount:
                return False
            put(connection, record)
        return True


def _keep(connection: Connection, table: NewTable) -> None:
    connection.execute(
        insert(_TABLES).values(
            kind=table.kind,
            id=table.id,
            version=table.version,
            digest=table.digest,
            shipped=table.shipped,
            loaded_ms=table.loaded_ms,
            body=table.body,
        )
    )


def _proposal(row: Mapping[Any, Any]) -> RuleProposal:
    return RuleProposal(
        id=row["id"],
        wish=row["wish"],
        kind=row["kind"],
        table=row["table_id"],
        version=row["version"],
        digest=row["digest"],
        reason=row["reason"],
        proposed_ms=row["proposed_ms"],
        proposed_by=row["proposed_by"],
        decided_ms=row["decided_ms"],
        decided_by=row["decided_by"],
        approved=row["approved"],
    )
