"""The collector's own parts in one thread, on a real database, under a clock that stands still.

The doors' use cases, the statements and the sequencer are the real ones; only the writer thread
is replaced by one that commits at once.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, insert

from chipledger_evidence.answers import ReportAnswer, Stored
from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.enrolment import Enrolment
from chipledger_evidence.framing import Body
from chipledger_evidence.gpu.roots import TrustAnchors
from chipledger_evidence.nonce import RANDOM_BYTES, Kind, mint
from chipledger_evidence.token import Token
from chipledger_evidence.tpm.endorsement import EkRoot
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import (
    for_writing,
    make_collector,
    open_writer,
)
from chipledger_server.adapters.enrolments import SqlEnrolments
from chipledger_server.adapters.evidence_sqlite import SqliteEvidence
from chipledger_server.adapters.ingest_sqlite import IngestTables
from chipledger_server.adapters.keys import SqliteKeys
from chipledger_server.adapters.reads import SqlReads
from chipledger_server.adapters.sequence_sqlite import SqliteSequenceStore
from chipledger_server.adapters.tokens_sqlite import logged_tokens
from chipledger_server.adapters.whole_log_sqlite import SqliteWholeLog
from chipledger_server.config import Config
from chipledger_server.domain.arrival import Arrival, Outcome, Refusal
from chipledger_server.domain.hosts import LoggedToken
from chipledger_server.domain.rounds import judge_round
from chipledger_server.domain.vitals import Doors
from chipledger_server.service import fold_of, sequencer_of
from chipledger_server.usecases.book.reconcile import settle_site
from chipledger_server.usecases.challenge import Challenges
from chipledger_server.usecases.enrol import Enrolments
from chipledger_server.usecases.ingest import Ingest
from chipledger_server.usecases.keys import MOST_REMEMBERED, Keys
from chipledger_server.usecases.physical import Patience, Settled
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.sequencing.replay import replay
from chipledger_server.usecases.sequencing.step import Sequencer
from chipledger_server.wiring import SIGNATURE_MS
from chipledger_testing.collector_process import code_text
from chipledger_testing.databases import new_database
from chipledger_testing.gpu_pki import PKI
from chipledger_testing.hosts import SimulatedHost, simulated

START_MS = 1_795_000_000_000
HOUR_MS = 3_600_000
NONCE_KEYS = (b"k" * 32,)
FAR_MS = 2**41


@dataclass(slots=True)
class StillClock:
    """Time that passes when the test says so."""

    ms: int = START_MS

    def now_ms(self) -> int:
        """Return Unix milliseconds."""
        return self.ms

    def monotonic_s(self) -> float:
        """Return seconds since the start of the test."""
        return (self.ms - START_MS) / 1000


class CountingEntropy:
    """Bytes that differ every time and are the same in every run."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, count: int, /) -> bytes:
        """Return `count` bytes."""
        self._count += 1
        return hashlib.shake_128(str(self._count).encode()).digest(count)


