"""One framing for everything a host sends: length-prefixed records, bounded.

::

    body    = magic record*
    magic   = "CLR1"
    record  = type (1 octet) length (4 octets, big endian) content
    token   = type 0x01: u16 header length, header, u32 payload length, payload, signature (64)
    blob    = type 0x02: evidence bytes, named by their SHA-256

A batch is more records; a blob belongs to the tokens of the same body that name its digest.
Unknown types and trailing bytes are refused.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from chipledger_evidence.codec import MAX_TOKEN_BYTES
from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.keys import SIGNATURE_BYTES
from chipledger_evidence.token import MAX_HEADER_BYTES, Token

MEDIA_TYPE = "application/vnd.chipledger.report"
MAGIC = b"CLR1"
MAX_BODY_BYTES = 4 * 1024 * 1024
"""Largest body in bytes, after decompression."""
MAX_TOKENS = 64
MAX_BLOBS = 256
MAX_BLOB_BYTES = 256 * 1024

_TOKEN = 1
_BLOB = 2
_RECORD = struct.Struct(">BI")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The records of one request, in order. Nothing in it is verified."""

    tokens: tuple[Token, ...]
    blobs: tuple[bytes, ...] = ()


def encode_body(tokens: Iterable[Token], blobs: Iterable[bytes] = ()) -> bytes:
    """Return the framed body of `tokens` and `blobs`."""
    parts = [MAGIC]
    for token in tokens:
        content = b"".join(
            (
                _U16.pack(len(token.header)),
                token.header,
                _U32.pack(len(token.payload)),
                token.payload,
                token.signature,
            )
        )
        parts += (_RECORD.pack(_TOKEN, len(content)), content)
    for blob in blobs:
        parts += (_RECORD.pack(_BLOB, len(blob)), blob)
    return b"".join(parts)


def decode_body(body: bytes) -> Body:
    """Return the records of `body`.

    Raises:
        EvidenceError: `malformed-framing` or `oversize`; the whole body is refused.
    """
    if len(body) > MAX_BODY_BYTES:
        raise EvidenceError(Code.OVERSIZE, f"{len(body)} bytes, at most {MAX_BODY_BYTES}")
    if body[:4] != MAGIC:
        raise EvidenceError(Code.MALFORMED_FRAMING, "the body does not start with CLR1")
    tokens: list[Token] = []
    blobs: list[bytes] = []
    at = len(MAGIC)
    while at < len(body):
        kind, content, at = _record(body, at)
        if kind == _TOKEN:
            tokens.append(_token(content))
        elif kind == _BLOB:
            blobs.append(_blob(content))
        else:
            raise EvidenceError(Code.MALFORMED_FRAMING, f"unknown record type {kind}")
        if len(tokens) > MAX_TOKENS or len(blobs) > MAX_BLOBS:
            raise EvidenceError(
                Code.OVERSIZE, f"more than {MAX_TOKENS} tokens or {MAX_BLOBS} blobs in one body"
            )
    if not tokens:
        raise EvidenceError(Code.MALFORMED_FRAMING, "the body holds no token")
    return Body(tokens=tuple(tokens), blobs=tuple(blobs))


def _record(body: bytes, at: int) -> tuple[int, bytes, int]:
    if len(body) - at < _RECORD.size:
        raise EvidenceError(Code.MALFORMED_FRAMING, "a record is cut short")
    kind, length = _RECORD.unpack_from(body, at)
    start = at + _RECORD.size
    if len(body) - start < length:
        raise EvidenceError(Code.MALFORMED_FRAMING, "a record is longer than the body")
    return kind, body[start : start + length], start + length


def _blob(content: bytes) -> bytes:
    if not 0 < len(content) <= MAX_BLOB_BYTES:
        raise EvidenceError(Code.OVERSIZE, f"a blob of {len(content)} bytes")
    return content


def _token(content: bytes) -> Token:
    try:
        (header_length,) = _U16.unpack_from(content, 0)
        payload_at = _U16.size + header_length
        (payload_length,) = _U32.unpack_from(content, payload_at)
    except struct.error as error:
        raise EvidenceError(Code.MALFORMED_FRAMING, "a token record is cut short") from error
    if header_length > MAX_HEADER_BYTES or payload_length > MAX_TOKEN_BYTES:
        raise EvidenceError(Code.OVERSIZE, "a token's header or payload is too long")
    start = payload_at + _U32.size
    end = start + payload_length
    if len(content) != end + SIGNATURE_BYTES:
        raise EvidenceError(Code.MALFORMED_FRAMING, "lengths inside a token record do not add up")
    return Token(
        header=content[_U16.size : payload_at],
        payload=content[start:end],
        signature=content[end:],
    )
