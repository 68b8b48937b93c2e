"""Events of the ledger: append-only, one canonical encoding, one digest.

The digest of an event's canonical bytes is its id: the same event entered twice is one event,
and a correction names what it corrects by that id. Two equal deliveries differ by time or by
their shipment reference. New kinds of event get new tags; an old tag keeps its meaning.

Who states an event, and how strongly, is not part of the event but a :class:`Statement`
beside it, because the second side of a two-sided event speaks later.
"""

import re
from decimal import Decimal
from json import loads
from typing import Annotated, Any, Final, Literal

import msgspec

from chipledger_book.errors import BookError, Code, refuse
from chipledger_book.licences import Licence, LicenceRef
from chipledger_book.lines import (
    MAX_LINES,
    MAX_PIECES,
    MAX_SERIALS,
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    EventBase,
    Line,
    Lines,
)
from chipledger_book.movements import Attested, Movement, Remark
from chipledger_book.parties import Site
from chipledger_book.statements import MAX_STATEMENTS, Role, Statement, Strength
from chipledger_book.terms import (
    EventId,
    Millis,
    Name,
    PartyName,
    PciId,
    Pdi,
    Record,
    Text,
)
from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.errors import Code as EvidenceCode
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.ids import Digest, SiteName, sha256_b64

__all__ = [
    "MAX_EVENT_BYTES",
    "MAX_LINES",
    "MAX_PIECES",
    "MAX_SERIALS",
    "ByBoard",
    "ByChip",
    "ByCount",
    "ByUnit",
    "ChipRef",
    "Correction",
    "DeclaredChip",
    "DeclaredInventory",
    "Event",
    "LedgerRecord",
    "LicenceGranted",
    "Line",
    "Lines",
    "Received",
    "Role",
    "SiteDeclared",
    "Statement",
    "StatementRecord",
    "Strength",
    "decode_event",
    "encode_event",
    "event_id",
    "read_event",
]

MAX_EVENT_BYTES: Final = 1024 * 1024
"""Largest event, in bytes of its canonical encoding."""


class SiteDeclared(EventBase, frozen=True, kw_only=True, tag="site-declared"):
    """A site exists, or changed: the newest declaration up to `as_of` holds."""

    site: Site


class LicenceGranted(EventBase, frozen=True, kw_only=True, tag="licence-granted"):
    """A licence or exception was granted."""

    licence: Licence


class Received(EventBase, frozen=True, kw_only=True, tag="received"):
    """A site took chips in.

    Attributes:
        site: who received.
        lines: what.
        shipper: who sent it.
        shipment: the shipper's reference; keeps equal deliveries apart.
        charged_to: the licence it was shipped under; absent: an exception without number.
        answers: the declared shipment that arrived, whole or in part.
    """

    site: SiteName
    lines: Lines
    shipper: PartyName | None = None
    shipment: Text = ""
    charged_to: LicenceRef | None = None
    answers: Digest | None = None


class Correction(EventBase, frozen=True, kw_only=True, tag="correction"):
    """Takes an earlier event out of the book, for every `as_of`, from when two persons stand by it.

    Attributes:
        corrects: id of the event that was wrong.
        reason: why.
        replaced_by: id of the event that says it right, if there is one.
    """

    corrects: Digest
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    replaced_by: Digest | None = None


class DeclaredChip(Record, frozen=True, kw_only=True):
    """One chip as a document declares it (grade G0)."""

    name: Text | None = None
    uuid: Text | None = None
    pdi: Pdi | None = None
    serial: Text | None = None
    board_part: Text | None = None
    device: PciId | None = None
    subsystem: PciId | None = None
    virtual: bool = False
    """Seen inside a vGPU guest: no chip of its own, counted nowhere."""


class DeclaredInventory(EventBase, frozen=True, kw_only=True, tag="declared-inventory"):
    """Somebody declares what a machine holds. Fills no hole; a column of its own.

    Attributes:
        site: where.
        label: which machine; the newest declaration of a label up to `as_of` holds.
        source: kind of document it was read from.
        chips: what it declares.
    """

    site: SiteName
    label: Name
    source: Literal["nvidia-smi"]
    chips: Annotated[tuple[DeclaredChip, ...], msgspec.Meta(max_length=MAX_SERIALS)]


Event = (
    SiteDeclared
    | LicenceGranted
    | Received
    | Correction
    | DeclaredInventory
    | Movement
    | Remark
    | Attested
)