class PromptWriter:
    """Commits what it is given before it returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tables = IngestTables(connection)

    def submit(self, arrivals: Sequence[Arrival]) -> Awaitable[Sequence[Outcome]]:
        """Make `arrivals` durable, one by one, and return what became of each."""
        future: asyncio.Future[Sequence[Outcome]] = asyncio.get_running_loop().create_future()
        self._connection.execute("BEGIN IMMEDIATE")
        outcomes = self._tables.put_singly(arrivals)
        self._connection.execute("COMMIT")
        future.set_result(outcomes)
        return future

    def note_refusal(self, refusal: Refusal) -> None:
        """Keep a refusal."""
        self._tables.put_refusals([refusal])


@dataclass(slots=True)
class CollectorInside:
    """A collector without processes, threads or sockets.

    Attributes:
        folder: where its database is.
        config: its configuration.
        clock: its time.
        most_remembered: inventories its doors remember at most.
        ek_roots: whose EK certificates it believes.
        counts: what its doors have answered.
    """

    folder: Path
    config: Config = field(default_factory=Config)
    clock: StillClock = field(default_factory=StillClock)
    counts: Doors = field(default_factory=Doors)
    most_remembered: int = MOST_REMEMBERED
    ek_roots: tuple[EkRoot, ...] = ()
    connection: sqlite3.Connection = field(init=False)
    keys: Keys = field(init=False)
    ingest: Ingest = field(init=False)
    sequencer: Sequencer = field(init=False)
    _engine: Engine = field(init=False)
    _entropy: CountingEntropy = field(default_factory=CountingEntropy)

    def __post_init__(self) -> None:
        path = self.folder / "collector.sqlite"
        self._engine = new_database(path)
        engine = for_writing(self._engine)
        with engine.begin() as connection:
            make_collector(connection, name="test", now_ms=self.clock.ms)
            for site in ("ams-1", "kul-1"):
                connection.execute(
                    insert(schema.sites).values(
                        id=site, name=site, country="NL", test_site=False, event="-"
                    )
                )
        self.connection = open_writer(path)
        self.connection.execute("PRAGMA synchronous=OFF")  # nothing here survives the test
        self.keys = Keys(SqliteKeys(self.connection), most_remembered=self.most_remembered)
        self.ingest = Ingest(
            keys=self.keys,
            writer=PromptWriter(self.connection),
            clock=self.clock,
            entropy=self._entropy,
            nonce_keys=NONCE_KEYS,
            policy=self.config.policy,
            evidence=self.config.evidence,
            limits=self.config.limits,
            counts=self.counts,
            beside=asyncio.to_thread,
        )
        self.sequencer = sequencer_of(self.config, self.connection, self.clock)
        self.sequencer.begin()

    def close(self) -> None:
        """Close the database."""
        self.connection.close()
        self._engine.dispose()

    def pass_time(self, ms: int) -> None:
        """Let time pass, with the collector alive and looking around every beat."""
        end_ms = self.clock.ms + ms
        stride_ms = 5 * self.config.log.beat_s * 1000
        while self.clock.ms < end_ms:
            self.clock.ms = min(end_ms, self.clock.ms + stride_ms)
            self.step()

    def step(self) -> None:
        """Apply everything, and fire what is due."""
        while self.sequencer.step((), beat=True).tokens:
            pass

    def restart(self) -> None:
        """End the sequencer and begin a new one on the same database."""
        self.sequencer = sequencer_of(self.config, self.connection, self.clock)
        self.sequencer.begin()

    def enrol(self, seed: str, *, site: str = "ams-1", chips: int = 2) -> SimulatedHost:
        """Return a new enrolled host."""
        return self.admit(simulated(seed, chips=chips), site=site)

    @property
    def engine(self) -> Engine:
        """The database."""
        return self._engine

    def make_code_text(self, seed: str) -> str:
        """Return a code that `make_code` made before."""
        return code_text(seed)

    def make_code(self, seed: str, *, site: str = "ams-1", uses: int = 1) -> str:
        """Return a new enrolment code."""
        text = code_text(seed)
        with for_writing(self._engine).begin() as connection:
            connection.execute(
                insert(schema.enrolment_codes).values(
                    code_hash=hashlib.sha256(text.encode()).digest(),
                    site=site,
                    uses_left=uses,
                    expires_ms=FAR_MS,
                    created_ms=0,
                    principal="test",
                )
            )
        return text

    def challenges(self) -> Challenges:
        """Return the challenges' door."""
        return Challenges(
            keys=self.keys,
            clock=self.clock,
            entropy=self._entropy,
            nonce_keys=NONCE_KEYS,
            policy=self.config.policy,
            counts=self.counts,
        )

    def admit(self, host: SimulatedHost, *, site: str = "ams-1") -> SimulatedHost:
        """Enrol `host` and return it."""
        text = code_text(f"{site}/{host.seed}")
        with self._engine.begin() as connection:
            connection.execute(
                insert(schema.enrolment_codes).values(
                    code_hash=hashlib.sha256(text.encode()).digest(),
                    site=site,
                    uses_left=1,
                    expires_ms=FAR_MS,
                    created_ms=0,
                    principal="test",
                )
            )
        enrolment = self.enrolments().enrol(host.enrolment(text))
        if not isinstance(enrolment, Enrolment):
            raise TypeError("a software key is enrolled at once")
        host.host, host.site = enrolment.host, enrolment.site
        return host

    def enrolments(self) -> Enrolments:
        """Return the enrolments' door."""
        return Enrolments(
            store=SqlEnrolments(self._engine),
            clock=self.clock,
            entropy=self._entropy,
            nonce_keys=NONCE_KEYS,
            policy=self.config.policy,
            collector="test",
            roots=self.ek_roots,
        )

    def nonce(self, host: SimulatedHost, kind: Kind = Kind.EPOCH) -> str:
        """Return a fresh nonce for `host`."""
        now_s = self.clock.ms // 1000
        time_s = now_s if kind is Kind.EPOCH else now_s + self.config.policy.challenge_ttl_s
        random = self._entropy(RANDOM_BYTES)
        nonce = mint(NONCE_KEYS[0], kind=kind, host=host.host, time_s=time_s, random=random)
        return b64url_encode(nonce)

    def full(self, host: SimulatedHost, **changes: object) -> Token:
        """Return the next full report of `host`, signed now."""
        host.now_s = self.clock.ms // 1000
        return host.full(self.nonce(host, Kind.CHALLENGE), **changes)

    def heartbeat(self, host: SimulatedHost, **changes: object) -> Token:
        """Return the next heartbeat of `host`, signed now."""
        host.now_s = self.clock.ms // 1000
        return host.heartbeat(self.nonce(host), **changes)

    def take(self, *tokens: Token, blobs: tuple[bytes, ...] = ()) -> ReportAnswer:
        """Send tokens through the door and return the answer; nothing is applied yet."""
        # In a thread of its own: a browser's test may have left a running loop in this one.
        with ThreadPoolExecutor(max_workers=1) as thread:
            take = self.ingest.take(Body(tokens=tokens, blobs=blobs))
            return thread.submit(asyncio.run, take).result().answer

    def report(self, *tokens: Token, blobs: tuple[bytes, ...] = ()) -> None:
        """Send tokens that must be stored, and apply them."""
        results = self.take(*tokens, blobs=blobs).results
        refused = [result for result in results if not isinstance(result, Stored)]
        if refused:
            raise AssertionError(refused)
        self.step()

    def judge(self, anchors: TrustAnchors = PKI.pins) -> None:
        """Judge the evidence that waits, as the worker would, and apply the results."""
        waiting = SqliteEvidence(self.connection, self._entropy)
        for one in waiting.due(100):
            waiting.conclude(one, judge_round(one, anchors, self.clock.ms))
        self.step()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(query, values).fetchall()

    def standings(self, site: str, *, at_ms: int | None = None) -> list[str]:
        """Return what each device of a site's hosts counts as, by host and place."""
        return [str(one.standing) for one in self._settled(site, at_ms or self.clock.ms)]

    def grades(self, site: str, *, at_ms: int | None = None) -> list[str]:
        """Return how each device of a site's hosts is known, by host and place."""
        return [str(one.grade) for one in self._settled(site, at_ms or self.clock.ms)]

    def _settled(self, site: str, at_ms: int) -> Sequence[Settled]:
        when = When(as_of_ms=at_ms, known_at_ms=self.clock.ms)
        limit_ms = self.config.policy.silence_limit_ms
        patience = Patience(limit_ms=limit_ms, signature_ms=SIGNATURE_MS)
        with SqlReads(self._engine).snapshot() as snapshot:
            return settle_site(snapshot, site, when, patience)

    def logged(self) -> list[LoggedToken]:
        """Return every stored token, in log order."""
        return logged_tokens(self.connection.execute, 1, 10_000)

    def findings(self, state: str = "open") -> list[str]:
        """Return the types of the findings in a state, sorted."""
        rows = self.rows("SELECT type FROM findings WHERE state = ? ORDER BY type", state)
        return [kind for (kind,) in rows]

    def detail(self, kind: str) -> dict[str, Any]:
        """Return what the newest finding of a type saw."""
        ((detail,),) = self.rows(
            "SELECT detail FROM findings WHERE type = ? ORDER BY opened_ms DESC, id LIMIT 1", kind
        )
        return msgspec.json.decode(detail, type=dict[str, Any])

    def derived(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every derived table that a replay must give again."""
        return {
            name: self.rows(f"SELECT * FROM {name} ORDER BY 1, 2")  # noqa: S608 - names below
            for name in (
                "presence",
                "disputes",
                "claims",
                "inventory_chips",
                "chip_aliases",
                "chips",
                "rounds",
                "signatures",
                "device_keys",
                "odometers",
                "slots",
                "builds",
                "build_hosts",
                "places",
                "findings",
                "cases",
                "hosts",
            )
        }

    def replay(self) -> None:
        """Compute everything derived anew."""
        store = SqliteSequenceStore(self.connection, self._entropy)
        fold = fold_of(self.config, self.connection, store)
        fold.downtime = self.rows("SELECT from_ms, to_ms FROM downtime")
        self.connection.execute("BEGIN IMMEDIATE")
        replay(fold, SqliteWholeLog(self.connection, store))
        self.connection.execute("COMMIT")
