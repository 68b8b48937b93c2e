"""Enrolment: how a key becomes a host's key.

The agent sends one compact JWS signed with the new key, which proves possession; the
enrolment code inside proves that the site's operator let it in. Repeating the request with
the same code and key gives the same answer, so a lost answer costs nothing.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from chipledger_evidence.claims import Seconds
from chipledger_evidence.codec import Answer, Wire
from chipledger_evidence.compact import read_statement, sign_statement
from chipledger_evidence.ids import Digest, HostName, SiteName, whole
from chipledger_evidence.inventory import MAX_CHIPS, Count, Text
from chipledger_evidence.keys import Jwk, PublicKey, Signer, load_jwk
from chipledger_evidence.tpm.offer import TpmOffer

ENROLMENT_TYP = "chipledger-enrolment+jwt"

EnrolmentCode = Annotated[str, whole("ce-[a-z2-7]{32}")]
"""``ce-`` and 32 base32 characters (160 random bits)."""


class KeyTier(StrEnum):
    """What holds the private key; shown with every result."""

    TPM_EK = "tpm-ek"
    TPM_NOEK = "tpm-noek"
    SOFTWARE = "software"
    IDEVID = "idevid"
    PKCS11 = "pkcs11"


class EnrolmentRequest(Wire, frozen=True, kw_only=True):
    """What an agent asks for, signed with the key it asks for.

    Attributes:
        code: the enrolment code; a secret, never logged.
        iat: host clock, Unix seconds.
        jwk: the public key to enrol; its thumbprint is the header's `kid`.
        provider: kind of NVML provider this host will report through.
        serials: board serials seen, for codes tied to a list.
        tier: what holds the private key.
        ueid: EAT identity of the host.
        hardware: DMI vendor and product, self-reported.
        tpm: the TPM that holds the key; the answer is then an `ActivationChallenge`.
        v: version of this format.
    """

    code: EnrolmentCode
    iat: Seconds
    jwk: Jwk
    provider: Annotated[str, whole("[a-z][a-z0-9-]{0,31}")]
    tier: KeyTier
    ueid: Annotated[str, whole("[A-Za-z0-9_-]{44}")]
    serials: Annotated[tuple[Text, ...], msgspec.Meta(max_length=MAX_CHIPS)] = ()
    hardware: Text | None = None
    tpm: TpmOffer | None = None
    v: Literal[1] = 1


class Enrolment(Answer, frozen=True, kw_only=True):
    """The collector's answer; the agent keeps it.

    Attributes:
        collector: name of the collector, origin of its log.
        epoch: nonce for the first token.
        full_interval_s: a full report at least this often.
        host: host id from now on.
        interval_s: a token at least this often.
        kid: the enrolled key.
        leaf: base64url leaf hash of the enrolment's log entry.
        site: site id.
        tier: key tier as the collector judged it.
    """

    collector: Text
    epoch: Digest
    full_interval_s: Count
    host: HostName
    interval_s: Count
    kid: Digest
    leaf: Digest
    site: SiteName
    tier: KeyTier


def sign_enrolment(request: EnrolmentRequest, signer: Signer) -> bytes:
    """Return `request` as the compact JWS that is posted."""
    return sign_statement(request, signer, typ=ENROLMENT_TYP)


def open_enrolment(body: bytes) -> tuple[EnrolmentRequest, PublicKey]:
    """Return the request and the key that signed it, after checking possession of the key.

    The code inside is not checked here: whether it admits this host is the collector's to say.

    Raises:
        EvidenceError: `oversize`, `malformed-token`, `malformed-key`, `wrong-algorithm`,
            `bad-signature` and the codes of the strict codec.
    """
    statement = read_statement(body, EnrolmentRequest, typ=ENROLMENT_TYP)
    key = load_jwk(statement.said.jwk)
    return statement.by(key), key
