"""A collector's database as its readers find it, written down without agents.

The book goes in through the real use cases. Hosts, tokens and sightings are written as rows,
exactly those that ingest and sequencer leave behind, so that a reader's test decides every
sighting to the millisecond.
"""

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, func, insert, select, update

from chipledger_book.events import Event, event_id
from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_evidence.codec import b64url_decode, encode_canonical
from chipledger_evidence.entry import EntryType, TokenAccepted, entry_hash, make_entry
from chipledger_evidence.ids import sha256_b64
from chipledger_evidence.inventory import Chip, Inventory, inventory_digest
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.adapters.people import SqlPeople
from chipledger_server.adapters.reads import SqlReads
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.book.entry import Entered, enter
from chipledger_server.usecases.book.reconcile import Measure
from chipledger_server.usecases.book.standing import agree
from chipledger_server.usecases.people import Hand, NewPrincipal, add_principal
from chipledger_server.usecases.physical import Reading
from chipledger_testing.book import NOW, TABLES
from chipledger_testing.databases import new_database
from chipledger_testing.hosts import inventory_of

HOUR: Final = 3_600_000
SILENCE_MS: Final = 3 * HOUR
NONCE_KEY: Final = b"n" * 32


class CountedEntropy:
    """Bytes that differ at every call and are the same in every run."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._calls = 0

    def __call__(self, count: int, /) -> bytes:
        """Return `count` bytes."""
        self._calls += 1
        made = b""
        while len(made) < count:
            made += hashlib.sha256(f"{self._seed}/{self._calls}/{len(made)}".encode()).digest()
        return made[:count]


@dataclass(slots=True)
class StagedHost:
    """An enrolled host: its id, and its numbers inside the database."""

    id: str
    num: int
    kid: str
    site: str
    seq: int = 0


@dataclass(slots=True)
class Scene:
    """One database, filled step by step.

    Attributes:
        folder: where the database file goes.
        now_ms: the time at which the next thing is written down.
    """

    folder: Path
    now_ms: int = NOW
    engine: Engine = field(init=False)
    entropy: CountedEntropy = field(default_factory=lambda: CountedEntropy("scene"))

    def __post_init__(self) -> None:
        self.engine = new_database(self.folder / "collector.sqlite")
        self._put(schema.collector, id=1, name="scene.example", created_ms=0)

    @property
    def reads(self) -> SqlReads:
        """What readers read through."""
        return SqlReads(self.engine)

    @property
    def people(self) -> SqlPeople:
        """The principals."""
        return SqlPeople(self.engine)

    @property
    def measure(self) -> Measure:
        """Shipped tables, and three hours of patience."""
        return Measure(tables=TABLES, silence_limit_ms=SILENCE_MS, appraisal=shipped_policy())

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def hand(self, principal: str = "local:0") -> Hand:
        """Return the hand that acts now."""
        return Hand(principal=principal, now_ms=self.now_ms, entropy=self.entropy)

    def enter(self, *events: Event) -> list[Entered]:
        """Enter events into the book, now."""
        ledger = SqlLedger(self.engine)
        return [enter(event, ledger, TABLES, self.hand()) for event in events]

    def agree(self, *corrections: Event, principal: str = "second:1") -> None:
        """Let another person than the one that :meth:`enter` is agree to corrections, now."""
        for one in corrections:
            agree(event_id(one), SqlLedger(self.engine), self.hand(principal), carrier=None)

    def token(self, name: str, role: Role, *sites: str) -> str:
        """Add a principal and return its token."""
        new = NewPrincipal(name=name, role=role, sites=frozenset(sites) or None)
        return add_principal(new, self.people, self.hand()).token

    def host(self, site: str, name: str, *, at: int | None = None) -> StagedHost:
        """Enrol a host at a site."""
        digest = hashlib.sha256(f"host/{name}".encode()).digest()
        letters = "abcdefghijklmnopqrstuvwxyz234567"
        host = StagedHost(
            id="h-" + "".join(letters[byte % 32] for byte in digest[:26]),
            num=self._next(schema.hosts.c.num),
            kid=sha256_b64(f"key/{name}".encode()),
            site=site,
        )
        when = self.now_ms if at is None else at
        self._put(
            schema.hosts,
            id=host.id,
            num=host.num,
            site=site,
            ueid=f"ueid-{name}",
            hardware="Supermicro SYS-821GE-TNHR",
            provider="nvml",
            enrolled_ms=when,
            code_hash=b"c" * 32,
        )
        self._put(
            schema.host_keys,
            kid=host.kid,
            num=host.num,
            host=host.id,
            jwk=b"{}",
            tier="software",
            code_hash=b"c" * 32,
            enrolled_ms=when,
            leaf=self._record(EntryType.ENROLMENT, host.id, when),
        )
        return host

    def seen(
        self,
        host: StagedHost,
        *chips: Chip,
        since: int,
        until: int | None = None,
        readings: Sequence[Reading] = (),
    ) -> None:
        """Write a run of fresh sightings of these chips on a host.

        Args:
            host: where.
            chips: what its inventory lists.
            since: first fresh sighting.
            until: end of a run that is over; None: the run goes on, last sighted now.
            readings: what became of each chip; read where left out.
        """
        inventory = inventory_of(*chips)
        digest = b64url_decode(inventory_digest(inventory))
        self._inventory(digest, inventory, host, at=since, readings=readings)
        last = self.now_ms if until is None else until
        self._put(
            schema.presence,
            host=host.id,
            site=host.site,
            inventory=digest,
            since_ms=since,
            until_ms=until,
        )
        with for_writing(self.engine).begin() as connection:
            connection.execute(
                update(schema.hosts)
                .where(schema.hosts.c.id == host.id)
                .values(fresh_ms=last, received_ms=last, inventory=digest)
            )
        self.token_of(host, since)

    def stops(self, host: StagedHost, at: int) -> None:
        """End the runs of a host that go on."""
        runs = schema.presence.c
        with for_writing(self.engine).begin() as connection:
            connection.execute(
                update(schema.presence)
                .where(runs.host == host.id, runs.until_ms.is_(None))
                .values(until_ms=at)
            )

    def beats(self, host: StagedHost, at: int) -> None:
        """Write that a host was heard of again."""
        with for_writing(self.engine).begin() as connection:
            connection.execute(
                update(schema.hosts)
                .where(schema.hosts.c.id == host.id)
                .values(fresh_ms=at, received_ms=at)
            )

    def token_of(self, host: StagedHost, at: int, *, skip: int = 0) -> None:
        """Write one token of a host and its log entry, leaving `skip` numbers out before it."""
        host.seq += 1 + skip
        identity = hashlib.sha256(f"token/{host.id}/{host.seq}".encode()).digest()
        signature, salt = b"s" * 64, self.entropy(16)
        record = TokenAccepted(
            freshness="challenged",
            host=host.id,
            kid=host.kid,
            received=at,
            signature=sha256_b64(signature),
            site=host.site,
            token=sha256_b64(f"token/{host.id}/{host.seq}".encode()),
        )
        entry = make_entry(EntryType.TOKEN, encode_canonical(record), salt=salt, time_ms=at)
        pos = self._next(schema.tokens.c.pos)
        self._put(
            schema.tokens,
            pos=pos,
            host=host.num,
            seq=host.seq,
            id=identity,
            key=host.num,
            received_ms=at,
            freshness="challenged",
            form=0,
            payload=b"",
            signature=signature,
            salt=salt,
            leaf=entry_hash(entry),
        )

    def dispute(self, chip: Chip, *, loser: StagedHost, keeper: StagedHost, since: int) -> None:
        """Write that a chip is fresh on two hosts, and where it does not count."""
        self._put(
            schema.disputes,
            chip=self.chip_id(chip),
            host=loser.id,
            kept_host=keeper.id,
            since_ms=since,
        )

    def finding(self, kind: str, *, severity: str = "high", **about: Any) -> str:  # noqa: ANN401
        """Write an open finding and return its id."""
        name = f"{kind}/{sorted(about.items())}"
        made = "f-" + hashlib.sha256(name.encode()).hexdigest()[:32]
        key = str(about.pop("key", made))
        values = {"opened_ms": self.now_ms, "seen_ms": self.now_ms, "times": 1, **about}
        self._put(
            schema.findings,
            id=key,
            type=kind,
            severity=severity,
            state="open",
            detail=values.pop("detail", b"{}"),
            **values,
        )
        return key

    def finding_record(self, finding: str, kind: str, detail: dict[str, Any]) -> None:
        """Write the record that a finding was opened with."""
        self._record(EntryType.FINDING, finding, self.now_ms, type=kind, detail=detail)

    def name(self, chip: Chip, kind: str, value: str) -> None:
        """Write that a known chip bears another name as well."""
        aliases = schema.chip_aliases.c
        with self.engine.begin() as connection:
            if connection.execute(select(aliases.chip).where(aliases.value == value)).first():
                return
        key = self.chip_id(chip)
        self._put(schema.chip_aliases, kind=kind, value=value, chip=key, first_ms=self.now_ms)

    def downtime(self, start: int, end: int) -> None:
        """Write that the collector was not accepting."""
        self._put(schema.downtime, from_ms=start, to_ms=end)

    def sequence(self) -> None:
        """Give everything written so far its place in the log: records first, then tokens."""
        with for_writing(self.engine).begin() as connection:
            first = 0
            for source, table in (("record", schema.records), ("token", schema.tokens)):
                known = connection.execute(
                    select(func.coalesce(func.sum(schema.log_runs.c.count), 0)).where(
                        schema.log_runs.c.source == source
                    )
                ).scalar_one()
                first = connection.execute(
                    select(func.coalesce(func.sum(schema.log_runs.c.count), 0))
                ).scalar_one()
                count = connection.execute(select(func.count()).select_from(table)).scalar_one()
                lowest = connection.execute(select(func.min(table.c.pos))).scalar_one()
                if count > known:
                    connection.execute(
                        insert(schema.log_runs).values(
                            first=first, source=source, pos=lowest + known, count=count - known
                        )
                    )

    def chip_id(self, chip: Chip) -> int:
        """Return the collector's id of a chip."""
        aliases = schema.chip_aliases.c
        with self.engine.begin() as connection:
            found = select(aliases.chip).where(aliases.value == chip.uuid)
            return int(connection.execute(found).scalar_one())

    def _inventory(
        self,
        digest: bytes,
        inventory: Inventory,
        host: StagedHost,
        *,
        at: int,
        readings: Sequence[Reading],
    ) -> None:
        known = schema.inventories.c
        with self.engine.begin() as connection:
            if connection.execute(select(known.digest).where(known.digest == digest)).first():
                return
        body = zlib.compress(encode_canonical(inventory))
        self._put(schema.inventories, digest=digest, body=body, token=0, provider="nvml")
        for index, chip in enumerate(inventory.chips):
            reading = readings[index] if index < len(readings) else Reading.READ
            counted = reading not in (Reading.UNIDENTIFIED, Reading.NOT_PHYSICAL)
            self._put(
                schema.inventory_chips,
                inventory=digest,
                index=index,
                chip=self._chip(chip, host, at) if counted else None,
                state=str(reading),
                uuid=chip.uuid,
                pdi=chip.pdi,
                serial=chip.serial,
                board_part=chip.board_part,
                name=chip.name,
                device=chip.pci.device if chip.pci else None,
                subsystem=chip.pci.subsystem if chip.pci else None,
                bdf=chip.pci.bdf if chip.pci else None,
            )

    def _chip(self, chip: Chip, host: StagedHost, at: int) -> int:
        aliases = schema.chip_aliases.c
        names = [(kind, value) for kind, value in (("pdi", chip.pdi), ("uuid", chip.uuid)) if value]
        with self.engine.begin() as connection:
            found = connection.execute(
                select(aliases.chip).where(aliases.value.in_([value for _, value in names]))
            ).scalar()
        if found is not None:
            return int(found)
        key = self._next(schema.chips.c.id)
        self._put(schema.chips, id=key, first_ms=at, first_host=host.id)
        for kind, value in names:
            self._put(schema.chip_aliases, kind=kind, value=value, chip=key, first_ms=at)
        return key

    def _record(self, kind: EntryType, subject: str, at: int, **said: Any) -> bytes:  # noqa: ANN401
        record, salt = encode_canonical({"subject": subject, **said}), self.entropy(16)
        leaf = entry_hash(make_entry(kind, record, salt=salt, time_ms=at))
        self._put(
            schema.records,
            type=str(kind),
            time_ms=at,
            subject=subject,
            principal="scene",
            record=record,
            salt=salt,
            leaf=leaf,
        )
        return leaf

    def _next(self, column: Any) -> int:  # noqa: ANN401 - an SQL column
        with self.engine.begin() as connection:
            return (
                int(connection.execute(select(func.coalesce(func.max(column), 0))).scalar_one()) + 1
            )

    def _put(self, table: Any, **values: Any) -> None:  # noqa: ANN401 - an SQL table
        with for_writing(self.engine).begin() as connection:
            connection.execute(insert(table).values(**values))


def scene(folder: Path) -> Iterator[Scene]:
    """Yield a scene and let go of its database; for fixtures."""
    made = Scene(folder)
    yield made
    made.close()
