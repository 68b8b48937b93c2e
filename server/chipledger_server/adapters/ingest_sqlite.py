"""Tokens into SQLite: few statements, each over many rows.

Every step of a statement gives the interpreter's lock away and has to win it back from the
thread that verifies signatures, so one statement inserts up to 64 rows. When a unique key
objects, nothing of the batch is kept and it is taken again row by row: one bad row costs the
others time, never their place.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from chipledger_evidence.nonce import Freshness
from chipledger_server.adapters.rows import MOST_ROWS, insert_many
from chipledger_server.domain.arrival import NEW, SPENT, Arrival, FirstAnswer, Outcome, Refusal
from chipledger_server.domain.codes import Code, ServerError

_TOKENS: Final = (
    """INSERT INTO tokens (pos, host, seq, id, key, received_ms, freshness, form, base, payload,
    signature, salt, leaf, nonce) VALUES """,
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
)
_INVENTORIES: Final = (
    "INSERT OR IGNORE INTO inventories (digest, token, provider, body) VALUES ",
    "(?,?,?,?)",
)
_BLOB: Final = "INSERT OR IGNORE INTO blobs (digest, token, body) VALUES (?,?,?)"
_DUE: Final = "INSERT INTO evidence_due (token) VALUES (?)"
_REFUSAL: Final = (
    "INSERT INTO refusals (host, kid, token, code, detail, received_ms) VALUES (?,?,?,?,?,?)"
)
_FIRST: Final = (
    "SELECT received_ms, freshness, leaf FROM tokens WHERE host = ? AND seq = ? AND id = ?"
)
_SPENT_BY: Final = "SELECT pos FROM tokens WHERE nonce = ?"


class IngestTables:
    """Writes what arrived; the caller begins and commits.

    Attributes:
        last_pos: position of the newest token.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.last_pos = self._newest()

    def _newest(self) -> int:
        (pos,) = self._connection.execute("SELECT coalesce(max(pos), 0) FROM tokens").fetchone()
        return int(pos)

    def reread(self) -> None:
        """Forget positions given out in a transaction that was rolled back."""
        self.last_pos = self._newest()

    def put(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Insert `arrivals` and return what became of each; positions have no holes."""
        for arrival in arrivals:
            self.last_pos += 1
            arrival.pos = self.last_pos
        self._insert(arrivals)
        return [NEW] * len(arrivals)

    def fits_one_statement(self, arrivals: Sequence[Arrival]) -> bool:
        """Tell whether `put` would run a single statement, which is a transaction by itself."""
        return len(arrivals) <= MOST_ROWS and not any(
            arrival.inventory is not None or arrival.claims.evidence for arrival in arrivals
        )

    def put_singly(self, arrivals: Sequence[Arrival]) -> list[Outcome]:
        """Do the same one by one, so that each gets its own outcome."""
        return [self._put_one(arrival) for arrival in arrivals]

    def _put_one(self, arrival: Arrival) -> Outcome:
        execute = self._connection.execute
        key = (arrival.host, arrival.claims.seq, arrival.identity)
        first = execute(_FIRST, key).fetchone()
        if first is not None:
            return FirstAnswer(received_ms=first[0], freshness=Freshness(first[1]), leaf=first[2])
        if arrival.nonce is not None and execute(_SPENT_BY, (arrival.nonce,)).fetchone():
            return SPENT
        execute("SAVEPOINT one")
        try:
            arrival.pos = self.last_pos + 1
            self._insert((arrival,))
        except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError) as error:
            execute("ROLLBACK TO one")
            execute("RELEASE one")
            return ServerError(Code.NOT_STORED, f"the database refused it: {error}")
        execute("RELEASE one")
        self.last_pos += 1
        return NEW

    def _insert(self, arrivals: Sequence[Arrival]) -> None:
        insert_many(self._connection.execute, _TOKENS, [_row(arrival) for arrival in arrivals])
        insert_many(
            self._connection.execute,
            _INVENTORIES,
            [
                (new.digest, arrival.pos, new.provider, new.body)
                for arrival in arrivals
                if (new := arrival.inventory) is not None
            ],
        )
        for arrival in arrivals:
            for digest, body in arrival.blobs:
                self._connection.execute(_BLOB, (digest, arrival.pos, body))
            if arrival.claims.evidence:
                self._connection.execute(_DUE, (arrival.pos,))

    def put_refusals(self, refusals: Iterable[Refusal]) -> None:
        """Insert refusals, for the sequencer to find."""
        self._connection.executemany(
            _REFUSAL, [(r.host, r.kid, r.token, r.code, r.detail, r.received_ms) for r in refusals]
        )


def _row(arrival: Arrival) -> tuple[Any, ...]:
    return (
        arrival.pos,
        arrival.host,
        arrival.claims.seq,
        arrival.identity,
        arrival.key,
        arrival.received_ms,
        arrival.freshness.value,
        arrival.form.value,
        arrival.base,
        arrival.payload,
        arrival.signature,
        arrival.salt,
        arrival.leaf,
        arrival.nonce,
    )
