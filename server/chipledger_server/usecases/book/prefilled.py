"""An answer to an event begins with what the event says."""

from collections.abc import Mapping, Sequence
from typing import Final

from chipledger_book.events import ByBoard, ByChip, ByCount, ByUnit, Event, Line, Received
from chipledger_book.movements import RmaIn, RmaOut, ShipmentDeclared, Shipped, Stored, TransferOut
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.book.rights import kind_of, may_enter

_ANSWERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "shipment-declared": (
        ("received", "Receive it"),
        ("receipt-difference", "Report a difference"),
        ("confirmed", "Confirm it"),
    ),
    "transfer-out": (
        ("transfer-in", "Receive it here"),
        ("receipt-difference", "Report a difference"),
        ("confirmed", "Confirm it"),
    ),
    "rma-out": (("rma-in", "Enter what came back"), ("confirmed", "Enter the vendor's side")),
    "rma-in": (("confirmed", "Enter the vendor's side"),),
    "shipped": (("confirmed", "Enter the consignee's side"),),
    "received": (("confirmed", "Enter the shipper's side"),),
    "stored": (("unstored", "Take the seal off"),),
    "moved": (("confirmed", "Confirm it"),),
}
_RECEIVED_HERE: Final = frozenset({"shipment-declared", "transfer-out", "moved"})
_OWN: Final = frozenset({"installed", "moved"})
_SIDES: Final = {
    "shipment-declared": "consignee",
    "transfer-out": "consignee",
    "shipped": "consignee",
    "rma-out": "vendor",
    "rma-in": "vendor",
    "received": "shipper",
    "moved": "operator",
}


def next_steps(kind: str, role: Role) -> Sequence[tuple[str, str]]:
    """Return the kinds of event by which an event is answered, and what that is called."""
    steps = [*_ANSWERS.get(kind, ())]
    corrects = role is not Role.OPERATOR if kind in _OWN else may_enter(role, kind)
    if kind != "correction" and corrects:
        steps.append(("correction", "Correct it"))
    if role is Role.OPERATOR and kind not in _RECEIVED_HERE:
        steps = [step for step in steps if step[0] != "confirmed"]  # it speaks for nobody else
    return [step for step in steps if may_enter(role, step[0])]


def prefilled(kind: str, first: Event | None, key: str) -> dict[str, str]:
    """Return what stands in the fields of a form at first."""
    if first is None:
        return {}
    if kind == "correction":
        return {"corrects": key}
    if kind == "confirmed":
        party = _party(first)
        return {
            "confirms": key,
            "role": _SIDES.get(kind_of(first), ""),
            **({} if party is None else {"party": party}),
        }
    values = {"answers": key, **_sites(kind, first), **_shared(first)}
    lines = () if isinstance(first, Stored) else getattr(first, "lines", ())
    if kind in {"received", "transfer-in"}:
        values |= lines_typed(lines)
    return values


def _party(first: Event) -> str | None:
    """Return the other side that an event names itself, if it does."""
    if isinstance(first, RmaOut | RmaIn):
        return first.vendor
    if isinstance(first, Shipped):
        return first.consignee
    return first.shipper if isinstance(first, Received) else None


def _sites(kind: str, first: Event) -> dict[str, str]:
    if isinstance(first, TransferOut):
        values = {"site": first.to_site}
        return values | ({"from_site": first.site} if kind == "transfer-in" else {})
    site = getattr(first, "site", None)
    return {"site": site} if isinstance(site, str) else {}


def _shared(first: Event) -> dict[str, str]:
    if isinstance(first, RmaOut | RmaIn):
        return {"vendor": first.vendor, "case": first.case}
    if not isinstance(first, ShipmentDeclared | Shipped):
        return {}
    values = {"shipment": first.shipment}
    if isinstance(first, ShipmentDeclared):
        values["shipper"] = first.shipper
        if first.charged_to is not None:
            values["licence_issuer"] = first.charged_to.issuer
            values["licence_number"] = first.charged_to.number
    return values


def lines_typed(lines: Sequence[Line]) -> dict[str, str]:
    """Return lines of an event as they would be typed."""
    values: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        at = f"line-{number}"
        values[f"{at}-model"] = (
            f"unit:{line.model}" if isinstance(line, ByUnit) else f"sku:{line.sku}"
        )
        match line:
            case ByCount():
                values[f"{at}-pieces"] = str(line.pieces)
            case ByBoard() | ByUnit():
                values[f"{at}-names"] = "\n".join(line.serials)
            case ByChip():
                names = ((chip.pdi, chip.uuid, chip.serial) for chip in line.chips)
                values[f"{at}-names"] = "\n".join(" ".join(filter(None, one)) for one in names)
    return values
