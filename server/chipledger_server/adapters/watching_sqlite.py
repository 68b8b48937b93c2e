"""Last readings, slots and builds of the library in SQLite, on the writer's connection."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.inventory import Counters, Inventory
from chipledger_server.adapters.rows import insert_many
from chipledger_server.adapters.tokens_sqlite import logged_tokens
from chipledger_server.domain.crosscheck import State
from chipledger_server.domain.hosts import HostState
from chipledger_server.domain.odometers import MANY, UNKNOWN
from chipledger_server.domain.packing import unpack_body
from chipledger_server.domain.slots import Place
from chipledger_server.domain.traits import Build

_FIELDS: Final = "ecc_corrected, ecc_uncorrected, rows_corrected, rows_uncorrected, bbx_seconds"
_READ: Final = f"SELECT {_FIELDS} FROM odometers WHERE chip = ?"  # noqa: S608 - a constant
_KEEP: Final = f"""
    INSERT INTO odometers (chip, host, at_ms, {_FIELDS}) VALUES (?,?,?,?,?,?,?,?)
    ON CONFLICT (chip, host) DO UPDATE SET at_ms = excluded.at_ms,
    ecc_corrected = coalesce(excluded.ecc_corrected, ecc_corrected),
    ecc_uncorrected = coalesce(excluded.ecc_uncorrected, ecc_uncorrected),
    rows_corrected = coalesce(excluded.rows_corrected, rows_corrected),
    rows_uncorrected = coalesce(excluded.rows_uncorrected, rows_uncorrected),
    bbx_seconds = coalesce(excluded.bbx_seconds, bbx_seconds)
"""  # noqa: S608 - a constant
_INVENTORIES: Final = """
    SELECT i.body FROM inventories i
    JOIN (SELECT inventory, max(id) AS newest FROM presence WHERE host = ? GROUP BY inventory
          ORDER BY newest DESC LIMIT ?) r ON r.inventory = i.digest
    ORDER BY r.newest DESC
"""
# SQLite takes the other columns from the row that has the maximum.
_SERIALS: Final = """
    SELECT c.chip, c.serial, max(p.id) FROM inventory_chips c
    JOIN presence p ON p.inventory = c.inventory
    WHERE c.chip IN ({chips}) AND c.inventory != ? AND c.serial IS NOT NULL GROUP BY c.chip
"""
_SLOTS: Final = ("INSERT OR REPLACE INTO slots (host, bdf, chip) VALUES ", "(?,?,?)")


class SqliteWatch:
    """What fresh tokens and inventories are compared with; the caller holds the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def inventories(self, host: str, most: int) -> list[Inventory]:
        """Return the inventories of a host's newest runs, the newest first, each once."""
        rows = self._execute(_INVENTORIES, (host, most)).fetchall()
        return [msgspec.json.decode(unpack_body(body), type=Inventory) for (body,) in rows]

    def places(self, inventory: str) -> list[Place]:
        """Return the chips of an inventory in its order; none while it is not resolved."""
        rows = self._execute(
            "SELECT chip, bdf, uuid, pdi, serial FROM inventory_chips WHERE inventory = ?"
            ' AND state != ? ORDER BY "index"',
            (b64url_decode(inventory), State.UNIDENTIFIED.value),
        ).fetchall()
        return [
            Place(chip=chip, bdf=bdf, name=_called(uuid, pdi, bdf), serial=serial)
            for chip, bdf, uuid, pdi, serial in rows
        ]

    def serials(self, chips: Sequence[int], inventory: str) -> dict[int, str]:
        """Return the board serials that chips were last seen with in other inventories."""
        query = _SERIALS.format(chips=",".join(["?"] * len(chips)))
        rows = self._execute(query, (*chips, b64url_decode(inventory))).fetchall()
        return {chip: serial for chip, serial, _ in rows}

    def last_counters(self, host: HostState) -> Sequence[Counters]:
        """Return the counters of a host's newest fresh token."""
        row = self._execute(
            "SELECT pos FROM tokens WHERE host = ? AND seq = ? AND received_ms = ?"
            " AND freshness != 'late' ORDER BY pos LIMIT 1",
            (host.num, host.fresh_seq, host.fresh_ms),
        ).fetchone()
        return () if row is None else logged_tokens(self._execute, row[0], 1)[0].claims.counters

    def last_read(self, chip: int, host: str | None = None) -> list[int]:
        """Return a chip's odometers as kept by any host, the newest of each, or by one host."""
        only = ("", (chip,)) if host is None else (" AND host = ?", (chip, host))
        rows = self._execute(f"{_READ}{only[0]} ORDER BY at_ms DESC, host", only[1]).fetchall()
        return [
            next((row[at] for row in rows if row[at] is not None), UNKNOWN) for at in range(MANY)
        ]

    def keep_read(self, chip: int, host: str, values: Sequence[int], at_ms: int) -> None:
        """Keep a chip's odometers, where they are known."""
        known = (None if value == UNKNOWN else value for value in values)
        self._execute(_KEEP, (chip, host, at_ms, *known))

    def slots(self, host: str) -> dict[str, int]:
        """Return the chip last seen in each slot of a host."""
        rows = self._execute("SELECT bdf, chip FROM slots WHERE host = ?", (host,)).fetchall()
        return dict(rows)

    def keep_slots(self, host: str, slots: Mapping[str, int]) -> None:
        """Keep the chip last seen in these slots."""
        insert_many(self._execute, _SLOTS, [(host, bdf, chip) for bdf, chip in slots.items()])

    def show(self, build: Build, host: str) -> tuple[int, list[int]]:
        """Note that a host shows a build; return how many show it, and how many each other."""
        names = (build.driver, build.model, build.sha256)
        added = self._execute(
            "INSERT OR IGNORE INTO build_hosts (driver, model, sha256, host) VALUES (?,?,?,?)",
            (*names, host),
        ).rowcount
        if added:
            self._execute(
                "INSERT INTO builds (driver, model, sha256, hosts) VALUES (?,?,?,1)"
                " ON CONFLICT (driver, model, sha256) DO UPDATE SET hosts = hosts + 1",
                names,
            )
        rows = self._execute(
            "SELECT sha256, hosts FROM builds WHERE driver = ? AND model = ?", names[:2]
        ).fetchall()
        mine = next(hosts for sha256, hosts in rows if sha256 == build.sha256)
        return mine, [hosts for sha256, hosts in rows if sha256 != build.sha256]


def _called(uuid: str | None, pdi: str | None, bdf: str | None) -> str:
    return uuid or (f"PDI {pdi}" if pdi else bdf or "a chip")
