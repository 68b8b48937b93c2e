"""A commitment and a draw outlive the process that answered, in the log and beside it."""

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chipledger_book.counts.sampling import commitment_of
from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.commands import Commands
from chipledger_testing.counting import SEED

AT = "/api/v1/sites/johor/samples"


def asks(
    collector: CollectorProcess, token: str, path: str, said: Mapping[str, Any] | None = None
) -> tuple[int, Any]:
    """Return status and answer of the API; a question where nothing is said."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    method, body = ("GET", None) if said is None else ("POST", json.dumps(said).encode())
    reply = collector.request(method, path, body, headers)
    return reply.status, json.loads(reply.body)


def killed(collector: CollectorProcess) -> None:
    """Kill the collector right after its answer, and start it anew."""
    collector.stop(signal.SIGKILL)
    collector.start()


def test_commitment_and_draw_outlive_a_kill(tmp_path: Path) -> None:
    """Killed right after each answer: the plan is drawn by its seed, once, and by no other."""
    with running(tmp_path) as collector:
        commands = Commands(tmp_path)
        commands.site("johor")
        commands.done("receive", "--site", "johor", "--unit", "HGX-H100-8", "--serials", "SRV-1")
        token = commands.done("principal", "add", "ada", "--role", "auditor").strip()
        plan = {"hole": {"by": "chips", "amount": 2}, "commitment": commitment_of(SEED)}
        status, made = asks(collector, token, AT, plan)
        assert status == 201, made
        key = made["plan"]["digest"]
        killed(collector)
        assert asks(collector, token, AT, plan)[1]["code"] == "commitment-used"
        wrong = asks(collector, token, f"{AT}/{key}/draw", {"seed": bytes(32).hex()})
        assert (wrong[0], wrong[1]["code"]) == (409, "commitment-mismatch")

        status, drawn = asks(collector, token, f"{AT}/{key}/draw", {"seed": SEED.hex()})
        assert status == 200, drawn
        killed(collector)

        again = asks(collector, token, f"{AT}/{key}/draw", {"seed": SEED.hex()})
        assert (again[0], again[1]["code"]) == (409, "already-drawn")
        shown = asks(collector, token, f"{AT}/{key}")[1]
        assert shown["drawn_digest"] == drawn["drawn_digest"]
        assert [one["unit"] for one in shown["units"]] == [one["unit"] for one in drawn["units"]]
