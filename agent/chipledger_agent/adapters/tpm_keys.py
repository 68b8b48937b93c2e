"""The host's key in its TPM: the file of wrapped blobs, and what is done with them.

Who could lie: root may have this TPM sign anything, on this machine. A copy of the file is worth
nothing elsewhere. What a loss costs: a replacement, by two people of the collector.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from chipledger_agent.adapters.durable import PosixDisk, exposed, storage_failed, write_durably
from chipledger_agent.adapters.tpm_device import Endorsement, KeyBlob, TpmDevice
from chipledger_agent.domain.failures import AgentCode, AgentError
from chipledger_evidence.claims import TpmQuote
from chipledger_evidence.codec import (
    Wire,
    b64url_decode,
    b64url_encode,
    decode_strict,
    encode_canonical,
)
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.ids import ueid, whole
from chipledger_evidence.keys import PublicKey
from chipledger_evidence.tpm.attest import key_of
from chipledger_evidence.tpm.offer import TpmOffer
from chipledger_evidence.tpm.public import parse_public
from chipledger_evidence.tpm.quote import as_claim

_Octets = Annotated[str, whole("[A-Za-z0-9_-]+")]


class _Kept(Wire, frozen=True, kw_only=True):
    """Contents of the file."""

    ak: _Octets
    ak_private: _Octets
    ek_kind: Literal["EK-ECC256", "EK-RSA2048"]
    key: _Octets
    key_private: _Octets
    ueid: Annotated[str, whole("[A-Za-z0-9_-]{44}")]
    v: Literal[1] = 1


class TpmHostKey:
    """A signing key in this host's TPM, with the attestation key that vouches for it."""

    tier = KeyTier.TPM_EK
    """What is asked for; the collector judges the EK certificate and answers what it is."""

    def __init__(self, device: TpmDevice, kept: _Kept) -> None:
        self._device = device
        self._attestation = _blob(kept.ak, kept.ak_private)
        self._key = _blob(kept.key, kept.key_private)
        self._kind = kept.ek_kind
        self._public = key_of(parse_public(self._key.area))
        self.ueid = kept.ueid

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over `message`, with low S; raises `tpm-…`."""
        return self._device.sign(self._key, hashlib.sha256(message).digest())

    def offer(self) -> TpmOffer:
        """Return what the collector must know of this TPM; raises `tpm-…`."""
        endorsement = self._device.endorsement()
        certificate = endorsement.certificate
        return TpmOffer(
            ak=b64url_encode(self._attestation.area),
            certificate=None if certificate is None else b64url_encode(certificate),
            chain=tuple(b64url_encode(one) for one in endorsement.chain),
            ek=b64url_encode(endorsement.area),
            key=b64url_encode(self._key.area),
        )

    def activate(self, blob: bytes, seed: bytes) -> bytes:
        """Return the secret that the collector wrapped for this TPM; raises `tpm-…`."""
        return self._device.activate(self._attestation, self._kind, blob=blob, seed=seed)

    def certify(self, extra: bytes) -> tuple[bytes, bytes]:
        """Return the TPM's statement that it holds the key, and its signature; raises `tpm-…`."""
        statement = self._device.certify(self._attestation, self._key, extra=extra)
        return statement.attest, statement.signature

    def quote(self, extra: bytes) -> TpmQuote:
        """Return the TPM's statement of registers and clock over `extra`; raises `tpm-…`."""
        statement, registers = self._device.quote(self._attestation, extra=extra)
        return as_claim(statement.attest, statement.signature, dict(registers))


def load_tpm_key(path: Path, device: TpmDevice) -> TpmHostKey:
    """Return the key whose blobs are in `path`; the TPM is not asked yet.

    Raises:
        AgentError: `key-missing`, `key-exposed`, `key-unreadable`.
    """
    try:
        reason = exposed(path)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise AgentError(
            AgentCode.KEY_MISSING, f"no key at {path}", hint="run `chipledger-agent enroll`"
        ) from error
    except OSError as error:
        raise AgentError(AgentCode.KEY_UNREADABLE, f"{path}: {error.strerror}") from error
    if reason:
        raise AgentError(
            AgentCode.KEY_EXPOSED, f"{path}: {reason}", hint="chmod 0600, owned by the agent's user"
        )
    try:
        return TpmHostKey(device, decode_strict(data, _Kept))
    except EvidenceError as error:
        raise AgentError(
            AgentCode.KEY_UNREADABLE,
            f"{path}: {error}",
            hint="restore it from a backup of this host, or ask for a replacement",
        ) from error


def create_tpm_key(path: Path, device: TpmDevice, *, name: str | None = None) -> TpmHostKey:
    """Make an attestation and a signing key in the TPM, durable in `path` before they are told of.

    Args:
        path: file that must not exist yet.
        device: the TPM.
        name: `ueid` of a host that has one already; else it is made of the endorsement key.

    Raises:
        AgentError: `key-exists`, `storage-failed`, `tpm-…`.
    """
    if path.exists():
        raise AgentError(AgentCode.KEY_EXISTS, f"{path} is there already")
    endorsement = device.endorsement()
    attestation, key = device.make_keys()
    kept = _Kept(
        ak=b64url_encode(attestation.area),
        ak_private=b64url_encode(attestation.private),
        ek_kind="EK-ECC256" if endorsement.kind == "EK-ECC256" else "EK-RSA2048",
        key=b64url_encode(key.area),
        key_private=b64url_encode(key.private),
        ueid=name or _name(endorsement),
    )
    try:
        write_durably(PosixDisk(path.parent), ".", path.name, encode_canonical(kept))
    except OSError as error:
        raise storage_failed(error, f"writing {path}") from error
    return TpmHostKey(device, kept)


def _name(endorsement: Endorsement) -> str:
    return ueid("host", parse_public(endorsement.area).spki)


def _blob(area: str, private: str) -> KeyBlob:
    return KeyBlob(area=b64url_decode(area), private=b64url_decode(private))
