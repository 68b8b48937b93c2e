"""Attestation results, good and bad, in both claim styles, with what a reader must answer."""

import json
from collections.abc import Iterator
from typing import Any

from chipledger_evidence.appraisal.ear import Issue, ear_claims, write_ear
from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_evidence.codec import b64url_decode, b64url_encode, encode_canonical
from chipledger_evidence.enrolment import KeyTier
from chipledger_testing.appraisals import AT_S, chip, evidence, host
from chipledger_testing.keys import SeededSigner, high_s_twin

ISSUE = Issue(at_s=AT_S, build="chipledger vectors", nonce=bytes(range(16)))
Row = dict[str, Any]


def ear_vectors() -> list[Row]:
    """Return the rows of ears.json."""
    signer = SeededSigner("verifier")
    rows = [
        _row(text, write_ear(result, shipped_policy(), issue=ISSUE, signer=signer), signer)
        for text, result in (
            ("the driver's word alone is a warning", host([chip()])),
            (
                "a TPM, and a chip that signed with known firmware",
                host([chip(signed=evidence())], tier=KeyTier.TPM_EK),
            ),
            (
                "the same with firmware that no manifest was asked about",
                host([chip(signed=evidence(measurements="not-checked"))], tier=KeyTier.TPM_EK),
            ),
            ("evidence that fails", host([chip(signed=evidence(signature="fail"))])),
            ("an identity in two places", host([chip(disputed=True)], tier=KeyTier.TPM_EK)),
        )
    ]
    rows += [
        _row(text, _sign(claims, signer), signer, verdict)
        for text, claims, verdict in _foreign(json.loads(_plain()))
    ]
    good = rows[0]["ear"]
    head, _, signature = good.rpartition(".")
    raw = b64url_decode(signature)
    rows.append(
        _row("the other form of the signature", f"{head}.{b64url_encode(high_s_twin(raw))}", signer)
    )
    flipped = bytes([raw[0] ^ 1]) + raw[1:]
    text = "a flipped bit in the signature"
    rows.append(_row(text, f"{head}.{b64url_encode(flipped)}", signer, "bad-signature"))
    return rows


def _foreign(good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield results as other verifiers write them, and as none may."""
    dotted = {
        "ear.raw-evidence": "3q2-7w",
        "ear.verifier-id": {"build": "b1", "developer": "https://example.org"},
        "eat_profile": "tag:github.com,2023:veraison/ear",
        "iat": AT_S,
        "submods": {
            "gpu0": {
                "ear.appraisal-policy-id": "policy:1",
                "ear.status": "warning",
                "ear.trustworthiness-vector": {"hardware": 2, "executables": 33},
            }
        },
    }
    yield "names with dots", dotted, "ok"
    mixed = {**dotted, "eat_profile": "tag:ietf.org,2026:rats/ear#04"}
    yield "names with dots under a profile of underscores", mixed, "malformed-ear"
    yield "an older profile of underscores", good | _profile(3), "ok"
    yield "a claim that nobody knows", {**good, "ear_later": {"x": 1}}, "ok"
    yield "an unknown profile", good | {"eat_profile": "tag:x"}, "ear-unknown-profile"
    yield "a status better than a submodule's", {**good, "ear_status": "affirming"}, _TOO_GOOD
    submods = {name: {**said, "ear_status": "affirming"} for name, said in good["submods"].items()}
    yield "a status better than a claim", {**good, "submods": submods}, _TOO_GOOD
    yield "no submodule", {**good, "submods": {}}, "malformed-ear"
    yield "a time with a fraction", {**good, "iat": AT_S + 0.5}, "malformed-ear"
    yield "a value outside the vector's", _with_value(good, 128), "malformed-ear"


_TOO_GOOD = "ear-status-too-good"


def _profile(draft: int) -> dict[str, Any]:
    return {"eat_profile": f"tag:ietf.org,2026:rats/ear#{draft:02}"}


def _with_value(good: dict[str, Any], value: int) -> dict[str, Any]:
    first = next(iter(good["submods"]))
    said = {**good["submods"][first], "ear_trustworthiness_vector": {"hardware": value}}
    return {**good, "submods": {**good["submods"], first: said}}


def _plain() -> str:
    return json.dumps(ear_claims(host([chip()]), shipped_policy(), issue=ISSUE))


def _sign(claims: dict[str, Any], signer: SeededSigner) -> str:
    header = {"alg": signer.public.alg, "typ": "JWT"}
    parts = [
        b64url_encode(json.dumps(part, separators=(",", ":"), sort_keys=True).encode())
        for part in (header, claims)
    ]
    signed = ".".join(parts)
    return f"{signed}.{b64url_encode(signer.sign(signed.encode()))}"


def _row(text: str, ear: str, signer: SeededSigner, verdict: str = "ok") -> Row:
    return {
        "description": text,
        "ear": ear,
        "jwk": json.loads(encode_canonical(signer.public.jwk)),
        "verdict": verdict,
    }
