"""Writes an attestation result as EAR (draft-ietf-rats-ear-04), a signed JWT.

One submodule ``host`` and one for each chip. The status of a submodule is that of its worst
claim, the overall one that of the worst submodule. Raw evidence is never inside: its digest is,
and the bytes are had from the collector.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from chipledger_evidence.appraisal.policy import AppraisalPolicy
from chipledger_evidence.appraisal.results import (
    ChipResult,
    HostResult,
    chip_vector,
    host_vector,
)
from chipledger_evidence.appraisal.trust import Tier, Vector, status_of, worst
from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.keys import Signer

PROFILE: Final = "tag:ietf.org,2026:rats/ear#04"
APPRAISAL_PROFILE: Final = "tag:chipledger.org,2026:appraisal#1"
"""Names the members of `ear_verifier_claims` that this project writes."""
HOST_LABEL: Final = "host"
DEVELOPER: Final = "https://chipledger.org"
NONCE_BYTES: Final = range(8, 65)
"""How long a nonce may be."""
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """When, by whom and for whom a result is issued.

    Attributes:
        at_s: Unix seconds.
        build: name and version of the software that judged.
        expires_s: Unix seconds after which it must not be used, or None.
        nonce: 8 to 64 bytes of whoever asked, or None.
    """

    at_s: int
    build: str
    expires_s: int | None = None
    nonce: bytes | None = None


def write_ear(result: HostResult, policy: AppraisalPolicy, *, issue: Issue, signer: Signer) -> str:
    """Return a host's result as a compact JWT.

    Raises:
        ValueError: two chips have one label, one is called ``host``, or the nonce is too short
            or too long.
    """
    payload = _ENCODER.encode(ear_claims(result, policy, issue=issue))
    header = {"alg": signer.public.alg, "kid": signer.public.kid, "typ": "eat+jwt"}
    signed = f"{b64url_encode(_ENCODER.encode(header))}.{b64url_encode(payload)}"
    return f"{signed}.{b64url_encode(signer.sign(signed.encode('ascii')))}"


def ear_claims(result: HostResult, policy: AppraisalPolicy, *, issue: Issue) -> dict[str, Any]:
    """Return the claims of a host's result.

    Raises:
        ValueError: as `write_ear`.
    """
    submods = {HOST_LABEL: _submod(host_vector(result, policy), policy, _said_of_host(result))}
    for chip in result.chips:
        if chip.label in submods:
            raise ValueError(f"two submodules are called {chip.label}")
        vector = chip_vector(chip, policy, debug=result.unsafe)
        submods[chip.label] = _submod(vector, policy, _said_of_chip(chip))
    claims: dict[str, Any] = {
        "ear_status": worst(Tier(submod["ear_status"]) for submod in submods.values()).value,
        "ear_verifier_id": {"build": issue.build, "developer": DEVELOPER},
        "eat_profile": PROFILE,
        "iat": issue.at_s,
        "submods": submods,
    }
    if issue.expires_s is not None:
        claims["exp"] = issue.expires_s
    if issue.nonce is not None:
        if len(issue.nonce) not in NONCE_BYTES:
            raise ValueError(f"a nonce of {len(issue.nonce)} bytes, 8 to 64 are allowed")
        claims["eat_nonce"] = b64url_encode(issue.nonce)
    return claims


def policy_id(policy: AppraisalPolicy) -> str:
    """Return a policy's name in a result: its digest as RFC 6920 writes one."""
    return f"ni:///sha-256;{policy.digest}"


def _submod(vector: Vector, policy: AppraisalPolicy, said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ear_appraisal_policy_ids": [policy_id(policy)],
        "ear_status": status_of(vector).value,
        "ear_trustworthiness_vector": {name.value: value for name, value in vector.items()},
        "ear_verifier_claims": said,
        "eat_profile": APPRAISAL_PROFILE,
    }


def _said_of_host(result: HostResult) -> dict[str, Any]:
    said: dict[str, Any] = {
        "host": result.host,
        "key_standing": result.standing.value,
        "key_tier": result.tier.value,
        "partial": result.partial,
        "site": result.site,
    }
    if result.test_site:
        said["test_site"] = True
    times = {"as_of_ms": result.as_of_ms, "known_at_ms": result.known_at_ms}
    return said | {name: value for name, value in times.items() if value is not None}


def _said_of_chip(chip: ChipResult) -> dict[str, Any]:
    verdict = chip.appraisal
    said: dict[str, Any] = {
        "counts": verdict.counts,
        "dropped": verdict.dropped,
        "expected": verdict.expected.value,
        "grade": verdict.grade.value,
        "reasons": list(verdict.reasons),
    }
    named = {"pdi": chip.pdi, "place": chip.place}
    said |= {name: value for name, value in named.items() if value is not None}
    if chip.evidence is not None:
        said["evidence"] = {
            "device_class": chip.evidence.device_class,
            "facts": {name.value: value for name, value in chip.evidence.facts.items()},
            "received": chip.evidence.received_ms // 1000,
        }
        if chip.evidence.digest is not None:
            said["evidence"]["digest"] = chip.evidence.digest
    return said
