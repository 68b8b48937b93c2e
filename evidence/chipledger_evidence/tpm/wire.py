"""TPM wire forms: big-endian integers and sized buffers, read strictly (part 2, section 4)."""

from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives import hashes

from chipledger_evidence.errors import Code, EvidenceError

MAX_STRUCTURE_BYTES: Final = 4096
"""Largest structure read here; a TPM's own buffers are smaller."""

ALG_RSA: Final = 0x0001
ALG_AES: Final = 0x0006
ALG_SHA256: Final = 0x000B
ALG_SHA384: Final = 0x000C
ALG_SHA512: Final = 0x000D
ALG_NULL: Final = 0x0010
ALG_RSASSA: Final = 0x0014
ALG_RSAES: Final = 0x0015
ALG_ECDSA: Final = 0x0018
ALG_ECDAA: Final = 0x001A
ALG_ECC: Final = 0x0023
ALG_CFB: Final = 0x0043
CURVE_P256: Final = 0x0003

HASHES: Final[Mapping[int, hashes.HashAlgorithm]] = {
    ALG_SHA256: hashes.SHA256(),
    ALG_SHA384: hashes.SHA384(),
    ALG_SHA512: hashes.SHA512(),
}
"""Hash algorithms accepted, by TPM_ALG_ID (part 2, section 6.3). SHA-1 is not."""


class Reader:
    """Reads a structure from its first octet to its last."""

    def __init__(self, data: bytes, what: str) -> None:
        if len(data) > MAX_STRUCTURE_BYTES:
            raise malformed(f"{what}: {len(data)} bytes, at most {MAX_STRUCTURE_BYTES} are read")
        self._data = data
        self._at = 0
        self._what = what

    def take(self, count: int) -> bytes:
        """Return the next `count` octets; raises `malformed-tpm` where there are fewer."""
        end = self._at + count
        if end > len(self._data):
            raise malformed(f"{self._what} ends at octet {len(self._data)}, {end} were needed")
        taken, self._at = self._data[self._at : end], end
        return taken

    def number(self, count: int) -> int:
        """Return an unsigned integer of `count` octets."""
        return int.from_bytes(self.take(count))

    def sized(self) -> bytes:
        """Return the contents of a TPM2B: a length of two octets, and as many octets."""
        return self.take(self.number(2))

    def end(self) -> None:
        """Refuse octets that are left over."""
        if self._at != len(self._data):
            raise malformed(f"{self._what} has {len(self._data) - self._at} octets too many")


def tpm2b(content: bytes) -> bytes:
    """Return `content` as a sized buffer (part 2, section 10.4)."""
    return len(content).to_bytes(2) + content


def digest(algorithm: int, data: bytes) -> bytes:
    """Return the digest of `data`; raises `malformed-tpm` for a hash that is not accepted."""
    context = hashes.Hash(hash_of(algorithm))
    context.update(data)
    return context.finalize()


def hash_of(algorithm: int) -> hashes.HashAlgorithm:
    """Return a hash by TPM_ALG_ID; raises `malformed-tpm` for one that is not accepted."""
    try:
        return HASHES[algorithm]
    except KeyError:
        raise malformed(f"hash algorithm 0x{algorithm:04x} is not accepted") from None


def malformed(detail: str) -> EvidenceError:
    """Return the error of bytes that are no such structure."""
    return EvidenceError(Code.MALFORMED_TPM, detail)
