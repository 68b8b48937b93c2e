"""Events of the ledger after the receipt: what moves, rests, leaves, and what others say of it.

Where two parties meet, each enters its own event and the second names the first by its id
(`answers`, `confirms`). Until then the first is open one-sided (:mod:`chipledger_book.sides`).
"""

from datetime import date
from typing import Annotated, Literal

import msgspec

from chipledger_book.licences import LicenceRef
from chipledger_book.lines import MAX_LINES, EventBase, Line, Lines
from chipledger_book.statements import Role
from chipledger_book.terms import (
    Country,
    Document,
    Millis,
    Name,
    PartyName,
    Pdi,
    Record,
    Serial,
    SkuName,
    Text,
    Uuid,
)
from chipledger_evidence.appraisal.grades import Grade
from chipledger_evidence.ids import Digest, HostName, SiteName
from chipledger_evidence.inventory import MAX_CHIPS

MAX_HOSTS = 10_000
MAX_WINDOW_MS = 72 * 60 * 60 * 1000
"""Longest maintenance window, in milliseconds: silence is explained for three days at most."""

SomeLines = Annotated[tuple[Line, ...], msgspec.Meta(max_length=MAX_LINES)]


class ShipmentDeclared(EventBase, frozen=True, kw_only=True, tag="shipment-declared"):
    """A shipper says that chips are on their way to a site. Not on the book: in transit.

    Attributes:
        site: destination.
        lines: what was sent.
        shipper: who sent it.
        shipment: the shipper's reference.
        charged_to: the licence it is shipped under.
    """

    site: SiteName
    lines: Lines
    shipper: PartyName
    shipment: Text = ""
    charged_to: LicenceRef | None = None


class ReceiptDifference(EventBase, frozen=True, kw_only=True, tag="receipt-difference"):
    """A receiver says how what arrived differs from what was declared. Books nothing.

    Attributes:
        site: who received.
        answers: the shipment or transfer out that it differs from.
        missing: declared and not found.
        unexpected: found and not declared.
        damaged: arrived broken.
    """

    site: SiteName
    answers: Digest
    missing: SomeLines = ()
    unexpected: SomeLines = ()
    damaged: SomeLines = ()


class Shipped(EventBase, frozen=True, kw_only=True, tag="shipped"):
    """Chips left a site for a party outside this ledger.

    Attributes:
        site: who sent.
        lines: what left.
        consignee: who is to receive it.
        country: where it goes.
        shipment: the sender's reference; keeps equal shipments apart.
    """

    site: SiteName
    lines: Lines
    consignee: PartyName
    country: Country
    shipment: Text = ""


class TransferOut(EventBase, frozen=True, kw_only=True, tag="transfer-out"):
    """Chips left one site for another site of this ledger.

    Attributes:
        site: where they left.
        to_site: where they go.
        lines: what left.
        shipment: reference; keeps equal transfers apart.
    """

    site: SiteName
    to_site: SiteName
    lines: Lines
    shipment: Text = ""


class TransferIn(EventBase, frozen=True, kw_only=True, tag="transfer-in"):
    """Chips arrived from another site of this ledger.

    Attributes:
        site: where they arrived.
        from_site: where they came from.
        lines: what arrived.
        answers: the transfer out.
        charged_to: the licence they were moved under.
    """

    site: SiteName
    from_site: SiteName
    lines: Lines
    answers: Digest
    charged_to: LicenceRef | None = None


class RmaOut(EventBase, frozen=True, kw_only=True, tag="rma-out"):
    """Chips went back to their vendor. They leave the book when the vendor's side stands.

    Attributes:
        site: who sent.
        lines: what left.
        vendor: who takes it back.
        case: the vendor's case number.
    """

    site: SiteName
    lines: Lines
    vendor: PartyName
    case: Name


class RmaIn(EventBase, frozen=True, kw_only=True, tag="rma-in"):
    """Repaired or replacement chips arrived for an RMA.

    Attributes:
        site: who received.
        lines: what arrived.
        vendor: who sent it.
        case: the vendor's case number.
        answers: the RMA out it is for.
    """

    site: SiteName
    lines: Lines
    vendor: PartyName
    case: Name
    answers: Digest


class Confirmed(EventBase, frozen=True, kw_only=True, tag="confirmed"):
    """The other side of an event: said by the party itself, or by a document of it.

    Attributes:
        confirms: the event.
        role: as what the other side speaks.
        party: who it is.
        document: the paper that an auditor accepted in its place; one-sided then.
    """

    confirms: Digest
    role: Role
    party: PartyName
    document: Document | None = None


class Stored(EventBase, frozen=True, kw_only=True, tag="stored"):
    """Booked chips rest under seal; a column of their own while nothing of them is seen.

    Attributes:
        site: where.
        lines: what.
        place: cage, room or container.
        seal: number of the seal.
    """

    site: SiteName
    lines: Lines
    place: Name
    seal: Name


class Unstored(EventBase, frozen=True, kw_only=True, tag="unstored"):
    """A seal was taken off; all that rested under it does so no longer.

    Attributes:
        site: where.
        answers: the event that stored it.
        seal_found: how the seal was found.
    """

    site: SiteName
    answers: Digest
    seal_found: Literal["intact", "broken", "missing"]


