"""Requests at the enrolments' doors, opened: signatures hold, and tier and TPM fit together."""

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec

from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.compact import typ_of
from chipledger_evidence.enrolment import ENROLMENT_TYP, EnrolmentRequest, KeyTier, open_enrolment
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.keys import Jwk, PublicKey, load_jwk
from chipledger_evidence.rotation import KeyRequest, open_rotation, rotating_kid
from chipledger_evidence.tpm.attest import key_of
from chipledger_evidence.tpm.offer import OfferedKeys, TpmOffer, open_offer
from chipledger_server.usecases.keyring import EnrolmentStore

_TPM_TIERS: Final = frozenset({KeyTier.TPM_EK, KeyTier.TPM_NOEK})
_OPEN_TIERS: Final = _TPM_TIERS | {KeyTier.SOFTWARE}


@dataclass(frozen=True, slots=True, kw_only=True)
class ByCode:
    """A request that an enrolment code lets in."""

    said: EnrolmentRequest

    @property
    def code_hash(self) -> bytes:
        """What is stored of its code."""
        return hashlib.sha256(self.said.code.encode("ascii")).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ByKey:
    """A request that the host's present key lets in."""

    said: KeyRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a request asks for, whichever door it came through.

    Attributes:
        request: the compact JWS as received.
        key: the key to be admitted; it signed.
        by: what lets it in.
        tpm: the TPM's keys, where one holds the key.
    """

    request: bytes
    key: PublicKey
    by: ByCode | ByKey
    tpm: OfferedKeys | None

    @property
    def offer(self) -> TpmOffer | None:
        """The TPM's keys as they were sent."""
        return self.by.said.tpm


def open_wish(body: bytes, store: EnrolmentStore) -> Wish:
    """Return the wish in a request of either kind; see the two below for errors."""
    return by_code(body) if typ_of(body) == ENROLMENT_TYP else by_key(body, store)


def by_code(body: bytes) -> Wish:
    """Return the wish in an enrolment request.

    Raises:
        EvidenceError: of :func:`open_enrolment` and :func:`open_offer`; `wrong-tier`,
            `ek-mismatch` when the host's name is not that of its TPM.
    """
    request, key = open_enrolment(body)
    tpm = _offered(request.tpm, request.tier, key)
    if tpm is not None and request.ueid != tpm.ueid:
        raise EvidenceError(Code.EK_MISMATCH, "ueid is not the name of the endorsement key")
    return Wish(request=body, key=key, by=ByCode(said=request), tpm=tpm)


def by_key(body: bytes, store: EnrolmentStore) -> Wish:
    """Return the wish in a rotation.

    Raises:
        EvidenceError: `unknown-key`, `wrong-host`, `revoked-key` unless it let the new key in;
            of :func:`open_rotation` and :func:`open_offer`; `wrong-tier`.
    """
    kid = rotating_kid(body)
    old = store.key(kid)
    if old is None:
        raise EvidenceError(Code.UNKNOWN_KEY, f"no host is enrolled with key {kid}")
    request, key = open_rotation(body, load_jwk(msgspec.json.decode(old.jwk, type=Jwk)))
    if request.previous != kid or request.host != old.host:
        raise EvidenceError(Code.WRONG_HOST, f"key {kid} belongs to {old.host}")
    if old.revoked and store.key(key.kid) is None:
        raise EvidenceError(Code.REVOKED_KEY, f"key {kid} of {old.host} is revoked")
    tpm = _offered(request.tpm, request.tier, key)
    return Wish(request=body, key=key, by=ByKey(said=request), tpm=tpm)


def _offered(offer: TpmOffer | None, tier: KeyTier, key: PublicKey) -> OfferedKeys | None:
    if tier not in _OPEN_TIERS or (offer is not None) != (tier in _TPM_TIERS):
        raise EvidenceError(
            Code.WRONG_TIER, f"tier {tier} {'without' if offer is None else 'with'} a TPM's keys"
        )
    if offer is None:
        return None
    keys = open_offer(offer)
    if encode_canonical(key_of(keys.key).jwk) != encode_canonical(key.jwk):
        raise EvidenceError(Code.WRONG_TIER, "the signing key offered is not the one in jwk")
    return keys
