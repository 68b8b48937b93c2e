"""Evidence that waits to be judged, read from the database; results, written to the log's queue."""

import sqlite3
from typing import Final

from chipledger_evidence.codec import b64url_decode, encode_canonical
from chipledger_evidence.entry import EntryType
from chipledger_evidence.gpu.result import EvidenceResult
from chipledger_evidence.nonce import Freshness
from chipledger_server.adapters.records_sqlite import append_own
from chipledger_server.adapters.tokens_sqlite import logged_tokens
from chipledger_server.domain.hosts import LoggedToken
from chipledger_server.domain.packing import unpack_body
from chipledger_server.domain.rounds import Round, Statement
from chipledger_server.ports import Entropy

# Only what the sequencer has applied: the chips that signed must be known by then.
_DUE: Final = """
    SELECT token FROM evidence_due WHERE token <= (SELECT token_pos FROM sequencer)
    ORDER BY token LIMIT ?
"""
_SENDER: Final = """
    SELECT h.id, h.site, s.test_site, k.kid FROM tokens t
    JOIN hosts h ON h.num = t.host JOIN sites s ON s.id = h.site JOIN host_keys k ON k.num = t.key
    WHERE t.pos = ?
"""
# A fresh report that is as new or newer came before: the host has gone on without this one.
_OVERTAKEN: Final = """
    SELECT 1 FROM tokens WHERE host = ? AND seq >= ? AND pos < ? AND freshness != 'late' LIMIT 1
"""


class SqliteEvidence:
    """Rounds that are due, on a connection that belongs to one thread."""

    def __init__(self, connection: sqlite3.Connection, entropy: Entropy) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._entropy = entropy

    def due(self, most: int) -> list[Round]:
        """Return the oldest rounds that wait to be judged."""
        positions = self._execute(_DUE, (most,)).fetchall()
        return [self._round(pos) for (pos,) in positions]

    def conclude(self, round_: Round, result: EvidenceResult) -> None:
        """Append a result to the log's queue and take its round off the list, or neither."""
        record, host = encode_canonical(result), round_.host
        self._execute("BEGIN IMMEDIATE")
        try:
            append_own(
                self._execute,
                self._entropy,
                EntryType.RESULT,
                host,
                record=record,
                at_ms=result.at,
            )
            self._execute("DELETE FROM evidence_due WHERE token = ?", (round_.pos,))
            self._execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:  # a full disk may have ended it by itself
                self._execute("ROLLBACK")
            raise

    def _round(self, pos: int) -> Round:
        (token,) = logged_tokens(self._execute, pos, 1)
        host, site, test_site, kid = self._execute(_SENDER, (pos,)).fetchone()
        claims = token.claims
        return Round(
            pos=pos,
            host=host,
            site=site,
            test_site=bool(test_site),
            kid=kid,
            token=token.token,
            inv=claims.inv,
            received_ms=token.received_ms,
            challenge=claims.eat_nonce if self._is_timely(token) else None,
            statements=tuple(
                Statement(digest=ref.digest, kind=ref.kind, chip=ref.chip, blob=blob)
                for ref, blob in (
                    (ref, self._blob(ref.digest, ref.bytes)) for ref in claims.evidence
                )
            ),
        )

    def _is_timely(self, token: LoggedToken) -> bool:
        """Tell whether a token answers a challenge in time and in its place of the chain."""
        if token.freshness is not Freshness.CHALLENGED:
            return False
        place = (token.host, token.claims.seq, token.pos)
        return self._execute(_OVERTAKEN, place).fetchone() is None

    def _blob(self, digest: str, size: int) -> bytes | None:
        row = self._execute(
            "SELECT body FROM blobs WHERE digest = ?", (b64url_decode(digest),)
        ).fetchone()
        blob = None if row is None else unpack_body(row[0])
        return blob if blob is not None and len(blob) == size else None
