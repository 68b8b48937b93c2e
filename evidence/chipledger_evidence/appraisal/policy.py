"""The appraisal policy: dated, versioned data that says which facts are worth which grade.

A verdict names its policy by id, version and digest. The digest covers the canonical encoding
of the parsed policy, so white space and order in the file do not matter, and nothing in the
file can be left out of it.
"""

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import msgspec

from chipledger_evidence.codec import Wire, encode_canonical
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.ids import Digest, sha256_b64, whole

_FILE: Final = files("chipledger_evidence.appraisal") / "data" / "policy-2026-11-23.json"

Day = Annotated[str, whole("[0-9]{4}-[0-9]{2}-[0-9]{2}")]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=366 * 86_400)]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class FactName(StrEnum):
    """What can be checked of device evidence, each a fact of its own."""

    CHAIN = "chain"
    CLASS = "class"
    SIGNATURE = "signature"
    NONCE = "nonce"
    FIRMWARE = "firmware"
    REVOCATION = "revocation"
    MEASUREMENTS = "measurements"


class ChipSigned(Wire, frozen=True, kw_only=True):
    """What makes evidence a chip's own statement.

    Attributes:
        device_class: the class that the certificate must name.
        must_pass: facts that must have been checked and hold.
        must_not_fail: facts that may be unchecked or unstated, but not wrong.
    """

    device_class: Words
    must_pass: Annotated[tuple[FactName, ...], msgspec.Meta(min_length=1)]
    must_not_fail: tuple[FactName, ...] = ()


class TierMeaning(Wire, frozen=True, kw_only=True):
    """What a host key's tier is worth.

    Attributes:
        instance_identity: the AR4SI value of an enrolled key of this tier; 1 is no claim, which
            keeps a result from being affirming.
        words: what holds the key.
    """

    instance_identity: Annotated[int, msgspec.Meta(ge=1, le=2)]
    words: Words


class AppraisalPolicy(Wire, frozen=True, kw_only=True):
    """Which facts are worth which grade.

    Attributes:
        id: stable name; versions of one policy share it.
        version: version of its content.
        valid_from: first day it speaks of (UTC calendar day).
        source: why it is so.
        evidence_round_s: seconds between two rounds of evidence that a host is asked for.
        evidence_lifetime_s: seconds for which evidence lifts a chip's grade, the end included.
        evidence_grace_s: seconds a host that was away has for its first round of evidence.
        chip_signed: what makes evidence a chip's own statement (grade G3).
        key_tiers: what a host key's tier is worth, for every tier.
        valid_to: last day, inclusive; absent while open.
    """

    id: Words
    version: Day
    valid_from: Day
    source: Words
    evidence_round_s: Seconds
    evidence_lifetime_s: Seconds
    evidence_grace_s: Seconds
    chip_signed: ChipSigned
    key_tiers: dict[KeyTier, TierMeaning]
    valid_to: Day | None = None

    @property
    def evidence_lifetime_ms(self) -> int:
        """For how long evidence lifts a chip's grade, milliseconds."""
        return self.evidence_lifetime_s * 1000

    @property
    def evidence_grace_ms(self) -> int:
        """How long a host that was away has for its first round of evidence, milliseconds."""
        return self.evidence_grace_s * 1000

    @property
    def digest(self) -> Digest:
        """Return base64url(SHA-256(canonical encoding)) of this policy."""
        return sha256_b64(encode_canonical(self))


def parse_policy(data: bytes) -> AppraisalPolicy:
    """Return the policy in `data` (JSON, any layout).

    Raises:
        ValueError: it is not of the format, a key tier has no meaning, evidence would end before
            the next round of it, or the policy ends before it starts.
    """
    policy = msgspec.json.decode(data, type=AppraisalPolicy, strict=True)
    if set(policy.key_tiers) != set(KeyTier):
        raise ValueError("every key tier needs its meaning")
    if policy.evidence_lifetime_s <= policy.evidence_round_s:
        raise ValueError("evidence must live longer than a round of it takes to come again")
    if policy.valid_to is not None and policy.valid_to < policy.valid_from:
        raise ValueError("the policy ends before it starts")
    return policy


@cache
def shipped_policy() -> AppraisalPolicy:
    """Return the newest shipped policy."""
    return parse_policy(_FILE.read_bytes())
