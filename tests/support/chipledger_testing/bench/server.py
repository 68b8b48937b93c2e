"""The collector's cost: a child process with its real settings, loaded from outside.

One run measures V (one Ed25519 verification of the same bytes) before and after every load and
divides the CPU time, user and system, of the collector's process by it. Everything is signed
before the clock starts; answers are checked after it stops.
"""

import asyncio
import gzip
import os
import sqlite3
import ssl
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec
import uvloop

from chipledger_evidence.answers import ChallengeRequest, ReportAnswer, Stored
from chipledger_evidence.codec import b64url_encode, encode_canonical
from chipledger_evidence.framing import MEDIA_TYPE, encode_body
from chipledger_evidence.inventory import Inventory
from chipledger_evidence.nonce import RANDOM_BYTES, Kind, mint
from chipledger_evidence.token import Token
from chipledger_testing.bench.load import Outcome, Send, drive, drive_anew, drive_beside, request
from chipledger_testing.certificates import certificate_for
from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.hosts import SimulatedHost, simulated
from chipledger_testing.keys import SeededSigner

HOSTS = 1000
BATCH = 32
CONNECTIONS = 32
FEW = 4
VERIFICATIONS = 4000
FSYNCS = 300
SETTINGS = "[limits]\nhost_burst = 100000\nsite_burst = 10000000\nrounds_per_hour = 1000\n"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One load of one case.

    Attributes:
        case: what was sent.
        reports: how many of them.
        cpu_us: CPU time of the collector for each.
        v_us: CPU time of one verification, around this load.
        rate: reports answered in a second.
        p50_ms: median latency of a request.
        p99_ms: 99th percentile.
    """

    case: str
    reports: int
    cpu_us: float
    v_us: float
    rate: float
    p50_ms: float
    p99_ms: float

    @property
    def cost_v(self) -> float:
        """Cost of one report in V."""
        return self.cpu_us / self.v_us


def verification_us(message: bytes) -> float:
    """Return V: CPU microseconds of one Ed25519 verification of `message`."""
    signer = SeededSigner("bench", alg="Ed25519")
    signature = signer.sign(message)
    verify = signer.private_key.public_key().verify
    start = time.process_time()
    for _ in range(VERIFICATIONS):
        verify(signature, message)  # type: ignore[call-arg]
    return (time.process_time() - start) / VERIFICATIONS * 1e6


def fsync_p99_ms(folder: Path) -> float:
    """Return the 99th percentile of one small append made durable, milliseconds."""
    took = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(FSYNCS):
            start = time.perf_counter()
            file.write(b"x" * 300)
            file.flush()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - start)
    return sorted(took)[FSYNCS * 99 // 100] * 1000


class Fleet:
    """Enrolled hosts with prepared tokens; nonces are minted with the collector's own key."""

    def __init__(self, collector: CollectorProcess, seed: str, alg: str) -> None:
        self._key = (collector.folder / "nonce.key").read_bytes()
        self._random = 0
        self.hosts: list[SimulatedHost] = []
        code = collector.make_code(f"{seed}{alg}", uses=HOSTS)
        for number in range(HOSTS):
            host = simulated(f"{seed}-{number}", alg=alg)  # type: ignore[arg-type]
            collector.enrol(host, code)
            self.hosts.append(host)

    def nonce(self, host: SimulatedHost, kind: Kind) -> str:
        """Return a fresh nonce for `host`, as the collector would have given it."""
        self._random += 1
        now_s = int(time.time())
        return b64url_encode(
            mint(
                self._key,
                kind=kind,
                host=host.host,
                time_s=now_s + (600 if kind is not Kind.EPOCH else 0),
                random=self._random.to_bytes(RANDOM_BYTES),
            )
        )

    def full(self, host: SimulatedHost) -> Token:
        """Return the next full report of `host`, challenged."""
        host.now_s = int(time.time())
        return host.full(self.nonce(host, Kind.CHALLENGE))

    def heartbeat(self, host: SimulatedHost) -> Token:
        """Return the next heartbeat of `host`."""
        host.now_s = int(time.time())
        return host.heartbeat(self.nonce(host, Kind.EPOCH))


