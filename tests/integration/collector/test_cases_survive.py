"""What somebody did about a finding outlives the process that answered, and a replay of the log."""

import json
import signal
from pathlib import Path
from typing import Any

from chipledger_book.terms import Severity
from chipledger_server.adapters.clock import SystemClock
from chipledger_server.adapters.entropy import system_entropy
from chipledger_server.domain.findings import About
from chipledger_testing.casework import noting_in
from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.commands import Commands


def act(collector: CollectorProcess, token: str, key: str, **said: str) -> int:
    """Take a step over HTTP and return the status."""
    reply = collector.request(
        "POST",
        f"/api/v1/findings/{key}/actions",
        json.dumps(said).encode(),
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    return reply.status


def trail(collector: CollectorProcess, token: str, key: str) -> list[dict[str, Any]]:
    """Return what the collector says happened to a finding."""
    reply = collector.request(
        "GET", f"/api/v1/findings/{key}/trail", None, {"authorization": f"Bearer {token}"}
    )
    items: list[dict[str, Any]] = json.loads(reply.body)["items"]
    return items


def test_every_answered_step_outlives_a_kill_and_a_retry_adds_none(tmp_path: Path) -> None:
    """Killed right after each answer: the step is there once, however often it is sent."""
    with running(tmp_path) as collector:
        commands = Commands(tmp_path)
        commands.site("johor")
        token = commands.done("principal", "add", "ada", "--role", "auditor").strip()
        about = About(kind="missing", subject="johor", site="johor", severity=Severity.HIGH)
        with noting_in(tmp_path / "collector.sqlite", system_entropy) as noting:
            key = noting.open(about, "x", SystemClock().now_ms(), {"pieces": 1, "tpp": 1})
        for number in range(3):
            said = {"action": "comment", "reason": f"step {number}", "request": f"r-{number}"}
            assert act(collector, token, key, **said) == 200
            collector.stop(signal.SIGKILL)
            collector.start()
            assert act(collector, token, key, **said) == 200
        reasons = [step["reason"] for step in trail(collector, token, key)]
        assert reasons == [None, "step 0", "step 1", "step 2"]
