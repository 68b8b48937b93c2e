"""What evidence of some hosts does to the reports of others, with the worker at work.

The same heartbeats are sent twice over few connections, at a pace that the one worker can follow:
alone, and with the signed evidence of eight chips beside every tenth report. Latencies of the
tenth are left out of both.
"""

import asyncio
import gzip
import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop

from chipledger_evidence.framing import MEDIA_TYPE, encode_body
from chipledger_evidence.nonce import Kind
from chipledger_testing.bench.load import drive_paced, percentile_ms, request
from chipledger_testing.bench.server import FEW, SETTINGS, Fleet
from chipledger_testing.collector_process import CollectorProcess
from chipledger_testing.gpu_pki import PKI, GpuMaker, spki
from chipledger_testing.hosts import SimulatedHost
from chipledger_testing.rounds import answer, host_of

EVERY = 10
ROUNDS = 3
SIGNERS = 100
A_SECOND = 200
_CHIPS = 8
_JUDGED_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Latencies of reports without evidence, milliseconds, and how fast rounds are judged.

    Attributes:
        alone_ms: 50th and 99th percentile while nobody sends evidence.
        beside_ms: the same while every tenth report carries that of eight chips.
        rounds: how many rounds were sent in one load.
        judged_s: seconds until the last of them was judged.
    """

    alone_ms: tuple[float, float]
    beside_ms: tuple[float, float]
    rounds: int
    judged_s: float


def measure() -> Cost:
    """Measure with a collector of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        roots = folder / "roots"
        roots.write_text(hashlib.sha256(spki(PKI.root.key)).hexdigest())
        settings = f'{SETTINGS}[evidence]\ntest_roots_file = "{roots}"\n'
        collector = CollectorProcess(folder / "c", settings)
        collector.initialise()
        collector.declare_site("test-1", test_site=True)
        collector.start()
        try:
            return _Load(collector).cost()
        finally:
            collector.stop()


class _Load:
    def __init__(self, collector: CollectorProcess) -> None:
        self._collector = collector
        self._fleet = Fleet(collector, "others", "ES256")
        code = collector.make_code("signers", site="test-1", uses=SIGNERS)
        self._boards = {
            f"signer-{number}": [GpuMaker(number * _CHIPS + place) for place in range(_CHIPS)]
            for number in range(SIGNERS)
        }
        self._signers = [host_of(seed, board) for seed, board in self._boards.items()]
        for host in (*self._fleet.hosts, *self._signers):
            if not host.host:
                collector.enrol(host, code)
            host.now_s = int(time.time())
        self._send([encode_body([self._fleet.full(host)]) for host in self._fleet.hosts])
        self._send([encode_body([self._fleet.full(host)]) for host in self._signers])

    def cost(self) -> Cost:
        alone, beside, judged = [], [], []
        for _ in range(ROUNDS):
            alone.append(self._latencies(signing=False))
            start = time.perf_counter()
            beside.append(self._latencies(signing=True))
            self._wait_until_judged()
            judged.append(time.perf_counter() - start)
        return Cost(
            alone_ms=_percentiles(alone),
            beside_ms=_percentiles(beside),
            rounds=SIGNERS,
            judged_s=median(judged),
        )

    def _latencies(self, *, signing: bool) -> Sequence[float]:
        signers = iter(self._signers)
        others = iter(self._fleet.hosts)
        bodies = []
        for number in range(SIGNERS * EVERY):
            if number % EVERY == 0:
                bodies.append(self._round(next(signers), signing=signing))
            else:
                bodies.append(encode_body([self._fleet.heartbeat(next(others))]))
        latencies_s = self._send(bodies)
        return [one for number, one in enumerate(latencies_s) if number % EVERY]

    def _round(self, host: SimulatedHost, *, signing: bool) -> bytes:
        if not signing:
            return encode_body([self._fleet.heartbeat(host)])
        host.now_s = int(time.time())
        made = answer(host, self._fleet.nonce(host, Kind.EVIDENCE), self._boards[host.seed])
        return gzip.compress(encode_body([made.token], made.blobs))

    def _send(self, bodies: Sequence[bytes]) -> Sequence[float]:
        requests = [
            request("/v1/reports", MEDIA_TYPE, body, gzip=body.startswith(b"\x1f\x8b"))
            for body in bodies
        ]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcome = runner.run(drive_paced(self._collector.port, requests, FEW, A_SECOND))
        if outcome.failed:
            raise AssertionError(f"{outcome.failed} requests failed: {outcome.bodies[0][:200]!r}")
        return outcome.latencies_s

    def _wait_until_judged(self) -> None:
        deadline = time.monotonic() + _JUDGED_S
        while self._collector.rows("SELECT count(*) FROM evidence_due") != [(0,)]:
            if time.monotonic() > deadline:
                raise AssertionError("the worker did not judge what was sent")
            time.sleep(0.1)


def _percentiles(rounds: Sequence[Sequence[float]]) -> tuple[float, float]:
    return (
        median(percentile_ms(latencies_s, 50) for latencies_s in rounds),
        median(percentile_ms(latencies_s, 99) for latencies_s in rounds),
    )
