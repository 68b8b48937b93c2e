"""The envelope keeps evidence bytes as they were, and the device nonce binds them to a host."""

import hashlib

import pytest

from chipledger_evidence.codec import b64url_encode, encode_canonical
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.gpu.envelope import (
    MAX_ENVELOPE_BYTES,
    Envelope,
    Source,
    device_nonce,
    open_envelope,
    seal_envelope,
)
from chipledger_evidence.gpu.errors import GpuCode
from chipledger_evidence.gpu.facts import FACTS, EvidenceFacts, Fact, Level, level
from chipledger_evidence.gpu.verify import verify_envelope
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker

NONCE = bytes(range(32))
GPU = GpuMaker(1)
DEVICE_NONCE = "4cfe838cf479cf377f089b9e8a258653ce2a9e037eec62d14f5365f79f3afb24"


def sealed(**changes: object) -> bytes:
    """Return the envelope of a good report, or of what `changes` says."""
    report, chain = GPU.evidence(NONCE)
    parts = {"source": Source.NVML, "transcript": report, "chain": chain, "nonce": NONCE}
    return seal_envelope(**{**parts, **changes})  # type: ignore[arg-type]


def judged(blob: bytes, nonce: bytes | None = NONCE) -> EvidenceFacts:
    """Return the facts of a blob."""
    return verify_envelope(blob, nonce=nonce, pins=PKI.pins, now=NOW)


def test_what_is_sealed_comes_out_byte_for_byte() -> None:
    """Evidence bytes are never re-encoded."""
    report, chain = GPU.evidence(NONCE)
    envelope = open_envelope(sealed())
    assert (envelope.transcript_bytes(), envelope.chain_bytes()) == (report, chain)
    assert envelope.nonce_bytes() == NONCE
    assert (envelope.kind, envelope.source, envelope.v) == ("nvidia-spdm-1.1", Source.NVML, 1)


def test_good_envelope_is_chip_signed() -> None:
    """The worth of an envelope is that of what is in it."""
    assert level(judged(sealed())) is Level.CHIP_SIGNED


def test_source_changes_no_fact() -> None:
    """Which way the agent took is its own word and of no weight."""
    assert len({encode_canonical(judged(sealed(source=source))) for source in Source}) == 1


def test_nonce_written_on_the_envelope_proves_nothing() -> None:
    """The nonce that counts is the one in the signed report."""
    stale = sealed(transcript=GPU.report(bytes(32)))
    assert judged(stale).nonce is Fact.FAIL


@pytest.mark.parametrize("kind", ["nvidia-spdm-1.2", "amd-sev", "nvidia-spdm-1.10", "x"])
def test_unknown_kind_is_kept_and_proves_nothing(kind: str) -> None:
    """Every fact stays open, with the reason."""
    facts = judged(sealed(kind=kind))
    assert {facts.of(name) for name in FACTS} == {Fact.NOT_CHECKED}
    assert [reason.code for reason in facts.reasons] == [GpuCode.UNKNOWN_KIND]
    assert (facts.pdi, level(facts)) == (None, Level.NONE)


def test_chain_alone_travels_with_an_empty_transcript() -> None:
    """Where a BMC shows a chain and no measurements, the reason says so."""
    facts = judged(sealed(transcript=b"", source=Source.REDFISH))
    assert (facts.chain, facts.signature) == (Fact.PASS, Fact.NOT_CHECKED)
    assert GpuCode.NO_REPORT in {reason.code for reason in facts.reasons}


@pytest.mark.parametrize(
    ("blob", "code"),
    [
        (b"", Code.MALFORMED_JSON),
        (b"{}", Code.MALFORMED_JSON),
        (b"\xff", Code.MALFORMED_JSON),
        (b" " + sealed(), Code.NOT_CANONICAL),
        (sealed().replace(b'"v":1', b'"v":2'), Code.MALFORMED_JSON),
        (sealed().replace(b'"v":1', b'"v":1,"v":1'), Code.NOT_CANONICAL),
        (sealed().replace(b'"v":1', b'"w":1'), Code.MALFORMED_JSON),
        (sealed().replace(b'"chain":"', b'"chain":"='), Code.MALFORMED_JSON),
        (sealed(chain=b"\0").replace(b'"AA"', b'"AB"'), Code.MALFORMED_BASE64),
        (sealed() + bytes(MAX_ENVELOPE_BYTES), Code.OVERSIZE),
    ],
)
def test_blob_that_is_no_envelope_is_refused(blob: bytes, code: Code) -> None:
    """Strictly; and its facts are that nothing was checked."""
    with pytest.raises(EvidenceError) as refused:
        open_envelope(blob)
    assert refused.value.code == code
    facts = judged(blob)
    assert {facts.of(name) for name in FACTS} == {Fact.NOT_CHECKED}
    assert [reason.code for reason in facts.reasons] == [GpuCode.MALFORMED_ENVELOPE]


@pytest.mark.parametrize(
    "changes", [{"nonce": bytes(31)}, {"transcript": bytes(MAX_ENVELOPE_BYTES)}]
)
def test_what_could_not_be_opened_is_not_sealed(changes: dict[str, bytes]) -> None:
    """An agent learns at once, not from a refusal."""
    with pytest.raises(ValueError, match=r"nonce|envelope"):
        sealed(**changes)


def test_envelope_is_canonical_json_of_six_members() -> None:
    """The form that docs/EVIDENCE.md shows."""
    made = Envelope(
        chain=b64url_encode(b"chain"),
        kind="nvidia-spdm-1.1",
        nonce=b64url_encode(NONCE),
        source=Source.CORELIB,
        transcript=b64url_encode(b"report"),
        v=1,
    )
    assert encode_canonical(made) == (
        b'{"chain":"Y2hhaW4","kind":"nvidia-spdm-1.1",'
        b'"nonce":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","source":"corelib",'
        b'"transcript":"cmVwb3J0","v":1}'
    )


def test_device_nonce_is_the_hash_that_the_document_says() -> None:
    """Tag, then both inputs behind their lengths."""
    thumbprint = bytes(range(32, 64))
    framed = b"\0\0\0\x20" + NONCE + b"\0\0\0\x20" + thumbprint
    expected = hashlib.sha256(b"chipledger/device-nonce/1" + framed).digest()
    assert device_nonce(NONCE, thumbprint) == expected
    assert expected.hex() == DEVICE_NONCE


def test_device_nonce_differs_by_challenge_and_by_host_key() -> None:
    """A statement made for one host and round fits no other."""
    made = {device_nonce(bytes((n,)) * 32, bytes((k,)) * 32) for n in range(4) for k in range(4)}
    assert len(made) == 16


@pytest.mark.parametrize(("nonce", "key"), [(b"", bytes(32)), (bytes(32), bytes(33))])
def test_device_nonce_of_other_lengths_is_a_mistake(nonce: bytes, key: bytes) -> None:
    """Both inputs are 32 bytes."""
    with pytest.raises(ValueError, match="32"):
        device_nonce(nonce, key)
