"""Where chips are, and the ledger events that say so, on the writer's connection."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from chipledger_book.catalogue import ObservedModel
from chipledger_book.events import LedgerRecord, Role, Statement, Strength, event_id
from chipledger_book.movements import Attested
from chipledger_evidence.codec import b64url_decode, encode_canonical
from chipledger_evidence.entry import EntryType
from chipledger_server.adapters.records_sqlite import COLLECTOR
from chipledger_server.adapters.rows import MOST_ROWS, insert_many
from chipledger_server.adapters.sequence_sqlite import SqliteSequenceStore
from chipledger_server.domain.crosscheck import State
from chipledger_server.usecases.sequencing.installing import Place, Shown

_PLACES: Final = ("INSERT OR REPLACE INTO places VALUES ", "(?,?,?,?,?)")
_CLAIMED: Final = "SELECT chip, host FROM claims WHERE chip IN ({}) ORDER BY chip, host"
_LOST: Final = "SELECT DISTINCT chip, host FROM disputes WHERE chip IN ({}) AND until_ms IS NULL"
_PLACED: Final = "SELECT chip, site, host, since_ms, left_ms FROM places WHERE chip IN ({})"
_SHOWN: Final = (
    "SELECT chip, uuid, pdi, serial, bdf, device, subsystem, board_part, name"
    " FROM inventory_chips WHERE inventory = ? AND chip IS NOT NULL AND state = ?"
    ' ORDER BY "index"'
)


class SqlitePlaces:
    """Places and events, inside the sequencer's transaction."""

    def __init__(self, connection: sqlite3.Connection, store: SqliteSequenceStore) -> None:
        self._execute = connection.execute
        self._store = store

    def counted(self, chips: Sequence[int]) -> Mapping[int, Sequence[str]]:
        """Return the hosts whose claims count, of every chip that any host claims."""
        found: dict[int, list[str]] = defaultdict(list)
        for part in _parts(chips):
            lost = {*self._execute(_text(_LOST, len(part)), part).fetchall()}
            for claim in self._execute(_text(_CLAIMED, len(part)), part).fetchall():
                hosts = found[claim[0]]
                if claim not in lost:
                    hosts.append(claim[1])
        return found

    def placed(self, chips: Sequence[int]) -> Mapping[int, Place]:
        """Return the places of chips that have one."""
        return {
            chip: Place(*place)
            for part in _parts(chips)
            for chip, *place in self._execute(_text(_PLACED, len(part)), part).fetchall()
        }

    def place(self, chips: Sequence[int], place: Place) -> None:
        """Put chips into a place."""
        insert_many(self._execute, _PLACES, [(chip, *place) for chip in chips])

    def leave(self, chips: Sequence[int], last_ms: int) -> None:
        """Note that nobody claims chips any more, and when they were last seen."""
        for chip in chips:
            self._execute("UPDATE places SET left_ms = ? WHERE chip = ?", (last_ms, chip))

    def shown(self, inventory: str) -> Mapping[int, Shown]:
        """Return the chips that an inventory shows."""
        rows = self._execute(_SHOWN, (b64url_decode(inventory), State.READ.value)).fetchall()
        return {row[0]: _shown(row) for row in rows}

    def enter(self, event: Attested) -> None:
        """Record an event in the log's queue, once; nothing while the log is replayed."""
        key = event_id(event)
        if not self._store.recording or self._known(key):
            return
        statement = Statement(
            role=Role.COLLECTOR,
            strength=Strength.ATTESTED,
            principal=COLLECTOR,
            stated_at_ms=event.occurred_at_ms,
            evidence=event.token,
        )
        record = LedgerRecord(
            event=event, recorded_at_ms=event.occurred_at_ms, statements=(statement,)
        )
        at_ms = event.occurred_at_ms
        pos = self._store.record(EntryType.EVENT, key, encode_canonical(record), at_ms)
        tag = str(event.__struct_config__.tag)
        self._execute(
            "INSERT INTO attested_events (pos, id, type, site, host, at_ms) VALUES (?,?,?,?,?,?)",
            (pos, key, tag, event.site, event.host, at_ms),
        )

    def _known(self, key: str) -> bool:
        row = self._execute("SELECT 1 FROM attested_events WHERE id = ?", (key,)).fetchone()
        return row is not None


def _shown(row: Sequence[Any]) -> Shown:
    _, uuid, pdi, serial, slot, device, subsystem, board_part, name = row
    model = ObservedModel(device=device, subsystem=subsystem, board_part=board_part, name=name)
    return Shown(uuid=uuid, pdi=pdi, serial=serial, slot=slot, model=model)


def _parts(chips: Sequence[int]) -> Iterator[Sequence[int]]:
    return (chips[start : start + MOST_ROWS] for start in range(0, len(chips), MOST_ROWS))


@lru_cache(maxsize=2 * MOST_ROWS)
def _text(statement: str, count: int) -> str:
    return statement.format(",".join("?" * count))
