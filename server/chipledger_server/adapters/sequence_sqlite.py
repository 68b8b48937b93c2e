"""The sequencer's state in SQLite: hosts in memory, everything rare by single statements.

Host states live here for as long as the process does; `flush` writes the changed ones, many in
one statement. After a transaction is rolled back, `forget` drops them all, and they are
read again as they were committed.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from chipledger_evidence.claims import Refused
from chipledger_evidence.codec import b64url_decode, b64url_encode, encode_canonical
from chipledger_evidence.inventory import Inventory
from chipledger_server.adapters.findings_sqlite import SqliteFindings
from chipledger_server.adapters.rows import MOST_ROWS, insert_many
from chipledger_server.adapters.signing_sqlite import oldest_signature
from chipledger_server.adapters.tokens_sqlite import unpack_prevs
from chipledger_server.domain.chain import Chain, Link, Neighbours
from chipledger_server.domain.crosscheck import Line, Listed, State, listed
from chipledger_server.domain.duplicates import Claim
from chipledger_server.domain.findings import (
    HOST_KINDS,
    Kind,
)
from chipledger_server.domain.hosts import HostState
from chipledger_server.domain.identity import AliasKind
from chipledger_server.domain.packing import unpack_body
from chipledger_server.ports import Entropy

_SILENT: Final = "silent-host"
_MOST_DUE: Final = 1000
_HOST: Final = (
    "SELECT num, id, site, enrolled_ms, seq, token, missing, received_ms, fresh_ms, fresh_seq,"
    " inventory, silent_since_ms, models FROM hosts WHERE "
)
_BACK: Final = "SELECT max(resolved_ms) FROM findings WHERE host = ? AND type = ?"
_NEWEST_RUN: Final = (
    "SELECT id, until_ms, coalesce(held, inventory) FROM presence WHERE host = ?"
    " ORDER BY since_ms DESC, id DESC LIMIT 1"
)
_UPDATE: Final = (
    "WITH v(num, seq, token, missing, received_ms, fresh_ms, fresh_seq, inventory,"
    " silent_since_ms) AS (VALUES {rows}) UPDATE hosts SET seq = v.seq, token = v.token,"
    " missing = v.missing, received_ms = v.received_ms, fresh_ms = v.fresh_ms,"
    " fresh_seq = v.fresh_seq, inventory = v.inventory, silent_since_ms = v.silent_since_ms"
    " FROM v WHERE hosts.num = v.num"
)
_ALIAS: Final = "(SELECT chip FROM chip_aliases WHERE kind = ? AND value = ?)"
_LINES: Final = (
    """INSERT INTO inventory_chips (inventory, chip, "index", state, uuid, pdi, serial, board_part,
    name, device, subsystem, bdf) VALUES """,
    "(?,?,?,?,?,?,?,?,?,?,?,?)",
)
_PUT_REFUSED: Final = """
    INSERT INTO refusals (host, kid, token, code, detail, received_ms) SELECT ?, '', ?, ?, ?, ?
    WHERE NOT EXISTS (SELECT 1 FROM refusals WHERE token = ? AND host = ?)
"""
_CLAIM: Final = """
    SELECT since_ms,
        (SELECT max(s.until_ms) FROM signatures s WHERE s.chip = c.chip AND s.host = c.host)
    FROM claims c WHERE c.chip = ? AND c.host = ?
"""
_LINE_OF: Final = """
    SELECT "index", state, uuid, pdi, serial, board_part, name, device, subsystem, bdf
    FROM inventory_chips JOIN presence USING (inventory)
    WHERE chip = ? AND host = ? ORDER BY presence.id DESC LIMIT 1
