"""Builders of book entries and sightings; a test changes the one thing it is about."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from chipledger_book import shipped
from chipledger_book.admission import admit
from chipledger_book.balance import Question, reconcile
from chipledger_book.catalogue import ObservedModel
from chipledger_book.events import (
    ByCount,
    Event,
    LedgerRecord,
    LicenceGranted,
    Line,
    Received,
    SiteDeclared,
)
from chipledger_book.ledger import Book, fold
from chipledger_book.licences import Licence, LicenceLine, LicenceRef, LicenceType, QuantityUnit
from chipledger_book.parties import Party, Site
from chipledger_book.physical import ChipState, SeenChip
from chipledger_book.report import BalanceRow, SiteReport
from chipledger_book.rules import Tables
from chipledger_book.terms import Document
from chipledger_evidence.appraisal.grades import Grade

TABLES: Final = shipped.tables()
H100: Final = "H100-SXM5-80GB"
H200: Final = "H200-SXM-141GB"
GB200: Final = "GB200-186GB"
T4: Final = "T4-16GB"
PAPER: Final = Document(sha256="ab" * 32, title="paper")
H100_SEEN: Final = ObservedModel(
    device="233010de",
    subsystem="16c110de",
    board_part="692-2G520-0200-000",
    name="NVIDIA H100 80GB HBM3",
)


def ms(year: int, month: int = 1, day: int = 1, hour: int = 0) -> int:
    """Return Unix milliseconds of a UTC time."""
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) * 1000


NOW: Final = ms(2026, 6, 1)


def party(name: str = "acme", headquarters: str = "MY") -> Party:
    """Return a party."""
    return Party(id=name, name=name.title(), headquarters=headquarters)


def site_of(
    name: str = "johor", *, country: str = "MY", owner: Party | None = None, test: bool = False
) -> Site:
    """Return a site whose operator, consignee and ultimate parent are one party."""
    who = owner or party()
    return Site(
        id=name,
        name=name.title(),
        country=country,
        operator=who,
        consignee=who,
        ultimate_parent=who,
        test=test,
    )


def declared(site: Site | None = None, *, at: int = ms(2025)) -> SiteDeclared:
    """Return the declaration of a site."""
    return SiteDeclared(occurred_at_ms=at, site=site or site_of())


def licence(
    number: str = "D-1",
    *lines: LicenceLine,
    kind: LicenceType = LicenceType.LICENCE,
    consignee: str = "acme",
    sites: tuple[str, ...] = (),
    days: tuple[date, date] = (date(2025, 1, 1), date(2026, 12, 31)),
) -> LicenceGranted:
    """Return the grant of a licence."""
    return LicenceGranted(
        occurred_at_ms=ms(2025),
        licence=Licence(
            issuer="BIS",
            number=number,
            type=kind,
            consignee=consignee,
            valid_from=days[0],
            valid_to=days[1],
            source=PAPER,
            sites=sites,
            lines=lines,
        ),
    )


def lpp(*, consignee: str = "acme") -> LicenceGranted:
    """Return the certificate by which a consignee claims the low processing exception."""
    return licence("LPP-1", kind=LicenceType.LPP, consignee=consignee)


def pieces(amount: int, sku: str | None = H100) -> LicenceLine:
    """Return a licence line in pieces."""
    return LicenceLine(amount=amount, unit=QuantityUnit.PIECES, sku=sku)


def received(
    *lines: Line | int,
    site: str = "johor",
    at: int = ms(2026, 3),
    shipment: str = "",
    charged_to: str | None = None,
) -> Received:
    """Return a receipt; a plain number is that many H100."""
    return Received(
        occurred_at_ms=at,
        site=site,
        lines=tuple(
            ByCount(sku=H100, pieces=line) if isinstance(line, int) else line for line in lines
        ),
        shipment=shipment,
        charged_to=LicenceRef(issuer="BIS", number=charged_to) if charged_to else None,
    )


def record(event: Event, *, at: int = NOW) -> LedgerRecord:
    """Return an event as recorded."""
    return LedgerRecord(event=event, recorded_at_ms=at)


def book_of(*events: Event, tables: Tables = TABLES) -> Book:
    """Return the book of events that were admitted one after the other."""
    book = fold(())
    for event in events:
        admit(event, book, tables, now_ms=NOW)
        book.add(record(event))
    return book


def chip(
    number: int,
    *,
    site: str = "johor",
    sku: str | None = H100,
    state: ChipState = ChipState.PRESENT,
    grade: Grade = Grade.G1,
    pdi: bool = True,
    board: str | None = None,
    named: bool = True,
    model: ObservedModel = H100_SEEN,
) -> SeenChip:
    """Return a seen chip; its names follow from its number, unless it has none."""
    return SeenChip(
        chip_id=f"chip-{number:04d}",
        site=site,
        host=f"host-{number // 8}",
        grade=grade,
        state=state,
        model=model,
        sku=sku,
        pdi=f"{number:016x}" if pdi and named else None,
        uuid=uuid(number) if named else None,
        board=(board or f"165{number:010d}") if named else None,
    )


def chips(numbers: Iterable[int], **changes: object) -> list[SeenChip]:
    """Return several seen chips."""
    return [chip(number, **changes) for number in numbers]  # type: ignore[arg-type]


def uuid(number: int) -> str:
    """Return the UUID of a numbered chip."""
    return f"GPU-{number:08x}-0000-0000-0000-{number:012x}"


def report(
    book: Book,
    seen: Iterable[SeenChip] = (),
    *,
    site: str = "johor",
    at: int = NOW,
    tables: Tables = TABLES,
) -> SiteReport:
    """Return the balance of one site."""
    return reconcile(book, seen, tables, Question(as_of_ms=at), site=site)


def row(found: SiteReport, sku: str = H100) -> BalanceRow:
    """Return the row of one model."""
    return next(one for one in found.rows if one.sku == sku)
