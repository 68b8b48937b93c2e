"""Strict, bounded bytes ⇄ struct.

Signed bytes are kept as received and never re-serialised to be verified. To be *read*, they
must be in canonical form: UTF-8 JSON, members sorted by name, no white space, integers only,
every member known, absent members absent. The rule is enforced by a round trip
(``encode(decode(b)) == b``), which also refuses duplicate keys, floats written as integers
and alternative escapes, none of which a JSON parser alone refuses.
"""

import binascii
from typing import Any, TypeVar

import msgspec

from chipledger_evidence.errors import Code, EvidenceError

T = TypeVar("T")

MAX_TOKEN_BYTES = 256 * 1024
"""Largest payload of one token, in bytes."""


class Wire(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,  # built from the leaves up and never changed, so none is ever part of a cycle
):
    """Base of every wire struct: strict, immutable, absent members absent."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every answer: typed and bounded, open to members of later versions."""


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode_canonical(value: Any) -> bytes:  # noqa: ANN401 - any wire struct
    """Return the one canonical encoding of a wire struct."""
    return _ENCODER.encode(value)


def decode_strict(data: bytes, kind: type[T], *, max_bytes: int = MAX_TOKEN_BYTES) -> T:
    """Return `data` as `kind`, only if it is exactly the canonical encoding of the result.

    Raises:
        EvidenceError: `oversize`, `malformed-json` or `not-canonical`.
    """
    if len(data) > max_bytes:
        raise EvidenceError(Code.OVERSIZE, f"{len(data)} bytes, at most {max_bytes} are accepted")
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind, strict=True))
    try:
        value: T = decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvidenceError(Code.MALFORMED_JSON, str(error)) from error
    if _ENCODER.encode(value) != data:
        raise EvidenceError(
            Code.NOT_CANONICAL,
            "the text is not the canonical encoding of what it says",
            hint="sort members, drop white space, write integers only, no duplicate members",
        )
    return value


def decode_answer(data: bytes, kind: type[T], *, max_bytes: int) -> T:
    """Return an answer of the collector, which nobody signed, as `kind`.

    Members that `kind` does not know are ignored, so that a newer collector can answer more.

    Raises:
        EvidenceError: `oversize` or `malformed-json`.
    """
    if len(data) > max_bytes:
        raise EvidenceError(Code.OVERSIZE, f"{len(data)} bytes, at most {max_bytes} are accepted")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EvidenceError(Code.MALFORMED_JSON, str(error)) from error


def b64url_encode(data: bytes) -> str:
    """Return unpadded base64url (RFC 7515 section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def b64url_decode(text: str | bytes) -> bytes:
    """Return the bytes of unpadded base64url, refusing every non-canonical spelling.

    Raises:
        EvidenceError: `malformed-base64` for padding, a foreign character, or stray low bits.
    """
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    padded = raw.translate(_FROM_URL) + b"=" * (-len(raw) % 4)
    try:
        data = binascii.a2b_base64(padded, strict_mode=True)
    except binascii.Error as error:
        raise EvidenceError(Code.MALFORMED_BASE64, str(error)) from error
    if binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=") != raw:
        raise EvidenceError(Code.MALFORMED_BASE64, "not the canonical unpadded base64url text")
    return data


_TO_URL = bytes.maketrans(b"+/", b"-_")
# "+", "/" and "=" belong to the other alphabet: map them to a character base64 refuses.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
