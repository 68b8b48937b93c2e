"""Open facts and waits, on the writer's connection."""

from collections.abc import Mapping, Sequence

from chipledger_book.watch import Wait
from chipledger_server.adapters.database import Writer
from chipledger_server.usecases.sequencing.facts import Name, OpenFact


class SqliteFacts:
    """Where looks are kept; see :class:`chipledger_server.usecases.sequencing.facts.FactStore`."""

    def __init__(self, connection: Writer) -> None:
        self._execute = connection.execute
        self._many = connection.executemany

    def open_facts(self, scope: str) -> Mapping[Name, OpenFact]:
        """Return the open facts of a scope."""
        rows = self._execute("SELECT kind, key, finding, said FROM facts WHERE scope = ?", (scope,))
        return {(kind, key): OpenFact(finding=found, said=said) for kind, key, found, said in rows}

    def keep_fact(self, scope: str, name: Name, fact: OpenFact) -> None:
        """Note an open fact, or what its finding says now."""
        self._execute(
            "INSERT INTO facts (scope, kind, key, finding, said) VALUES (?,?,?,?,?)"
            " ON CONFLICT (scope, kind, key) DO UPDATE SET finding = excluded.finding,"
            " said = excluded.said",
            (scope, *name, fact.finding, fact.said),
        )

    def drop_fact(self, finding: str) -> None:
        """Note that a fact has ended."""
        self._execute("DELETE FROM facts WHERE finding = ?", (finding,))

    def put_waits(self, scope: str, waits: Sequence[Wait]) -> None:
        """Replace the waits of a scope, rows that stay the same left alone."""
        rows = {(str(wait.kind), wait.key): _row(scope, wait) for wait in waits}
        kept = self._execute(
            "SELECT scope, kind, key, site, event, chip, owner_role, owner, since_ms, due_ms,"
            " done_ms, pieces FROM waits WHERE scope = ?",
            (scope,),
        ).fetchall()
        before = {(row[1], row[2]): row for row in kept}
        self._many(
            "DELETE FROM waits WHERE scope = ? AND kind = ? AND key = ?",
            [(scope, *name) for name, row in before.items() if rows.get(name) != row],
        )
        self._many(
            "INSERT INTO waits (scope, kind, key, site, event, chip, owner_role, owner, since_ms,"
            " due_ms, done_ms, pieces) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            [row for name, row in rows.items() if before.get(name) != row],
        )

    def looked_at(self, scope: str, at_ms: int) -> None:
        """Note when a scope was looked at."""
        self._execute(
            "INSERT INTO looks (scope, at_ms) VALUES (?, ?)"
            " ON CONFLICT (scope) DO UPDATE SET at_ms = excluded.at_ms",
            (scope, at_ms),
        )


def _row(scope: str, wait: Wait) -> tuple[str | int | None, ...]:
    return (
        scope,
        str(wait.kind),
        wait.key,
        wait.site,
        wait.event,
        wait.chip,
        str(wait.owner.role),
        wait.owner.party,
        wait.since_ms,
        wait.due_ms,
        wait.done_ms,
        wait.pieces,
    )
