"""TPM2_MakeCredential in software (part 1, section 24): a secret that one TPM alone can open.

Whoever opens it holds the endorsement key *and* has the key of the given Name loaded in the same
TPM: so the attestation key of that Name lives where the endorsement key does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from chipledger_evidence.keys import P256_ORDER
from chipledger_evidence.tpm.public import Public
from chipledger_evidence.tpm.wire import hash_of, tpm2b

SECRET_BYTES: Final = 32
SCALAR_BYTES: Final = 48
_COORDINATE_BYTES: Final = 32
_BLOCK_BYTES: Final = 16

Entropy = Callable[[int], bytes]
"""Returns as many unpredictable bytes as asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What TPM2_ActivateCredential is given, without the lengths of the buffers.

    Attributes:
        blob: contents of the TPM2B_ID_OBJECT.
        seed: contents of the TPM2B_ENCRYPTED_SECRET.
    """

    blob: bytes
    seed: bytes


def make_credential(secret: bytes, *, key: Public, name: bytes, entropy: Entropy) -> Credential:
    """Return `secret` so wrapped that only the TPM of `key` opens it, for the key of `name`.

    Args:
        secret: at most as long as the digest of the endorsement key's name algorithm.
        key: the endorsement key.
        name: Name of the attestation key.
        entropy: source of randomness; RSA-OAEP adds the library's own.
    """
    algorithm = hash_of(key.name_algorithm)
    if isinstance(key.key, ec.EllipticCurvePublicKey):
        seed, wrapped = _ecdh_seed(key.key, algorithm, entropy)
    else:
        seed = entropy(algorithm.digest_size)
        oaep = padding.OAEP(padding.MGF1(algorithm), algorithm, b"IDENTITY\0")
        wrapped = key.key.encrypt(seed, oaep)
    wrapping_key = kdfa(algorithm, seed, label="STORAGE", context=name, bits=key.symmetric_bits)
    cipher = Cipher(AES(wrapping_key), CFB(bytes(_BLOCK_BYTES))).encryptor()
    identity = cipher.update(tpm2b(secret)) + cipher.finalize()
    bits = 8 * algorithm.digest_size
    outer = hmac.HMAC(kdfa(algorithm, seed, label="INTEGRITY", context=b"", bits=bits), algorithm)
    outer.update(identity + name)
    return Credential(blob=tpm2b(outer.finalize()) + identity, seed=wrapped)


def kdfa(
    algorithm: hashes.HashAlgorithm, key: bytes, *, label: str, context: bytes, bits: int
) -> bytes:
    """Return `bits` bits of KDFa (part 1, section 11.4.10.2: SP 800-108 in counter mode)."""
    out = b""
    count = 0
    while 8 * len(out) < bits:
        count += 1
        step = hmac.HMAC(key, algorithm)
        step.update(count.to_bytes(4) + label.encode("ascii") + b"\0" + context)
        step.update(bits.to_bytes(4))
        out += step.finalize()
    return out[: bits // 8]


def kdfe(
    algorithm: hashes.HashAlgorithm, secret: bytes, *, label: str, parties: bytes, bits: int
) -> bytes:
    """Return `bits` bits of KDFe (part 1, section 11.4.10.3: SP 800-56A concatenation)."""
    out = b""
    count = 0
    while 8 * len(out) < bits:
        count += 1
        step = hashes.Hash(algorithm)
        step.update(count.to_bytes(4) + secret + label.encode("ascii") + b"\0" + parties)
        out += step.finalize()
    return out[: bits // 8]


def _ecdh_seed(
    key: ec.EllipticCurvePublicKey, algorithm: hashes.HashAlgorithm, entropy: Entropy
) -> tuple[bytes, bytes]:
    """Share a seed by one-pass ECDH (part 1, section C.6.1)."""
    scalar = int.from_bytes(entropy(SCALAR_BYTES)) % (P256_ORDER - 1) + 1
    ephemeral = ec.derive_private_key(scalar, ec.SECP256R1())
    point = ephemeral.public_key().public_numbers()
    x, y = point.x.to_bytes(_COORDINATE_BYTES), point.y.to_bytes(_COORDINATE_BYTES)
    seed = kdfe(
        algorithm,
        ephemeral.exchange(ec.ECDH(), key),
        label="IDENTITY",
        parties=x + key.public_numbers().x.to_bytes(_COORDINATE_BYTES),
        bits=8 * algorithm.digest_size,
    )
    return seed, tpm2b(x) + tpm2b(y)
