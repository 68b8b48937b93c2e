"""The few lines of DER (X.690) that certificates' private extensions need.

Definite, minimal lengths and one-octet tags only: whatever is written otherwise is refused.
"""

from collections.abc import Iterator
from typing import NamedTuple

from chipledger_evidence.gpu.errors import GpuCode, GpuEvidenceError

SEQUENCE, INTEGER, OCTET_STRING, OID, UTF8 = 0x30, 0x02, 0x04, 0x06, 0x0C
_LONG_TAG = 0x1F
_LONG_LENGTH = 0x80
_MOST_LENGTH_OCTETS = 2


class Element(NamedTuple):
    """One value: its tag octet, its content, and the whole of it with tag and length."""

    tag: int
    content: bytes
    whole: bytes


def elements(data: bytes) -> Iterator[Element]:
    """Yield the values that `data` is made of, one after the other, nothing left over.

    Raises:
        GpuEvidenceError: `chain-malformed`.
    """
    at = 0
    while at < len(data):
        element = _element(data, at)
        yield element
        at += len(element.whole)


def only(data: bytes, tag: int) -> bytes:
    """Return the content of the one value, of that tag, that `data` is.

    Raises:
        GpuEvidenceError: `chain-malformed`.
    """
    found = list(elements(data))
    if len(found) != 1 or found[0].tag != tag:
        raise _refused("not the one value that was expected")
    return found[0].content


def _element(data: bytes, at: int) -> Element:
    head = data[at : at + 2]
    if len(head) != 2 or head[0] & _LONG_TAG == _LONG_TAG:  # noqa: PLR2004 - tag and length
        raise _refused("cut off, or a tag of many octets")
    length, start = head[1], at + 2
    if length >= _LONG_LENGTH:
        octets = length - _LONG_LENGTH
        raw = data[start : start + octets]
        start, length = start + octets, int.from_bytes(raw)
        shortest = _LONG_LENGTH if octets == 1 else 1 << 8 * max(octets - 1, 0)
        if not 1 <= octets <= _MOST_LENGTH_OCTETS or len(raw) != octets or length < shortest:
            raise _refused("a length that is not in its shortest form, or too long")
    end = start + length
    if end > len(data):
        raise _refused("a length beyond the end")
    return Element(head[0], data[start:end], data[at:end])


def _refused(what: str) -> GpuEvidenceError:
    return GpuEvidenceError(GpuCode.CHAIN_MALFORMED, f"an extension is not DER: {what}")
