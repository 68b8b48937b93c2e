"""TPMS_ATTEST: what a TPM says under its attestation key (part 2, section 10.12).

Only statements of a restricted key are worth anything: see
:func:`chipledger_evidence.tpm.public.require_attestation_key`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.keys import P256_ORDER, PublicKey, load_jwk, public_jwk
from chipledger_evidence.tpm.public import Public, require_attestation_key
from chipledger_evidence.tpm.wire import ALG_ECDSA, ALG_SHA256, Reader, malformed

MAGIC: Final = 0xFF544347
ATTEST_CERTIFY: Final = 0x8017
ATTEST_QUOTE: Final = 0x8018
_COORDINATE_BYTES: Final = 32
_MAX_SELECTIONS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TpmClock:
    """TPMS_CLOCK_INFO (part 2, section 10.11.1), in the order that time passes.

    Attributes:
        reset_count: starts of the TPM with cleared registers since it was last cleared itself.
        restart_count: resumes and restarts since the last of those.
        clock_ms: milliseconds that the TPM was powered since it was last cleared.
        safe: no earlier answer of this TPM named a later `clock_ms`.
    """

    reset_count: int
    restart_count: int
    clock_ms: int
    safe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """What TPM2_Certify says: this TPM holds the key of this Name."""

    name: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What TPM2_Quote says: the SHA-256 registers selected, and the digest of their values."""

    registers: tuple[int, ...]
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Attest:
    """A statement of a TPM.

    Attributes:
        signer: qualified Name of the key that signed.
        extra: what the caller asked to be included.
        clock: the TPM's counters and clock.
        firmware: the maker's firmware version.
        said: what is attested.
    """

    signer: bytes
    extra: bytes
    clock: TpmClock
    firmware: int
    said: Certified | Quoted


def parse_attest(data: bytes) -> Attest:
    """Return what a TPMS_ATTEST of type certify or quote says.

    Raises:
        EvidenceError: `malformed-tpm`.
    """
    reader = Reader(data, "an attestation")
    if reader.number(4) != MAGIC:
        raise malformed("an attestation that no TPM made: its first octets are not TPM_GENERATED")
    kind = reader.number(2)
    signer, extra = reader.sized(), reader.sized()
    clock_ms, reset_count, restart_count = reader.number(8), reader.number(4), reader.number(4)
    safe = reader.number(1)
    if safe > 1:
        raise malformed(f"the safe flag is {safe}")
    firmware = reader.number(8)
    if kind == ATTEST_CERTIFY:
        said: Certified | Quoted = Certified(name=reader.sized())
        reader.sized()  # the qualified Name adds the parents', which nobody here relies on
    elif kind == ATTEST_QUOTE:
        said = _quoted(reader)
    else:
        raise malformed(f"attestation kind 0x{kind:04x} is neither certify nor quote")
    reader.end()
    clock = TpmClock(
        reset_count=reset_count, restart_count=restart_count, clock_ms=clock_ms, safe=bool(safe)
    )
    return Attest(signer=signer, extra=extra, clock=clock, firmware=firmware, said=said)


def parse_signature(data: bytes) -> bytes:
    """Return r ‖ s, 64 bytes with low s, of a TPMT_SIGNATURE (part 2, section 11.3.4).

    Raises:
        EvidenceError: `malformed-tpm` for anything but ECDSA with SHA-256 on P-256.
    """
    reader = Reader(data, "a signature")
    scheme, hash_algorithm = reader.number(2), reader.number(2)
    if scheme != ALG_ECDSA or hash_algorithm != ALG_SHA256:
        raise malformed(f"signature scheme 0x{scheme:04x} with hash 0x{hash_algorithm:04x}")
    r, s = (int.from_bytes(reader.sized()) for _ in range(2))
    reader.end()
    if not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
        raise malformed("r or s is outside the group")
    low = min(s, P256_ORDER - s)
    return r.to_bytes(_COORDINATE_BYTES) + low.to_bytes(_COORDINATE_BYTES)


def key_of(public: Public) -> PublicKey:
    """Return a P-256 public area as a key that verifies r ‖ s signatures.

    Raises:
        EvidenceError: `malformed-key` for an RSA key.
    """
    numbers = public.key.public_numbers()
    if not hasattr(numbers, "curve"):
        raise EvidenceError(Code.MALFORMED_KEY, "an RSA key signs nothing here")
    return load_jwk(public_jwk(public.key))  # type: ignore[arg-type] # it has a curve


def check_certify(
    data: bytes, signature: bytes, *, attestation_key: Public, key: Public, extra: bytes
) -> Attest:
    """Return the statement, only if the TPM of `attestation_key` says there that it holds `key`.

    Args:
        data: the TPMS_ATTEST.
        signature: r ‖ s.
        attestation_key: whose statement it must be; its attributes are checked here.
        key: the key it must name.
        extra: what it must include, so that it was made now and for this.

    Raises:
        EvidenceError: `malformed-tpm`, `tpm-key-attributes`, `bad-signature`,
            `tpm-statement-mismatch`.
    """
    attest = _open(data, signature, attestation_key, extra)
    if not isinstance(attest.said, Certified) or attest.said.name != key.name:
        raise _mismatch("the TPM did not certify this signing key")
    return attest


def check_quote(
    data: bytes,
    signature: bytes,
    *,
    attestation_key: Public,
    registers: Mapping[int, bytes],
    extra: bytes,
) -> Attest:
    """Return the statement, only if the TPM of `attestation_key` quotes `registers` there.

    Args:
        data: the TPMS_ATTEST.
        signature: r ‖ s.
        attestation_key: whose statement it must be; its attributes are checked here.
        registers: the values it must quote, by number, SHA-256 bank.
        extra: what it must include.

    Raises:
        EvidenceError: as :func:`check_certify`.
    """
    attest = _open(data, signature, attestation_key, extra)
    values = b"".join(value for _, value in sorted(registers.items()))
    if (
        not isinstance(attest.said, Quoted)
        or attest.said.registers != tuple(sorted(registers))
        or attest.said.digest != hashlib.sha256(values).digest()
    ):
        raise _mismatch("the TPM did not quote these register values")
    return attest


def _open(data: bytes, signature: bytes, attestation_key: Public, extra: bytes) -> Attest:
    require_attestation_key(attestation_key)
    key_of(attestation_key).verify(signature, data)
    attest = parse_attest(data)
    if attest.extra != extra:
        raise _mismatch("the TPM's statement was made for something else")
    return attest


def _quoted(reader: Reader) -> Quoted:
    """Read a TPMS_QUOTE_INFO (part 2, section 10.12.1), one SHA-256 selection."""
    count = reader.number(4)
    if not 0 < count <= _MAX_SELECTIONS:
        raise malformed(f"{count} selections of registers")
    registers: tuple[int, ...] | None = None
    for _ in range(count):
        bank, octets = reader.number(2), reader.take(reader.number(1))
        chosen = tuple(
            8 * place + bit
            for place, octet in enumerate(octets)
            for bit in range(8)
            if octet >> bit & 1
        )
        if bank != ALG_SHA256 or registers is not None:
            raise malformed(f"registers of bank 0x{bank:04x} beside SHA-256")
        registers = chosen
    return Quoted(registers=registers or (), digest=reader.sized())


def _mismatch(detail: str) -> EvidenceError:
    return EvidenceError(Code.TPM_STATEMENT_MISMATCH, detail)
