"""Builders of appraised hosts; a test changes the one thing it is about."""

from collections.abc import Sequence

from chipledger_evidence.appraisal.appraise import (
    ChipFacts,
    ReceivedEvidence,
    SelfReport,
    appraise,
)
from chipledger_evidence.appraisal.policy import FactName, shipped_policy
from chipledger_evidence.appraisal.results import ChipResult, HostResult
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.ids import sha256_b64
from chipledger_testing.claims import HOST, SITE

AT_S = 1_790_000_000
PASSED = ("chain", "class", "signature", "nonce")


def evidence(*, age_s: int = 3600, device_class: str = "gpu", **facts: str) -> ReceivedEvidence:
    """Return good evidence whose measurements match, with `facts` changed."""
    said = dict.fromkeys((*PASSED, "firmware", "measurements"), "pass")
    said |= {"revocation": "not-checked"} | facts
    return ReceivedEvidence(
        received_ms=(AT_S - age_s) * 1000,
        device_class=device_class,
        facts={FactName(name): value for name, value in said.items()},
        digest=sha256_b64(b"evidence"),
    )


def chip(
    label: str = "0123456789abcdef",
    *,
    signed: ReceivedEvidence | None = None,
    tier: KeyTier = KeyTier.SOFTWARE,
    disputed: bool = False,
) -> ChipResult:
    """Return a chip that its driver lists, with or without evidence of its own."""
    report = SelfReport(fresh=True, checks_pass=True, since_ms=(AT_S - 86_400) * 1000)
    facts = ChipFacts(tier=tier, report=report, evidence=signed, disputed=disputed)
    verdict = appraise(facts, shipped_policy(), at_ms=AT_S * 1000)
    return ChipResult(label=label, appraisal=verdict, evidence=signed, disputed=disputed)


def host(
    chips: Sequence[ChipResult] = (), *, tier: KeyTier = KeyTier.SOFTWARE, partial: bool = False
) -> HostResult:
    """Return a host whose key is enrolled."""
    return HostResult(host=HOST, site=SITE, tier=tier, partial=partial, chips=tuple(chips))
