"""The small adapters at the agent's edge: service manager, kernel facts, log, metrics, exits."""

import io
import json
import re
import socket
from pathlib import Path

import pytest

from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.adapters.entropy import KernelEntropy
from chipledger_agent.adapters.hostfacts import KernelFacts
from chipledger_agent.adapters.log import JsonJournal
from chipledger_agent.adapters.metrics import AgentMetrics
from chipledger_agent.adapters.notify import SystemdNotifier
from chipledger_agent.adapters.pin import proxy_url
from chipledger_agent.cli.exits import Exit, exit_of_error, exit_of_outcome
from chipledger_agent.cycle import Outcome, Signed
from chipledger_agent.cycle.enrol import Applicant, enrol
from chipledger_agent.domain.claims import Scan
from chipledger_agent.domain.failures import (
    AgentCode,
    AgentError,
    CollectorRefused,
    CollectorUnavailable,
)
from chipledger_agent.domain.plan import Cause
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.ids import sha256_b64, ueid
from chipledger_testing.agent_ports import ManualClock
from chipledger_testing.claims import inventory
from chipledger_testing.collector import SimulatedCollector
from chipledger_testing.keys import SeededSigner


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_hears_of_work(tmp_path: Path, *, abstract: bool) -> None:
    """In the words of sd_notify(3), over a path or an abstract socket."""
    address = f"@chipledger-test-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address.replace("@", "\0", 1))
        notifier = SystemdNotifier(address)
        notifier.ready()
        notifier.progress("scanned")
        notifier.stopping()
        heard = [manager.recv(1000) for _ in range(3)]

    assert heard == [b"READY=1", b"WATCHDOG=1\nSTATUS=scanned", b"STOPPING=1"]


def test_an_absent_service_manager_is_no_trouble(tmp_path: Path) -> None:
    """The agent works without being watched."""
    SystemdNotifier(str(tmp_path / "nobody")).progress("scanned")


def test_the_boot_is_named_without_giving_its_id_away(tmp_path: Path) -> None:
    """docs/WIRE.md 3.1: SHA-256 over a tag and the kernel's boot id."""
    folder = tmp_path / "proc/sys/kernel/random"
    folder.mkdir(parents=True)
    boot_id = "8f5c2f0a-0000-4000-8000-000000000000"
    (folder / "boot_id").write_text(boot_id + "\n")
    (tmp_path / "proc/uptime").write_text("12345.67 99.0\n")
    boot = KernelFacts(tmp_path).boot()

    assert boot.uptime_s == 12345
    assert boot.bootseed == sha256_b64(b"chipledger/boot/1\x00" + boot_id.encode())


def test_a_kernel_that_tells_nothing_is_an_error(tmp_path: Path) -> None:
    """With a hint at the sandbox."""
    with pytest.raises(AgentError) as caught:
        KernelFacts(tmp_path).boot()

    assert "/proc" in caught.value.hint


def test_the_real_clock_and_chance_are_what_they_say() -> None:
    """Whole seconds since 1970, a clock that never goes back, bytes that differ."""
    clock, chance = SystemClock(), KernelEntropy()

    assert clock.now_s() > 1_700_000_000
    assert clock.monotonic_ms() <= clock.monotonic_ms()
    assert chance.octets(32) != chance.octets(32)
    assert 0 <= chance.below(3) < 3


