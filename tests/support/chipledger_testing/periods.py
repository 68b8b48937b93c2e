"""Builders of periods: what was known of a site, the document of it, and who signed it."""

from collections.abc import Iterable
from datetime import date
from typing import Final, Literal

from chipledger_book.events import Event, LedgerRecord, Role, Statement, Strength
from chipledger_book.ledger import Book, fold
from chipledger_book.movements import SignedOff
from chipledger_book.periods.course import Frozen
from chipledger_book.periods.document import (
    LogHead,
    OpenFinding,
    PeriodDocument,
    document_digest,
    encode_document,
)
from chipledger_book.periods.freezing import Asked, Known, compose
from chipledger_book.periods.units import attested_in
from chipledger_book.physical import SeenChip, Stay
from chipledger_book.rules import Tables
from chipledger_evidence.ids import sha256_b64
from chipledger_testing.book import NOW, TABLES, ms

HALF: Final = (date(2026, 1, 1), date(2026, 6, 30))
FROZEN_MS: Final = ms(2026, 7, 2)
LOG: Final = LogHead(size=7, root=sha256_b64(b"root"))


def known(
    book: Book,
    seen: Iterable[SeenChip] = (),
    *,
    stays: Iterable[Stay] = (),
    findings: Iterable[OpenFinding] = (),
    at: int = FROZEN_MS,
    site: str = "johor",
    tables: Tables = TABLES,
) -> Known:
    """Return what is known when a period is frozen."""
    return Known(
        book=book,
        seen=tuple(seen),
        attested=attested_in(stays, site=site, until_ms=at),
        findings=tuple(findings),
        tables=tables,
        log=LOG,
        known_at_ms=at,
        code="chipledger 0.0",
        appraisal="policy 1",
    )


def document(
    what: Known, *, days: tuple[date, date] = HALF, site: str = "johor", **asked: object
) -> PeriodDocument:
    """Return the document of a period."""
    return compose(
        Asked(site=site, first_day=days[0], last_day=days[1], **asked),  # type: ignore[arg-type]
        what,
    )


def digest_of(one: PeriodDocument) -> str:
    """Return what is signed."""
    return document_digest(encode_document(one))


def frozen(one: PeriodDocument) -> Frozen:
    """Return a document as the list of frozen ones has it."""
    return Frozen(
        site=one.site.id,
        first_day=one.first_day,
        last_day=one.last_day,
        version=one.version,
        restatement=one.restatement,
        digest=digest_of(one),
        replaces=one.replaces,
        known_at_ms=one.known_at_ms,
        frozen_by=one.frozen_by,
    )


def signed(
    one: PeriodDocument,
    role: Literal["operator", "auditor"],
    principal: str,
    *,
    at: int = FROZEN_MS + 1,
) -> LedgerRecord:
    """Return a sign-off as recorded."""
    event = SignedOff(
        occurred_at_ms=at,
        site=one.site.id,
        first_day=one.first_day,
        last_day=one.last_day,
        role=role,
        balance=digest_of(one),
    )
    said = Statement(
        role=Role(role), strength=Strength.SESSION, principal=principal, stated_at_ms=at
    )
    return LedgerRecord(event=event, recorded_at_ms=at, statements=(said,))


def ledger(*entries: Event | LedgerRecord, at: int = NOW) -> Book:
    """Return the book of events and records, admitted by nobody."""
    return fold(
        one if isinstance(one, LedgerRecord) else LedgerRecord(event=one, recorded_at_ms=at)
        for one in entries
    )
