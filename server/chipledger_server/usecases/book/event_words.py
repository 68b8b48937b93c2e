"""What an event of the ledger says, in one line a person can read aloud."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from chipledger_book.events import (
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    Correction,
    DeclaredInventory,
    Event,
    LicenceGranted,
    Line,
    Received,
    SiteDeclared,
)
from chipledger_book.licences import LicenceLine, LicenceRef
from chipledger_book.movements import (
    AttestedChip,
    Confirmed,
    Decommissioned,
    Destroyed,
    ExternalRecord,
    Installed,
    LostOrStolen,
    MaintenanceWindow,
    Moved,
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
)
from chipledger_server.usecases.times import time_text
from chipledger_server.usecases.words import number, pieces

_LINES_SAID: Final = 3


def event_words(event: Event) -> str:
    """Return what an event says, in one line."""
    match event:
        case SiteDeclared():
            site = event.site
            return f"{site.name} in {site.country}, operated by {site.operator.name}"
        case LicenceGranted():
            licence = event.licence
            lines = ", ".join(_licence_line(line) for line in licence.lines)
            return (
                f"{licence.type} {licence.number} of {licence.issuer} for {licence.consignee}, "
                f"{licence.valid_from} to {licence.valid_to}{': ' if lines else ''}{lines}"
            )
        case Received():
            return f"{_lines(event.lines)}{_under(event.charged_to)}"
        case DeclaredInventory():
            chips = sum(not chip.virtual for chip in event.chips)
            return f"{pieces(chips)} on {event.label}, declared (G0)"
        case Correction():
            return f"takes back {event.corrects}: {event.reason}"
        case _:
            return _movement_words(event) or _remark_words(event)


def _movement_words(event: Event) -> str:
    """Return what an event that moves chips says; nothing for others."""
    words = ""
    match event:
        case ShipmentDeclared():
            charged = _under(event.charged_to)
            words = f"{_lines(event.lines)} on the way from {event.shipper}{charged}"
        case Shipped():
            words = f"{_lines(event.lines)} to {event.consignee} in {event.country}"
        case TransferOut():
            words = f"{_lines(event.lines)} to site {event.to_site}"
        case TransferIn():
            words = f"{_lines(event.lines)} from site {event.from_site}{_under(event.charged_to)}"
        case RmaOut():
            words = f"{_lines(event.lines)} back to {event.vendor}, case {event.case}"
        case RmaIn():
            words = f"{_lines(event.lines)} from {event.vendor}, case {event.case}"
        case Stored():
            words = f"{_lines(event.lines)} in {event.place} under seal {event.seal}"
        case Decommissioned() | Destroyed():
            words = f"{_lines(event.lines)}, witness {event.witness.name} of {event.witness.party}"
        case LostOrStolen():
            words = f"{_lines(event.lines)}, said to be {event.how}"
        case _:
            pass
    return words


def _remark_words(event: Event) -> str:
    words = ""
    match event:
        case ReceiptDifference():
            parts = {
                "missing": event.missing,
                "unexpected": event.unexpected,
                "damaged": event.damaged,
            }
            words = "; ".join(f"{word}: {_lines(lines)}" for word, lines in parts.items() if lines)
        case Unstored():
            words = f"seal of {event.answers} taken off, found {event.seal_found}"
        case Confirmed():
            how = "by a document" if event.document else "by itself"
            words = f"{event.role} {event.party} confirms {event.confirms} {how}"
        case MaintenanceWindow():
            span = f"{time_text(event.from_ms)} to {time_text(event.until_ms)}"
            words = f"{pieces(len(event.hosts), 'host')}, {span}, {event.ticket}"
        case PhysicalInventory():
            found = _lines(event.found) or "nothing"
            words = f"{event.method} count by {event.inspector}: {found}"
        case SignedOff():
            words = f"{event.role} signs {event.first_day} to {event.last_day}: {event.balance}"
        case Installed():
            words = f"{_models(event.chips)} on {event.host}"
        case Moved():
            words = f"{_models(event.chips)} from {event.from_host} to {event.host}"
        case ExternalRecord():
            what = _lines(event.lines)
            words = f"{event.source} record {event.reference} of {event.feed}: {what}"
        case _:
            pass
    return words


def _models(chips: Sequence[AttestedChip]) -> str:
    models = Counter(chip.sku or "of unknown model" for chip in chips)
    return ", ".join(f"{number(count)} {model}" for model, count in sorted(models.items()))


def _lines(lines: Sequence[Line]) -> str:
    said = ", ".join(_line(line) for line in lines[:_LINES_SAID])
    more = len(lines) - _LINES_SAID
    return f"{said}{f' and {more} lines more' if more > 0 else ''}"


def _under(charged: LicenceRef | None) -> str:
    return f", under {charged.issuer} {charged.number}" if charged else ""


def _licence_line(line: LicenceLine) -> str:
    unit = {"pieces": "", "tpp": " TPP", "equivalents": f" equivalents of {line.reference}"}
    return f"{number(line.amount)}{unit[line.unit]} {line.sku or 'of any model'}"


def _line(line: Line) -> str:
    match line:
        case ByChip():
            return f"{number(len(line.chips))} {line.sku} by chip"
        case ByBoard():
            return f"{pieces(len(line.serials), 'board')} of {line.sku}"
        case ByUnit():
            return f"{number(len(line.serials))} x {line.model}"
        case ByCount():
            return f"{number(line.pieces)} {line.sku} by count"
