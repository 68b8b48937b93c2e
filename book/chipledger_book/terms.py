"""Words of the book: names, bounded values and small enumerations used by every module."""

from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, NewType

import msgspec

from chipledger_evidence.ids import whole

MAX_INTEGER: Final = 2**53 - 1
"""Largest integer of the format: what every JSON reader holds exactly."""

EventId = NewType("EventId", str)

Text = Annotated[str, msgspec.Meta(max_length=512)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Serial = Annotated[str, whole(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,63}")]
"""A printed serial, kept as text: leading zeros count."""
SkuName = Annotated[str, whole(r"[A-Z0-9][A-Za-z0-9.-]{0,63}")]
PartyName = Annotated[str, whole(r"[a-z0-9][a-z0-9-]{0,62}")]
Country = Annotated[str, whole("[A-Z]{2}")]
"""ISO 3166-1 alpha-2, upper case."""
Millis = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]
"""Unix time in milliseconds, UTC, up to the last one that has a calendar day (year 9999)."""
Sha256Hex = Annotated[str, whole("[0-9a-f]{64}")]
"""SHA-256 in lower-case hex, as sha256sum prints it."""
PciId = Annotated[str, whole("[0-9a-f]{8}")]
"""Device id then vendor id, e.g. ``233010de``; the spelling of the inventory statement."""
Pdi = Annotated[str, whole("[0-9a-f]{16}")]
Uuid = Annotated[str, whole("GPU-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]


class Record(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """Base of every struct that is written down: strict, immutable, absent members absent."""


class Force(StrEnum):
    """Legal status of a row or table."""

    IN_FORCE = "in-force"
    NOT_ENFORCED = "codified-not-enforced"
    PROPOSED = "proposed"


class Severity(StrEnum):
    """How much a finding can hide, weakest first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Document(Record, frozen=True, kw_only=True):
    """A paper that stands behind an entry, by the digest of its bytes."""

    sha256: Sha256Hex
    title: Text = ""


@lru_cache(maxsize=10_000)
def day_of(at_ms: int) -> date:
    """Return the UTC calendar day of a Unix time in milliseconds."""
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC).date()
