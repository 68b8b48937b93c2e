"""The agent as a process: signals, service manager, metrics, and sudden death."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.cli.exits import Exit
from chipledger_testing.collector import SimulatedCollector
from chipledger_testing.collector_http import served
from chipledger_testing.nvml import host_of, write_machine
from chipledger_testing.suites import CHECKOUT

PATIENCE_S = 30


@dataclass(slots=True, kw_only=True)
class Host:
    """A folder in which an agent lives, and the collector it reports to."""

    folder: Path
    collector: SimulatedCollector
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the agent on the simulated machine."""
        machine, config = str(self.folder / "machine.json"), str(self.folder / "agent.toml")
        double = ["-m", "chipledger_testing.agent", "--machine", machine, "--"]
        return [sys.executable, *double, "--config", config, *arguments]

    def type(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            self.command(*arguments),
            input=text,
            env=self._environ(),
            capture_output=True,
            text=True,
            check=False,
        )

    @contextmanager
    def service(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the service while the block does; its log is in the file ``log``."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(self.command("run"), env=self._environ(), stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def _environ(self) -> dict[str, str]:
        support = {"PYTHONPATH": str(CHECKOUT / "tests" / "support")}
        return {"PATH": os.environ["PATH"], **support, **self.environment}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Give an enrolled host that reports every second."""
    write_machine(host_of("l40s", seed="service"), tmp_path / "machine.json")
    collector = SimulatedCollector(SystemClock(), interval_s=1)
    with served(collector) as url:
        (tmp_path / "agent.toml").write_text(
            f'state_dir = "{tmp_path}/state"\n[collector]\nurl = "{url}"\n'
        )
        made = Host(folder=tmp_path, collector=collector)
        enrolled = made.type("enroll", text=collector.give_code("kul-1"))
        assert enrolled.returncode == Exit.OK, enrolled.stderr
        yield made


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.02)


def test_the_service_reports_and_ends_in_peace(host: Host) -> None:
    """On SIGTERM it finishes what it does, says so, and exits with 0."""
    with host.service() as process:
        wait_for(lambda: len(host.collector.kept) >= 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == Exit.OK

    events = [json.loads(line)["event"] for line in (host.folder / "log").read_text().splitlines()]
    assert events[0] == "started"
    assert events[-1] == "stopped"
    assert json.loads(host.type("status", "--json").stdout)["waiting"] == 0


def test_the_service_manager_is_told(host: Host) -> None:
    """Readiness, work, and the end, over NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(host.folder / "notify"))
        manager.settimeout(PATIENCE_S)
        host.environment = {
            "NOTIFY_SOCKET": str(host.folder / "notify"),
            "WATCHDOG_USEC": "3000000",
        }
        with host.service() as process:
            assert manager.recv(1000) == b"READY=1"
            assert manager.recv(1000).startswith(b"WATCHDOG=1\nSTATUS=")
            process.send_signal(signal.SIGTERM)
            while (message := manager.recv(1000)) != b"STOPPING=1":
                assert message.startswith(b"WATCHDOG=1\n")
            process.wait(PATIENCE_S)


def scrape(path: Path) -> str:
    """Return what the metrics socket answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(path))
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_metrics_are_served_on_a_unix_socket(host: Host) -> None:
    """While the service runs."""
    path = host.folder / "metrics.sock"
    with (host.folder / "agent.toml").open("a") as file:
        file.write(f'[metrics]\nlisten = "unix:{path}"\n')
    with host.service():
        wait_for(path.exists)
        wait_for(lambda: "chipledger_agent_reports_stored_total 1.0" in scrape(path))

    # A socket left behind by a killed service is no obstacle.
    with host.service():
        wait_for(lambda: len(host.collector.kept) >= 3)


def test_sudden_death_at_any_moment_loses_and_doubles_nothing(host: Host) -> None:
    """Killed again and again, wherever it happens to be; the chain is whole in the end."""
    for moment in range(8):
        with host.service():
            before = len(host.collector.kept)
            wait_for(lambda before=before: len(host.collector.kept) > before)  # type: ignore[misc]
            time.sleep(moment * 0.15)
    assert host.type("once").returncode == Exit.OK

    claims = host.collector.claims()
    tokens = [*host.collector.kept]
    assert [item.seq for item in claims] == list(range(1, len(claims) + 1))
    assert [item.prev for item in claims[1:]] == tokens[:-1]
    assert not any(item.resumed or item.refused for item in claims)
