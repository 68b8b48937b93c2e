"""What the agent costs its host: memory, CPU of a cycle, bytes on the wire.

Two real daemons run against a real collector, once a second: one on a simulated HGX H100, one
on this very machine with the shipped program alone. CPU of a daemon and of its scan children are
the kernel's accounts of the two. The simulated host's children include the simulated driver and
its trees; memory is that of the shipped program, which loads neither.
"""

import gzip
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chipledger_book.events import SiteDeclared
from chipledger_book.parties import Party, Site
from chipledger_evidence.framing import encode_body
from chipledger_evidence.token import Token, sign_token
from chipledger_testing.claims import full_report, heartbeat
from chipledger_testing.keys import SeededSigner
from chipledger_testing.nvml import Machine, host_of
from chipledger_testing.nvml.child import scan_in_process
from chipledger_testing.stage import Stage

CYCLES: Final = 20
WARM_UP: Final = 3
OWNER: Final = Party(id="owner", name="Owner", headquarters="MY")
_TICKS_MS: Final = 1000 / os.sysconf("SC_CLK_TCK")
_UTIME: Final = 11  # first of utime, stime, cutime, cstime after the command's name: proc(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCost:
    """What one agent takes from its host.

    Attributes:
        rss_mib: resident memory of the shipped daemon between two cycles.
        parent_ms: CPU of the daemon in a cycle with eight chips.
        child_ms: CPU of the scan child in it, simulated driver included.
        bare_child_ms: CPU of the shipped scan child on this machine.
        cycles: how many cycles were averaged.
        heartbeat_bytes: body of a heartbeat as sent.
        full_bytes: body of a full report as sent.
    """

    rss_mib: float
    parent_ms: float
    child_ms: float
    bare_child_ms: float
    cycles: int
    heartbeat_bytes: int
    full_bytes: int


def measure() -> AgentCost:
    """Return the cost of an agent on a simulated HGX H100 host."""
    with tempfile.TemporaryDirectory() as name:
        stage = Stage(folder=Path(name), interval_s=1, silence_s=60)
        try:
            return _measure(stage)
        finally:
            stage.stop_all()


def _measure(stage: Stage) -> AgentCost:
    stage.start_collector()
    site = Site(
        id="bench-1",
        name="Bench",
        country="MY",
        operator=OWNER,
        consignee=OWNER,
        ultimate_parent=OWNER,
        test=True,
    )
    stage.enter("site", SiteDeclared(occurred_at_ms=1_767_225_600_000, site=site))
    _, (_, bare_child) = _run(stage, "shipped", None)
    rss_mib = _rss_mib(stage.pid("shipped"))
    stage.stop("shipped")
    cycles, (parent, child) = _run(stage, "simulated", host_of("hgx-h100", seed="b"))
    beat, full = wire_bytes()
    return AgentCost(
        rss_mib=rss_mib,
        parent_ms=parent,
        child_ms=child,
        bare_child_ms=bare_child,
        cycles=cycles,
        heartbeat_bytes=beat,
        full_bytes=full,
    )


def _run(stage: Stage, name: str, machine: Machine | None) -> tuple[int, tuple[float, float]]:
    """Start an agent; return cycles, and CPU of daemon and children a cycle once it is warm."""
    pid = stage.start_agent(name, stage.enrol(name, "bench-1", machine))
    _wait_for(stage, name, WARM_UP)
    start, before = _done(stage, name), _cpu_ms(pid)
    _wait_for(stage, name, start + CYCLES)
    cycles, after = _done(stage, name) - start, _cpu_ms(pid)
    return cycles, ((after[0] - before[0]) / cycles, (after[1] - before[1]) / cycles)


def wire_bytes() -> tuple[int, int]:
    """Return the bytes of a heartbeat and of a full report of eight chips, as they are sent."""
    with tempfile.TemporaryDirectory() as name:
        scan = scan_in_process(host_of("hgx-h100", seed="b"), Path(name))
    signer = SeededSigner("bench")
    beat = sign_token(heartbeat(counters=scan.counters), signer)
    full = sign_token(full_report(inventory=scan.inventory, counters=scan.counters), signer)
    return _sent(beat), _sent(full)


def _sent(token: Token) -> int:
    return len(gzip.compress(encode_body([token])))


def _done(stage: Stage, name: str) -> int:
    """Return how many reports of the agent were acknowledged."""
    return sum(1 for _ in stage.folder.glob(f"{name}/state/chains/*/sent/*"))


def _wait_for(stage: Stage, name: str, count: int) -> None:
    stage.wait(f"report {count}", lambda: _done(stage, name) >= count, timeout_s=120)


def _cpu_ms(pid: int) -> tuple[float, float]:
    """Return CPU of a process itself, and of the children it has waited for."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    ticks = [int(field) for field in text.rpartition(")")[2].split()[_UTIME : _UTIME + 4]]
    return (ticks[0] + ticks[1]) * _TICKS_MS, (ticks[2] + ticks[3]) * _TICKS_MS


def _rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
