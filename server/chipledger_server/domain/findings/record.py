"""The record of a finding, and its id: the same fact always has the same one."""

import hashlib
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from chipledger_book.terms import Severity
from chipledger_evidence.codec import Wire, encode_canonical
from chipledger_evidence.inventory import Count, Text
from chipledger_server.domain.findings.kinds import Kind

Detail = Mapping[str, Any]
"""What was seen: texts, whole numbers, and lists of them, under fixed names."""

MOST_LISTED: Final = 32
_ID_CHARACTERS: Final = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a finding is about.

    Attributes:
        kind: its type.
        subject: host id or site id.
        site: its site.
        host: its host.
        chip: its chip.
    """

    kind: Kind
    subject: str
    site: str
    host: str | None = None
    chip: int | None = None


class FindingRecord(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``finding``: opened or resolved.

    Attributes:
        at: Unix milliseconds.
        detail: what was seen.
        id: names the finding.
        severity: how much it can hide.
        state: what has just become of it; ``open`` again where it has grown.
        subject: host id or site id it is about.
        type: its type.
        chip: the chip it is about.
        site: its site.
        v: version of this format.
    """

    at: Count
    detail: dict[str, Any]
    id: Text
    severity: Severity
    state: Literal["open", "resolved"]
    subject: Text
    type: Kind
    chip: Count | None = None
    site: Text | None = None
    v: Literal[1] = 1


def finding_id(kind: Kind, subject: str, start: str) -> str:
    """Return the id of a finding: the same fact always has the same one.

    Args:
        kind: its type.
        subject: host, site or chip it is about.
        start: what began it: the identity of a token, or a time.
    """
    digest = hashlib.sha256(f"chipledger/finding/1\0{kind}\0{subject}\0{start}".encode()).digest()
    return "f-" + b32encode(digest).decode("ascii").lower()[:_ID_CHARACTERS]


def encode_detail(detail: Detail) -> bytes:
    """Return the canonical JSON of a detail."""
    return encode_canonical(dict(detail))
