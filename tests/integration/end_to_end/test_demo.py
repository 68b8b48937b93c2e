"""The demo keeps its promises: README says that it shows what was planted, and ends."""

import os
import subprocess
import sys

import pytest

from chipledger_testing.demo.story import HIDDEN
from chipledger_testing.gpu_pki import GpuMaker, Shape
from chipledger_testing.suites import CHECKOUT

FINDINGS = {"duplicate-identity", "hidden-chip", "silent-host", "unknown-sku"}


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
    sites = dict(zip(("blr-1", "kul-1", "waw-1"), _sites(said), strict=True))
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


def _row(balance: str, sku: str) -> tuple[str, ...]:
    """Return how many chips of a model are present by grade, G4 first, and declared (G0)."""
    table = balance[balance.index("  G4  G3  G2  G1  G0  ") :].splitlines()
    words = next(line.split() for line in table if line.startswith(f"  {sku} "))
    return tuple(words[-10:-5])  # behind them: unaccounted, overage, disputed, silent, verdict


def _sites(said: str) -> list[str]:
    """Return the text of each site's balance, in the order of their ids."""
    starts = [said.index(f"\n{site}: ") for site in ("blr-1", "kul-1", "waw-1")]
    ends = [*starts[1:], said.index("\nGrades: ")]
    return [said[start:end] for start, end in zip(starts, ends, strict=True)]
