"""The whole way: the shipped command line on a host whose chips sign, to the collector's side."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from chipledger_agent import wiring
from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.cli import main
from chipledger_agent.cli.exits import Exit
from chipledger_evidence.claims import FullReport
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.gpu.envelope import device_nonce
from chipledger_evidence.gpu.verify import Fact, Level, level, verify_envelope
from chipledger_testing.collector import SimulatedCollector
from chipledger_testing.collector_http import served
from chipledger_testing.gpu_pki import NOW, PKI
from chipledger_testing.nvml import Machine, host_of, write_machine
from chipledger_testing.nvml.child import mock_command
from chipledger_testing.nvml.evidence_child import mock_evidence_command
from chipledger_testing.nvml.signing import with_signing_chips


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One host and its collector."""

    folder: Path
    collector: SimulatedCollector
    url: str

    def run(self, machine: Machine, evidence: str, *arguments: str) -> Exit:
        """Run a command on `machine`, with `evidence` as that table of the configuration."""
        path = write_machine(machine, self.folder / "machine.json")
        (self.folder / "agent.toml").write_text(
            f'state_dir = "{self.folder}/state"\n[collector]\nurl = "{self.url}"\n'
            f"[evidence]\n{evidence}\n"
        )
        build = partial(
            wiring.build,
            scan_child=mock_command(path),
            evidence_child=mock_evidence_command(path),
            environ={},
        )
        return Exit(main(["--config", str(self.folder / "agent.toml"), *arguments], build=build))

    def enrol(self, machine: Machine) -> None:
        """Enrol the host."""
        (self.folder / "code").write_text(self.collector.give_code("kul-1"))
        code = str(self.folder / "code")
        assert self.run(machine, "", "enroll", "--code-file", code) is Exit.OK


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Return a collector with nobody enrolled."""
    collector = SimulatedCollector(SystemClock())
    with served(collector) as url:
        yield Site(folder=tmp_path, collector=collector, url=url)


def test_every_chip_of_the_host_is_proven_at_the_collector(site: Site) -> None:
    """Eight envelopes over one nonce, bound to challenge and key, each of its own chip."""
    machine = with_signing_chips(host_of("hgx-h100", seed="once"))
    site.enrol(machine)
    assert site.run(machine, "nvml = true", "once") is Exit.OK

    full, proof = site.collector.claims()
    (kid,) = site.collector.enrolled
    nonce = device_nonce(b64url_decode(proof.eat_nonce), b64url_decode(kid))
    assert isinstance(full, FullReport)
    facts = {
        ref.chip: verify_envelope(
            site.collector.blobs[ref.digest], nonce=nonce, pins=PKI.pins, now=NOW
        )
        for ref in proof.evidence
    }
    assert {level(each) for each in facts.values()} == {Level.CHIP_SIGNED}
    assert {each.nonce for each in facts.values()} == {Fact.PASS}
    assert [facts[place].pdi for place in range(8)] == [chip.pdi for chip in full.inventory.chips]
    assert {(reason.source, reason.code) for reason in proof.no_evidence} == {
        ("corelib", "cc-on"),
        ("corelib", "no-switch-witness"),
        ("redfish", "redfish-not-configured"),
    }


def test_a_second_run_does_not_ask_the_chips_again(site: Site) -> None:
    """When they were asked is remembered over processes."""
    machine = with_signing_chips(host_of("hgx-h100", seed="once"))
    site.enrol(machine)
    for _ in range(2):
        assert site.run(machine, "nvml = true", "once") is Exit.OK

    assert [bool(claims.evidence) for claims in site.collector.claims()] == [False, True, False]


def test_an_h100_outside_confidential_computing_says_why_it_cannot_be_proven(site: Site) -> None:
    """With nothing switched on, as installed: in the full report itself, by code."""
    machine = host_of("hgx-h100", seed="once")
    site.enrol(machine)
    assert site.run(machine, "", "once") is Exit.OK

    (full,) = site.collector.claims()
    assert [(reason.source, reason.code) for reason in full.no_evidence] == [
        ("nvml", "cc-off"),
        ("corelib", "not-offered-by-architecture"),
        ("corelib", "no-switch-witness"),
        ("redfish", "redfish-not-configured"),
    ]
    assert site.collector.blobs == {}
