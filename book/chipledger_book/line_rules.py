"""What can be wrong with the lines of an event, whichever event it is."""

from collections.abc import Iterable, Iterator
from datetime import date

from msgspec.structs import replace

from chipledger_book.catalogue import Catalogue
from chipledger_book.errors import Code, Problem
from chipledger_book.events import MAX_PIECES, ByChip, ByCount, ByUnit, Line
from chipledger_book.ledger import Book, Name, names_of
from chipledger_book.licences import LicenceRef
from chipledger_book.stock import ALWAYS, stock_of
from chipledger_book.terms import EventId, day_of

_UNIT_KINDS = frozenset({"tray", "server", "rack"})


def unknown_site(site: str, book: Book, where: str) -> Iterator[Problem]:
    """Yield whether a site that an event names is not declared."""
    if not book.declarations(site):
        yield Problem(
            code=Code.UNKNOWN_SITE,
            where=where,
            detail=f"no site {site} is declared",
            hint="declare the site first",
        )


def charge_problems(charged: LicenceRef | None, book: Book) -> Iterator[Problem]:
    """Yield whether a licence that an event is charged to was never granted."""
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


def lines_problems(
    lines: Iterable[Line], at_ms: int, catalogue: Catalogue, *, member: str = "lines"
) -> Iterator[Problem]:
    """Yield what is wrong with lines by themselves: models, quantities, names given twice."""
    lines = tuple(lines)
    for position, line in enumerate(lines):
        yield from _line_problems(line, day_of(at_ms), catalogue, f"{member}[{position}]")
    seen: set[Name] = set()
    for where, name in named_places(lines, member=member):
        if any(clash in seen for clash in _clashes(name)):
            yield Problem(
                code=Code.DUPLICATE_SERIAL,
                where=where,
                detail=f"{name[0]} {name[1]} stands twice in this event",
                hint="list every chip, board and unit once",
            )
        seen.add(name)


def arrival_problems(
    lines: Iterable[Line], book: Book, catalogue: Catalogue, *, returning: bool = False
) -> Iterator[Problem]:
    """Yield the names that are on some book already: the same thing cannot arrive twice.

    What left since may arrive again. `returning` from a vendor may be what was sent there,
    whether the vendor's side stands or not.
    """
    for where, name in named_places(lines):
        for clash in _clashes(name):
            for holder in book.holders(clash):
                if _still_there(clash, holder, book, catalogue, returning=returning):
                    yield Problem(
                        code=Code.SERIAL_ALREADY_RECEIVED,
                        where=where,
                        detail=f"{name[0]} {name[1]} is already received by event {holder}",
                        hint="correct that receipt if it is wrong; it cannot arrive twice",
                    )
                    break


def named_places(lines: Iterable[Line], *, member: str = "lines") -> Iterator[tuple[str, Name]]:
    """Yield every name that lines give, with the path at which it stands."""
    for position, line in enumerate(lines):
        at = f"{member}[{position}]"
        if isinstance(line, ByChip):
            for place, chip in enumerate(line.chips):
                one = (replace(line, chips=(chip,)),)
                yield from ((f"{at}.chips[{place}]", name) for name in names_of(one))
        else:
            names = enumerate(names_of((line,)))
            yield from ((f"{at}.serials[{place}]", name) for place, name in names)


def _clashes(name: Name) -> list[Name]:
    """Return the names that are the same thing: a board, and a chip said to sit on it."""
    kind, value = name
    if kind == "board":
        return [name, ("board-of-chip", value)]
    return [("board", value)] if kind == "board-of-chip" else [name]


def _still_there(
    name: Name, holder: EventId, book: Book, catalogue: Catalogue, *, returning: bool
) -> bool:
    """Tell whether the thing that an arrival put on the book by a name is still on it."""
    kind, value = name
    kinds = _UNIT_KINDS if kind == "unit" else {"board" if kind == "board-of-chip" else kind}
    event = book.event(holder)
    site = getattr(event, "site", "")
    stock = stock_of(book, site, ALWAYS, catalogue, open_rma=returning)
    return any(
        item.event == holder and any(item.names.get(kind) == value for kind in kinds)
        for model in stock.values()
        for item in model.items
    )


def _line_problems(line: Line, day: date, catalogue: Catalogue, where: str) -> Iterator[Problem]:
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
