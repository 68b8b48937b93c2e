"""Whether an event may enter the book. Everything wrong with it is named at once."""

from collections.abc import Iterator
from typing import Final

from chipledger_book.catalogue import Catalogue
from chipledger_book.errors import BookError, Code, Problem
from chipledger_book.events import (
    Correction,
    DeclaredInventory,
    Event,
    LicenceGranted,
    Received,
    SiteDeclared,
    decode_event,
    encode_event,
    event_id,
)
from chipledger_book.ledger import Book
from chipledger_book.licences import licence_problems, overlap_problems
from chipledger_book.line_rules import (
    arrival_problems,
    charge_problems,
    lines_problems,
    unknown_site,
)
from chipledger_book.movement_rules import delivery_problems, movement_problems
from chipledger_book.movements import Attested, ExternalRecord, Movement, Shipped
from chipledger_book.remark_rules import remark_problems
from chipledger_book.rules import Tables
from chipledger_book.stock import ALWAYS
from chipledger_book.terms import EventId

CLOCK_TOLERANCE_MS: Final = 5 * 60 * 1000
"""How far in the future an event may lie because clocks differ."""


def admit(event: Event, book: Book, tables: Tables, *, now_ms: int) -> None:
    """Do nothing if the event may enter the book.

    An event that the book already holds may be entered again and changes nothing, unless it was
    corrected: the same event cannot come back, only one that differs.

    Raises:
        BookError: everything that is wrong with the event.
    """
    found = tuple(problems(event, book, tables, now_ms=now_ms))
    if found:
        raise BookError(found)


def problems(event: Event, book: Book, tables: Tables, *, now_ms: int) -> Iterator[Problem]:
    """Yield everything that keeps an event out of the book."""
    try:
        # Structs made in code are not validated; nothing enters that could not be read again.
        decode_event(encode_event(event))
    except BookError as error:
        yield from error.problems
        return
    key = event_id(event)
    if book.event(key) is not None:
        if book.corrected_by(key) is not None:
            yield _already_corrected("", key)
        return
    if event.occurred_at_ms > now_ms + CLOCK_TOLERANCE_MS:
        yield Problem(
            code=Code.EVENT_IN_FUTURE,
            where="occurred_at_ms",
            detail=f"{event.occurred_at_ms} lies after now, {now_ms}",
            hint="enter an event when it has happened",
        )
    yield from _own_problems(event, book, tables, now_ms=now_ms)


def _own_problems(event: Event, book: Book, tables: Tables, *, now_ms: int) -> Iterator[Problem]:
    """Yield what is wrong with an event of its kind."""
    if isinstance(event, Shipped | ExternalRecord):
        yield from _unknown_country(event.country, tables, "country")
    if isinstance(event, SiteDeclared):
        yield from _site_problems(event, book, tables)
    elif isinstance(event, LicenceGranted):
        for position, site in enumerate(event.licence.sites):
            yield from unknown_site(site, book, f"licence.sites[{position}]")
        yield from licence_problems(event.licence, tables.catalogue)
        yield from overlap_problems(event.licence, book.licences())
    elif isinstance(event, Received):
        yield from unknown_site(event.site, book, "site")
        yield from _receipt_problems(event, book, tables.catalogue)
    elif isinstance(event, DeclaredInventory):
        yield from unknown_site(event.site, book, "site")
    elif isinstance(event, Correction):
        yield from correction_problems(event, book)
    elif isinstance(event, Movement):
        yield from movement_problems(event, book, tables.catalogue)
    elif isinstance(event, Attested):
        yield _from_attestation(event)
    else:
        yield from remark_problems(event, book, tables.catalogue, now_ms=now_ms)


def _site_problems(event: SiteDeclared, book: Book, tables: Tables) -> Iterator[Problem]:
    site = event.site
    countries = {
        "site.country": site.country,
        "site.operator.headquarters": site.operator.headquarters,
        "site.consignee.headquarters": site.consignee.headquarters,
        "site.ultimate_parent.headquarters": site.ultimate_parent.headquarters,
    }
    for where, country in countries.items():
        yield from _unknown_country(country, tables, where)
    for other in book.declarations(site.id):
        if other.event.occurred_at_ms == event.occurred_at_ms:
            yield Problem(
                code=Code.SITE_CONFLICT,
                where="occurred_at_ms",
                detail=f"site {site.id} is declared differently at the same time by {other.id}",
                hint="correct that event, or give the time of the change",
            )


def _unknown_country(country: str | None, tables: Tables, where: str) -> Iterator[Problem]:
    if country is not None and country not in tables.countries.countries:
        yield Problem(
            code=Code.UNKNOWN_COUNTRY,
            where=where,
            detail=f"{country} is no ISO 3166-1 alpha-2 code",
            hint="give the two-letter code, e.g. GB for the United Kingdom",
        )


def _receipt_problems(event: Received, book: Book, catalogue: Catalogue) -> Iterator[Problem]:
    yield from lines_problems(event.lines, event.occurred_at_ms, catalogue)
    yield from charge_problems(event.charged_to, book)
    yield from arrival_problems(event.lines, book, catalogue)
    if event.answers is not None:
        yield from delivery_problems(event, event.answers, book)


def correction_problems(event: Correction, book: Book) -> Iterator[Problem]:
    """Yield why an event cannot be taken out by a correction, when proposed or when agreed to."""
    target = book.event(EventId(event.corrects))
    if target is None:
        yield Problem(
            code=Code.UNKNOWN_EVENT,
            where="corrects",
            detail=f"the book has no event {event.corrects}",
            hint="give the id of the event that is wrong",
        )
    elif isinstance(target, Correction):
        yield Problem(
            code=Code.CORRECTION_OF_CORRECTION,
            where="corrects",
            detail=f"{event.corrects} is itself a correction",
            hint="enter the right event anew; one that waits takes effect only if somebody agrees",
        )
    elif book.corrected_by(EventId(event.corrects)) is not None:
        yield _already_corrected("corrects", event.corrects)
    elif answers := book.answers(EventId(event.corrects), ALWAYS):
        yield Problem(
            code=Code.EVENT_ANSWERED,
            where="corrects",
            detail=f"{event.corrects} is answered by {answers[0].id}, which would answer nothing",
            hint="correct the answer first",
        )
    elif isinstance(target, SiteDeclared) and _last_of_used_site(target, book):
        yield Problem(
            code=Code.SITE_IN_USE,
            where="corrects",
            detail=f"{event.corrects} is the only declaration of site {target.site.id}, "
            "which holds receipts",
            hint="declare the site rightly first, then correct the wrong declaration",
        )


def _from_attestation(event: Attested) -> Problem:
    return Problem(
        code=Code.EVENT_FROM_ATTESTATION,
        where="type",
        detail=f"the collector itself records what is {event.__struct_config__.tag}, from reports"
        " of hosts that it has verified",
        hint="let the host report; confirm or correct what the collector recorded",
    )


def _already_corrected(where: str, key: str) -> Problem:
    return Problem(
        code=Code.ALREADY_CORRECTED,
        where=where,
        detail=f"{key} is already corrected",
        hint="enter the right event anew; a remark tells it from the corrected one",
    )


def _last_of_used_site(target: SiteDeclared, book: Book) -> bool:
    """Tell whether taking out a declaration would leave chips without a site."""
    return len(book.declarations(target.site.id)) == 1 and book.uses(target.site.id)
