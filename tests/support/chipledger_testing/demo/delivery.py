"""The papers of one delivery: licence, shipment, receipt, and what outsiders know of it.

Three servers are shipped to Jakarta and received there on paper. What became of them shows only
when their chips attest, or do not. Every name is fictional.
"""

from collections.abc import Mapping
from typing import Any, Final

from chipledger_book.events import ByBoard, ByUnit, Event, Received
from chipledger_book.licences import LicenceRef
from chipledger_book.movements import ExternalRecord, RmaOut, ShipmentDeclared
from chipledger_book.parties import Party
from chipledger_testing.demo.papers import (
    DAY_MS,
    ISSUER,
    licence_granted,
    licence_number,
    paper,
    received,
    site_declared,
)

SITE: Final = "jkt-1"
OWNER: Final = Party(id="nusantara-data", name="PT Nusantara Data", headquarters="ID")
MAKER: Final = "meridian-chips"
SERVERS: Final = tuple(f"SRV-JKT-{n:04d}" for n in range(1, 4))
CARDS: Final = ("1655000047101",)
_H200: Final = "H200-SXM-141GB"
_A100: Final = "A100-SXM4-40GB"

SHORTENED: Final[Mapping[str, tuple[str, int, str]]] = {
    "attestation": ("days", 21, "first attestation 21 days after receipt instead of 60"),
    "absence": ("hours", 0, "a chip that stops answering is missing at once, not after 14 days"),
    "external": ("days", 14, "papers 14 days after an outsider's record instead of 30"),
    "acknowledgement": ("hours", 0, "a finding is acknowledged at once, not in 2 business days"),
    "inspection": ("days", 0, "who comes and is counted within minutes is not called borrowed"),
    "recording": ("days", 400, "events may be entered late: the story is entered today"),
}
"""Timer → unit, limit, and what it says: a demo has no weeks."""


def site(now_ms: int) -> Event:
    """Return the declaration of the site."""
    return site_declared(now_ms, SITE, OWNER, name="Jakarta 1", country="ID")


def licence(now_ms: int) -> Event:
    """Return the licence: room for four servers and four cards."""
    return licence_granted(now_ms, SITE, OWNER, {_H200: 32, _A100: 4})


def shipment(now_ms: int) -> Event:
    """Return what the maker declares: three servers are on their way."""
    return ShipmentDeclared(
        occurred_at_ms=now_ms - 40 * DAY_MS,
        site=SITE,
        lines=(ByUnit(model="HGX-H200-8", serials=SERVERS),),
        shipper=MAKER,
        shipment="MC-88231",
        charged_to=_charged(now_ms),
        documents=(paper("packing list MC-88231"),),
    )


def receipt(now_ms: int, declared: str) -> Event:
    """Return what the site says: all three arrived. `declared` is the id of the shipment."""
    return Received(
        occurred_at_ms=now_ms - 35 * DAY_MS,
        site=SITE,
        lines=(ByUnit(model="HGX-H200-8", serials=SERVERS),),
        shipper=MAKER,
        shipment="MC-88231",
        charged_to=_charged(now_ms),
        answers=declared,
        documents=(paper("delivery note MC-88231, signed at the dock"),),
    )


def cards(now_ms: int) -> Event:
    """Return an earlier receipt: a card."""
    return received(now_ms, SITE, 50, ByBoard(sku=_A100, serials=CARDS))


def rma(now_ms: int) -> Event:
    """Return that the card went back to its maker, as the site says."""
    return RmaOut(
        occurred_at_ms=now_ms - 30 * DAY_MS,
        site=SITE,
        lines=(ByBoard(sku=_A100, serials=CARDS),),
        vendor=MAKER,
        case="RMA-4711",
        documents=(paper("carrier's note RMA-4711"),),
    )


def customs(now_ms: int) -> Event:
    """Return what customs recorded: a server more than any paper of the site has."""
    return ExternalRecord(
        occurred_at_ms=now_ms - 20 * DAY_MS,
        source="customs",
        feed="bea-cukai-fictional",
        reference="PIB-2209-17",
        lines=(ByUnit(model="HGX-H200-8", serials=("SRV-JKT-9001",)),),
        site=SITE,
        consignee=OWNER.id,
        country="ID",
    )


def with_short_timers(table: Mapping[str, Any], *, version: str) -> dict[str, Any]:
    """Return a table of timers with the limits of the demo in place of some."""
    why = "the demo of Chipledger: limits so short that something is late within minutes"
    rows = []
    for row in table["timers"]:
        short = SHORTENED.get(row["timer"])
        if short is None:
            rows.append(row)
            continue
        unit, limit, _ = short
        kept = {k: v for k, v in row.items() if k not in {"days", "hours", "business_days"}}
        rows.append({**kept, unit: limit, "source": why})
    return {**table, "head": {**table["head"], "version": version, "source": why}, "timers": rows}


def _charged(now_ms: int) -> LicenceRef:
    return LicenceRef(issuer=ISSUER, number=licence_number(now_ms, SITE))
