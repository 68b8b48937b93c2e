"""From appraisals to trustworthiness vectors: what one host and each of its chips deserve.

What the driver says of a chip is data from a source that attests nothing (`sourced-data` 32),
and a result that rests on it is never affirming.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chipledger_evidence.appraisal.appraise import (
    FAIL,
    PASS,
    Appraisal,
    ReceivedEvidence,
    chip_signed,
)
from chipledger_evidence.appraisal.grades import Grade
from chipledger_evidence.appraisal.policy import AppraisalPolicy, FactName
from chipledger_evidence.appraisal.trust import (
    AFFIRMED,
    COMPROMISED,
    CRYPTO_FAILED,
    ELEMENTS_UNAVAILABLE,
    NO_CLAIM,
    UNATTESTED_SOURCE,
    UNKNOWN_ELEMENTS,
    UNRECOGNISED,
    UNRECOGNISED_RUNTIME,
    UNSAFE_CONFIGURATION,
    Category,
    Tier,
    Vector,
    status_of,
)
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.ids import HostId, SiteId

_STANDS: Final = (Category.HARDWARE, Category.INSTANCE_IDENTITY)


class KeyStanding(StrEnum):
    """What the collector knows of a host's key."""

    ENROLLED = "enrolled"
    REVOKED = "revoked"
    RETIRED = "retired"  # two people said that the host will not report any more
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipResult:
    """One chip of a host, appraised.

    Attributes:
        label: names it in the result, e.g. its PDI or UUID; unique on the host, never ``host``.
        appraisal: the verdict.
        evidence: the evidence that the verdict looked at, or None.
        disputed: another host's claim to it stands against this one.
        pdi: its PDI, where it is known.
        place: its position in the host's inventory, where it is listed.
    """

    label: str
    appraisal: Appraisal
    evidence: ReceivedEvidence | None = None
    disputed: bool = False
    pdi: str | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    """One host and its chips, appraised.

    Attributes:
        host: its id.
        site: its site.
        tier: what holds its key.
        standing: what is known of its key.
        partial: NVML refused a query or saw less than there is.
        debug: the host says that a debug or development mode is on.
        test_site: simulated chips are believed at its site, so nothing of it is affirming.
        chips: its chips.
        as_of_ms: what was true at, Unix milliseconds; None: when the result is issued.
        known_at_ms: what was known at, as `as_of_ms`.
    """

    host: HostId
    site: SiteId
    tier: KeyTier
    standing: KeyStanding = KeyStanding.ENROLLED
    partial: bool = False
    debug: bool = False
    test_site: bool = False
    chips: tuple[ChipResult, ...] = ()
    as_of_ms: int | None = None
    known_at_ms: int | None = None

    @property
    def unsafe(self) -> bool:
        """Tell whether nothing that runs there may be affirmed."""
        return self.debug or self.test_site


def chip_vector(chip: ChipResult, policy: AppraisalPolicy, *, debug: bool) -> Vector:
    """Return the vector of one chip."""
    vector = _evidence_vector(chip, policy, debug=debug)
    return {**vector, Category.INSTANCE_IDENTITY: COMPROMISED} if chip.disputed else vector


def _evidence_vector(chip: ChipResult, policy: AppraisalPolicy, *, debug: bool) -> Vector:
    if _failed(chip.evidence, policy):
        return {Category.HARDWARE: CRYPTO_FAILED}
    if chip.evidence is None or chip.appraisal.grade < Grade.G3:
        return dict.fromkeys(_STANDS, NO_CLAIM)
    vector = {Category.HARDWARE: AFFIRMED}
    measurements = chip.evidence.facts.get(FactName.MEASUREMENTS)
    if measurements == PASS:
        vector[Category.EXECUTABLES] = AFFIRMED
        vector[Category.INSTANCE_IDENTITY] = AFFIRMED
    else:
        wrong = measurements == FAIL
        vector[Category.EXECUTABLES] = UNRECOGNISED_RUNTIME if wrong else UNKNOWN_ELEMENTS
    if debug:
        vector[Category.CONFIGURATION] = UNSAFE_CONFIGURATION
    return vector


def _failed(evidence: ReceivedEvidence | None, policy: AppraisalPolicy) -> bool:
    """Tell whether evidence is wrong, which is worse than none."""
    if evidence is None or chip_signed(evidence, policy):
        return False
    rule = policy.chip_signed
    checked = {*rule.must_pass, *rule.must_not_fail}
    return any(evidence.facts.get(name) == FAIL for name in checked)


def host_vector(result: HostResult, policy: AppraisalPolicy) -> Vector:
    """Return the vector of a host: its key, and the data that came through it."""
    identity = {
        KeyStanding.ENROLLED: policy.key_tiers[result.tier].instance_identity,
        KeyStanding.REVOKED: COMPROMISED,
        KeyStanding.RETIRED: COMPROMISED,
        KeyStanding.UNKNOWN: UNRECOGNISED,
    }[result.standing]
    vector = {
        Category.INSTANCE_IDENTITY: identity,
        Category.SOURCED_DATA: _sourced_data(result, policy),
    }
    if result.partial:
        vector[Category.CONFIGURATION] = ELEMENTS_UNAVAILABLE
    elif result.test_site:
        vector[Category.CONFIGURATION] = UNSAFE_CONFIGURATION
    return vector


def _sourced_data(result: HostResult, policy: AppraisalPolicy) -> int:
    if any(chip.disputed or _failed(chip.evidence, policy) for chip in result.chips):
        return COMPROMISED
    proven = [
        status_of(chip_vector(chip, policy, debug=result.unsafe)) is Tier.AFFIRMING
        for chip in result.chips
    ]
    return AFFIRMED if proven and all(proven) else UNATTESTED_SOURCE