"""


class SqliteSequenceStore(SqliteFindings):
    """State of hosts, chips, claims, findings and timers, on the writer's connection."""

    def __init__(self, connection: sqlite3.Connection, entropy: Entropy) -> None:
        super().__init__(connection.execute, entropy)
        self._executemany = connection.executemany
        self._hosts: dict[int, HostState] = {}
        self._by_id: dict[str, HostState] = {}

    # Hosts

    def host(self, num: int) -> HostState:
        """Return the one state object of a host, by number."""
        state = self._hosts.get(num)
        return self._load("num = ?", num) if state is None else state

    def host_named(self, host: str) -> HostState:
        """Return the one state object of a host, by id."""
        state = self._by_id.get(host)
        return self._load("id = ?", host) if state is None else state

    def _load(self, where: str, value: object) -> HostState:
        row = self._execute(_HOST + where, (value,)).fetchone()
        num, name, site, enrolled_ms, seq, token, missing, received_ms, *rest = row
        fresh_ms, fresh_seq, inventory, silent_since_ms, models = rest
        newest = self._execute(_NEWEST_RUN, (name,)).fetchone()
        run, ended_ms, held = (None, None, None) if newest is None else newest
        state = HostState(
            num=num,
            id=name,
            site=site,
            enrolled_ms=enrolled_ms,
            received_ms=received_ms,
            fresh_ms=fresh_ms,
            fresh_seq=fresh_seq,
            inv=None if inventory is None else b64url_encode(inventory),
            held=None if held is None else b64url_encode(held),
            run=run if ended_ms is None else None,
            silent_since_ms=silent_since_ms,
            models=models,
        )
        if token is not None:
            ranges = () if missing is None else msgspec.json.decode(missing, type=_RANGES)
            state.head = token
            state.chain = Chain(seq=seq, token=b64url_encode(token), missing=ranges)
        self._load_claims(state)
        self._hosts[num] = self._by_id[name] = state
        return state

    def _load_claims(self, state: HostState) -> None:
        chips = self._execute("SELECT chip FROM claims WHERE host = ?", (state.id,)).fetchall()
        state.chips = frozenset(chip for (chip,) in chips)
        watched = self._execute(
            "SELECT o.host, o.chip FROM claims m JOIN claims o ON o.chip = m.chip"
            " AND o.host != m.host WHERE m.host = ? AND NOT EXISTS (SELECT 1 FROM disputes d"
            " WHERE d.chip = o.chip AND d.until_ms IS NULL"
            " AND ((d.host = m.host AND d.kept_host = o.host)"
            " OR (d.host = o.host AND d.kept_host = m.host)))",
            (state.id,),
        ).fetchall()
        for other, chip in watched:
            state.rivals.setdefault(other, set()).add(chip)
        found = self._execute(
            "SELECT type, id FROM findings WHERE host = ? AND state = 'open' AND chip IS NULL",
            (state.id,),
        ).fetchall()
        state.open = {HOST_KINDS[kind]: key for kind, key in found if kind in HOST_KINDS}
        state.signed_ms = oldest_signature(self._execute, state.id)
        (state.back_ms,) = self._execute(_BACK, (state.id, Kind.SILENT_HOST.value)).fetchone()

    def same_ueid(self, host: HostState) -> HostState | None:
        """Return the newest host that was enrolled before with the same EAT identity."""
        row = self._execute(
            "SELECT max(o.num) FROM hosts h JOIN hosts o ON o.ueid = h.ueid AND o.num < h.num"
            " WHERE h.num = ?",
            (host.num,),
        ).fetchone()
        return None if row[0] is None else self.host(row[0])

    def forget(self) -> None:
        """Drop every host state, so that all are read again."""
        self._hosts.clear()
        self._by_id.clear()

    def flush(self, states: Iterable[HostState]) -> None:
        """Write changed host states."""
        rows: list[Any] = []
        for state in states:
            if state.changed:
                state.changed = False
                rows.append(_host_row(state))
        for start in range(0, len(rows), MOST_ROWS):
            part = rows[start : start + MOST_ROWS]
            values = [value for row in part for value in row]
            self._execute(_update(len(part)), values)

    # Tokens and inventories

    def neighbours(self, host: int, link: Link, pos: int) -> Neighbours:
        """Return what tokens before position `pos` say around a link."""
        around = self._execute(
            "SELECT seq, id, pos FROM tokens WHERE host = ? AND seq BETWEEN ? AND ? AND pos < ?",
            (host, link.seq - 1, link.seq + 1, pos),
        ).fetchall()
        after = [place for seq, _token, place in around if seq == link.seq + 1]
        return Neighbours(
            before=frozenset(b64url_encode(t) for seq, t, _ in around if seq == link.seq - 1),
            same=frozenset(b64url_encode(t) for seq, t, _ in around if seq == link.seq),
            after=frozenset(unpack_prevs(self._execute, after)),
        )

    def inventory(self, digest: str, pos: int) -> Inventory | None:
        """Return an inventory that came with a token at or before `pos`."""
        row = self._execute(
            "SELECT body FROM inventories WHERE digest = ? AND token <= ?",
            (b64url_decode(digest), pos),
        ).fetchone()
        return None if row is None else msgspec.json.decode(unpack_body(row[0]), type=Inventory)

    def begin_run(self, host: HostState, digest: str, at_ms: int) -> int:
        """Begin a run of fresh sightings and return its id."""
        return self._insert(
            "INSERT INTO presence (host, site, inventory, since_ms, held) VALUES (?,?,?,?,?)",
            (
                host.id,
                host.site,
                b64url_decode(digest),
                at_ms,
                None if host.held in (None, digest) else b64url_decode(host.held),
            ),
        )

    def end_run(self, run: int, at_ms: int) -> None:
        """End a run where it was last seen."""
        self._execute("UPDATE presence SET until_ms = ? WHERE id = ?", (at_ms, run))

    # Chips

    def lines(self, digest: str) -> Listed | None:
        """Return the chips of an inventory whose lines are resolved, else None."""
        rows = self._execute(
            "SELECT chip, state FROM inventory_chips WHERE inventory = ?", (b64url_decode(digest),)
        ).fetchall()
        if not rows:
            return None
        return listed((chip, State(state)) for chip, state in rows)

    def put_lines(self, digest: str, lines: Sequence[tuple[Line, int | None]]) -> None:
        """Keep the resolved lines of an inventory."""
        name = b64url_decode(digest)
        rows = [(name, chip, line.place, line.state.value, *line[2:]) for line, chip in lines]
        insert_many(self._execute, _LINES, rows)

    def line_of(self, chip: int, host: str) -> Line:
        """Return the newest line of a host that names a chip."""
        place, state, *texts = self._execute(_LINE_OF, (chip, host)).fetchone()
        return Line(place, State(state), *texts)

    def aliases(
        self, names: Sequence[tuple[AliasKind, str]]
    ) -> Mapping[tuple[str, str | None], int]:
        """Return the chips that these aliases name, as far as they do."""
        if not names:
            return {}
        texts = [text for name in names for text in name]
        # All in one row: every row gives the interpreter's lock away (adapters/rows.py).
        chips = self._execute(_aliases(len(names)), texts).fetchone()
        return {name: chip for name, chip in zip(names, chips, strict=True) if chip is not None}

    def aliases_of(self, chip: int, kind: AliasKind) -> frozenset[str]:
        """Return the aliases of one kind that name a chip."""
        rows = self._execute(
            "SELECT value FROM chip_aliases WHERE chip = ? AND kind = ?", (chip, kind)
        ).fetchall()
        return frozenset(value for (value,) in rows)

    def new_chip(self, at_ms: int, host: str) -> int:
        """Return a new chip's id."""
        return self._insert("INSERT INTO chips (first_ms, first_host) VALUES (?,?)", (at_ms, host))

    def learn(self, kind: AliasKind, value: str, chip: int, at_ms: int) -> None:
        """Make an alias name a chip, unless it names one already."""
        self._execute(
            "INSERT OR IGNORE INTO chip_aliases (kind, value, chip, first_ms) VALUES (?,?,?,?)",
            (kind, value, chip, at_ms),
        )

    # Claims and disputes

    def claim(self, chip: int, host: str, at_ms: int) -> None:
        """Begin a host's claim to a chip."""
        self._execute(
            "INSERT INTO claims (chip, host, since_ms) VALUES (?,?,?)", (chip, host, at_ms)
        )

    def unclaim(self, chip: int, host: str) -> None:
        """End a host's claim to a chip."""
        self._execute("DELETE FROM claims WHERE chip = ? AND host = ?", (chip, host))

    def claimants(self, chip: int, host: str) -> Iterable[HostState]:
        """Return the other hosts that claim a chip."""
        rows = self._execute(
            "SELECT host FROM claims WHERE chip = ? AND host != ? ORDER BY host", (chip, host)
        ).fetchall()
        return [self.host_named(other) for (other,) in rows]

    def claim_of(self, chip: int, host: str) -> Claim:
        """Return a host's claim to a chip."""
        state = self.host_named(host)
        since_ms, signed_ms = self._execute(_CLAIM, (chip, host)).fetchone()
        return Claim(
            host=host,
            site=state.site,
            since_ms=since_ms,
            last_ms=since_ms if state.fresh_ms is None else state.fresh_ms,
            signed_ms=signed_ms,
        )

    def begin_dispute(self, chip: int, host: str, kept_host: str, since_ms: int) -> None:
        """Make a host's claim to a chip not count."""
        self._execute(
            "INSERT INTO disputes (chip, host, kept_host, since_ms) VALUES (?,?,?,?)",
            (chip, host, kept_host, since_ms),
        )

    def disputed_for(self, chip: int, host: str) -> Sequence[str]:
        """Return the hosts whose claims to a chip count instead of this one's."""
        rows = self._execute(
            "SELECT kept_host FROM disputes WHERE chip = ? AND host = ? AND until_ms IS NULL"
            " ORDER BY kept_host",
            (chip, host),
        ).fetchall()
        return [kept for (kept,) in rows]

    def turn_dispute(self, chip: int, host: str, rival: str, at_ms: int) -> None:
        """From now on let a host's claim count, and not the rival's that did before."""
        self._execute(
            "UPDATE disputes SET until_ms = ? WHERE chip = ? AND host = ? AND kept_host = ?"
            " AND until_ms IS NULL",
            (at_ms, chip, host, rival),
        )
        self.begin_dispute(chip, rival, host, at_ms)

    def end_disputes(self, chip: int, host: str, at_ms: int) -> None:
        """End the disputes over a chip that a host is part of."""
        self._execute(
            "UPDATE disputes SET until_ms = ? WHERE chip = ? AND until_ms IS NULL"
            " AND (host = ? OR kept_host = ?)",
            (at_ms, chip, host, host),
        )

    def put_models(self, host: HostState) -> None:
        """Keep by which edition of the catalogue the models of a host were named."""
        self._execute("UPDATE hosts SET models = ? WHERE num = ?", (host.models, host.num))

    # Records

    def put_refused(self, host: str, refused: Refused, at_ms: int) -> None:
        """Keep that a host signed that a report of it was put aside, unless that is known."""
        token = b64url_decode(refused.token)
        detail = f"number {refused.seq}; the host signed that it put the report aside"
        self._execute(_PUT_REFUSED, (host, token, refused.code, detail, at_ms, token, host))

    # Timers

    def set_timer(self, host: str, due_ms: int) -> None:
        """Set when a host must be looked at."""
        self._execute(
            "INSERT INTO timers (kind, subject, due_ms) VALUES (?,?,?)"
            " ON CONFLICT (kind, subject) DO UPDATE SET due_ms = excluded.due_ms",
            (_SILENT, host, due_ms),
        )

    def drop_timer(self, host: str) -> None:
        """Stop looking at a host until it returns."""
        self._execute("DELETE FROM timers WHERE kind = ? AND subject = ?", (_SILENT, host))

    def due(self, now_ms: int) -> Sequence[HostState]:
        """Return hosts whose timers are due, the longest due first; not all of very many."""
        rows = self._execute(
            "SELECT subject FROM timers WHERE kind = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?",
            (_SILENT, now_ms, _MOST_DUE),
        ).fetchall()
        return [self.host_named(host) for (host,) in rows]

    def silent_in(self, site: str) -> tuple[int, Sequence[int]]:
        """Return how many hosts a site has, and since when its silent ones are."""
        (hosts,) = self._execute("SELECT count(*) FROM hosts WHERE site = ?", (site,)).fetchone()
        rows = self._execute(
            "SELECT silent_since_ms FROM hosts WHERE site = ? AND silent_since_ms IS NOT NULL",
            (site,),
        ).fetchall()
        return hosts, [since_ms for (since_ms,) in rows]

    def _insert(self, statement: str, values: tuple[Any, ...]) -> int:
        row_id = self._execute(statement, values).lastrowid
        if row_id is None:
            raise AssertionError("an insert has a row id")
        return row_id


_RANGES: Any = tuple[tuple[int, int], ...]


_digest = lru_cache(maxsize=65536)(b64url_decode)  # a host names one inventory for months


@lru_cache(maxsize=MOST_ROWS)
def _update(count: int) -> str:
    return _UPDATE.format(rows=",".join(["(?,?,?,?,?,?,?,?,?)"] * count))


@lru_cache(maxsize=2 * MOST_ROWS)
def _aliases(count: int) -> str:
    return f"SELECT {','.join([_ALIAS] * count)}"


def _host_row(state: HostState) -> tuple[Any, ...]:
    chain = state.chain
    return (
        state.num,
        chain.seq,
        state.head,
        encode_canonical(chain.missing) if chain.missing else None,
        state.received_ms,
        state.fresh_ms,
        state.fresh_seq,
        None if state.inv is None else _digest(state.inv),
        state.silent_since_ms,
    )
