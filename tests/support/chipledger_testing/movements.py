"""Builders of events that move chips; a test changes the one thing it is about."""

from chipledger_book.events import (
    ByChip,
    ByCount,
    ChipRef,
    Event,
    Line,
    Role,
    Statement,
    Strength,
    event_id,
)
from chipledger_book.movements import (
    Confirmed,
    Destroyed,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    Stored,
    TransferIn,
    TransferOut,
    Witness,
)
from chipledger_testing.book import (
    H100,
    NOW,
    PAPER,
    declared,
    licence,
    ms,
    pieces,
    site_of,
    uuid,
)

APRIL, MAY = ms(2026, 4), ms(2026, 5)
BALANCE = "A" * 43
SITES = (declared(), declared(site_of("penang")))
ALLOWED = licence("D-1", pieces(100))


def of(number: int, sku: str = H100) -> tuple[Line, ...]:
    """Return lines of a number of chips."""
    return (ByCount(sku=sku, pieces=number),)


def named(*numbers: int) -> tuple[Line, ...]:
    """Return lines of chips by name."""
    refs = tuple(ChipRef(pdi=f"{number:016x}", uuid=uuid(number)) for number in numbers)
    return (ByChip(sku=H100, chips=refs),)


def leaving(number: int = 2, at: int = APRIL) -> TransferOut:
    """Return a transfer from Johor to Penang."""
    return TransferOut(occurred_at_ms=at, site="johor", to_site="penang", lines=of(number))


def arriving(out: TransferOut, number: int = 2, at: int = MAY) -> TransferIn:
    """Return the other side of a transfer."""
    return TransferIn(
        occurred_at_ms=at,
        site="penang",
        from_site="johor",
        lines=of(number),
        answers=event_id(out),
    )


def sent_back(lines: tuple[Line, ...] = of(1), case: str = "C-1", at: int = APRIL) -> RmaOut:
    """Return an RMA from Johor."""
    return RmaOut(occurred_at_ms=at, site="johor", lines=lines, vendor="nvidia", case=case)


def back(out: RmaOut, lines: tuple[Line, ...] = of(1)) -> RmaIn:
    """Return what came for an RMA."""
    return RmaIn(
        occurred_at_ms=MAY,
        site="johor",
        lines=lines,
        vendor="nvidia",
        case=out.case,
        answers=event_id(out),
    )


def confirmed(
    event: Event, role: Role = Role.VENDOR, party: str = "nvidia", **more: object
) -> Confirmed:
    """Return the other side's word."""
    return Confirmed(
        occurred_at_ms=MAY,
        confirms=event_id(event),
        role=role,
        party=party,
        **more,  # type: ignore[arg-type]
    )


def destroyed(number: int = 1, party: str = "recycler") -> Destroyed:
    """Return a destruction before a witness."""
    return Destroyed(
        occurred_at_ms=APRIL,
        site="johor",
        lines=of(number),
        witness=Witness(name="W. Itness", party=party),
        documents=(PAPER,),
    )


def stored(number: int = 3) -> Stored:
    """Return chips put under seal."""
    return Stored(occurred_at_ms=APRIL, site="johor", lines=of(number), place="cage 1", seal="S-77")


def said(role: Role, strength: Strength = Strength.SESSION) -> Statement:
    """Return a statement."""
    return Statement(role=role, strength=strength, principal="somebody", stated_at_ms=NOW)


GONE = Shipped(occurred_at_ms=APRIL, site="johor", lines=of(8), consignee="buyer", country="SG")
OUT = leaving(8)
RMA = sent_back(of(2))
SHIPMENT = ShipmentDeclared(
    occurred_at_ms=APRIL, site="johor", lines=of(8), shipper="vendor-x", shipment="AWB 1"
)
SEAL = stored(8)
