"""Whether an event may enter the book. Everything wrong with it is named at once."""

from collections.abc import Iterator
from typing import Final

from chipledger_book.catalogue import Catalogue
from chipledger_book.errors import BookError, Code, Problem
from chipledger_book.events import (
    MAX_PIECES,
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
    decode_event,
    encode_event,
    event_id,
)
from chipledger_book.ledger import Book, Name, names_of
from chipledger_book.licences import licence_problems, overlap_problems
from chipledger_book.rules import Tables
from chipledger_book.terms import EventId, day_of

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
    if isinstance(event, SiteDeclared):
        yield from _site_problems(event, book, tables)
    elif isinstance(event, LicenceGranted):
        for position, site in enumerate(event.licence.sites):
            yield from _unknown_site(site, book, f"licence.sites[{position}]")
        yield from licence_problems(event.licence, tables.catalogue)
        yield from overlap_problems(event.licence, book.licences())
    elif isinstance(event, Received):
        yield from _unknown_site(event.site, book, "site")
        yield from _receipt_problems(event, book, tables.catalogue)
    elif isinstance(event, DeclaredInventory):
        yield from _unknown_site(event.site, book, "site")
    else:
        yield from _correction_problems(event, book)


def _site_problems(event: SiteDeclared, book: Book, tables: Tables) -> Iterator[Problem]:
    site = event.site
    countries = {
        "site.country": site.country,
        "site.operator.headquarters": site.operator.headquarters,
        "site.consignee.headquarters": site.consignee.headquarters,
        "site.ultimate_parent.headquarters": site.ultimate_parent.headquarters,
    }
    for where, country in countries.items():
        if country not in tables.countries.countries:
            yield Problem(
                code=Code.UNKNOWN_COUNTRY,
                where=where,
                detail=f"{country} is no ISO 3166-1 alpha-2 code",
                hint="give the two-letter code, e.g. GB for the United Kingdom",
            )
    for other in book.declarations(site.id):
        if other.event.occurred_at_ms == event.occurred_at_ms:
            yield Problem(
                code=Code.SITE_CONFLICT,
                where="occurred_at_ms",
                detail=f"site {site.id} is declared differently at the same time by {other.id}",
                hint="correct that event, or give the time of the change",
            )


def _unknown_site(site: str, book: Book, where: str) -> Iterator[Problem]:
    if not book.declarations(site):
        yield Problem(
            code=Code.UNKNOWN_SITE,
            where=where,
            detail=f"no site {site} is declared",
            hint="declare the site first",
        )


def _receipt_problems(event: Received, book: Book, catalogue: Catalogue) -> Iterator[Problem]:
    for position, line in enumerate(event.lines):
        yield from _line_problems(line, event, catalogue, f"lines[{position}]")
    charged = event.charged_to
    if charged is not None and not any(
        (licence.issuer, licence.number) == (charged.issuer, charged.number)
        for licence in book.licences()
    ):
        yield Problem(
            code=Code.UNKNOWN_LICENCE,
            where="charged_to",
            detail=f"no licence {charged.number} of {charged.issuer} is granted",
            hint="enter the licence first, or correct its number",
        )
    seen: set[Name] = set()
    for name in names_of(event):
        yield from _name_problems(name, seen, book)
        seen.add(name)


def _name_problems(name: Name, seen: set[Name], book: Book) -> Iterator[Problem]:
    """Yield whether a name was given before: in this receipt, or in one that stands.

    A board received as a whole and a chip said to sit on it are the same thing received twice.
    """
    kind, value = name
    clashes = [name] if kind != "board-of-chip" else []
    clashes += {"board": [("board-of-chip", value)], "board-of-chip": [("board", value)]}.get(
        kind, []
    )
    for clash in clashes:
        if clash in seen:
            yield Problem(
                code=Code.DUPLICATE_SERIAL,
                where="lines",
                detail=f"{kind} {value} stands twice in this receipt",
                hint="list every chip, board and unit once",
            )
        holder = book.holder(clash)
        if holder is not None:
            yield Problem(
                code=Code.SERIAL_ALREADY_RECEIVED,
                where="lines",
                detail=f"{kind} {value} is already received by event {holder}",
                hint="correct that receipt if it is wrong; it cannot arrive twice",
            )


def _line_problems(
    line: Line, event: Received, catalogue: Catalogue, where: str
) -> Iterator[Problem]:
    day = day_of(event.occurred_at_ms)
    if isinstance(line, ByUnit):
        if catalogue.unit(line.model) is None:
            yield Problem(
                code=Code.UNKNOWN_UNIT_MODEL,
                where=f"{where}.model",
                detail=f"the catalogue {catalogue.head.version} has no unit {line.model}",
                hint="name a unit model of the catalogue, or receive by board or count",
            )
        return
    sku = catalogue.find(line.sku, day)
    if sku is None:
        yield Problem(
            code=Code.UNKNOWN_SKU,
            where=f"{where}.sku",
            detail=f"the catalogue {catalogue.head.version} has no {line.sku} on {day}",
            hint="name a SKU of the catalogue",
        )
    if isinstance(line, ByCount):
        yield from _count_problems(line.pieces, f"{where}.pieces")
    if isinstance(line, ByChip):
        for position, chip in enumerate(line.chips):
            if chip.pdi is None and chip.uuid is None:
                yield Problem(
                    code=Code.UNNAMED_CHIP,
                    where=f"{where}.chips[{position}]",
                    detail="the chip has neither PDI nor UUID",
                    hint="receive by board where only serials are known",
                )


def _count_problems(pieces: int, where: str) -> Iterator[Problem]:
    if pieces <= 0:
        yield Problem(
            code=Code.QUANTITY_NOT_POSITIVE,
            where=where,
            detail=f"{pieces} pieces",
            hint="give a whole number above zero; undo a receipt with a correction",
        )
    if pieces > MAX_PIECES:
        yield Problem(
            code=Code.QUANTITY_TOO_LARGE,
            where=where,
            detail=f"{pieces} pieces, at most {MAX_PIECES} are accepted in one line",
            hint="check the number",
        )


def _correction_problems(event: Correction, book: Book) -> Iterator[Problem]:
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
            hint="enter the right event anew instead",
        )
    elif book.corrected_by(EventId(event.corrects)) is not None:
        yield _already_corrected("corrects", event.corrects)
    elif isinstance(target, SiteDeclared) and _last_of_used_site(target, book):
        yield Problem(
            code=Code.SITE_IN_USE,
            where="corrects",
            detail=f"{event.corrects} is the only declaration of site {target.site.id}, "
            "which holds receipts",
            hint="declare the site rightly first, then correct the wrong declaration",
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
