"""The demo keeps its promises: README says that it shows what was planted, and ends."""

import os
import subprocess
import sys

import pytest

from chipledger_testing.suites import CHECKOUT

FINDINGS = {"duplicate-identity", "silent-host", "unknown-sku"}


@pytest.mark.timeout(400)
def test_demo_shows_what_was_planted_and_ends() -> None:
    """Exit status 0; both verdicts right at each site; each planted finding in words."""
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
    for finding in FINDINGS:
        assert f" {finding}" in said
    assert "What this cannot see" in said
    assert "verified" not in said.lower()


def _sites(said: str) -> list[str]:
    """Return the text of each site's balance, in the order of their ids."""
    starts = [said.index(f"\n{site}: ") for site in ("blr-1", "kul-1", "waw-1")]
    ends = [*starts[1:], said.index("\nGrades: ")]
    return [said[start:end] for start, end in zip(starts, ends, strict=True)]
