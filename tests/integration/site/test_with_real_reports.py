"""What readers are shown of reports that really came in through the agents' doors."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chipledger_evidence.codec import b64url_decode, b64url_encode
from chipledger_evidence.entry import entry_hash
from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.commands import Commands
from chipledger_testing.hosts import SimulatedHost, simulated

APPLIED_S = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A collector with one host that sent two reports, and an auditor's token."""

    collector: CollectorProcess
    host: SimulatedHost
    leaves: list[str]
    token: str

    def read(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Return what an auditor is answered."""
        headers = {"authorization": f"Bearer {self.token}"}
        reply = self.collector.request("GET", f"/api/v1{path}", None, headers)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reported]:
    """Return a running collector that has applied everything it was sent."""
    folder = tmp_path_factory.mktemp("reported")
    with running(folder) as collector:
        commands = Commands(folder)
        commands.site("johor")
        commands.done("receive", "--site", "johor", "--unit", "HGX-H100-8", "--serials", "SRV-1")
        create = ("code", "create", "--site", "johor", "--uses", "1", "--expires-in", "1h")
        host = simulated("reported")
        collector.enrol(host, commands.done(*create).strip())
        first = collector.report(host.full(collector.challenge(host).nonce)).report()
        second = collector.report(host.heartbeat(first.epoch)).report()
        token = commands.done("principal", "add", "ada", "--role", "auditor").strip()
        made = Reported(
            collector=collector,
            host=host,
            leaves=[one.leaf for answer in (first, second) for one in answer.results],  # type: ignore[union-attr]
            token=token,
        )
        _wait_until_applied(made)
        yield made


def _wait_until_applied(reported: Reported) -> None:
    deadline = time.monotonic() + APPLIED_S
    while time.monotonic() < deadline:
        chain = reported.read(f"/hosts/{reported.host.host}/chain")["items"]
        if len(chain) == len(reported.leaves) and all(
            link["log_index"] is not None for link in chain
        ):
            return
        time.sleep(0.1)
    raise AssertionError("the sequencer did not apply the reports")


def test_eight_signed_chips_are_balanced(reported: Reported) -> None:
    """Present, self-reported, and filling the server that was received."""
    report = reported.read("/sites/johor/balance")["report"]
    row = report["rows"][0]

    assert row["sku"] == "H100-SXM5-80GB"
    assert row["present"] == {"G1": 8, "G2": 0, "G3": 0, "G4": 0}
    assert (row["book"], row["unaccounted"], row["overage"]) == (8, 0, 0)
    assert report["physical"] == "agrees"


def test_a_host_shows_what_it_signed(reported: Reported) -> None:
    """Three views of eight, chips by name, and a key that is in the log."""
    detail = reported.read(f"/hosts/{reported.host.host}")

    assert [view["gpus"] for view in detail["views"]] == [8, 8, 8]
    assert [device["uuid"] for device in detail["devices"]] == [
        chip.uuid for chip in reported.host.inventory.chips
    ]
    assert {device["standing"] for device in detail["devices"]} == {"present"}
    assert detail["keys"][0]["kid"] == reported.host.signer.public.kid


def test_receipts_are_found_in_the_log(reported: Reported) -> None:
    """The leaf a host was answered with is at the index its chain names."""
    links = reported.read(f"/hosts/{reported.host.host}/chain")["items"]

    assert [link["leaf"] for link in reversed(links)] == reported.leaves
    for link in links:
        assert reported.read(f"/log/{link['log_index']}")["leaf"] == link["leaf"]


def test_every_entry_proves_its_record(reported: Reported) -> None:
    """Tokens, enrolment, events and decisions alike: record and salt lead to the leaf."""
    entries = reported.read("/log?limit=1000")["items"]

    assert {"token", "enrolment", "event", "decision"} <= {entry["type"] for entry in entries}
    for entry in entries:
        salted = b64url_decode(entry["salt"]) + entry["record"].encode()
        said = json.loads(entry["entry"])
        assert said["digest"] == b64url_encode(hashlib.sha256(salted).digest())
        assert entry["leaf"] == b64url_encode(entry_hash(entry["entry"].encode()))
