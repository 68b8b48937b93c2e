"""Host keys: JSON Web Keys, their thumbprints, and signatures in one accepted form.

Two algorithms, nothing else: ES256 (RFC 7518 section 3.4) and Ed25519 (RFC 9864). ECDSA
signatures are malleable, (r, s) and (r, n - s) verify alike, so signers normalise to low S
and :meth:`PublicKey.verify` refuses high S; even so, no signature byte is ever an identity.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from chipledger_evidence.codec import Wire, b64url_decode, b64url_encode, encode_canonical
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.ids import KeyId, sha256_b64

Algorithm = Literal["ES256", "Ed25519"]

SIGNATURE_BYTES = 64
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_HALF_ORDER = P256_ORDER // 2
_ES256 = ec.ECDSA(hashes.SHA256())
_COORDINATE_BYTES = 32
_FIELD_25519 = 2**255 - 19
_ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = frozenset({0, 1, _FIELD_25519 - 1, _ORDER_8_Y, _FIELD_25519 - _ORDER_8_Y})
"""y of the eight points whose order divides the cofactor 8."""


class Jwk(Wire, frozen=True, kw_only=True):
    """Public key in the members that RFC 7638 hashes, and no other (RFC 7517, RFC 8037)."""

    crv: Literal["P-256", "Ed25519"]
    kty: Literal["EC", "OKP"]
    x: str
    y: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key that this project accepts signatures from.

    Attributes:
        kid: RFC 7638 thumbprint, base64url of 32 bytes.
        alg: the one algorithm this key may be used with.
        jwk: the key as it stands on the wire and in the log.
    """

    kid: KeyId
    alg: Algorithm
    jwk: Jwk
    _key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return only if `signature` is this key's signature over exactly `message`.

        Raises:
            EvidenceError: `bad-signature` or `high-s-signature`.
        """
        if len(signature) != SIGNATURE_BYTES:
            raise EvidenceError(Code.BAD_SIGNATURE, f"{len(signature)} bytes instead of 64")
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, message)
                return
            r = int.from_bytes(signature[:_COORDINATE_BYTES])
            s = int.from_bytes(signature[_COORDINATE_BYTES:])
            if s > _HALF_ORDER:
                raise EvidenceError(
                    Code.HIGH_S_SIGNATURE,
                    f"signature by key {self.kid} has s above half the group order",
                    hint="normalise s to min(s, n - s) before sending",
                )
            self._key.verify(encode_dss_signature(r, s), message, _ES256)
        except (InvalidSignature, ValueError) as error:
            raise EvidenceError(
                Code.BAD_SIGNATURE, f"not a signature of key {self.kid} over these bytes"
            ) from error


def load_jwk(jwk: Jwk) -> PublicKey:
    """Return the key named by `jwk`.

    Raises:
        EvidenceError: `malformed-key` when members do not fit, the point is not on the curve, or
            no single private key belongs to it.
    """
    x = _coordinate(jwk.x)
    if jwk.crv == "Ed25519":
        if jwk.kty != "OKP" or jwk.y is not None:
            raise EvidenceError(Code.MALFORMED_KEY, "Ed25519 keys are kty OKP with x alone")
        _check_ed25519(x)
        try:
            return _public(ed25519.Ed25519PublicKey.from_public_bytes(x), jwk)
        except ValueError as error:
            raise EvidenceError(Code.MALFORMED_KEY, str(error)) from error
    if jwk.kty != "EC" or jwk.y is None:
        raise EvidenceError(Code.MALFORMED_KEY, "P-256 keys are kty EC with x and y")
    try:
        point = b"\x04" + x + _coordinate(jwk.y)
        return _public(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point), jwk)
    except ValueError as error:
        raise EvidenceError(Code.MALFORMED_KEY, "the point is not on P-256") from error


def public_jwk(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> Jwk:
    """Return the JWK of a public key of one of the two accepted kinds."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return Jwk(crv="Ed25519", kty="OKP", x=b64url_encode(key.public_bytes_raw()))
    numbers = key.public_numbers()
    return Jwk(
        crv="P-256",
        kty="EC",
        x=b64url_encode(numbers.x.to_bytes(_COORDINATE_BYTES)),
        y=b64url_encode(numbers.y.to_bytes(_COORDINATE_BYTES)),
    )


def thumbprint(jwk: Jwk) -> KeyId:
    """Return the RFC 7638 thumbprint (SHA-256, base64url) of `jwk`."""
    return KeyId(sha256_b64(encode_canonical(jwk)))


class Signer(Protocol):
    """Something that holds a host's private key: a file now, a TPM or token elsewhere."""

    @property
    def public(self) -> PublicKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over `message`, ECDSA with low S."""
        ...


class SoftwareSigner:
    """Signs with a private key held in memory: continuity only, a copy is as good."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
        self._key = key
        self._public = load_jwk(public_jwk(key.public_key()))

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over `message`, ECDSA with low S."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        return raw_low_s(self._key.sign(message, _ES256))


def raw_low_s(der: bytes) -> bytes:
    """Return r ‖ s (32 bytes each, RFC 7518 section 3.4) of a DER signature, s made low."""
    r, s = decode_dss_signature(der)
    low = min(s, P256_ORDER - s)
    return r.to_bytes(_COORDINATE_BYTES) + low.to_bytes(_COORDINATE_BYTES)


def _coordinate(text: str) -> bytes:
    raw = b64url_decode(text)
    if len(raw) != _COORDINATE_BYTES:
        raise EvidenceError(Code.MALFORMED_KEY, f"a coordinate has {len(raw)} bytes instead of 32")
    return raw


def _check_ed25519(x: bytes) -> None:
    """Refuse what Ed25519 itself does not: points of small order, and second spellings.

    Anybody can make a signature that a key of small order verifies, so a host could disown what
    it signed; y and y + p are one point.
    """
    y = int.from_bytes(x, "little") & ((1 << 255) - 1)
    if y >= _FIELD_25519 or y in _SMALL_ORDER_Y:
        raise EvidenceError(Code.MALFORMED_KEY, "x is no point that only one private key has")


def _public(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey, jwk: Jwk) -> PublicKey:
    alg: Algorithm = "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "ES256"
    return PublicKey(kid=thumbprint(jwk), alg=alg, jwk=jwk, _key=key)
