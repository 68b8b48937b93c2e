"""Reads attestation results of any verifier, in both claim styles that are in use.

The profile decides the style: names with underscores since the third draft of the working
group, names with dots in the text before and in the software that follows it. Unknown claims
are ignored, as the draft asks; what is known is read strictly. What is read is the word of
whoever signed it, and nothing here says who may be believed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NoReturn, TypeVar

from chipledger_evidence.appraisal.errors import EarCode, EarError
from chipledger_evidence.appraisal.trust import Category, Tier, Vector, best_allowed, worse, worst
from chipledger_evidence.codec import MAX_TOKEN_BYTES, b64url_decode
from chipledger_evidence.keys import P256_ORDER, SIGNATURE_BYTES, PublicKey

UNDERSCORES: Final = frozenset(f"tag:ietf.org,2026:rats/ear#{draft:02}" for draft in (3, 4, 5))
DOTS: Final = frozenset({"tag:github.com,2023:veraison/ear"})
MOST_SUBMODS: Final = 1024
_PARTS: Final = 3
T = TypeVar("T")
_VALUES: Final = range(-128, 128)
_TIERS: Final = {tier.value: tier for tier in Tier}
_CATEGORIES: Final = {category.value: category for category in Category}
_TYPES: Final = frozenset({"eat+jwt", "JWT", "jwt", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class EarSubmod:
    """One attester's appraisal.

    Attributes:
        status: its overall status.
        vector: the breakdown, empty where the verifier left it out.
        policies: identifiers of the policies applied, in order.
        profile: names extensions of this appraisal, or None.
        said: what the verifier added.
    """

    status: Tier
    vector: Vector
    policies: tuple[str, ...]
    profile: str | None
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """An attestation result.

    Attributes:
        profile: the profile it is written in.
        issued_s: Unix seconds.
        expires_s: Unix seconds after which it must not be used, or None.
        developer: who made the verifier.
        build: which verifier it was.
        status: the overall status: as stated, else that of the worst submodule.
        submods: the appraisals by label.
        nonce: base64url of the nonce of whoever asked, or None.
    """

    profile: str
    issued_s: int
    expires_s: int | None
    developer: str
    build: str
    status: Tier
    submods: Mapping[str, EarSubmod]
    nonce: str | None


def read_ear(text: str, key: PublicKey) -> Ear:
    """Return the result in a compact JWT, if `key` signed it.

    Either form of an ECDSA signature is accepted, since other verifiers do not choose: a result
    is never named by its signature.

    Raises:
        EarError: it is no attestation result of a known style.
        EvidenceError: `bad-signature`, `malformed-base64`.
    """
    if len(text) > 2 * MAX_TOKEN_BYTES:
        _refuse(f"{len(text)} characters")
    parts = text.split(".")
    if len(parts) != _PARTS:
        _refuse(f"{len(parts)} parts instead of 3")
    header, payload, signature = (b64url_decode(part) for part in parts)
    _check_header(_object(header), key)
    key.verify(_low(signature, key), text.rpartition(".")[0].encode("ascii"))
    return read_ear_claims(payload)


def read_ear_claims(payload: bytes) -> Ear:
    """Return the result in a claims set that nobody's signature stands behind yet.

    Raises:
        EarError: `malformed-ear`, `ear-unknown-profile` or `ear-status-too-good`.
    """
    if len(payload) > MAX_TOKEN_BYTES:
        _refuse(f"{len(payload)} bytes")
    claims = _object(payload)
    profile = _text(claims, "eat_profile")
    if profile not in UNDERSCORES | DOTS:
        raise EarError(EarCode.UNKNOWN_PROFILE, f"profile {profile[:80]}")
    names = _Names(dots=profile in DOTS)
    submods = _submods(claims, names)
    lowest = worst(submod.status for submod in submods.values())
    status = _tier(claims[names.status]) if names.status in claims else lowest
    if worse(lowest, status):
        raise EarError(EarCode.STATUS_TOO_GOOD, f"{status} over a submodule that is {lowest}")
    verifier = _member(claims, names.verifier, dict)
    return Ear(
        profile=profile,
        issued_s=_member(claims, "iat", int),
        expires_s=_member(claims, "exp", int) if "exp" in claims else None,
        developer=_text(verifier, "developer"),
        build=_text(verifier, "build"),
        status=status,
        submods=MappingProxyType(submods),
        nonce=_text(claims, "eat_nonce") if "eat_nonce" in claims else None,
    )


class _Names:
    """What the claims of one style are called."""

    def __init__(self, *, dots: bool) -> None:
        self.status = "ear.status" if dots else "ear_status"
        self.verifier = "ear.verifier-id" if dots else "ear_verifier_id"
        self.vector = "ear.trustworthiness-vector" if dots else "ear_trustworthiness_vector"
        self.policy = "ear.appraisal-policy-id" if dots else "ear_appraisal_policy_ids"
        self.said = "ear_verifier_claims"


def _submods(claims: Mapping[str, Any], names: _Names) -> dict[str, EarSubmod]:
    submods = _member(claims, "submods", dict)
    if not 1 <= len(submods) <= MOST_SUBMODS:
        _refuse(f"{len(submods)} submodules")
    return {label: _submod(label, submods, names) for label in submods}


def _submod(label: str, submods: Mapping[str, Any], names: _Names) -> EarSubmod:
    members = _member(submods, label, dict)
    vector = _vector(members.get(names.vector, {}))
    if names.status not in members:
        _refuse(f"submodule {label[:80]} has no status")
    status = _tier(members[names.status])
    if names.vector in members and worse(best_allowed(vector), status):
        claims = ", ".join(f"{category} {claim}" for category, claim in vector.items())
        raise EarError(EarCode.STATUS_TOO_GOOD, f"{label[:80]} is {status} over {claims}")
    return EarSubmod(
        status=status,
        vector=vector,
        policies=_policies(members.get(names.policy)),
        profile=_text(members, "eat_profile") if "eat_profile" in members else None,
        said=MappingProxyType(_member({"": members.get(names.said, {})}, "", dict)),
    )


def _vector(value: object) -> Vector:
    if not isinstance(value, dict):
        _refuse("a vector is an object")
    vector = {}
    for name, claim in value.items():
        category = _CATEGORIES.get(name)
        if category is None:
            continue  # a category of a later draft
        if type(claim) is not int or claim not in _VALUES:
            _refuse(f"{name} is no value of the vector")
        vector[category] = claim
    return MappingProxyType(vector)


def _policies(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        _refuse("policies are named by texts")
    return tuple(listed)


def _tier(value: object) -> Tier:
    tier = _TIERS.get(value) if isinstance(value, str) else None
    if tier is None:
        _refuse("a status is one of none, affirming, warning, contraindicated")
    return tier


def _check_header(header: Mapping[str, Any], key: PublicKey) -> None:
    names = {key.alg, "EdDSA"} if key.alg == "Ed25519" else {key.alg}
    if header.get("alg") not in names:
        _refuse("another algorithm than the key's")
    if "crit" in header or str(header.get("typ", "")) not in _TYPES:
        _refuse("a header that asks for more than is known here")


def _low(signature: bytes, key: PublicKey) -> bytes:
    if key.alg != "ES256" or len(signature) != SIGNATURE_BYTES:
        return signature
    half = SIGNATURE_BYTES // 2
    s = int.from_bytes(signature[half:])
    return signature[:half] + min(s, max(P256_ORDER - s, 0)).to_bytes(half)


def _object(data: bytes) -> dict[str, Any]:
    """Return a JSON object, refusing duplicate members and every number that is no integer."""
    try:
        value = json.loads(
            data,
            object_pairs_hook=_no_duplicates,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError) as error:
        raise EarError(EarCode.MALFORMED, str(error)[:200]) from error
    if not isinstance(value, dict):
        _refuse("no object")
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no integer")


def _member(claims: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = claims.get(name)
    if type(value) is not kind:
        _refuse(f"{name[:80]} is not a {kind.__name__}")
    return value


def _text(claims: Mapping[str, Any], name: str) -> str:
    return _member(claims, name, str)


def _refuse(detail: str) -> NoReturn:
    raise EarError(EarCode.MALFORMED, detail)