class Bench:
    """The cases, over one collector and one fleet."""

    def __init__(self, collector: CollectorProcess, alg: str) -> None:
        self._collector = collector
        self._alg = alg
        self._fleet = Fleet(collector, "bench", alg)
        self._round = 0
        self._tls: ssl.SSLContext | None = None
        self.stored = 0

    def use_tls(self) -> None:
        """Start the collector anew behind a certificate, and speak TLS with it from here on."""
        collector = self._collector
        certificate = certificate_for(collector.folder, "tls")
        collector.stop()
        collector.settings = (
            f'tls_certificate_file = "{certificate.certificate}"\n'
            f'tls_key_file = "{certificate.key}"\n{SETTINGS}'
        )
        collector.configure()
        collector.start()
        self._tls = ssl.create_default_context(cafile=certificate.certificate)
        self._tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # nobody trusts its authority

    @contextmanager
    def another(self) -> Iterator[int]:
        """Run another collector with the same certificate, and give its port."""
        with running(self._collector.folder / "another", self._collector.settings) as another:
            yield another.port

    def full(self) -> Measure:
        """Every host sends a full report with an inventory never seen before."""
        self._round += 1
        tokens = []
        for host in self._fleet.hosts:
            host.inventory = _changed(host.inventory, self._round)
            tokens.append(self._fleet.full(host))
        return self._measure("full report, every inventory new", tokens, 1, CONNECTIONS)

    def full_again(self, connections: int = CONNECTIONS) -> Measure:
        """Every host sends the full report of the day: the inventory is what it was."""
        tokens = [self._fleet.full(host) for host in self._fleet.hosts]
        return self._measure("full report of 8 GPUs", tokens, 1, connections)

    def heartbeat(self, connections: int = CONNECTIONS, rounds: int = 4) -> Measure:
        """Every host sends heartbeats."""
        tokens = [self._fleet.heartbeat(host) for _ in range(rounds) for host in self._fleet.hosts]
        return self._measure("heartbeat", tokens, 1, connections)

    def heartbeat_anew(self) -> Measure:
        """Every host sends a heartbeat over a new TLS 1.3 connection."""
        tokens = [self._fleet.heartbeat(host) for host in self._fleet.hosts]
        return self._measure(
            "heartbeat, each by a new TLS connection", tokens, 1, CONNECTIONS, send=drive_anew
        )

    def heartbeat_beside(self, port: int) -> Measure:
        """Every host sends a heartbeat as it comes from who makes a connection to `port` first."""
        tokens = [self._fleet.heartbeat(host) for host in self._fleet.hosts]
        return self._measure(
            "heartbeat, kept alive at that pace",
            tokens,
            1,
            CONNECTIONS,
            send=partial(drive_beside, beside=port),
        )

    def batch(self) -> Measure:
        """Every eighth host sends 32 heartbeats in one body."""
        hosts = self._fleet.hosts[::8]
        tokens = [self._fleet.heartbeat(host) for host in hosts for _ in range(BATCH)]
        return self._measure(f"heartbeat in a batch of {BATCH}", tokens, BATCH, FEW)

    def challenge(self) -> Measure:
        """Every host asks for challenges."""
        requests = [
            request(
                "/v1/challenges",
                "application/json",
                encode_canonical(ChallengeRequest(host=host.host, kid=host.signer.public.kid)),
            )
            for _ in range(4)
            for host in self._fleet.hosts
        ]
        return self._load(
            "challenge",
            requests,
            reports=len(requests),
            sample=b"c" * 600,
            connections=CONNECTIONS,
        )[0]

    def _measure(
        self,
        case: str,
        tokens: Sequence[Token],
        each: int,
        connections: int,
        *,
        send: Send = drive,
    ) -> Measure:
        requests = []
        for start in range(0, len(tokens), each):
            body = encode_body(tokens[start : start + each])
            big = len(body) > 2048
            requests.append(
                request("/v1/reports", MEDIA_TYPE, gzip.compress(body) if big else body, gzip=big)
            )
        measure, outcome = self._load(
            case,
            requests,
            reports=len(tokens),
            sample=tokens[0].signing_input,
            connections=connections,
            send=send,
        )
        self.stored += len(tokens)
        _check(outcome, tokens)
        return measure

    def _load(
        self,
        case: str,
        requests: Sequence[bytes],
        *,
        reports: int,
        sample: bytes,
        connections: int,
        send: Send = drive,
    ) -> tuple[Measure, Outcome]:
        process = self._collector.process
        if process is None:
            raise AssertionError("the collector does not run")
        before_us = verification_us(sample)
        cpu = cpu_s(process.pid)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcome = runner.run(send(self._collector.port, requests, connections, self._tls))
        time.sleep(0.6)  # what the collector does after the last answer counts too
        cpu = cpu_s(process.pid) - cpu
        v_us = (before_us + verification_us(sample)) / 2
        measure = Measure(
            case=f"{case}, {connections} connections",
            reports=reports,
            cpu_us=cpu / reports * 1e6,
            v_us=v_us,
            rate=reports / outcome.wall_s,
            p50_ms=outcome.percentile_ms(50),
            p99_ms=outcome.percentile_ms(99),
        )
        if outcome.failed:
            raise AssertionError(f"{case}: {outcome.failed} requests failed")
        return measure, outcome


def cpu_s(pid: int) -> float:
    """Return user and system seconds of a process and the children it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _check(outcome: Outcome, tokens: Sequence[Token]) -> None:
    """Every token was answered, in order, as stored and fresh."""
    results = [
        result
        for body in outcome.bodies
        for result in msgspec.json.decode(body, type=ReportAnswer).results
    ]
    for token, result in zip(tokens, results, strict=True):
        if not isinstance(result, Stored) or result.token != token.identity:
            raise AssertionError(f"{token.identity}: {result}")
        if result.freshness == "late":
            raise AssertionError("a fresh token was judged late")


def _changed(inventory: Inventory, number: int) -> Inventory:
    chips = tuple(
        msgspec.structs.replace(chip, hostname_tag=f"round-{number}") for chip in inventory.chips
    )
    return msgspec.structs.replace(inventory, chips=chips)


def stored_rows(collector: CollectorProcess) -> int:
    """Return how many tokens are in the database."""
    with sqlite3.connect(collector.database) as connection:
        return int(connection.execute("SELECT count(*) FROM tokens").fetchone()[0])


def bytes_in_use(collector: CollectorProcess) -> int:
    """Return the bytes of all pages in use, after what waits in the WAL is counted in."""
    with sqlite3.connect(collector.database) as connection:
        pages, free, size = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * size


@contextmanager
def bench_collector(folder: Path) -> Iterator[CollectorProcess]:
    """Run a collector with its real settings; only the limits of one host are lifted."""
    collector = CollectorProcess(folder, SETTINGS)
    collector.initialise()
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


def median_of(measures: Sequence[Measure]) -> Measure:
    """Return the measure with the median cost."""
    ordered = sorted(measures, key=lambda measure: measure.cost_v)
    middle = ordered[len(ordered) // 2]
    return replace(middle, p99_ms=statistics.median(m.p99_ms for m in measures))
