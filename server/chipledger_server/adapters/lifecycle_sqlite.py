"""What the fold keeps of hosts' TPMs and of where hosts are, on the writer's connection."""

import sqlite3
from collections.abc import Sequence

import msgspec

from chipledger_evidence.codec import encode_canonical
from chipledger_server.usecases.sequencing.quoting import AttestationKey, QuotedClock


class SqliteLifecycle:
    """Columns of `hosts` and `host_keys` that rarely change."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._in_tpm: dict[str, bool] = {}

    def attestation_keys(self, host: str, at_ms: int) -> Sequence[AttestationKey]:
        """Return the attestation keys that a host had by then, oldest first."""
        rows = self._execute(
            "SELECT ak, ek, code_hash FROM host_keys WHERE host = ? AND ak IS NOT NULL"
            " AND enrolled_ms <= ? ORDER BY num",
            (host, at_ms),
        )
        return [AttestationKey(area=ak, ek=ek, code_hash=by) for ak, ek, by in rows]

    def in_tpm(self, host: str, at_ms: int) -> bool:
        """Tell whether the newest key that a host had by then is in a TPM."""
        known = self._in_tpm.get(host)
        if known is None:
            row = self._execute(
                "SELECT ak IS NOT NULL FROM host_keys WHERE host = ? AND enrolled_ms <= ?"
                " ORDER BY num DESC LIMIT 1",
                (host, at_ms),
            ).fetchone()
            known = self._in_tpm[host] = row is not None and bool(row[0])
        return known

    def forget_keys(self) -> None:
        """Read what is known of hosts' keys anew."""
        self._in_tpm.clear()

    def quoted(self, host: str) -> QuotedClock | None:
        """Return what a host's TPM said newest."""
        (kept,) = self._execute("SELECT quoted FROM hosts WHERE id = ?", (host,)).fetchone()
        return None if kept is None else msgspec.json.decode(kept, type=QuotedClock)

    def put_quoted(self, host: str, clock: QuotedClock) -> None:
        """Keep what a host's TPM said."""
        self._execute("UPDATE hosts SET quoted = ? WHERE id = ?", (encode_canonical(clock), host))

    def move(self, host: str, site: str) -> None:
        """Put a host at another site from now on."""
        self._execute(
            "UPDATE hosts SET first_site = coalesce(first_site, site), site = ? WHERE id = ?",
            (site, host),
        )

    def retire(self, host: str, at_ms: int) -> None:
        """Write down that a host will not report any more."""
        self._execute("UPDATE hosts SET retired_ms = ? WHERE id = ?", (at_ms, host))


RESET = (
    "UPDATE hosts SET site = coalesce(first_site, site), first_site = NULL, retired_ms = NULL,"
    " quoted = NULL"
)
"""Takes back what `SqliteLifecycle` wrote, before the log is replayed."""
