"""Explain an attestation result (EAR) to a person: who says what of which chip, and how sure.

A result is the word of the verifier that signed it. What is checked here is that it is that
verifier's, that it is meant for who asks, and that no status is better than what it rests on.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from chipledger_evidence.appraisal.ear import HOST_LABEL
from chipledger_evidence.appraisal.ear_reader import Ear, EarSubmod, read_ear
from chipledger_evidence.appraisal.errors import EarCode, EarError
from chipledger_evidence.appraisal.trust import NO_CLAIM, Category, Tier, tier_of
from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.keys import Jwk, PublicKey, load_jwk

_MEANINGS: Mapping[Category, Mapping[int, str]] = {
    Category.INSTANCE_IDENTITY: {
        2: "recognised, and trusted as what it says it is",
        96: "recognised, and not to be trusted: revoked, retired, or in two places",
        97: "not recognised",
    },
    Category.CONFIGURATION: {
        32: "a mode in which what runs can be watched or changed, or simulated devices",
        36: "part of it could not be read",
    },
    Category.EXECUTABLES: {
        2: "firmware as its maker's references say",
        33: "firmware that no reference knows",
    },
    Category.HARDWARE: {
        2: "genuine: the chip signed over the verifier's nonce",
        99: "its evidence was checked and is wrong",
    },
    Category.SOURCED_DATA: {
        2: "every chip signed, with known firmware",
        32: "from a source that attests nothing: the driver's word",
        96: "from a source that is contradicted",
    },
}
_UNJUDGED = "elements that the verifier does not know keep it from judging"


class _AnyJwk(msgspec.Struct):
    """A public key as other programs write it, with further members."""

    crv: str
    kty: str
    x: str
    y: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarVerdict:
    """What a result is worth to somebody who trusts one key.

    Attributes:
        holds: the key signed it, it answers the nonce that was asked with, and its time is not
            over. It says nothing about the chips: see `status`.
        code: why not, a code of docs/ERRORS.md, or an empty string.
        detail: the same in words.
        status: overall status, or None where the text is no result of this key.
        nonce_checked: whether a nonce was given to compare with.
        ear: everything it says, or None.
    """

    holds: bool
    code: str = ""
    detail: str = ""
    status: Tier | None = None
    nonce_checked: bool = False
    ear: Ear | None = None


def read_key(data: bytes) -> PublicKey:
    """Return the public key of a verifier, from a JWK that may have further members.

    Raises:
        EvidenceError: `malformed-key`: another kind of key, or none.
    """
    try:
        found = msgspec.json.decode(data, type=_AnyJwk)
        members = {name: value for name, value in msgspec.to_builtins(found).items() if value}
        return load_jwk(msgspec.convert(members, Jwk))
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise EvidenceError(
            Code.MALFORMED_KEY, f"no JWK of a P-256 or Ed25519 key: {error}"
        ) from error


def check_ear(text: str, key: PublicKey, *, nonce: bytes | None, now: datetime) -> EarVerdict:
    """Return what a result is worth under a verifier's key.

    Args:
        text: the compact JWT.
        key: whose word is taken.
        nonce: what was asked with; None: not checked.
        now: the time at which it is to be used.
    """
    checked = nonce is not None
    try:
        ear = read_ear(text, key)
    except (EarError, EvidenceError) as error:
        return EarVerdict(holds=False, code=error.code, detail=error.detail, nonce_checked=checked)
    code, detail = "", ""
    if nonce is not None and ear.nonce != b64url_encode(nonce):
        code, detail = EarCode.NONCE_MISMATCH, f"it answers {_plain(ear.nonce or 'no nonce')}"
    elif ear.expires_s is not None and now.timestamp() >= ear.expires_s:
        code, detail = EarCode.EXPIRED, f"it was good until {_time(ear.expires_s)}"
    return EarVerdict(
        holds=not code,
        code=code,
        detail=detail,
        status=ear.status,
        nonce_checked=checked,
        ear=ear,
    )


def describe_ear(verdict: EarVerdict) -> list[str]:
    """Return the verdict as lines for a person."""
    ear = verdict.ear
    if ear is None:
        return [f"refused   {verdict.code}: {_plain(verdict.detail)}"]
    lines = [
        "signed    yes: the given key signed exactly this result",
        f"verifier  {_plain(ear.build)} ({_plain(ear.developer)})",
        f"profile   {_plain(ear.profile)}",
        f"issued    {_time(ear.issued_s)}"
        + ("" if ear.expires_s is None else f", good until {_time(ear.expires_s)}"),
        f"nonce     {_asked(verdict, ear)}",
        f"status    {ear.status}: {_STATUS[ear.status]}",
        "",
    ]
    for label in sorted(ear.submods, key=lambda label: label != HOST_LABEL):
        lines += [*_submod(label, ear.submods[label]), ""]
    if verdict.holds:
        lines.append("=> this verifier's word; each line above says what it rests on")
    else:
        lines.append(f"=> refused: {verdict.code}: {verdict.detail}")
    return lines


def ear_json(verdict: EarVerdict) -> str:
    """Return the verdict as JSON in ASCII, whatever texts and numbers strangers wrote."""
    return json.dumps(_members(verdict), sort_keys=True)


def _members(verdict: EarVerdict) -> dict[str, Any]:
    ear = verdict.ear
    plain: dict[str, Any] = {
        "code": verdict.code,
        "detail": verdict.detail,
        "holds": verdict.holds,
        "nonce_checked": verdict.nonce_checked,
        "status": verdict.status,
    }
    if ear is None:
        return plain
    return plain | {
        "build": ear.build,
        "developer": ear.developer,
        "expires": ear.expires_s,
        "issued": ear.issued_s,
        "nonce": ear.nonce,
        "profile": ear.profile,
        "submods": {
            label: {
                "policies": list(submod.policies),
                "profile": submod.profile,
                "said": dict(submod.said),
                "status": submod.status,
                "vector": {name.value: value for name, value in submod.vector.items()},
            }
            for label, submod in ear.submods.items()
        },
    }


_STATUS: Mapping[Tier, str] = {
    Tier.AFFIRMING: "everything that it rests on was shown",
    Tier.NONE: "nothing speaks against it, and not everything was shown",
    Tier.WARNING: "not everything was shown, or something asks for a look",
    Tier.CONTRAINDICATED: "something speaks against it: do not rely on it",
}


def _asked(verdict: EarVerdict, ear: Ear) -> str:
    if not verdict.nonce_checked:
        return "not checked: give --nonce to know that it was made for you and now"
    if verdict.code == EarCode.NONCE_MISMATCH:
        return "another one than the one given"
    return f"{_plain(ear.nonce or '')}: the one given"


def _submod(label: str, submod: EarSubmod) -> Iterator[str]:
    """Yield one attester: its status, what it rests on, and what the verifier says beside it."""
    yield f"{_plain(label)}: {submod.status}"
    for category, value in submod.vector.items():
        yield f"  {category:18} {value:4}  {_meaning(category, value)}"
    if not submod.vector:
        yield "  the verifier does not say what the status rests on"
    said = submod.said
    if "grade" in said:
        expected = said.get("expected")
        once = f", once {_plain(expected)}" if expected not in (None, said["grade"]) else ""
        yield f"  grade              {_plain(said['grade'])}{once}"
    for name in ("host", "site", "key_tier", "key_standing", "pdi", "test_site"):
        if name in said:
            yield f"  {name:18} {_plain(said[name])}"
    for name in ("as_of_ms", "known_at_ms"):
        if type(said.get(name)) is int:
            yield f"  {name.removesuffix('_ms'):18} {_time(said[name] // 1000)}"
    reasons = said.get("reasons")
    if isinstance(reasons, list):
        yield from (f"  - {_plain(reason)}" for reason in reasons)
    yield from (f"  policy             {_plain(policy)}" for policy in submod.policies)


def _meaning(category: Category, value: int) -> str:
    if value == NO_CLAIM:
        return "no claim"
    if value in (1, -1):
        return _UNJUDGED
    return _MEANINGS.get(category, {}).get(value, str(tier_of(value)))


def _time(unix_s: int) -> str:
    try:
        return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{unix_s} s after 1970"


def _plain(value: object) -> str:
    """Return a stranger's text on one line, without what steers a terminal."""
    return "".join(one if one.isprintable() else "?" for one in str(value)[:200])
