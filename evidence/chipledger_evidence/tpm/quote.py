"""A TPM's quote inside a token: what it must be over, and whether it is."""

import hashlib

import msgspec

from chipledger_evidence.claims import AnyClaims, SealedReport, TpmQuote
from chipledger_evidence.codec import b64url_decode, b64url_encode, encode_canonical
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.tpm.attest import Attest, check_quote
from chipledger_evidence.tpm.public import Public


def quoted_digest(claims: AnyClaims | SealedReport) -> bytes:
    """Return the `extraData` of a quote in `claims`: SHA-256 of them without the quote."""
    bare = claims if claims.tpm is None else msgspec.structs.replace(claims, tpm=None)
    return hashlib.sha256(encode_canonical(bare)).digest()


def as_claim(attest: bytes, signature: bytes, registers: dict[int, bytes]) -> TpmQuote:
    """Return a quote as it stands in a token."""
    return TpmQuote(
        attest=b64url_encode(attest),
        pcrs={str(number): b64url_encode(value) for number, value in registers.items()},
        signature=b64url_encode(signature),
    )


def check_claim(claims: AnyClaims | SealedReport, attestation_key: Public) -> Attest:
    """Return what the quote in `claims` says, if it is of this key and over these claims.

    Raises:
        EvidenceError: as :func:`check_quote`; `tpm-statement-mismatch` where there is none.
    """
    quote = claims.tpm
    if quote is None:
        raise EvidenceError(Code.TPM_STATEMENT_MISMATCH, "there is no quote in this token")
    return check_quote(
        b64url_decode(quote.attest),
        b64url_decode(quote.signature),
        attestation_key=attestation_key,
        registers={int(number): b64url_decode(value) for number, value in quote.pcrs.items()},
        extra=quoted_digest(claims),
    )
