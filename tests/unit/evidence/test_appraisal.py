"""From facts to a grade, under the shipped policy."""

from dataclasses import replace

import msgspec
import pytest

from chipledger_evidence.appraisal.appraise import (
    ChipFacts,
    ReceivedEvidence,
    SelfReport,
    appraise,
)
from chipledger_evidence.appraisal.grades import GRADE_WORDS, Grade
from chipledger_evidence.appraisal.policy import (
    AppraisalPolicy,
    FactName,
    parse_policy,
    shipped_policy,
)
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.enrolment import KeyTier

HOUR_MS = 3_600_000
AT_MS = 1_795_000_000_000
GOOD = dict.fromkeys(("chain", "class", "signature", "nonce"), "pass") | {
    "firmware": "not-stated",
    "revocation": "not-checked",
    "measurements": "not-checked",
}
REPORTED = SelfReport(fresh=True, checks_pass=True, since_ms=AT_MS - 48 * HOUR_MS)


def evidence(*, age_ms: int = HOUR_MS, device_class: str = "gpu", **facts: str) -> ReceivedEvidence:
    """Return good evidence with `facts` changed."""
    named = {FactName(name): value for name, value in (GOOD | facts).items()}
    return ReceivedEvidence(received_ms=AT_MS - age_ms, device_class=device_class, facts=named)


def stated(name: str, value: str) -> ReceivedEvidence:
    """Return good evidence of which one fact is another."""
    good = evidence()
    return replace(good, facts={**good.facts, FactName(name): value})


def facts(
    *,
    report: SelfReport | None = REPORTED,
    signed: ReceivedEvidence | None = None,
    best: Grade = Grade.G0,
) -> ChipFacts:
    """Return what is known of a chip."""
    return ChipFacts(tier=KeyTier.SOFTWARE, report=report, evidence=signed, best=best)


def grade(known: ChipFacts) -> Grade:
    """Return the grade now."""
    return appraise(known, shipped_policy(), at_ms=AT_MS).grade


def test_what_only_the_driver_says_is_self_reported() -> None:
    """It is present, and nothing more is expected of it."""
    verdict = appraise(facts(), shipped_policy(), at_ms=AT_MS)
    assert (verdict.grade, verdict.expected, verdict.dropped) == (Grade.G1, Grade.G1, False)
    assert verdict.counts
    assert verdict.reasons[0].startswith(GRADE_WORDS[Grade.G1])


@pytest.mark.parametrize(
    "report",
    [None, replace(REPORTED, checks_pass=False)],
    ids=["never listed", "views differ"],
)
def test_a_driver_s_word_counts_only_with_agreeing_views(report: SelfReport | None) -> None:
    """Everything else is as good as a declaration, and says why."""
    verdict = appraise(facts(report=report), shipped_policy(), at_ms=AT_MS)
    assert (verdict.grade, verdict.counts, verdict.dropped) == (Grade.G0, False, False)
    assert len(verdict.reasons) == 3


def test_a_silent_chip_is_known_as_well_as_before_and_is_not_present() -> None:
    """How it is known, and whether it is there, are two questions."""
    silent = replace(REPORTED, fresh=False)
    for signed, expected in ((None, Grade.G1), (evidence(), Grade.G3)):
        verdict = appraise(facts(report=silent, signed=signed), shipped_policy(), at_ms=AT_MS)
        assert (verdict.grade, verdict.counts) == (expected, False)
        assert "no fresh report of its host lists it" in verdict.reasons


def test_a_signature_raises_the_grade_of_a_listed_line_alone() -> None:
    """Where views differ, nothing says that the chip which signed is this line."""
    assert grade(facts(signed=evidence())) is Grade.G3
    odd = replace(REPORTED, checks_pass=False)
    assert grade(facts(report=odd, signed=evidence())) is Grade.G0
    assert grade(facts(report=None, signed=evidence())) is Grade.G0


@pytest.mark.parametrize("name", ["chain", "class", "signature", "nonce"])
@pytest.mark.parametrize("value", ["fail", "not-checked", "not-stated"])
def test_every_needed_fact_must_have_been_checked_and_hold(name: str, value: str) -> None:
    """Nothing unchecked passes for proven."""
    assert grade(facts(signed=stated(name, value))) is Grade.G1


@pytest.mark.parametrize("name", ["firmware", "revocation"])
def test_other_facts_may_be_unknown_but_not_wrong(name: str) -> None:
    """Old firmware states no id; a revoked certificate ends everything."""
    assert grade(facts(signed=stated(name, "not-checked"))) is Grade.G3
    assert grade(facts(signed=stated(name, "fail"))) is Grade.G1


