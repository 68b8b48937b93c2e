"""The columns of an import file, and what each kind of event takes of them.

Derived from the formats of the events themselves: a member that a format gains is a column at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from chipledger_book.events import Correction, Event, Received
from chipledger_book.licences import LicenceRef
from chipledger_book.movements import (
    Confirmed,
    Decommissioned,
    Destroyed,
    ExternalRecord,
    LostOrStolen,
    MaintenanceWindow,
    PhysicalInventory,
    ReceiptDifference,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    SignedOff,
    Stored,
    TransferIn,
    TransferOut,
    Unstored,
    Witness,
)
from chipledger_book.terms import Document

KINDS: Final[tuple[type[Event], ...]] = (
    *(ShipmentDeclared, Received, ReceiptDifference, Shipped, TransferOut, TransferIn),
    *(RmaOut, RmaIn, Confirmed, Stored, Unstored, Decommissioned, Destroyed, LostOrStolen),
    *(MaintenanceWindow, PhysicalInventory, ExternalRecord, SignedOff, Correction),
)
"""Events that fit into a table; sites, licences and declared inventories come as JSON."""

LABEL: Final = "event"
KIND: Final = "kind"
HAPPENED: Final = "happened"
PART: Final = "part"
SKU: Final = "sku"
UNIT: Final = "unit"
SERIAL: Final = "serial"
PDI: Final = "pdi"
UUID: Final = "uuid"
PIECES: Final = "pieces"
DOCUMENT: Final = "document"
TITLE: Final = "document_title"
LINE_COLUMNS: Final = (PART, SKU, UNIT, SERIAL, PDI, UUID, PIECES)
ROW_COLUMNS: Final = (*LINE_COLUMNS, DOCUMENT, TITLE)
"""Columns in which rows of one event may differ."""
REFERENCES: Final = frozenset({"answers", "confirms", "corrects", "replaced_by"})
"""Columns that name another event: by its id, or as ``file:LABEL`` one of the same file."""

MEANINGS: Final[Mapping[str, str]] = {
    LABEL: "a name of your own for the event: tells equal events apart, and is what `file:` names",
    KIND: "type of the event",
    HAPPENED: "when: a day (its first moment, UTC), an RFC 3339 time, or Unix milliseconds",
    "site": "site id",
    "to_site": "site id of the destination",
    "from_site": "site id of the origin",
    "shipper": "party id of the sender",
    "consignee": "party id of the receiver",
    "vendor": "party id of the vendor",
    "country": "ISO 3166-1 alpha-2",
    "shipment": "the sender's reference",
    "case": "the vendor's case number",
    "licence_issuer": "issuer of the licence that it is charged to",
    "licence_number": "its number",
    "answers": "id of the event of the other side, or `file:` and the label of one in this file",
    "confirms": "id of the event that is confirmed, or `file:` and a label",
    "corrects": "id of the event that was wrong, or `file:` and a label",
    "replaced_by": "id of the event that says it right, or `file:` and a label",
    "reason": "why it was wrong",
    "role": "as what somebody speaks",
    "party": "party id of who speaks",
    "accepted_document": "SHA-256 of the paper that an auditor accepted in place of the party",
    "accepted_title": "what people call that paper",
    "place": "cage, room or container",
    "seal": "number of the seal",
    "seal_found": "`intact`, `broken` or `missing`",
    "witness_name": "the person who saw it",
    "witness_party": "party id for whom",
    "how": "`lost` or `stolen`",
    "reported_to": "authority that was told",
    "hosts": "host ids, separated by spaces",
    "from": "first moment, written as `happened`",
    "until": "last moment, written as `happened`",
    "ticket": "where the work is described",
    "inspector": "who counted",
    "method": "`full` or `sample`",
    "plan": "digest of the plan or sheet of a count",
    "first_day": "first day of the period, UTC",
    "last_day": "its last day, inclusive",
    "balance": "digest of the report that is signed",
    "source": "`customs`, `seller` or `other`",
    "feed": "which feed",
    "reference": "its number for the record",
    "remark": "free text",
    PART: "of a receipt-difference: `missing`, `unexpected` or `damaged`",
    SKU: "chip model, with `pieces`, with `serial` of a board, or with `pdi` or `uuid`",
    UNIT: "tray, server or rack model, with its `serial`",
    SERIAL: "printed serial: of the unit, of the board, or of the board under a named chip",
    PDI: "of one chip, 16 hex digits",
    UUID: "of one chip, `GPU-…`",
    PIECES: "number of chips, where no serial is known",
    DOCUMENT: "SHA-256 of a paper behind it, as sha256sum prints it",
    TITLE: "what people call the paper",
}
"""Every column and what stands in it; docs/BOOK.md prints the same."""

_NESTED: Final[Mapping[type, tuple[tuple[str, str], ...]]] = {
    LicenceRef: (("issuer", "licence_issuer"), ("number", "licence_number")),
    Witness: (("name", "witness_name"), ("party", "witness_party")),
    Document: (("sha256", "accepted_document"), ("title", "accepted_title")),
}
_LISTS: Final = frozenset({"lines", "missing", "unexpected", "damaged", "found"})
_OWN: Final = frozenset({"occurred_at_ms", "documents"})
_MS: Final = "_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a kind of event.

    Attributes:
        column: its name.
        path: members that lead to the value, outermost first.
        type: what a value must be; None is no value of a cell.
        required: whether the event cannot be without it.
        many: whether a cell holds several values.
    """

    column: str
    path: tuple[str, ...]
    type: Any
    required: bool
    many: bool = False

    @property
    def is_time(self) -> bool:
        """Tell whether the value is a time in Unix milliseconds."""
        return self.path[-1].endswith(_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a kind of event takes.

    Attributes:
        kind: its type.
        struct: its format.
        fields: its columns.
        lists: members that hold lines; empty for an event without.
        needs_lines: whether it cannot be without a line.
    """

    kind: str
    struct: type[Event]
    fields: tuple[Field, ...]
    lists: tuple[str, ...]
    needs_lines: bool

    def column_of(self, path: str) -> str:
        """Return the column in which the member at a path stands, or the path itself."""
        if path.startswith("occurred_at_ms"):
            return HAPPENED
        if path.startswith("documents"):
            return DOCUMENT
        for field in self.fields:
            if ".".join(field.path) == path:
                return field.column
        inside = (field.column for field in self.fields if field.path[0] == path)
        return next(inside, path)


def _shape(struct: type[Event]) -> Shape:
    members = msgspec.structs.fields(struct)
    lists = tuple(member.name for member in members if member.name in _LISTS)
    return Shape(
        kind=str(struct.__struct_config__.tag),
        struct=struct,
        fields=tuple(_fields(members)),
        lists=lists,
        needs_lines=any(member.name == "lines" and member.required for member in members),
    )


def _fields(members: tuple[msgspec.structs.FieldInfo, ...]) -> Iterator[Field]:
    for member in sorted(members, key=lambda one: one.name == "remark"):
        if member.name in _LISTS | _OWN:
            continue
        value = _without_none(member.type)
        if value in _NESTED:
            inner = {field.name: field for field in msgspec.structs.fields(value)}
            for name, column in _NESTED[value]:
                part = inner[name]
                yield Field(
                    column=column,
                    path=(member.name, name),
                    type=part.type,
                    required=member.required and part.required,
                )
        else:
            yield Field(
                column=member.name.removesuffix(_MS),
                path=(member.name,),
                type=value,
                required=member.required,
                many=member.name == "hosts",
            )


def _without_none(value: Any) -> Any:  # noqa: ANN401 - a type, as msgspec gives it
    if get_origin(value) in (Union, UnionType):
        inner = [one for one in get_args(value) if one is not type(None)]
        return inner[0] if len(inner) == 1 else Union[tuple(inner)]  # noqa: UP007 - of a list
    return value


SHAPES: Final[Mapping[str, Shape]] = {shape.kind: shape for shape in map(_shape, KINDS)}
"""Kind of event → what it takes."""


def known_columns() -> tuple[str, ...]:
    """Return every column that some kind takes, in the order of `MEANINGS`."""
    return tuple(MEANINGS)
