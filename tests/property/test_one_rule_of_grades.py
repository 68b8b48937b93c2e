"""One rule: collector, appraisal and verifier never say different things of the same facts."""

from itertools import product

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from chipledger_evidence.appraisal.appraise import (
    ChipFacts,
    ReceivedEvidence,
    SelfReport,
    appraise,
    as_received,
    chip_signed,
    is_current,
)
from chipledger_evidence.appraisal.policy import FactName, shipped_policy
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.gpu.device import DeviceClass
from chipledger_evidence.gpu.facts import FACTS, EvidenceFacts, Fact, Level, level
from chipledger_server.config import Evidence
from chipledger_server.usecases.physical import Claim, Patience, Reading, Standing, settle
from chipledger_server.wiring import SIGNATURE_MS

POLICY = shipped_policy()
LIFETIME_MS = POLICY.evidence_lifetime_ms
LIMIT_MS = 3 * 3_600_000
AT_MS = 1_795_000_000_000
SIGNED = {Level.CHIP_SIGNED, Level.CHIP_SIGNED_FIRMWARE}
AGES = st.none() | st.sampled_from((0, 1, LIFETIME_MS - 1, LIFETIME_MS, LIFETIME_MS + 1))
AGES |= st.integers(0, 2 * LIFETIME_MS)


def test_what_the_policy_calls_signed_is_what_the_verifier_calls_chip_signed() -> None:
    """For every device class and every outcome of every fact."""
    differing = []
    for device_class in DeviceClass:
        for values in product(Fact, repeat=len(FACTS)):
            facts = shown(device_class, dict(zip(FACTS, values, strict=True)))
            if chip_signed(as_received(facts, AT_MS), POLICY) != (level(facts) in SIGNED):
                differing.append(facts)
    assert differing == []


def test_policy_and_verifier_ask_the_same_questions() -> None:
    """No fact is judged by one and unknown to the other."""
    assert tuple(name.value for name in FactName) == FACTS


def test_the_collector_s_times_are_the_policy_s() -> None:
    """Nothing else says how long a signature counts, or how often one is asked for."""
    assert (SIGNATURE_MS, Evidence().interval_s) == (LIFETIME_MS, POLICY.evidence_round_s)
    assert (LIFETIME_MS, POLICY.evidence_round_s) == (26 * 3_600_000, 12 * 3600)


@given(
    reading=st.sampled_from(Reading),
    known=st.booleans(),
    signed_age_ms=AGES,
    heard_age_ms=st.sampled_from((0, LIMIT_MS, LIMIT_MS + 1)),
    disputed=st.booleans(),
)
def test_a_settled_claim_has_the_grade_of_its_appraisal(
    *,
    reading: Reading,
    known: bool,
    signed_age_ms: int | None,
    heard_age_ms: int,
    disputed: bool,
) -> None:
    """And it is present where the appraisal counts it."""
    signed_ms = None if signed_age_ms is None else AT_MS - signed_age_ms
    claim = Claim(
        chip=1 if known else None,
        site="johor",
        host="a",
        place=0,
        reading=reading,
        since_ms=0,
        until_ms=AT_MS - heard_age_ms,
        signed_ms=signed_ms,
    )
    patience = Patience(limit_ms=LIMIT_MS, signature_ms=LIFETIME_MS)
    marked = frozenset({(1, "a")} if disputed else ())
    (settled,) = settle([claim], [], marked, patience=patience, at_ms=AT_MS)
    verdict = appraise(facts_of(claim, disputed=disputed), POLICY, at_ms=AT_MS)

    assert settled.grade is verdict.grade
    assert (settled.standing is Standing.PRESENT) is verdict.counts


def shown(device_class: DeviceClass, facts: dict[str, Fact]) -> EvidenceFacts:
    """Return what one device's statement shows."""
    return msgspec.convert({"device_class": device_class, **facts}, EvidenceFacts)


def facts_of(claim: Claim, *, disputed: bool) -> ChipFacts:
    """Return the facts that a claim stands for."""
    named = claim.chip is not None and claim.reading in {Reading.READ, Reading.LOST}
    answered = claim.reading is Reading.READ and AT_MS - claim.until_ms <= LIMIT_MS
    evidence = None
    if claim.signed_ms is not None:
        evidence = ReceivedEvidence(
            received_ms=claim.signed_ms,
            device_class=POLICY.chip_signed.device_class,
            facts=dict.fromkeys(POLICY.chip_signed.must_pass, "pass"),
        )
    return ChipFacts(
        tier=KeyTier.SOFTWARE,
        report=SelfReport(fresh=answered, checks_pass=named, since_ms=claim.since_ms),
        evidence=evidence,
        disputed=disputed and named,
    )


@given(st.integers(-LIFETIME_MS, 2 * LIFETIME_MS))
def test_both_ends_of_the_lifetime_are_inside(age_ms: int) -> None:
    """From the arrival on, and at 26 hours still; not a millisecond before or after."""
    counts = is_current(AT_MS - age_ms, at_ms=AT_MS, lifetime_ms=LIFETIME_MS)
    assert counts is (0 <= age_ms <= LIFETIME_MS)
    patience = Patience(limit_ms=LIMIT_MS, signature_ms=LIFETIME_MS)
    assert patience.signed(AT_MS - age_ms, AT_MS) is counts


def test_a_policy_that_asks_for_more_lets_fewer_chips_count() -> None:
    """The collector follows the policy, not the verifier's word for a level."""
    strict = msgspec.structs.replace(
        POLICY,
        chip_signed=msgspec.structs.replace(
            POLICY.chip_signed, must_pass=(*POLICY.chip_signed.must_pass, FactName.MEASUREMENTS)
        ),
    )
    passed = dict.fromkeys(FACTS, Fact.PASS) | {"measurements": Fact.NOT_CHECKED}
    facts = shown(DeviceClass.GPU, passed)
    assert level(facts) is Level.CHIP_SIGNED
    assert chip_signed(as_received(facts, AT_MS), POLICY)
    assert not chip_signed(as_received(facts, AT_MS), strict)