def test_reference_values_do_not_decide_identity() -> None:
    """Firmware that no manifest knows runs on a genuine chip all the same."""
    assert grade(facts(signed=evidence(measurements="fail"))) is Grade.G3


@pytest.mark.parametrize("device_class", ["nvswitch", "board", "unknown"])
def test_a_genuine_switch_or_board_is_no_chip(device_class: str) -> None:
    """Though every signature is good."""
    assert grade(facts(signed=evidence(device_class=device_class))) is Grade.G1


@pytest.mark.parametrize(
    ("age_ms", "expected"),
    [(0, Grade.G3), (26 * HOUR_MS, Grade.G3), (26 * HOUR_MS + 1, Grade.G1), (-1, Grade.G1)],
)
def test_evidence_lifts_a_grade_for_26_hours(age_ms: int, expected: Grade) -> None:
    """From the moment it is received, and never before."""
    assert grade(facts(signed=evidence(age_ms=age_ms))) is expected


def test_a_verdict_says_when_it_ends() -> None:
    """So that somebody can be there then."""
    verdict = appraise(facts(signed=evidence(age_ms=HOUR_MS)), shipped_policy(), at_ms=AT_MS)
    assert verdict.lapses_ms == AT_MS + 25 * HOUR_MS
    assert appraise(facts(), shipped_policy(), at_ms=AT_MS).lapses_ms is None


def test_falling_below_what_was_shown_once_is_a_drop() -> None:
    """However long ago it was shown."""
    verdict = appraise(facts(best=Grade.G3), shipped_policy(), at_ms=AT_MS)
    assert (verdict.grade, verdict.expected, verdict.dropped) == (Grade.G1, Grade.G3, True)


def test_a_silent_host_s_chips_do_not_drop() -> None:
    """Silence is a finding of its own."""
    silent = replace(REPORTED, fresh=False)
    assert not appraise(facts(report=silent, best=Grade.G3), shipped_policy(), at_ms=AT_MS).dropped


@pytest.mark.parametrize(("since_ms", "dropped"), [(2 * HOUR_MS - 1, False), (2 * HOUR_MS, True)])
def test_a_host_that_comes_back_has_time_for_its_first_round(
    since_ms: int,
    dropped: bool,  # noqa: FBT001 - a table
) -> None:
    """A weekend without power is no drop."""
    back = replace(REPORTED, since_ms=AT_MS - since_ms)
    verdict = appraise(facts(report=back, best=Grade.G3), shipped_policy(), at_ms=AT_MS)
    assert verdict.dropped is dropped


def test_a_disputed_chip_keeps_its_grade_and_counts_nowhere_here() -> None:
    """How it is known, and where it counts, are two questions."""
    verdict = appraise(
        replace(facts(signed=evidence()), disputed=True), shipped_policy(), at_ms=AT_MS
    )
    assert (verdict.grade, verdict.counts) == (Grade.G3, False)


def test_the_shipped_policy_covers_every_tier_and_has_a_digest() -> None:
    """It can be named in a verdict, and every change gives it another name."""
    policy = shipped_policy()
    assert set(policy.key_tiers) == set(KeyTier)
    assert policy.evidence_lifetime_s == 26 * 3600
    longer = msgspec.structs.replace(policy, evidence_lifetime_s=27 * 3600)
    assert longer.digest != policy.digest
    assert parse_policy(encode_canonical(policy)).digest == policy.digest


@pytest.mark.parametrize(
    "change",
    [{"evidence_lifetime_s": 43_200}, {"key_tiers": {}}, {"valid_to": "2020-01-01"}],
    ids=["no time to renew", "a tier without meaning", "ends before it starts"],
)
def test_a_policy_that_cannot_be_meant_is_refused(change: dict[str, object]) -> None:
    """A verdict under it would be worth nothing."""
    members = msgspec.to_builtins(shipped_policy()) | change
    with pytest.raises(ValueError, match=r"."):
        parse_policy(msgspec.json.encode(members))


def test_a_policy_with_an_unknown_member_is_refused() -> None:
    """What is not understood is not applied."""
    members = msgspec.to_builtins(shipped_policy()) | {"evidence_lifetime_h": 26}
    with pytest.raises(ValueError, match="evidence_lifetime_h"):
        parse_policy(msgspec.json.encode(members))


def test_policies_compare_by_content() -> None:
    """Two readings of one file are one policy."""
    assert isinstance(shipped_policy(), AppraisalPolicy)
    assert parse_policy(encode_canonical(shipped_policy())) == shipped_policy()
