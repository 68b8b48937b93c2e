"""Drawn chips that sign for themselves after the draw, at a real collector with its own worker."""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chipledger_book.counts.sampling import commitment_of
from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.commands import Commands
from chipledger_testing.counting import SEED
from chipledger_testing.gpu_pki import PKI, GpuMaker, spki
from chipledger_testing.rounds import answer, host_of

AT = "/api/v1/sites/johor/samples"
MAKERS = tuple(GpuMaker(number) for number in range(3))
JUDGED_S = 60


def asks(
    collector: CollectorProcess, token: str, path: str, said: Mapping[str, Any] | None = None
) -> Any:  # noqa: ANN401 - any JSON
    """Return the answer of the API; a question where nothing is said."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    method, body = ("GET", None) if said is None else ("POST", json.dumps(said).encode())
    reply = collector.request(method, path, body, headers)
    assert reply.status < 300, reply.body
    return json.loads(reply.body)


def logged(collector: CollectorProcess, token: str, kind: str) -> None:
    """Wait until the log has an entry of a type: what it records is applied by then."""
    deadline = time.monotonic() + JUDGED_S
    while time.monotonic() < deadline:
        if any(one["type"] == kind for one in asks(collector, token, "/api/v1/log")["items"]):
            return
        time.sleep(0.1)
    raise AssertionError(f"the log has no {kind}")


def test_an_answer_says_whether_the_chip_or_its_host_gave_it(tmp_path: Path) -> None:
    """Nothing from before the draw counts; then two of three sign, and one is its host's word."""
    roots = tmp_path / "roots"
    roots.write_text(hashlib.sha256(spki(PKI.root.key)).hexdigest() + "\n")
    with running(tmp_path, f'[evidence]\ntest_roots_file = "{roots}"\n') as collector:
        commands = Commands(tmp_path)
        commands.site("johor")
        create = ("code", "create", "--site", "johor", "--uses", "1", "--expires-in", "1h")
        host = host_of("signed", MAKERS)
        collector.enrol(host, commands.done(*create).strip())
        assert collector.report(host.full(collector.challenge(host).nonce)).status == 200
        token = commands.done("principal", "add", "ada", "--role", "auditor").strip()
        logged(collector, token, "token")
        plan = {
            "hole": {"by": "chips", "amount": 1},
            "confidence_ppm": 999_999,
            "commitment": commitment_of(SEED),
        }
        key = asks(collector, token, AT, plan)["plan"]["digest"]
        drawn = asks(collector, token, f"{AT}/{key}/draw", {"seed": SEED.hex()})
        assert [one["answer"] for one in drawn["units"]] == [None, None, None]

        made = answer(host, collector.challenge(host).nonce, {0: MAKERS[0], 1: MAKERS[1]})
        assert collector.report(made.token, blobs=made.blobs).status == 200
        logged(collector, token, "result")
        units = asks(collector, token, f"{AT}/{key}")["units"]

    heard = {one["pdi"]: (one["answer"]["by"], one["answer"]["grade"]) for one in units}
    assert heard == {
        MAKERS[0].pdi: ("chip-signature", "G3"),
        MAKERS[1].pdi: ("chip-signature", "G3"),
        MAKERS[2].pdi: ("host-report", "G1"),
    }
    assert len({one["answer"]["token"] for one in units}) == 1