def test_each_event_is_one_json_object_a_line() -> None:
    """With a fixed name, its level and a time; below the level nothing."""
    stream = io.StringIO()
    journal = JsonJournal(level="warning", stream=stream)
    journal.event("cycle-done", seq=1)
    journal.trouble("report-refused", seq=2, code="foreign-nonce")

    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["seq"]) == ("report-refused", "warning", 2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", entry["timestamp"])


def test_metrics_count_what_cycles_came_to() -> None:
    """Reports by profile, refusals by code, skips by reason."""
    metrics = AgentMetrics(clock=ManualClock(now_s=1_790_000_000))
    signed = [
        Signed(seq=1, cause=Cause.FIRST, challenged=True, resumed=False),
        Signed(seq=2, cause=None, challenged=False, resumed=False),
    ]
    metrics.observe(Outcome(signed=signed, stored=2, waiting=3))
    metrics.observe(Outcome(refused=["wrong-site"], skipped="spool-full", failure="disk-full"))
    lines = metrics.text().decode().splitlines()

    for expected in (
        'chipledger_agent_reports_signed_total{profile="full"} 1.0',
        'chipledger_agent_reports_signed_total{profile="heartbeat"} 1.0',
        "chipledger_agent_reports_stored_total 2.0",
        'chipledger_agent_reports_refused_total{code="wrong-site"} 1.0',
        'chipledger_agent_scans_skipped_total{reason="spool-full"} 1.0',
        'chipledger_agent_collector_failures_total{code="disk-full"} 1.0',
        "chipledger_agent_reports_waiting 0.0",
        "chipledger_agent_cycles_total 2.0",
        "chipledger_agent_last_contact_timestamp_seconds 1.79e+09",
    ):
        assert expected in lines


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AgentError(AgentCode.CONFIG_UNKNOWN_KEY, ""), Exit.CONFIG),
        (AgentError(AgentCode.PIN_UNREADABLE, ""), Exit.CONFIG),
        (AgentError(AgentCode.KEY_EXPOSED, ""), Exit.NOT_ENROLLED),
        (AgentError(AgentCode.NOT_ENROLLED, ""), Exit.NOT_ENROLLED),
        (AgentError(AgentCode.STORAGE_FAILED, ""), Exit.STORAGE),
        (AgentError(AgentCode.STATE_IN_USE, ""), Exit.IN_USE),
        (CollectorUnavailable(AgentCode.COLLECTOR_UNREACHABLE, ""), Exit.WAITING),
        (CollectorRefused("used-enrolment-code", ""), Exit.REFUSED),
    ],
)
def test_errors_have_their_exit_codes(error: AgentError, expected: Exit) -> None:
    """So that a script can tell them apart."""
    assert exit_of_error(error) is expected


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(stored=1), Exit.OK),
        (Outcome(waiting=1, failure="collector-busy"), Exit.WAITING),
        (Outcome(failure="revoked-key", waiting=1), Exit.REFUSED),
        (Outcome(refused=["wrong-site"]), Exit.REFUSED),
        (Outcome(skipped="spool-full"), Exit.STORAGE),
    ],
)
def test_outcomes_have_their_exit_codes(outcome: Outcome, expected: Exit) -> None:
    """The worst of what happened."""
    assert exit_of_outcome(outcome) is expected


def test_enrolment_names_each_board_serial_once() -> None:
    """Two chips may share a board; a code may be tied to serials."""
    clock = ManualClock()
    collector = SimulatedCollector(clock)
    signer = SeededSigner("applicant")
    answer = enrol(
        collector.give_code("kul-1"),
        Applicant(signer=signer, tier=KeyTier.SOFTWARE, ueid=ueid("host", b"x")),
        scan=Scan(inventory=inventory(provider="mock")),
        collector=collector,
        clock=clock,
    )

    assert answer.kid == signer.public.kid
    assert collector.enrolled[signer.public.kid].host == answer.host


def test_credentials_of_a_proxy_are_read_from_their_file(tmp_path: Path) -> None:
    """And quoted, so that no character of a password changes the address."""
    secret = tmp_path / "secret"
    secret.write_text("user:p@ss/word\n")

    assert proxy_url("http://proxy.example:1", secret) == (
        "http://user:p%40ss%2Fword@proxy.example:1"
    )
    assert proxy_url("http://proxy.example:1", None) == "http://proxy.example:1"
    with pytest.raises(AgentError):
        proxy_url("http://proxy.example:1", tmp_path / "absent")
