"""Keys from fixed seeds, and a signer whose ES256 signatures are reproducible (RFC 6979)."""

import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from chipledger_evidence.keys import P256_ORDER, PublicKey, load_jwk, public_jwk, raw_low_s


class SeededSigner:
    """A software key that signs the same bytes the same way every time."""

    def __init__(self, seed: str, *, alg: str = "ES256") -> None:
        digest = hashlib.sha256(f"chipledger test key {seed}".encode()).digest()
        self._key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
        if alg == "Ed25519":
            self._key = ed25519.Ed25519PrivateKey.from_private_bytes(digest)
        else:
            secret = int.from_bytes(digest) % (P256_ORDER - 1) + 1
            self._key = ec.derive_private_key(secret, ec.SECP256R1())
        self._public = load_jwk(public_jwk(self._key.public_key()))

    @property
    def private_key(self) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
        """The private key itself, for tests that write it to a file."""
        return self._key

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Return the one signature of `message` by this key."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        rule = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        return raw_low_s(self._key.sign(message, rule))


def high_s_twin(signature: bytes) -> bytes:
    """Return the other valid ECDSA signature of the same message: (r, n - s)."""
    s = int.from_bytes(signature[32:])
    return signature[:32] + (P256_ORDER - s).to_bytes(32)
