"""The demo keeps its promises: README says that it shows what was planted, and ends."""

import os
import subprocess
import sys

import pytest

from chipledger_testing.demo.story import HIDDEN
from chipledger_testing.gpu_pki import GpuMaker, Shape
from chipledger_testing.suites import CHECKOUT

FINDINGS = {
    "cap-exceeded",
    "duplicate-identity",
    "hidden-chip",
    "missing",
    "never-attested",
    "receipt-unmatched",
    "rma-open",
    "silent-host",
    "unknown-sku",
}
SITES = ("blr-1", "jkt-1", "kul-1", "waw-1")


@pytest.mark.timeout(400)
def test_demo_shows_what_was_planted_and_ends() -> None:
    """Exit status 0; verdicts and grades right at each site; each planted finding in words."""
    done = subprocess.run(
        [sys.executable, "-m", "chipledger_testing.demo", "--once"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "tests" / "support")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    sites = dict(zip(SITES, _sites(said), strict=True))
    assert "authorisation: EXCEEDED" in sites["kul-1"]
    assert "physical: AGREES" in sites["kul-1"]
    assert "physical: UNACCOUNTED" in sites["waw-1"]
    assert "8 chips unaccounted for" in sites["waw-1"]
    assert "authorisation: WITHIN" in sites["waw-1"]
    assert "1 chip silent; 1 chip disputed" in sites["blr-1"]
    assert _row(sites["kul-1"], "H100-SXM5-80GB") == ("0", "8", "0", "24", "0")
    assert _row(sites["waw-1"], "B200-SXM6-180GB") == ("0", "8", "0", "8", "8")
    assert _row(sites["blr-1"], "H200-SXM-141GB") == ("0", "7", "0", "0", "0")
    assert "1 chip unaccounted for" in sites["blr-1"]
    assert GpuMaker(HIDDEN, Shape.HOPPER).pdi in said[said.index("Open findings") :]
    assert "cc-off, asked nvml" in said[said.index("What the chips signed themselves") :]
    for finding in FINDINGS:
        assert f" {finding}" in said
    assert "What this cannot see" in said
    assert "verified" not in said.lower()
    _check_the_delivery(said, sites["jkt-1"])
    _check_the_people(said)


def _check_the_delivery(said: str, site: str) -> None:
    """Shipped with the maker's key, received on paper, two servers attested, one stopped."""
    assert "8 chips silent" in site
    assert "9 chips unaccounted for" in site  # a server that never attested, and the RMA's card
    assert _row(site, "H200-SXM-141GB") == ("0", "0", "0", "8", "0")
    ledger = _part(said, "The ledger of the delivery", "Open findings")
    events = {
        "3 x HGX-H200-8 on the way": "shipper meridian-chips: signed with the party's own key",
        "3 x HGX-H200-8, under": "operator nusantara-data: entered in a session, not signed",
        "8 H200-SXM-141GB on jkt-h200-1": "recorded by the collector from attestation",
        "8 H200-SXM-141GB on jkt-h200-2": "recorded by the collector from attestation",
    }
    for event, word in events.items():
        assert word in ledger[ledger.index(event) :].split("\n  2", 1)[0], event
    found = " ".join(_part(said, "Open findings", "What was said of two of them").split())
    assert "missing jkt-1 8 chips (H200-SXM-141GB: 8) on the book answered once" in found
    assert "Last seen on jkt-h200-2: 8" in found
    assert "customs (bea-cukai-fictional, PIB-2209-17) recorded 8 chips" in found
    assert "sent back in case RMA-4711, and the vendor has not said that it has them" in found
    assert "borrowed-hardware" not in found


def _check_the_people(said: str) -> None:
    """Rules by two people, findings by three, a month signed by both sides, and who is late."""
    assert "administrator loads shorter timers, demo-auditor-2 approves them" in said
    cases = " ".join(_part(said, "What was said of two of them", "Who is late").split())
    accepted, rejected = cases.split("missing at jkt-1: now open")
    assert "never-attested at jkt-1: now accepted" in accepted
    assert "demo-auditor (auditor) proposes to accept" in accepted
    assert "demo-auditor-2 (auditor) confirm" in accepted
    assert "jakarta-operator (operator) explain, with a paper" in rejected
    assert "demo-auditor (auditor) reject: ticket 812" in rejected
    late = _part(said, "Who is late", "Report 'current inventory'")
    for who, must in (
        ("nusantara-data", "attest what arrived for the first time"),
        ("meridian-chips", "confirm what came back by RMA"),
        ("nusantara-data", "book what an outsider recorded"),
        ("jakarta-operator", "acknowledge the finding"),
    ):
        assert any(line.split()[0] == who and must in line for line in late.splitlines() if line)
    signed = [line for line in said.splitlines() if "signs it" in line]
    digests = {line.split()[-1] for line in signed}
    assert (len(signed), len(digests)) == (2, 1)
    for role in ("auditor", "auditor-2", "operator of jkt-1", "administrator"):
        assert f"\n  {role} " in said[said.index("Screens, as each") :]


def _part(said: str, first: str, after: str) -> str:
    """Return what was said from one heading up to another."""
    return said[said.index(f"\n{first}") : said.index(f"\n{after}")]


def _row(balance: str, sku: str) -> tuple[str, ...]:
    """Return how many chips of a model are present by grade, G4 first, and declared (G0)."""
    table = balance[balance.index("  G4  G3  G2  G1  G0  ") :].splitlines()
    words = next(line.split() for line in table if line.startswith(f"  {sku} "))
    return tuple(words[-10:-5])  # behind them: unaccounted, overage, disputed, silent, verdict


def _sites(said: str) -> list[str]:
    """Return the text of each site's balance, in the order of their ids."""
    starts = [said.index(f"\n{site}: ") for site in SITES]
    ends = [*starts[1:], said.index("\nGrades: ")]
    return [said[start:end] for start, end in zip(starts, ends, strict=True)]
