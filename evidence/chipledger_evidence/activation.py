"""The second step of an enrolment with a TPM: prove that the three keys live in one TPM.

The collector wraps a secret that only the TPM of the endorsement key opens, and only while it
holds the attestation key (:mod:`chipledger_evidence.tpm.credential`). The agent answers with a
proof made with the secret, and with the attestation key's statement that the signing key is in
the same TPM; both cover everything that was said before, the *transcript*.
"""

import hashlib
import hmac
from typing import Annotated, Literal

from chipledger_evidence.codec import Answer, Wire, b64url_decode
from chipledger_evidence.compact import signing_input
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.ids import Digest, whole
from chipledger_evidence.inventory import Count
from chipledger_evidence.tpm.attest import check_certify
from chipledger_evidence.tpm.offer import OfferedKeys

ACTIVATION_TYP = "chipledger-activation+jwt"
_TRANSCRIPT_TAG = b"chipledger/enrolment-transcript/1\x00"
_PROOF_TAG = b"chipledger/activation/1\x00"

Buffer = Annotated[str, whole("[A-Za-z0-9_-]{1,2048}")]


class ActivationChallenge(Answer, frozen=True, kw_only=True):
    """The collector's answer to a request with a TPM: open this.

    Attributes:
        blob: base64url contents of a TPM2B_ID_OBJECT.
        expires: Unix seconds by the collector's clock.
        seed: base64url contents of a TPM2B_ENCRYPTED_SECRET.
        session: names this attempt; single use.
    """

    blob: Buffer
    expires: Count
    seed: Buffer
    session: Digest


class Activation(Wire, frozen=True, kw_only=True):
    """The agent's answer, signed with the key that is to be enrolled.

    Attributes:
        attest: base64url of the TPMS_ATTEST that certifies the signing key; its extraData is
            the transcript.
        proof: HMAC-SHA256 over the transcript under the secret that was opened.
        session: of the challenge.
        signature: base64url of r ‖ s by the attestation key.
        v: version of this format.
    """

    attest: Annotated[str, whole("[A-Za-z0-9_-]{1,1400}")]
    proof: Digest
    session: Digest
    signature: Annotated[str, whole("[A-Za-z0-9_-]{86}")]
    v: Literal[1] = 1


def transcript(request: bytes, challenge: ActivationChallenge) -> bytes:
    """Return the digest of what was said so far.

    Args:
        request: the compact JWS that asked; its signature is not part of the transcript.
        challenge: the answer to it.
    """
    said = hashlib.sha256(_TRANSCRIPT_TAG)
    texts = (challenge.session, challenge.blob, challenge.seed)
    for part in (signing_input(request), *(b64url_decode(text) for text in texts)):
        said.update(len(part).to_bytes(4) + part)
    return said.digest()


def prove(secret: bytes, said: bytes) -> bytes:
    """Return the proof that whoever made it opened `secret` for the transcript `said`."""
    return hmac.digest(secret, _PROOF_TAG + said, hashlib.sha256)


def check_activation(
    activation: Activation, *, keys: OfferedKeys, secret: bytes, said: bytes
) -> None:
    """Return only if the three keys of an offer are in one TPM, and it said so for `said`.

    Raises:
        EvidenceError: `tpm-statement-mismatch`, `bad-signature`, `malformed-tpm`.
    """
    if not hmac.compare_digest(b64url_decode(activation.proof), prove(secret, said)):
        raise EvidenceError(
            Code.TPM_STATEMENT_MISMATCH, "the secret was not opened by the TPM it was made for"
        )
    check_certify(
        b64url_decode(activation.attest),
        b64url_decode(activation.signature),
        attestation_key=keys.ak,
        key=keys.key,
        extra=said,
    )