class Witness(Record, frozen=True, kw_only=True):
    """Who saw it happen.

    Attributes:
        name: the person.
        party: for whom; never the operator of the site.
    """

    name: Name
    party: PartyName


class Decommissioned(EventBase, frozen=True, kw_only=True, tag="decommissioned"):
    """Chips were made unusable or scrapped, and a witness says so. Needs a document."""

    site: SiteName
    lines: Lines
    witness: Witness


class Destroyed(EventBase, frozen=True, kw_only=True, tag="destroyed"):
    """Chips were destroyed before a witness. Needs its certificate as a document."""

    site: SiteName
    lines: Lines
    witness: Witness


class LostOrStolen(EventBase, frozen=True, kw_only=True, tag="lost-or-stolen"):
    """Chips are gone. They stay on the book and so are unaccounted for.

    Attributes:
        site: where they were.
        lines: what.
        how: what the site says happened.
        reported_to: authority that was told, and its reference.
    """

    site: SiteName
    lines: Lines
    how: Literal["lost", "stolen"]
    reported_to: Text = ""


class MaintenanceWindow(EventBase, frozen=True, kw_only=True, tag="maintenance-window"):
    """Hosts will be, or were, down on purpose. Explains silence and books nothing.

    Attributes:
        site: where.
        hosts: which.
        from_ms: first millisecond.
        until_ms: last millisecond; at most 72 hours after the first.
        ticket: where the work is described.
    """

    site: SiteName
    hosts: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=MAX_HOSTS)]
    from_ms: Millis
    until_ms: Millis
    ticket: Name


class PhysicalInventory(EventBase, frozen=True, kw_only=True, tag="physical-inventory"):
    """An auditor counted at a site. Kept beside what was seen; books nothing.

    Attributes:
        site: where.
        inspector: who counted.
        method: everything, or a sample.
        found: what was found.
        plan: the plan or the sheet of the count, by digest.
    """

    site: SiteName
    inspector: Name
    method: Literal["full", "sample"]
    found: SomeLines = ()
    plan: Digest | None = None


class SignedOff(EventBase, frozen=True, kw_only=True, tag="signed-off"):
    """One side signs the balance of a period: the operator, then the auditor.

    Attributes:
        site: which.
        first_day: of the period, inclusive, UTC.
        last_day: of the period, inclusive, UTC.
        role: which side.
        balance: digest of the report that was signed.
    """

    site: SiteName
    first_day: date
    last_day: date
    role: Literal["operator", "auditor"]
    balance: Digest


class ExternalRecord(EventBase, frozen=True, kw_only=True, tag="external-record"):
    """What customs, a seller or another outsider recorded. Compared, never booked.

    Attributes:
        source: kind of outsider.
        feed: which one.
        reference: its number for the record.
        lines: what it names.
        site: where it was to go, if that is known.
        consignee: to whom.
        country: to which country.
    """

    source: Literal["customs", "seller", "other"]
    feed: Name
    reference: Name
    lines: Lines
    site: SiteName | None = None
    consignee: PartyName | None = None
    country: Country | None = None


class AttestedChip(Record, frozen=True, kw_only=True):
    """One chip as a host's signed report showed it; names that are none of the book's are absent.

    Attributes:
        grade: how the report showed it.
        pdi: its PDI, as the driver said.
        uuid: its NVML UUID.
        serial: serial of its board.
        sku: its model, where the catalogue of the day holds it.
        slot: PCI address, as the driver said.
    """

    grade: Grade
    pdi: Pdi | None = None
    uuid: Uuid | None = None
    serial: Serial | None = None
    sku: SkuName | None = None
    slot: Text | None = None


AttestedChips = Annotated[
    tuple[AttestedChip, ...], msgspec.Meta(min_length=1, max_length=MAX_CHIPS)
]


class Installed(EventBase, frozen=True, kw_only=True, tag="installed"):
    """Fresh evidence showed chips at a site for the first time, or again after they were away.

    Recorded by the collector from attestation; books nothing.

    Attributes:
        site: where.
        host: on which host.
        token: the report that showed it, by its id.
        chips: which.
    """

    site: SiteName
    host: HostName
    token: Digest
    chips: AttestedChips


class Moved(EventBase, frozen=True, kw_only=True, tag="moved"):
    """Fresh evidence showed chips on another host of the same site. The operator confirms it.

    Recorded by the collector from attestation; books nothing.

    Attributes:
        site: where.
        from_host: the host they were on before.
        host: the host they are on now.
        token: the report that showed it, by its id.
        chips: which.
    """

    site: SiteName
    from_host: HostName
    host: HostName
    token: Digest
    chips: AttestedChips


Movement = (
    ShipmentDeclared
    | Shipped
    | TransferOut
    | TransferIn
    | RmaOut
    | RmaIn
    | Stored
    | Decommissioned
    | Destroyed
    | LostOrStolen
)
"""Events that say, by lines, what happened to chips at one site."""

Remark = (
    ReceiptDifference
    | Unstored
    | Confirmed
    | MaintenanceWindow
    | PhysicalInventory
    | SignedOff
    | ExternalRecord
)
"""Events that say something about a site, a period or another event."""

Attested = Installed | Moved
"""Events that the collector records by itself from attestation; nobody enters them."""
