"""How the demo writes its papers: sites, licences, receipts, and what lies behind them."""

import hashlib
from datetime import date
from typing import Final

from chipledger_book.events import Event, LicenceGranted, Line, Received, SiteDeclared
from chipledger_book.licences import Licence, LicenceLine, LicenceType, QuantityUnit
from chipledger_book.parties import Party, Place, Site
from chipledger_book.terms import Document, day_of

DAY_MS: Final = 86_400_000
ISSUER: Final = "Bureau of Industry and Security (fictional)"


def licence_number(now_ms: int, site: str) -> str:
    """Return the number of a site's licence."""
    return f"D{day_of(now_ms).year}-{site.upper()}"


def site_declared(now_ms: int, site: str, owner: Party, *, name: str, country: str) -> Event:
    """Return the declaration of a test site whose operator is its consignee and parent."""
    return SiteDeclared(
        occurred_at_ms=now_ms - 300 * DAY_MS,
        site=Site(
            id=site,
            name=name,
            country=country,
            operator=owner,
            consignee=owner,
            ultimate_parent=owner,
            test=True,
            place=Place(address=f"{name}, declared by the operator"),
        ),
    )


def licence_granted(now_ms: int, site: str, owner: Party, pieces: dict[str, int]) -> Event:
    """Return a licence for one site, in pieces by model."""
    year = day_of(now_ms).year
    number = licence_number(now_ms, site)
    return LicenceGranted(
        occurred_at_ms=now_ms - 200 * DAY_MS,
        licence=Licence(
            issuer=ISSUER,
            number=number,
            type=LicenceType.LICENCE,
            consignee=owner.id,
            valid_from=date(year - 1, 1, 1),
            valid_to=date(year + 1, 12, 31),
            source=paper(f"licence {number}"),
            sites=(site,),
            lines=tuple(
                LicenceLine(amount=amount, unit=QuantityUnit.PIECES, sku=sku)
                for sku, amount in sorted(pieces.items())
            ),
        ),
    )


def received(now_ms: int, site: str, days: int, *lines: Line) -> Event:
    """Return a receipt, with its packing list."""
    return Received(
        occurred_at_ms=now_ms - days * DAY_MS,
        site=site,
        lines=lines,
        shipper="meridian-freight",
        shipment=f"{site}-{days}",
        documents=(paper(f"packing list {site} {days}"),),
    )


def paper(title: str) -> Document:
    """Return a stand-in for a scanned paper: its digest is over its title."""
    return Document(sha256=hashlib.sha256(title.encode()).hexdigest(), title=title)
