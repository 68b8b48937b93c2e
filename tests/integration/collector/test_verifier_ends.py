"""The process that judges evidence never outlives the collector that started it."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.gpu_pki import GpuMaker
from chipledger_testing.rounds import answer, host_of

PATIENCE_S = 60
MAKERS = (GpuMaker(0),)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_verifier_ends_with_its_collector(tmp_path: Path, how: signal.Signals) -> None:
    """Asked to stop or killed: nobody is left behind."""
    with running(tmp_path) as collector:
        _have_evidence_judged(collector)
        assert collector.process is not None
        children = _children_of(collector.process.pid)
        assert children
        collector.stop(how)
        _until(lambda: not any(map(_lives, children)))


def _have_evidence_judged(collector: CollectorProcess) -> None:
    host = host_of("verifier", MAKERS)
    collector.enrol(host, collector.make_code("verifier"))
    collector.report(host.full(collector.challenge(host).nonce))
    made = answer(host, collector.challenge(host).nonce, MAKERS)
    collector.report(made.token, blobs=made.blobs)
    _until(lambda: collector.rows("SELECT count(*) FROM records WHERE type = 'result'") == [(1,)])


def _children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _lives(pid: int) -> bool:
    """Tell whether a process is there and not merely waiting to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "it never became so"
        time.sleep(0.05)
