"""What a host with a TPM offers at enrolment: three public keys, and who vouches for the first."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from chipledger_evidence.codec import Wire, b64url_decode
from chipledger_evidence.ids import ueid, whole
from chipledger_evidence.tpm.endorsement import MAX_CERTIFICATES
from chipledger_evidence.tpm.public import (
    Public,
    parse_public,
    require_attestation_key,
    require_endorsement_key,
    require_signing_key,
)

Area = Annotated[str, whole("[A-Za-z0-9_-]{1,2048}")]
"""base64url of a TPMT_PUBLIC."""

Certificate = Annotated[str, whole("[A-Za-z0-9_-]{1,8192}")]
"""base64url of a DER certificate, or of what a TPM keeps in its place."""


class TpmOffer(Wire, frozen=True, kw_only=True):
    """What an enrolment or rotation request says of the TPM that holds the key.

    Attributes:
        ak: public area of the attestation key.
        ek: public area of the endorsement key.
        key: public area of the signing key; its key is the request's `jwk`.
        certificate: the EK certificate as the TPM keeps it.
        chain: further certificates that the TPM keeps.
    """

    ak: Area
    ek: Area
    key: Area
    certificate: Certificate | None = None
    chain: Annotated[tuple[Certificate, ...], msgspec.Meta(max_length=MAX_CERTIFICATES)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedKeys:
    """The keys of an offer, their attributes checked.

    Attributes:
        ek: endorsement key.
        ak: attestation key.
        key: signing key.
        certificate: octets of the EK certificate, readable or not.
        chain: octets of the further certificates.
    """

    ek: Public
    ak: Public
    key: Public
    certificate: bytes | None
    chain: tuple[bytes, ...]

    @property
    def ueid(self) -> str:
        """EAT identity of the host: a name of its endorsement key."""
        return ueid("host", self.ek.spki)


def open_offer(offer: TpmOffer) -> OfferedKeys:
    """Return the keys of an offer, each fit for its purpose.

    Raises:
        EvidenceError: `malformed-tpm`, `malformed-base64`, `tpm-key-attributes`.
    """
    ek, ak, key = (parse_public(b64url_decode(area)) for area in (offer.ek, offer.ak, offer.key))
    require_endorsement_key(ek)
    require_attestation_key(ak)
    require_signing_key(key)
    return OfferedKeys(
        ek=ek,
        ak=ak,
        key=key,
        certificate=None if offer.certificate is None else b64url_decode(offer.certificate),
        chain=tuple(b64url_decode(one) for one in offer.chain),
    )
