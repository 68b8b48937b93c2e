"""Signatures of chips in SQLite, on the writer's connection."""

import sqlite3
from dataclasses import replace
from typing import Final

from chipledger_evidence.codec import b64url_decode, encode_canonical
from chipledger_server.adapters.rows import Execute
from chipledger_server.domain.crosscheck import Line, State
from chipledger_server.domain.hosts import LoggedToken
from chipledger_server.usecases.sequencing.signing import Expected

_LISTED: Final = """
    SELECT chip, "index", state, uuid, pdi, serial, board_part, name, device, subsystem, bdf
    FROM inventory_chips WHERE inventory = ? ORDER BY "index"
"""
_NAMES: Final = ("uuid", "pdi", "serial", "board_part", "name", "device", "subsystem", "bdf")
_ROUND: Final = """
    INSERT INTO rounds (host, at_ms, token, reasons) VALUES (?,?,?,?)
    ON CONFLICT (host) DO UPDATE SET at_ms = excluded.at_ms, token = excluded.token,
    reasons = excluded.reasons
"""
_NEWEST: Final = """
    SELECT id, until_ms FROM signatures WHERE chip = ? AND host = ? ORDER BY since_ms DESC LIMIT 1
"""
_SHOWN: Final = """
    SELECT inventory, held FROM presence WHERE host = ? AND inventory = ? ORDER BY id DESC LIMIT 1
"""
# One look into the index for each chip that the host claims.
_EXPECTED: Final = """
    SELECT c.chip, c.since_ms,
        (SELECT max(s.until_ms) FROM signatures s WHERE s.chip = c.chip AND s.host = c.host)
    FROM claims c WHERE c.host = ? AND EXISTS (SELECT 1 FROM signatures s WHERE s.chip = c.chip)
    ORDER BY c.chip
"""
_MODELS: Final = """
    SELECT DISTINCT i.device, i.name FROM presence p
    JOIN inventory_chips i ON i.inventory = p.inventory
    WHERE p.host = ? AND i.chip = ? AND (p.until_ms IS NULL OR p.until_ms > ?)
    ORDER BY i.device, i.name LIMIT ?
"""
_MOST_MODELS: Final = 16
_MOST_RUNS: Final = 1000
_RUNS_AFTER: Final = """
    SELECT p.since_ms, p.until_ms FROM presence p
    WHERE p.host = ? AND (p.until_ms IS NULL OR p.until_ms > ?) AND EXISTS
        (SELECT 1 FROM inventory_chips i WHERE i.inventory = p.inventory AND i.chip = ?)
    ORDER BY p.id DESC LIMIT ?
"""


class SqliteRounds:
    """The newest round of each host; the caller holds the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def keep(self, host: str, token: LoggedToken) -> None:
        """Keep a token with evidence, or with why there is none, as the host's newest round."""
        reasons = encode_canonical(token.claims.no_evidence)
        self._execute(_ROUND, (host, token.received_ms, token.identity, reasons))


def oldest_signature(execute: Execute, host: str) -> int | None:
    """Return a time before which none of a host's chips that can sign last showed it."""
    rows = execute(_EXPECTED, (host,)).fetchall()
    return min((since_ms if at_ms is None else at_ms for _, since_ms, at_ms in rows), default=None)


class SqliteSignatures:
    """Runs of signatures, and the keys that chips sign under; the caller holds the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def listed(self, inventory: str, host: str) -> list[tuple[Line, int | None]] | None:
        """Return the resolved lines of an inventory that a host has shown, else None.

        Where its scan failed, those that the host still holds follow, at no place (-1).
        """
        shown = self._execute(_SHOWN, (host, b64url_decode(inventory))).fetchone()
        if shown is None:
            return None
        said, held = shown
        lines = self._lines(said)
        if held is None:
            return lines
        named = {chip for _, chip in lines}
        kept = ((line, chip) for line, chip in self._lines(held) if chip not in named)
        return [*lines, *((line._replace(place=-1), chip) for line, chip in kept)]

    def _lines(self, inventory: bytes) -> list[tuple[Line, int | None]]:
        rows = self._execute(_LISTED, (inventory,)).fetchall()
        return [
            (
                Line(place=index, state=State(state), **dict(zip(_NAMES, texts, strict=True))),
                chip,
            )
            for chip, index, state, *texts in rows
        ]

    def models(self, chip: int, host: str, since_ms: int) -> list[tuple[str | None, str | None]]:
        """Return PCI device and name of every model that a host listed a chip as.

        Since its signature before this one, or since a time where that is the first.
        """
        newest = self._execute(_NEWEST, (chip, host)).fetchone()
        from_ms = since_ms if newest is None else newest[1]
        return self._execute(_MODELS, (host, chip, from_ms, _MOST_MODELS)).fetchall()

    def sign(self, chip: int, host: str, at_ms: int, *, token: bytes, lifetime_ms: int) -> None:
        """Note that a chip signed on a host: goes on with a run of signatures or begins one."""
        newest = self._execute(_NEWEST, (chip, host)).fetchone()
        if newest is not None and at_ms - newest[1] <= lifetime_ms:
            self._execute(
                "UPDATE signatures SET until_ms = max(until_ms, ?), token = ? WHERE id = ?",
                (at_ms, token, newest[0]),
            )
        else:
            self._execute(
                "INSERT INTO signatures (chip, host, since_ms, until_ms, token) VALUES (?,?,?,?,?)",
                (chip, host, at_ms, at_ms, token),
            )

    def device_key(self, chip: int, rot: str) -> bytes | None:
        """Return the digest of the factory key that a chip first signed under, or None."""
        row = self._execute(
            "SELECT key FROM device_keys WHERE chip = ? AND rot = ?", (chip, rot)
        ).fetchone()
        return None if row is None else row[0]

    def put_device_key(self, chip: int, rot: str, key: bytes, at_ms: int) -> None:
        """Keep the digest of the factory key that a chip first signed under."""
        self._execute(
            "INSERT INTO device_keys (chip, rot, key, first_ms) VALUES (?,?,?,?)",
            (chip, rot, key, at_ms),
        )

    def expected(self, host: str, lifetime_ms: int) -> list[Expected]:
        """Return the chips that a host claims and that have signed, on it or elsewhere."""
        rows = self._execute(_EXPECTED, (host,)).fetchall()
        found = (Expected(chip=row[0], since_ms=row[1], signed_ms=row[2]) for row in rows)
        return [self._owing(one, host, lifetime_ms) for one in found]

    def _owing(self, one: Expected, host: str, lifetime_ms: int) -> Expected:
        """Return since when a host that gave a chip up, and has it again, owes its signature.

        It does so anew after an absence as long as a signature counts; a shorter one renews
        nothing.
        """
        signed_ms, since_ms = one.signed_ms, one.since_ms
        if signed_ms is None or since_ms <= signed_ms:
            return one
        for run in self._execute(_RUNS_AFTER, (host, signed_ms, one.chip, _MOST_RUNS)).fetchall():
            begin_ms, until_ms = run
            if until_ms is not None and since_ms - until_ms > lifetime_ms:
                return replace(one, since_ms=since_ms)
            since_ms = min(since_ms, begin_ms)
        away = since_ms - signed_ms > lifetime_ms
        return replace(one, since_ms=since_ms if away else signed_ms)
