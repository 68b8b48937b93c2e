"""TPMT_PUBLIC: what a TPM says of a key it holds (part 2, section 12.2.4), and the key's Name."""

from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.tpm.wire import (
    ALG_AES,
    ALG_CFB,
    ALG_ECC,
    ALG_ECDAA,
    ALG_ECDSA,
    ALG_NULL,
    ALG_RSA,
    ALG_RSAES,
    ALG_SHA256,
    CURVE_P256,
    Reader,
    digest,
    malformed,
)

RSA_BITS: Final = 2048
RSA_EXPONENT: Final = 65537
_COORDINATE_BYTES: Final = 32

TpmKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class Attribute(IntFlag):
    """TPMA_OBJECT (part 2, section 8.3), the bits that matter here."""

    FIXED_TPM = 1 << 1
    FIXED_PARENT = 1 << 4
    SENSITIVE_DATA_ORIGIN = 1 << 5
    RESTRICTED = 1 << 16
    DECRYPT = 1 << 17
    SIGN = 1 << 18


BORN_INSIDE: Final = Attribute.FIXED_TPM | Attribute.FIXED_PARENT | Attribute.SENSITIVE_DATA_ORIGIN
"""The private key was made inside this TPM and never leaves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """The public area of a key.

    Attributes:
        area: the exact octets of the TPMT_PUBLIC.
        name_algorithm: hash of its Name, TPM_ALG_ID.
        attributes: the whole TPMA_OBJECT.
        symmetric_bits: length of the AES key that protects its children, 0 for none.
        scheme: signing scheme it is bound to, TPM_ALG_ID, or TPM_ALG_NULL.
        key: the public key, RSA 2048 or P-256.
    """

    area: bytes
    name_algorithm: int
    attributes: int
    symmetric_bits: int
    scheme: int
    key: TpmKey

    @property
    def name(self) -> bytes:
        """The Name: nameAlg ‖ H(TPMT_PUBLIC) (part 1, section 16)."""
        return self.name_algorithm.to_bytes(2) + digest(self.name_algorithm, self.area)

    @property
    def spki(self) -> bytes:
        """The key as DER SubjectPublicKeyInfo."""
        return self.key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def parse_public(area: bytes) -> Public:
    """Return what a TPMT_PUBLIC (without the length of a TPM2B_PUBLIC) says.

    Raises:
        EvidenceError: `malformed-tpm`, also for key kinds other than RSA 2048 and P-256.
    """
    reader = Reader(area, "a public area")
    kind, name_algorithm = reader.number(2), reader.number(2)
    attributes = reader.number(4)
    reader.sized()  # the authorisation policy says who may use the key, not what it is
    symmetric_bits = _symmetric(reader)
    scheme = _scheme(reader)
    if kind == ALG_RSA:
        key: TpmKey = _rsa(reader)
    elif kind == ALG_ECC:
        key = _ecc(reader)
    else:
        raise malformed(f"key kind 0x{kind:04x} is neither RSA nor ECC")
    reader.end()
    public = Public(
        area=area,
        name_algorithm=name_algorithm,
        attributes=attributes,
        symmetric_bits=symmetric_bits,
        scheme=scheme,
        key=key,
    )
    digest(name_algorithm, b"")  # a Name must be computable
    return public


def require_endorsement_key(public: Public) -> None:
    """Return only if `public` can be an endorsement key: restricted decryption, born inside.

    Raises:
        EvidenceError: `tpm-key-attributes`.
    """
    _require(
        public, "the endorsement key", Attribute.RESTRICTED | Attribute.DECRYPT, Attribute.SIGN
    )
    if not public.symmetric_bits:
        raise _attributes("the endorsement key protects no children, so it can open nothing")


def require_attestation_key(public: Public) -> None:
    """Return only if `public` signs nothing but what the TPM itself says: an attestation key.

    A restricted signing key refuses data that begin with the TPM's own magic, so a statement
    under its signature was made by the TPM (part 1, section 25.5).

    Raises:
        EvidenceError: `tpm-key-attributes`.
    """
    _require(
        public, "the attestation key", Attribute.RESTRICTED | Attribute.SIGN, Attribute.DECRYPT
    )
    _require_es256(public, "the attestation key", {ALG_ECDSA})


def require_signing_key(public: Public) -> None:
    """Return only if `public` is an ES256 signing key that was born inside its TPM.

    Raises:
        EvidenceError: `tpm-key-attributes`.
    """
    _require(public, "the signing key", Attribute.SIGN, Attribute.RESTRICTED | Attribute.DECRYPT)
    _require_es256(public, "the signing key", {ALG_ECDSA, ALG_NULL})


def _require(public: Public, what: str, present: int, absent: int) -> None:
    needed = BORN_INSIDE | present
    if public.attributes & needed != needed or public.attributes & absent:
        raise _attributes(
            f"{what} has attributes 0x{public.attributes:08x}; needed are"
            f" 0x{needed:08x}, and none of 0x{absent:08x}"
        )


def _require_es256(public: Public, what: str, schemes: set[int]) -> None:
    if (
        not isinstance(public.key, ec.EllipticCurvePublicKey)
        or public.scheme not in schemes
        or public.name_algorithm != ALG_SHA256
    ):
        raise _attributes(f"{what} is no P-256 key for ECDSA with SHA-256")


def _attributes(detail: str) -> EvidenceError:
    return EvidenceError(
        Code.TPM_KEY_ATTRIBUTES,
        detail,
        hint="keys are made by `chipledger-agent enroll`; others are not accepted",
    )


def _symmetric(reader: Reader) -> int:
    """Read a TPMT_SYM_DEF_OBJECT (part 2, section 11.1.7) and return the AES key's bits."""
    algorithm = reader.number(2)
    if algorithm == ALG_NULL:
        return 0
    bits, mode = reader.number(2), reader.number(2)
    if algorithm != ALG_AES or mode != ALG_CFB or bits not in {128, 256}:
        raise malformed(f"symmetric algorithm 0x{algorithm:04x}, {bits} bits, mode 0x{mode:04x}")
    return bits


