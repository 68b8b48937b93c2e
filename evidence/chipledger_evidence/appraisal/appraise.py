"""From facts about one chip on one host to its grade: one pure function.

A grade says how a chip is known, never that what is said of it is true. What nobody but the
driver said is self-reported (G1), whatever stands around it. G2 and G4 are reserved: no fact
that this version knows leads to them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chipledger_evidence.appraisal.grades import GRADE_WORDS, Grade
from chipledger_evidence.appraisal.policy import AppraisalPolicy, FactName
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.gpu.facts import EvidenceFacts
from chipledger_evidence.ids import Digest

PASS: Final = "pass"  # noqa: S105 - the word for a fact that holds
FAIL: Final = "fail"
_MS: Final = 1000
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfReport:
    """What the driver says of the chip.

    Attributes:
        fresh: whether the host's newest fresh report lists it and the host is not silent.
        checks_pass: whether NVML, PCI and the kernel module agree on it, and name a chip.
        since_ms: begin of the host's unbroken run of fresh reports, Unix milliseconds.
    """

    fresh: bool
    checks_pass: bool
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvidence:
    """Verified evidence of a chip, received over the host that claims it.

    Attributes:
        received_ms: when its token arrived, Unix milliseconds.
        device_class: class that the certificate names.
        facts: what was checked, by name: ``pass``, ``fail``, ``not-checked``, ``not-stated``.
        digest: names the stored bytes.
    """

    received_ms: int
    device_class: str
    facts: Mapping[FactName, str]
    digest: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipFacts:
    """Everything that is known of one chip on one host, at one time.

    Attributes:
        tier: what holds the host's key.
        report: what the driver says, or None where it never listed the chip.
        evidence: the newest evidence of the chip from this host, or None.
        best: the highest grade that its evidence ever gave the chip, G0 where it had none.
        disputed: another host's claim to the chip stands against this one.
    """

    tier: KeyTier
    report: SelfReport | None = None
    evidence: ReceivedEvidence | None = None
    best: Grade = Grade.G0
    disputed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """The verdict on one chip.

    Attributes:
        grade: how it is known now.
        expected: how it was known at best, this time included: what may be expected of it.
        dropped: it is there, and is known less well than expected, and the time to show it
            again is over.
        counts: it is present: fresh, G1 or better, and its claim is not disputed.
        reasons: in words, why this grade.
        lapses_ms: last moment of the grade unless evidence comes again; absent where it stays.
    """

    grade: Grade
    expected: Grade
    dropped: bool
    counts: bool
    reasons: tuple[str, ...]
    lapses_ms: int | None = None


def as_received(
    facts: EvidenceFacts, at_ms: int, *, digest: Digest | None = None
) -> ReceivedEvidence:
    """Return what was checked of a device's statement that arrived at a time."""
    return ReceivedEvidence(
        received_ms=at_ms,
        device_class=facts.device_class.value,
        facts={name: facts.of(name).value for name in FactName},
        digest=digest,
    )


def grade_of(*, listed: bool, signed: bool) -> Grade:
    """Return how a chip is known: by itself, by its driver, or by documents alone.

    Args:
        listed: its driver listed it, and no other view contradicts that. A signature raises the
            grade of such a line and of nothing else: where views differ, nothing says that the
            chip which signed is this line.
        signed: a statement of its own, which counts now, arrived from the host.
    """
    if not listed:
        return Grade.G0
    return Grade.G3 if signed else Grade.G1


def is_current(received_ms: int, *, at_ms: int, lifetime_ms: int) -> bool:
    """Tell whether what arrived at one time counts at another: from then on, the end included."""
    return 0 <= at_ms - received_ms <= lifetime_ms


def appraise(facts: ChipFacts, policy: AppraisalPolicy, *, at_ms: int) -> Appraisal:
    """Return the verdict on a chip as of `at_ms`.

    Evidence received at `r` counts in [r, r + lifetime]. How a chip is known does not change
    when its host falls silent; it is not present then. A host that has just come back has the
    grace of the policy before a chip counts as dropped, so that its first round can arrive.
    """
    signed = _why_not_signed(facts.evidence, policy, at_ms)
    listed = facts.report is not None and facts.report.checks_pass
    grade = grade_of(listed=listed, signed=not signed)
    expected = max(facts.best, grade)
    fresh = facts.report is not None and facts.report.fresh
    return Appraisal(
        grade=grade,
        expected=expected,
        dropped=expected > grade and _is_due(facts.report, policy, at_ms),
        counts=fresh and grade > Grade.G0 and not facts.disputed,
        reasons=_reasons(grade, signed, _why_not_reported(facts.report), facts),
        lapses_ms=_lapses_ms(facts.evidence, policy) if grade is Grade.G3 else None,
    )


def chip_signed(evidence: ReceivedEvidence, policy: AppraisalPolicy) -> bool:
    """Tell whether evidence is a chip's own statement, whatever its age."""
    return not _faults(evidence, policy)


def _is_due(report: SelfReport | None, policy: AppraisalPolicy, at_ms: int) -> bool:
    """Tell whether a chip that is listed has had the time to show again what it once showed."""
    if report is None or not report.fresh:
        return False  # silence is a finding of its own
    return at_ms >= report.since_ms + policy.evidence_grace_s * _MS


def _lapses_ms(evidence: ReceivedEvidence | None, policy: AppraisalPolicy) -> int | None:
    return None if evidence is None else evidence.received_ms + policy.evidence_lifetime_ms


def _why_not_signed(
    evidence: ReceivedEvidence | None, policy: AppraisalPolicy, at_ms: int
) -> Sequence[str]:
    if evidence is None:
        return ("the chip has signed nothing",)
    if faults := _faults(evidence, policy):
        return faults
    lifetime_ms = policy.evidence_lifetime_ms
    if is_current(evidence.received_ms, at_ms=at_ms, lifetime_ms=lifetime_ms):
        return ()
    if evidence.received_ms > at_ms:
        return ("its evidence came later",)
    return (f"its evidence is older than {lifetime_ms // _HOUR_MS} hours",)


def _faults(evidence: ReceivedEvidence, policy: AppraisalPolicy) -> Sequence[str]:
    rule = policy.chip_signed
    faults = []
    if evidence.device_class != rule.device_class:
        faults.append(f"its evidence is of a {evidence.device_class}, not a {rule.device_class}")
    faults += [
        f"its evidence's {name} is {evidence.facts.get(name, 'not-stated')}"
        for name in rule.must_pass
        if evidence.facts.get(name) != PASS
    ]
    faults += [
        f"its evidence's {name} is {FAIL}"
        for name in rule.must_not_fail
        if evidence.facts.get(name) == FAIL
    ]
    return faults


def _why_not_reported(report: SelfReport | None) -> Sequence[str]:
    if report is None:
        return ("no driver has listed it",)
    if not report.fresh:
        return ("no fresh report of its host lists it",)
    if not report.checks_pass:
        return ("the views of NVML, PCI and the kernel module do not agree on it",)
    return ()


def _reasons(
    grade: Grade, signed: Sequence[str], reported: Sequence[str], facts: ChipFacts
) -> tuple[str, ...]:
    known = {
        Grade.G3: "the chip signed over our nonce",
        Grade.G1: "the driver says so, and its views agree",
    }.get(grade, "nothing that is known now speaks for it")
    said = [f"{GRADE_WORDS[grade]}: {known}", *signed, *reported]
    if facts.disputed:
        said.append("another host's claim to it stands: it counts there")
    return tuple(said)
