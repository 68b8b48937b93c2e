"""NVIDIA's SPDM 1.1 measurement report, parsed so strictly that every byte has one meaning.

A report is two SPDM messages back to back (DMTF DSP0274 1.1 sections 10.11.1 and 10.11.2):
the GET_MEASUREMENTS request that the device was sent and its MEASUREMENTS response. Integers are
little-endian. The signature at the end covers every byte before it.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from chipledger_evidence.gpu.errors import GpuCode, GpuEvidenceError

MAX_REPORT_BYTES = 8192
"""Size of NVML's buffer for a report."""

SIGNATURE_BYTES = 96
NONCE_BYTES = 32
DIGEST_BYTES = 48

_SPDM_1_1 = 0x11
_GET_VERSION = bytes((0x10, 0x84))
_REQUEST = bytes((_SPDM_1_1, 0xE0, 0x01, 0xFF))
_RESPONSE = bytes((_SPDM_1_1, 0x60, 0x00, 0x00))
_NONCE_AT = 4
_SLOT_AT = _NONCE_AT + NONCE_BYTES
_RESPONSE_AT = _SLOT_AT + 1
_COUNT_AT = _RESPONSE_AT + len(_RESPONSE)
_LENGTH_AT = _COUNT_AT + 1
_BLOCKS_AT = _LENGTH_AT + 3
_BLOCK_HEAD = struct.Struct("<BBHBH")
_BLOCK_BYTES = _BLOCK_HEAD.size + DIGEST_BYTES
_DMTF, _DIGEST_TYPE = 0x01, 0x01
_OPAQUE_HEAD = struct.Struct("<HH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report says; proven by nothing before its signature is checked.

    Attributes:
        nonce: what the requester sent, 32 bytes.
        responder_nonce: the device's own randomness, of no use to a verifier.
        measurements: SHA-384 of each block, block index 1 first; all zero where unused.
        opaque: the maker's fields by id, see :mod:`chipledger_evidence.gpu.fields`.
        opaque_order: their ids as they stand in the report.
        signed: the exact bytes the signature covers.
        signature: r ‖ s, 48 bytes each, big-endian.
    """

    nonce: bytes
    responder_nonce: bytes
    measurements: tuple[bytes, ...]
    opaque: Mapping[int, bytes]
    opaque_order: tuple[int, ...]
    signed: bytes
    signature: bytes


def parse_report(data: bytes) -> Report:
    """Return the report that `data` is, with no byte left over.

    Raises:
        GpuEvidenceError: `spdm-too-large`, `spdm-truncated`, `spdm-trailing-bytes`,
            `spdm-malformed`, `spdm-version-unsupported`,
            `opaque-malformed` or `opaque-duplicate-field`.
    """
    _check_heads(data)
    count = data[_COUNT_AT]
    record = int.from_bytes(data[_LENGTH_AT:_BLOCKS_AT], "little")
    if not count or record != count * _BLOCK_BYTES:
        raise GpuEvidenceError(
            GpuCode.SPDM_MALFORMED,
            f"{count} measurement blocks cannot fill a record of {record} bytes",
        )
    responder_at = _BLOCKS_AT + record
    opaque_length_at = responder_at + NONCE_BYTES
    opaque_at = opaque_length_at + 2
    _need(data, opaque_at)
    signature_at = opaque_at + int.from_bytes(data[opaque_length_at:opaque_at], "little")
    _need(data, signature_at + SIGNATURE_BYTES)
    if len(data) > signature_at + SIGNATURE_BYTES:
        raise GpuEvidenceError(
            GpuCode.SPDM_TRAILING,
            f"{len(data) - signature_at - SIGNATURE_BYTES} bytes after the signature",
        )
    opaque = _opaque_fields(data[opaque_at:signature_at])
    return Report(
        nonce=data[_NONCE_AT:_SLOT_AT],
        responder_nonce=data[responder_at:opaque_length_at],
        measurements=_digests(data[_BLOCKS_AT:responder_at]),
        opaque=MappingProxyType(opaque),
        opaque_order=tuple(opaque),
        signed=data[:signature_at],
        signature=data[signature_at:],
    )


def _check_heads(data: bytes) -> None:
    if len(data) > MAX_REPORT_BYTES:
        raise GpuEvidenceError(
            GpuCode.SPDM_TOO_LARGE, f"{len(data)} bytes, a report has at most {MAX_REPORT_BYTES}"
        )
    if data.startswith(_GET_VERSION):
        raise GpuEvidenceError(
            GpuCode.SPDM_UNSUPPORTED,
            "the report begins with a version exchange, as SPDM 1.2 reports do; only 1.1 is read",
        )
    _need(data, _NONCE_AT)
    if data[0] != _SPDM_1_1:
        raise GpuEvidenceError(
            GpuCode.SPDM_UNSUPPORTED, f"SPDM {data[0] >> 4}.{data[0] & 15}; only 1.1 is read"
        )
    _need(data, _BLOCKS_AT)
    if data[:_NONCE_AT] != _REQUEST or data[_SLOT_AT] != 0:
        raise GpuEvidenceError(
            GpuCode.SPDM_MALFORMED,
            "the request is not GET_MEASUREMENTS for all signed measurements of slot 0",
        )
    response = data[_RESPONSE_AT:_COUNT_AT]
    if response != _RESPONSE:
        raise GpuEvidenceError(
            GpuCode.SPDM_MALFORMED, f"the response begins {response.hex()}, not 11600000"
        )


def _need(data: bytes, length: int) -> None:
    if len(data) < length:
        raise GpuEvidenceError(
            GpuCode.SPDM_TRUNCATED, f"{len(data)} bytes where at least {length} are announced"
        )


def _digests(record: bytes) -> tuple[bytes, ...]:
    digests = []
    for index, start in enumerate(range(0, len(record), _BLOCK_BYTES), start=1):
        expected = (index, _DMTF, _BLOCK_BYTES - 4, _DIGEST_TYPE, DIGEST_BYTES)
        if _BLOCK_HEAD.unpack_from(record, start) != expected:
            raise GpuEvidenceError(
                GpuCode.SPDM_MALFORMED,
                f"measurement block {index} does not begin as a SHA-384 digest of that index",
            )
        digests.append(record[start + _BLOCK_HEAD.size : start + _BLOCK_BYTES])
    return tuple(digests)


def _opaque_fields(data: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        value_at = at + _OPAQUE_HEAD.size
        if value_at > len(data):
            raise GpuEvidenceError(GpuCode.OPAQUE_MALFORMED, "the last opaque field has no head")
        kind, length = _OPAQUE_HEAD.unpack_from(data, at)
        at = value_at + length
        if at > len(data):
            raise GpuEvidenceError(
                GpuCode.OPAQUE_MALFORMED, f"opaque field {kind} is longer than what is left"
            )
        if kind in fields:
            raise GpuEvidenceError(GpuCode.OPAQUE_DUPLICATE, f"opaque field {kind} stands twice")
        fields[kind] = data[value_at:at]
    return fields