def _scheme(reader: Reader) -> int:
    """Read a TPMT_RSA_SCHEME or TPMT_ECC_SCHEME (part 2, sections 11.2.4.2 and 11.2.5.6)."""
    scheme = reader.number(2)
    if scheme not in {ALG_NULL, ALG_RSAES}:
        hash_algorithm = reader.number(2)
        if scheme == ALG_ECDSA and hash_algorithm != ALG_SHA256:
            raise malformed(f"ECDSA with hash 0x{hash_algorithm:04x}; only SHA-256 is accepted")
    if scheme == ALG_ECDAA:
        reader.number(2)
    return scheme


def _rsa(reader: Reader) -> rsa.RSAPublicKey:
    bits, exponent = reader.number(2), reader.number(4) or RSA_EXPONENT
    modulus = int.from_bytes(reader.sized())
    if bits != RSA_BITS or modulus.bit_length() != RSA_BITS or exponent != RSA_EXPONENT:
        raise malformed(f"an RSA key of {bits} bits with exponent {exponent}")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise malformed(f"no RSA key: {error}") from error


def _ecc(reader: Reader) -> ec.EllipticCurvePublicKey:
    curve = reader.number(2)
    if reader.number(2) != ALG_NULL:
        reader.number(2)  # the hash of a key derivation function
    x, y = reader.sized(), reader.sized()
    if curve != CURVE_P256 or max(len(x), len(y)) > _COORDINATE_BYTES:
        raise malformed(f"curve 0x{curve:04x} is not P-256")
    try:
        return ec.EllipticCurvePublicNumbers(
            int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()
        ).public_key()
    except ValueError as error:
        raise malformed("the point is not on P-256") from error
