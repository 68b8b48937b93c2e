"""The blob that carries a device's own statement beside a token, and the nonce it must answer.

An envelope is canonical JSON and is never re-encoded: an `EvidenceRef` names it by the digest of
its bytes. That digest names a blob in storage and nothing else: device signatures are malleable,
so it is neither the identity of a statement nor a replay key.
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from chipledger_evidence.codec import (
    Wire,
    b64url_decode,
    b64url_encode,
    decode_strict,
    encode_canonical,
)
from chipledger_evidence.ids import Digest, whole

MAX_ENVELOPE_BYTES = 64 * 1024
NVIDIA_SPDM = "nvidia-spdm-1.1"
"""The one kind that is verified today; every other kind is stored and never proof."""

NONCE_BYTES = 32
THUMBPRINT_BYTES = 32
_NONCE_TAG = b"chipledger/device-nonce/1"

_Base64 = Annotated[str, whole("[A-Za-z0-9_-]*"), msgspec.Meta(max_length=MAX_ENVELOPE_BYTES)]


class Source(StrEnum):
    """Which way the agent took to the device; self-reported, and of no weight in a verdict."""

    NVML = "nvml"
    CORELIB = "corelib"
    REDFISH = "redfish"


class Envelope(Wire, frozen=True, kw_only=True):
    """One device's evidence, whatever its kind.

    Attributes:
        chain: base64url of the certificate chain, PEM text as the device's software gave it.
        kind: format of `transcript` and `chain`, see `NVIDIA_SPDM`.
        nonce: base64url of the 32-byte device nonce that was handed to the device.
        source: which way it was asked.
        transcript: base64url of the report; empty where only a chain could be had.
        v: version of this format.
    """

    chain: _Base64
    kind: Annotated[str, whole("[a-z][a-z0-9.-]{0,63}")]
    nonce: Digest
    source: Source
    transcript: _Base64
    v: Literal[1]

    def chain_bytes(self) -> bytes:
        """Return the certificate chain as bytes.

        Raises:
            EvidenceError: `malformed-base64`; never after `open_envelope`.
        """
        return b64url_decode(self.chain)

    def nonce_bytes(self) -> bytes:
        """Return the 32 bytes of the device nonce."""
        return b64url_decode(self.nonce)

    def transcript_bytes(self) -> bytes:
        """Return the report as bytes.

        Raises:
            EvidenceError: `malformed-base64`; never after `open_envelope`.
        """
        return b64url_decode(self.transcript)


def seal_envelope(
    *, source: Source, transcript: bytes, chain: bytes, nonce: bytes, kind: str = NVIDIA_SPDM
) -> bytes:
    """Return the blob of one device's evidence, for the framing's evidence records.

    Args:
        source: which way the device was asked.
        transcript: the report exactly as the device gave it, or empty bytes.
        chain: the certificate chain exactly as given, PEM text.
        nonce: the 32-byte device nonce.
        kind: format of the evidence.

    Raises:
        ValueError: when the nonce has another length or the blob would be over 64 KiB.
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a device nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    blob = encode_canonical(
        Envelope(
            chain=b64url_encode(chain),
            kind=kind,
            nonce=b64url_encode(nonce),
            source=source,
            transcript=b64url_encode(transcript),
            v=1,
        )
    )
    if len(blob) > MAX_ENVELOPE_BYTES:
        raise ValueError(f"an envelope of {len(blob)} bytes, at most {MAX_ENVELOPE_BYTES}")
    return blob


def open_envelope(blob: bytes) -> Envelope:
    """Return the envelope in `blob`, of whatever kind, its members decodable.

    Raises:
        EvidenceError: `oversize`, `malformed-json`, `not-canonical` or `malformed-base64`.
    """
    envelope = decode_strict(blob, Envelope, max_bytes=MAX_ENVELOPE_BYTES)
    envelope.chain_bytes()
    envelope.transcript_bytes()
    return envelope


def device_nonce(collector_nonce: bytes, thumbprint: bytes) -> bytes:
    """Return the 32-byte nonce for every chip and switch of one host in one round.

    It binds the devices' answers to the collector's challenge and to the host's key, so that a
    statement made for one host fits no other. SHA-256 over the tag ``chipledger/device-nonce/1``
    and the two inputs, each behind its length (4 octets, big endian).

    Args:
        collector_nonce: the evidence challenge, 32 bytes.
        thumbprint: RFC 7638 thumbprint of the host key, the 32 bytes that `kid` encodes.

    Raises:
        ValueError: when an input is not 32 bytes.
    """
    if len(collector_nonce) != NONCE_BYTES or len(thumbprint) != THUMBPRINT_BYTES:
        raise ValueError("a device nonce is made from a 32-byte nonce and a 32-byte thumbprint")
    parts = (collector_nonce, thumbprint)
    framed = b"".join(len(part).to_bytes(4) + part for part in parts)
    return hashlib.sha256(_NONCE_TAG + framed).digest()