class LedgerRecord(Record, frozen=True, kw_only=True):
    """An event as it stands in the ledger.

    Attributes:
        event: what happened.
        recorded_at_ms: when the collector took it up; `known_at` asks for this time.
        statements: who stands behind it.
        proposed: a correction that takes effect once a second person agreed. Absent of other
            events, and of corrections that were entered when one person was enough.
        v: version of this format.
    """

    event: Event
    recorded_at_ms: Millis
    statements: Annotated[tuple[Statement, ...], msgspec.Meta(max_length=MAX_STATEMENTS)] = ()
    proposed: bool = False
    v: Literal[1] = 1


class StatementRecord(Record, frozen=True, kw_only=True):
    """A statement on an event that the ledger holds already, as it stands in the ledger.

    Attributes:
        of: id of the event.
        recorded_at_ms: when the collector took it up; `known_at` asks for this time.
        statement: who stands behind the event besides those who did.
        v: version of this format.
    """

    of: Digest
    recorded_at_ms: Millis
    statement: Statement
    v: Literal[1] = 1


# A bad quantity is recognised by the member name at the end of the decoder's path.
_QUANTITIES: Final = frozenset({"pieces", "amount"})
_OVER: Final = "Expected `int` <="
_PATH: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")


def encode_event(event: Event) -> bytes:
    """Return the canonical bytes of an event."""
    return encode_canonical(event)


def event_id(event: Event) -> EventId:
    """Return the id of an event: base64url(SHA-256(canonical bytes))."""
    return EventId(sha256_b64(encode_event(event)))


def decode_event(data: bytes) -> Event:
    """Return the event in its canonical bytes, as stored, logged and signed.

    Raises:
        BookError: `event-too-large`, `not-canonical-event`, `malformed-event`,
            `quantity-not-integer` or `unknown-quantity-unit`.
    """
    try:
        event: Event = decode_strict(data, Event, max_bytes=MAX_EVENT_BYTES)  # type: ignore[arg-type]
    except EvidenceError as error:
        if error.code is EvidenceCode.OVERSIZE:
            raise _too_large(len(data)) from error
        if error.code is EvidenceCode.NOT_CANONICAL:
            raise refuse(
                Code.NOT_CANONICAL_EVENT, error.detail, hint=error.hint or "encode it canonically"
            ) from error
        raise _malformed(error.detail) from error
    return event


def read_event(data: bytes) -> Event:
    """Return the event in hand-written JSON: any layout, but no duplicate member, no float.

    Raises:
        BookError: as :func:`decode_event`, without `not-canonical-event`.
    """
    if len(data) > MAX_EVENT_BYTES:
        raise _too_large(len(data))
    try:
        # Decimal, so that 1.0 is refused where an integer is due: float would be rounded first.
        plain = loads(data, object_pairs_hook=_members, parse_float=Decimal)
        event: Event = msgspec.convert(plain, Event, strict=True)
        encode_event(event)  # an escape may have made half a character, which has no bytes
    # ValueError: JSON, UTF-8, the struct, and integers too long for Python to read.
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _malformed(str(error)) from error
    return event


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of one JSON object, refusing a name that stands twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise refuse(
            Code.MALFORMED_EVENT,
            f"the member {twice!r} stands twice in one object",
            where=twice,
            hint="keep one of them",
        )
    return members


def _too_large(size: int) -> BookError:
    return refuse(
        Code.EVENT_TOO_LARGE,
        f"{size} bytes, at most {MAX_EVENT_BYTES} are accepted",
        hint="split the delivery into several receipts",
    )


def _malformed(message: str) -> BookError:
    """Return the error for text that is no event, naming bad quantities by their own code."""
    found = _PATH.search(message)
    path = found["path"] if found else ""
    member = path.rsplit(".", 1)[-1]
    if member in _QUANTITIES and _OVER in message:
        return refuse(Code.QUANTITY_TOO_LARGE, message, where=path, hint="check the number")
    if member in _QUANTITIES:
        return refuse(
            Code.QUANTITY_NOT_INTEGER, message, where=path, hint="give a whole number of pieces"
        )
    if member == "unit":
        return refuse(
            Code.UNKNOWN_QUANTITY_UNIT,
            message,
            where=path,
            hint="pieces, tpp or equivalents",
        )
    return refuse(Code.MALFORMED_EVENT, message, where=path, hint="see docs/BOOK.md, Events")
